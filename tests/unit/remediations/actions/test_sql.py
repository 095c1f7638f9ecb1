"""What a `sql` action does to a pair of servers, and refuses to do; real servers in `tests/integration/test_sql.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from config.problems import Wrong
from config.scope import WHOLE
from config.secrets import Environment, Redactor
from remediations.actions.dsn import Hidden, database_of
from remediations.actions.registry import Actions, validate_action
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ambiguous, PortError, Ports, Unreachable
from tests.fakes.databases import PRIMARY, STANDBY, FakePair
from tests.fakes.ports import FakePermit, FakePorts

ENVIRONMENT = Environment({"STANDBY": STANDBY, "PRIMARY": PRIMARY, "NOBODY": "service=fleet"})
PROMOTE: dict[str, Any] = {"standby": {"env": "STANDBY"}, "primary": {"env": "PRIMARY"}}
ALONE: dict[str, Any] = {"standby": {"env": "STANDBY"}}
DONE, FAILED, NOT_DONE, UNKNOWN = (
    OutcomeState.DONE,
    OutcomeState.FAILED,
    OutcomeState.NOT_DONE,
    OutcomeState.UNKNOWN,
)
FENCE = ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf", "SELECT pg_has_role"]
LIFT = ["ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf"]
REFUSED = PortError("FATAL: too many connections for role", sent=False)
NOBODY = Unreachable("Connection refused")
LOST = Ambiguous("the connection was lost")


def perform(pair: FakePair, written: dict[str, Any], permit: FakePermit | None = None) -> Outcome:
    world = FakePorts()
    made = Actions({}, ENVIRONMENT.take, ENVIRONMENT.context, Redactor([]).text, world.clock.advance)
    prepared = made.prepare({"sql": written}, {"scope": {}}, WHOLE)
    inner = world.ports
    ports = Ports(inner.http, inner.processes, inner.files, pair, inner.clock)
    rendered = json.loads(json.dumps(prepared.rendered))
    deadline = world.clock.monotonic() + 90.0
    outcome = made.perform(
        "sql", rendered, ports, deadline=deadline, permit=permit or FakePermit(), key="k-1"
    )
    assert world.clock.monotonic() <= deadline
    return outcome


def promote(pair: FakePair, **more: Any) -> Outcome:
    return perform(pair, {"promote": {**PROMOTE, **more}})


def orders(pair: FakePair) -> list[str]:
    """What was ordered, without layout."""
    return [order or "SELECT pg_has_role" for order in pair.touched]


def test_a_standby_is_promoted_after_its_primary_was_fenced() -> None:
    pair = FakePair()
    outcome = promote(pair)
    assert outcome.state is DONE, outcome
    assert orders(pair) == [*FENCE, "SELECT pg_promote"]
    assert "promoted, timeline 1 to 2" in outcome.effect
    assert "hot-a/fleet is read-only, 2 sessions ended" in outcome.effect


def test_promoting_what_is_promoted_is_done_and_touches_nothing() -> None:
    pair = FakePair()
    promote(pair)
    before = list(pair.touched)
    outcome = promote(pair)
    assert outcome.state is DONE
    assert "takes writes already, on timeline 2" in outcome.effect
    assert pair.touched == before


def test_two_servers_that_take_writes_are_told_and_left_to_people() -> None:
    pair = FakePair()
    pair.standby.recovering = False
    outcome = promote(pair)
    assert (outcome.state, pair.touched) == (FAILED, [])
    assert "and so does hot-a/fleet" in outcome.effect


def set_on(server: str, **fields: Any) -> Callable[[FakePair], None]:
    def change(pair: FakePair) -> None:
        for name, value in fields.items():
            setattr(getattr(pair, server), name, value)

    return change


def gone(pair: FakePair) -> None:
    pair.refusals[PRIMARY] = NOBODY
    pair.standby.receiving = False


def unreachable_from_here(pair: FakePair) -> None:
    pair.refusals[PRIMARY] = NOBODY


def full(pair: FakePair) -> None:
    pair.refusals[PRIMARY] = REFUSED


def silent(pair: FakePair) -> None:
    pair.standby.receiving = False


@pytest.mark.parametrize(
    ("happened", "written", "why"),
    [
        (set_on("standby", replayed=0, known=65_000_000), PROMOTE, "more than 64MB behind"),
        (set_on("standby", replayed=0, paused=True, known=65_000_000), PROMOTE, "its replay is paused"),
        (set_on("primary", known=70_000_000), PROMOTE, "more than 64MB behind"),
        (set_on("standby", delay=31.0), {**PROMOTE, "max_lag": "30s"}, "more than 30s behind"),
        (set_on("standby", system=8), PROMOTE, "not of one cluster"),
        (unreachable_from_here, PROMOTE, "still receives from a primary that cannot be fenced"),
        (full, PROMOTE, "is there and cannot be fenced"),
        (lambda _: None, ALONE, "still receives from a primary that cannot be fenced"),
        (set_on("primary", recovering=True), PROMOTE, "still receives"),
    ],
)
def test_what_does_not_hold_is_refused_before_anything_is_touched(
    happened: Callable[[FakePair], None], written: dict[str, Any], why: str
) -> None:
    pair = FakePair()
    happened(pair)
    outcome = perform(pair, {"promote": written})
    assert (outcome.state, pair.touched) == (NOT_DONE, []), outcome
    assert why in outcome.effect


@pytest.mark.parametrize(
    ("happened", "written", "ordered"),
    [
        pytest.param(gone, PROMOTE, [], id="nobody sees the primary any more"),
        pytest.param(silent, ALONE, [], id="no primary is named, and the standby receives nothing"),
        pytest.param(set_on("primary", read_only=True), PROMOTE, FENCE[2:], id="fenced by somebody else"),
        pytest.param(set_on("standby", delay=29.0), {**PROMOTE, "max_lag": "30s"}, FENCE, id="near enough"),
    ],
)
def test_what_is_known_to_take_no_writes_needs_no_more_fence(
    happened: Callable[[FakePair], None], written: dict[str, Any], ordered: list[str]
) -> None:
    pair = FakePair()
    happened(pair)
    assert perform(pair, {"promote": written}).state is DONE
    assert orders(pair) == [*ordered, "SELECT pg_promote"]


@pytest.mark.parametrize(
    ("happened", "why"),
    [
        (set_on("primary", deaf=True), "still opens sessions that can write"),
        (set_on("primary", stubborn=1), "1 sessions of hot-a/fleet did not end"),
        (set_on("primary", prepared=1), "1 prepared transactions of hot-a/fleet can still be committed"),
        (set_on("primary", sees_sessions=False), "may not see other sessions"),
        (set_on("primary", errors={"\nSELECT pg_has_role": REFUSED}), "takes writes again"),
        (set_on("primary", errors={"SELECT pg_reload_conf": LOST}), "may still be read-only"),
        (set_on("standby", errors={"SELECT pg_promote": REFUSED}), "the promotion was refused"),
        (set_on("standby", errors={"SELECT pg_promote": NOBODY}), "the promotion was not sent"),
    ],
)
def test_a_fence_that_led_to_nothing_is_lifted(happened: Callable[[FakePair], None], why: str) -> None:
    pair = FakePair()
    happened(pair)
    outcome = promote(pair)
    assert outcome.state is FAILED
    assert why in outcome.effect
    assert LIFT[0] in orders(pair)
    assert not pair.primary.read_only
    assert pair.standby.recovering


def test_a_fence_of_ones_own_is_used_and_lifted_by_its_own_statement() -> None:
    fence = {"statement": "SELECT fence()", "lift": "SELECT lift()"}
    pair = FakePair()
    assert promote(pair, fence=fence).state is DONE
    assert orders(pair) == ["SELECT fence", "SELECT pg_has_role", "SELECT pg_promote"]
    pair = FakePair()
    pair.primary.stubborn = 1
    assert promote(pair, fence=fence).state is FAILED
    assert orders(pair)[-1] == "SELECT lift"


def test_a_standby_that_does_not_catch_up_with_the_fenced_primary_is_not_promoted() -> None:
    pair = FakePair()
    original = pair.primary.run

    def writes_until_fenced(statement: str) -> Any:
        if "pg_terminate_backend" in statement:
            pair.primary.known += 65_000_000
        return original(statement)

    pair.primary.run = writes_until_fenced  # type: ignore[method-assign]  # a primary that was busy to the last
    outcome = promote(pair)
    assert outcome.state is FAILED
    assert "did not catch up" in outcome.effect
    assert not pair.primary.read_only
    assert pair.standby.recovering


def test_a_promotion_whose_answer_is_lost_is_unknown_stays_fenced_and_is_found_done_later() -> None:
    pair = FakePair()
    pair.standby.errors["SELECT pg_promote"] = LOST
    outcome = promote(pair)
    assert outcome.state is UNKNOWN
    assert pair.primary.read_only, "it may have been promoted: two that take writes would be worse"
    assert LIFT[0] not in orders(pair)
    pair.standby.errors.clear()
    assert promote(pair).state is DONE


def test_a_promotion_that_is_not_seen_to_finish_is_unknown() -> None:
    pair = FakePair()
    pair.standby.slow = True
    outcome = promote(pair)
    assert outcome.state is UNKNOWN
    assert "not finished" in outcome.effect


def test_a_permit_that_ends_between_fence_and_promotion_lifts_the_fence() -> None:
    pair, permit = FakePair(), FakePermit()
    permit.on_ask = lambda: setattr(permit, "grants", permit.asked < 2)
    outcome = perform(pair, {"promote": PROMOTE}, permit)
    assert outcome.state is FAILED
    assert "no permit any more" in outcome.effect
    assert not pair.primary.read_only
    assert pair.standby.recovering


# ---------------------------------------------------------------------- statements


@pytest.mark.parametrize(
    ("error", "state"), [(REFUSED, FAILED), (NOBODY, FAILED), (LOST, UNKNOWN), (None, DONE)]
)
def test_a_statement_ends_as_its_server_says(error: PortError | None, state: OutcomeState) -> None:
    pair = FakePair()
    if error is not None:
        pair.standby.errors["SELECT tidy"] = error
    written = {"statement": {"dsn": {"env": "STANDBY"}, "sql": "SELECT tidy()"}}
    assert perform(pair, written).state is state


@pytest.mark.parametrize(
    ("written", "disruptive", "idempotent", "targets"),
    [
        ({"promote": PROMOTE}, True, True, {"hot-a/fleet", "hot-b/fleet"}),
        ({"terminate_blockers": {"dsn": {"env": "STANDBY"}}}, True, False, {"hot-b/fleet"}),
        ({"statement": {"dsn": {"env": "STANDBY"}, "sql": "SELECT 1"}}, True, False, {"hot-b/fleet"}),
        (
            {
                "statement": {
                    "dsn": {"env": "STANDBY"},
                    "sql": "ANALYZE",
                    "disruptive": False,
                    "idempotent": True,
                }
            },
            False,
            True,
            {"hot-b/fleet"},
        ),
    ],
)
def test_it_says_what_it_acts_upon_and_whether_that_disrupts_or_repeats(
    written: dict[str, Any], disruptive: bool, idempotent: bool, targets: set[str]
) -> None:
    made = Actions({}, ENVIRONMENT.take, ENVIRONMENT.context)
    prepared = made.prepare({"sql": written}, {"scope": {}}, WHOLE)
    assert (prepared.disruptive, prepared.idempotent) == (disruptive, idempotent)
    assert prepared.targets == targets
    assert "canary" not in json.dumps(prepared.rendered)


@pytest.mark.parametrize(
    ("written", "place", "why"),
    [
        ({}, (), "exactly one thing"),
        ({"promote": PROMOTE, "statement": {"dsn": {"env": "STANDBY"}, "sql": "x"}}, (), "exactly one thing"),
        ({"promote": {"standby": "postgresql://h/d"}}, ("promote", "standby"), "in plain"),
        ({"promote": {"standby": {"env": "NOBODY"}}}, ("promote", "standby"), "does not name one host"),
        ({"promote": {**PROMOTE, "primary": {"env": "STANDBY"}}}, ("promote",), "are one database"),
        ({"promote": {**PROMOTE, "max_lag": "64"}}, ("promote", "max_lag"), "neither a size nor a length"),
        ({"promote": {**ALONE, "fence": {"statement": "SELECT 1"}}}, ("promote",), "no primary to fence"),
        ({"promote": {**PROMOTE, "fence": {"lift": "SELECT 1"}}}, ("promote", "fence"), "takes back"),
        (
            {"terminate_blockers": {"dsn": {"env": "STANDBY"}, "max": 0}},
            ("terminate_blockers", "max"),
            "greater than",
        ),
        ({"statement": {"dsn": {"env": "STANDBY"}, "sql": " "}}, ("statement", "sql"), "no statement"),
        (
            {"statement": {"dsn": {"env": "STANDBY"}, "sql": "x", "args": []}},
            ("statement", "args"),
            "not permitted",
        ),
    ],
)
def test_wrong_arguments_are_located(written: dict[str, Any], place: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_action({"sql": written}, ENVIRONMENT.context)
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert why in error["msg"]
    assert "canary" not in str(caught.value)


# ---------------------------------------------------------------------- connection strings


@pytest.mark.parametrize(
    ("dsn", "name"),
    [
        ("postgresql://u:pw@db-1/fleet", "db-1/fleet"),
        ("postgres://u:p%40ss@db-1:5433/fleet?sslmode=require", "db-1:5433/fleet"),
        ("postgresql://[::1]:5433/fleet", "::1:5433/fleet"),
        ("postgresql:///fleet?host=/run/postgresql", "/run/postgresql/fleet"),
        (r"host=db-1 dbname=fleet user=u password='a b\'c'", "db-1/fleet"),
        ("host = db-1 hostaddr=10.0.0.7 port=5432 dbname = fleet", "db-1/fleet"),
    ],
)
def test_of_a_connection_string_host_and_database_are_told(dsn: str, name: str) -> None:
    assert database_of(dsn) == name


@pytest.mark.parametrize(
    "dsn",
    [
        "service=fleet",
        "fleet",
        "host=a,b dbname=fleet",
        "postgresql://a,b/fleet",
        "host=a hostaddr=10.0.0.1,10.0.0.2 dbname=fleet",
        "host=db-1 dbname=fleet port=99999",
        "host=db-1 dbname='fleet; drop'",
        "postgresql://u:canary@ss@db-1/fleet",
        "postgresql://u:canary#ss@db-1/fleet",
        "postgresql://u:canary/ss@db-1/fleet",
        "postgresql://db-1/",
        "",
    ],
)
def test_a_connection_string_without_one_host_and_database_is_refused_and_not_repeated(dsn: str) -> None:
    with pytest.raises(Wrong) as caught:
        database_of(dsn)
    assert "canary" not in str(caught.value)


def test_what_servers_say_is_told_without_names_and_passwords_of_the_connection_string() -> None:
    said = "FATAL: password authentication failed for user \"fleet\" with 'canary 0f3a9c' at hot-a, fleetmend"
    shown = Hidden([PRIMARY, STANDBY]).text(said)
    assert shown == "FATAL: password authentication failed for user \"***\" with '***' at hot-a, fleetmend"


def test_nothing_of_a_connection_string_is_in_an_outcome() -> None:
    pair = FakePair()
    pair.refusals[STANDBY] = PortError(f'no user "fleet" in {STANDBY} or {PRIMARY}', sent=False)
    outcome = promote(pair)
    assert outcome.state is FAILED
    assert outcome.output == 'no user "***" in *** or ***'
