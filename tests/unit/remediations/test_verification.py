"""Recovery is a continuous hold on samples taken after the action; anything else is not."""

from __future__ import annotations

import pytest

from remediations.verification import Reading, Seen, Verdict, judge

B, G, U = Seen.BREACH, Seen.OK, Seen.UNKNOWN
"""Breach, good, unknown."""


def readings(*seen: Seen, start: float = 110.0, step: float = 10.0) -> list[Reading]:
    return [Reading(start + step * index, value) for index, value in enumerate(seen)]


@pytest.mark.parametrize(
    ("seen", "now", "verdict", "reason"),
    [
        ((B, G, G, G, G), 150.0, Verdict.RECOVERED, "30 s of health in a row"),
        ((G, G, B, G, G), 150.0, None, "a relapse starts the hold anew"),
        ((G, G, U, G, G), 150.0, None, "what is not seen breaks the hold (B4)"),
        ((B, B, B, B, B), 220.0, Verdict.NOT_RECOVERED, "still failing at the end"),
        ((G, B, G, B, G, B), 220.0, Verdict.NOT_RECOVERED, "a symptom that changes is no recovery"),
        ((U, U, U, U, U, U, U, U, U, U, G, G), 221.0, None, "a hold that runs at the end may finish"),
        (
            (U, U, U, U, U, U, U, U, U, U, G, G, B),
            231.0,
            Verdict.NOT_RECOVERED,
            "and breaks at the first breach",
        ),
        ((U, U, U, U, U, U, U, U, U, U, G, G, G, G), 241.0, Verdict.RECOVERED, "health seen late is health"),
        ((B, G), 400.0, Verdict.UNKNOWN, "healthy when last seen, and nobody knows since"),
        ((B, B, U, U, U), 220.0, Verdict.UNKNOWN, "the scrape died after the action"),
        ((), 220.0, Verdict.UNKNOWN, "nothing was seen at all"),
        ((), 150.0, None, "still open"),
    ],
)
def test_a_rung_is_judged(seen: tuple[Seen, ...], now: float, verdict: Verdict | None, reason: str) -> None:
    found = judge(acted_until=100.0, within=120.0, hold=30.0, readings=readings(*seen), now=now)
    assert (found.verdict if found else None) == verdict, reason


def test_readings_from_before_the_end_of_the_action_do_not_count() -> None:
    before = [Reading(at, G) for at in (60.0, 70.0, 80.0, 90.0, 100.0)]
    assert judge(acted_until=100.0, within=120.0, hold=30.0, readings=before, now=110.0) is None


def test_readings_that_are_forgotten_before_a_hold_is_over_do_not_keep_it_open_for_ever() -> None:
    """A run that waits for a proof that cannot come would stop its ladder, and nobody would be told."""
    for now, verdict in ((309.0, None), (310.0, Verdict.UNKNOWN)):
        newest = readings(G, G, start=now - 20.0)
        found = judge(acted_until=100.0, within=120.0, hold=30.0, readings=newest, now=now)
        assert (found.verdict if found else None) == verdict
