"""Any order of whatever can happen to an escalation keeps its promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.outbox import begin, choose, recovered_from_restart, unwanted, waits
from daemon.escalate.owed import PAGES, reached
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
    Tick,
)
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import IncidentState
from daemon.incidents.records import Delivery, DeliveryState, Mute, MuteKind, PageEvent
from tests.fakes.paging import HOUR, MINUTE, Story

SECONDS = st.sampled_from([1.0, 59.0, MINUTE, 5 * MINUTE, 15 * MINUTE, 16 * MINUTE, HOUR])
KINDS = st.sampled_from(list(ReceiptKind))
OPEN = {IncidentState.OPEN, IncidentState.CONTAINED}


class Escalations(RuleBasedStateMachine):
    """One incident and everything that may happen to it, crashes included."""

    story: Story

    @initialize(severity=st.sampled_from(["critical", "high", "medium", "low"]))
    def begin(self, severity: str) -> None:
        self.story = Story(severity)
        self.level = 0
        self.loop = 0
        self.ended_at: float | None = None

    @property
    def open(self) -> bool:
        return self.story.incident.state in OPEN

    @rule(again=st.booleans())
    @precondition(lambda self: self.open)
    def page(self, again: bool) -> None:
        self.story.tell(PageOwed("a reason", again=again))

    @rule()
    @precondition(lambda self: self.open)
    def blind(self) -> None:
        self.story.tell(Blind("no samples"))

    @rule(contained=st.booleans())
    @precondition(lambda self: self.open)
    def heads_up(self, contained: bool) -> None:
        self.story.tell(HeadsUp("rung", contained))

    @rule(by=st.sampled_from(["ana", "ben", "zoe"]))
    def ack(self, by: str) -> None:
        self.story.tell(Acked(by))

    @rule(seconds=st.sampled_from([-1.0, 60.0, 3600.0, 7200.0]), reason=st.sampled_from(["", "why"]))
    def extend(self, seconds: float, reason: str) -> None:
        self.story.tell(Extended("ana", reason, seconds))

    @rule()
    def escalate(self) -> None:
        self.story.tell(Escalated("ana"))

    @rule(severity=st.sampled_from(["critical", "high", "medium", "low"]))
    @precondition(lambda self: self.open)
    def change_severity(self, severity: str) -> None:
        self.story.tell(SeverityRaised(severity))

    @rule()
    @precondition(lambda self: self.open)
    def recover(self) -> None:
        self.story.become(IncidentState.RECOVERED)
        self.story.tell(Recovered("rung"))

    @rule()
    @precondition(lambda self: self.story.incident.state is IncidentState.RECOVERED)
    def relapse(self) -> None:
        self.story.become(IncidentState.OPEN)
        self.story.tell(PageOwed("relapsed", again=True))

    @rule(crossing=st.booleans())
    @precondition(lambda self: not self.story.incident.ended)
    def end(self, crossing: bool) -> None:
        self.story.become(IncidentState.CLOSED)
        self.story.tell(*([Acked("ana")] if crossing else []), Ended("over"))
        self.ended_at = self.story.now

    @rule()
    @precondition(lambda self: self.story.incident.state is IncidentState.CLOSED)
    def outlive(self) -> None:
        self.story.now += 1
        self.story.become(IncidentState.OPEN)
        self.story.tell(PageOwed("still firing", again=True))
        self.ended_at = None

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.story.wait(seconds)

    @rule(seconds=SECONDS)
    def sleep(self, seconds: float) -> None:
        self.story.sleep(seconds)

    @rule(minutes=st.sampled_from([1, 30, 600]), kind=st.sampled_from(list(MuteKind)))
    def mute(self, minutes: int, kind: MuteKind) -> None:
        now = self.story.now
        self.story.mutes = (Mute("m", kind, "ben", "known", now, now + minutes * MINUTE),)

    @rule()
    def unmute(self) -> None:
        self.story.mutes = ()
        self.story.tell(Tick())

    @rule(kind=KINDS)
    def deliver(self, kind: ReceiptKind) -> None:
        self.story.deliver(kind)

    @rule()
    def begin_sending(self) -> None:
        """A worker takes something and has not answered yet."""
        for row in self._due()[:1]:
            self.story.rows[row.key] = begin(row)

    @rule(kind=KINDS)
    def answer(self, kind: ReceiptKind) -> None:
        for row in self._sending()[:1]:
            self.story.answer(row.key, Receipt(kind, "x"))

    @rule()
    def crash(self) -> None:
        for row in self._sending():
            self.story.rows[row.key] = recovered_from_restart(row, self.story.now)

    def _sending(self) -> list[Delivery]:
        return [row for row in self.story.rows.values() if row.state is DeliveryState.SENDING]

    def _due(self) -> list[Delivery]:
        rows = tuple(self.story.rows.values())
        owed = [row for row in rows if row.state is DeliveryState.OWED and row.due_at <= self.story.now]
        return [
            row
            for row in choose(owed, self._sending(), 100)
            if not waits(row, rows) and not unwanted(row, self.story.incident, self.story.escalation, rows)
        ]

    # -------------------------------------------------------- promises

    @invariant()
    def the_level_never_falls(self) -> None:
        assert self.story.escalation.level >= self.level
        assert self.story.escalation.loop >= self.loop
        self.level, self.loop = self.story.escalation.level, self.story.escalation.loop

    @invariant()
    def no_level_is_due_without_having_been_told(self) -> None:
        """Once the clock was looked at, nothing that is due is left."""
        self.story.tell(Tick())
        self.story.tell(Tick())  # a level comes before a reminder
        escalation = self.story.escalation
        if self.open and self.story.mutes == ():
            due = [escalation.next_level_at, escalation.held_until]
            due += [escalation.remind_at] if escalation.state is EscalationState.PAGING else []
            assert all(at is None or at > self.story.now for at in due)

    @invariant()
    def no_page_after_the_end(self) -> None:
        if self.ended_at is not None:
            late = [
                row
                for row in self.story.rows.values()
                if row.created_at > self.ended_at and row.event in PAGES
            ]
            assert late == []

    @invariant()
    def a_running_escalation_always_has_something_ahead(self) -> None:
        escalation = self.story.escalation
        running = escalation.state in {EscalationState.PAGING, EscalationState.ACKED}
        if running and self.open and escalation.severity in {"critical", "high"}:
            assert escalation.next_at is not None

    @invariant()
    def times_of_the_timeline_never_decrease(self) -> None:
        times = [event.at for event in self.story.events]
        assert times == sorted(times)

    def teardown(self) -> None:
        """Whatever came before: end it, let everything be answered, and count."""
        story = self.story
        story.mutes = ()
        if not story.incident.ended:
            story.become(IncidentState.RESOLVED)
            story.tell(Ended("over"))
        for row in self._sending():
            story.answer(row.key, Receipt(ReceiptKind.OK))
        for _ in range(6):
            story.deliver()
            story.now += HOUR
        self._all_rows_are_settled()
        self._every_destination_got_as_many_resolves_as_episodes_told_it()

    def _all_rows_are_settled(self) -> None:
        unsettled = {DeliveryState.OWED, DeliveryState.SENDING}
        left = [
            row.key
            for row in self.story.rows.values()
            if row.state in unsettled and row.event is not PageEvent.DIGEST
        ]
        assert left == []

    def _every_destination_got_as_many_resolves_as_episodes_told_it(self) -> None:
        for address in {row.address for row in self.story.rows.values()}:
            mine = sorted(
                (row for row in self.story.rows.values() if row.address == address),
                key=lambda row: row.created_at,
            )
            told = False
            for row in mine:
                if row.event in PAGES and reached(row):
                    told = True
                elif row.event is PageEvent.RESOLVE and row.state is not DeliveryState.DROPPED:
                    assert told, f"{row.key}: a resolve where nothing had been said"
                    told = False
            assert not told, f"{address}: told, and never told that it is over"


Escalations.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestEscalations = Escalations.TestCase


def test_the_machine_would_notice_a_resolve_that_is_missing() -> None:
    """A test must be able to fail: without its resolve the count does not come out even."""
    machine = Escalations()
    machine.begin("critical")
    machine.page(again=False)
    machine.deliver(ReceiptKind.OK)
    machine.end(crossing=False)
    machine.story.rows = {
        key: replace(row, state=DeliveryState.DROPPED) if row.event is PageEvent.RESOLVE else row
        for key, row in machine.story.rows.items()
    }
    with pytest.raises(AssertionError, match="never told that it is over"):
        machine._every_destination_got_as_many_resolves_as_episodes_told_it()
