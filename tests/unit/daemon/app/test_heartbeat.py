"""The outside hears that all is well only after an audit that passed; a loop that stalls is noticed there within 5 min."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace

import pytest

from config.loader import Loaded
from config.secrets import Secret
from daemon.app.audit import LATE, audit
from daemon.app.heartbeat import started
from daemon.app.host import LiveHost
from daemon.incidents.change import Change
from daemon.incidents.escalation import Escalation, EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import DAEMON
from daemon.incidents.records import DeliveryState, PageEvent
from daemon.loop.core import Loop
from daemon.loop.heart import PATIENCE, Heart
from daemon.loop.messages import Tick
from daemon.settings.model import Heartbeat, Settings
from remediations.ports import Unreachable
from tests.fakes import rows
from tests.fakes.deadman import CHECK, DeadMan
from tests.fakes.story import BASE, MINUTE, Story, settings_of

EVERY = 60.0
ALWAYS = """
poll_interval: 1m
telemetry: {edge: {every: 1m}}
working_hours: {days: [mon, tue, wed, thu, fri, sat, sun], from: "00:00", to: "24:00"}
"""
URL = f"https://hc.example.org{CHECK}"


def loaded(kind: str) -> Loaded[Settings]:
    found = copy(settings_of(BASE))
    beats = Heartbeat.model_construct(url=Secret(URL), every=EVERY, kind=kind)
    found.model = found.model.model_copy(update={"heartbeat": beats})
    return found


@dataclass
class Life:
    """A story whose loop a live host serves, and the switch outside that it feeds."""

    kind: str = "healthchecks"
    story: Story = field(default_factory=lambda: Story(ALWAYS, only=("nothing-watches",), warm=61.0))

    def __post_init__(self) -> None:
        self.switch = DeadMan(lambda: self.story.now)
        self.host = LiveHost(loaded(self.kind), self.story.world.ports, "me", "0", [].append, self.story.now)
        self.loop.host = self.host
        self.host.listen_for_beats(self.loop)
        for method in ("GET", "POST"):
            self.story.world.http.on(method, "https://hc.example.org", self.switch)

    @property
    def loop(self) -> Loop:
        return self.story.driver.loop

    def beat(self, times: int = 1) -> list[str]:
        """So many ticks of the schedule; what the switch has heard by then."""
        for _ in range(times):
            self.story.driver.hear(Tick("heartbeat"))
            self.story.run(EVERY)
        return self.switch.kinds


def broken(story: Story, what: str) -> None:
    loop, now = story.driver.loop, story.now
    match what:
        case "store":
            loop.sick_since = now
        case "detection":
            loop.board = None
        case "items":
            loop.parked.park("sf-aaaaaa", "ValueError: it", now)
        case "lease":
            with story.store.write() as uow:
                uow.lease.claim("another", now)
        case _:
            with story.store.write() as uow:
                uow.apply(ROWS[what](now))


def timer(now: float) -> Change:
    late = Escalation("sf-aaaaaa", state=EscalationState.PAGING, level=1, next_level_at=now - LATE - 1)
    return Change(incident=rows.incident("sf-aaaaaa"), escalation=late)


def page(now: float, due_at: float, **more: object) -> Change:
    row = rows.delivery(key=f"k/{due_at}", incident="sf-aaaaaa", created_at=now - 600, due_at=due_at)
    return Change(deliveries=(replace(row, **more),))  # type: ignore[arg-type]  # fields of the row


ROWS: dict[str, Callable[[float], Change]] = {
    "timers": timer,
    "pages": lambda now: page(now, now - LATE - 1),
    "clock": lambda now: Change(events=(Event("-", now + 120, Kind.NOTE, "written by a clock ahead"),)),
    "levels": lambda now: Change(
        deliveries=(
            replace(
                rows.delivery(key="k/1", incident="sf-aaaaaa", created_at=now - 60, due_at=now - 60),
                person="ana", address="ana/0", channel="webhook", state=DeliveryState.FAILED, error="HTTP 410",
                tried_at=now - 60,
            ),
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ["store", "detection", "items", "lease", *ROWS])
def test_each_check_of_the_audit_holds_the_heartbeat_back_and_is_named(what: str) -> None:
    life = Life()
    assert life.beat() == ["success"]
    broken(life.story, what)
    assert list(audit(life.loop, EVERY, life.story.now)) == [what]


def test_a_page_deferred_on_purpose_and_one_just_owed_hold_nothing_back() -> None:
    life = Life()
    now = life.story.now
    for due_at in (now + 600, now - LATE + 5):
        with life.story.store.write() as uow:
            uow.apply(page(now, due_at))
    assert audit(life.loop, EVERY, now) == {}


def test_what_waits_behind_a_page_that_is_tried_again_waits_on_purpose() -> None:
    life = Life()
    now = life.story.now
    with life.story.store.write() as uow:
        uow.apply(page(now, now + 60, tries=4, error="HTTP 503", created_at=now - 900))
        uow.apply(page(now, now - LATE - 1, event=PageEvent.RESOLVE))
    assert audit(life.loop, EVERY, now) == {}


def test_a_level_with_one_channel_left_is_not_silent() -> None:
    life = Life()
    broken(life.story, "levels")
    with life.story.store.write() as uow:
        row = ROWS["levels"](life.story.now + 1).deliveries[0]
        uow.apply(
            Change(
                deliveries=(
                    replace(
                        row,
                        key="k/2",
                        state=DeliveryState.ACCEPTED,
                        sent_at=life.story.now,
                        tried_at=life.story.now,
                    ),
                )
            )
        )
    assert audit(life.loop, EVERY, life.story.now) == {}


def test_a_switch_that_knows_failures_is_told_which_check_fails_and_a_plain_one_hears_nothing() -> None:
    telling, plain = Life(), Life(kind="plain")
    for life in (telling, plain):
        life.beat()
        broken(life.story, "items")
        life.beat()
    assert telling.switch.kinds == ["success", "fail"]
    assert telling.switch.pings[-1][2].startswith("items: 1 could not be worked on and rest: sf-aaaaaa")
    assert plain.switch.kinds == ["success"]


def test_a_start_is_told_where_it_is_understood_and_a_query_stays() -> None:
    spec = Heartbeat.model_construct(url=Secret(f"{URL}?create=1"), every=EVERY, kind="healthchecks")
    (job,) = started(spec, 0.0)
    assert job.args["beat"][:2] == ("GET", f"{URL}/start?create=1")
    assert started(spec.model_copy(update={"kind": "plain"}), 0.0) == started(None, 0.0) == ()


@pytest.mark.parametrize("stalled", ["the loop", "the schedule"])
def test_a_thread_that_stalls_is_noticed_outside_within_five_minutes(stalled: str) -> None:
    """Case 13: the watcher itself was off, and nobody knew."""
    life = Life()
    life.beat(times=10)
    assert life.switch.kinds == ["success"] * 10
    alarm = life.switch.alarms_at()
    assert alarm is not None
    assert alarm > life.story.now, "no alarm while all is well"
    stalls_at = life.story.now
    if stalled == "the schedule":
        life.story.run(10 * MINUTE)  # the loop comes round, and no tick reaches it
    else:
        life.story.driver.hear(Tick("heartbeat"))
        life.story.time.set(stalls_at + 10 * MINUTE)  # ticks come, and nobody takes them
    assert len(life.switch.kinds) == 10
    assert life.switch.alarms_at() == alarm
    assert alarm - stalls_at < 5 * MINUTE


def test_before_the_first_round_nothing_is_known_and_nothing_is_said() -> None:
    life = Life()
    life.loop.board = None
    life.host.heartbeat(life.loop, life.story.now)
    life.story.run(5.0)
    assert life.switch.kinds == []


def test_a_heartbeat_that_does_not_arrive_is_told_once_and_its_return_as_well() -> None:
    life = Life()
    life.switch.lost = True
    life.beat(times=PATIENCE - 1)
    assert own(life) == []
    life.beat(times=5)
    ((incident, state),) = own(life)
    assert state == "open"
    told = [row for row in life.story.deliveries(incident) if row.event is PageEvent.TRIGGER]
    assert len(told) == 1, "however many beats fail"
    life.switch.lost = False
    life.beat(times=2)
    assert own(life) == [(incident, "resolved")]


def test_a_restart_neither_ends_nor_repeats_what_was_told_of_the_heartbeat() -> None:
    life = Life()
    life.story.world.http.on("GET", "https://hc.example.org", Unreachable("no route"))
    life.beat(times=PATIENCE + 1)
    before = own(life)
    life.loop.heart = Heart(heard=False)
    life.story.run(2 * MINUTE)
    life.beat(times=PATIENCE + 1)
    assert own(life) == before


def own(life: Life) -> list[tuple[str, str]]:
    return [
        (i.id, str(i.state)) for i in life.story.incidents(DAEMON) if dict(i.scope) == {"part": "heartbeat"}
    ]
