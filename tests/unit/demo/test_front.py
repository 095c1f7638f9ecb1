"""What the API front decides."""

import pytest

from demo.programs.front import AddressCache, RateLimits, Ticket, WaitingRoom


def test_history_goes_before_live_and_each_in_its_order() -> None:
    room = WaitingRoom()
    for endpoint, asset in (("live", "a"), ("live", "b"), ("history", "c"), ("history", "d")):
        room.add(Ticket(endpoint, asset))
    taken = [room.take(0) for _ in range(4)]
    assert [one.asset for one in taken if one] == ["c", "d", "a", "b"]


def test_a_request_nobody_waits_for_any_more_is_not_worked_on() -> None:
    room = WaitingRoom()
    room.add(Ticket("live", "a", given_up=True))
    room.add(Ticket("live", "b"))
    taken = room.take(0)
    assert taken is not None
    assert taken.asset == "b"
    assert room.take(0) is None


def test_a_request_whose_worker_died_comes_first_of_its_kind() -> None:
    room = WaitingRoom()
    room.add(Ticket("live", "a"))
    room.put_back(Ticket("live", "b"))
    taken = room.take(0)
    assert taken is not None
    assert taken.asset == "b"


def test_without_a_limit_everything_is_allowed() -> None:
    limits = RateLimits(window=5.0)
    assert all(limits.allows("acme", 0.001 * number) for number in range(1000))


def test_a_limit_lets_its_rate_through_and_concerns_nobody_else() -> None:
    limits = RateLimits(window=5.0)
    limits.limit("bulk", 5)
    allowed = sum(limits.allows("bulk", number / 100) for number in range(1000))
    assert allowed == pytest.approx(5 * 10 + 5, abs=1)
    assert all(limits.allows("acme", 10 + number / 100) for number in range(1000))
    limits.limit("bulk", 0)
    assert limits.allows("bulk", 20.0)


def test_the_heaviest_client_is_found_over_the_window_only() -> None:
    limits = RateLimits(window=5.0)
    assert limits.heaviest() is None
    for number in range(100):
        limits.allows("yesterday", number / 100)
    for number in range(10):
        limits.allows("now", 100 + number / 100)
    assert limits.heaviest() == "now"


def test_a_limit_given_to_the_heaviest_client_is_taken_from_the_one_who_got_it() -> None:
    limits = RateLimits(window=5.0)
    for number in range(20):
        limits.allows("bulk", number / 100)
    assert limits.limit_heaviest(5) == "bulk"
    limits.limit("acme", 3)
    for number in range(40):
        limits.allows("acme", 1 + number / 100)
    assert limits.heaviest() == "acme"
    limits.limit_heaviest(0)
    assert limits.limits == {"acme": 3}


def test_a_cache_that_is_switched_off_is_empty_when_it_is_on_again() -> None:
    cache = AddressCache()
    cache.keep("a", "near here")
    assert cache.find("a") == "near here"
    cache.switch(on=False)
    cache.keep("a", "near here")
    assert cache.find("a") is None
    cache.switch(on=True)
    assert cache.find("a") is None
    assert cache.hit_share == pytest.approx(1 / 3, abs=0.001)
