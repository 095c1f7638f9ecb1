"""What people ask, answered from the store alone and with a live snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from config.schedules import ScheduleSpec
from config.scope import scope_of
from config.section import Autonomy, FailureMode
from daemon.desk import catalogue, models, queries
from daemon.desk.known import Known
from daemon.desk.queries import Wanted
from daemon.desk.snapshot import Cell, Snapshot, SourceView
from daemon.errors import NotFound
from daemon.incidents.change import Change
from daemon.incidents.records import MuteKind
from daemon.store.store import Store
from detectors.spec import DetectorSpec, FileSource, PrometheusSource, ScrapeSource, SignalSpec
from remediations.spec import Playbook
from tests.fakes import rows
from tests.fakes.stories import HOT, NOW, SILENT, record

HOT_BOOK = Playbook.model_validate(
    {
        "failure_mode": "storage_failure",
        "match": {"tier": "hot"},
        "ladder": [
            {"name": "restart-writer", "do": {"service": {"restart": "x"}}, "autonomy": "auto"},
            {"name": "fail-over-to-replica", "do": {"http": {"url": "http://x"}}, "autonomy": "auto"},
        ],
    }
)
WRITES = DetectorSpec.model_validate(
    {
        "failure_mode": "storage_failure",
        "signal": {"ratio": {"of": "errors_total", "to": "writes_total", "by": ["tier"], "window": "1m"}},
        "fire": {"above": "1%", "for": "5m", "of_last": "8 of 10"},
    }
)
KNOWN = Known(
    version="0.1.0",
    autonomy=Autonomy.PROPOSE,
    sources={"main": ScrapeSource.model_validate({"type": "scrape", "targets": ["http://x/metrics"]})},
    detectors={"storage-writes": WRITES},
    playbooks={"storage-hot": HOT_BOOK},
)
LIVE = Snapshot(
    at=NOW,
    version="0.1.0",
    environment="test",
    autonomy="auto",
    leader="host:1",
    started_at=NOW - 1000,
    poll_interval=1.0,
    paused=("the kill switch /run/x exists",),
    sources=(SourceView("main", "scrape", "http://x/metrics", "ok", NOW - 1.5),),
    detectors_total=17,
    cells={
        "storage_failure": (
            Cell("storage-writes", scope_of({"tier": "hot"}), "firing", 0.2, "above 1%", 0.01),
            Cell("storage-writes", scope_of({"tier": "warm"}), "clearing", 0.0, "above 1%", 0.01),
            Cell("storage-stalled", scope_of({"tier": "hot"}), "ok", 5.0, "equals 0", 0.0, blind=True),
        ),
        "api_degradation": (Cell("api-probe", scope_of({}), "no_data", None, "equals 0", 0.0),),
    },
    last_cycle_at=NOW - 0.5,
    last_cycle_ms=3.5,
)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("sqlite://") as opened:
        record(opened)
        yield opened


def test_an_incident_tells_everything_that_was_done_refused_and_said(store: Store) -> None:
    with store.read() as uow:
        found = queries.incident(uow, KNOWN, HOT, NOW)
    assert (found.id, found.scope, found.flags) == (HOT, {"tier": "hot"}, ["stepped_back"])
    assert "storage" in found.sentence.lower()
    assert found.run is not None
    assert (found.run.state, found.run.rung) == ("gave_up", "fail-over-to-replica")
    assert [(row.rung, row.kind, row.outcome, row.verdict) for row in found.attempts] == [
        ("restart-writer", "cure", "done", "not_recovered"),
        ("restart-writer", "undo", "done", None),
    ]
    assert [(row.rung, row.gate, row.reason) for row in found.refusals] == [
        ("enlarge-pool", "when", "the pool is not exhausted"),
        ("fail-over-to-replica", "budget", "3 of 3 used"),
    ]
    assert found.refusals[1].until == NOW + 3600
    assert found.refusals[1].at == NOW - 30, "a refusal that is repeated counts from its first time"
    assert [(row.level, row.person, row.event, row.state, row.at) for row in found.pages] == [
        (1, "ana", "trigger", "accepted", NOW - 19)
    ]
    assert found.escalation.next_at == NOW + 880
    assert [moment.kind for moment in found.timeline] == [
        "detected",
        "skipped",
        "gates",
        "ended",
        "gates",
        "gates",
        "stepped_back",
    ]
    assert json.loads(found.json_text())["detected_at"] == "2026-01-05T08:58:20.000Z"


def test_a_rung_considered_is_named_by_the_ladder_and_one_under_way_by_the_journal(store: Store) -> None:
    with store.read() as uow:
        unknown_ladder = queries.incident(uow, Known("0.1.0"), HOT, NOW)
    assert unknown_ladder.run is not None
    assert unknown_ladder.run.rung == "fail-over-to-replica"


def test_an_incident_that_is_not_there_is_not_found(store: Store) -> None:
    with store.read() as uow, pytest.raises(NotFound, match="po-nobody"):
        queries.incident(uow, KNOWN, "po-nobody", NOW)


@pytest.mark.parametrize(
    ("wanted", "ids", "why"),
    [
        (Wanted(), [HOT, SILENT], "newest first"),
        (Wanted(only_open=True), [HOT], "resolved ones are over"),
        (Wanted(modes=("provider_outage",)), [SILENT], "by failure mode"),
        (Wanted(only_open=True, modes=("provider_outage",)), [], "both"),
        (Wanted(since=NOW - 200), [HOT], "from"),
        (Wanted(until=NOW - 200), [SILENT], "up to"),
        (Wanted(limit=1), [HOT], "bounded"),
    ],
)
def test_incidents_are_listed_as_wanted(store: Store, wanted: Wanted, ids: list[str], why: str) -> None:
    with store.read() as uow:
        listed = queries.incidents(uow, KNOWN, wanted, NOW)
    assert [row.id for row in listed.incidents] == ids, why


def test_status_without_a_daemon_is_what_the_store_knows(store: Store) -> None:
    with store.read() as uow:
        status = queries.status(uow, KNOWN, None, NOW, paused=["the kill switch exists"])
    assert json.loads(status.json_text()) == {
        "version": "0.1.0",
        "autonomy": "propose",
        "paused": [
            "the kill switch exists",
            "pause of provider=navixy by ana: deploying",
            "silence of provider=navixy by ana: deploying",
        ],
        "leader": None,
        "sources": [{"name": "main", "state": "unknown", "age_s": None}],
        "detectors": {"total": 1, "firing": 1, "blind": 0},
        "incidents": {"open": 1, "worst": "critical"},
        "last_cycle": {"at": None, "ms": None},
        "channels": {"tested": 0, "failing": 0, "proved_at": None},
    }


def test_status_with_a_daemon_is_what_the_loop_knows(store: Store) -> None:
    with store.read() as uow:
        status = queries.status(uow, KNOWN, LIVE, NOW)
    assert status.autonomy == "auto"
    assert status.leader == "host:1"
    assert status.paused == [
        "the kill switch /run/x exists",
        "pause of provider=navixy by ana: deploying",
        "silence of provider=navixy by ana: deploying",
    ], "what the loop knows and what rows hold, each once"
    assert [(source.state, source.age_s) for source in status.sources] == [("ok", 1.5)]
    assert (status.detectors.total, status.detectors.firing, status.detectors.blind) == (17, 1, 2)
    assert (status.last_cycle.at, status.last_cycle.ms) == (NOW - 0.5, 3.5)


@pytest.mark.parametrize(
    ("poll", "age", "stale", "why"),
    [
        (15.0, 30.0, False, "two polls old"),
        (15.0, 30.1, True, "older than that"),
        (1.0, 4.9, False, "a hiccup of a busy machine"),
        (1.0, 5.1, True, "longer than any hiccup"),
    ],
)
def test_a_snapshot_is_stale_after_two_polls_and_no_hiccup(
    poll: float, age: float, stale: bool, why: str
) -> None:
    assert replace(LIVE, poll_interval=poll, at=NOW).stale(NOW + age) is stale, why


def test_explain_is_the_last_decision_or_the_last_up_to_then(store: Store) -> None:
    with store.read() as uow:
        last = queries.explain(uow, HOT)
        earlier = queries.explain(uow, HOT, NOW - 60)
        first = queries.explain(uow, HOT, NOW - 95)
        with pytest.raises(NotFound, match="no guardrail was asked"):
            queries.explain(uow, HOT, NOW - 99)
    assert (last.rung, last.allowed, last.at) == ("fail-over-to-replica", False, NOW - 25)
    assert [(gate.name, gate.allowed) for gate in last.gates] == [
        ("kill_switch", True),
        ("target_set", True),
        ("budget", False),
    ]
    assert (earlier.rung, earlier.allowed) == ("restart-writer", True)
    assert [gate.name for gate in first.gates] == ["when"], "a skipped rung stands with what skipped it"


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("storage-writer-hot", True),
        ("hot", True),
        ("tier=hot", True),
        (HOT, True),
        ("storage-writer-warm", False),
    ],
)
def test_explain_finds_a_decision_by_what_it_concerned(store: Store, target: str, found: bool) -> None:
    with store.read() as uow:
        if found:
            assert queries.explain_target(uow, target, NOW).rung == "fail-over-to-replica"
            assert queries.explain_target(uow, target, NOW - 60).rung == "restart-writer"
        else:
            with pytest.raises(NotFound):
                queries.explain_target(uow, target, NOW)


def test_debts_come_the_soonest_first(store: Store) -> None:
    with store.read() as uow:
        assert [debt.id for debt in queries.debts(uow).debts] == ["debt-soon", "debt-hot"]


def test_a_debt_shows_what_is_still_to_be_done(store: Store) -> None:
    step = {"when": "facts.health.ok", "do": {"http": {}}, "confirm": {"probe": "health", "ok": None}}
    then = {"when": None, "do": {"service": {}}, "after": 300.0, "autonomy": "propose"}
    debt = rows.debt("debt-chain", due_at=NOW - 9_999, autonomy="auto", plan={**step, "then": [then]})
    with store.write() as uow:
        uow.apply(Change(debts=(debt,)))
    with store.read() as uow:
        chain, *others = queries.debts(uow).debts
    assert [(one.action, one.when, one.confirm, one.after_s, one.autonomy) for one in chain.steps] == [
        ("http", "facts.health.ok", "health", None, "auto"),
        ("service", None, None, 300.0, "propose"),
    ]
    assert [one.steps for one in others] == [[], []], "nothing gives these back by itself"


def test_mutes_that_are_over_are_left_out(store: Store) -> None:
    with store.read() as uow:
        assert {row.id for row in queries.mutes(uow, NOW).mutes} == {"pause-1", "silence-1"}
        assert {row.id for row in queries.mutes(uow, NOW, MuteKind.SILENCE).mutes} == {"silence-1"}


def test_pages_name_person_channel_and_what_became_of_them(store: Store) -> None:
    with store.read() as uow:
        (page,) = queries.pages(uow).pages
    assert (page.person, page.channel, page.event, page.state) == ("ana", "email", "trigger", "accepted")


def test_a_report_counts_what_ended_by_itself(store: Store) -> None:
    with store.read() as uow:
        report = queries.report(uow, KNOWN, NOW - 10_000, NOW)
    assert (report.incidents, report.self_resolved, report.still_open) == (2, 1, 1)
    assert report.by_mode == {"provider_outage": 1, "storage_failure": 1}
    assert json.loads(report.json_text())["since"].endswith("Z")


def test_a_postmortem_is_data_and_markdown(store: Store) -> None:
    with store.read() as uow:
        document = queries.postmortem(uow, HOT)
    assert document.incident == HOT
    assert document.markdown.startswith("# ")
    assert {"Summary", "Impact"} <= {section.title for section in document.sections}
    assert len(document.timeline) == 7


@pytest.mark.parametrize(
    ("signal", "text"),
    [
        ({"growth": {"of": "lag", "by": ["consumer"]}}, "growth of lag by consumer in 10m"),
        (
            {"burn_rate": {"of": "e", "to": "n", "by": ["tier"], "objective": "99.9%"}},
            "burn_rate of e to n against 99.9% by tier",
        ),
        (
            {
                "peers": {
                    "signal": {"rate": {"of": "p", "by": ["r"]}},
                    "direction": "below",
                    "min_absolute": 5,
                }
            },
            "peers below rate of p by r in 1m",
        ),
    ],
)
def test_a_signal_that_compares_says_with_what(signal: dict[str, Any], text: str) -> None:
    assert catalogue.signal_text(SignalSpec.model_validate(signal)) == text


ERRORS = 'sum by (tier) (increase(e{zone=~"a\\\\.b"}[1m]))'
PROMETHEUS = PrometheusSource(type="prometheus", url="http://prometheus:9090/base/")


@pytest.mark.parametrize(
    ("signal", "query"),
    [
        ({"increase": {"of": "e", "by": ["tier"], "where": {"zone": {"re": r"a\.b"}}}}, ERRORS),
        ({"promql": "up == 0"}, "up == 0"),
        ({"probe": "api-health"}, None),
    ],
)
def test_a_detector_is_told_as_a_query_that_its_prometheus_draws(
    signal: dict[str, Any], query: str | None
) -> None:
    spec = DetectorSpec.model_validate(
        {"failure_mode": "storage_failure", "signal": signal, "fire": {"above": 1}}
    )
    assert catalogue.query_of(spec) == query
    link = catalogue.link_of(query, PROMETHEUS)
    if query is None or link is None:
        assert link is query is None
        return
    address = urlsplit(link)
    assert (address.netloc, address.path) == ("prometheus:9090", "/base/graph")
    assert parse_qs(address.query) == {"g0.expr": [query], "g0.tab": ["0"], "g0.range_input": ["1h"]}
    assert catalogue.link_of(query, FileSource(type="file", path="x.om")) is None


def test_detectors_speak_plainly_and_show_their_scopes(store: Store) -> None:
    with store.read() as uow:
        (stored,) = catalogue.detectors(uow, KNOWN, None).detectors
        (live,) = catalogue.detectors(uow, KNOWN, LIVE).detectors
    assert stored.signal == "ratio of errors_total to writes_total by tier in 1m"
    assert stored.fire == "above 0.01 for 5m in 8 of 10"
    assert stored.severity == "critical"
    assert [(row.scope, row.state) for row in stored.scopes] == [({"tier": "hot"}, "firing")]
    assert [(row.scope, row.state) for row in live.scopes] == [
        ({"tier": "hot"}, "firing"),
        ({"tier": "warm"}, "clearing"),
    ]


def test_playbooks_show_what_is_left_of_autonomy_and_the_record_so_far(store: Store) -> None:
    with store.read() as uow:
        (book,) = catalogue.playbooks(uow, KNOWN, NOW).playbooks
    assert [(rung.name, rung.autonomy, rung.tried, rung.recovered) for rung in book.ladder] == [
        ("restart-writer", "propose", 1, 0),
        ("fail-over-to-replica", "propose", 0, 0),
    ]
    assert book.match == {"tier": "hot"}
    assert book.failure_mode == FailureMode.STORAGE_FAILURE


def asked(known: Known, now: float, ahead: float = 0.0) -> models.Oncall:
    with Store.open("sqlite://") as store, store.read() as uow:
        return catalogue.oncall(uow, known, now, ahead)


def test_oncall_says_who_until_when_and_who_follows() -> None:
    rotation = {"every": "1w", "starts": "2026-01-05 09:00", "people": ["ana", "ben"]}
    known = Known("0.1.0", schedules={"primary": ScheduleSpec.model_validate({"rotation": rotation})})
    (duty,) = asked(known, NOW).oncall
    assert (duty.now, duty.next) == (["ana"], ["ben"])
    assert duty.until == NOW + 7 * 86_400
    (before,) = asked(known, NOW - 86_400).oncall
    assert (before.now, before.until, before.next) == ([], NOW, ["ana"])


def test_oncall_lists_every_turn_of_the_time_ahead_that_was_asked_for() -> None:
    rotation = {"every": "1w", "starts": "2026-01-05 09:00", "people": ["ana", "ben"]}
    known = Known("0.1.0", schedules={"primary": ScheduleSpec.model_validate({"rotation": rotation})})
    assert asked(known, NOW).turns == []
    turns = asked(known, NOW, 14 * 86_400.0).turns
    assert [(turn.schedule, turn.start - NOW, turn.who) for turn in turns] == [
        ("primary", 0.0, ["ana"]),
        ("primary", 7 * 86_400.0, ["ben"]),
    ]
    far = asked(known, NOW, 1e9).turns
    assert far[-1].end - NOW == catalogue.LONGEST_AHEAD, "bounded"


def test_config_says_what_is_loaded_and_what_was_refused() -> None:
    known = Known("0.1.0", files=("a.yaml",), digest="abc", data={"version": 1})
    assert catalogue.config(known, None).loaded_at is None
    assert catalogue.config(known, LIVE).files == ["a.yaml"]
