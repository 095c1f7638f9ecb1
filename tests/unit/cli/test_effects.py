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


LINK = "/srv/mapping/current"


def roll_back(effect: str = f"{LINK}: from v003 to v002", key: str = "k3", **fields: Any) -> Attempt:
    values = {
        "action": "file_link",
        "targets": (LINK,),
        "started_at": 110.0,
        "ended_at": 110.2,
        "outcome": "done",
    }
    return rows.attempt(key, **{**values, "effect": effect, **fields})


def switch(
    old: str, new: str, at: float = 110.1, program: str = "listener", link: str = LINK
) -> dict[str, Any]:
    return {
        "at": at,
        "program": program,
        "kind": "link",
        "what": link,
        "key": None,
        "args": {"from": old, "to": new},
    }


BACK, FORTH = switch("v003", "v002"), switch("v002", "v003", at=120.0)
UNDONE = roll_back(f"{LINK}: from v002 to v003", key="k4", started_at=119.9, ended_at=120.0)
UNSEEN, UNORDERED = "nobody saw it", "it was seen, the journal has no such attempt"
LINKS: list[tuple[list[Attempt], list[dict[str, Any]], list[str], str]] = [
    ([roll_back()], [BACK], [], "one to one"),
    ([roll_back(), UNDONE], [FORTH, BACK], [], "rolled back, and forward again, whatever the order of the rows"),
    ([roll_back()], [], [UNSEEN], "it says so, and the link was not switched"),
    ([], [BACK], [UNORDERED], "an unwritten action"),
    ([roll_back()], [BACK, FORTH], [UNORDERED], "an undo that is not in the journal"),
    ([roll_back(), UNDONE], [BACK], [f"k4: it says {LINK}: from v002 to v003"], "an undo that did not happen"),
    ([roll_back()], [BACK, {**BACK, "at": 111.0}], [UNORDERED], "twice for one decision"),
    ([roll_back(), roll_back(key="k5")], [BACK], [f"k5: it says {LINK}"], "once for two decisions"),
    ([roll_back()], [switch("v003", "v001")], [UNSEEN, UNORDERED], "to another version than it says"),
    ([roll_back()], [switch("v003", "v002", link="/srv/rules/current")], [UNSEEN, UNORDERED], "another link"),
    ([roll_back()], [switch("v003", "v002", at=109.0)], [UNSEEN, UNORDERED], "before it was started"),
    ([roll_back()], [switch("v003", "v002", at=140.0)], [UNSEEN, UNORDERED], "long after it had ended"),
    ([roll_back(f"{LINK}: already at v002")], [], [], "there was nothing to switch"),
    ([roll_back(f"{LINK}: already at v002")], [BACK], [UNORDERED], "and yet"),
    ([roll_back(f"{LINK}: nothing is older than v003", outcome="not_done")], [BACK], [UNORDERED], "it refused, and yet"),
    ([roll_back("could not be changed", outcome="unknown")], [], [], "an unknown outcome may be none"),
    ([roll_back("could not be changed", outcome="unknown")], [BACK], [], "or one"),
    ([roll_back("could not be changed", outcome="unknown")], [BACK, FORTH], [UNORDERED], "never two"),
    ([roll_back("", outcome=None, ended_at=None, deadline_at=130.0)], [BACK], [], "in flight"),
    ([], [BACK, switch("v003", "v002", at=110.05, program="breaker")], [], "the breaker wrote down its own"),
    ([], [switch("v002", "v003", at=100.02), switch("v002", "v003", at=99.99, program="breaker")], [], "seen just after the break"),
    ([], [BACK, switch("v003", "v002", at=110.2, program="breaker")], [UNORDERED], "the breaker writes before it acts"),
    ([], [BACK, {**BACK, "at": 112.0}, switch("v003", "v002", at=110.0, program="breaker")], [UNORDERED], "one of two is the breaker's"),
    ([roll_back()], [BACK, {**BACK, "at": 112.0}, switch("v003", "v002", at=111.9, program="breaker")], [], "both did it, each once"),
    ([], [switch("v003", "v002", program="breaker")], [], "what the breaker meant to do is no effect"),
]  # fmt: skip

PAIR = [event("STOPPED", 7), event("STARTING", 8), event("RUNNING", 8)]
RESTARTED = "restart writer: stopped writer (7); started writer (8)"


@pytest.mark.parametrize(
    ("attempts", "effects", "complaints", "why"),
    [
        *LINKS,
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
    ],
)
def test_differences_are_found(
    attempts: list[Attempt], effects: list[dict[str, Any]], complaints: list[str], why: str
) -> None:
    found = compare(attempts, effects, SINCE, UNTIL)
    assert len(found) == len(complaints), (why, found)
    for line, words in zip(found, complaints, strict=True):
        assert words in line, why
