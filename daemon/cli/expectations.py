"""What the demo's runbooks ask for, variant by variant, and the judgement of what really happened.

The table is written from the runbooks, not read from the playbooks: a playbook that does something else fails it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from daemon.cli.rows import Row

RECOVERED, CONTAINED, VAIN = "recovered", "contained", "in vain"
FIRST, LATER, NOTHING, LIAR, SELF_HEALS = "first", "later", "nothing", "liar", "self-heals"


@dataclass(frozen=True, slots=True)
class Expected:
    """`rungs`: what has to be carried out, in order, each with its end; `maybe`: rungs that may be tried in vain beside.

    `group`: which column of the demo's table it stands in. `on`: failure mode whose incident mends it, where that is
    another one. `forbidden`: rungs and kinds of action that must not happen, whoever orders them.
    """

    group: str
    rungs: tuple[tuple[str, str], ...] = ()
    maybe: frozenset[str] = frozenset()
    on: str = ""
    forbidden: frozenset[str] = frozenset()

    @property
    def mended(self) -> bool:
        """Whether it ends resolved and nobody is paged."""
        return self.group in {FIRST, LATER, SELF_HEALS}


def _rungs(*steps: str) -> tuple[tuple[str, str], ...]:
    ends = {"+": RECOVERED, "=": CONTAINED, "-": VAIN}
    return tuple((step[:-1], ends[step[-1]]) for step in steps)


def _maybe(*rungs: str) -> frozenset[str]:
    return frozenset(rungs)


_CONSUMERS = frozenset({"service"})
"""A provider's fault is never met by restarting our own consumers."""
_SCALING = frozenset({"scale-out"})
_ROLL_BACKS = _maybe("roll-back-mapping", "roll-back-rules")
_NO_CHANGE = _maybe("roll-back-config", "restart-on-previous-config")
"""Nothing is rolled back where no change of the configuration preceded the failure."""

P, N, T, S, A, Q = (
    "provider_outage",
    "ingestion_stopped",
    "transformation_failure",
    "storage_failure",
    "api_degradation",
    "data_quality",
)

EXPECTED: Mapping[tuple[str, str], Expected] = MappingProxyType(
    {
        (P, "rate-limited"): Expected(FIRST, _rungs("cut-request-rate+"), forbidden=_CONSUMERS),
        (P, "no-answer"): Expected(
            LATER, _rungs("open-breaker=", "fail-over-to-secondary+"), forbidden=_CONSUMERS
        ),
        (P, "auth"): Expected(
            LATER, _rungs("rotate-credentials+"), _maybe("open-breaker"), forbidden=_CONSUMERS
        ),
        (P, "both-down"): Expected(
            NOTHING, _rungs("open-breaker=", "fail-over-to-secondary-"), forbidden=_CONSUMERS
        ),
        (P, "liar"): Expected(
            LIAR, _rungs("open-breaker-", "fail-over-to-secondary-"), forbidden=_CONSUMERS
        ),
        (P, "self-heals"): Expected(
            SELF_HEALS, (), _maybe("open-breaker", "fail-over-to-secondary"), forbidden=_CONSUMERS
        ),
        (N, "killed"): Expected(FIRST, _rungs("restart-consumers+"), forbidden=_NO_CHANGE),
        (N, "hung"): Expected(FIRST, _rungs("restart-consumers+"), forbidden=_NO_CHANGE),
        (N, "bad-config"): Expected(
            LATER, _rungs("restart-consumers-", "roll-back-config+")
        ),
        (N, "wont-start"): Expected(NOTHING, _rungs("restart-consumers-"), forbidden=_NO_CHANGE),
        (N, "liar"): Expected(LIAR, _rungs("restart-consumers-"), forbidden=_NO_CHANGE),
        (N, "self-heals"): Expected(SELF_HEALS, (), _maybe("restart-consumers"), forbidden=_NO_CHANGE),
        (T, "bad-mapping"): Expected(FIRST, _rungs("roll-back-mapping+")),
        (T, "stuck-transformer"): Expected(
            LATER, _rungs("roll-back-mapping-", "restart-transformation+")
        ),
        (T, "payload-changed"): Expected(
            NOTHING, _rungs("quarantine-provider="), _maybe("roll-back-mapping")
        ),
        (T, "liar"): Expected(LIAR, _rungs("roll-back-mapping-", "quarantine-provider-")),
        (T, "self-heals"): Expected(SELF_HEALS, (), _maybe("roll-back-mapping")),
        (S, "pool-exhausted"): Expected(FIRST, _rungs("enlarge-pool+")),
        (S, "warm-disk-full"): Expected(FIRST, _rungs("archive-old-data+")),
        (S, "primary-refuses-writes"): Expected(
            LATER, _rungs("fail-over-to-replica+"), _maybe("restart-writer")
        ),
        (S, "cold-down"): Expected(NOTHING),
        (S, "liar"): Expected(
            LIAR, _rungs("fail-over-to-replica-", "read-only-with-spool-"), _maybe("restart-writer")
        ),
        (S, "self-heals"): Expected(SELF_HEALS, (), _maybe("restart-writer", "fail-over-to-replica")),
        (A, "overload"): Expected(FIRST, _rungs("scale-out+")),
        (A, "slow-storage"): Expected(FIRST, _rungs("restart-writer+"), on=S, forbidden=_SCALING),
        (A, "cold-cache"): Expected(LATER, _rungs("scale-out-", "enable-cache+")),
        (A, "slow-code"): Expected(NOTHING, _rungs("scale-out-"), _maybe("limit-heaviest-client")),
        (A, "liar"): Expected(LIAR, _rungs("scale-out-"), _maybe("limit-heaviest-client")),
        (A, "self-heals"): Expected(SELF_HEALS, (), _maybe("scale-out")),
        (Q, "bad-mapping-values"): Expected(FIRST, _rungs("roll-back-mapping+")),
        (Q, "rule-too-strict"): Expected(LATER, _rungs("roll-back-mapping-", "roll-back-rules+")),
        (Q, "field-renamed"): Expected(NOTHING, _rungs("quarantine-field="), _ROLL_BACKS),
        (Q, "out-of-range"): Expected(NOTHING, _rungs("quarantine-field="), _ROLL_BACKS),
        (Q, "liar"): Expected(
            LIAR, _rungs("roll-back-mapping-", "roll-back-rules-", "quarantine-field-")
        ),
        (Q, "self-heals"): Expected(SELF_HEALS, (), _ROLL_BACKS),
    }
)  # fmt: skip


def chosen(scenario: str) -> tuple[tuple[str, str], ...]:
    """`all`: a mendable variant of each mode; `unfixable`: an unmendable one of each; `every`: each variant."""
    if scenario == "every":
        return tuple(EXPECTED)
    group = {"all": FIRST, "unfixable": NOTHING}[scenario]
    first: dict[str, tuple[str, str]] = {}
    for key, expected in EXPECTED.items():
        if expected.group == group:
            first.setdefault(key[0], key)
    return tuple(first.values())


def judge(row: Row, expected: Expected) -> list[str]:
    """What is not as the runbook asks; empty when all is."""
    wrong = _ladder(row, expected)
    wrong += [f"{action} must not happen" for action in row.forbidden_actions]
    if expected.mended and row.paged:
        wrong.append(f"somebody was paged: levels {row.paged}")
    if not expected.mended and row.paged != [1]:
        wrong.append(f"L1 has to be paged exactly once, paged were {row.paged or 'nobody'}")
    if expected.group in {FIRST, LATER} and row.resolved_by != expected.rungs[-1][0]:
        wrong.append(f"resolved by {row.resolved_by}, not by {expected.rungs[-1][0]}")
    if not expected.mended and row.resolved_by is not None:
        wrong.append(f"resolved by {row.resolved_by}, and nothing could have mended it")
    if expected.group == SELF_HEALS and row.verdict not in {"self_resolved", RECOVERED}:
        wrong.append(f"the verdict is {row.verdict}, and it healed by itself")
    if expected.group != SELF_HEALS and row.detected_after_s is None:
        wrong.append("it was not detected")
    return wrong


def _ladder(row: Row, expected: Expected) -> list[str]:
    """The rungs that had to run, in their order and with their ends; others only where they may be tried in vain."""
    wrong: list[str] = []
    wanted = list(expected.rungs)
    for action in row.actions:
        end = action.verdict if action.verdict in {RECOVERED, CONTAINED} else VAIN
        if wanted and action.rung == wanted[0][0]:
            rung, ends = wanted.pop(0)
            if end != ends:
                wrong.append(f"{rung} ended {end}, expected {ends}")
        elif action.rung not in expected.maybe:
            wrong.append(f"{action.rung} was not asked for here")
        elif end != VAIN and expected.group != SELF_HEALS:
            wrong.append(f"{action.rung} ended {end}, and could only be in vain")
    return wrong + [f"{rung} did not run" for rung, _ in wanted]


def forbidden_of(expected: Expected, done: Sequence[tuple[str, str]]) -> list[str]:
    """Those of the carried out (rung, action) pairs that must not happen here."""
    return [rung for rung, action in done if {rung, action} & expected.forbidden]
