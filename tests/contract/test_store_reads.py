"""What each repository finds, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.scope import WHOLE, scope_of
from daemon.incidents.change import Change
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import IncidentState
from daemon.incidents.records import (
    DebtState,
    FailoverLock,
    OrderState,
    Phase,
    PipelineChange,
)
from daemon.store.store import Store
from detectors.hours import Hour
from remediations.run import RunState
from tests.fakes import rows
from tests.fakes.rows import NAVIXY


def keep(store: Store, *changes: Change) -> None:
    with store.write() as uow:
        for change in changes:
            uow.apply(change)


def keep_incidents(store: Store, *incidents: object) -> None:
    keep(store, *(Change(incident=row) for row in incidents))  # type: ignore[arg-type]  # built by rows.incident


def test_open_incidents_are_all_that_did_not_end(store: Store) -> None:
    states = {f"i-{state}": state for state in IncidentState}
    keep_incidents(store, *(rows.incident(key, state=state) for key, state in states.items()))
    with store.read() as uow:
        found = {row.state for row in uow.incidents.open()}
    assert found == set(IncidentState) - {IncidentState.RESOLVED, IncidentState.CLOSED}


def test_what_a_person_closed_while_it_fired_is_found_until_looked_at_again(store: Store) -> None:
    held = rows.incident("held", state=IncidentState.CLOSED, quiet_until=900.0)
    keep_incidents(store, held, rows.incident("over", state=IncidentState.CLOSED))
    with store.read() as uow:
        assert [row.id for row in uow.incidents.quieted()] == ["held"]


def test_the_latest_at_a_scope_may_have_ended(store: Store) -> None:
    keep_incidents(
        store,
        rows.incident("old", detected_at=50.0, state=IncidentState.RESOLVED),
        rows.incident("new", detected_at=70.0, state=IncidentState.RESOLVED),
        rows.incident("narrower", detected_at=90.0, scope=scope_of({"provider": "navixy", "field": "x"})),
        rows.incident("whole", detected_at=90.0, scope=WHOLE),
        rows.incident("another mode", detected_at=90.0, failure_mode="data_quality"),
    )
    with store.read() as uow:
        latest = uow.incidents.latest("provider_outage", NAVIXY)
        assert latest is not None
        assert latest.id == "new"
        assert [row.id for row in uow.incidents.at_scope("provider_outage", NAVIXY)] == ["new", "old"]
        assert [row.id for row in uow.incidents.at_scope("provider_outage", NAVIXY, since=60.0)] == ["new"]
        assert uow.incidents.latest("storage_failure", NAVIXY) is None


def test_a_list_is_paged_by_key_also_where_times_are_equal(store: Store) -> None:
    keep_incidents(store, *(rows.incident(f"i-{n:02}", detected_at=float(n // 4)) for n in range(22)))
    seen: list[str] = []
    after = None
    with store.read() as uow:
        while True:
            page = uow.incidents.search(limit=5, after=after)
            seen += [row.id for row in page.incidents]
            if (after := page.next) is None:
                break
    assert seen == [f"i-{n:02}" for n in reversed(range(22))]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param({}, ["c", "b", "a"], id="no filter: all, newest first"),
        pytest.param({"states": ["open"]}, ["c", "a"], id="by state, as text"),
        pytest.param({"states": [IncidentState.RESOLVED]}, ["b"], id="by state, as member"),
        pytest.param({"modes": ["data_quality"]}, ["c"], id="by failure mode"),
        pytest.param({"since": 20.0}, ["c", "b"], id="since counts its own instant"),
        pytest.param({"until": 20.0}, ["a"], id="until does not"),
        pytest.param(
            {"states": ["open"], "modes": ["provider_outage"], "since": 5.0}, ["a"], id="all at once"
        ),
        pytest.param({"modes": ["no_such"]}, [], id="nothing matches"),
    ],
)
def test_a_list_is_filtered(store: Store, filters: dict[str, object], expected: list[str]) -> None:
    keep_incidents(
        store,
        rows.incident("a", detected_at=10.0),
        rows.incident("b", detected_at=20.0, state=IncidentState.RESOLVED),
        rows.incident("c", detected_at=30.0, failure_mode="data_quality"),
    )
    with store.read() as uow:
        page = uow.incidents.search(**filters)  # type: ignore[arg-type]  # a table of filters
    assert [row.id for row in page.incidents] == expected
    assert page.next is None


def test_active_runs_are_those_that_climb(store: Store) -> None:
    keep(store, *(Change(run=rows.run(f"r-{state}", state=state)) for state in RunState))
    with store.read() as uow:
        assert {row.state for row in uow.runs.active()} == set(RunState) - {RunState.GAVE_UP, RunState.DONE}


def test_a_climb_ended_when_the_latest_that_acted_ended(store: Store) -> None:
    def climbed(key: str, **fields: object) -> Change:
        scope = fields.pop("scope", NAVIXY)
        return Change(incident=rows.incident(key, scope=scope), run=rows.run(key, **fields))

    keep(
        store,
        climbed("first", acted=True, ended_at=300.0),
        climbed("second", acted=True, ended_at=400.0),
        climbed("did nothing", acted=False, ended_at=500.0),
        climbed("elsewhere", acted=True, ended_at=600.0, scope=WHOLE),
        climbed("another playbook", acted=True, ended_at=700.0, playbook="storage-hot"),
        climbed("under way", acted=True),
    )
    with store.read() as uow:
        assert uow.runs.climb_ended_at("provider-outage", NAVIXY) == 400.0
        assert uow.runs.climb_ended_at("api-degradation", NAVIXY) is None


def test_an_escalation_is_due_by_the_earliest_of_its_times(store: Store) -> None:
    keep(
        store,
        Change(escalation=rows.escalation("level", next_level_at=100.0, remind_at=900.0)),
        Change(escalation=rows.escalation("reminder", next_level_at=900.0, remind_at=90.0)),
        Change(escalation=rows.escalation("held", held_until=80.0)),
        Change(escalation=rows.escalation("later", next_level_at=101.0)),
        Change(escalation=rows.escalation("nothing")),
        Change(escalation=rows.escalation("over", next_level_at=50.0, state=EscalationState.ENDED)),
    )
    with store.read() as uow:
        assert [row.id for row in uow.escalations.due(100.0)] == ["held", "reminder", "level"]


def test_in_flight_is_what_was_intended_runs_or_is_verified(store: Store) -> None:
    def climbing(key: str, state: RunState, under_way: str | None = None, **fields: object) -> Change:
        row = rows.attempt(f"{key}/do", incident=key, **fields)
        return Change(run=rows.run(key, state=state, attempt=under_way), attempts=(row,))

    done = {"started_at": 111.0, "ended_at": 112.0, "outcome": "done"}
    keep(
        store,
        climbing("intended", RunState.ACTING),
        climbing("started", RunState.ACTING, started_at=111.0),
        climbing("verifying", RunState.VERIFYING, "verifying/do", **done),
        climbing("unjudged", RunState.VERIFYING, None, **done),
        climbing("undoing", RunState.UNDOING, "undoing/do", **done | {"verdict": "not_recovered"}),
        climbing("earlier rung", RunState.VERIFYING, "another", **done | {"verdict": "not_recovered"}),
        climbing("failed", RunState.DIAGNOSING, None, **done | {"outcome": "failed"}),
        climbing("finished", RunState.DONE, "finished/do", **done | {"verdict": "recovered"}),
        Change(attempts=(rows.attempt("returning", incident="long over", phase=Phase.RETURN),)),
    )
    with store.read() as uow:
        found = {row.key for row in uow.attempts.in_flight()}
        queue = {row.key for row in uow.attempts.intended()}
    assert found == {f"{key}/do" for key in ("intended", "started", "verifying", "unjudged", "undoing")} | {
        "returning"
    }
    assert queue == {"intended/do", "returning"}


def test_a_budget_counts_disruptive_uses_of_an_action_on_a_target(store: Store) -> None:
    keep(
        store,
        Change(
            attempts=(
                rows.attempt("started", intended_at=100.0, started_at=101.0, outcome="done"),
                rows.attempt("failed", intended_at=102.0, started_at=103.0, outcome="failed"),
                rows.attempt("intended", intended_at=104.0, targets=("other", "consumer-navixy")),
                rows.attempt("too old", intended_at=98.0, started_at=99.0, outcome="done"),
                rows.attempt("at the edge", intended_at=99.0, started_at=100.0, outcome="unknown"),
                rows.attempt("never was", intended_at=105.0, outcome="not_done"),
                rows.attempt("harmless", intended_at=105.0, started_at=106.0, disruptive=False),
                rows.attempt("elsewhere", intended_at=105.0, started_at=106.0, targets=("other",)),
                rows.attempt("other action", intended_at=105.0, started_at=106.0, action="http"),
            )
        ),
    )
    with store.read() as uow:
        times = uow.attempts.disruptive_since("service.restart", "consumer-navixy", 100.0)
        everything = uow.attempts.all_disruptive_since(101.0)
    assert times == (100.0, 101.0, 103.0, 104.0)
    assert set(times[1:]) < set(everything), "whatever was done to what"
    assert min(everything) == 101.0


def test_debts_are_unpaid_until_paid_or_waived_and_due_by_their_date(store: Store) -> None:
    debts = tuple(rows.debt(f"d-{state}", state=state) for state in DebtState)
    dateless = rows.debt("d-dateless", due_at=None)
    keep(store, Change(debts=(*debts, dateless)))
    settled = {"d-paid", "d-waived"}
    with store.read() as uow:
        assert {row.id for row in uow.debts.unpaid()} == {row.id for row in (*debts, dateless)} - settled
        assert {row.id for row in uow.debts.due(500.0)} == {row.id for row in debts} - settled
        assert uow.debts.due(499.0) == ()
        assert uow.debts.get("d-open") == replace(debts[0], version=1)


def test_the_timeline_is_read_in_order_and_by_number(store: Store) -> None:
    with store.write() as uow:
        uow.timeline.append([rows.event(f"e{n}", incident="-" if n == 2 else "po-1") for n in range(5)])
    with store.read() as uow:
        assert [event.text for event in uow.timeline.of("po-1")] == ["e0", "e1", "e3", "e4"]
        assert [event.text for event in uow.timeline.of("po-1", limit=2)] == ["e3", "e4"]
        lines = uow.timeline.tail(0)
        assert [line.event.text for line in lines] == ["e0", "e1", "e2", "e3", "e4"]
        assert [line.event.text for line in uow.timeline.tail(lines[1].seq, limit=2)] == ["e2", "e3"]
    assert store.last_seq() == lines[-1].seq


def test_the_newest_number_of_an_empty_timeline_is_zero(store: Store) -> None:
    assert store.last_seq() == 0


def test_a_mute_holds_between_its_absolute_times_unless_lifted(store: Store) -> None:
    keep(
        store,
        Change(
            mutes=(
                rows.mute("holds"),
                rows.mute("open-ended", ends_at=None),
                rows.mute("over", ends_at=150.0),
                rows.mute("not yet", starts_at=151.0),
                rows.mute("lifted", lifted_at=120.0),
            )
        ),
    )
    with store.read() as uow:
        active = uow.mutes.active(150.0)
        assert {row.id for row in active} == {"holds", "open-ended"}
        assert {row.id for row in uow.mutes.listed()} == {
            "holds",
            "open-ended",
            "over",
            "not yet",
            "lifted",
        }
        assert {row.id for row in uow.mutes.listed() if row.active(150.0)} == {"holds", "open-ended"}
        assert uow.mutes.get("over") == rows.mute("over", ends_at=150.0)


def test_a_lock_that_ran_out_is_not_listed_but_can_be_asked_for(store: Store) -> None:
    short, long = FailoverLock("hot", 150.0, "po-1", "failed over"), FailoverLock("api", 900.0, "po-1", "x")
    keep(store, Change(locks=(short, long)))
    with store.read() as uow:
        assert uow.locks.listed(150.0) == (long,)
        assert uow.locks.get("hot") == short


def test_recorded_orders_and_alerts_get_ids_in_their_order(store: Store) -> None:
    first = store.record([rows.order("ack"), rows.order("note")], [rows.alert(f"f{n}") for n in range(50)])
    second = store.record([rows.order("resolve")])
    assert list(first + second) == sorted(first + second)
    with store.read() as uow:
        assert [(row.id, row.kind) for row in uow.inbox.new_orders()] == list(
            zip(first + second, ["ack", "note", "resolve"], strict=True)
        )
        alerts = uow.inbox.new_alerts()
    assert [row.fingerprint for row in alerts] == [f"f{n}" for n in range(50)]
    assert sorted({row.id for row in alerts}) == [row.id for row in alerts]
    assert alerts[0] == replace(rows.alert("f0"), id=alerts[0].id)


def test_an_order_is_settled_once_and_keeps_its_answer(store: Store) -> None:
    (number,) = store.record([rows.order()])
    with store.write() as uow:
        assert uow.inbox.settle_order(number, OrderState.DONE, "acknowledged")
        assert not uow.inbox.settle_order(number, OrderState.REFUSED, "again")
        assert not uow.inbox.settle_order(number + 1, OrderState.DONE, "no such order")
    with store.read() as uow:
        assert uow.inbox.new_orders() == ()
        assert uow.inbox.order(number) == rows.order(id=number, state=OrderState.DONE, answer="acknowledged")


def test_an_alert_is_settled_once(store: Store) -> None:
    store.record(alerts=[rows.alert("a"), rows.alert("b")])
    with store.write() as uow:
        first = uow.inbox.new_alerts()[0]
        assert uow.inbox.settle_alerts([first.id, 0]) == 1
        assert uow.inbox.settle_alerts([first.id]) == 0
    with store.read() as uow:
        assert [row.fingerprint for row in uow.inbox.new_alerts()] == ["b"]


def test_what_cannot_be_handled_is_parked_and_asked_for_no_more(store: Store) -> None:
    store.record([rows.order()], [rows.alert()])
    with store.write() as uow:
        (order,), (alert,) = uow.inbox.new_orders(), uow.inbox.new_alerts()
        assert uow.inbox.dead_letter(order, "no such incident")
        assert uow.inbox.dead_letter(alert, "no map")
    with store.read() as uow:
        assert (uow.inbox.new_orders(), uow.inbox.new_alerts()) == ((), ())
        parked = uow.inbox.order(order.id)
    assert parked == replace(order, state=OrderState.REFUSED, answer="no such incident")


def test_recent_changes_of_the_pipeline_are_newest_first(store: Store) -> None:
    changes = [PipelineChange(at, "deploy", "ci", f"v{at:.0f}", NAVIXY) for at in (10.0, 30.0, 20.0)]
    with store.write() as uow:
        for change in changes:
            uow.pipeline.add(change)
    with store.read() as uow:
        assert uow.pipeline.recent(15.0) == (changes[1], changes[2])
        assert uow.pipeline.recent(0.0, limit=1) == (changes[1],)


def test_checkpoints_are_replaced_by_detector_and_scope(store: Store) -> None:
    first = {("silent", NAVIXY): {"since": 1.5}, ("silent", WHOLE): [1, None], ("errors", NAVIXY): "x"}
    with store.write() as uow:
        uow.checkpoints.save(first)
    with store.write() as uow:
        uow.checkpoints.save({("silent", NAVIXY): {"since": 2.5}, ("errors", NAVIXY): None})
    with store.read() as uow:
        assert uow.checkpoints.load() == {("silent", NAVIXY): {"since": 2.5}, ("silent", WHOLE): [1, None]}
    with store.write() as uow:
        uow.checkpoints.replace({("errors", WHOLE): 1})
    with store.read() as uow:
        assert uow.checkpoints.load() == {("errors", WHOLE): 1}


def test_hours_are_kept_by_detector_and_hour_until_they_are_too_old(store: Store) -> None:
    first = Hour(
        "rate", 3600.0, "s1", {"provider=navixy": (2.5, 240.0, 1.0), "provider=oem": (None, 12.0, 0.5)}
    )
    other = Hour("silent", 3600.0, "s2", {"": (1.0, 0.0, 0.75)})
    late = Hour("rate", 7200.0, "s1", {})
    with store.write() as uow:
        uow.rollups.save([first, other, late])
        uow.rollups.save([])
    with store.read() as uow:
        assert uow.rollups.load() == (first, other, late)
    taken_back = Hour("rate", 3600.0, "s1", {"provider=oem": (None, 12.0, 0.5)})
    with store.write() as uow:
        uow.rollups.save([taken_back])
    with store.read() as uow:
        assert uow.rollups.load() == (taken_back, other, late)
    with store.write() as uow:
        uow.rollups.forget(7200.0)
    with store.read() as uow:
        assert uow.rollups.load() == (late,)
