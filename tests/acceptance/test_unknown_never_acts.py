"""What cannot be seen fires nothing and leads to no action: every kind of unknown, at every position, for a tick and for
longer than any hold, over healthy traffic, the shipped pack and its shipped timings.

Kinds that concern targets are tried in as many copies of the pipeline as there are positions, told apart by a label:
each is hurt at a position of its own, and one evaluation judges them all.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from daemon.app.build import sections_of
from daemon.detect.evaluation import Evaluation
from daemon.detect.intake import Intake
from daemon.detect.inventory import Members
from daemon.detect.notices import Notices
from daemon.detect.plan import Plan, plan_of
from daemon.incidents.model import BLIND, Incident
from daemon.incidents.records import Attempt
from daemon.replay.backtest import unjudgeable
from daemon.replay.virtual import Time, VirtualDriver
from detectors.promql import wanted_by
from detectors.rule import Rule, Signal
from detectors.samples import Batch, Block, Failed
from detectors.spec import Inventory
from detectors.state import Transition
from tests.conftest import SOAK
from tests.fakes.blindness import (
    AHEAD,
    ANSWERS,
    FUTURE,
    HALVES,
    STEP,
    TARGETS,
    Disturbed,
    Hurt,
    Rows,
    Tape,
    healthy,
    standing_still,
)
from tests.fakes.ports import EPOCH
from tests.fakes.story import BASE, settings_of
from tests.fakes.world import World

WORLD = "world"
LEFT_OUT = frozenset({"oem-a", "cold", "globex", "fuel", "odometer", "ignition"})
"""One of each is enough; what is not there is not expected either."""
INVENTORY = {"provider": ["navixy", "teltonika"], "tier": ["hot", "warm"]}
NO_TRAFFIC = "nobody asks, so that there is no share"
KINDS = (*TARGETS, NO_TRAFFIC, FUTURE)


@cache
def plan() -> Plan:
    """The shipped pack over one source, without what asks probes."""
    sections = replace(sections_of(settings_of(BASE).model), inventory=Inventory.model_validate(INVENTORY))
    whole = plan_of(sections)
    # What only advises leads to no action, and its holds of an hour would make the search four times as long.
    rules = {
        name: rule for name, rule in whole.rules.items() if rule.acts and not unjudgeable(rule, sections)
    }
    return replace(whole, rules=rules)


def rules() -> Sequence[Rule]:
    return tuple(plan().rules.values())


LONGEST = math.ceil(max(rule.fire.hold for rule in rules()) / STEP)
"""Scrapes in the longest hold: as many positions are tried."""
FOR_LONG = LONGEST + 2
WARM = LONGEST + 4
"""Scrapes before the first position: for windows, and for learning what is usual."""
(SOURCE,) = plan().sources


def names() -> frozenset[str]:
    return frozenset(wanted.name for rule in rules() for wanted in wanted_by(rule))


def tapes(kind: str = "") -> tuple[Tape, ...]:
    """Where half of the series leave, nothing fails: failures whose successes are gone are a share of what is left."""
    return healthy(names(), end_after(FOR_LONG), LEFT_OUT, failures=kind not in HALVES)


def end_after(length: int) -> int:
    """So many scrapes: after the last position there is time for every hold."""
    return WARM + LONGEST + length + FOR_LONG


def idle() -> frozenset[str]:
    """What shares are of, but for what has to grow while the pipeline works."""
    must = {name for rule in rules() if rule.zero_test for name in rule.signal.of}
    must |= {name for rule in rules() if rule.gate for name in rule.gate.signal.of}
    shares = {
        name
        for rule in rules()
        if rule.signal.kind in {"ratio", "share_over", "quantile"}
        for name in (*rule.signal.of, *rule.signal.to)
    }
    return frozenset(shares - must)


def hurts() -> Mapping[str, Hurt]:
    return {**TARGETS, NO_TRAFFIC: standing_still(idle())}


# ---------------------------------------------------------------- evaluation


def evaluate(of: Plan, told: Sequence[Batch | Failed], until: int) -> list[Transition]:
    """Everything that changes up to a scrape, from what came in, in order."""
    intake = Intake(of, Notices(stays=math.inf))
    members = Members(of.sections.inventory)
    evaluation = Evaluation(of, intake, members, EPOCH, lambda _probe, _at: ())
    evaluation.adopt(of)
    intake.rings[SOURCE].retention = math.inf
    for one in told:
        if isinstance(one, Batch):
            intake.take(one, one.at)
        else:
            intake.fail(one, one.at)
    moves = evaluation.replay(EPOCH + STEP * np.arange(until))
    return [transition for found in moves for transition in found]


def of_worlds(worlds: Sequence[str]) -> Plan:
    """The same rules, each pipeline for itself."""

    def apart(signal: Signal) -> Signal:
        return replace(signal, by=(*signal.by, WORLD))

    judged = {
        rule.name: replace(
            rule,
            signal=apart(rule.signal),
            gate=replace(rule.gate, signal=apart(rule.gate.signal)) if rule.gate else None,
        )
        for rule in rules()
    }
    listed = Inventory.model_validate({**INVENTORY, WORLD: list(worlds)})
    return replace(plan(), rules=judged, sections=replace(plan().sections, inventory=listed))


def instant(row: int) -> float:
    return EPOCH + STEP * row


@cache
def hurt_at_every_position(kind: str, length: int) -> tuple[Transition, ...]:
    """One pipeline a position."""
    found: dict[int, list[Block]] = {}
    for position in range(LONGEST):
        rows = slice(WARM + position, WARM + position + length)
        for tape in tapes(kind):
            for at, block in _came(kind, tape, rows, end_after(length), str(position)):
                found.setdefault(at, []).append(block)
    told = [Batch(SOURCE, instant(at), tuple(found[at])) for at in sorted(found)]
    worlds = of_worlds([str(position) for position in range(LONGEST)])
    return tuple(evaluate(worlds, told, end_after(length)))


def _came(kind: str, tape: Tape, rows: Rows, end: int, world: str) -> Iterator[tuple[int, Block]]:
    """(the scrape with which it came, what came)."""
    if kind != FUTURE:
        yield end - 1, tape.hurt(hurts()[kind], rows).block(slice(0, end), world=world)
        return
    yield rows.start - 1, tape.block(slice(0, rows.start), world=world)
    for row in range(rows.start, rows.stop):
        yield row, tape.block(slice(row, row + 1), late=AHEAD, world=world)
    yield end - 1, tape.block(slice(rows.stop, end), world=world)


def hurt_answer(kind: str, positions: Sequence[int], length: int) -> list[Transition]:
    """The source itself gives nothing now and then; the samples of that time never come."""
    told: list[Batch | Failed] = []
    since = 0
    for begin in (WARM + position for position in positions):
        told.append(_answer(slice(since, begin)))
        since = begin + length
        told += [_nothing(kind, instant(row)) for row in range(begin, since)]
    return evaluate(plan(), [*told, _answer(slice(since, since + FOR_LONG))], since + FOR_LONG)


def _nothing(kind: str, at: float) -> Batch | Failed:
    if kind == ANSWERS[0]:
        return Failed(SOURCE, at, "no answer within 10 s")
    return Batch(SOURCE, at, (), complete=False, warnings=("a store did not answer",))


def _answer(rows: Rows) -> Batch:
    return Batch(SOURCE, instant(rows.stop - 1), tuple(tape.block(rows) for tape in tapes()))


def fired(transitions: Sequence[Transition]) -> set[tuple[str, str]]:
    """(detector, where) of what would be a finding other than blindness."""
    return {
        (one.detector, ", ".join(value for _, value in one.scope))
        for one in transitions
        if one.state == "fired"
    }


@pytest.mark.parametrize("length", [1, FOR_LONG], ids=["a tick", "longer than any hold"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_pipeline_that_cannot_be_seen_fires_nothing_wherever_it_begins(kind: str, length: int) -> None:
    assert fired(hurt_at_every_position(kind, length)) == set()


APART = LONGEST // 3
"""Scrapes from one single silence of a source to the next: three in one story."""
EVERY = 1 if os.environ.get(SOAK) else 10
"""Its long silences are evaluated one by one: every tenth position, and in the long form each."""


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_that_does_not_come_fires_nothing_wherever_it_is_missing(kind: str) -> None:
    for first in range(APART):
        positions = range(first, LONGEST, APART)
        assert fired(hurt_answer(kind, positions, 1)) == set(), positions


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_that_do_not_come_for_longer_than_any_hold_fire_nothing(kind: str) -> None:
    for position in range(0, LONGEST, EVERY):
        assert fired(hurt_answer(kind, [position], FOR_LONG)) == set(), position


def test_what_is_unknown_for_long_is_told_of_every_detector() -> None:
    """The harness sees: each of the eighteen says that it is blind, at each of the positions."""
    told = hurt_at_every_position("every scrape failed", FOR_LONG)
    blind = {(one.detector, dict(one.scope)[WORLD]) for one in told if one.state == "no_data"}
    assert len(blind) == len(rules()) * LONGEST


def test_the_same_pipelines_fire_when_they_stand_still_and_can_be_seen() -> None:
    """The harness would have seen a finding: observed zero is none of the kinds of unknown."""
    rows, end = slice(WARM, WARM + FOR_LONG), end_after(FOR_LONG)
    still = [tape.hurt(standing_still(names()), rows).block(slice(0, end)) for tape in tapes()]
    told = Batch(SOURCE, instant(end - 1), tuple(still))
    assert {detector for detector, _ in fired(evaluate(plan(), [told], end))} == {"ingestion-silent"}


# ---------------------------------------------------------------- the whole daemon


PROMETHEUS = "http://prometheus.test"
CONFIG = re.sub(r"  edge: .*", f"  edge: {{type: prometheus, url: {PROMETHEUS}, scrape_interval: 15s}}", BASE)
OF_ACTIONS = 42
"""Scrapes in more than the longest hold of a detector that leads to an action, 10 min."""
POSITIONS = range(LONGEST) if os.environ.get(SOAK) else range(1)
STANDING_STILL = "everything stands still"
LIVE = (
    "every scrape failed",
    "every series is absent",
    "no sample is new",
    NO_TRAFFIC,
    *ANSWERS,
    FUTURE,
)


def spans(position: int) -> list[Rows]:
    """Two single scrapes, then more than a hold; all of them while the daemon runs."""
    first, second, last = WARM + position + 3, WARM + position + 6, WARM + position + 10
    return [slice(first, first + 1), slice(second, second + 1), slice(last, last + OF_ACTIONS)]


def live(kind: str, position: int) -> tuple[World, list[Incident], list[Attempt]]:
    """The shipped pack on the virtual clock, over a Prometheus whose answers or samples go wrong now and then.

    It begins with a history to read back, in which everything is well.
    """
    known = {**hurts(), FUTURE: TARGETS["no sample is new"], STANDING_STILL: standing_still(names())}
    told = healthy(names(), spans(len(POSITIONS))[-1].stop + OF_ACTIONS)
    for rows in spans(position) if kind in known else ():
        told = tuple(tape.hurt(known[kind], rows) for tape in told)
    time = Time(instant(WARM))
    world = World(time)
    prometheus = Disturbed(told, kind, spans(position))
    for method in ("GET", "POST"):
        world.http.on(method, PROMETHEUS, prometheus)
    driver = VirtualDriver(settings_of(CONFIG), world.ports, time)
    driver.run_until(instant(spans(position)[-1].stop + OF_ACTIONS // 3))
    with driver.store.read() as uow:
        incidents = list(uow.incidents.search(limit=100).incidents)
        attempts = [attempt for incident in incidents for attempt in uow.attempts.of(incident.id)]
    return world, incidents, attempts


@pytest.mark.timeout(1_200)  # the long form tells sixty stories of some seconds each
@pytest.mark.parametrize("kind", LIVE)
def test_a_daemon_that_cannot_see_does_nothing(kind: str) -> None:
    for position in POSITIONS:
        world, incidents, attempts = live(kind, position)
        assert attempts == [], position
        assert world.effects == [], position
        blind = {incident.failure_mode for incident in incidents}
        assert blind == ({BLIND} if kind != NO_TRAFFIC else set()), position


def test_a_daemon_that_sees_a_standstill_through_the_same_door_acts() -> None:
    world, incidents, attempts = live(STANDING_STILL, 0)
    assert [incident.failure_mode for incident in incidents] == ["ingestion_stopped"]
    assert [attempt.rung for attempt in attempts] == ["restart-consumers"]
    assert world.did("startProcess ingestion-")
