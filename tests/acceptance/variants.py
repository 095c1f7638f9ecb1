"""How each variant of the runbooks' table breaks the pipeline of a story, and what heals it by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fakes.programs import PROVIDERS
from tests.fakes.world import World

CONSUMERS = tuple(f"ingestion-{provider}" for provider in PROVIDERS)
Do = Callable[[World], object]


@dataclass(frozen=True)
class Variant:
    """`heals_after`: seconds after which `heal` happens without anybody. `scope`: of the incident that is judged."""

    break_it: Do
    scope: dict[str, str]
    heal: Do | None = None
    heals_after: float = 0.0
    others: tuple[str, ...] = field(default=())
    """Further failure modes that show while it lasts."""


NAVIXY = {"provider": "navixy"}
SPEED = {"provider": "navixy", "field": "speed"}
FUEL = {"provider": "navixy", "field": "fuel"}
WHOLE: dict[str, str] = {}
HOT = {"tier": "hot"}
LIVE = {"endpoint": "live"}


def _navixy(**fields: object) -> Do:
    return lambda world: world.change(world.consumers["navixy"], **fields)


def _killed(world: World) -> None:
    world.kill(*CONSUMERS)


def _each(**fields: object) -> Do:
    def do(world: World) -> None:
        for consumer in world.consumers.values():
            world.change(consumer, **fields)

    return do


def _bad_config(world: World) -> None:
    """Consumers that were restarted on it run, follow the link, and take nothing in."""
    world.deploy("ingestion", "unknown key")
    world.kill(*CONSUMERS)
    world.start(*CONSUMERS)


def _wont_start(world: World) -> None:
    world.kill(*CONSUMERS)
    for unit in CONSUMERS:
        world.program(unit).wont_start = True


def _payload(what: str) -> Do:
    return lambda world: world.change(world.transformer, payload={"navixy": what})


def _tier(name: str, reason: str, **fields: object) -> Do:
    def do(world: World) -> None:
        world.change(world.tiers[name], reason=reason, **fields)

    return do


REFUSES = _tier("hot", "primary_refuses", error_share=1.0, primary="refusing")


def _lying(break_it: Do) -> Do:
    def do(world: World) -> None:
        break_it(world)
        world.flow()
        world.liar = True

    return do


def _deploy(what: str, wrong: str) -> Do:
    return lambda world: world.deploy(what, wrong)


def _api(**fields: object) -> Do:
    return lambda world: world.change(world.api, **fields)


def _both(*dos: Do) -> Do:
    def do(world: World) -> None:
        for one in dos:
            one(world)

    return do


def _started_again(world: World) -> None:
    world.start(*CONSUMERS)


VARIANTS: dict[str, Variant] = {
    "provider_outage:rate-limited": Variant(_navixy(limited=True), NAVIXY),
    "provider_outage:no-answer": Variant(_navixy(primary="no-answer"), NAVIXY),
    "provider_outage:auth": Variant(_navixy(token_expired=True), NAVIXY),
    "provider_outage:both-down": Variant(_navixy(primary="no-answer", secondary="no-answer"), NAVIXY),
    "provider_outage:liar": Variant(_lying(_navixy(primary="no-answer")), NAVIXY),
    "provider_outage:self-heals": Variant(
        _navixy(primary="no-answer"), NAVIXY, _navixy(primary="ok"), heals_after=8 * 60
    ),
    "ingestion_stopped:killed": Variant(_killed, WHOLE),
    "ingestion_stopped:hung": Variant(_each(hung=True), WHOLE),
    "ingestion_stopped:bad-config": Variant(_bad_config, WHOLE),
    "ingestion_stopped:wont-start": Variant(_wont_start, WHOLE),
    "ingestion_stopped:liar": Variant(_both(_killed, _started_again, _each(impostor=True)), WHOLE),
    "ingestion_stopped:self-heals": Variant(_each(hung=True), WHOLE, _each(hung=False), heals_after=100),
    "transformation_failure:bad-mapping": Variant(_deploy("mapping", "wrong-source"), NAVIXY),
    "transformation_failure:stuck-transformer": Variant(
        lambda world: world.change(world.transformer, stuck=True), NAVIXY
    ),
    "transformation_failure:payload-changed": Variant(_payload("changed-types"), NAVIXY),
    "transformation_failure:liar": Variant(_lying(_deploy("mapping", "wrong-source")), NAVIXY),
    "transformation_failure:self-heals": Variant(
        _payload("changed-types"), NAVIXY, lambda world: world.change(world.transformer, payload={}), heals_after=8 * 60
    ),
    "storage_failure:pool-exhausted": Variant(_tier("hot", "pool_exhausted", error_share=1.0), HOT),
    "storage_failure:warm-disk-full": Variant(_tier("warm", "disk_full", error_share=1.0), {"tier": "warm"}),
    "storage_failure:primary-refuses-writes": Variant(REFUSES, HOT),
    "storage_failure:cold-down": Variant(lambda world: world.kill("storage-writer-cold"), {"tier": "cold"}),
    "storage_failure:liar": Variant(_lying(REFUSES), HOT),
    "storage_failure:self-heals": Variant(REFUSES, HOT, lambda world: world.heal_tier("hot"), heals_after=4 * 60),
    "api_degradation:overload": Variant(_api(fault="overload"), LIVE),
    "api_degradation:slow-storage": Variant(
        _tier("hot", "writer_hung", slow_reads=1.0), HOT, others=("api_degradation",)
    ),
    "api_degradation:cold-cache": Variant(_api(cache="off"), LIVE),
    "api_degradation:slow-code": Variant(_api(fault="slow-code"), LIVE),
    "api_degradation:liar": Variant(_lying(_api(fault="overload")), LIVE),
    "api_degradation:self-heals": Variant(_api(fault="overload"), LIVE, _api(fault=""), heals_after=4 * 60),
    "data_quality:bad-mapping-values": Variant(_deploy("mapping", "wrong-scale"), SPEED),
    "data_quality:rule-too-strict": Variant(_deploy("rules", "too-strict"), SPEED),
    "data_quality:field-renamed": Variant(_payload("fuel-renamed"), FUEL),
    "data_quality:out-of-range": Variant(_payload("speed-out-of-range"), SPEED),
    "data_quality:liar": Variant(_lying(_deploy("mapping", "wrong-scale")), SPEED),
    "data_quality:self-heals": Variant(
        _payload("speed-out-of-range"), SPEED, lambda world: world.change(world.transformer, payload={}), heals_after=8 * 60
    ),
}  # fmt: skip
