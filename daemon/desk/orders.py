"""Orders: checks what a person asks for and writes it down as a row. Nothing is decided here; the loop decides.

Every face (command line, REST, console) sends arguments as texts or JSON values by the same names, and every order
passes the one table below: which role, whether about an incident, which arguments, how large.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from config.problems import did_you_mean
from daemon.desk.arguments import (
    DAY,
    BadOrder,
    Parse,
    choice,
    flag,
    instant,
    labels,
    length,
    name,
    text,
)
from daemon.desk.tokens import Caller, Role
from daemon.errors import FleetmendError, NotFound
from daemon.incidents.model import QUIET_AFTER_CLOSE, Incident
from daemon.incidents.records import Order

VERDICTS = ("real", "false_alarm", "planned")
"""What a person says an incident was: a real failure, a false alarm, or the effect of planned work."""
MUTES = ("pause", "maintenance", "silence")


class Forbidden(FleetmendError):
    """The caller's role may not give this order."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What an order of one kind takes. `needed`: arguments that must be there; `otherwise`: values of absent ones."""

    role: Role
    about_incident: bool
    takes: Mapping[str, Parse]
    needed: frozenset[str] = frozenset()
    otherwise: Mapping[str, Any] = field(default_factory=dict)


_REASON = {"reason": text(500)}
_MATCHERS = {"scope": labels}


def _on_incident(takes: Mapping[str, Parse], *needed: str, **otherwise: Any) -> Rule:
    return Rule(Role.OPERATOR, True, takes, frozenset(needed), otherwise)


def _general(takes: Mapping[str, Parse], *needed: str, **otherwise: Any) -> Rule:
    return Rule(Role.OPERATOR, False, takes, frozenset(needed), otherwise)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "ack": _on_incident(_REASON),
        "extend": _on_incident({**_REASON, "for": length(60, DAY)}, "reason", "for"),
        "escalate": _on_incident(_REASON),
        "handoff": _on_incident({**_REASON, "to": name}, "to"),
        "resolve": _on_incident({**_REASON, "for": length(1, 7 * DAY)}, **{"for": QUIET_AFTER_CLOSE}),
        "resume": _on_incident(_REASON),
        "approve": _on_incident({**_REASON, "rung": name}),
        "reject": _on_incident({**_REASON, "rung": name}),
        "note": _on_incident({"text": text(4000)}, "text"),
        "verdict": _on_incident({"verdict": choice(VERDICTS), "text": text(4000)}, "verdict"),
        "unlock": _general({**_REASON, "target": text(300)}, "target", "reason"),
        "pause": _general({**_REASON, **_MATCHERS, "for": length(1, 30 * DAY)}, scope={}),
        "unpause": _general(
            {**_REASON, **_MATCHERS, "kind": choice(MUTES), "id": text(100)}, kind="pause", scope={}
        ),
        "silence": _general({**_REASON, **_MATCHERS, "for": length(1, 30 * DAY)}, "reason", "for", "scope"),
        "maintenance": _general(
            {**_REASON, **_MATCHERS, "for": length(1, 30 * DAY), "at": instant}, "reason", "for", scope={}
        ),
        "change": _general(
            {"what": text(500), "who": text(200), "at": instant, "ref": text(500), "scope": labels},
            "what",
            ref="",
            scope={},
        ),
        "page_test": _general({"person": name, "channel": name}),
        "drill": _general(
            {"playbook": name, "scope": labels, "rung": name, "for_real": flag},
            "playbook",
            scope={},
            for_real=False,
        ),
        "reload": Rule(Role.ADMIN, False, {}),
    }
)
"""Every order there is. Arguments reach the loop parsed: `for` and `at` as seconds, `scope` as a map of labels."""


def order_of(
    kind: str, caller: Caller, args: Mapping[str, Any], *, now: float, incident: Incident | None = None
) -> Order:
    """The row for an order, ready for the inbox.

    `incident` is the one the order is about, as read just now. Raises `Forbidden`, `BadOrder` (arguments) or
    `NotFound` (no such order, no such incident).
    """
    rule = RULES.get(kind)
    if rule is None:
        raise NotFound(f"there is no order {kind!r}. {did_you_mean(kind, RULES)}".strip())
    if not caller.role.may(rule.role):
        raise Forbidden(f"{kind} takes the role {rule.role}; {caller.name} is {caller.role}")
    if rule.about_incident and incident is None:
        raise NotFound(f"{kind} is about an incident, and there is none of that name")
    parsed = _parsed(kind, rule, args)
    if kind == "resolve" and incident is not None and fires(incident) and not parsed.get("reason"):
        raise BadOrder("reason", "this incident still fires: say why it is closed all the same")
    if kind == "change":
        parsed = {"who": caller.name, "at": now, **parsed}
    about = incident.id if incident is not None and rule.about_incident else None
    return Order(0, now, kind, caller.name, caller.via, about, parsed)


def fires(incident: Incident) -> bool:
    """Whether a detector still holds this incident up, as far as the store knows."""
    return not incident.ended and (
        any(finding.state in {"firing", "clearing"} for finding in incident.findings) or bool(incident.alerts)
    )


def _parsed(kind: str, rule: Rule, args: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in args.items() if value is not None and value != ""}
    for key in given:
        if key not in rule.takes:
            known = ", ".join(rule.takes) or "no arguments"
            raise BadOrder(
                key, f"{kind} does not take it; {did_you_mean(key, rule.takes) or f'it takes {known}'}"
            )
    missing = sorted(rule.needed - given.keys())
    if missing:
        raise BadOrder(missing[0], f"{kind} needs it")
    parsed = {key: rule.takes[key](key, value) for key, value in given.items()}
    for key in rule.needed:
        if parsed[key] in ("", {}):
            raise BadOrder(key, f"{kind} needs it, and it is empty")
    return {**rule.otherwise, **parsed}
