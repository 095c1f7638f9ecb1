"""The sentence: what is, what was done, what happens next and when, for every state."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from config.scope import scope_of
from daemon.document.dossier import Dossier
from daemon.document.sentence import sentence, standing
from daemon.document.words import Clockface, complaint, length
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DebtState
from remediations.run import RunState
from tests.fakes.dossiers import ID, T, attempt, debt, ended, escalation, gates, incident, run, story

PARIS = "Europe/Paris"
FRESH: dict[str, Any] = {"verdict": None, "outcome": None, "ended_at": None}


def told(**parts: Any) -> Dossier:
    return Dossier(**({"incident": incident()} | parts))


@pytest.mark.parametrize(
    ("dossier", "zone", "expected"),
    [
        (
            told(run=run(), attempts=(attempt(),)),
            "UTC",
            "Hot storage is refusing writes since 08:00Z. fail-over ran at 08:06; verifying until 08:10Z. You need do nothing yet.",
        ),
        (
            told(run=run(), attempts=(attempt(),)),
            PARIS,
            ("Hot storage is refusing writes since 09:00 CET / 08:00Z. fail-over ran at 09:06; verifying until 09:10 CET / 08:10Z. "
            "You need do nothing yet."),
        ),
        (
            told(run=run(RunState.ACTING), attempts=(attempt(**FRESH),)),
            "UTC",
            "Hot storage is refusing writes since 08:00Z. fail-over is running since 08:06, at most until 08:06Z. You need do nothing yet.",
        ),
        (
            told(run=run(RunState.DIAGNOSING)),
            "UTC",
            "Hot storage is refusing writes since 08:00Z. Diagnosing before anything more is done. You need do nothing yet.",
        ),
        (
            told(run=run(RunState.RECHECKING), attempts=(attempt(verdict="not_recovered"),), events=(gates("restart"),)),
            "UTC",
            ("Hot storage is refusing writes since 08:00Z. fail-over ran at 08:06 without effect. "
            "Looking for the fault on fresh data before restart. You need do nothing yet."),
        ),
        (
            told(run=run(RunState.WAITING, reason="lock storage is held"), events=(Event(ID, T, Kind.WAITING, "", {"rung": "restart"}),)),
            "UTC",
            "Hot storage is refusing writes since 08:00Z. restart waits: lock storage is held; asked again at 08:10Z. You need do nothing yet.",
        ),
        (
            told(run=run(RunState.PROPOSED, proposal_expires_at=T + 1800), events=(Event(ID, T, Kind.PROPOSED, "", {"rung": "fail-back"}),)),
            "UTC",
            ("Hot storage is refusing writes since 08:00Z. fail-back is proposed and waits for approval until 08:30Z. "
            f"Approve or reject it: fleetmend approve {ID}."),
        ),
        (
            told(run=run(RunState.UNDOING), attempts=(attempt(verdict="not_recovered"),)),
            "UTC",
            "Hot storage is refusing writes since 08:00Z. fail-over did not help and is being undone. You need do nothing yet.",
        ),
        (
            story(),
            "UTC",
            ("Hot storage is refusing writes since 08:00Z. fail-over ran at 08:06 without effect. Stepped back: budget 3 of 3 used. "
            "L1 has been paged. L2 follows at 08:25Z, in 15 min, unless it is resolved."),
        ),
        (
            story(escalation=escalation(EscalationState.ACKED, acked_by="ana")),
            "UTC",
            ("Hot storage is refusing writes since 08:00Z. fail-over ran at 08:06 without effect. Stepped back: budget 3 of 3 used. "
            "ana has it. L2 follows at 08:25Z, in 15 min, unless it is resolved."),
        ),
        (
            story(escalation=escalation(EscalationState.QUIET, level=0, held_until=T + 3600)),
            "UTC",
            ("Hot storage is refusing writes since 08:00Z. fail-over ran at 08:06 without effect. Stepped back: budget 3 of 3 used. "
            "A page is held until 09:00Z."),
        ),
        (
            told(incident=incident(state=IncidentState.RECOVERED, recovered_by="fail-over", recovered_at=T + 500)),
            "UTC",
            "Hot storage recovered by fail-over at 08:08Z; it is watched until it stays clear. You need do nothing.",
        ),
        (
            told(incident=incident(state=IncidentState.SUPPRESSED, explained_by="po-1")),
            "UTC",
            "Hot storage is refusing writes since 08:00Z, explained by po-1. Look at the cause first; nothing is done here meanwhile.",
        ),
        (
            told(incident=incident(state=IncidentState.CONTAINED), run=run(RunState.DIAGNOSING)),
            "UTC",
            "Hot storage is refusing writes since 08:00Z; it is contained, not mended. Diagnosing before anything more is done. You need do nothing yet.",
        ),
        (
            told(incident=incident(blind=True), run=run(RunState.DIAGNOSING)),
            "UTC",
            ("Hot storage is refusing writes since 08:00Z. Nothing is known of it at present: its telemetry is missing. "
            "Diagnosing before anything more is done. You need do nothing yet."),
        ),
        (
            ended(debts=(), deliveries=()),
            "UTC",
            "Hot storage refused writes from 08:00Z to 08:15Z. It mended itself. You need do nothing.",
        ),
        (
            ended(),
            "UTC",
            "Hot storage refused writes from 08:00Z to 08:15Z. It is clear again, by hand or by itself. fail-over still has to be returned by 09:06Z.",
        ),
        (
            ended(debts=(debt(state=DebtState.PAID),)),
            "UTC",
            "Hot storage refused writes from 08:00Z to 08:15Z. It is clear again, by hand or by itself. You need do nothing.",
        ),
        (
            told(incident=incident(state=IncidentState.CLOSED, resolved_by="Ana", resolved_at=T + 900)),
            "UTC",
            "Hot storage refused writes from 08:00Z to 08:15Z. Closed by Ana, not verified. You need do nothing.",
        ),
        (told(), "UTC", "Hot storage is refusing writes since 08:00Z. Nothing has been done. Nobody has been paged."),
    ],
)  # fmt: skip
def test_the_sentence_of_each_state(dossier: Dossier, zone: str, expected: str) -> None:
    assert sentence(dossier, T + 600, zone) == expected


def test_every_combination_of_states_has_a_sentence_that_ends() -> None:
    for state, doing, paging in product(IncidentState, RunState, EscalationState):
        dossier = story(incident=incident(state=state), run=run(doing), escalation=escalation(paging))
        said = sentence(dossier, T + 600)
        assert said.startswith("Hot storage")
        assert said.endswith(".")
        assert "None" not in said


@pytest.mark.parametrize(
    ("dossier", "expected"),
    [
        (told(run=run()), "still acting"),
        (story(), "stepped back"),
        (told(incident=incident(stepped_back=True)), "stepped back"),
        (told(), "nothing is being done"),
        (told(incident=incident(stepped_back=True), run=run()), "still acting"),
    ],
)
def test_every_page_can_say_whether_the_robot_still_acts(dossier: Dossier, expected: str) -> None:
    assert standing(dossier) == expected


@pytest.mark.parametrize(
    ("mode", "scope", "detector", "expected"),
    [
        ("provider_outage", {"provider": "navixy"}, "provider-silent", "Provider navixy sends nothing"),
        ("ingestion_stopped", {}, "ingestion-silent", "Ingestion has stopped"),
        ("transformation_failure", {"provider": "navixy"}, "x", "Transformation of navixy is failing"),
        ("storage_failure", {"tier": "cold"}, "storage-stalled", "Cold storage is stalled"),
        ("api_degradation", {"endpoint": "live"}, "api-latency", "API endpoint live is slow"),
        (
            "data_quality",
            {"provider": "navixy", "field": "speed"},
            "values-missing",
            "Field speed of navixy has values missing",
        ),
        ("blind", {"source": "main"}, "x", "Telemetry of source main cannot be seen"),
        ("daemon", {"part": "store"}, "x", "Fleetmend's own store is in trouble"),
        ("provider_outage", {"provider": "navixy", "customer": "c1"}, "x", "Customer c1 of navixy is down"),
        ("my_own_mode", {"a": "b"}, "x", "My own mode at a b: is failing"),
    ],
)
def test_what_is_broken_in_words(mode: str, scope: dict[str, str], detector: str, expected: str) -> None:
    one = incident(failure_mode=mode, scope=scope_of(scope))
    words = complaint(replace(one, findings=(replace(one.findings[0], detector=detector),)))
    assert f"{words.subject} {words.now}" == expected


def test_times_name_the_day_when_it_is_not_today() -> None:
    clock = Clockface(T, PARIS)
    assert clock.short(T + 86400) == "6 Jan 09:00"
    assert clock.both(T - 9.5 * 3600) == "4 Jan 23:30 CET / 22:30Z"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (3600, "1 h"), (11100, "3 h 5 min"), (187200, "2 d 4 h")],
)
def test_lengths_in_words(seconds: float, expected: str) -> None:
    assert length(seconds) == expected
