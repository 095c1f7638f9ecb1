"""The consumer's circuit breaker."""

import pytest

from demo.programs.breaker import STATES, Breaker


def test_a_closed_breaker_lets_every_attempt_through() -> None:
    assert all(Breaker().allows(now) for now in (0.0, 0.1, 1e9))


def test_an_open_breaker_lets_none_through_however_long_it_is_open() -> None:
    assert not Breaker().told("open").allows(1e9)


def test_a_half_open_breaker_lets_one_probe_through_in_its_interval() -> None:
    breaker = Breaker(probe_s=1.0).told("half_open")
    assert breaker.allows(10.0)
    probed = breaker.attempted(10.0)
    assert not probed.allows(10.9)
    assert probed.allows(11.0)


def test_a_probe_that_answers_closes_and_one_that_fails_opens() -> None:
    half_open = Breaker().told("half_open")
    assert half_open.ended(ok=True).state == "closed"
    assert half_open.ended(ok=False).state == "open"


def test_an_attempt_that_was_no_probe_moves_nothing() -> None:
    assert Breaker().ended(ok=False).state == "closed"
    assert Breaker().told("open").ended(ok=True).state == "open"


def test_a_change_that_may_have_mended_the_endpoint_lets_a_probe_through_an_open_breaker() -> None:
    assert Breaker().told("open").retried().state == "half_open"
    assert Breaker().retried().state == "closed"


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=", ".join(STATES)):
        Breaker().told("ajar")
