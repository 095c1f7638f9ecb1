"""Random faults, outages of telemetry, orders, lies and crashes; the rules that must always hold, after every step.

Each seed is one story; a seed that fails is the name of its test. `STORY_SEEDS` runs more of them.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Delivery, DeliveryState, PageEvent, Phase
from tests.fakes.story import MINUTE, PAGES, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

WATCHED = ("storage-writes", "storage-down", "provider-errors", "mapping-failures")
CAP = 2
SEEDS = range(int(os.environ.get("STORY_SEEDS", "4")))
CHANGES = 14


@dataclass
class Quiet:
    """A span in which nothing may be done: (from, until); `until` None while it lasts."""

    begin: float
    end: float | None = None

    def holds(self, at: float) -> bool:
        return self.begin < at and (self.end is None or at < self.end)


@dataclass
class Chaos:
    """One random story and what is known of it from outside."""

    story: Story
    dice: random.Random
    quiet: list[Quiet] = field(default_factory=list)
    judged: int = 0

    def one_thing(self) -> None:
        """Something happens."""
        self.dice.choice(THINGS)(self)

    def check(self) -> bool:
        """After every step: what needs only a look."""
        for effect in self.story.world.effects[self.judged :]:
            assert not any(span.holds(effect.at) for span in self.quiet), f"{effect} in a quiet time"
        self.judged = len(self.story.world.effects)
        with self.story.driver.store.read() as uow:
            flying = {a.incident for a in uow.attempts.in_flight() if a.phase is not Phase.RETURN}
        assert len(flying) <= CAP, f"{len(flying)} in flight"
        return False

    def check_all(self) -> None:
        """After every event: what needs the whole record."""
        assert not self.story.driver.loop.parked.items()
        keys = Counter(effect.key for effect in self.story.world.effects if effect.key)
        for incident in self.story.incidents():
            events, rows = self.story.events(incident), self.story.deliveries(incident)
            attempts = self.story.attempts(incident)
            times = [event.at for event in events]
            assert times == sorted(times), "the timeline goes backwards"
            explained(attempts, events)
            once(attempts, keys)
            given_up(incident, events)
            told(incident, rows)


def explained(attempts: list[Attempt], events: list[Event]) -> None:
    """Every attempt has the guardrails' whole answer before it."""
    allowed = [(e.data["rung"], e.at) for e in events if e.kind is Kind.GATES and e.data["allowed"]]
    for attempt in attempts:
        if attempt.phase is Phase.DO:
            assert any(rung == attempt.rung and at <= attempt.intended_at for rung, at in allowed), attempt


def once(attempts: list[Attempt], keys: Counter[str]) -> None:
    """One decision, one effect, unless it may safely be done twice."""
    for attempt in attempts:
        assert keys[attempt.key] <= 1 or attempt.on_interrupt == "rerun", attempt


def given_up(incident: Incident, events: list[Event]) -> None:
    """Giving up is a page, owed in the same change (or held, or told as a further reason to those paged already)."""
    for event in events:
        if event.kind is Kind.GAVE_UP:
            same = [e for e in events if e.at == event.at and e.kind in {Kind.OWED, Kind.NOTE}]
            held = [e for e in events if e.at <= event.at < e.data.get("held_until", 0.0)]
            assert same or held, f"{incident.id} gave up in silence: {event.text}"


def told(incident: Incident, rows: list[Delivery]) -> None:
    """No page after the end; and whoever was told that it began is owed its end."""
    if not incident.ended or incident.resolved_at is None:
        return
    pages = [row for row in rows if row.event in PAGES]
    assert all(row.created_at <= incident.resolved_at for row in pages), "a page after the end"
    for row in pages:
        if row.state is DeliveryState.ACCEPTED:
            ends = [r for r in rows if r.event is PageEvent.RESOLVE and r.address == row.address]
            assert any(r.created_at >= row.created_at for r in ends), f"{row.address} never hears of the end"
    by_address = Counter((r.address, r.created_at) for r in rows if r.event is PageEvent.RESOLVE)
    assert all(count == 1 for count in by_address.values())


# ---------------------------------------------------------------------- what can happen


def _tier(chaos: Chaos) -> None:
    name = chaos.dice.choice(["hot", "warm", "cold"])
    reason = chaos.dice.choice(["primary_refuses", "pool_exhausted", "writer_hung", "both_refuse"])
    primary = "refusing" if reason == "primary_refuses" else "healthy"
    chaos.story.world.break_tier(name, reason, errors=chaos.dice.choice([0.02, 1.0]), primary=primary)


def _kill(chaos: Chaos) -> None:
    chaos.story.world.kill(f"storage-writer-{chaos.dice.choice(['hot', 'warm', 'cold'])}")


def _provider(chaos: Chaos) -> None:
    consumer = chaos.story.world.consumers[chaos.dice.choice(["navixy", "teltonika", "oem-a"])]
    fault = chaos.dice.choice([{"primary": "no-answer"}, {"limited": True}, {"token_expired": True}])
    chaos.story.world.change(consumer, **fault)


def _mapping(chaos: Chaos) -> None:
    chaos.story.world.deploy("mapping", "wrong-source")


def _heal(chaos: Chaos) -> None:
    world = chaos.story.world
    for name in world.tiers:
        world.heal_tier(name)
        if not world.running(f"storage-writer-{name}"):
            world.start(f"storage-writer-{name}")
    for consumer in world.consumers.values():
        world.change(consumer, primary="ok", limited=False, token_expired=False)
    world.bad_versions.clear()


def _dark(chaos: Chaos) -> None:
    chaos.story.world.silent = not chaos.story.world.silent


def _lie(chaos: Chaos) -> None:
    chaos.story.world.flow()
    chaos.story.world.liar = not chaos.story.world.liar


def _lose_answers(chaos: Chaos) -> None:
    chaos.story.world.ambiguous = not chaos.story.world.ambiguous


def _crash(chaos: Chaos) -> None:
    chaos.story.driver.crash(down_for=chaos.dice.choice([0.0, 5.0, 90.0]))


def _pager(chaos: Chaos) -> None:
    chaos.story.world.pager_lost = not chaos.story.world.pager_lost


def _mute(kind: str) -> Callable[[Chaos], None]:
    def happen(chaos: Chaos) -> None:
        lasts = chaos.dice.choice([3 * MINUTE, 12 * MINUTE])
        begin = chaos.story.now
        chaos.story.order(kind, reason="chaos", **{"for": lasts})
        # What is under way when the order comes is let finish; a second later nothing new begins.
        chaos.quiet.append(Quiet(begin + 2.0, begin + lasts))

    return happen


def _order(kind: str, **args: object) -> Callable[[Chaos], None]:
    def happen(chaos: Chaos) -> None:
        open_now = [i for i in chaos.story.incidents() if not i.ended]
        if open_now:
            chaos.story.order(kind, chaos.dice.choice(open_now), **args)

    return happen


THINGS: list[Callable[[Chaos], None]] = [
    _tier, _tier, _kill, _provider, _provider, _mapping, _heal, _heal, _dark, _lie, _lose_answers, _crash, _crash,
    _pager, _mute("pause"), _mute("maintenance"), _mute("silence"), _order("ack"), _order("resume"), _order("approve"),
    _order("reject", reason="chaos"), _order("resolve", reason="chaos", **{"for": 300.0}), _order("escalate"),
    _order("extend", reason="chaos", **{"for": 300.0}),
]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_the_rules_hold_in_a_random_story(seed: int) -> None:
    chaos = Chaos(Story(only=WATCHED), random.Random(seed))
    for _ in range(CHANGES):
        chaos.one_thing()
        chaos.story.run(chaos.dice.uniform(20.0, 200.0), until=chaos.check)
        chaos.check_all()
    world = chaos.story.world
    world.silent = world.ambiguous = world.pager_lost = world.liar = False
    _heal(chaos)
    chaos.story.run(20 * MINUTE, until=chaos.check)
    chaos.check_all()
    for incident in chaos.story.incidents():
        rows = chaos.story.deliveries(incident)
        waiting = [row for row in rows if row.state in {DeliveryState.OWED, DeliveryState.SENDING}]
        assert [row for row in waiting if row.due_at < chaos.story.now - 180.0] == [], "a message hangs"
        assert incident.ended or chaos.story.paged(incident), (
            f"{incident.id} is nobody's\n{chaos.story.told()}"
        )
