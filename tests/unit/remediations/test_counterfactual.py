"""Did the fix do it? The arithmetic: known intervals, the same chance for both sides, and nothing from too little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations.counterfactual import Alone, Judgement, Trial, compare, difference

SHARES = st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
SECONDS = st.floats(1.0, 5_000.0)
TRIALS = st.lists(st.builds(Trial, SECONDS, SECONDS, st.booleans()), min_size=1, max_size=30)
ALONE = st.lists(st.builds(Alone, SECONDS, st.booleans()), max_size=60)


@pytest.mark.parametrize(
    ("one", "other", "low", "high", "why"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339, "Newcombe 1998, table II, example a"),
        ((9, 10), (3, 10), 0.1705, 0.8090, "example b"),
        ((6, 7), (2, 7), 0.0582, 0.8062, "example c"),
        ((5, 56), (0, 29), -0.0381, 0.1926, "example d: nothing happened on one side"),
    ],
)
def test_the_interval_is_the_published_one(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float, why: str
) -> None:
    assert difference(one, other) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5)), why


@given(SHARES, SHARES)
def test_the_interval_holds_the_difference_and_turns_round_with_its_sides(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    low, high = difference(one, other)
    assert -1.0 <= low <= one[0] / one[1] - other[0] / other[1] + 1e-9
    assert one[0] / one[1] - other[0] / other[1] - 1e-9 <= high <= 1.0
    back = difference(other, one)
    assert back == (pytest.approx(-high), pytest.approx(-low))


@given(TRIALS, ALONE)
def test_the_order_of_the_record_is_no_evidence(trials: list[Trial], alone: list[Alone]) -> None:
    assert compare(trials, alone, 5) == compare(trials[::-1], alone[::-1], 5)


@given(TRIALS, ALONE)
def test_one_more_fault_that_healed_in_that_time_never_makes_a_rung_effective(
    trials: list[Trial], alone: list[Alone]
) -> None:
    before = compare(trials, alone, 5)
    more = compare(trials, [*alone, Alone(before.after + before.within, healed=True)], 5)
    assert more.healed == before.healed + 1
    if before.judgement is Judgement.COINCIDENT:
        assert more.judgement is Judgement.COINCIDENT


@given(TRIALS, ALONE, SECONDS)
def test_a_fault_that_was_not_watched_long_enough_says_nothing(
    trials: list[Trial], alone: list[Alone], lasted: float
) -> None:
    before = compare(trials, alone, 5)
    if lasted <= before.after + before.within:
        assert compare(trials, [*alone, Alone(lasted, healed=False)], 5) == before


def test_a_rung_that_mends_what_stays_ill_is_effective_and_one_that_waits_for_it_is_coincident() -> None:
    trials = [Trial(60.0, 200.0, recovered=True)] * 8
    stays = [Alone(4_000.0, healed=True)] * 10
    heals = [Alone(200.0, healed=True)] * 10
    assert compare(trials, stays, 5).judgement is Judgement.EFFECTIVE
    assert compare(trials, heals, 5).judgement is Judgement.COINCIDENT
    assert compare(trials, stays[:4], 5).judgement is Judgement.TOO_LITTLE_KNOWN
    assert compare(trials[:4], stays, 5).judgement is Judgement.TOO_LITTLE_KNOWN
    assert compare(trials, [Alone(30.0, healed=True)] * 10, 5).left == 0, "they never lasted until the rung"
