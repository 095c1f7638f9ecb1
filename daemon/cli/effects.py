"""The journal against the demo's own record: what the daemon says it did, and what really happened to the processes.

Admin calls are matched by idempotency key, starts and stops by the process ids that an independent listener saw, and
switches of links by path, versions and time: a link keeps no key, so whoever breaks or heals writes down its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from daemon.incidents.records import Attempt

Effect = Mapping[str, Any]
"""One line of an effect log: `at, program, kind, what, key, args, result`, or of the listener: `at, program, event, pid`."""

SLACK = 5.0
"""Seconds an effect may be logged after the attempt's end."""
STARTING = "PROCESS_STATE_STARTING"
BREAKER = "breaker"
"""Under this name the demo's own hand writes down which links it switched."""
STOPPED = ("PROCESS_STATE_STOPPED", "PROCESS_STATE_EXITED")

_STEP = re.compile(r"\b(stopped|started) (\S+) \((\d+)\)")
_SWITCH = re.compile(r"^(/.*): from (\S+) to (\S+)$")
_FAILED_START = re.compile(r"(\S+) is \w+ as \d+ after its start")


def compare(attempts: Sequence[Attempt], effects: Iterable[Effect], since: float, until: float) -> list[str]:
    """Every difference in [since, until], in words; empty when they match one to one."""
    effects = list(effects)
    inside = [effect for effect in effects if since <= float(effect["at"]) <= until + SLACK]
    begun = [
        attempt for attempt in attempts if attempt.started_at is not None and attempt.outcome != "not_done"
    ]
    by_hand = [_switch(effect) for effect in effects if _is_switch(effect) and effect["program"] == BREAKER]
    return _admin_calls(begun, inside) + _processes(begun, inside) + _links(begun, inside, by_hand)


def _admin_calls(begun: Sequence[Attempt], effects: Sequence[Effect]) -> list[str]:
    """One admin call per HTTP attempt, under its key, and none that no attempt made."""
    seen = Counter(
        str(effect["key"]) for effect in effects if effect.get("kind") == "admin" and effect.get("key")
    )
    wrong = []
    for attempt in begun:
        if attempt.action != "http":
            continue
        times = seen.pop(attempt.key, 0)
        certain = attempt.outcome == "done"
        if times > 1 or (certain and times == 0):
            wrong.append(f"{attempt.key}: the journal has it once, the process saw it {times} times")
    return wrong + [f"{key}: a process saw it, the journal has no such attempt" for key in sorted(seen)]


def _processes(begun: Sequence[Attempt], effects: Sequence[Effect]) -> list[str]:
    """One restart is one pair of a stop and a start; whoever starts a process otherwise is found out."""
    started = [effect for effect in effects if effect.get("event") == STARTING]
    stopped = {
        (str(effect["program"]), int(effect["pid"])) for effect in effects if effect.get("event") in STOPPED
    }
    claimed: Counter[str] = Counter()
    failed: list[str] = []
    wrong = []
    for attempt in begun:
        if attempt.action != "service":
            continue
        for verb, name, pid in _STEP.findall(attempt.effect):
            unit = name.rpartition(":")[2]
            if verb == "started":
                claimed[unit] += 1
            elif (unit, int(pid)) not in stopped:
                wrong.append(
                    f"{attempt.key}: it says {unit} ({pid}) was stopped, the listener saw no such thing"
                )
        for name in _FAILED_START.findall(attempt.effect):
            claimed[name.rpartition(":")[2]] += 1
        if attempt.outcome != "done":
            failed.append(str(attempt.args.get("unit", "")).rpartition(":")[2])
    happened = Counter(str(effect["program"]) for effect in started)
    for unit in sorted(claimed.keys() | happened.keys()):
        # A failed order may have started it, and it ended at once; an order may name its units by a pattern.
        most = claimed[unit] + sum(fnmatchcase(unit, pattern) for pattern in failed)
        if not claimed[unit] <= happened[unit] <= most:
            wrong.append(f"{unit}: the journal has {claimed[unit]} starts, the listener saw {happened[unit]}")
    return wrong


class Switch(NamedTuple):
    """One link pointed from one version to another, at an instant in unix seconds."""

    link: str
    old: str
    new: str
    at: float

    def __str__(self) -> str:
        return f"{self.link}: from {self.old} to {self.new}"


def _links(begun: Sequence[Attempt], effects: Sequence[Effect], by_hand: list[Switch]) -> list[str]:
    """Every switch seen is one that the journal has or that the breaker wrote down, and the other way round."""
    seen = sorted(
        (_switch(effect) for effect in effects if _is_switch(effect) and effect["program"] != BREAKER),
        key=lambda switch: switch.at,
    )
    wrong = []
    for attempt in sorted(begun, key=lambda attempt: attempt.started_at or 0.0):
        if attempt.action != "file_link":
            continue
        found = next((switch for switch in seen if _did(attempt, switch)), None)
        if found is not None:
            seen.remove(found)
        elif attempt.outcome == "done" and _SWITCH.match(attempt.effect):
            wrong.append(f"{attempt.key}: it says {attempt.effect}; nobody saw it")
    for switch in seen:
        own = next((hand for hand in by_hand if hand[:3] == switch[:3] and _soon(hand.at, switch.at)), None)
        if own is not None:
            by_hand.remove(own)
        else:
            wrong.append(f"{switch}: it was seen, the journal has no such attempt")
    return wrong


def _did(attempt: Attempt, switch: Switch) -> bool:
    """Whether that attempt may have made that switch. One whose outcome is not known may have made any of its link."""
    began = attempt.started_at or 0.0
    ended = attempt.ended_at if attempt.ended_at is not None else attempt.deadline_at
    if switch.link not in attempt.targets or not began <= switch.at <= ended + SLACK:
        return False
    said = _SWITCH.match(attempt.effect)
    if attempt.outcome in {"done", "failed"}:
        return said is not None and said.groups() == switch[:3]
    return True


def _soon(ordered: float, seen: float) -> bool:
    return ordered <= seen <= ordered + SLACK


def _is_switch(effect: Effect) -> bool:
    return effect.get("kind") == "link"


def _switch(effect: Effect) -> Switch:
    args = effect["args"]
    return Switch(str(effect["what"]), str(args["from"]), str(args["to"]), float(effect["at"]))
