"""Which rungs a drill may carry out, how they are taken back, and what counts as "as before"."""

from __future__ import annotations

from typing import Any

import pytest

from config.scope import WHOLE
from daemon.mitigate.realdrill import chain_of, differences, picture, why_not
from daemon.mitigate.rehearsal import Rehearsed, parts
from remediations.actions.registry import Prepared
from remediations.run import Evidence
from remediations.spec import Playbook

POST = {"http": {"method": "POST", "url": "http://storage-admin:8080/failover"}}
RESTART = {"service": {"manager": "pipeline", "restart": "writer"}}
BACK: dict[str, Any] = {
    "do": POST,
    "when": "facts.health.ok",
    "then": [{"do": POST, "when": "facts.health.body.calm"}],
}
CHECK = {"probe": "health", "ok": "body.active == 'replica'"}


def book(**rung: Any) -> Playbook:
    whole = {"name": "fail-over", "when": "facts.health.body.reason == 'x'", "do": POST, **rung}
    written = {
        "failure_mode": "storage_failure",
        "diagnose": {"health": {"probe": "health"}},
        "ladder": [whole],
    }
    return Playbook.model_validate(written)


def ready(*, mends: bool = True, size: int = 4) -> Prepared:
    return Prepared(
        "http", {"url": "u", "size": size, "fault_since": 1.0}, frozenset({"t"}), True, False, mends
    )


def seen(
    of: Playbook, *, confirmed: bool = False, action: Prepared | str | None = None, **body: Any
) -> Rehearsed:
    actions = {place: action or ready() for place, _ in parts(of)}
    answer = Evidence(10.0, ok=True, status=200, body={"reason": "ok", **body})
    return Rehearsed(WHOLE, {}, {"health": answer}, {"fail-over": Evidence(10.0, ok=confirmed)}, actions)


@pytest.mark.parametrize(
    ("rung", "fields", "why"),
    [
        ({"undo": POST}, {}, ""),
        ({"return": BACK}, {}, ""),
        ({"do": RESTART}, {}, ""),
        ({}, {}, "nothing takes it back"),
        ({"do": {"service": {"manager": "pipeline", "stop": "writer"}}}, {}, "nothing takes it back"),
        ({"undo": POST}, {"action": ready(mends=False)}, "it mends nothing"),
        ({"undo": POST}, {"action": "'size' is undefined"}, "it cannot be made ready: 'size' is undefined"),
        ({"undo": POST, "confirm": CHECK}, {"confirmed": True}, "nothing would be seen of it"),
    ],
)
def test_only_what_can_be_taken_back_and_be_seen_is_carried_out(
    rung: dict[str, Any], fields: dict[str, Any], why: str
) -> None:
    whole = book(**rung)
    said = why_not(whole.ladder[0], seen(whole, **fields))
    assert said.endswith(why)
    assert bool(said) is bool(why)


@pytest.mark.parametrize(
    ("rung", "whens"),
    [
        ({"undo": POST, "return": BACK}, [None]),  # an undo takes all of it back
        ({"return": BACK}, ["facts.health.ok", "facts.health.body.calm"]),
        ({"do": RESTART}, []),
    ],
)
def test_it_is_taken_back_by_its_undo_else_by_its_whole_return(
    rung: dict[str, Any], whens: list[str | None]
) -> None:
    whole = book(**rung)
    assert [step["when"] for step in chain_of(whole.ladder[0], seen(whole))] == whens


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ({}, ""),
        ({"depth": 17}, ""),  # no condition looks at it
        ({"reason": "x"}, "`facts.health.body.reason == 'x'` was not so, is so"),
        ({"confirmed": True}, "own check of fail-over was not so, is so"),
        ({"action": ready(size=8)}, "undo of fail-over was"),  # to take it back would mean something else now
    ],
)
def test_as_before_is_what_the_playbook_would_see(after: dict[str, Any], told: str) -> None:
    whole = book(undo=POST, confirm=CHECK)
    found = differences(picture(whole, seen(whole), {}), picture(whole, seen(whole, **after), {}))
    assert bool(found) is bool(told)
    assert "; ".join(found).startswith(told)
