"""How other engines broke, case by case, with the numbers of their reports (B1 to B26).

B4, B5, B13, B15, B20, B23 and B25 have tests of their own beside the parts they are about.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from functools import partial
from typing import Any

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DeliveryState, Order
from daemon.loop.messages import Recorded
from remediations.run import RunState
from tests.conftest import SOAK
from tests.fakes.parts import HOST, POLL, Parts, config, rung
from tests.fakes.ports import answer

pytestmark = pytest.mark.timeout(1200 if os.environ.get(SOAK) else 300)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""
MINUTE, HOUR = 60.0, 3600.0


def order(story: Parts, kind: str, **args: Any) -> None:
    """What the command line writes; the loop carries it out at its next step."""
    story.store.record(orders=[Order(0, story.now, kind, "ana", "cli", None, args)])
    story.driver.hear(Recorded())
    story.run(1.0)


# ---------------------------------------------------------------------- B1


@pytest.mark.parametrize(
    "cap",
    [
        pytest.param({"playbooks": {"parts": {"guardrails": {"blast_radius": {"max_scopes": 2}}}}}, id="of the playbook"),
        pytest.param({"playbooks": {"parts": {"guardrails": {"blast_radius": {"max_scopes": 9}}}}, "limits": {"in_flight": 2}}, id="of everything"),
    ],
)  # fmt: skip
def test_what_is_being_mended_counts_as_unhealthy_so_the_cap_is_never_passed(cap: dict[str, Any]) -> None:
    """B1: five providers, a cap of two, four fail, and mending one takes 90 s."""
    story = Parts(config([rung("mend", verify={"within": "5m", "hold": "30s"})], **cap))
    story.slowness, story.mends = 90.0, lambda _, __: True
    most = 0

    def watch() -> bool:
        nonlocal most
        flying = {attempt.incident for attempt in story.flying()}
        most = max(most, len(flying))
        assert len(flying) <= 2, story.told()
        found = story.incidents()
        return len(found) == 4 and all(i.state is IncidentState.RESOLVED for i in found)

    story.run(20.0)
    story.broken.update(("p0", "p1", "p2", "p3"))
    story.until(2 * HOUR, watch)
    assert most == 2, "both places are used"
    assert Counter(call.part for call in story.calls) == dict.fromkeys(("p0", "p1", "p2", "p3"), 1)
    third = sorted(call.at for call in story.calls)[2]
    first_proved = min(e.at for i in story.incidents() for e in story.events(i, Kind.VERDICT))
    assert third >= first_proved, "a place is free when a recovery is proved, not when a call is answered"


# ---------------------------------------------------------------------- B2, B3


def test_a_fault_that_clears_between_match_and_first_step_is_nobody_s_business() -> None:
    """B2: it is found, the diagnosis takes twelve seconds, and meanwhile it heals."""
    asking = {"playbooks": {"parts": {"diagnose": {"health": {"probe": "health"}}}}}
    probes = {"probes": {"health": {"http": {"url": f"{HOST}/health", "timeout": "20s"}}}}
    story = Parts(config([rung("mend")], **asking, **probes), thinking=12.0)
    story.run(20.0)
    story.broken.add("p0")
    story.until(MINUTE, lambda: bool(story.incidents()))
    assert story.run_of(story.incident()).state is RunState.DIAGNOSING
    story.broken.clear()
    story.until(10 * MINUTE, lambda: story.incident().ended)
    assert story.calls == []
    assert story.incident().resolved_by == "self"


def test_a_step_that_comes_due_after_the_fault_has_gone_is_skipped() -> None:
    """B3: due at ten minutes, when a maintenance ends; healthy at nine."""
    story = Parts(config([rung("mend")]))
    story.run(20.0)
    order(story, "maintenance", reason="deploy", **{"for": 10 * MINUTE})
    begun_at = story.now
    story.broken.add("p0")
    story.until(MINUTE, lambda: bool(story.incidents()))
    story.run(begun_at + 9 * MINUTE - story.now)
    assert story.run_of(story.incident()).state is RunState.WAITING
    story.broken.clear()
    story.run(10 * MINUTE)
    incident = story.incident()
    assert (incident.state, incident.resolved_by) == (IncidentState.RESOLVED, "self"), story.told()
    assert story.calls == []
    refused = [
        gate for e in story.events(incident, Kind.GATES) for gate in e.data["gates"] if not gate["allowed"]
    ]
    assert any("deploy" in gate["reason"] for gate in refused), "why it waited is told"


# ---------------------------------------------------------------------- B9, B10


SEEDS = 200 if os.environ.get(SOAK) else 15


def asked(story: Parts) -> Any:
    """What a probe sees of the call."""
    return answer(200, json.dumps({"called": bool(story.calls)}))


def test_two_daemons_on_one_store_do_one_thing_once() -> None:
    """B9, B10: 200 seeds (15 in the gate). The second takes over at any moment of a mitigation; the first goes on."""
    before, noticed = Counter[int](), 0
    settled: dict[str, Any] = {"on_interrupt": "probe", "confirm": {"probe": "health", "ok": "body.called"}}
    settled["verify"] = {"within": "30s", "hold": "5s"}
    probes = {"probes": {"health": {"http": {"url": f"{HOST}/health", "timeout": "5s"}}}}
    for seed in range(SEEDS):
        dice = random.Random(seed)
        story = Parts(config([rung("mend", **settled)], **probes))
        story.probe = partial(asked, story)
        story.slowness, story.mends = 8.0, lambda _, __: True
        story.run(10.0)
        story.broken.add("p0")
        story.run(dice.uniform(0.0, 20.0))
        before[len(story.calls)] += 1
        first, second = story.driver, story.another()
        while not (story.incidents() and story.incident().ended):
            dice.choice((first, second)).run_until(story.now + dice.uniform(0.0, 5.0))
        assert Counter(call.part for call in story.calls) == {"p0": 1}, f"seed {seed}\n{story.told()}"
        assert len(story.incidents()) == 1
        known = story.incident().resolved_by == "mend" or story.triggers(story.incident())
        assert known, f"seed {seed}: neither proved nor told\n{story.told()}"
        noticed += first.loop.control.lead.over
        assert not second.loop.control.lead.over
    print(f"{SEEDS} seeds; calls made before the second took over: {dict(before)}; {noticed} noticed")
    assert len(before) == 2, "before the call, and after it"
    assert noticed > SEEDS / 4, "whoever had something to write saw that another leads"


def test_a_leader_that_was_paused_past_its_lease_does_not_do_what_it_waited_to_do() -> None:
    """B10: its step is due when a maintenance ends; a second leads since a minute before."""
    story = Parts(config([rung("mend")]), mends=lambda _, __: True)
    story.run(20.0)
    order(story, "maintenance", reason="deploy", **{"for": 3 * MINUTE})
    story.broken.add("p0")
    story.run(2 * MINUTE)
    assert story.run_of(story.incident()).state is RunState.WAITING
    first, second = story.driver, story.another()
    first.run_for(5 * MINUTE)
    assert story.calls == [], story.told()
    assert first.loop.control.lead.over
    story.driver = second
    story.until(5 * MINUTE, lambda: story.incident().ended)
    assert len(story.calls) == 1


# ---------------------------------------------------------------------- B11, B12


@pytest.mark.parametrize("killed_at", [5.0, 50.0, 59.0])
def test_a_hold_goes_on_through_a_restart(killed_at: float) -> None:
    """B11: restarted in second 50 of a hold of 60 s it fires at 60, not at 110."""
    story = Parts(config([rung("mend")], detectors={"part-fault": {"fire": {"for": "60s"}}}))
    story.run(20.0)
    story.broken.add("p0")
    seen_from = story.now + POLL
    story.run(killed_at)
    story.driver.crash(down_for=1.0)
    story.until(5 * MINUTE, lambda: bool(story.incidents()))
    assert 60.0 <= story.incident().detected_at - seen_from + POLL <= 60.0 + 2 * POLL, story.told()


def test_a_maintenance_holds_back_what_is_found_by_silence_too_and_says_so() -> None:
    """B12: one gate stands in front of every path to an action and a page, also for what fires because nothing comes."""
    silent = {
        "detectors": {
            "part-fault": {
                "signal": {
                    "gauge": None,
                    "increase": {"of": "part_seen_total", "by": ["provider"], "window": "1m"},
                },
                "fire": {"equals": 0, "above": None, "for": "1m"},
                "clear": {"above": 0, "below": None, "for": "10s"},
            }
        }
    }
    story = Parts(config([rung("mend")], **silent))
    story.run(5 * MINUTE)
    order(story, "maintenance", reason="new firmware", scope={"provider": "p0"}, **{"for": 20 * MINUTE})
    story.broken.update(("p0", "p1"))
    story.until(10 * MINUTE, lambda: len(story.incidents()) == 2)
    story.run(5 * MINUTE)
    assert {call.part for call in story.calls} == {"p1"}, "the other is not held back"
    held = story.incident("p0")
    assert story.triggers(held) == []
    gates = [gate for e in story.events(held, Kind.GATES) for gate in e.data["gates"] if not gate["allowed"]]
    assert any(gate["name"] == "maintenance" and "new firmware" in gate["reason"] for gate in gates), (
        story.told()
    )


# ---------------------------------------------------------------------- B16


LOCKED = {"playbooks": {"parts": {"guardrails": {"lock": "edge"}}}}
TTL = 2 * MINUTE + 2 * MINUTE
"""Seconds that a call may take and a verification may last: then the lock is free, whatever became of its holder."""


@pytest.mark.parametrize(
    "slowness", [pytest.param(0.5, id="being verified"), pytest.param(HOUR, id="its call never ends")]
)
@pytest.mark.parametrize("killed", [False, True], ids=["", "and the daemon was restarted"])
def test_a_lock_whose_holder_is_deleted_is_free_in_time(slowness: float, *, killed: bool) -> None:
    """B16: a provider is removed while it holds the lock; the others go on after its time."""
    story = Parts(config([rung("mend", on_interrupt="page")], **LOCKED))
    story.slowness = slowness
    story.run(20.0)
    story.broken.add("p0")
    story.until(MINUTE, lambda: len(story.calls) == 1)
    story.broken.add("p1")
    story.run(30.0)
    assert [call.part for call in story.calls] == ["p0"], "p1 waits for the lock"
    story.gone("p0")
    if killed:
        story.driver.crash(down_for=5.0)
    waited = story.until(2 * TTL, lambda: len(story.calls) == 2)
    assert story.calls[1].part == "p1"
    assert waited <= TTL + MINUTE, story.told()
    assert story.triggers(story.incident("p0")), "what became of it is for a person to find out"


# ---------------------------------------------------------------------- B17, B18


def test_a_budget_that_is_used_up_is_a_page_in_the_same_cycle() -> None:
    """B17: giving up is a page, at once, with what was tried."""
    once = {"playbooks": {"parts": {"guardrails": {"budget": "1 per 6h"}}}}
    story = Parts(config([rung("mend")], **once), mends=lambda _, __: True)
    story.run(20.0)
    story.broken.add("p0")
    story.until(10 * MINUTE, lambda: bool(story.incidents()) and story.incident().ended)
    assert story.triggers(story.incident()) == []
    story.broken.add("p0")
    story.until(
        10 * MINUTE,
        lambda: len(story.incidents()) == 2 and story.run_of(story.incident()).state is RunState.GAVE_UP,
    )
    incident = story.incident()
    (gave_up,) = story.events(incident, Kind.GAVE_UP)
    (page,) = story.triggers(incident)
    assert page.created_at == gave_up.at
    assert "budget 1 of 1 used" in gave_up.text
    story.run(5.0)
    assert "budget 1 of 1 used" in str(story.pages[-1][1])
    assert len(story.calls) == 1


@pytest.mark.parametrize(
    "refuses", [frozenset[str](), frozenset({"restart"}), frozenset({"restart", "roll-back"})]
)
def test_a_fault_that_outlives_its_first_fix_gets_the_second_and_then_a_person(
    refuses: frozenset[str],
) -> None:
    """B18: a first fix in vain, or one that fails by itself, is followed by another one and by a page, never by silence."""
    story = Parts(config([rung("restart"), rung("roll-back")]), refuses=refuses)
    story.run(20.0)
    story.broken.add("p0")
    story.until(HOUR, lambda: bool(story.pages))
    assert [call.rung for call in story.calls] == ["restart", "roll-back"]
    last = story.calls[-1].at + (0.0 if "roll-back" in refuses else 2 * MINUTE)
    assert story.pages[0][0] <= last + 2 * POLL, "within a cycle of the last verdict"
    told = str(story.pages[0][1])
    assert "restart" in told
    assert "roll-back" in told


# ---------------------------------------------------------------------- B26


@pytest.mark.parametrize("killed_after", [1.0, 15.0, 29.0])
def test_a_retry_is_a_row_that_a_kill_during_its_back_off_neither_loses_nor_hurries(
    killed_after: float,
) -> None:
    """B26: the pager answers 503 once; the daemon dies while it waits to try again."""
    story = Parts(config([]))
    story.pager_answers = [503]
    story.run(20.0)
    story.broken.add("p0")
    story.until(10 * MINUTE, lambda: len(story.pages) == 1)
    story.run(0.5)
    (row,) = story.triggers(story.incident())
    assert row.state is DeliveryState.OWED
    back_off = row.due_at - story.now
    story.run(back_off * killed_after / 30.0)
    story.driver.crash()
    story.run(3 * MINUTE)
    assert len(story.pages) == 2, "tried once more"
    assert row.due_at <= story.pages[1][0] <= row.due_at + 1.0, "at its time"
