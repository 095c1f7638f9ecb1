"""The journal, debts and their return, on a real store in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.section import Autonomy
from daemon.incidents.change import Change
from daemon.incidents.records import Attempt, DebtState, Phase
from daemon.mitigate import journal, paying
from daemon.mitigate.facts import PROPOSAL_LASTS, mutings, wheel_of
from daemon.store.store import Store
from remediations.outcome import Outcome, OutcomeState
from remediations.run import Run, RunState
from remediations.spec import Playbook
from tests.fakes import rows
from tests.fakes.climbing import CALL, INCIDENT, NOW, attempt, playbook, rung
from tests.fakes.owing import owed, pay

DONE = Outcome(OutcomeState.DONE, "answered 200", "", NOW)
RETURN = {"return": {"after": "1h", "do": CALL, "autonomy": "auto"}}


def ended(book: Playbook, row: Attempt, outcome: Outcome = DONE) -> Change:
    store = Store.open("sqlite://")
    with store.write() as uow:
        uow.apply(Change(incident=INCIDENT))
        return journal.ended(uow, row, book, outcome, NOW)


# ---------------------------------------------------------------------- outcomes


@pytest.mark.parametrize(
    ("fields", "outcome", "phase", "debts", "why"),
    [
        (RETURN, OutcomeState.DONE, Phase.DO, 1, "a switch has to be given back"),
        ({}, OutcomeState.DONE, Phase.DO, 0, "a cure without return owes nothing"),
        (
            {"kind": "contain", "effect": {"probe": "p"}},
            OutcomeState.DONE,
            Phase.DO,
            1,
            "a contain rung always owes",
        ),
        (RETURN, OutcomeState.FAILED, Phase.DO, 0, "what did not happen owes nothing"),
        (RETURN, OutcomeState.UNKNOWN, Phase.DO, 0, "nor does what nobody knows"),
        (RETURN, OutcomeState.DONE, Phase.RETURN, 0, "a return pays a debt and opens none"),
    ],
)
def test_a_debt_is_opened_by_what_took_effect_and_has_to_be_given_back(
    fields: dict[str, Any], outcome: OutcomeState, phase: Phase, debts: int, why: str
) -> None:
    change = ended(playbook(rung(**fields)), attempt(None, phase=phase), replace(DONE, state=outcome))
    assert len(change.debts) == debts, why
    assert change.attempts[0].outcome == str(outcome)


def test_a_switch_locks_its_target_for_the_failover_lock() -> None:
    book = playbook(rung(**RETURN), guardrails={"failover_lock": "1h"})
    (lock,) = ended(book, attempt(None)).locks
    assert (lock.target, lock.until) == ("tier=hot", NOW + 3600)


@pytest.mark.parametrize(
    ("started_at", "state"), [(None, OutcomeState.NOT_DONE), (NOW - 1, OutcomeState.UNKNOWN)]
)
def test_what_was_not_started_was_not_done_and_what_was_started_is_unknown(  # B5
    started_at: float | None, state: OutcomeState
) -> None:
    assert journal.interrupted(attempt(None, started_at=started_at), NOW).state is state


def test_started_is_committed_with_the_job_that_carries_its_key() -> None:
    change = journal.start(attempt(None, started_at=None), NOW)
    assert change.attempts[0].started_at == NOW
    assert change.jobs[0].key == change.attempts[0].key
    assert change.jobs[0].deadline_at == change.attempts[0].deadline_at


# ---------------------------------------------------------------------- who has the wheel, what is muted


@pytest.mark.parametrize(
    ("paged_at", "stepped_back", "released_at", "held", "why"),
    [
        (None, False, None, False, "nobody was paged"),
        (NOW - 60, False, None, True, "paged"),
        (NOW - 60, False, NOW - 30, False, "released after the page"),
        (NOW - 30, False, NOW - 60, True, "paged again after the release"),
        (None, True, None, True, "stepped back while its page waits"),
    ],
)
def test_the_wheel_is_held_from_the_page_until_it_is_released(
    paged_at: float | None, stepped_back: bool, released_at: float | None, held: bool, why: str
) -> None:
    incident = replace(INCIDENT, stepped_back=stepped_back)
    run = Run("sf-1", "storage-hot", RunState.GAVE_UP, NOW - 40, released_at=released_at)
    assert wheel_of(incident, rows.escalation("sf-1", paged_at=paged_at), run, NOW).held == held, why


@pytest.mark.parametrize(("ago", "counts"), [(PROPOSAL_LASTS - 1, True), (PROPOSAL_LASTS, False)])
def test_an_approval_does_not_outlive_what_the_person_looked_at(ago: float, counts: bool) -> None:
    """A maintenance may hold the rung back for hours: then it asks anew."""
    run = Run("sf-1", "storage-hot", RunState.WAITING, NOW, approved_by="ana", released_at=NOW - ago)
    assert (wheel_of(INCIDENT, rows.escalation("sf-1"), run, NOW).approved_by == "ana") is counts


@pytest.mark.parametrize(
    ("matchers", "hit"),
    [
        ({}, True),
        ({"tier": "hot"}, True),
        ({"tier": "warm"}, False),
        ({"failure_mode": "storage_failure"}, True),
        ({"playbook": "storage-hot", "tier": "hot"}, True),
        ({"provider": "navixy"}, False),
    ],
)
def test_a_mute_concerns_what_all_its_matchers_fit(matchers: dict[str, str], hit: bool) -> None:
    mute = rows.mute("m", starts_at=NOW - 10, ends_at=NOW + 10, matchers=matchers)
    assert bool(list(mutings([mute], INCIDENT, "storage-hot", NOW))) == hit


@pytest.mark.parametrize(("now", "hit"), [(NOW - 11, False), (NOW, True), (NOW + 10, False)])
def test_a_mute_holds_by_absolute_times_checked_at_use(now: float, hit: bool) -> None:  # B13
    mute = rows.mute("m", starts_at=NOW - 10, ends_at=NOW + 10, matchers={})
    assert bool(list(mutings([mute], INCIDENT, "storage-hot", now))) == hit


# ---------------------------------------------------------------------- paying


BOOK = playbook(rung(**RETURN))


def test_a_debt_is_paid_only_after_success() -> None:
    store, debt = owed(incident=INCIDENT)
    assert pay(store, debt, BOOK) is None


@pytest.mark.parametrize(
    ("autonomy", "ceiling", "state"),
    [
        ("auto", Autonomy.AUTO, None),
        ("propose", Autonomy.AUTO, DebtState.PROPOSED),
        ("auto", Autonomy.PROPOSE, DebtState.PROPOSED),
    ],
)
def test_a_due_debt_is_asked_about_or_proposed(
    autonomy: str, ceiling: Autonomy, state: DebtState | None
) -> None:
    store, debt = owed(DebtState.DUE, autonomy=autonomy)
    change = pay(store, debt, BOOK, ceiling)
    assert change is not None
    if state is None:
        assert [job.kind for job in change.jobs] == ["probe"]
    else:
        assert change.debts[0].state is state


@pytest.mark.parametrize(
    ("when", "body", "paid"),
    [
        ("facts.health.body.primary == 'healthy'", {"primary": "healthy"}, True),
        ("facts.health.body.primary == 'healthy'", {"primary": "refusing"}, False),
        ("facts.health.body.primary == 'healthy'", None, False),
        (None, None, True),
    ],
    ids=["healthy", "not yet", "unknown", "nothing asked"],
)
def test_a_debt_is_paid_when_its_pre_check_holds_on_fresh_answers(
    when: str | None, body: Any, paid: bool
) -> None:
    evidence = {"health": {"ok": True, "at": NOW, **({} if body is None else {"body": body})}}
    store, debt = owed(DebtState.DUE, when=when, asked_at=NOW - 5, evidence=evidence)
    change = pay(store, debt, BOOK)
    if paid:
        assert change is not None
        assert change.debts[0].state is DebtState.PAYING
        assert change.attempts[0].phase is Phase.RETURN
        assert change.attempts[0].on_interrupt == "page"
    else:
        assert change is not None
        assert (change.attempts, change.debts[0].state) == ((), DebtState.DUE)
        assert "require" in {gate["name"] for gate in change.events[0].data["gates"] if not gate["allowed"]}


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (OutcomeState.DONE, DebtState.PAID),
        (OutcomeState.FAILED, DebtState.FAILED),
        (OutcomeState.UNKNOWN, DebtState.FAILED),
    ],
)
def test_what_a_return_came_to_is_what_became_of_the_debt(outcome: OutcomeState, state: DebtState) -> None:
    store, _ = owed(DebtState.PAYING)
    with store.read() as uow:
        change = paying.ended(uow, attempt(None, phase=Phase.RETURN), replace(DONE, state=outcome), NOW)
    assert [debt.state for debt in change.debts] == [state]


@pytest.mark.parametrize(("approved", "state"), [(True, DebtState.DUE), (False, DebtState.WAIVED)])
def test_a_person_approves_a_return_or_waives_it(approved: bool, state: DebtState) -> None:
    store, _ = owed(DebtState.PROPOSED)
    with store.read() as uow:
        change = paying.decide(uow, "sf-1", "ana", NOW, approved=approved)
    assert change is not None
    assert change.debts[0].state is state


@pytest.mark.parametrize(("rung", "answered"), [("", True), ("switch", True), ("restart", False)])
def test_a_person_answers_for_one_return_or_for_all_of_an_incident(rung: str, answered: bool) -> None:
    store, _ = owed(DebtState.PROPOSED)
    with store.read() as uow:
        change = paying.decide(uow, "sf-1", "ana", NOW, approved=True, rung=rung)
    assert (change is not None) is answered


THEN = [
    {"after": 300.0, "when": "facts.x.ok", "do": dict(CALL), "autonomy": "auto"},
    {"after": 60.0, "when": None, "do": dict(CALL), "autonomy": "propose"},
]


def test_a_return_of_several_steps_goes_on_with_the_next_one_and_asks_for_it_anew() -> None:
    store, _ = owed(DebtState.PAYING, when="facts.y.ok", approved_by="ana", evidence={"y": {}}, then=THEN)
    with store.read() as uow:
        (second,) = paying.ended(uow, attempt(None, phase=Phase.RETURN), DONE, NOW).debts
    assert (second.state, second.due_at, second.autonomy) == (DebtState.OPEN, NOW + 300.0, "auto")
    assert second.plan == {"when": "facts.x.ok", "do": dict(CALL), "step": 2, "then": THEN[1:]}
    with store.write() as uow:
        uow.apply(Change(debts=(replace(second, state=DebtState.PAYING),)))
    with store.read() as uow:
        (third,) = paying.ended(uow, attempt(None, phase=Phase.RETURN), DONE, NOW).debts
    assert (third.plan, third.autonomy) == ({"when": None, "do": dict(CALL), "step": 3}, "propose")
    assert third.state is DebtState.OPEN


def test_a_step_that_failed_keeps_what_follows_and_is_tried_again_only_when_a_person_says_so() -> None:
    store, _ = owed(DebtState.PAYING, then=THEN)
    failed = replace(DONE, state=OutcomeState.FAILED)
    with store.read() as uow:
        (debt,) = paying.ended(uow, attempt(None, phase=Phase.RETURN), failed, NOW).debts
    assert (debt.state, debt.plan["then"]) == (DebtState.FAILED, THEN)
    assert pay(store, replace(debt, version=1), BOOK) is None
    store, _ = owed(DebtState.FAILED, then=THEN)
    with store.read() as uow:
        again = paying.decide(uow, "sf-1", "ana", NOW, approved=True)
    assert again is not None
    assert again.debts[0].state is DebtState.DUE
