"""What every kind of action promises, whichever it is. A new kind is tried by its row in `tests.fakes.kinds`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from config.scope import WHOLE, scope_of
from config.secrets import Redactor
from remediations.actions.action import ActionError
from remediations.actions.registry import KINDS, Actions, Prepared, mends
from remediations.outcome import EFFECT_LIMIT, OUTPUT_LIMIT, Outcome, OutcomeState
from remediations.ports import Ambiguous, Ports, Request, Response, TooLarge, Unreachable
from tests.fakes.kinds import CANARY, ENVIRONMENT, KINDS_TRIED, MANAGERS, World, plain
from tests.fakes.ports import FakePermit

HOT = scope_of({"tier": "hot"})
MARK = 100
"""Characters that the mark of a cut may take."""
TIME = 20.0
"""Seconds an action is given here."""

HOSTILE = [
    pytest.param("; rm -rf", id="a command behind it"),
    pytest.param("$(reboot)", id="a command inside it"),
    pytest.param("{{ 7*7 }}", id="a template"),
    pytest.param("{% raw %}", id="a block of a template"),
    pytest.param("../../", id="the way up"),
    pytest.param("x" * 10_000, id="10 kB"),
    pytest.param("hot\x00", id="a null byte"),
    pytest.param("hot\r\nX-Admin: yes", id="a second header"),
    pytest.param("\x1b[2J", id="a terminal's control sequence"),
    pytest.param("--force", id="an option"),
    pytest.param("hot@evil/x?y#z", id="another address"),
    pytest.param("", id="nothing"),
]


def names(tier: str) -> dict[str, Any]:
    return {"scope": {"tier": tier}, "facts": {}, "vars": {}, "incident": {"id": "i-1"}, "fault_since": 9.0}


def made(world: World) -> Actions:
    return Actions(
        MANAGERS, ENVIRONMENT.take, ENVIRONMENT.context, Redactor([CANARY]).text, world.clock.advance
    )


def prepare(world: World, kind: str, written: Mapping[str, Any] | None = None, tier: str = "hot") -> Prepared:
    return made(world).prepare({plain(kind): dict(written or KINDS_TRIED[kind].written)}, names(tier), HOT)


def perform(
    world: World, kind: str, permit: FakePermit | None = None, time: float = TIME, ports: Ports | None = None
) -> Outcome:
    """As the daemon does it: what was prepared comes back from a row."""
    rendered = json.loads(json.dumps(prepare(world, kind).rendered))
    return made(world).perform(
        plain(kind),
        rendered,
        ports or world.watched,
        deadline=world.clock.monotonic() + time,
        permit=permit or FakePermit(),
        key="k-1",
    )


@pytest.fixture
def world() -> World:
    return World()


every_kind = pytest.mark.parametrize("kind", KINDS_TRIED)


def test_every_kind_of_the_table_is_tried() -> None:
    assert {plain(kind) for kind in KINDS_TRIED} == set(KINDS)


@every_kind
def test_it_is_prepared_as_plain_data_without_secrets(world: World, kind: str) -> None:
    rendered = prepare(world, kind).rendered
    assert json.loads(json.dumps(rendered)) == rendered
    assert CANARY not in json.dumps(rendered)


@every_kind
def test_preparing_touches_nothing(world: World, kind: str) -> None:
    KINDS_TRIED[kind].ready(world, "fine")
    prepare(world, kind)
    assert KINDS_TRIED[kind].effects(world) == []
    assert world.http.requests == []


@every_kind
def test_it_declares_what_it_acts_upon_and_whether_that_disrupts_or_repeats(world: World, kind: str) -> None:
    prepared = prepare(world, kind)
    assert isinstance(prepared.disruptive, bool)
    assert isinstance(prepared.idempotent, bool)
    assert prepared.targets
    assert all(target.strip() for target in prepared.targets)
    whole = made(world).prepare({plain(kind): dict(KINDS_TRIED[kind].written)}, names("hot"), WHOLE)
    assert whole.targets, "the whole pipeline is a target too, never an empty set"


@every_kind
def test_what_mends_nothing_disrupts_nothing(world: World, kind: str) -> None:
    prepared = prepare(world, kind)
    assert prepared.mends is mends(plain(kind)) is KINDS[plain(kind)].mends
    assert prepared.mends or not prepared.disruptive


@every_kind
def test_it_is_done_once_where_it_can_be_done(world: World, kind: str) -> None:
    KINDS_TRIED[kind].ready(world, "fine")
    permit = FakePermit()
    outcome = perform(world, kind, permit)
    assert outcome.state is OutcomeState.DONE, outcome
    assert permit.asked >= 1
    assert outcome.effect
    assert outcome.ended_at >= world.clock.now()


@every_kind
def test_the_idempotency_key_travels_with_it_where_there_is_a_way_to_say_it(world: World, kind: str) -> None:
    tried = KINDS_TRIED[kind]
    tried.ready(world, "fine")
    perform(world, kind)
    if tried.keys is None:
        assert "k-1" not in str(world.http.requests), "there is a way: name it in the kind's row"
    else:
        assert tried.keys(world) == ["k-1"]


@every_kind
def test_while_everything_is_paused_nothing_is_touched(world: World, kind: str) -> None:
    KINDS_TRIED[kind].ready(world, "fine")
    permit = FakePermit(grants=False)
    assert perform(world, kind, permit).state is OutcomeState.NOT_DONE
    assert permit.asked == 1
    assert KINDS_TRIED[kind].effects(world) == []


@every_kind
def test_the_permit_is_asked_before_the_world_is_touched(world: World, kind: str) -> None:
    tried = KINDS_TRIED[kind]
    tried.ready(world, "fine")
    seen: list[int] = []
    perform(world, kind, FakePermit(on_ask=lambda: seen.append(len(tried.effects(world)))))
    assert seen[0] == 0


@every_kind
def test_no_door_is_given_more_time_than_the_action_has(world: World, kind: str) -> None:
    KINDS_TRIED[kind].ready(world, "fine")
    until = world.clock.monotonic() + TIME
    perform(world, kind)
    assert all(given <= until for given in world.deadlines)


@pytest.mark.parametrize("kind", [kind for kind, tried in KINDS_TRIED.items() if tried.never_ends])
def test_what_never_ends_is_left_at_its_deadline_and_nobody_says_that_it_was_done(
    world: World, kind: str
) -> None:
    never_ends = KINDS_TRIED[kind].never_ends
    assert never_ends is not None
    never_ends(world)
    started = world.clock.monotonic()
    assert perform(world, kind).state is OutcomeState.UNKNOWN
    assert all(given <= started + TIME for given in world.deadlines)
    assert world.clock.monotonic() <= started + TIME + 3.0, "one answer's own time at most"


@every_kind
def test_what_the_world_says_is_kept_short_and_without_secrets(world: World, kind: str) -> None:
    KINDS_TRIED[kind].ready(world, f"{CANARY} {'word ' * 20_000}{CANARY}")
    outcome = perform(world, kind)
    assert CANARY not in str(outcome)
    assert len(outcome.output) <= OUTPUT_LIMIT + MARK
    assert len(outcome.effect) <= EFFECT_LIMIT + MARK


class _Down:
    """An http door behind which nothing works."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        raise self._error


@pytest.mark.parametrize("error", [Unreachable("refused"), Ambiguous("lost"), TooLarge("too large")])
@pytest.mark.parametrize("kind", [kind for kind, tried in KINDS_TRIED.items() if tried.touches])
def test_what_the_world_refuses_is_an_outcome_and_no_error(world: World, kind: str, error: Exception) -> None:
    inner = world.ports
    ports = Ports(_Down(error), inner.processes, inner.files, inner.databases, inner.clock)
    outcome = perform(world, kind, ports=ports)
    assert outcome.state in {OutcomeState.FAILED, OutcomeState.UNKNOWN}
    assert outcome.ended_at == world.clock.now()


PLACES = [
    pytest.param(kind, written, id=f"{kind}-{number}")
    for kind, tried in KINDS_TRIED.items()
    for number, written in enumerate((tried.written, *tried.places))
    if tried.filled
]


@pytest.mark.parametrize("tier", HOSTILE)
@pytest.mark.parametrize(("kind", "written"), PLACES)
def test_no_hostile_label_gets_into_an_action(
    world: World, kind: str, written: Mapping[str, Any], tier: str
) -> None:
    with pytest.raises(ActionError) as caught:
        prepare(world, kind, written, tier)
    assert len(str(caught.value)) < 1_000, "a reason is for people to read"
    if len(tier) > 2:
        assert tier not in str(caught.value), "what was refused is not passed on to logs and pages"
