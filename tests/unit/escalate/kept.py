"""What has to be true once everything is over, whatever came before. Each raises `AssertionError`."""

from __future__ import annotations

from daemon.escalate.owed import MAYBE, PAGES
from daemon.incidents.escalation import Escalation, EscalationState
from daemon.incidents.records import DeliveryState, PageEvent
from tests.unit.escalate.life import Life


def something_is_ahead(row: Escalation) -> None:
    running = row.state in {EscalationState.PAGING, EscalationState.ACKED}
    if running and row.severity in {"critical", "high"}:
        assert row.next_at is not None, f"{row.id} falls silent"


def somebody_was_told(life: Life, key: str) -> None:
    """0 lost: of an incident that pages somebody was told, or everybody's provider refused for good."""
    if life.escalation(key).state is not EscalationState.PAGING:
        return
    rows = [row for row in life.rows(key) if row.event in PAGES]
    told = {one.key for one in life.taken} & {row.key for row in rows}
    refused = all(row.state is DeliveryState.FAILED or row.error for row in rows)
    assert told or refused, f"{key}: nobody was told"
    for row in rows:
        if row.state is DeliveryState.ACCEPTED and not row.heard:
            assert row.key in told, f"{row.key} is called accepted and never arrived"


def each_who_was_told_heard_of_one_end(life: Life, key: str) -> None:
    """In the order in which the provider took them; a resolve that it refused for good was said as well."""
    refused = [
        row for row in life.rows(key) if row.event is PageEvent.RESOLVE and row.state is DeliveryState.FAILED
    ]
    given_up = {(row.address, row.channel) for row in refused}
    for place in {one.place for one in life.taken if one.incident == key} - given_up:
        told, seen = False, set()
        for one in life.taken:
            if (one.incident, one.place) != (key, place):
                continue
            if one.event in PAGES:
                told = True
            elif one.event is PageEvent.RESOLVE and one.key not in seen:
                assert told or _maybe(life, key, place), f"{key} {place}: nothing had been said there"
                told = False
                seen.add(one.key)
        assert not told, f"{key} {place}: told, and never told that it is over"


def _maybe(life: Life, key: str, place: tuple[str, str]) -> bool:
    """Whether a page there may have arrived without anybody saying so: its end is said in any case."""
    here = [row for row in life.rows(key) if (row.address, row.channel) == place]
    return any(row.receipt.startswith(MAYBE) for row in here)
