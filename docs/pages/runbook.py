"""What the runbooks say about each failure mode beside what the pack can know: written by hand, used by `playbooks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from config.section import FailureMode


@dataclass(frozen=True, slots=True)
class Runbook:
    """`diagnose`: what to look at by hand, in order; `never`: what must not be done; `resolve_in`: usual time."""

    what: str
    resolve_in: str
    diagnose: tuple[str, ...]
    never: str


RUNBOOKS: Mapping[FailureMode, Runbook] = MappingProxyType(
    {
        FailureMode.PROVIDER_OUTAGE: Runbook(
            "One provider sends nothing, or most attempts to fetch from it fail, while others deliver.",
            "15 to 60 minutes",
            (
                "its status page and health endpoint (they inform, they never decide alone)",
                "which reason dominates its errors: network or timeout, auth, rate_limited, server_error",
                "whether others are out as well: half of the providers at once is a shared cause of ours",
            ),
            "restart our own consumers for a fault that is theirs",
        ),
        FailureMode.INGESTION_STOPPED: Runbook(
            "No packets arrive from any provider, or one provider's consumer is gone and proved to be.",
            "10 to 30 minutes",
            (
                "health endpoints and process state of the consumers",
                "deployments and config changes of the last hours (`fleetmend incident ID` lists them)",
                "CPU, memory and queue depth",
                "whether *all* providers are down: then it is not ours",
            ),
            "act when it is only the metrics that are missing",
        ),
        FailureMode.TRANSFORMATION_FAILURE: Runbook(
            "Mapping fields or computing a status fails for more than a few packets, or the stage stands still.",
            "15 to 45 minutes",
            (
                "error ratio by provider and field",
                "mapping changes of the last hours",
                "a sample of the dead-letter queue: did the payload change at the provider's side?",
            ),
            "roll back further than the version before the failure began",
        ),
        FailureMode.STORAGE_FAILURE: Runbook(
            "A tier refuses writes, stands still, or answers reads too late.",
            "30 to 120 minutes",
            (
                "which tier: hot (reads below 100 ms), warm (below 500 ms) or cold (the archive)",
                "connectivity, free disk space, use of the connection pool",
                "the lag of the replica, before anything is failed over",
            ),
            "drop a write",
        ),
        FailureMode.API_DEGRADATION: Runbook(
            "More than one request in twenty is slower than promised, fails with a 5xx, or the probe fails.",
            "20 to 60 minutes",
            (
                "p50, p95, p99 and errors by endpoint; traffic; cache hits",
                "slow backends: is storage the cause? Then its incident mends this one",
                "the heaviest client",
            ),
            "scale out when storage is the cause",
        ),
        FailureMode.DATA_QUALITY: Runbook(
            "Values are missing or invalid, or packets break their schema, above the usual.",
            "30 to 90 minutes",
            (
                "which field of which provider; three fields or more are rolled up to the provider",
                "changes of mapping and validation rules, at our side and at the provider's",
            ),
            "rewrite stored data without a person: recalculation of a time range is requested, not done",
        ),
    }
)

AFTERWARDS = (
    "document the root cause: `fleetmend postmortem ID` has the draft",
    "review the monitoring: was it seen at once, and was the threshold right?",
    "update this runbook and the playbook",
    "implement what would have prevented it",
)
PREVENTION = (
    "watch continuously",
    "test fail-overs regularly",
    "validate configuration before it is deployed",
)
