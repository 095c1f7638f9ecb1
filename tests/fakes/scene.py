"""A night on a fleet, written into a store: what the console shows in tests that look at it.

Hot storage refuses writes: a restart did not help, the fail-over ran and is being verified. The API's slowness is
explained by it. A fail-over of a provider waits for approval. One provider cannot be seen, and earlier something was
mended.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from daemon.desk.known import Known, known_of
from daemon.incidents.change import Change
from daemon.incidents.drills import Check, Drill, DrillState, Grade, RungDrill, ScopeDrill
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, Impact, Incident, IncidentState
from daemon.incidents.records import (
    Debt,
    DebtState,
    DeliveryState,
    FailoverLock,
    PageEvent,
    PipelineChange,
)
from daemon.settings.load import load
from daemon.store.store import Store
from remediations.run import Evidence, RunState
from remediations.spec import Playbook
from tests.fakes import rows
from tests.fakes.scene_beside import (
    API,
    BLIND,
    HOT,
    LIVE,
    MENDED,
    NAVIXY,
    NOW,
    SILENT,
    TIER,
    api,
    blind,
    mended,
)

__all__ = ["API", "BLIND", "HOT", "LIVE", "MENDED", "NAVIXY", "NOW", "SILENT", "TIER", "known", "record"]

GUARDRAILS = (
    ("kill_switch", "not set"),
    ("leader", "epoch 7 leads"),
    ("person", "nobody has been paged"),
    ("autonomy", "auto, under a ceiling of auto"),
    ("target_set", "storage-writer-hot"),
    ("fresh_fault", "seen 4 s ago, at 21.4 %"),
    ("pending_cause", "no declared cause is pending"),
    ("maintenance", "none"),
    ("storm", "no storm"),
    ("in_flight", "0 of 2 in flight"),
    ("lock", "storage is free"),
    ("budget", "1 of 3 used in 6 h"),
    ("cooldown", "no climb in the last 15 min"),
    ("failover_lock", "not locked"),
    ("require", "replica_lag_s < 30: 2.5"),
)


DRILLED = "dr-7"
HOT_BOOK = Playbook.model_validate(
    {
        "failure_mode": "storage_failure",
        "match": {"tier": "hot"},
        "ladder": [
            {
                "name": "enlarge-pool",
                "do": {"http": {"url": "http://storage-admin/pool"}},
                "autonomy": "auto",
            },
            {
                "name": "restart-writer",
                "do": {"service": {"restart": "storage-writer-hot"}},
                "autonomy": "auto",
            },
            {
                "name": "fail-over-to-replica",
                "do": {"http": {"url": "http://storage-admin/x"}},
                "autonomy": "auto",
            },
            {
                "name": "read-only",
                "kind": "contain",
                "do": {"http": {"url": "http://storage-admin/ro"}},
                "confirm": {"probe": "storage-health", "ok": "true"},
            },
        ],
    }
)


@cache
def known() -> Known:
    """The shipped example over the shipped pack."""
    example = Path(__file__).parents[2] / "config" / "examples" / "example.yaml"
    names = ("FLEETMEND_SIGNING_KEY", "PROM_TOKEN", "INBOX_TOKEN", "PD_ANA", "PD_BEN", "SMTP_PASSWORD")
    environment = {name: f"not-so-secret-{name.lower()}-0123456789" for name in names}
    environment |= {"HEARTBEAT_URL": "https://heartbeat.example.org/x", "CI_TOKEN_SHA256": "0" * 64}
    found = known_of(load([example], environment=environment), "0.1.0")
    return replace(found, playbooks={**found.playbooks, "storage-hot": HOT_BOOK})


def gates(refused: str = "", reason: str = "", until: float | None = None) -> list[dict[str, Any]]:
    """All fifteen answers, one of them perhaps a no."""
    return [
        {
            "name": name,
            "allowed": name != refused,
            "reason": reason if name == refused else why,
            "until": until if name == refused else None,
            "inputs": {},
        }
        for name, why in GUARDRAILS
    ]


def record(store: Store) -> None:
    """Write the whole night."""
    with store.write() as uow:
        uow.lease.claim("stage-1:4711", NOW - 7200)
    for change in (mended(), _silent(), _hot(), api(), blind()):
        with store.write() as uow:
            uow.apply(change)
    with store.write() as uow:
        uow.drills.save(_drill())
        uow.pipeline.add(PipelineChange(NOW - 700, "storage-writer 4.2.0 deployed", "ci", "a1b2c3d", TIER))
        uow.mutes.save(
            rows.mute("pause-31", owner="ben", reason="new mapping goes out", starts_at=NOW - 900, ends_at=NOW + 1800,
                      matchers={"provider": "teltonika"})
        )  # fmt: skip
        uow.timeline.append(
            [Event("-", NOW - 900, Kind.DAEMON, "ben set pause over provider=teltonika: new mapping goes out.", {}, "ben")]
        )  # fmt: skip


def _hot() -> Change:
    def said(ago: float, kind: Kind, text: str, actor: str = "fleetmend", **data: Any) -> Event:
        return Event(HOT, NOW - ago, kind, text, data, actor)

    incident = Incident(
        id=HOT,
        failure_mode="storage_failure",
        scope=TIER,
        severity="critical",
        state=IncidentState.OPEN,
        began_at=NOW - 510,
        detected_at=NOW - 210,
        findings=(
            FindingRecord("storage-writes", 0.214, "> 1% of storage_writes for 5m", NOW - 510, "firing"),
            FindingRecord("storage-stalled", 0.0, "= 0 for 5m", NOW - 420, "pending"),
        ),
        impact=Impact(1, 3, "1 of 3 tiers: hot; 116 packets/s are spooled, none is dropped"),
        playbook="storage-hot",
    )
    restart = rows.attempt(
        f"{HOT}/1/restart-writer/do/1",
        incident=HOT,
        playbook="storage-hot",
        scope=TIER,
        rung="restart-writer",
        action="service",
        targets=("pipeline/storage-writer-hot",),
        intended_at=NOW - 200,
        started_at=NOW - 199,
        ended_at=NOW - 193,
        outcome="done",
        output="storage-writer-hot: stopped, started\nRUNNING pid 4242, uptime 0:00:02",
        verdict="not_recovered",
    )
    over = rows.attempt(
        f"{HOT}/1/fail-over-to-replica/do/1",
        incident=HOT,
        playbook="storage-hot",
        scope=TIER,
        rung="fail-over-to-replica",
        action="http",
        targets=("storage-admin:8080/tiers/hot/failover",),
        intended_at=NOW - 62,
        started_at=NOW - 61,
        ended_at=NOW - 59,
        outcome="done",
        output='200 {"active": "replica", "since": "2026-01-05T03:13:01Z"}',
    )
    trace: dict[str, Any] = {"rung": "fail-over-to-replica", "allowed": True, "gates": gates()}
    first: dict[str, Any] = {"rung": "restart-writer", "allowed": True, "gates": gates()}
    return Change(
        incident=incident,
        run=rows.run(
            HOT,
            playbook="storage-hot",
            state=RunState.VERIFYING,
            rung=2,
            entered_at=NOW - 59,
            due_at=NOW + 180,
            attempt=over.key,
            acted=True,
            evidence={
                "health": Evidence(
                    NOW - 65,
                    ok=True,
                    status=200,
                    body={"primary": "refusing", "active": "primary", "replica_lag_s": 2.5, "reason": "read_only_fs"},
                )
            },
        ),
        escalation=rows.escalation(HOT, severity="critical"),
        attempts=(restart, over),
        debts=(
            Debt(
                "debt-hot", HOT, "failover", "storage-hot", "fail-over-to-replica", TIER, NOW - 59, NOW + 3541,
                DebtState.OPEN,
            ),
        ),
        deliveries=(
            rows.delivery(
                f"{HOT}/heads_up/ben",
                incident=HOT,
                event=PageEvent.HEADS_UP,
                level=0,
                person="ben",
                channel="email",
                state=DeliveryState.ACCEPTED,
                created_at=NOW - 199,
                sent_at=NOW - 198,
                receipt="250 queued",
            ),
        ),
        locks=(FailoverLock("storage-admin:8080/tiers/hot", NOW + 3541, HOT, "failed over"),),
        events=(
            said(210, Kind.DETECTED, "Hot storage refuses writes: 21.4 % failed, fires above 1 % for 5 min.",
                 detector="storage-writes", value=0.214, threshold="> 1% of storage_writes for 5m"),
            said(208, Kind.DIAGNOSED, "health answered 200: the writer hangs.", probe="health", ok=True, status=200),
            said(207, Kind.SKIPPED, "enlarge-pool skipped: it does not fit the diagnosis.", rung="enlarge-pool",
                 gate="when", reason="facts.health.body.reason == 'pool_exhausted' is false"),
            said(204, Kind.RECHECK, "The fault is there on fresh data, seen 3 s ago.", observed_at=NOW - 207),
            said(202, Kind.GATES, "restart-writer: all guardrails allow it.", **first),
            said(200, Kind.INTENDED, "restart-writer: do is intended (service on pipeline/storage-writer-hot).",
                 rung="restart-writer", key=restart.key),
            said(199, Kind.STARTED, "restart-writer started.", rung="restart-writer", key=restart.key),
            said(198, Kind.SENT, "ben was told by email (heads-up).", key=f"{HOT}/heads_up/ben"),
            said(193, Kind.ENDED, "restart-writer ended: done.", rung="restart-writer", outcome="done"),
            said(70, Kind.VERDICT, "restart-writer did not help: still 19.8 % after 2 min.", rung="restart-writer",
                 verdict="not_recovered"),
            said(65, Kind.DIAGNOSED, "health answered 200: the primary refuses writes.", probe="health", ok=True),
            said(63, Kind.GATES, "fail-over-to-replica: all guardrails allow it.", **trace),
            said(61, Kind.STARTED, "fail-over-to-replica started.", rung="fail-over-to-replica", key=over.key),
            said(59, Kind.ENDED, "fail-over-to-replica ended: done.", rung="fail-over-to-replica", outcome="done"),
            said(59, Kind.DEBT_OPENED, "fail-over-to-replica has to be returned within the hour.", debt="debt-hot"),
        ),
    )  # fmt: skip


def _drill() -> Drill:
    """Last Tuesday's, with one thing that would not have worked."""
    wrong = Check("do", Grade.FAILED, "supervisord says BAD_NAME: storage-database-hot (fault 10)")
    good = Check("probe health", Grade.PASSED, "storage-health answers, ok")
    rung = RungDrill("restart-database", "cure", "service", checks=(wrong,))
    part = ScopeDrill(TIER, (good,), (rung,))
    asked = Drill(
        DRILLED, "storage-hot", NOW - 86_400, "schedule", DrillState.ASKED, plan="storage-hot * Tue 10:00"
    )
    return replace(asked, scopes=(part,)).over(NOW - 86_398)


def _silent() -> Change:
    def said(ago: float, kind: Kind, text: str, actor: str = "fleetmend", **data: Any) -> Event:
        return Event(SILENT, NOW - ago, kind, text, data, actor)

    refused: dict[str, Any] = {
        "rung": "fail-over-to-secondary",
        "allowed": False,
        "gates": gates("budget", "3 of 3 used in 6 h", NOW + 5160),
    }
    breaker = rows.attempt(
        f"{SILENT}/1/open-breaker/do/1",
        incident=SILENT,
        playbook="provider-outage",
        rung="open-breaker",
        kind="contain",
        action="http",
        targets=("ingestion-navixy:8080/admin/breaker",),
        disruptive=False,
        intended_at=NOW - 1500,
        started_at=NOW - 1499,
        ended_at=NOW - 1498,
        outcome="done",
        output='200 {"breaker": "open"}',
        verdict="contained",
    )
    return Change(
        incident=Incident(
            id=SILENT,
            failure_mode="provider_outage",
            scope=NAVIXY,
            severity="critical",
            state=IncidentState.CONTAINED,
            began_at=NOW - 2150,
            detected_at=NOW - 1550,
            findings=(FindingRecord("provider-errors", 0.93, "> 50% of ingestion_provider_requests for 10m", NOW - 2150, "firing"),),
            impact=Impact(1, 3, "1 of 3 providers: navixy, 41 % of all packets"),
            playbook="provider-outage",
            stepped_back=True,
        ),
        run=rows.run(
            SILENT,
            playbook="provider-outage",
            state=RunState.GAVE_UP,
            rung=1,
            reason="fail-over-to-secondary is refused by budget: 3 of 3 used in 6 h",
            contained_by=("open-breaker",),
            ended_at=NOW - 1440,
            evidence={
                "consumer": Evidence(
                    NOW - 1450, ok=True, status=200, body={"dominant_error": "timeout", "breaker": "open"}
                ),
                "status": Evidence(NOW - 1450, ok=False, error="timed out after 5 s"),
            },
        ),
        escalation=rows.escalation(
            SILENT,
            state=EscalationState.PAGING,
            level=1,
            severity="critical",
            reason="ladder ended contained",
            paged_at=NOW - 240,
            next_level_at=NOW + 660,
            remind_at=NOW + 60,
            policy={"levels": [{"after": {}}, {"after": {"critical": 900.0}}, {"after": {"critical": 1800.0}}]},
        ),
        attempts=(breaker,),
        debts=(
            Debt("debt-breaker", SILENT, "breaker", "provider-outage", "open-breaker", NAVIXY, NOW - 1498, NOW - 30,
                 DebtState.PROPOSED),
        ),
        deliveries=(
            rows.delivery(
                f"{SILENT}/trigger/1/ana/0",
                incident=SILENT,
                channel="pagerduty",
                state=DeliveryState.FAILED,
                created_at=NOW - 240,
                tries=4,
                error="503 from the events API, given up after 4 tries",
            ),
            rows.delivery(
                f"{SILENT}/trigger/1/ana/1",
                incident=SILENT,
                channel="email",
                state=DeliveryState.ACCEPTED,
                created_at=NOW - 200,
                sent_at=NOW - 198,
                receipt="250 2.0.0 Ok: queued as 4F1c",
            ),
        ),
        events=(
            said(1550, Kind.DETECTED, "Provider navixy fails 93 % of its requests.", detector="provider-errors"),
            said(1499, Kind.STARTED, "open-breaker started.", rung="open-breaker", key=breaker.key),
            said(1498, Kind.ENDED, "open-breaker ended: done.", rung="open-breaker", outcome="done"),
            said(1490, Kind.CONTAINED, "Contained by open-breaker: retries stopped, nothing is mended.",
                 rung="open-breaker"),
            said(1445, Kind.GATES, "fail-over-to-secondary refused by budget: 3 of 3 used in 6 h.", **refused),
            said(1440, Kind.GAVE_UP, "Gave up: a refusal that does not lift within 2 min.", reason="budget"),
            said(1440, Kind.STEPPED_BACK, "Stepped back: a person has the wheel."),
            said(240, Kind.OWED, "ana is owed a page (L1, pagerduty).", level=1, person="ana"),
            said(205, Kind.NOT_SENT, "pagerduty did not take ana's page: 503, given up.", key="x"),
            said(198, Kind.SENT, "ana was paged by email (L1).", key=f"{SILENT}/trigger/1/ana/1"),
        ),
    )  # fmt: skip
