"""The outbox: which owed rows go out now, whether each is still wanted, and what a receipt makes of it. Pure.

To one destination one message of an incident is in flight at a time, oldest first. A retry is the same row with a
later due time and the same key. What ends a row is a receipt, its time running out, or nobody needing it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.owed import MAYBE, PAGES, reached
from daemon.escalate.receipts import RENEW, RENEWED_FOR, sent_anew
from daemon.incidents.escalation import Escalation, EscalationState
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import Delivery, DeliveryState, PageEvent

FIRST_WAIT, LONGEST_WAIT = 5.0, 120.0
ANEW_AT_ONCE = 2
"""Messages under way at one time of those that go only to go on standing."""
FALLBACK_AFTER = 3
"""Tries that fail in a row before the next channel is owed as well; this one goes on trying. Of a page the first does that
gets no answer."""
FAULT, ASKED, STATUS, DETOUR = "fault", "asked", "status", "detour"
"""In the facts of a row whose last try failed: `temporary` or `ambiguous`, the seconds its provider asked us to wait, and
its code where it refused for good. In those of a page whose next channel is owed already: that it is."""


@dataclass(frozen=True, slots=True)
class After:
    """A row after a receipt. `failing`: the next channel should be owed; the row itself may go on trying."""

    row: Delivery
    failing: bool = False


def sequence(row: Delivery) -> tuple[str, str]:
    """What must arrive in order: the messages of one incident at one destination."""
    return row.incident, row.address


def choose(owed: Iterable[Delivery], sending: Iterable[Delivery], slots: int) -> tuple[Delivery, ...]:
    """The rows to send now: at most `slots`, one per sequence, oldest of each, pages before anything else.

    `owed`: all unsent rows that are due. `sending`: those that workers have. What goes only to go on standing comes last,
    few at a time: it must not stand in the way of those whom nobody told yet.
    """
    under_way = tuple(sending)
    busy = {sequence(row) for row in under_way}
    heads: dict[tuple[str, str], Delivery] = {}
    for row in sorted(owed, key=lambda row: (row.created_at, _rank(row), row.key)):
        if sequence(row) not in busy:
            heads.setdefault(sequence(row), row)
    anew = [row for row in heads.values() if sent_anew(row)]
    rest = [row for row in heads.values() if not sent_anew(row)]
    urgent = sorted(rest, key=lambda row: (row.event not in PAGES, row.due_at, row.key))
    room = max(0, ANEW_AT_ONCE - sum(1 for row in under_way if sent_anew(row)))
    urgent += sorted(anew, key=lambda row: (row.due_at, row.key))[:room]
    return tuple(urgent[: max(0, slots)])


def _rank(row: Delivery) -> int:
    return 1 if row.event is PageEvent.RESOLVE else 0


def waits(row: Delivery, rows: Iterable[Delivery]) -> bool:
    """Whether an older message of the same sequence is not settled yet; a resolve waits for every page."""
    for other in rows:
        if other.key == row.key or sequence(other) != sequence(row) or other.event is PageEvent.DIGEST:
            continue
        older = (other.created_at, _rank(other), other.key) < (row.created_at, _rank(row), row.key)
        if other.state is DeliveryState.SENDING or (other.state is DeliveryState.OWED and older):
            return True
    return False


def unwanted(
    row: Delivery, incident: Incident | None, escalation: Escalation | None, rows: Sequence[Delivery]
) -> str:
    """Why a row need not be sent any more; empty when it is still wanted. Asked at the moment of sending."""
    if incident is None or row.event in {PageEvent.TEST, PageEvent.DIGEST}:
        return ""
    if row.event is PageEvent.RESOLVE:
        here = [other for other in rows if other.address == row.address and other.key != row.key]
        before = [
            other.created_at
            for other in here
            if other.event is PageEvent.RESOLVE
            and other.state is not DeliveryState.DROPPED
            and other.created_at < row.created_at
        ]
        since = max(before, default=float("-inf"))  # what an earlier resolve has ended needs no second one
        pages = [other for other in here if other.event in PAGES and other.created_at > since]
        may = any(reached(other) or other.state is DeliveryState.SENDING for other in pages)
        return "" if may else "nobody was told there"
    if incident.ended and row.facts.get("what") != "over":
        return "over before it was sent"
    if RENEW in row.facts:
        return ""  # it stands there until the end
    return _page_unwanted(row, incident, escalation) if row.event in PAGES else ""


def _page_unwanted(row: Delivery, incident: Incident, escalation: Escalation | None) -> str:
    if incident.state is IncidentState.RECOVERED:
        return "recovered before it was sent"
    if escalation is None or row.event is PageEvent.ESCALATE:
        return ""
    if escalation.state is EscalationState.ACKED:
        return "acknowledged before it was sent"
    passed = row.event is PageEvent.REMIND and row.level < escalation.level
    return "the next level has been told" if passed else ""


def begin(row: Delivery) -> Delivery:
    """The row as it stands while a worker has it. What was said of an earlier try is not said of this one."""
    return replace(
        row,
        state=DeliveryState.SENDING,
        tries=row.tries + 1,
        provider_id="",
        heard={},
        sequence=0,
        look_at=None,
    )


def recovered_from_restart(row: Delivery, now: float) -> Delivery:
    """A worker had it when the daemon died: it may have arrived, so it is sent again under the same key."""
    return replace(row, state=DeliveryState.OWED, due_at=now, receipt=f"{MAYBE}: interrupted by a restart")


def anchored(rows: Iterable[Delivery], now: float) -> tuple[Delivery, ...]:
    """Of the owed rows those that a clock which was set back would keep waiting for as long as it was set: due now.

    They are known by what was done to them later than now.
    """
    return tuple(
        replace(row, due_at=now)
        for row in rows
        if row.state is DeliveryState.OWED
        and row.event is not PageEvent.DIGEST
        and row.due_at > now
        and max(row.created_at, row.tried_at or 0.0) > now
    )


def looked_at(rows: Iterable[Delivery], now: float) -> tuple[Delivery, ...]:
    """Of the accepted rows those that a clock which was set back took later than now: word of them is due as long after
    now as it was after they were taken.
    """
    return tuple(
        replace(row, look_at=now + max(0.0, row.look_at - row.sent_at))
        for row in rows
        if row.look_at is not None and row.sent_at is not None and row.sent_at > now
    )


def settle(row: Delivery, receipt: Receipt, now: float) -> After:
    """What a receipt makes of a row that was being sent."""
    row = replace(row, tried_at=now)
    if receipt.kind is ReceiptKind.OK:
        return After(_accepted(row, receipt, now))
    maybe = f"{MAYBE}: {receipt.detail}" if receipt.kind is ReceiptKind.AMBIGUOUS else row.receipt
    error = receipt.detail or str(receipt.kind)
    row = replace(row, facts=_facts(row, receipt))
    if sent_anew(row):
        return After(_once_more(replace(row, error=error, receipt=maybe), receipt, now))
    if receipt.kind is ReceiptKind.PERMANENT:
        return After(replace(row, state=DeliveryState.FAILED, error=error), failing=True)
    due_at = now + wait(row, receipt)
    if row.give_up_at is not None and due_at >= row.give_up_at:
        spent = f"gave up after {row.tries} tries: {error}"
        return After(replace(row, state=DeliveryState.FAILED, error=spent, receipt=maybe), failing=True)
    silent = receipt.kind is ReceiptKind.AMBIGUOUS and row.event in PAGES  # half a minute is gone already
    failing = (silent or row.tries >= FALLBACK_AFTER) and DETOUR not in row.facts
    facts = {**row.facts, DETOUR: True} if failing else row.facts
    again = replace(row, state=DeliveryState.OWED, due_at=due_at, error=error, receipt=maybe, facts=facts)
    return After(again, failing=failing)


def _once_more(row: Delivery, receipt: Receipt, now: float) -> Delivery:
    """What stands there is kept standing as soon as it can be, also where it is refused just now.

    It has told already, so nobody else is owed it. An end that was taken is told anew for a while only.
    """
    refused = receipt.kind is ReceiptKind.PERMANENT
    due_at = now + (LONGEST_WAIT if refused else wait(row, receipt))
    if row.event is PageEvent.RESOLVE and due_at >= row.created_at + RENEWED_FOR:
        return replace(row, state=DeliveryState.ACCEPTED)
    return replace(row, state=DeliveryState.OWED, due_at=due_at)


def _facts(row: Delivery, receipt: Receipt) -> dict[str, Any]:
    """What is kept of a try, for the rows that go by the same provider."""
    facts = {name: fact for name, fact in row.facts.items() if name not in {FAULT, ASKED, STATUS}}
    if receipt.kind in {ReceiptKind.TEMPORARY, ReceiptKind.AMBIGUOUS}:
        facts[FAULT] = str(receipt.kind)
    if receipt.retry_after is not None and receipt.status is not None:
        facts[ASKED] = receipt.retry_after
    if receipt.kind is ReceiptKind.PERMANENT and receipt.status is not None:
        facts[STATUS] = receipt.status
    return facts


def _accepted(row: Delivery, receipt: Receipt, now: float) -> Delivery:
    """The provider has it; `look_at` says when something more is expected."""
    within = [seconds for seconds in (receipt.proof_within, receipt.renew) if seconds is not None]
    return replace(
        row,
        state=DeliveryState.ACCEPTED,
        sent_at=now,
        receipt=receipt.detail + (" (shortened)" if receipt.shortened else ""),
        provider_id=receipt.provider_id,
        look_at=now + min(within) if within else None,
        error="",
        facts=_facts(row, receipt)
        if receipt.renew is None
        else {**_facts(row, receipt), RENEW: receipt.renew},
    )


def wait(row: Delivery, receipt: Receipt) -> float:
    """Seconds until the next try: what the provider asked for, else doubling with full jitter of the upper half.

    The jitter comes from key and try, so a replay waits exactly as long.
    """
    if receipt.retry_after is not None:
        return receipt.retry_after
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** max(0, min(row.tries, 16) - 1))
    return longest * (0.5 + 0.5 * fraction(f"{row.key}/{row.tries}"))


def fraction(text: str) -> float:
    """From 0 up to 1, the same in every replay."""
    return int.from_bytes(hashlib.blake2s(text.encode(errors="replace"), digest_size=4).digest()) / 2.0**32
