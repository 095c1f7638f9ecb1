"""At a change of shift who comes and who goes hear of what is open, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from config.schedules import ScheduleSpec
from daemon.document.dossier import Dossier
from daemon.escalate import digests, handoff
from daemon.escalate.booked import Booked, Booking
from daemon.escalate.handoff import COMES, GOES, LOOK_BACK, MOST, Handover, Side
from daemon.escalate.schedules import Directory
from daemon.escalate.text import Reader
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import DebtState
from tests.fakes import rows
from tests.fakes.paging import MAIL, PD, person

HOUR = 3600.0
NINE = datetime(2026, 1, 12, 9, tzinfo=UTC).timestamp()
PEOPLE = {one.id: one for one in (person("ana", PD, MAIL), person("ben", MAIL), person("chloe", PD))}


def directory(*, booked: Booked | None = None, **schedules: dict[str, Any]) -> Directory:
    weekly = {"rotation": {"every": "1w", "starts": "2026-01-05 09:00", "people": ["ana", "ben"]}}
    given = schedules or {"primary": weekly}
    specs = {name: ScheduleSpec.model_validate(spec) for name, spec in given.items()}
    return Directory(PEOPLE, {}, specs, {} if booked is None else {"primary": booked})


def incident(key: str = "sf-1", *, before: float = HOUR, **fields: Any) -> Incident:
    return rows.incident(key, detected_at=NINE - before, began_at=NINE - before, **fields)


@pytest.mark.parametrize(
    ("now", "expected", "why"),
    [
        (NINE - 1, (), "not yet"),
        (NINE, (("primary", NINE, "ana", "ben"),), "half-open: at nine it is Ben's"),
        (
            NINE + LOOK_BACK - 1,
            (("primary", NINE, "ana", "ben"),),
            "the daemon was down: late is better than never",
        ),
        (NINE + LOOK_BACK + 1, (), "nobody wants to hear of that any more"),
    ],
)
def test_a_change_of_shift_is_news_for_some_hours(now: float, expected: tuple[Any, ...], why: str) -> None:
    assert handoff.handovers(directory(), now) == tuple(Handover(*one) for one in expected), why


def test_a_schedule_that_says_so_hands_nothing_over() -> None:
    quiet = {
        "rotation": {"every": "1w", "starts": "2026-01-05 09:00", "people": ["ana", "ben"]},
        "handoff": False,
    }
    assert handoff.handovers(directory(primary=quiet), NINE) == ()


def test_turns_of_one_person_that_follow_each_other_are_no_change() -> None:
    alone = {"rotation": {"every": "1d", "starts": "2026-01-05 09:00", "people": ["ana"]}}
    assert handoff.handovers(directory(primary=alone), NINE) == ()


def test_an_override_a_gap_and_a_calendar_change_hands_too() -> None:
    spec = {"calendar": {"file": "x.ics"}}
    booked = Booked((Booking(NINE - HOUR, NINE, "ana"), Booking(NINE, NINE + HOUR, "chloe")))
    (change,) = handoff.handovers(directory(primary=spec, booked=booked), NINE + 60)
    assert (change.before, change.after) == ("ana", "chloe")
    (change,) = handoff.handovers(directory(primary=spec, booked=booked), NINE + HOUR)
    assert (change.before, change.after) == ("chloe", None)


def test_what_changes_at_once_is_one_message_to_each() -> None:
    changes = [
        Handover("primary", NINE, "ana", "ben"),
        Handover("second", NINE, "ben", "ana"),
        Handover("third", NINE, "ana", "ben"),
    ]
    assert handoff.sides(changes) == (
        Side("ben", NINE, COMES, ("primary", "third"), ("ana",)),
        Side("ana", NINE, GOES, ("primary", "third"), ("ben",)),
        Side("ana", NINE, COMES, ("second",), ("ben",)),
        Side("ben", NINE, GOES, ("second",), ("ana",)),
    )  # fmt: skip
    assert handoff.sides([Handover("primary", NINE, None, "ben")]) == (
        Side("ben", NINE, COMES, ("primary",), ("",)),
    )


BEN = Side("ben", NINE, COMES, ("primary",), ("ana",))


@pytest.mark.parametrize(
    ("side", "incidents", "count", "why"),
    [
        (BEN, [incident()], 1, "open when the shift changed"),
        (BEN, [], 0, "nothing is open, nothing is said"),
        (BEN, [incident(before=-1.0)], 0, "opened in Ben's own shift: that was his page"),
        (replace(BEN, person="chloe"), [incident()], 0, "every channel of hers would page"),
        (replace(BEN, person="ghost"), [incident()], 0, "nobody of that name"),
        (BEN, [incident(f"sf-{n}") for n in range(MOST + 5)], MOST, "the worst of many, the rest counted"),
    ],
)
def test_what_is_owed_at_a_change(side: Side, incidents: list[Incident], count: int, why: str) -> None:
    owed, events = handoff.owed(side, incidents, directory(), NINE)
    assert len(owed) == len(events) == count, why
    assert {row.channel for row in owed} <= {MAIL}, "it wakes nobody"
    assert len({row.key for row in owed}) == count
    if count == MOST:
        assert owed[0].facts["more"] == 5


def test_what_is_over_and_still_owes_something_is_handed_over_last() -> None:
    over = incident("sf-9", state=IncidentState.RESOLVED, severity="critical")
    mild, bad = incident("sf-2", severity="medium"), incident("sf-3", severity="critical")
    debt = rows.debt("sf-9/fail-over", incident="sf-9")
    found = handoff.concerned([mild, bad], [debt], {"sf-9": over})
    assert [one.id for one in found] == ["sf-3", "sf-2", "sf-9"]


def test_the_message_says_who_has_what_the_incidents_and_who_acknowledged() -> None:
    open_one = incident("sf-1", severity="critical", failure_mode="storage_failure")
    other = incident("sf-2", severity="medium", failure_mode="storage_failure")
    owed, _ = handoff.owed(BEN, [open_one, other], directory(), NINE)
    acked = rows.escalation("sf-1", state=EscalationState.ACKED, level=2, acked_by="ana")
    owing, paid = (
        rows.debt("sf-1/fail-over", rung="fail-over"),
        rows.debt("sf-1/x", rung="x", state=DebtState.PAID),
    )
    told = [Dossier(other), Dossier(open_one, escalation=acked, debts=(owing, paid))]
    message = digests.compose(owed, told, Reader("Ben", "Europe/Paris", "https://fm.example.org"), NINE)
    assert message.headline == "[HAND-OFF] You are on call for primary, after Ana: 2 to know of"
    assert message.parts[0].startswith("sf-1 (critical, open): ")
    assert message.parts[0].endswith("L2 was paged; ana acknowledged it. Still to be given back: fail-over.")
    assert message.parts[1].startswith("sf-2 (medium, open): ")
    goes, _ = handoff.owed(Side("ana", NINE, GOES, ("primary",), ("ben",)), [open_one], directory(), NINE)
    message = digests.compose(goes, told[1:], Reader("Ana"), NINE)
    assert message.headline == "[HAND-OFF] Ben is on call for primary after you: 1 to know of"


def test_a_hand_off_is_no_part_of_the_daily_digest() -> None:
    owed, _ = handoff.owed(BEN, [incident("sf-1"), incident("sf-2")], directory(), NINE)
    daily = replace(owed[0], key="daily", facts={"loop": 0})
    assert sorted(len(group) for group in digests.groups([*owed, daily], ())) == [1, 2]
