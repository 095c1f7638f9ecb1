"""Regular expressions of a configuration cannot stop the process, whatever a label contains."""

from __future__ import annotations

import pytest

from detectors.patterns import MAX_MATCHED, danger_of
from detectors.rule import Matcher


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(x+x+)+y", "nested repetitions: exponential"),
        ("(a?a?)*b", "what is optional counts as a repetition"),
        ("(a|aa)*b", "so does a choice"),
        ("((a{1,9}){1,9}){1,9}", "bounded, and still far too many"),
        (r"(a)\1", "a back-reference"),
        (".*.*.*.*x", "one after the other: a power of the length"),
    ],
)
def test_a_pattern_that_may_never_end_is_refused(pattern: str, why: str) -> None:
    assert danger_of(pattern), why


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("navixy-.*", "a prefix"),
        ("hot|warm", "a choice that is not repeated"),
        (r"(\d{1,3}\.){3}\d{1,3}", "an address: few and bounded"),
        (".*live.*", "somewhere within"),
        ("(ab)+", "one way only to repeat it"),
        ("[a-z]+_[0-9]+", "two parts"),
    ],
)
def test_a_pattern_people_need_is_taken(pattern: str, why: str) -> None:
    assert not danger_of(pattern), why


def test_a_label_longer_than_the_bound_matches_nothing() -> None:
    assert Matcher("a", pattern="x*").accepts("x" * MAX_MATCHED)
    assert not Matcher("a", pattern="x*").accepts("x" * (MAX_MATCHED + 1))
