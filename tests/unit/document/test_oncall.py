"""What being on call came to: how fast, how often, at what hour, by what; what was never measured is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.escalation import WorkingHours
from daemon.document.dossier import Dossier
from daemon.document.oncall import Noise, Spread, outside, spread
from daemon.document.report import Report, report
from daemon.incidents.model import FindingRecord, IncidentState
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from tests.fakes.dossiers import ID, T, attempt, delivery, ended, incident

WEEK = 7 * 86_400.0
ZONES = {"ana": "Europe/Paris", "ben": "America/New_York"}
DAYS = WorkingHours()


def told(*dossiers: Dossier, seconds: float = WEEK) -> Report:
    return report(dossiers, T, T + seconds, ZONES, DAYS)


def page(key: str, person: str = "ana", at: float = T + 603, **fields: Any) -> Delivery:
    return delivery(key=key, person=person, state=DeliveryState.ACCEPTED, sent_at=at, **fields)


def test_the_times_of_one_incident_are_those_of_its_rows() -> None:
    """Breach 08:00, detected 08:05, acted 08:06, paged 08:10:03, acknowledged 08:11, over 08:15."""
    [row] = told(ended()).oncall.response
    assert (row.failure_mode, row.incidents) == ("storage_failure", 1)
    assert row.detect == Spread(1, 300.0, 300.0)
    assert row.act == Spread(1, 60.0, 60.0)
    assert row.recover == Spread(1, 900.0, 900.0)
    assert row.acknowledge == Spread(1, 57.0, 57.0)


def test_a_verified_recovery_counts_rather_than_the_end_and_a_closed_one_did_not_recover() -> None:
    after = ended()
    early = replace(after, incident=replace(after.incident, recovered_at=T + 600))
    closed = replace(after, incident=replace(after.incident, state=IncidentState.CLOSED))
    assert told(early).oncall.response[0].recover == Spread(1, 600.0, 600.0)
    assert told(closed).oncall.response[0].recover is None


def test_what_was_never_measured_is_not_pretended() -> None:
    [row] = told(Dossier(incident())).oncall.response
    assert row.detect == Spread(1, 300.0, 300.0)
    assert (row.act, row.recover, row.acknowledge) == (None, None, None)
    nothing = told().oncall
    assert (nothing.response, nothing.people, nothing.noisiest, nothing.mended_by) == ((), (), (), {})


@pytest.mark.parametrize(
    ("lengths", "expected", "why"),
    [
        ([], None, "nothing"),
        ([None, None], None, "nothing known"),
        ([5.0, None], Spread(1, 5.0, 5.0), "one"),
        ([1.0, 3.0], Spread(2, 2.0, 3.0), "the middle of two"),
        ([*map(float, range(1, 21))], Spread(20, 10.5, 19.0), "19 of 20 are 95 %"),
        ([*map(float, range(1, 101))], Spread(100, 50.5, 95.0), "95 of 100"),
    ],
)
def test_median_and_the_length_that_95_percent_do_not_exceed(
    lengths: list[float | None], expected: Spread | None, why: str
) -> None:
    assert spread(lengths) == expected, why


@pytest.mark.parametrize(
    ("zone", "at", "expected", "why"),
    [
        ("Europe/Paris", T, False, "Monday 09:00 is when they begin"),
        ("Europe/Paris", T - 60, True, "a minute before"),
        ("Europe/Paris", T + 9 * 3600, True, "18:00 is after them"),
        ("America/New_York", T, True, "03:00 there"),
        ("America/New_York", T + 7 * 3600, False, "10:00 there, 16:00 in Paris"),
        ("Europe/Paris", T + 5 * 86_400 + 3600, True, "Saturday"),
        ("Pacific/Auckland", T - 12 * 3600, False, "Monday 09:00 there, still Sunday in UTC"),
    ],
)
def test_hours_are_those_of_the_persons_own_clock(zone: str, at: float, expected: bool, why: str) -> None:
    assert outside(at, zone, DAYS) is expected, why


def test_pages_are_counted_for_each_person_by_week_and_outside_of_their_hours() -> None:
    rows = (
        page("a"),
        page("b", at=T + 20 * 3600),
        page("c", "ben"),
        page("d", "ben", at=T + 6 * 86_400),
        page("e", "ben", at=T + 7 * 86_400),
        page("note", event=PageEvent.STATUS),
        delivery(key="lost", state=DeliveryState.FAILED),
    )
    ben, ana = told(ended(deliveries=rows), seconds=2 * WEEK).oncall.people
    assert (ben.person, ben.pages, ben.outside, ben.per_week) == ("ben", 3, 3, 1.5)
    assert ben.weeks == {"2026-W02": 2, "2026-W03": 1}
    assert (ana.person, ana.pages, ana.outside, ana.per_week) == ("ana", 2, 1, 1.0)
    assert ana.weeks == {"2026-W02": 2}


def test_where_nobody_knows_the_working_hours_nothing_is_said_to_be_outside_of_them() -> None:
    [ana] = report([ended()], T, T + WEEK, ZONES, None).oncall.people
    assert (ana.pages, ana.outside) == (1, None)


def test_pages_that_go_in_one_message_are_one_message() -> None:
    together = {"bundle": "m1", "together": 2}
    rows = (page("a", facts=together), page("b", facts=together), page("c", facts={"waited": T + 1}))
    found = told(ended(deliveries=rows)).oncall
    [ana] = found.people
    assert (ana.pages, ana.messages) == (3, 2)
    assert (found.merged, found.deferred) == (2, 1)


def test_each_level_above_the_first_is_counted_once_an_incident() -> None:
    up = (page("a"), page("b", "ben", level=2, event=PageEvent.ESCALATE))
    again = (
        *up,
        page("c", "chloe", level=3, event=PageEvent.ESCALATE),
        page("d", "chloe", level=3, event=PageEvent.ESCALATE),
    )
    found = told(ended(deliveries=up), ended(deliveries=again), ended()).oncall  # fmt: skip
    assert found.escalations == {"L2": 2, "L3": 1}


def test_what_mended_it_is_a_rung_or_nobody_knows() -> None:
    after = ended()
    by_rung = replace(after, incident=replace(after.incident, resolved_by="fail-over"))
    by_itself = ended(deliveries=())
    found = told(by_rung, by_rung, after, by_itself)
    assert found.oncall.mended_by == {"storage-hot: fail-over": 2}
    assert (found.self_resolved, found.oncall.after_people) == (2, 1)


def test_the_noisiest_detector_is_the_one_that_pages_most() -> None:
    other = (FindingRecord("api-latency", 1.0, "above 1", T, "firing"),)
    quiet = ended(deliveries=(), attempts=())
    calm = replace(quiet, incident=replace(quiet.incident, findings=other))
    loud = ended(deliveries=(page("a"), page("b")))
    assert told(calm, calm, calm, loud).oncall.noisiest == (
        Noise("storage-writes", 1, 2, 0),
        Noise("api-latency", 3, 0, 3),
    )
    acted = ended(deliveries=(), attempts=(attempt(),))
    assert told(acted).oncall.noisiest == (Noise("storage-writes", 1, 0, 0),)


def test_it_speaks_of_what_was_detected_in_the_span_alone() -> None:
    assert report([ended()], T, T + 300, ZONES, DAYS).oncall.response == ()
    assert ended().incident.id == ID
