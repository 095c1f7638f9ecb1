"""What a record proves: bounds that behave, levels with a gap between them, and nothing from what proves nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.problems import Wrong
from config.proportion import bounds
from config.section import Autonomy
from remediations.earned import EarnedAutonomy, Record, record_of, standing

RULES = EarnedAutonomy()
DEMOTES = EarnedAutonomy(demotes=True)
AUTO, ASK, OBSERVE = Autonomy.AUTO, Autonomy.PROPOSE, Autonomy.OBSERVE
COUNTS = st.integers(0, 5_000)
PAIRS = st.tuples(COUNTS, COUNTS).filter(lambda pair: sum(pair) > 0)


@given(PAIRS)
def test_the_bounds_lie_around_the_share_and_inside_of_it_all(pair: tuple[int, int]) -> None:
    helped, in_vain = pair
    found = bounds(helped, helped + in_vain)
    assert found is not None
    low, high = found
    assert 0.0 <= low <= helped / (helped + in_vain) + 1e-12
    assert helped / (helped + in_vain) - 1e-12 <= high <= 1.0


@given(PAIRS)
def test_one_more_that_helped_never_lowers_what_is_proved_and_one_more_in_vain_never_raises_it(
    pair: tuple[int, int],
) -> None:
    helped, in_vain = pair
    here = Record(helped, in_vain).at_least
    assert Record(helped + 1, in_vain).at_least >= here - 1e-12
    assert Record(helped, in_vain + 1).at_least <= here + 1e-12


@given(PAIRS, st.integers(2, 10))
def test_the_same_share_of_more_cases_proves_more(pair: tuple[int, int], times: int) -> None:
    helped, in_vain = pair
    assert Record(helped * times, in_vain * times).at_least >= Record(helped, in_vain).at_least - 1e-12


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.sampled_from(list(Autonomy)), st.booleans())
def test_no_record_lets_a_rung_go_further_than_it_is_configured(
    helped: int, in_vain: int, unknown: int, alone: int, configured: Autonomy, demotes: bool
) -> None:
    found = standing(Record(helped, in_vain, unknown, alone), configured, EarnedAutonomy(demotes=demotes))
    assert not found.demoted or (configured is AUTO and found.suggests is ASK and demotes)
    assert found.suggests is not AUTO or configured is ASK


@given(COUNTS, COUNTS)
def test_what_nobody_verified_and_what_went_by_itself_prove_nothing(unknown: int, alone: int) -> None:
    for configured in Autonomy:
        assert standing(Record(0, 0, unknown, alone), configured, DEMOTES).suggests is None


@pytest.mark.parametrize(
    ("helped", "in_vain", "configured", "suggests", "why"),
    [
        (9, 0, ASK, None, "nine verdicts are fewer than ten"),
        (15, 0, ASK, None, "fifteen of fifteen are at least 0.796"),
        (16, 0, ASK, AUTO, "sixteen of sixteen are at least 0.806"),
        (5, 5, AUTO, ASK, "five of ten are at least 0.237"),
        (6, 4, AUTO, None, "six of ten are at least 0.313"),
        (0, 9, AUTO, None, "nine in vain are fewer than ten"),
        (0, 10, AUTO, ASK, "ten of ten in vain"),
        (0, 10, ASK, None, "what asks first cannot be asked more"),
        (100, 0, OBSERVE, None, "observing is a person's decision, whatever the record"),
        (100, 0, AUTO, None, "it has what it earned"),
    ],
)
def test_a_level_is_suggested_by_the_lower_bound(
    helped: int, in_vain: int, configured: Autonomy, suggests: Autonomy | None, why: str
) -> None:
    found = standing(Record(helped, in_vain), configured, RULES)
    assert found.suggests is suggests, why
    assert not found.demoted, "only where it is asked for"
    assert standing(Record(helped, in_vain), configured, DEMOTES).demoted == (suggests is ASK), why


def test_a_record_is_counted_from_verdicts() -> None:
    counted = {"recovered": 3, "contained": 2, "not_recovered": 4, "unknown": 1, "self_resolved": 7}
    assert record_of(counted) == Record(helped=5, in_vain=4, unknown=1, self_resolved=7)
    assert record_of({}) == Record()


def test_a_standing_says_its_numbers() -> None:
    found = standing(Record(2, 10, 1), AUTO, DEMOTES)
    assert found.text == "helped 2 of 12 times, so at least 5% (below 30%)"
    assert found.data() == {
        "helped": 2, "in_vain": 10, "unknown": 1, "self_resolved": 0, "at_least": 0.047, "window_s": 90 * 86400.0,
        "demoted": True,
    }  # fmt: skip
    assert standing(Record(), AUTO, DEMOTES).text == "helped 0 of 0 times"


def test_the_two_bounds_leave_room_between_them() -> None:
    with pytest.raises((Wrong, ValueError), match="not below promote_above"):
        EarnedAutonomy.model_validate({"promote_above": "50%", "demote_below": "50%"})
