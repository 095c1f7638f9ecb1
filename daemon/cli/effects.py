"""The journal against the demo's own record: what the daemon says it did, and what really happened to the processes.

Admin calls are matched by idempotency key, starts and stops by the process ids that an independent listener saw.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from daemon.incidents.records import Attempt

Effect = Mapping[str, Any]
"""One line of an effect log: `at, program, kind, what, key, args, result`, or of the listener: `at, program, event, pid`."""

SLACK = 5.0
"""Seconds an effect may be logged after the attempt's end."""
STARTING = "PROCESS_STATE_STARTING"
STOPPED = ("PROCESS_STATE_STOPPED", "PROCESS_STATE_EXITED")

_STEP = re.compile(r"\b(stopped|started) (\S+) \((\d+)\)")
_FAILED_START = re.compile(r"(\S+) is \w+ as \d+ after its start")


def compare(attempts: Sequence[Attempt], effects: Iterable[Effect], since: float, until: float) -> list[str]:
    """Every difference in [since, until], in words; empty when they match one to one."""
    inside = [effect for effect in effects if since <= float(effect["at"]) <= until + SLACK]
    begun = [
        attempt for attempt in attempts if attempt.started_at is not None and attempt.outcome != "not_done"
    ]
    return _admin_calls(begun, inside) + _processes(begun, inside)


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
