"""The incident page's parts: buttons, ladder, chart, timeline."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from daemon.detect.trace import Chart
from daemon.document.charts import BandKind, MarkKind
from daemon.document.dossier import Dossier, load
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, IncidentState
from daemon.incidents.records import DebtState, PipelineChange
from daemon.store.store import Store
from daemon.web.views import buttons, incident, ladder, returns
from daemon.web.views.reader import Reader, human, labels, value, zone_of
from remediations.run import RunState
from tests.fakes import rows, scene, scene_live

READER = Reader(scene.NOW)


@pytest.fixture(scope="module")
def night() -> dict[str, Dossier]:
    with Store.open("sqlite://") as store:
        scene.record(store)
        with store.read() as uow:
            keys = (scene.HOT, scene.SILENT, scene.API, scene.BLIND, scene.MENDED)
            return {key: found for key in keys if (found := load(uow, key)) is not None}


def kinds(found: Dossier, rung: str | None = None) -> list[str]:
    return [button.kind for button in buttons.buttons(found, rung, READER)]


def with_rows(**fields: Any) -> Dossier:
    return Dossier(rows.incident(), **fields)


@pytest.mark.parametrize(
    ("found", "offered", "why"),
    [
        (with_rows(), ["escalate", "resolve", "note", "verdict"], "nobody was paged: nothing to acknowledge"),
        (
            with_rows(run=rows.run(state=RunState.PROPOSED)),
            ["approve", "reject", "escalate", "resolve", "note", "verdict"],
            "a proposal comes first",
        ),
        (
            with_rows(
                escalation=rows.escalation(
                    level=1, state=EscalationState.PAGING, next_level_at=scene.NOW + 60
                ),
                run=rows.run(state=RunState.GAVE_UP),
            ),
            ["ack", "extend", "escalate", "resume", "resolve", "note", "verdict"],
            "paged, and the ladder ended",
        ),
        (
            with_rows(escalation=rows.escalation(level=3, state=EscalationState.ACKED)),
            ["escalate", "resolve", "note", "verdict"],
            "acknowledged, and no clock runs that could be moved",
        ),
        (
            Dossier(rows.incident(state=IncidentState.RESOLVED)),
            ["note", "verdict"],
            "over: only what is remembered",
        ),
    ],
)
def test_only_orders_that_make_sense_are_offered(found: Dossier, offered: list[str], why: str) -> None:
    assert kinds(found) == offered, why


@pytest.mark.parametrize(
    ("found", "people", "offered", "why"),
    [
        (with_rows(escalation=rows.escalation(level=1, state=EscalationState.PAGING)), {"ben": "Ben"}, True, "paged"),
        (with_rows(escalation=rows.escalation(level=1, state=EscalationState.ACKED)), {"ben": "Ben"}, True, "taken"),
        (with_rows(escalation=rows.escalation(level=1, state=EscalationState.PAGING)), {}, False, "to nobody"),
        (with_rows(), {"ben": "Ben"}, False, "nobody was paged"),
        (Dossier(rows.incident(state=IncidentState.RESOLVED)), {"ben": "Ben"}, False, "over"),
    ],
)  # fmt: skip
def test_it_is_handed_over_by_whoever_was_paged(
    found: Dossier, people: dict[str, str], offered: bool, why: str
) -> None:
    given = [one for one in buttons.buttons(found, None, READER, people) if one.kind == "handoff"]
    assert bool(given) is offered, why
    for button in given:
        assert (button.fields[0].choices, button.ask) == ((("ben", "Ben"),), "This pages them now. Go on?")
        assert button.command == f"fleetmend handoff {found.incident.id} --to ben"


def test_what_disrupts_is_asked_about_and_every_button_names_its_command(night: dict[str, Dossier]) -> None:
    for found in night.values():
        for button in buttons.buttons(found, "fail-over", READER):
            assert button.command.startswith(f"fleetmend {button.kind} {found.incident.id}")
            assert bool(button.ask) == (button.kind in {"approve", "escalate", "resume", "resolve"})
            assert button.effect


def test_acknowledge_says_that_the_clock_runs_on(night: dict[str, Dossier]) -> None:
    ack = buttons.buttons(night[scene.SILENT], None, READER)[0]
    assert (ack.label, ack.effect) == ("Acknowledge", "stops reminders, L2 still 03:25Z")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (with_rows(), []),
        (with_rows(run=rows.run(state=RunState.VERIFYING, due_at=300.0)), ["verdict"]),
        (with_rows(run=rows.run(state=RunState.GAVE_UP, due_at=300.0)), []),
        (
            with_rows(
                run=rows.run(state=RunState.WAITING, due_at=900.0),
                escalation=rows.escalation(level=1, state=EscalationState.PAGING, remind_at=400.0, next_level_at=800.0),
            ),
            ["reminder to L1", "L1 is told", "the guardrails are asked again"],
        ),
        (with_rows(escalation=rows.escalation(level=1, state=EscalationState.ENDED, next_level_at=800.0)), []),
        (Dossier(rows.incident(state=IncidentState.RESOLVED), run=rows.run(due_at=300.0)), []),
    ],
    ids=["nothing", "in flight", "over for the robot", "both clocks", "nobody is told any more", "over"],
)  # fmt: skip
def test_what_comes_next_by_itself_is_told_the_soonest_first(found: Dossier, expected: list[str]) -> None:
    coming = incident.ahead(found)
    assert [text for text, _ in coming] == expected
    assert [at for _, at in coming] == sorted(at for _, at in coming)


def test_closing_what_still_fires_needs_a_reason() -> None:
    firing = next(b for b in buttons.buttons(with_rows(), None, READER) if b.kind == "resolve")
    quiet = Dossier(rows.incident(findings=()))
    calm = next(b for b in buttons.buttons(quiet, None, READER) if b.kind == "resolve")
    assert [field.needed for field in firing.fields] == [False, True]
    assert [field.needed for field in calm.fields] == [False, False]


def steps(found: Dossier, current: str | None, names: tuple[str, ...]) -> dict[str, ladder.Step]:
    rungs = [ladder.Rung(name, "cure", "http") for name in names]
    return {step.name: step for step in ladder.ladder(found, rungs, current)}


def test_the_ladder_shows_what_ran_was_skipped_is_next_and_not_reached(night: dict[str, Dossier]) -> None:
    drawn = steps(
        night[scene.HOT],
        "fail-over-to-replica",
        ("enlarge-pool", "restart-writer", "fail-over-to-replica", "read-only"),
    )
    assert [(name, step.look.word) for name, step in drawn.items()] == [
        ("enlarge-pool", "skipped"),
        ("restart-writer", "did not help"),
        ("fail-over-to-replica", "verifying"),
        ("read-only", "not reached"),
    ]
    assert drawn["enlarge-pool"].skipped.startswith("when: facts.health")
    assert drawn["fail-over-to-replica"].next_at == scene.NOW + 180
    assert drawn["restart-writer"].tries[0].took == 6.0


def test_a_refusal_stands_on_its_rung_with_its_end(night: dict[str, Dossier]) -> None:
    refused = steps(night[scene.SILENT], None, ("open-breaker", "fail-over-to-secondary"))[
        "fail-over-to-secondary"
    ]
    assert refused.look.word == "refused"
    (no,) = refused.refusals
    assert (no.gate, no.reason, no.until) == ("Budget", "3 of 3 used in 6 h", scene.NOW + 5160)


def test_a_refusal_that_lifted_is_not_shown_as_one() -> None:
    refused = Event(
        "po-1", 1.0, Kind.GATES, "", {"rung": "a", "allowed": False, "gates": scene.gates("lock", "held")}
    )
    allowed = Event("po-1", 2.0, Kind.GATES, "", {"rung": "a", "allowed": True, "gates": scene.gates()})
    assert steps(with_rows(events=(refused, allowed)), None, ("a",))["a"].refusals == ()


def test_a_rung_that_is_configured_no_more_is_still_told(night: dict[str, Dossier]) -> None:
    drawn = steps(night[scene.HOT], None, ("read-only",))
    assert list(drawn) == ["read-only", "restart-writer", "fail-over-to-replica"]


def test_a_rung_under_way_says_what_it_waits_for() -> None:
    waiting = steps(with_rows(run=rows.run(state=RunState.WAITING, due_at=scene.NOW + 30)), "a", ("a",))["a"]
    assert ladder.reader_line(waiting, READER) == "waits for a guardrail to lift, in 30 s"
    assert ladder.reader_line(replace(waiting, doing=""), READER) == ""
    paused = rows.run(state=RunState.WAITING, due_at=scene.NOW + 30, attempt="sf-1/1/a/do/1")
    settling = steps(with_rows(run=paused), "a", ("a",))["a"]
    assert ladder.reader_line(settling, READER) == "waits, in 30 s"


def drawn_chart(found: Dossier, values: Chart | None) -> Any:
    window = incident.span(found, scene.NOW)
    finding = incident.first_of(found, {"storage-writes"}.__contains__)
    assert finding is not None
    changes = (PipelineChange(scene.NOW - 700, "writer 4.2.0", "ci", "", scene.TIER),)
    spec = scene.known().detectors[finding.detector]
    return incident.chart(found, finding, values, spec, changes, window, "UTC")


def test_the_chart_has_bands_for_what_was_known_and_a_mark_for_what_was_done(
    night: dict[str, Dossier],
) -> None:
    found = night[scene.HOT]
    window = incident.span(found, scene.NOW)
    chart = drawn_chart(found, scene_live.chart("storage-writes", scene.TIER, *window))
    assert [band.kind for band in chart.bands] == [BandKind.PENDING, BandKind.FIRING, BandKind.UNKNOWN]
    assert [(mark.kind, mark.text) for mark in chart.marks] == [
        (MarkKind.ACTION, "restart-writer"),
        (MarkKind.ACTION, "fail-over-to-replica"),
        (MarkKind.CHANGE, "writer 4.2.0"),
    ]
    assert chart.percent
    assert any(math.isnan(point) for point in chart.values), "blind time stays a gap"
    assert incident.small(chart).title != chart.title
    assert "Unknown from" in incident.in_words(chart)


def test_one_page_to_several_channels_is_one_mark(night: dict[str, Dossier]) -> None:
    found = night[scene.SILENT]
    window = incident.span(found, scene.NOW)
    chart = drawn_chart(found, scene_live.chart("provider-errors", scene.NAVIXY, *window))
    assert [mark.text for mark in chart.marks if mark.kind is MarkKind.PAGE] == ["page L1"]


def test_nothing_is_drawn_where_nothing_is_kept(night: dict[str, Dossier]) -> None:
    assert drawn_chart(night[scene.HOT], None) is None


def test_the_timeline_is_newest_first_bounded_and_by_kind(night: dict[str, Dossier]) -> None:
    events = night[scene.HOT].events
    rows_shown, older = incident.timeline(events, "all")
    assert rows_shown[0].at >= rows_shown[-1].at
    assert (len(rows_shown), older) == (len(events), 0)
    pages, _ = incident.timeline(events, "pages")
    assert [row.kind for row in pages] == ["Sent"]
    assert incident.timeline(events, "nonsense") == incident.timeline(events, "all")
    many = events * 20
    shown, older = incident.timeline(many, "all")
    assert (len(shown), older) == (incident.ROWS, len(many) - incident.ROWS)


def test_every_kind_of_row_is_under_a_filter_of_its_own() -> None:
    sorted_ones = frozenset().union(
        *(kinds for name, (_, kinds) in incident.FILTERS.items() if name != "all")
    )
    assert set(Kind) - sorted_ones == {Kind.DAEMON}


@pytest.mark.parametrize(
    ("word", "said"),
    [("provider_outage", "Provider outage"), ("api_degradation", "API degradation"), ("", "")],
)
def test_words_are_for_people(word: str, said: str) -> None:
    assert human(word) == said


def test_labels_are_said_in_the_order_of_people() -> None:
    assert labels({"field": "speed", "provider": "navixy"}) == "navixy / speed"
    assert labels({}) == "whole pipeline"


@pytest.mark.parametrize(
    ("number", "percent", "said"),
    [
        (0.214, True, "21.4 %"),
        (0.214, False, "0.214"),
        (12345.6, False, "12 346"),
        (None, True, "unknown"),
        (math.nan, False, "unknown"),
        (math.inf, False, "unknown"),
    ],
)
def test_a_number_says_its_unit_or_that_it_is_not_known(
    number: float | None, percent: bool, said: str
) -> None:
    assert value(number, percent=percent) == said


@pytest.mark.parametrize("name", [None, "", "Nowhere/City", "../../etc/passwd", "x" * 99, "\x00"])
def test_a_zone_that_is_none_is_utc(name: str | None) -> None:
    assert zone_of(name) == "UTC"


def test_times_are_on_the_reader_s_clock_and_in_utc() -> None:
    paris = Reader(scene.NOW, zone_of("Europe/Paris"))
    assert paris.both(scene.NOW) == "04:14 CET / 03:14Z"
    assert paris.exact(scene.NOW + 5) == "04:14:05"
    assert paris.exact(scene.NOW - 86_400) == "4 Jan 04:14:00"
    assert (paris.until(scene.NOW + 90), paris.until(scene.NOW)) == ("in 90 s", "now")
    assert (paris.ago(scene.NOW - 90), paris.ago(scene.NOW + 3)) == ("90 s ago", "now")


@pytest.mark.parametrize(
    ("state", "wanted", "why"),
    [
        (DebtState.PROPOSED, ["approve", "reject", "note", "verdict"], "its return waits for a word"),
        (
            DebtState.FAILED,
            ["approve", "reject", "note", "verdict"],
            "it is tried once more, or was done by hand",
        ),
        (DebtState.DUE, ["note", "verdict"], "its pre-check is being asked, or it needs no word"),
        (DebtState.WAIVED, ["note", "verdict"], "somebody said no"),
    ],
)
def test_a_return_that_asks_is_answered_on_the_page_of_its_ended_incident(
    state: DebtState, wanted: list[str], why: str
) -> None:
    debt = rows.debt("debt-1", incident="po-1", rung="fail-over", state=state)
    found = Dossier(rows.incident("po-1", state=IncidentState.RESOLVED), debts=(debt,))
    offered = buttons.buttons(found, None, READER)
    assert [button.kind for button in offered] == wanted, why
    if state is DebtState.PROPOSED:
        assert offered[0].command == "fleetmend approve po-1 --rung fail-over"
        assert offered[0].hidden == (("rung", "fail-over"),)


@pytest.mark.parametrize(
    ("run", "offered", "why"),
    [
        (RunState.GAVE_UP, ["Give back fail-over now", "Keep fail-over"], "a person has the wheel"),
        (RunState.VERIFYING, [], "a rung is under way"),
    ],
)
def test_what_is_owed_may_be_given_back_before_it_asks(run: RunState, offered: list[str], why: str) -> None:
    debt = rows.debt("debt-1", incident="po-1", rung="fail-over", state=DebtState.OPEN)
    contained = rows.incident("po-1", state=IncidentState.CONTAINED)
    shown = buttons.buttons(Dossier(contained, run=rows.run(state=run), debts=(debt,)), None, READER)
    assert [button.label for button in shown if "fail-over" in button.label] == offered, why


def test_two_returns_that_ask_are_told_apart_on_one_page() -> None:
    debts = [rows.debt(f"d{n}", incident="po-1", rung=f"rung-{n}", state=DebtState.PROPOSED) for n in (1, 2)]
    tags = [button.tag for one in returns.asking(debts) for button in one.orders if button.kind == "approve"]
    assert tags == ["po-1-rung-1", "po-1-rung-2"]


def test_findings_that_differ_by_their_scope_alone_are_one_row() -> None:
    seen = [
        FindingRecord("consumer-down", value, "= 0 for 4s", since, state)
        for value, since, state in ((0.0, 12.0, "firing"), (0.0, 10.0, "firing"), (1.0, 5.0, "ok"))
    ]
    firing, fine = incident.grouped(seen)
    assert (firing.state, firing.since, firing.values) == ("firing", 10.0, (0.0, 0.0))
    assert (fine.state, fine.values) == ("ok", (1.0,))
