"""Explanations and report: from the timeline alone, and nothing that is not on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.desk.views import refusals
from daemon.document.dossier import Dossier, load
from daemon.document.explain import explain, explain_at
from daemon.document.report import report
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.store.store import Store
from tests.fakes.dossiers import (
    ID,
    T,
    attempt,
    debt,
    delivery,
    ended,
    escalation,
    events,
    gates,
    incident,
    run,
    story,
)


def test_every_question_is_explained_in_order_skips_included() -> None:
    seen = explain(story())
    assert [(asked.rung, asked.allowed) for asked in seen] == [
        ("fail-over", True),
        ("restart-writer", False),
        ("enlarge-pool", False),
    ]
    assert [(gate.name, gate.reason, gate.until) for gate in seen[2].refusals] == [
        ("budget", "3 of 3 used", T + 4800)
    ]
    assert len(seen[2].gates) == 5, "those that allowed are shown as well"


def test_the_return_of_a_rung_is_not_taken_for_the_rung() -> None:
    gate = {"name": "storm", "allowed": False, "reason": "only storm-safe rungs are begun", "until": None}
    asked = {"rung": "fail-over", "phase": "return", "debt": "d", "allowed": False, "gates": [gate]}
    told = story()
    found = replace(
        told, events=(*told.events, Event(ID, T + 5_000, Kind.GATES, "Return of fail-over: …", asked))
    )
    assert [asked.rung for asked in explain(found)][-2:] == ["enlarge-pool", "return of fail-over"]
    assert [row.rung for row in refusals(found.events) if row.gate == "storm"] == ["return of fail-over"]


@pytest.mark.parametrize(
    ("at", "target", "rung", "why"),
    [
        (T + 599, ID, "enlarge-pool", "the last answer until then"),
        (T + 594, ID, "restart-writer", "before the budget was asked"),
        (T + 300, ID, None, "nothing had been asked"),
        (T + 999, "storage-admin", "fail-over", "by the target of the action"),
        (T + 999, "enlarge-pool", "enlarge-pool", "by the rung"),
        (T + 999, "nowhere", None, "nobody knows it"),
    ],
)
def test_an_explanation_for_an_instant_and_a_target(
    at: float, target: str, rung: str | None, why: str
) -> None:
    found = explain_at(events(), at, target)
    assert (found.rung if found else None) == rung, why


def test_a_dossier_is_read_from_a_store_in_one_go() -> None:
    with Store.open(":memory:") as store:
        with store.write() as uow:
            uow.apply(
                Change(
                    incident=incident(), run=run(), escalation=escalation(), attempts=(attempt(),), debts=(debt(),),
                    deliveries=(delivery(),), events=events(),
                )
            )  # fmt: skip
        with store.read() as uow:
            found = load(uow, ID)
            assert load(uow, "ghost") is None
    assert found is not None
    assert [len(part) for part in (found.attempts, found.debts, found.deliveries, found.events)] == [
        1,
        1,
        1,
        len(events()),
    ]


def observed() -> Dossier:
    """What observe mode leaves behind: nothing but the leash refused."""
    asked = (
        gates("fail-over", ("autonomy", "observe")),
        gates("fail-over", ("autonomy", "observe"), at=T + 400),
        gates("restart", ("autonomy", "observe"), ("budget", "used")),
    )
    proposed = (
        Event(ID, T + 500, Kind.PROPOSED, "", {"rung": "fail-back"}),
        Event(ID, T + 510, Kind.PROPOSED, "", {"rung": "rotate"}),
        Event(ID, T + 520, Kind.APPROVED, "", {"rung": "rotate"}),
    )
    return Dossier(incident(), events=(*asked, *proposed))


def test_the_report_says_what_observe_mode_would_have_done() -> None:
    found = report([observed()], T, T + 3600)
    assert [(would.rung, would.gate, would.at) for would in found.would_have] == [
        ("fail-over", "autonomy", T + 350),
        ("fail-back", "approval", T + 500),
    ], "once each; not what a budget would have refused anyway, nor what was approved"


def test_the_report_counts_actions_refusals_pages_and_the_time_nobody_had_to_spend() -> None:
    quiet = ended(deliveries=())
    found = report(
        [ended(), replace(quiet, incident=replace(quiet.incident, resolved_by="fail-over"))], T, T + 3600
    )
    assert (found.incidents, found.mended, found.self_resolved, found.still_open) == (2, 1, 1, 0)
    assert found.actions == {"http: done": 2}
    assert found.refused == {"budget": 2, "when": 2}
    assert (found.pages, found.people_paged, found.paged_incidents) == (1, {"ana": 1}, 1)
    assert found.unattended_s == 600
    assert found.median_recovery_s == 600


def test_the_report_leaves_out_what_was_detected_at_its_end() -> None:
    assert report([story()], T, T + 300).incidents == 0
    assert report([story()], T + 300, T + 301).incidents == 1
    assert report([], T, T + 1).median_recovery_s is None
