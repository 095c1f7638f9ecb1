"""A return passes the same guardrails as a rung, waits quietly, and is paid only once its own check shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.section import Autonomy
from daemon.incidents.change import Change
from daemon.incidents.events import Kind
from daemon.incidents.model import STORM, IncidentState
from daemon.incidents.records import Debt, DebtState, FailoverLock, MuteKind, Phase
from daemon.mitigate import paying
from daemon.store.store import Store
from remediations.outcome import Outcome, OutcomeState
from remediations.run import Evidence
from tests.fakes import rows
from tests.fakes.climbing import CALL, INCIDENT, NOW, attempt, playbook, rung
from tests.fakes.owing import Free, owed, pay

BOOK = playbook(
    rung(**{"return": {"do": dict(CALL), "autonomy": "auto"}}),
    guardrails={"lock": "storage", "budget": "3 per 6h"},
)
SEEN: dict[str, Any] = {"asked_at": NOW - 5, "evidence": {"health": {"ok": True, "at": NOW - 4}}}
AGAIN = replace(INCIDENT, id="sf-2", detected_at=NOW - 10)
CONFIRM: dict[str, Any] = {
    "confirm": {"probe": "storage-health", "ok": "body.active == 'primary'"},
    "within": 60.0,
}
DONE = Outcome(OutcomeState.DONE, "answered 200", "", NOW)


def refused(change: Change | None) -> list[str]:
    assert change is not None
    (trace,) = [event for event in change.events if event.kind is Kind.GATES]
    assert len(trace.data["gates"]) == 15, "all are asked, and all answers recorded"
    return [gate["name"] for gate in trace.data["gates"] if not gate["allowed"]]


@pytest.mark.parametrize(
    ("more", "control", "gate", "why"),
    [
        (Change(), Free(switch="the file exists"), "kill_switch", "the switch holds on every path"),
        (Change(), Free(leads=False), "leader", "another daemon leads"),
        (
            Change(mutes=(rows.mute("m", starts_at=NOW - 9, ends_at=None, matchers={"tier": "hot"}),)),
            Free(),
            "maintenance",
            "a pause of the tier",
        ),
        (
            Change(mutes=(rows.mute("m", kind=MuteKind.MAINTENANCE, starts_at=NOW - 9, ends_at=NOW + 9, matchers={}),)),
            Free(),
            "maintenance",
            "a maintenance",
        ),
        (Change(incident=replace(INCIDENT, id="st-1", failure_mode=STORM, scope=())), Free(), "storm", "a storm"),
        (Change(incident=AGAIN), Free(), "fresh_fault", "the tier fails again and is being mended"),
        (Change(incident=replace(AGAIN, scope=())), Free(), "fresh_fault", "a wider incident holds it too"),
        (
            Change(attempts=(attempt(None, key="sf-9/1/x/do/1", incident="sf-9", locks=("storage",)),)),
            Free(),
            "lock",
            "another incident acts under this lock",
        ),
        (
            Change(attempts=(attempt(None, key="sf-1/other/return/1", phase=Phase.RETURN, locks=("storage",)),)),
            Free(),
            "lock",
            "and so does another return of the same incident",
        ),
        (Change(locks=(FailoverLock("tier=hot", NOW + 60, "sf-9", "switched"),)), Free(), "failover_lock", "no switch"),
    ],
)  # fmt: skip
def test_a_guardrail_holds_a_return_back(more: Change, control: Free, gate: str, why: str) -> None:
    store, debt = owed(DebtState.DUE, more=(more,), **SEEN)
    change = pay(store, debt, BOOK, control=control)
    assert gate in refused(change), why
    assert change is not None
    assert (change.attempts, change.debts[0].state) == ((), DebtState.DUE)
    assert pay(store, change.debts[0], BOOK, control=control) is None, "waiting writes nothing"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(AGAIN, scope=(("tier", "warm"),)), "another tier"),
        (replace(AGAIN, failure_mode="api_degradation", scope=()), "another failure mode"),
        (replace(AGAIN, advises=True), "advice, on which nobody acts"),
        (replace(AGAIN, state=IncidentState.RESOLVED, resolved_at=NOW - 1), "one that is over"),
    ],
)
def test_what_fails_elsewhere_holds_no_return_back(other: Any, why: str) -> None:
    store, debt = owed(DebtState.DUE, more=(Change(incident=other),), **SEEN)
    change = pay(store, debt, BOOK)
    assert refused(change) == [], why
    assert change is not None
    assert change.debts[0].state is DebtState.PAYING


@pytest.mark.parametrize("approved", [{}, {"approved_by": "ana"}])
def test_under_the_ceiling_observe_nothing_is_given_back_approved_or_not(approved: dict[str, str]) -> None:
    store, debt = owed(DebtState.DUE, **SEEN, **approved)
    assert refused(pay(store, debt, BOOK, Autonomy.OBSERVE)) == ["autonomy"]


def test_a_spent_budget_holds_no_return_back() -> None:
    used = tuple(attempt("done", key=f"sf-9/1/x/do/{n}", incident="sf-9") for n in range(3))
    store, debt = owed(DebtState.DUE, more=(Change(attempts=used),), **SEEN)
    assert refused(pay(store, debt, BOOK)) == []


def test_answers_of_a_minute_ago_are_asked_for_again() -> None:
    store, debt = owed(DebtState.DUE, **{**SEEN, "asked_at": NOW - 60})
    change = pay(store, debt, BOOK)
    assert change is not None
    assert (change.attempts, [job.kind for job in change.jobs]) == ((), ["probe"])


# ---------------------------------------------------------------------- did it take effect?


def ended(state: OutcomeState, **plan: Any) -> tuple[Store, Debt]:
    store, _ = owed(DebtState.PAYING, **CONFIRM, **plan)
    with store.write() as uow:
        kept = uow.apply(
            paying.ended(uow, attempt(None, phase=Phase.RETURN), replace(DONE, state=state), NOW)
        )
    return store, kept.debts[0]


def asked(store: Store, debt: Debt, now: float) -> tuple[Debt, str]:
    """The debt after its question, and the question's key."""
    change = pay(store, debt, BOOK, now=now)
    assert change is not None
    (job,) = change.jobs
    assert job.args["ok"] == CONFIRM["confirm"]["ok"]
    with store.write() as uow:
        return uow.apply(Change(debts=change.debts)).debts[0], job.key


def answered(store: Store, key: str, *, ok: bool, at: float) -> Debt:
    with store.write() as uow:
        change = paying.answered(uow, key, Evidence(at, ok=ok))
        assert change is not None
        return uow.apply(change).debts[0]


@pytest.mark.parametrize("state", [OutcomeState.DONE, OutcomeState.UNKNOWN])
def test_a_return_is_paid_once_its_own_check_shows_it_also_when_nobody_saw_it_end(
    state: OutcomeState,
) -> None:
    store, debt = ended(state)
    assert debt.state is DebtState.PAYING, "answered, and not looked at yet"
    debt, key = asked(store, debt, NOW + 1)
    change = pay(store, answered(store, key, ok=True, at=NOW + 2), BOOK, now=NOW + 2)
    assert change is not None
    assert change.debts[0].state is DebtState.PAID


@pytest.mark.parametrize(
    ("shows", "state", "note"),
    [
        (True, DebtState.PAID, "answered 409, and its effect was confirmed"),
        (False, DebtState.FAILED, "answered 409"),
    ],
    ids=["a person had done it by hand", "it is not given back"],
)
def test_a_call_that_was_refused_counts_by_what_is_so_now(shows: bool, state: DebtState, note: str) -> None:
    store, _ = owed(DebtState.PAYING, **CONFIRM)
    refused = Outcome(OutcomeState.FAILED, "answered 409", "", NOW)
    with store.write() as uow:
        (debt,) = uow.apply(paying.ended(uow, attempt(None, phase=Phase.RETURN), refused, NOW)).debts
    debt, key = asked(store, debt, NOW + 1)
    change = pay(store, answered(store, key, ok=shows, at=NOW + 2), BOOK, now=NOW + 10)
    assert change is not None
    assert (change.debts[0].state, change.debts[0].note) == (state, note)


def test_the_next_step_comes_only_after_the_check_of_the_one_before() -> None:
    then = [{"after": 300.0, "when": None, "do": dict(CALL), "autonomy": "auto"}]
    store, debt = ended(OutcomeState.DONE, then=then)
    debt, key = asked(store, debt, NOW + 1)
    change = pay(store, answered(store, key, ok=True, at=NOW + 2), BOOK, now=NOW + 2)
    assert change is not None
    (second,) = change.debts
    assert (second.state, second.due_at) == (DebtState.OPEN, NOW + 302)
    assert second.plan == {"when": None, "do": dict(CALL), "step": 2}


def test_what_does_not_show_in_time_has_failed_and_is_looked_at_until_then() -> None:
    store, debt = ended(OutcomeState.DONE)
    debt, key = asked(store, debt, NOW + 1)
    debt = answered(store, key, ok=False, at=NOW + 2)
    assert pay(store, debt, BOOK, now=NOW + 5) is None
    debt, key = asked(store, debt, NOW + 6)
    debt = answered(store, key, ok=False, at=NOW + 7)
    change = pay(store, debt, BOOK, now=NOW + 60)
    assert change is not None
    assert (change.debts[0].state, change.debts[0].note) == (DebtState.FAILED, "its effect did not show")


def test_an_answer_to_an_older_question_counts_for_nothing() -> None:
    store, debt = ended(OutcomeState.DONE)
    debt, old = asked(store, debt, NOW + 1)
    asked(store, debt, NOW + 12)
    with store.write() as uow:
        assert paying.answered(uow, old, Evidence(NOW + 13, ok=True)) is None


def test_a_return_that_is_tried_again_is_judged_by_its_new_check() -> None:
    store, debt = owed(DebtState.DUE, **CONFIRM, **SEEN, confirm_until=NOW - 500, approved_by="ana")
    change = pay(store, debt, BOOK)
    assert change is not None
    (paying_again,) = change.debts
    assert paying_again.state is DebtState.PAYING
    assert pay(store, paying_again, BOOK) is None, "the call is under way"


@pytest.mark.parametrize(
    ("since", "paid", "why"),
    [
        (None, False, "it is contained, and nobody asked for it"),
        (NOW - 1799, True, "a person mended it by hand, and asks for it"),
        (NOW - 1800, False, "half an hour ago, of what they saw then"),
    ],
)
def test_what_is_not_over_is_given_back_when_a_person_says_so_now(
    since: float | None, paid: bool, why: str
) -> None:
    said = {} if since is None else {"approved_by": "ana", "approved_at": since}
    contained = replace(INCIDENT, state=IncidentState.CONTAINED)
    store, debt = owed(DebtState.DUE, incident=contained, **SEEN, **said)
    change = pay(store, debt, BOOK)
    assert (change is not None and change.debts[0].state is DebtState.PAYING) is paid, why


def test_a_return_asked_for_by_its_name_is_due_now() -> None:
    store, debt = owed(DebtState.OPEN)
    with store.write() as uow:
        uow.apply(Change(debts=(replace(debt, due_at=NOW + 3600),)))
    with store.read() as uow:
        change = paying.decide(uow, "sf-1", "ana", NOW, approved=True, rung="switch")
        assert paying.decide(uow, "sf-1", "ana", NOW, approved=True) is None, "it asks nobody"
    assert change is not None
    assert (change.debts[0].state, change.debts[0].due_at) == (DebtState.DUE, NOW)


def test_what_has_no_way_back_cannot_be_asked_for() -> None:
    store, _ = owed(DebtState.OPEN, do=None)
    with store.read() as uow:
        assert paying.decide(uow, "sf-1", "ana", NOW, approved=True, rung="switch") is None


@pytest.mark.parametrize(
    ("state", "rung", "waived", "why"),
    [
        (DebtState.OPEN, "switch", True, "given back by hand before it was due"),
        (DebtState.DUE, "switch", True, "it waits, and somebody saw to it"),
        (DebtState.OPEN, "", False, "what asks nobody is meant only by its name"),
        (DebtState.PAYING, "switch", False, "it is being given back"),
        (DebtState.PAID, "switch", False, "it was"),
    ],
)
def test_a_person_waives_by_its_name_what_does_not_ask(
    state: DebtState, rung: str, waived: bool, why: str
) -> None:
    store, _ = owed(state)
    with store.read() as uow:
        change = paying.decide(uow, "sf-1", "ana", NOW, approved=False, rung=rung)
    assert (change is not None) is waived, why
