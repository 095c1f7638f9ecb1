"""Commands that order: rows in the inbox, whoever carries them out."""

from __future__ import annotations

import json

import pytest

from daemon.incidents.records import Order
from daemon.store.store import Store
from tests.fakes.stories import HOT
from tests.unit.cli.conftest import Place, Run


def inbox(place: Place) -> list[Order]:
    with Store.open(place.url, read_only=True) as store, store.read() as uow:
        return [*uow.inbox.new_orders()]


@pytest.mark.parametrize(
    ("arguments", "kind", "args"),
    [
        (("ack", HOT), "ack", {}),
        (("extend", HOT, "--for", "30m", "-r", "vendor"), "extend", {"for": 1800.0, "reason": "vendor"}),
        (("escalate", HOT, "--reason", "help"), "escalate", {"reason": "help"}),
        (("resolve", HOT, "--reason", "sensor"), "resolve", {"for": 3600.0, "reason": "sensor"}),
        (("resume", HOT), "resume", {}),
        (("approve", HOT, "--rung", "fail-over"), "approve", {"rung": "fail-over"}),
        (("reject", HOT), "reject", {}),
        (("note", HOT, "called the vendor"), "note", {"text": "called the vendor"}),
        (("handoff", HOT, "--to", "ana", "-r", "x"), "handoff", {"to": "ana", "reason": "x"}),
        (("verdict", HOT, "planned"), "verdict", {"verdict": "planned"}),
        (
            ("unlock", "storage-hot", "--reason", "fine"),
            "unlock",
            {"target": "storage-hot", "reason": "fine"},
        ),
        (
            ("pause", "--scope", "tier=hot", "--for", "1h"),
            "pause",
            {"scope": {"tier": "hot"}, "for": 3600.0},
        ),
        (("unpause",), "unpause", {"kind": "pause", "scope": {}}),
        (
            ("silence", "--scope", "tier=hot", "--for", "1h", "-r", "trial"),
            "silence",
            {"scope": {"tier": "hot"}, "for": 3600.0, "reason": "trial"},
        ),
        (
            ("maintenance", "--scope", "*", "--for", "1h", "-r", "disks", "--at", "2026-01-05T10:00:00Z"),
            "maintenance",
            {"scope": {}, "for": 3600.0, "reason": "disks", "at": 1_767_607_200.0},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_every_order_becomes_a_row_with_its_arguments_parsed(
    fleetmend: Run, place: Place, arguments: tuple[str, ...], kind: str, args: dict[str, object]
) -> None:
    said = fleetmend(*arguments, "--config", place.config)
    assert said.code == 0, said.err
    assert "order 1: recorded" in said.out
    assert "it carries this out when it starts" in said.err
    (order,) = inbox(place)
    assert (order.kind, order.args, order.via) == (kind, args, "cli")
    assert order.who
    assert order.incident == (HOT if HOT in arguments else None)


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        (("ana",), {"person": "ana", "channel": "first"}),
        (("ana", "--channel", "sms"), {"person": "ana", "channel": "sms"}),
        ((), {"channel": "all"}),
    ],
)
def test_a_test_page_that_nobody_sends_is_not_proved(
    fleetmend: Run, place: Place, arguments: tuple[str, ...], args: dict[str, str]
) -> None:
    said = fleetmend("page", "test", *arguments, "--config", place.config)
    assert said.code == 1, "the daemon is dead: no page was accepted"
    assert "it carries this out when it starts" in said.err
    (order,) = inbox(place)
    assert (order.kind, order.args) == ("page_test", args)


def test_an_order_as_json_is_its_number(fleetmend: Run, place: Place) -> None:
    said = fleetmend("ack", HOT, "-c", place.config, "--json")
    assert json.loads(said.out) == {"order": 1}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("ack", "po-nobody"), 1, "there is no incident 'po-nobody'"),
        (("resolve", HOT), 2, "reason: this incident still fires"),
        (("extend", HOT, "--for", "30m"), 2, "reason: extend needs it"),
        (("verdict", HOT, "fine"), 2, "verdict: expected one of real, false_alarm, planned"),
        (("silence", "--for", "1h"), 2, "silence takes --scope too"),
        (("silence", "--scope", "tier=hot", "--for", "1y", "-r", "x"), 2, "for: "),
        (("pause", "--for", "60d"), 2, "for: not between 1s and 30d"),
    ],
)
def test_an_order_that_makes_no_sense_leaves_no_row(
    fleetmend: Run, place: Place, arguments: tuple[str, ...], code: int, words: str
) -> None:
    said = fleetmend(*arguments, "-c", place.config)
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    assert inbox(place) == []


def test_pause_works_without_a_store_by_the_kill_switch(fleetmend: Run, place: Place) -> None:
    place.state.unlink()
    said = fleetmend("pause", "--reason", "smoke in the hall", "-c", place.config)
    assert said.code == 0
    assert str(place.kill_switch) in said.out
    assert "the store cannot be written" in said.err
    assert "smoke in the hall" in place.kill_switch.read_text(encoding="utf-8")


def test_a_pause_of_a_scope_is_no_kill_switch(fleetmend: Run, place: Place) -> None:
    place.state.unlink()
    said = fleetmend("pause", "--scope", "tier=hot", "-c", place.config)
    assert said.code == 1
    assert not place.kill_switch.exists()


def test_unpause_removes_the_kill_switch_that_pause_made_and_no_other(fleetmend: Run, place: Place) -> None:
    hidden = place.state.rename(place.state.with_name("away.db"))
    fleetmend("pause", "-c", place.config)
    hidden.rename(place.state)
    assert "the kill switch" in fleetmend("status", "-c", place.config).out
    fleetmend("unpause", "-c", place.config)
    assert not place.kill_switch.exists()

    place.kill_switch.write_text("made by hand\n", encoding="utf-8")
    said = fleetmend("unpause", "-c", place.config)
    assert place.kill_switch.exists()
    assert "remove it by hand" in said.err
