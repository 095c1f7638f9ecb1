"""Every order passes one table: who may, about what, with which arguments, how large."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from config.scope import scope_of
from daemon.desk.arguments import DAY, BadOrder
from daemon.desk.orders import RULES, Forbidden, order_of
from daemon.desk.tokens import Caller, Role
from daemon.errors import NotFound, exit_code
from daemon.incidents.model import FindingRecord, Incident, IncidentState
from daemon.incidents.records import Order, OrderState

NOW = 1_767_603_600.0
ANA = Caller("ana", Role.OPERATOR, "cli")
ROOT = Caller("root", Role.ADMIN, "cli")

SMALLEST: dict[str, dict[str, Any]] = {
    "ack": {},
    "extend": {"for": "30m", "reason": "waiting for the vendor"},
    "escalate": {},
    "handoff": {"to": "ben"},
    "resolve": {"reason": "the sensor lies"},
    "resume": {},
    "approve": {},
    "reject": {},
    "note": {"text": "called the vendor"},
    "verdict": {"verdict": "real"},
    "unlock": {"target": "storage-hot", "reason": "replica is fine"},
    "pause": {},
    "unpause": {},
    "silence": {"scope": "provider=navixy", "reason": "trial", "for": "1h"},
    "maintenance": {"reason": "new disks", "for": "2h"},
    "change": {"what": "mapping v7"},
    "page_test": {"person": "ana"},
    "drill": {"playbook": "storage-hot"},
    "reload": {},
}
ABOUT_AN_INCIDENT = {
    "ack", "extend", "escalate", "handoff", "resolve", "resume", "approve", "reject", "note", "verdict",
}  # fmt: skip


def incident(*, state: str = "firing", ended: bool = False) -> Incident:
    return Incident(
        id="sf-4k7q2m",
        failure_mode="storage_failure",
        scope=scope_of({"tier": "hot"}),
        severity="critical",
        state=IncidentState.RESOLVED if ended else IncidentState.OPEN,
        began_at=NOW - 400,
        detected_at=NOW - 100,
        findings=(FindingRecord("storage-writes", 0.2, "above 1%", NOW - 400, state),),
    )


def ordered(kind: str, args: dict[str, Any] | None = None, caller: Caller = ROOT) -> Order:
    about = incident() if kind in ABOUT_AN_INCIDENT else None
    return order_of(kind, caller, SMALLEST[kind] if args is None else args, now=NOW, incident=about)


def test_a_flag_is_yes_or_no_and_no_when_left_out() -> None:
    assert ordered("drill").args["for_real"] is False
    for written, meant in ((True, True), ("true", True), (False, False), ("false", False)):
        assert ordered("drill", {"playbook": "storage-hot", "for_real": written}).args["for_real"] is meant
    with pytest.raises(BadOrder, match="for_real"):
        ordered("drill", {"playbook": "storage-hot", "for_real": "perhaps"})


ODD: list[Any] = [[], {}, [[1]], {"a": []}, None, 0, -1.5, 1e308, float("nan"), True, "", "\x00", "x" * 9_000]


@pytest.mark.parametrize(
    ("kind", "argument"),
    [(kind, argument) for kind, rule in RULES.items() for argument in rule.takes],
    ids=lambda value: value,
)
def test_whatever_stands_at_an_argument_is_taken_or_told_of_and_never_breaks(
    kind: str, argument: str
) -> None:
    for value in ODD:
        with suppress(BadOrder):
            ordered(kind, {**SMALLEST[kind], argument: value})


def test_the_table_knows_every_order_and_no_other() -> None:
    assert set(RULES) == set(SMALLEST)
    assert {kind for kind, rule in RULES.items() if rule.about_incident} == ABOUT_AN_INCIDENT


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("kind", list(SMALLEST))
def test_each_role_may_exactly_its_own_orders(kind: str, role: Role) -> None:
    allowed = {
        Role.VIEWER: set[str](),
        Role.OPERATOR: set(SMALLEST) - {"reload"},
        Role.ADMIN: set(SMALLEST),
    }[role]
    caller = Caller("someone", role, "api")
    if kind in allowed:
        assert ordered(kind, caller=caller).who == "someone"
    else:
        with pytest.raises(Forbidden, match="someone is"):
            ordered(kind, caller=caller)


def test_an_order_is_a_new_row_that_says_who_when_and_how() -> None:
    order = ordered("extend", caller=ANA)
    assert order == Order(
        0, NOW, "extend", "ana", "cli", "sf-4k7q2m", {"for": 1800.0, "reason": "waiting for the vendor"}
    )
    assert order.state is OrderState.NEW


@pytest.mark.parametrize("kind", sorted(ABOUT_AN_INCIDENT))
def test_an_order_about_an_incident_that_is_not_there_is_not_found(kind: str) -> None:
    with pytest.raises(NotFound, match="none of that name"):
        order_of(kind, ROOT, SMALLEST[kind], now=NOW, incident=None)


def test_an_unknown_order_is_not_found_and_the_nearest_is_named() -> None:
    with pytest.raises(NotFound, match="did you mean 'silence'"):
        order_of("silense", ROOT, {}, now=NOW)


@pytest.mark.parametrize(
    ("kind", "args", "argument", "why"),
    [
        ("extend", {"for": "30m"}, "reason", "an extension without a reason explains nothing later"),
        ("extend", {"reason": "x"}, "for", "an extension has a length"),
        ("extend", {"reason": "x", "for": "25h"}, "for", "longer than a day is a silence in disguise"),
        ("extend", {"reason": "x", "for": "5s"}, "for", "shorter than a minute is a slip"),
        ("extend", {"reason": "x", "for": "soon"}, "for", "no length of time"),
        ("extend", {"reason": "x", "for": float("nan")}, "for", "not a number is in no bounds"),
        ("extend", {"reason": "x", "for": True}, "for", "a flag is no length"),
        ("extend", {"reason": "  ", "for": "30m"}, "reason", "blanks are no reason"),
        ("note", {}, "text", "a note without text"),
        ("note", {"text": "x" * 4001}, "text", "bounded"),
        ("note", {"text": ["x"]}, "text", "a list is no text"),
        ("ack", {"reason": "x" * 501}, "reason", "bounded"),
        ("ack", {"raeson": "x"}, "raeson", "an unknown argument is a slip, not ignored"),
        ("verdict", {"verdict": "fine"}, "verdict", "one of three words"),
        ("verdict", {"verdict": {}}, "verdict", "no word at all"),
        ("unlock", {"target": "x"}, "reason", "a lock is lifted for a reason"),
        ("silence", {"reason": "x", "for": "1h"}, "scope", "a silence says what it quiets"),
        ("silence", {"reason": "x", "for": "1h", "scope": "*"}, "scope", "never everything"),
        ("silence", {"reason": "x", "scope": "tier=hot"}, "for", "a silence ends"),
        ("silence", {"reason": "x", "scope": "tier=hot", "for": "31d"}, "for", "and not next year"),
        ("silence", {"reason": "x", "scope": "hot", "for": "1h"}, "scope", "a label has a value"),
        ("silence", {"reason": "x", "scope": "a=1,a=2", "for": "1h"}, "scope", "twice the same label"),
        ("silence", {"reason": "x", "scope": {"a b": "1"}, "for": "1h"}, "scope", "no such label name"),
        ("silence", {"reason": "x", "scope": {"a": "\x00"}, "for": "1h"}, "scope", "control characters"),
        ("silence", {"reason": "x", "scope": {"a": 1}, "for": "1h"}, "scope", "label values are texts"),
        (
            "silence",
            {"reason": "x", "scope": {f"l{n}": "1" for n in range(11)}, "for": "1h"},
            "scope",
            "at most ten labels",
        ),
        ("maintenance", {"reason": "x"}, "for", "a forgotten maintenance would quiet pages for ever"),
        ("maintenance", {"reason": "x", "for": "1h", "at": "tonight"}, "at", "no instant"),
        ("change", {"what": "x", "at": "2026-01-05T09:00:00"}, "at", "an instant without offset is two"),
        ("approve", {"rung": "a b"}, "rung", "no name"),
        ("page_test", {"channel": "a b"}, "channel", "no kind of channel"),
        ("reload", {"force": "yes"}, "force", "takes nothing"),
    ],
)
def test_an_argument_out_of_bounds_is_refused_by_name(
    kind: str, args: dict[str, Any], argument: str, why: str
) -> None:
    with pytest.raises(BadOrder) as refusal:
        ordered(kind, args)
    assert refusal.value.argument == argument, why
    assert exit_code(refusal.value) == 2


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(59, False), (60, True), (int(DAY), True), (int(DAY) + 1, False)]
)
def test_bounds_are_inclusive(seconds: int, accepted: bool) -> None:
    args = {"reason": "x", "for": seconds}
    if accepted:
        assert ordered("extend", args).args["for"] == float(seconds)
    else:
        with pytest.raises(BadOrder):
            ordered("extend", args)


@pytest.mark.parametrize(
    ("about", "needs_reason", "why"),
    [
        (incident(state="firing"), True, "it still fires"),
        (incident(state="clearing"), True, "clearing is not clear"),
        (incident(state="ok"), False, "nothing fires any more"),
        (incident(state="firing", ended=True), False, "it has ended; the row is history"),
    ],
)
def test_resolving_a_firing_incident_needs_a_reason(about: Incident, needs_reason: bool, why: str) -> None:
    if needs_reason:
        with pytest.raises(BadOrder, match="still fires"):
            order_of("resolve", ANA, {}, now=NOW, incident=about)
    else:
        assert order_of("resolve", ANA, {}, now=NOW, incident=about).args == {"for": 3600.0}, why


def test_empty_form_fields_count_as_left_out() -> None:
    assert ordered("ack", {"reason": ""}).args == {}
    assert ordered("resolve", {"reason": "false alarm", "for": ""}).args["for"] == 3600.0


def test_texts_lose_control_characters_and_keep_their_lines() -> None:
    note = ordered("note", {"text": "one\r\ntwo\x1b[2J\u202eevil"}).args["text"]
    assert note == "one\ntwo [2J evil"


def test_a_change_without_time_and_author_is_now_and_the_callers() -> None:
    change = ordered("change", {"what": "mapping v7", "scope": {"provider": "navixy"}})
    assert change.args == {
        "who": "root",
        "at": NOW,
        "ref": "",
        "scope": {"provider": "navixy"},
        "what": "mapping v7",
    }
    assert change.incident is None


def test_scopes_are_sorted_maps_however_they_were_written() -> None:
    by_text = ordered("pause", {"scope": "tier=hot, provider=navixy"}).args["scope"]
    by_map = ordered("pause", {"scope": {"tier": "hot", "provider": "navixy"}}).args["scope"]
    assert by_text == by_map == {"provider": "navixy", "tier": "hot"}
    assert ordered("pause", {"scope": "*"}).args["scope"] == {}
