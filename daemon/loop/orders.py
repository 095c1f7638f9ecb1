"""Orders: what people asked for, carried out by the loop alone, each in its own transaction, each with an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from config.problems import did_you_mean
from config.scope import scope_of
from daemon.escalate import proving, receipts
from daemon.escalate.triggers import Acked, Ended, Escalated, Extended, HandedOver
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import QUIET_AFTER_CLOSE, STORM, Incident
from daemon.incidents.records import Mute, MuteKind, Order, OrderState, PipelineChange
from daemon.incidents.transitions import INCIDENT, IncidentEvent, incident_after
from daemon.loop import drills
from daemon.loop.ground import Ground
from daemon.loop.storms import release
from daemon.mitigate import paying
from daemon.mitigate.moves import Approval
from daemon.store.unit import UnitOfWork

MOST_TESTS, TESTS_WITHIN = 3, 60.0
"""Test pages that one channel takes, and within how many seconds: whoever asks in a loop wakes nobody in a loop."""
DAEMON_TIMELINE = "-"
"""What concerns no single incident stands on this timeline."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person is told, and whether it was done."""

    text: str
    done: bool = True


Handler = Callable[[Ground, UnitOfWork, Order, float], Answer]


def carry_out(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    """Do what the order says and settle it in the same transaction."""
    handler = HANDLERS.get(order.kind)
    answer = (
        Answer(f"there is no order {order.kind}", False)
        if handler is None
        else handler(loop, uow, order, now)
    )
    state = OrderState.DONE if answer.done else OrderState.REFUSED
    uow.inbox.settle_order(order.id, state, answer.text)
    return answer


def _incident(uow: UnitOfWork, order: Order) -> Incident | None:
    return uow.incidents.get(order.incident) if order.incident else None


def _on_escalation(make: Callable[[Order], Acked | Extended | Escalated | HandedOver]) -> Handler:
    def handle(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
        incident = _incident(uow, order)
        if incident is None:
            return Answer("no such incident", False)
        answers = loop.tell(uow, incident, (make(order),), now)
        return Answer("; ".join(answers) or "noted")

    return handle


def _handoff(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    to, people = str(order.args.get("to", "")), loop.stages.escalate.setup.directory.people
    if to not in people:
        return Answer(f"there is no person {to!r}. {did_you_mean(to, people)}".strip(), False)
    make = _on_escalation(lambda one: HandedOver(one.who, to, str(one.args.get("reason", ""))))
    return make(loop, uow, order, now)


def _resolve(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    incident = _incident(uow, order)
    if incident is None or (incident.state, IncidentEvent.CLOSE) not in INCIDENT:
        return Answer("no such open incident", False)
    reason = str(order.args.get("reason", ""))
    lasts = float(order.args.get("for", QUIET_AFTER_CLOSE))
    closed = replace(
        incident,
        state=incident_after(incident.state, IncidentEvent.CLOSE),
        resolved_at=now,
        resolved_by=order.who,
        quiet_until=now + lasts,
    )
    text = f"Closed by {order.who}, not verified" + (f": {reason}." if reason else ".")
    data = {"by": order.who, "via": order.via, "reason": reason, "pages_again_at": now + lasts}
    event = Event(incident.id, now, Kind.CLOSED, text, data, order.who)
    loop.apply(uow, Change(incident=closed, events=(event,)))
    loop.advance(uow, incident.id, now)
    loop.tell(uow, closed, (Ended(text),), now)
    if incident.failure_mode == STORM:
        release(loop, uow, now)
    return Answer("closed, not verified; pages again if it still fires by then")


def _resume(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    incident = _incident(uow, order)
    if incident is None or incident.ended:
        return Answer("no such open incident", False)
    progress = loop.stages.mitigate.resume(uow, incident, order.who, now)
    if progress is None:
        return Answer("nothing to resume: a rung is still under way, or no playbook matches", False)
    loop.keep(uow, incident, progress, now)
    return Answer("the ladder is climbed again from its first rung")


def _decide(approved: bool) -> Handler:
    def handle(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
        incident = _incident(uow, order)
        if incident is None:
            return Answer("no such incident", False)
        meant = str(order.args.get("rung", ""))
        proposed = loop.stages.mitigate.proposed(uow.runs.get(incident.id))
        if proposed is not None and meant in {"", proposed}:
            approval = Approval(order.who, approved, str(order.args.get("reason", "")))
            loop.advance(uow, incident.id, now, approval)
            return Answer(
                "approved: the fault is checked once more before it runs" if approved else "rejected"
            )
        change = paying.decide(uow, incident.id, order.who, now, approved=approved, rung=meant)
        if change is None:
            said = f"{meant} is not proposed" if meant else "nothing is proposed"
            return Answer(said + (f" now: {proposed} is" if proposed else ""), False)
        loop.apply(uow, change)
        return Answer(
            "approved: its pre-check is asked once more" if approved else "rejected: the debt is waived"
        )

    return handle


def _note(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    incident = _incident(uow, order)
    if incident is None:
        return Answer("no such incident", False)
    text = str(order.args.get("text", ""))
    event = Event(
        incident.id, now, Kind.NOTE, f"{order.who}: {text}", {"by": order.who, "text": text}, order.who
    )
    loop.apply(uow, Change(events=(event,)))
    return Answer("noted")


def _verdict(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    incident = _incident(uow, order)
    if incident is None:
        return Answer("no such incident", False)
    verdict, text = str(order.args.get("verdict")), str(order.args.get("text", ""))
    said = f"{order.who} says: {verdict.replace('_', ' ')}" + (f" ({text})." if text else ".")
    data = {"by": order.who, "verdict": verdict, "text": text}
    loop.apply(uow, Change(events=(Event(incident.id, now, Kind.HUMAN_VERDICT, said, data, order.who),)))
    return Answer("noted")


def _unlock(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    target, reason = str(order.args.get("target")), str(order.args.get("reason"))
    lock = uow.locks.get(target)
    if lock is None:
        return Answer(f"{target} is not locked", False)
    text = f"{order.who} unlocked {target}: {reason}."
    event = Event(lock.incident, now, Kind.NOTE, text, {"target": target, "reason": reason}, order.who)
    loop.apply(uow, Change(unlocks=(target,), events=(event,)))
    return Answer(f"{target} is unlocked")


def _mute(kind: MuteKind) -> Handler:
    def handle(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
        lasts = order.args.get("for")
        starts = float(order.args.get("at", now))
        matchers: Mapping[str, str] = dict(order.args.get("scope", {}))
        if kind is MuteKind.SILENCE and lasts is None:
            return Answer("a silence needs an end", False)
        mute = Mute(
            id=f"{kind}-{order.id}",
            kind=kind,
            owner=order.who,
            reason=str(order.args.get("reason", "")),
            starts_at=starts,
            ends_at=None if lasts is None else starts + float(lasts),
            matchers=matchers,
        )
        what = ", ".join(f"{name}={value}" for name, value in sorted(matchers.items())) or "everything"
        text = f"{order.who} set {kind} over {what}" + (f": {mute.reason}." if mute.reason else ".")
        event = Event(DAEMON_TIMELINE, now, Kind.DAEMON, text, {"what": str(kind), "id": mute.id}, order.who)
        loop.apply(uow, Change(mutes=(mute,), events=(event,)))
        return Answer(mute.id)

    return handle


def _unpause(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    """Lift one reason by id, else every reason of the kind with the same matchers."""
    kind = MuteKind(str(order.args.get("kind", "pause")))
    wanted, matchers = order.args.get("id"), dict(order.args.get("scope", {}))
    hit = [
        mute
        for mute in uow.mutes.listed()
        if mute.lifted_at is None
        and (mute.ends_at is None or now < mute.ends_at)
        and (mute.id == wanted if wanted else mute.kind is kind and dict(mute.matchers) == matchers)
    ]
    if not hit:
        return Answer("nothing of that kind is in force", False)
    lifted = tuple(replace(mute, lifted_at=now, lifted_by=order.who) for mute in hit)
    names = ", ".join(mute.id for mute in hit)
    event = Event(
        DAEMON_TIMELINE, now, Kind.DAEMON, f"{order.who} lifted {names}.", {"what": "lifted"}, order.who
    )
    loop.apply(uow, Change(mutes=lifted, events=(event,)))
    left = [m for m in uow.mutes.active(now) if m.kind is kind]
    release(loop, uow, now)
    return Answer(f"lifted {names}" + (f"; {len(left)} other reason(s) still hold" if left else ""))


def _pipeline_change(_: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    args = order.args
    change = PipelineChange(
        at=float(args.get("at", now)),
        what=str(args.get("what")),
        who=str(args.get("who", order.who)),
        ref=str(args.get("ref", "")),
        scope=scope_of(dict(args.get("scope", {}))),
    )
    uow.pipeline.add(change)
    return Answer("recorded")


def _drill(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    return Answer(*drills.asked(loop, uow, order, now))


def _reload(loop: Ground, _: UnitOfWork, order: Order, __: float) -> Answer:
    loop.host.reload(order.who)
    return Answer("reloading")


def _receipt(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    changes = []
    for report in loop.stages.escalate.each(uow, order):
        change = loop.stages.escalate.heard(uow, report, now)
        if change is not None:
            loop.apply(uow, change)
            changes.append(change)
    if not changes:
        return Answer("no such message", False)
    return Answer("known already" if all(change.empty for change in changes) else "noted")


def _page_test(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> Answer:
    args = order.args
    change = loop.stages.escalate.test_page(
        str(args.get("person", "")), now, channel=str(args.get("channel", proving.FIRST))
    )
    if not change.deliveries:
        return Answer("no such person, or no channel to try", False)
    tested = Counter(
        row.address for row in uow.deliveries.tests(limit=500) if now - row.created_at < TESTS_WITHIN
    )
    if any(tested[row.address] >= MOST_TESTS for row in change.deliveries):
        return Answer(f"tested {MOST_TESTS} times within the last minute already: wait for the next", False)
    loop.apply(uow, change)
    return Answer(", ".join(delivery.key for delivery in change.deliveries))


HANDLERS: Mapping[str, Handler] = {
    "ack": _on_escalation(lambda order: Acked(order.who, order.via)),
    "extend": _on_escalation(
        lambda order: Extended(
            order.who, str(order.args.get("reason", "")), float(order.args.get("for", 0.0))
        )
    ),
    "escalate": _on_escalation(lambda order: Escalated(order.who, str(order.args.get("reason", "")))),
    "handoff": _handoff,
    "resolve": _resolve,
    "resume": _resume,
    "approve": _decide(approved=True),
    "reject": _decide(approved=False),
    "note": _note,
    "verdict": _verdict,
    "unlock": _unlock,
    "pause": _mute(MuteKind.PAUSE),
    "silence": _mute(MuteKind.SILENCE),
    "maintenance": _mute(MuteKind.MAINTENANCE),
    "unpause": _unpause,
    "change": _pipeline_change,
    "drill": _drill,
    "reload": _reload,
    receipts.ORDER: _receipt,
    "page_test": _page_test,
}
