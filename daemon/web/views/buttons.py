"""What a person may order about an incident now: each button says what it does, and the command that does the same."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from daemon.desk.orders import VERDICTS, fires
from daemon.document.dossier import Dossier
from daemon.document.sentence import next_level
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import QUIET_AFTER_CLOSE, IncidentState
from daemon.web.views.button import WHY, Button, Field
from daemon.web.views.reader import Reader
from daemon.web.views.returns import asking, waiting
from remediations.run import IN_FLIGHT, RunState

_WHY_NEEDED = Field("reason", "Why (goes on the timeline)", needed=True)
_LENGTHS = (("15m", "15 min"), ("30m", "30 min"), ("1h", "1 hour"))
_HOLDS = (("1h", "1 hour"), ("4h", "4 hours"), ("1d", "1 day"))


def buttons(
    dossier: Dossier, rung: str | None, reader: Reader, people: Mapping[str, str] = MappingProxyType({})
) -> list[Button]:
    """The orders that make sense now, the one to think of first on top. `people`: id to name, whom it may be given to."""
    returns = [button for one in asking(dossier.debts) for button in one.orders]
    if dossier.run is not None and dossier.run.state not in IN_FLIGHT:
        returns += [button for one in waiting(dossier.debts) for button in one.orders]
    if dossier.incident.ended:
        return [*returns, _note(dossier), _verdict(dossier)]
    return [
        *_proposal(dossier, rung),
        *_clock(dossier, reader),
        *_resume(dossier),
        *returns,
        *_handoff(dossier, people),
        _resolve(dossier, reader),
        _note(dossier),
        _verdict(dossier),
    ]


def _proposal(dossier: Dossier, rung: str | None) -> list[Button]:
    run, key = dossier.run, dossier.incident.id
    if run is None or run.state is not RunState.PROPOSED:
        return []
    what = rung or "the proposed step"
    tied = (("rung", rung),) if rung else ()
    flag = f" --rung {rung}" if rung else ""
    return [
        Button(
            "approve",
            f"Approve {what}",
            "the fault is looked for once more on fresh data, then it runs at once",
            f"fleetmend approve {key}{flag}",
            ask=f"{what} changes the running pipeline. Let it run?",
            weight="first",
            hidden=tied,
        ),
        Button(
            "reject",
            f"Reject {what}",
            "it is not run; the ladder ends here and L1 is paged",
            f"fleetmend reject {key}{flag}",
            fields=(WHY,),
            hidden=tied,
        ),
    ]


def _clock(dossier: Dossier, reader: Reader) -> list[Button]:
    escalation, key = dossier.escalation, dossier.incident.id
    if escalation is None or escalation.state is EscalationState.ENDED or escalation.level == 0:
        return [
            Button(
                "escalate",
                "Page L1 now",
                "does not wait for the ladder; no new step starts after it",
                f"fleetmend escalate {key}",
                ask="This wakes whoever is on call, and the daemon starts no new step. Page now?",
                fields=(WHY,),
                weight="grave",
            )
        ]
    level = next_level(dossier)
    at = escalation.next_level_at
    still = f"L{level} still {reader.both(at)}" if at is not None else "the clock runs on"
    found = []
    if escalation.state is EscalationState.PAGING:
        found.append(
            Button("ack", "Acknowledge", f"stops reminders, {still}", f"fleetmend ack {key}", weight="first")
        )
    if at is not None:
        found.append(
            Button(
                "extend",
                "Extend",
                f"moves L{level} from {reader.both(at)} to later",
                f'fleetmend extend {key} --for 30m --reason "…"',
                fields=(Field("for", "By", needed=True, value="30m", choices=_LENGTHS), _WHY_NEEDED),
            )
        )
    found.append(
        Button(
            "escalate",
            f"Tell L{level} now",
            "does not wait for the clock",
            f"fleetmend escalate {key}",
            ask=f"This wakes L{level} now. Go on?",
            fields=(WHY,),
            weight="grave",
        )
    )
    return found


def _handoff(dossier: Dossier, people: Mapping[str, str]) -> list[Button]:
    escalation = dossier.escalation
    paged = escalation is not None and escalation.level > 0 and escalation.state is not EscalationState.ENDED
    if not paged or not people or dossier.incident.state is IncidentState.RECOVERED:
        return []
    return [
        Button(
            "handoff",
            "Hand over",
            "pages whom you give it to, who has to acknowledge; the next level keeps its time",
            f"fleetmend handoff {dossier.incident.id} --to {'|'.join(list(people)[:3])}",
            ask="This pages them now. Go on?",
            fields=(Field("to", "To", needed=True, choices=tuple(people.items())), WHY),
            weight="grave",
        )
    ]


def _resume(dossier: Dossier) -> list[Button]:
    run, key = dossier.run, dossier.incident.id
    if run is None or run.state not in {RunState.GAVE_UP, RunState.DONE} or run.state in IN_FLIGHT:
        return []
    return [
        Button(
            "resume",
            "Resume",
            "hands the wheel back: the ladder is climbed again from its first rung",
            f"fleetmend resume {key}",
            ask="Actions may start within seconds, as far as the guardrails allow. Hand the wheel back?",
            fields=(WHY,),
            weight="grave",
        )
    ]


def _resolve(dossier: Dossier, reader: Reader) -> Button:
    firing, key = fires(dossier.incident), dossier.incident.id
    again = reader.both(reader.now + QUIET_AFTER_CLOSE)
    return Button(
        "resolve",
        "Close, not verified",
        f"stops everything about it; pages again if it still fires at {again}",
        f"fleetmend resolve {key}" + (' --reason "…"' if firing else ""),
        ask="It still fires. Close it all the same?" if firing else "Close it without verification?",
        fields=(
            Field("for", "Page again if it still fires after", value="1h", choices=_HOLDS),
            _WHY_NEEDED if firing else WHY,
        ),
        weight="grave",
    )


def _note(dossier: Dossier) -> Button:
    return Button(
        "note",
        "Note",
        "writes a line on the timeline",
        f'fleetmend note {dossier.incident.id} "…"',
        fields=(Field("text", "Text", needed=True, long=True),),
    )


def _verdict(dossier: Dossier) -> Button:
    words = tuple((word, word.replace("_", " ")) for word in VERDICTS)
    return Button(
        "verdict",
        "Say what it was",
        "real, a false alarm, or planned work: thresholds are tuned by it",
        f"fleetmend verdict {dossier.incident.id} {'|'.join(VERDICTS)}",
        fields=(
            Field("verdict", "It was", needed=True, value="real", choices=words),
            Field("text", "What else to remember"),
        ),
    )


def whole(paused: bool) -> list[Button]:
    """Orders about everything."""
    pause = Button(
        "pause",
        "Pause everything",
        "no action starts anywhere; watching and paging go on",
        'fleetmend pause --reason "…" --for 1h',
        ask="Nothing is mended while it is paused. Pause?",
        fields=(
            Field("for", "For", value="1h", choices=_HOLDS),
            Field("reason", "Why (everybody sees it)", needed=True),
        ),
        weight="grave",
    )
    lift = Button(
        "unpause",
        "Lift the pause",
        "actions may start again within a second",
        "fleetmend unpause",
        ask="Actions may start within seconds. Lift the pause of everything?",
        weight="first",
    )
    return [lift, pause] if paused else [pause]
