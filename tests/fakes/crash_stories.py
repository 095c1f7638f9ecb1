"""The stories that take each of the demo's playbooks through its rungs: done, in vain and undone, given back, handed over.

The configuration is the demo's own file; what a story lays over it is where its pipeline is, whom it pages, and that
what has to be given back after an hour is given back after seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from ruamel.yaml import YAML

from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import Debt, DebtState
from remediations.run import IN_FLIGHT, Run
from tests.acceptance.variants import VARIANTS, Do
from tests.fakes.story import Story, is_self
from tests.fakes.world import EDGE, PAGER, SUPERVISOR, World

ROOT = Path(__file__).parents[2]
DEMO_FILE = ROOT / "demo" / "fleetmend.yaml"
DEMO = DEMO_FILE.read_text(encoding="utf-8")
SOON, DEADLINE = "3s", "30s"
CLEARS = 12.0
"""Seconds that what was mended may take to clear by itself; what cannot be seen any more never does."""
MOST = 100.0
"""Seconds a story may take to be handed over."""


@dataclass(frozen=True)
class Tale:
    """One way to break the pipeline. `detectors`: those that watch, so that it is about its playbook alone."""

    name: str
    detectors: tuple[str, ...]
    break_it: Do


def _of(name: str, *detectors: str) -> Tale:
    return Tale(name, detectors, VARIANTS[name].break_it)


def _refuses(tier: str) -> Do:
    """Neither its primary nor its replica takes writes: every rung does what it says, and none mends it."""
    wrong = {"reason": "primary_refuses", "primary": "refusing", "replica": "refusing", "error_share": 1.0}
    return lambda world: world.change(world.tiers[tier], **wrong)


TALES: Mapping[str, tuple[Tale, ...]] = {
    "provider-outage": (
        _of("provider_outage:both-down", "provider-errors"),
        _of("provider_outage:rate-limited", "provider-errors"),
        _of("provider_outage:auth", "provider-errors"),
    ),
    "ingestion-stopped": (
        _of("ingestion_stopped:bad-config", "ingestion-silent"),
        _of("ingestion_stopped:wont-start", "consumer-down"),
    ),
    "transformation-failure": (
        _of("transformation_failure:payload-changed", "mapping-failures"),
        _of("transformation_failure:stuck-transformer", "mapping-failures"),
        _of("transformation_failure:bad-mapping", "mapping-failures"),
    ),
    "storage-hot": (
        Tale("storage_failure:replica-refuses", ("storage-writes",), _refuses("hot")),
        _of("storage_failure:primary-refuses-writes", "storage-writes"),
        _of("storage_failure:pool-exhausted", "storage-writes"),
        _of("api_degradation:slow-storage", "storage-reads"),
    ),
    "storage-warm": (
        _of("storage_failure:warm-disk-full", "storage-writes"),
        Tale("storage_failure:warm-refuses", ("storage-writes",), _refuses("warm")),
    ),
    "storage-cold": (_of("storage_failure:cold-down", "storage-down"),),
    "api-degradation": (
        _of("api_degradation:cold-cache", "api-latency"),
        _of("api_degradation:slow-code", "api-latency"),
        _of("api_degradation:overload", "api-latency"),
    ),
    "data-quality": (
        _of("data_quality:rule-too-strict", "values-invalid"),
        _of("data_quality:out-of-range", "values-invalid"),
        _of("data_quality:bad-mapping-values", "values-invalid"),
    ),
}


def where(playbook: str, admin: Mapping[str, Any], edge: str, pager: str, supervisor: str) -> str:
    """What is laid over the demo's file: addresses, somebody to page, and returns within seconds."""
    people = {
        "oncall": {"channels": [{"webhook": {"url": pager, "secret": {"env": "HOOK"}}}, {"console": {}}]}
    }
    return json.dumps(
        {
            "telemetry": {"edge": {"type": "scrape", "targets": [edge], "every": "1s"}},
            "managers": {"pipeline": {"type": "supervisor", "url": supervisor}},
            "vars": admin,
            "people": people,
            # Silence counts at once, and not only where five minutes of traffic were seen.
            "detectors": {"ingestion-silent": {"expected": None}},
            "playbooks": {playbook: {"deadline": DEADLINE, "rungs": returned_soon(playbook)}},
        }
    )


def returned_soon(playbook: str) -> dict[str, Any]:
    """For each of its rungs that is given back: the plan as it stands in the pack, and seconds in place of an hour."""
    pack = YAML(typ="safe").load((ROOT / "config" / "pack" / "playbooks.yaml").read_text(encoding="utf-8"))
    ladder = pack["playbooks"][playbook]["ladder"]
    return {rung["name"]: {"return": _soon(rung["return"])} for rung in ladder if "return" in rung}


def _soon(plan: Mapping[str, Any]) -> dict[str, Any]:
    then = {"then": [_soon(step) for step in plan["then"]]} if "then" in plan else {}
    return {**plan, **then, "after": SOON}


@cache
def virtual(playbook: str) -> str:
    return where(playbook, {}, EDGE, f"{PAGER}ana", SUPERVISOR)


def mend(world: World) -> None:
    """Everything works again, whatever was wrong; what was done to it meanwhile stays."""
    world.flow()
    world.mended_at = min(world.mended_at, world.time.now())
    world.liar = False
    world.bad_versions.clear()
    for consumer in world.consumers.values():
        consumer.primary = consumer.secondary = "ok"
        consumer.limited = consumer.token_expired = consumer.hung = consumer.impostor = False
        if consumer.breaker == "open":
            consumer.breaker = "half_open"
    transformer = world.transformer
    transformer.payload, transformer.stuck, transformer.stalled = {}, False, False
    for tier in world.tiers.values():
        tier.reason, tier.primary, tier.replica = "ok", "healthy", "healthy"
        tier.error_share, tier.slow_reads = 0.0, 0.0
    world.api.fault, world.api.cache = "", "on"
    for program in world.supervisor.programs:
        program.wont_start = False
        if program.state != "RUNNING" and program.group != "api-worker":
            world.start(program.name)


class Told(Protocol):
    """What a story of either kind, on a virtual clock or on real processes, can be asked."""

    @property
    def world(self) -> World: ...
    def incidents(self) -> list[Incident]: ...
    def run_of(self, incident: Incident) -> Run: ...
    def paged(self, incident: Incident) -> list[int]: ...
    def of(self, incident: str) -> dict[str, Any]: ...
    def debts(self, incident: Incident) -> list[Debt]: ...
    def order(self, kind: str, incident: Incident | None = None, who: str = "ana", **args: Any) -> None: ...


def play(story: Story, *, debts: bool = True) -> None:
    """To its very end: mended or handed over; then the fault is gone, what stays open is closed, `debts` are given back.

    It looks at how things stand, never at what it did before: a story goes on with it after a death. A message that waits
    for its turn goes within five minutes.
    """
    story.run(MOST, until=lambda: handed_over(story))
    mend(story.world)
    for _ in range(150):
        if over(story, debts=debts):
            return
        story.run(3.0, until=lambda: over(story, debts=debts))
        as_a_person(story)


def handed_over(story: Told) -> bool:
    """Each incident is over, or in people's hands; one about the daemon itself is from its first moment."""
    found = story.incidents()
    return bool(found) and all(is_self(i) or i.ended or in_hand(story, i) for i in found)


def in_hand(story: Told, incident: Incident) -> bool:
    """A person was paged, and nothing is under way any more."""
    run = story.run_of(incident) if story.paged(incident) else None
    return run is not None and run.state not in IN_FLIGHT and not story.of(incident.id)["sending"]


def over(story: Told, *, debts: bool = True) -> bool:
    ended = all(i.ended and not story.of(i.id)["sending"] for i in story.incidents())
    return ended and not (debts and owing(story))


def owing(story: Told) -> list[str]:
    """Rungs that are not given back yet."""
    done = {DebtState.PAID, DebtState.WAIVED}
    return [debt.rung for i in story.incidents() for debt in story.debts(i) if debt.state not in done]


def as_a_person(story: Told) -> None:
    """Close what never closes by itself; have given back what is proposed, and look where that failed."""
    for incident in story.incidents():
        if is_self(incident):
            continue
        lasts = story.world.time.now() < story.world.mended_at + CLEARS and any(
            finding.state in {"firing", "clearing"} for finding in incident.findings
        )
        if not incident.ended and (incident.state is IncidentState.CONTAINED or not lasts):
            story.order("resolve", incident, reason="mended by hand")
        for debt in story.debts(incident):
            done = any(
                effect.key.startswith(f"{incident.id}/{debt.rung}/return") for effect in story.world.effects
            )
            if debt.state is DebtState.PROPOSED or (debt.state is DebtState.FAILED and not done):
                story.order("approve", incident, rung=debt.rung)
            elif debt.state is DebtState.FAILED:
                story.order("reject", incident, rung=debt.rung, reason="it was given back")
