"""The journal against what really happened: every difference is found, in both directions."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.cli.effects import compare
from daemon.incidents.records import Attempt
from tests.fakes import rows

SINCE, UNTIL = 100.0, 160.0


def http(key: str = "k1", **fields: Any) -> Attempt:
    values = {"action": "http", "started_at": 110.0, "ended_at": 111.0, "outcome": "done", **fields}
    return rows.attempt(key, **values)


def restart(effect: str, **fields: Any) -> Attempt:
    args = {"manager": "pipeline", "operation": "restart", "unit": "writer"}
    values = {"action": "service", "started_at": 110.0, "outcome": "done", "effect": effect, "args": args}
    return rows.attempt("k2", **{**values, **fields})


def call(key: str | None = "k1", at: float = 110.5) -> dict[str, Any]:
    return {
        "at": at,
        "program": "storage",
        "kind": "admin",
        "what": "/failover",
        "key": key,
        "result": "done",
    }


def event(name: str, pid: int, program: str = "writer", at: float = 112.0) -> dict[str, Any]:
    return {"at": at, "program": program, "event": f"PROCESS_STATE_{name}", "pid": pid}


PAIR = [event("STOPPED", 7), event("STARTING", 8), event("RUNNING", 8)]
RESTARTED = "restart writer: stopped writer (7); started writer (8)"


@pytest.mark.parametrize(
    ("attempts", "effects", "complaints", "why"),
    [
        ([http()], [call()], [], "one to one"),
        ([], [], [], "nothing was done"),
        ([], [call(None)], [], "the breaker's own hand has no key"),
        ([], [call(at=99.0)], [], "before the story"),
        ([http()], [], ["the process saw it 0 times"], "it says done, and nothing arrived"),
        ([http()], [call(), call()], ["saw it 2 times"], "twice for one decision"),
        ([http(outcome="unknown")], [], [], "an unknown outcome may be none"),
        ([http(outcome="unknown")], [call()], [], "or one"),
        ([http(outcome="failed")], [call(), call()], ["saw it 2 times"], "never two"),
        ([http(outcome="not_done")], [call()], ["no such attempt"], "the permit was refused, and yet"),
        ([http(started_at=None, outcome=None)], [], [], "intended is not begun"),
        ([], [call("k9")], ["k9: a process saw it, the journal has no such attempt"], "an unwritten action"),
        ([restart(RESTARTED)], PAIR, [], "one restart, one pair"),
        ([restart(RESTARTED)], PAIR[1:], ["(7) was stopped, the listener saw no such thing"], "no stop"),
        ([restart(RESTARTED)], PAIR[:1], ["has 1 starts, the listener saw 0"], "no start"),
        ([restart(RESTARTED)], [*PAIR, event("STARTING", 9)], ["has 1 starts, the listener saw 2"], "twice"),
        ([], PAIR, ["writer: the journal has 0 starts, the listener saw 1"], "somebody else mended it"),
        (
            [restart("restart writer: writer is backoff as 0 after its start", outcome="failed")],
            [event("STARTING", 8)],
            [],
            "a start that failed is a start",
        ),
        ([restart("restart writer: nothing was changed", outcome="failed")], [], [], "failed before"),
        (
            [
                restart(
                    "restart wri*: nothing was changed",
                    outcome="failed",
                    args={"manager": "pipeline", "operation": "restart", "unit": "wri*"},
                )
            ],
            [event("STARTING", 8), event("STARTING", 9, "other")],
            ["other: the journal has 0 starts, the listener saw 1"],
            "a failed order may have started what its pattern names, once, and nothing else",
        ),
        (
            [restart("scale api: started api:api-2 (8); 3 of 4 run")],
            [event("STARTING", 8, "api-2")],
            [],
            "members of a group go by their own names",
        ),
        ([http("k3", action="file_link")], [], [], "a link has no key and no process"),
    ],
)
def test_differences_are_found(
    attempts: list[Attempt], effects: list[dict[str, Any]], complaints: list[str], why: str
) -> None:
    found = compare(attempts, effects, SINCE, UNTIL)
    assert len(found) == len(complaints), (why, found)
    for line, words in zip(found, complaints, strict=True):
        assert words in line, why
