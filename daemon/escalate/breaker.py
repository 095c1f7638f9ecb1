"""Breaker: which providers do not answer just now, and what becomes of messages that are due there. Pure.

Computed from what the rows say of their last tries, so a restart knows as much. While a provider does not answer, one
message in `PROBE_EVERY` seconds is tried there; pages go by their people's next channel at once, and what is owed
there all the same, the end of what it took above all, goes when it is back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.escalate.outbox import ASKED, DETOUR, FALLBACK_AFTER, FAULT, fraction
from daemon.escalate.owed import PAGES
from daemon.escalate.receipts import sent_anew
from daemon.incidents.records import Delivery, DeliveryState, PageEvent

SHARED = {"email": "smtp", "sms": "twilio", "voice": "twilio"}
"""Kinds of channels that all people's messages leave by one account; of the others each channel stands for itself."""
LOOK_BACK = 900.0
"""Seconds after which a try says nothing any more: the longest that a provider may ask us to wait."""
PROBE_EVERY = 30.0
INCIDENTS, TRIES = 2, 4
"""A provider does not answer when messages of so many incidents failed since the last one it took, in so many tries, at
least one of them more than once: all at one instant failing may be a blip."""
TOO_LONG = 60.0
"""Seconds a provider may ask us to wait until pages go by the next channel."""
AT_ONCE = 10_000
SPREAD = 5.0
"""Seconds over which those that waited for the same provider come back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`until`: when one may be sent there again. `down`: it does not answer; one is tried then, to see."""

    until: float
    down: bool


def account(row: Delivery) -> str:
    """The company or server this row's message leaves by, whatever the key."""
    return SHARED.get(row.channel, row.channel)


def provider(row: Delivery) -> str:
    """Whoever answers for this row's channel."""
    return SHARED.get(row.channel, f"{row.channel} {row.address}")


def standings(rows: Iterable[Delivery], now: float) -> Mapping[str, Standing]:
    """Providers in trouble. `rows`: those tried since `LOOK_BACK` before `now`; what is dated later says nothing."""
    found: dict[str, list[Delivery]] = {}
    for row in rows:
        if _at(row) <= now:
            found.setdefault(provider(row), []).append(row)
    judged = {name: _standing(mine) for name, mine in found.items()}
    return {name: one for name, one in judged.items() if one is not None and (one.down or one.until > now)}


def _standing(rows: Sequence[Delivery]) -> Standing | None:
    faults = [row for row in rows if FAULT in row.facts and row.tried_at is not None]
    asked = max((_at(row) + float(row.facts[ASKED]) for row in faults if ASKED in row.facts), default=0.0)
    answered = max((_at(row) for row in rows if FAULT not in row.facts), default=0.0)
    failing = [row for row in faults if _at(row) > answered]
    tries = [min(row.tries, FALLBACK_AFTER) for row in failing]
    down = len({row.incident for row in failing}) >= INCIDENTS and sum(tries) >= TRIES and max(tries) > 1
    if not down and not asked:
        return None
    probe = max((_at(row) for row in failing), default=0.0) + PROBE_EVERY if down else 0.0
    return Standing(max(asked, probe), down)


def _at(row: Delivery) -> float:
    return row.tried_at or 0.0


@dataclass(frozen=True, slots=True)
class Held:
    """A row that does not go now. `row`: as it is from now on. `failing`: the next channel is owed. `new`: tell why."""

    row: Delivery
    failing: bool
    new: bool = False


def held(
    owed: Iterable[Delivery], trouble: Mapping[str, Standing], sending: Iterable[Delivery], now: float
) -> tuple[Held, ...]:
    """Of the due rows those whose provider is in trouble. Where one may be tried, the most urgent is left to go."""
    busy = {provider(row) for row in sending}
    free = {name for name, one in trouble.items() if one.until <= now and name not in busy}
    found = []
    for row in sorted(owed, key=lambda row: (row.event not in PAGES, row.created_at, row.key)):
        name = provider(row)
        standing = trouble.get(name)
        if standing is None or row.event is PageEvent.TEST:
            continue
        if name in free:
            free.discard(name)
            continue
        found.append(_held(row, standing, now))
    return tuple(found)


def _held(row: Delivery, standing: Standing, now: float) -> Held:
    why = "does not answer" if standing.down else "asks to wait"
    error = f"{row.channel} {why}"
    if sent_anew(row):
        return Held(replace(row, due_at=max(standing.until, now + 1.0), error=error), False)
    if row.give_up_at is not None and now >= row.give_up_at:
        return Held(replace(row, state=DeliveryState.FAILED, error=f"gave up: {error}"), True)
    until = max(standing.until, now + 1.0) + SPREAD * fraction(row.key)
    around = row.event in PAGES and DETOUR not in row.facts and (standing.down or until - now > TOO_LONG)
    facts = {**row.facts, DETOUR: True} if around else row.facts
    known = replace(row, due_at=until, error=error, facts=facts)
    return Held(known, around, error != row.error)
