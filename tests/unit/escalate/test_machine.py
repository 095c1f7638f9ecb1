"""Any order of whatever can happen to pages, on the real store and stage: nothing lost, nothing twice, one end each.

`paging.md` 3 is the list of promises. The machine plays two incidents, so that what crosses is seen too.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from daemon.escalate.message import ReceiptKind
from daemon.escalate.owed import PAGES
from daemon.escalate.receipts import Fate
from daemon.escalate.rules import Level
from daemon.escalate.triggers import (
    Acked,
    Blind,
    Ended,
    Escalated,
    Extended,
    HeadsUp,
    PageOwed,
    Recovered,
    SeverityRaised,
)
from daemon.incidents.escalation import Escalation, EscalationState
from daemon.incidents.events import Event
from daemon.incidents.model import Incident, IncidentState, worse
from daemon.incidents.records import Mute, MuteKind, PageEvent
from daemon.store.store import Store
from tests.conftest import COUNTED, SOAK
from tests.fakes.paging import HOUR, MINUTE, POLICY
from tests.unit.escalate.kept import each_who_was_told_heard_of_one_end, somebody_was_told, something_is_ahead
from tests.unit.escalate.life import Life, fresh

pytestmark = pytest.mark.timeout(400)

LONG = bool(os.environ.get(SOAK))
EXAMPLES, STEPS = (4000, 80) if LONG else (190, 80)
AT_LEAST = 200_000 if LONG else 10_000
PHASES = [phase for phase in Phase if phase is not Phase.explain]
NAMES = st.sampled_from(["a", "b"])
SECONDS = st.sampled_from([1.0, 59.0, MINUTE, 5 * MINUTE, 15 * MINUTE, 16 * MINUTE, HOUR, 10 * HOUR])
KINDS = st.sampled_from(list(ReceiptKind))
SEVERITIES = st.sampled_from(["critical", "critical", "high", "medium", "low"])
WHO = st.sampled_from(["ana", "ben", "zoe"])
OPEN = {IncidentState.OPEN, IncidentState.CONTAINED}
SHORTER = replace(
    POLICY,
    levels=(
        POLICY.levels[0],
        Level(("person:dan",), {"critical": 600.0, "high": 600.0}, {"critical": 300.0, "high": 300.0}),
    ),
    remind={},
)
"""What a reload may put in the place of the policy."""


class Paging(RuleBasedStateMachine):
    """Two incidents, what people and providers do, and a daemon that dies, sleeps, reloads and loses its clock."""

    steps = 0
    deaths = 0

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(Store.open("sqlite://"))
        self.levels: dict[str, tuple[int, int]] = {}
        self.times: dict[str, float] = {}
        self.muted = False
        self.seen = 0
        self.incidents: dict[str, Incident] = {}
        self.counted = 0

    @initialize(one=SEVERITIES, other=SEVERITIES)
    def begin(self, one: str, other: str) -> None:
        for key, severity in (("a", one), ("b", other)):
            self.incidents[key] = fresh(key, severity, self.life.now)
            self.life.begin(self.incidents[key])

    def is_open(self, key: str) -> bool:
        return self.state(key) in OPEN

    def state(self, key: str) -> IncidentState:
        """As the last step left it."""
        return self.incidents[key].state

    # ------------------------------------------------------------ what happens to incidents

    @rule(key=NAMES, again=st.booleans(), dies=st.booleans())
    def owe(self, key: str, again: bool, dies: bool) -> None:
        if self.is_open(key):
            self.deaths_of(dies)
            self.life.tell(key, PageOwed("a reason", again=again), dies=dies)

    @rule(key=NAMES)
    def blind(self, key: str) -> None:
        if self.is_open(key):
            self.life.tell(key, Blind("no samples"))

    @rule(key=NAMES, contained=st.booleans())
    def heads_up(self, key: str, contained: bool) -> None:
        if self.is_open(key):
            self.life.tell(key, HeadsUp("rung", contained))

    @rule(key=NAMES, severity=SEVERITIES)
    def grow_worse(self, key: str, severity: str) -> None:
        if self.is_open(key):
            worst = worse(self.incidents[key].severity, severity)
            self.life.tell(key, SeverityRaised(worst), severity=worst)

    @rule(key=NAMES, dies=st.booleans())
    def recover(self, key: str, dies: bool) -> None:
        if self.is_open(key):
            self.deaths_of(dies)
            self.life.tell(key, Recovered("rung"), dies=dies, state=IncidentState.RECOVERED)

    @rule(key=NAMES)
    def relapse(self, key: str) -> None:
        if self.state(key) is IncidentState.RECOVERED:
            self.life.tell(key, PageOwed("relapsed", again=True), state=IncidentState.OPEN)

    @rule(key=NAMES, crossing=st.booleans(), dies=st.booleans())
    def end(self, key: str, crossing: bool, dies: bool) -> None:
        if not self.incidents[key].ended:
            self.deaths_of(dies)
            said = [Acked("ana")] if crossing else []
            self.life.tell(
                key, *said, Ended("over"), dies=dies, state=IncidentState.CLOSED, resolved_at=self.life.now
            )

    @rule(key=NAMES)
    def outlive(self, key: str) -> None:
        if self.state(key) is IncidentState.CLOSED:
            self.life.now += 1
            self.life.tell(
                key, PageOwed("still firing", again=True), state=IncidentState.OPEN, resolved_at=None
            )

    # ------------------------------------------------------------ what people do

    @rule(key=NAMES, by=WHO, dies=st.booleans())
    def ack(self, key: str, by: str, dies: bool) -> None:
        self.deaths_of(dies)
        self.life.tell(key, Acked(by), dies=dies)

    @rule(
        key=NAMES, seconds=st.sampled_from([-1.0, 60.0, 3600.0, 7200.0]), reason=st.sampled_from(["", "why"])
    )
    def extend(self, key: str, seconds: float, reason: str) -> None:
        before = self.life.escalation(key)
        self.life.tell(key, Extended("ana", reason, seconds))
        after = self.life.escalation(key)
        moved = (after.next_level_at or 0.0) - (before.next_level_at or 0.0)
        assert moved == 0.0 or (moved == seconds and moved <= HOUR and bool(reason))
        assert after.extensions <= 2

    @rule(key=NAMES, by=WHO)
    def escalate(self, key: str, by: str) -> None:
        self.life.tell(key, Escalated(by, "help"))

    @rule(minutes=st.sampled_from([1, 30, 600]), kind=st.sampled_from(list(MuteKind)))
    def mute(self, minutes: int, kind: MuteKind) -> None:
        now = self.life.now
        self.life.mute(Mute("m", kind, "ben", "known", now, now + minutes * MINUTE))
        self.muted = True

    @rule()
    @precondition(lambda self: self.muted)
    def unmute(self) -> None:
        self.life.mute(Mute("m", MuteKind.SILENCE, "ben", "known", 0.0, 1.0))
        self.muted = False
        self.life.tick()

    @rule(shorter=st.booleans())
    def reload(self, shorter: bool) -> None:
        before = [self.life.escalation(key) for key in "ab"]
        policy = SHORTER if shorter else POLICY
        self.life.setup = replace(self.life.setup, policies={"default": policy})
        self.life.stage.setup = self.life.setup
        self.life.tick()
        after = [self.life.escalation(key) for key in "ab"]
        assert [row.policy for row in before] == [row.policy for row in after], (
            "a running clock keeps its policy"
        )

    # ------------------------------------------------------------ what providers do

    @rule(slots=st.sampled_from([1, 8]))
    def dispatch(self, slots: int) -> None:
        for job in self.life.dispatch(slots):
            self.may_be_sent(job.args["message"].event, job.incident, job.args["message"].note)

    def may_be_sent(self, event: PageEvent, incident: str, note: str) -> None:
        """No page after the end but the resolve, which those who only read about it get as a note."""
        if self.incidents[incident].ended:
            ends = event is PageEvent.RESOLVE or (event is PageEvent.STATUS and note == "over")
            assert ends or event is PageEvent.DIGEST, f"{event} of {incident} leaves after the end"

    @rule(kind=KINDS, arrives=st.booleans(), proof=st.booleans(), last=st.booleans())
    def send(self, kind: ReceiptKind, arrives: bool, proof: bool, last: bool) -> None:
        """Workers take their time: the last that was handed over may be the first that is sent."""
        letters = [one for one in self.life.letters if one.answer is None]
        for letter in letters[-1:] if last else letters[:1]:
            self.life.send(letter, kind, arrives=arrives, proof=proof)

    @rule(last=st.booleans())
    def book(self, last: bool) -> None:
        letters = [one for one in self.life.letters if one.answer is not None]
        for letter in letters[-1:] if last else letters[:1]:
            self.life.book(letter)

    @rule(kind=KINDS)
    def answer_all(self, kind: ReceiptKind) -> None:
        for letter in list(self.life.letters):
            if letter.answer is None:
                self.life.send(letter, kind)
            self.life.book(letter)

    @rule(key=NAMES, fate=st.sampled_from(list(Fate)))
    def callback(self, key: str, fate: Fate) -> None:
        """Of a message that arrived, whatever we know of it, and in whatever order; no provider takes back `delivered`."""
        arrived = [one.key for one in self.life.taken if one.incident == key]
        for name in arrived[-1:]:
            self.life.say(name, fate)

    # ------------------------------------------------------------ what happens to the daemon

    def deaths_of(self, dies: bool) -> None:
        type(self).deaths += dies

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.life.wait(seconds)
        self.looked()

    @rule(seconds=SECONDS)
    def sleep(self, seconds: float) -> None:
        """Down for so long."""
        self.deaths_of(True)
        self.life.now += seconds
        self.life.restart()
        self.look_at_everything()
        self.looked()

    @rule()
    def crash(self) -> None:
        """Between any two commits, with whatever is in the workers' hands."""
        self.deaths_of(True)
        self.life.restart()

    @rule(seconds=st.sampled_from([-2 * HOUR, -30.0, 90.0, 2 * HOUR]))
    def step_clock(self, seconds: float) -> None:
        """The wall clock is set: nothing fires in this look, and what was recorded never fires again."""
        if seconds < 0:
            self.look_at_everything()
            self.promises_are_kept()
        before = {key: len(self.pages(key)) for key in "ab"}
        self.life.now += seconds
        self.times = {}
        if seconds < 0:
            self.life.commit(lambda uow: self.life.stage.stepped_back(uow, self.life.now))
            self.life.tick()
            assert {key: len(self.pages(key)) for key in "ab"} == before, "a step back fired something"

    # ------------------------------------------------------------ promises

    def look_at_everything(self) -> None:
        self.life.tick()
        self.life.tick()  # a level comes before a reminder

    def pages(self, key: str) -> list[str]:
        return [row.key for row in self.life.rows(key) if row.event in PAGES]

    def looked(self) -> None:
        """Once the clock was looked at nothing that is due is left, and who is at a level was told or passed over."""
        with self.life.store.read() as uow:
            hushed = any(mute.kind is not MuteKind.PAUSE for mute in uow.mutes.active(self.life.now))
        for key in "ab":
            escalation = self.life.escalation(key)
            running = escalation.state in {EscalationState.PAGING, EscalationState.ACKED}
            if not running or self.incidents[key].ended:
                continue
            if not hushed and self.is_open(key):
                due = [escalation.next_level_at, escalation.held_until]
                due += [escalation.remind_at] if escalation.state is EscalationState.PAGING else []
                assert all(at is None or at > self.life.now for at in due), f"{key} is due and nobody is told"
            levels = {row.level for row in self.life.rows(key) if row.event in PAGES}
            assert escalation.level in {0, *levels}, f"L{escalation.level} of {key} without a page"

    @invariant()
    def one_more(self) -> None:
        type(self).steps += 1

    @invariant()
    def promises_are_kept(self) -> None:
        """After every step; read at once, as reading is most of what a step costs."""
        with self.life.store.read() as uow:
            escalations = [found for key in "ab" if (found := uow.escalations.get(key))]
            self.incidents = {key: one for key in "ab" if (one := uow.incidents.get(key))}
            news = uow.timeline.tail(self.seen, limit=10_000)
        for escalation in escalations:
            self.no_level_falls(escalation)
            if self.is_open(escalation.id):
                something_is_ahead(escalation)
        for seq, event in news:
            self.times_never_decrease(seq, event)
        self.nothing_comes_twice_but_for_a_death_or_a_silence()

    def no_level_falls(self, row: Escalation) -> None:
        level, loop = self.levels.get(row.id, (0, 0))
        assert row.level >= level, f"{row.id} fell from L{level} to L{row.level}"
        assert row.loop >= loop
        self.levels[row.id] = (row.level, row.loop)

    def times_never_decrease(self, seq: int, event: Event) -> None:
        """But where the clock itself was set back."""
        self.seen = seq
        assert event.at >= self.times.get(event.incident, float("-inf")), event
        self.times[event.incident] = event.at
        assert event.data.get("what") != "parked", event

    def nothing_comes_twice_but_for_a_death_or_a_silence(self) -> None:
        news, self.counted = self.life.taken[self.counted :], len(self.life.taken)
        everything = Counter(one.key for one in self.life.taken) if news else Counter()
        for key in {one.key for one in news}:
            count = everything[key]
            assert count <= 1 + self.life.excused[key], f"{key} came {count} times"

    def teardown(self) -> None:
        try:
            self.providers_are_well_again()
            for key in filter(self.is_open, "ab"):
                somebody_was_told(self.life, key)
            self.everything_ends()
            self.settled()
            for key in "ab":
                each_who_was_told_heard_of_one_end(self.life, key)
        finally:
            self.life.store.close()

    def providers_are_well_again(self) -> None:
        if self.muted:
            self.unmute()
        self.drain(30)

    def drain(self, rounds: int) -> None:
        """Whatever is owed and due goes out, and is taken."""
        for _ in range(rounds):
            for _ in range(20):
                if not self.life.serve():
                    break
            if not [row for row in self.life.unsettled() if row.event is not PageEvent.DIGEST]:
                return
            self.life.now += 5 * MINUTE

    def everything_ends(self) -> None:
        for key in "ab":
            if not self.incidents[key].ended:
                self.end(key, crossing=False, dies=False)
        self.drain(400)
        self.life.now = max(
            [self.life.now, *(row.due_at for row in self.life.unsettled())]
        )  # the next digest
        self.drain(30)

    def settled(self) -> None:
        left = self.life.unsettled()
        assert left == [], f"not settled: {[(row.key, row.state, row.error) for row in left]}"


@pytest.mark.long
def test_any_order_of_events_keeps_the_promises(record_property: Callable[[str, object], None]) -> None:
    Paging.steps = Paging.deaths = 0
    run_state_machine_as_test(
        Paging,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
    record_property(COUNTED, f"paging: {Paging.steps} steps in any order, {Paging.deaths} deaths, 0 lost")
    assert Paging.steps >= AT_LEAST
