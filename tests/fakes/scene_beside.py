"""What else goes on in the night of `scene`, and the names of all of it."""

from __future__ import annotations

from config.scope import scope_of
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, Impact, Incident, IncidentState
from daemon.incidents.records import Phase
from remediations.run import RunState
from tests.fakes import rows

NOW = 1_767_582_840.0
"""2026-01-05 03:14:00 UTC."""
HOT, API, SILENT, BLIND, MENDED = "sf-4k7q2m", "ad-7hd2pa", "po-q3v7xk", "bl-m2n4aa", "dq-aa22bb"
TIER, LIVE, NAVIXY = (
    scope_of({"tier": "hot"}),
    scope_of({"endpoint": "live"}),
    scope_of({"provider": "navixy"}),
)


def api() -> Change:
    """The API is slow because hot storage is."""
    return Change(
        incident=Incident(
            id=API,
            failure_mode="api_degradation",
            scope=LIVE,
            severity="high",
            state=IncidentState.SUPPRESSED,
            began_at=NOW - 400,
            detected_at=NOW - 100,
            findings=(FindingRecord("api-latency", 0.11, "> 5% over 500ms for 5m", NOW - 400, "firing"),),
            impact=Impact(1, 4, "1 of 4 endpoints: live"),
            explained_by=HOT,
            suppressed_at=NOW - 100,
        ),
        run=rows.run(
            API, playbook="api-degradation", state=RunState.DIAGNOSING, due_at=NOW + 600, evidence={}
        ),
        escalation=rows.escalation(API, severity="high"),
        events=(
            Event(
                API,
                NOW - 100,
                Kind.SUPPRESSED,
                f"Held back: explained by {HOT} (hot storage).",
                {"by": HOT},
            ),
        ),
    )


def blind() -> Change:
    """A source went away."""
    return Change(
        incident=Incident(
            id=BLIND,
            failure_mode="blind",
            scope=scope_of({"source": "edge"}),
            severity="medium",
            state=IncidentState.OPEN,
            began_at=NOW - 900,
            detected_at=NOW - 600,
            impact=Impact(4, 22, "4 of 22 detectors see nothing"),
            blind=True,
        ),
        events=(
            Event(
                BLIND,
                NOW - 600,
                Kind.BLIND,
                "Source edge is down: connection refused.",
                {"reason": "refused"},
            ),
        ),
    )


def mended() -> Change:
    """Yesterday a mapping was rolled back."""
    mended = rows.incident(
        MENDED,
        failure_mode="data_quality",
        scope=scope_of({"provider": "oem-a", "field": "speed"}),
        severity="medium",
        state=IncidentState.RESOLVED,
        began_at=NOW - 90_000,
        detected_at=NOW - 89_400,
        recovered_at=NOW - 88_900,
        resolved_at=NOW - 88_300,
        recovered_by="roll-back-mapping",
        resolved_by="roll-back-mapping",
        findings=(
            FindingRecord(
                "values-invalid", 0.002, "> 5% of quality_values_checked for 10m", NOW - 90_000, "ok"
            ),
        ),
    )
    return Change(
        incident=mended,
        attempts=(
            rows.attempt(
                f"{MENDED}/1/roll-back-mapping/do/1",
                incident=MENDED,
                playbook="data-quality",
                rung="roll-back-mapping",
                action="file_link",
                phase=Phase.DO,
                intended_at=NOW - 89_300,
                started_at=NOW - 89_299,
                ended_at=NOW - 89_298,
                outcome="done",
                verdict="recovered",
            ),
        ),
        events=(
            Event(
                MENDED,
                NOW - 88_900,
                Kind.RECOVERED,
                "Field speed of oem-a recovered by roll-back-mapping.",
                {},
            ),
            Event(MENDED, NOW - 88_300, Kind.RESOLVED, "Resolved: clear held for 5 min.", {}),
        ),
    )
