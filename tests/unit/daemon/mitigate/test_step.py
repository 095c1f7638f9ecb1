"""One step of a ladder, from every state: what is asked for next, and why. Case numbers: remediation engines, section 3."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.records import Phase
from daemon.mitigate.moves import Act, Ask, Await, Done, GiveUp, Propose, Recheck
from daemon.mitigate.step import CONFIRM_EVERY, DIAGNOSE_WITHIN, interrupted
from remediations.guardrails.facts import Muting, Wheel
from remediations.run import Evidence, RunState
from remediations.verification import Reading, Seen, Verdict
from tests.fakes.climbing import BREACH, NOW, OK, PROBED, UNKNOWN, Climb, attempt, playbook, run, rung

UNDO = {"undo": {"http": {"method": "POST", "url": "http://storage/failback"}}}
CONFIRM = {"confirm": {"probe": "storage-health", "ok": "body.active == 'replica'"}}
FRESH = NOW - 2


def kinds(climb_events: Any) -> list[str]:
    return [str(event.kind) for event in climb_events]


def ticks(seen: Seen, *, since: float, until: float, every: float = 15.0) -> tuple[Reading, ...]:
    at, found = since + every, []
    while at <= until:
        found.append(Reading(at, seen, None if seen is Seen.UNKNOWN else at))
        at += every
    return tuple(found)


# ---------------------------------------------------------------------- diagnosing


def test_it_waits_for_its_probes_before_it_considers_anything() -> None:
    waiting = run(RunState.DIAGNOSING, asked=("health",), evidence={})
    done = Climb(playbook())(waiting)
    assert done.move == Await(waiting.entered_at + DIAGNOSE_WITHIN)
    assert done.run == waiting


def test_a_probe_that_never_answers_counts_as_failed_and_its_body_as_unknown() -> None:
    book = playbook(
        rung("a", when="facts.health.body.reason == 'hung'"), rung("b", when="not facts.health.ok")
    )
    waiting = run(RunState.DIAGNOSING, asked=("health",), evidence={})
    done = Climb(book)(waiting, waiting.entered_at + DIAGNOSE_WITHIN)
    assert isinstance(done.move, Act)
    assert done.move.rung.name == "b"
    assert kinds(done.events) == ["diagnosed", "skipped", "gates"]


def test_questions_that_were_lost_are_asked_again() -> None:
    waiting = run(RunState.DIAGNOSING, asked=("health",), evidence={})
    later = waiting.entered_at + 2 * DIAGNOSE_WITHIN + 1
    done = Climb(playbook())(waiting, later)
    assert isinstance(done.move, Ask)
    assert done.run.entered_at == later


def test_a_question_that_died_with_the_daemon_is_no_probe_that_failed() -> None:
    """A rung for a dead process must not be carried out because it was us who died."""
    book = playbook(rung("restart", when="not facts.health.ok"))
    asked = run(RunState.DIAGNOSING, asked=("health",), evidence={})
    done = Climb(book)(interrupted(asked), asked.entered_at + DIAGNOSE_WITHIN)
    assert isinstance(done.move, Ask)
    assert (done.run.entered_at, done.run.unheard) == (asked.entered_at + DIAGNOSE_WITHIN, False)


def test_an_answer_from_before_this_state_is_no_answer() -> None:
    stale = {"health": Evidence(NOW - 60, ok=True, body={})}
    done = Climb(playbook())(run(RunState.DIAGNOSING, asked=("health",), evidence=stale))
    assert isinstance(done.move, Await)


# ---------------------------------------------------------------------- rechecking: B2, B3, B4


@pytest.mark.parametrize(
    ("fault", "move", "why"),
    [
        (BREACH, Act, "the fault is there on fresh data"),
        (OK, Await, "B2, B3: it cleared between match and step"),
        (UNKNOWN, Recheck, "B4: nothing is known, so nothing is done"),
        (Reading(NOW, Seen.BREACH, NOW - 90), Recheck, "the newest evidence is too old"),
        (Reading(NOW, Seen.OK, NOW - 90), Recheck, "old health proves nothing either"),
        (Reading(NOW, Seen.BREACH, None), Recheck, "a breach without a sample"),
    ],
)
def test_the_fault_is_looked_at_on_fresh_data_before_a_rung_is_considered(
    fault: Reading, move: type, why: str
) -> None:
    done = Climb(playbook(), fault=fault)(run())
    assert isinstance(done.move, move), why
    assert (done.run.state is RunState.ACTING) == (move is Act)


def test_an_unknown_fault_gives_up_once_a_person_has_the_wheel() -> None:
    climb = Climb(playbook(), fault=UNKNOWN)
    climb.facts = replace(climb.facts, wheel=Wheel(paged_at=NOW - 20))
    assert isinstance(climb(run()).move, GiveUp)


# ---------------------------------------------------------------------- acting


@pytest.mark.parametrize(
    ("outcome", "fields", "move", "state", "why"),
    [
        (None, {}, Await, RunState.ACTING, "no answer yet"),
        ("done", {}, Await, RunState.VERIFYING, "carried out: verified from its end"),
        ("failed", {}, Ask, RunState.DIAGNOSING, "its own failure: the next rung, diagnosed anew"),
        ("failed", UNDO, Act, RunState.UNDOING, "its own failure with an undo: undone first"),
        ("not_done", {}, Ask, RunState.DIAGNOSING, "proved that nothing happened: the same rung again"),
        ("unknown", {"on_interrupt": "page"}, GiveUp, RunState.GAVE_UP, "left to a person"),
        ("unknown", {"on_interrupt": "rerun"}, Act, RunState.ACTING, "may safely be done twice"),
        (
            "unknown",
            {"on_interrupt": "probe", **CONFIRM},
            Ask,
            RunState.ACTING,
            "asked whether it took effect",
        ),
    ],
)
def test_the_outcome_of_an_action_decides_what_follows(
    outcome: str | None, fields: dict[str, Any], move: type, state: RunState, why: str
) -> None:
    book = playbook(rung(**fields), rung("other"))
    climb = Climb(book, attempt=attempt(outcome))
    done = climb(run(RunState.ACTING, attempt="sf-1/1/switch/do/1", tries=1, acted=True))
    assert isinstance(done.move, move), why
    assert done.run.state is state, why


def test_a_rerun_keeps_its_key_and_is_not_repeated_for_ever() -> None:
    climb = Climb(playbook(rung(on_interrupt="rerun")), attempt=attempt("unknown"))
    acting = run(RunState.ACTING, attempt="sf-1/1/switch/do/1", tries=1, acted=True)
    first = climb(acting)
    assert isinstance(first.move, Act)
    assert first.move.again == "sf-1/1/switch/do/1"
    second = climb(first.run)
    third = climb(second.run)
    assert isinstance(third.move, GiveUp)


def test_the_probe_that_settles_an_interrupted_action_is_asked_once_and_waited_for() -> None:
    """A probe that hangs must not take one slot after the other."""
    climb = Climb(playbook(rung(on_interrupt="probe", **CONFIRM)), attempt=attempt("unknown"))
    first = climb(run(RunState.ACTING, attempt="sf-1/1/switch/do/1"))
    assert isinstance(first.move, Ask)
    assert climb(first.run, NOW + 1).move == Await()


@pytest.mark.parametrize(
    ("seen", "state", "why"),
    [
        (Evidence(FRESH, ok=True), RunState.VERIFYING, "it took effect: verified from now"),
        (
            Evidence(FRESH, ok=False, body={}),
            RunState.DIAGNOSING,
            "proved that it did not: the rung once more",
        ),
        (
            Evidence(FRESH, ok=False, error="no answer"),
            RunState.GAVE_UP,
            "cannot be told: a page, never a repeat",
        ),
    ],
)
def test_an_interrupted_action_is_settled_by_its_probe(seen: Evidence, state: RunState, why: str) -> None:
    climb = Climb(playbook(rung(on_interrupt="probe", **CONFIRM)), attempt=attempt("unknown"))
    acting = run(RunState.ACTING, attempt="k", tries=1, acted=True, evidence={**PROBED, "confirm": seen})
    assert climb(acting).run.state is state, why


def test_what_was_proved_not_done_twice_moves_to_the_next_rung() -> None:
    climb = Climb(playbook(rung(), rung("other")), attempt=attempt("not_done"))
    done = climb(run(RunState.ACTING, attempt="k", tries=2, acted=True))
    assert done.run.rung == 1


# ---------------------------------------------------------------------- verifying

ACTED = NOW - 300.0
VERIFY = {"verify": {"within": "5m", "hold": "1m"}}


@pytest.mark.parametrize(
    ("readings", "verdict", "why"),
    [
        (ticks(Seen.OK, since=ACTED, until=ACTED + 90), Verdict.RECOVERED, "healthy for the whole hold"),
        (ticks(Seen.BREACH, since=ACTED, until=NOW), Verdict.NOT_RECOVERED, "still failing at the end"),
        (ticks(Seen.UNKNOWN, since=ACTED, until=NOW), Verdict.UNKNOWN, "B4: nothing could be seen"),
        ((), Verdict.UNKNOWN, "no sample at all"),
        (
            (
                *ticks(Seen.OK, since=ACTED, until=ACTED + 45),
                *ticks(Seen.UNKNOWN, since=ACTED + 45, until=ACTED + 60),
                *ticks(Seen.OK, since=ACTED + 60, until=ACTED + 105),
                *ticks(Seen.BREACH, since=ACTED + 105, until=NOW),
            ),
            Verdict.NOT_RECOVERED,
            "an unknown breaks the hold",
        ),
        (
            ticks(Seen.OK, since=ACTED - 200, until=ACTED),
            Verdict.UNKNOWN,
            "samples from before the action prove nothing",
        ),
    ],
)
def test_a_verdict_comes_from_samples_after_the_action_alone(
    readings: tuple[Reading, ...], verdict: Verdict, why: str
) -> None:
    climb = Climb(playbook(rung(**VERIFY)), readings=readings, attempt=attempt("done"))
    done = climb(run(RunState.VERIFYING, acted_until=ACTED, attempt="k", acted=True))
    assert done.verdict is not None, why
    assert done.verdict.verdict is verdict, why


def test_recovery_ends_the_climb_and_an_unknown_verdict_is_a_page_without_undo() -> None:
    healthy = Climb(playbook(rung(**VERIFY, **UNDO)), readings=ticks(Seen.OK, since=ACTED, until=NOW))
    assert isinstance(healthy(run(RunState.VERIFYING, acted_until=ACTED, acted=True)).move, Done)
    blind = Climb(playbook(rung(**VERIFY, **UNDO)))
    assert isinstance(blind(run(RunState.VERIFYING, acted_until=ACTED, acted=True)).move, GiveUp)


def test_a_contain_rung_is_checked_by_its_own_effect_and_never_by_the_symptom_it_hides() -> None:
    book = playbook(rung("spool", kind="contain", **CONFIRM, **VERIFY), rung("mend"))
    quiet = Climb(book, readings=ticks(Seen.OK, since=ACTED, until=NOW))
    asking = quiet(run(RunState.VERIFYING, acted_until=NOW - 5, acted=True))
    assert isinstance(asking.move, Ask)
    told = {"confirm": Evidence(FRESH, ok=True)}
    done = quiet(run(RunState.VERIFYING, acted_until=NOW - 5, acted=True, evidence=told, asked=("confirm",)))
    assert done.contained == "spool"
    assert done.run.contained_by == ("spool",)
    assert done.run.rung == 1, "the climb goes on"


def test_whether_a_containment_shows_is_asked_at_a_pace_and_not_as_fast_as_it_is_answered() -> None:
    book = playbook(rung("spool", kind="contain", **CONFIRM, verify={"within": "1m", "hold": "10s"}))
    seen = {"confirm": Evidence(NOW, ok=False)}
    verifying = run(RunState.VERIFYING, acted_until=NOW - 5, acted=True, evidence=seen)
    assert Climb(book)(verifying, NOW + 1).move == Await(NOW + CONFIRM_EVERY)
    assert isinstance(Climb(book)(verifying, NOW + CONFIRM_EVERY).move, Ask)


def test_whether_a_containment_shows_is_asked_again_when_the_question_died_with_the_daemon() -> None:
    book = playbook(rung("spool", kind="contain", **CONFIRM, **VERIFY))
    asked = run(RunState.VERIFYING, acted_until=NOW - 5, acted=True, evidence={}, asked=("confirm",))
    assert isinstance(Climb(book)(asked).move, Await)
    assert isinstance(Climb(book)(interrupted(asked)).move, Ask)


def test_a_contain_rung_whose_effect_does_not_show_is_in_vain() -> None:
    book = playbook(rung("spool", kind="contain", **CONFIRM, **VERIFY))
    late = Climb(book)(run(RunState.VERIFYING, acted_until=ACTED, acted=True, asked=("confirm",)))
    assert late.verdict is not None
    assert late.verdict.verdict is Verdict.NOT_RECOVERED


# ---------------------------------------------------------------------- undoing


@pytest.mark.parametrize(
    ("outcome", "seen", "move", "why"),
    [
        ("done", Evidence(FRESH, ok=False, body={}), Ask, "undone and seen to be: the next rung"),
        ("done", Evidence(FRESH, ok=True), GiveUp, "it still shows its effect"),
        ("done", Evidence(FRESH, ok=False, error="no answer"), GiveUp, "cannot be told"),
        ("failed", Evidence(FRESH, ok=True), GiveUp, "the undo failed"),
        (
            "failed",
            Evidence(FRESH, ok=False, body={}),
            Ask,
            "refused, for it was undone by hand: the next rung",
        ),
        ("unknown", Evidence(FRESH, ok=True), GiveUp, "nobody saw it end, and it still shows its effect"),
        (
            "unknown",
            Evidence(FRESH, ok=False, error="no answer"),
            GiveUp,
            "nobody knows whether it was undone",
        ),
        (
            "unknown",
            Evidence(FRESH, ok=False, body={}),
            Ask,
            "nobody saw it end, and it is undone: the next rung",
        ),
        ("not_done", None, GiveUp, "nothing was begun, so there is nothing to look for"),
        (None, None, Await, "under way"),
    ],
)
def test_an_undo_is_proved_or_a_person_is_paged(
    outcome: str | None, seen: Evidence | None, move: type, why: str
) -> None:
    book = playbook(rung(**UNDO, **CONFIRM), rung("other"))
    climb = Climb(book, attempt=attempt(outcome, phase=Phase.UNDO))
    evidence = PROBED if seen is None else {**PROBED, "confirm": seen}
    late = NOW + 600.0 if outcome else NOW  # past the time in which it would show
    done = climb(run(RunState.UNDOING, attempt="k", acted=True, evidence=evidence), late)
    assert isinstance(done.move, move), why
    assert done.run.rung == (1 if move is Ask else 0), why
    assert not any(e.kind is Kind.STARTED for e in done.events)


@pytest.mark.parametrize(
    ("outcome", "seen", "move", "why"),
    [
        ("done", Evidence(NOW, ok=True), Await, "it may still show"),
        ("done", Evidence(NOW - CONFIRM_EVERY, ok=True), Ask, "looked at again"),
        ("unknown", None, Ask, "nobody saw it end: it is looked for"),
        ("unknown", Evidence(NOW - 600, ok=False, body={}), Ask, "what was seen before it proves nothing"),
        ("failed", None, Ask, "perhaps somebody undid it by hand"),
        ("failed", Evidence(NOW, ok=True), GiveUp, "it was refused, and nothing is to be waited for"),
    ],
)
def test_an_undo_is_given_the_time_of_its_rung_to_show(
    outcome: str, seen: Evidence | None, move: type, why: str
) -> None:
    book = playbook(rung(**UNDO, **CONFIRM, **VERIFY), rung("other"))
    ended = replace(attempt(outcome, phase=Phase.UNDO), ended_at=NOW - 10)
    evidence = PROBED if seen is None else {**PROBED, "confirm": seen}
    done = Climb(book, attempt=ended)(run(RunState.UNDOING, attempt="k", acted=True, evidence=evidence))
    assert isinstance(done.move, move), why
    assert done.run.rung == 0


# ---------------------------------------------------------------------- the end: B17, B18


def test_a_fault_that_outlives_one_fix_gets_the_next_and_then_a_page_and_never_silence() -> None:
    book = playbook(rung("first", **VERIFY), rung("second", **VERIFY))
    failing = ticks(Seen.BREACH, since=ACTED, until=NOW)
    climb = Climb(book, readings=failing)
    after_first = climb(run(RunState.VERIFYING, acted_until=ACTED, acted=True))
    assert after_first.run.rung == 1
    after_second = climb(run(RunState.VERIFYING, rung=1, acted_until=ACTED, acted=True))
    answered = replace(after_second.run, evidence={"health": Evidence(NOW, ok=True, body={})})
    last = climb(answered)
    assert last.move == GiveUp("every rung was tried and the fault is still there")
    assert last.run.state is RunState.GAVE_UP
    assert kinds(last.events)[-1] == "gave_up"


def test_an_empty_ladder_is_a_page_at_once() -> None:
    book = playbook().model_copy(update={"ladder": ()})
    assert Climb(book)(run()).move == GiveUp("no rung applies and the fault is still there")


@pytest.mark.parametrize("ladder", [(), (rung("first", **VERIFY),)], ids=["empty", "climbed to its end"])
def test_with_nothing_left_to_do_nobody_waits_for_better_sight(ladder: tuple[Any, ...]) -> None:
    book = playbook().model_copy(update={"ladder": ladder})
    climb = Climb(book, fault=UNKNOWN)
    assert isinstance(climb(run(rung=len(ladder))).move, GiveUp)


def test_a_ladder_that_ends_contained_says_so_and_pages() -> None:
    done = Climb(playbook())(run(rung=1, contained_by=("spool",)))
    assert done.move == GiveUp("contained by spool, but nothing mends it")


def test_a_run_that_has_ended_stays_as_it_is() -> None:
    for state in (RunState.GAVE_UP, RunState.DONE):
        ended = run(state)
        assert Climb(playbook())(ended).run == ended


def test_waiting_writes_nothing() -> None:
    climb = Climb(playbook())
    climb.facts = replace(climb.facts, mutings=(Muting("maintenance", "ana", "disks", NOW + 600),))
    first = climb(run())
    assert first.run.state is RunState.WAITING
    again = climb(first.run, NOW + 1)
    assert again.run == first.run
    assert again.events == ()
    assert isinstance(again.move, Await)


def test_a_proposal_is_made_once_and_waits() -> None:
    done = Climb(playbook(rung(autonomy="propose")))(run())
    assert isinstance(done.move, Propose)
    assert done.run.proposal_expires_at == NOW + 1800
