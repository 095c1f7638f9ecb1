"""Lanes: what waits for one person by one channel. Which of it goes now, alone or together, and what waits longer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from daemon.escalate import outbox, pacing
from daemon.escalate.bookings import dropped, event_of
from daemon.escalate.bundles import MOST, Waiting
from daemon.escalate.outbox import DETOUR
from daemon.escalate.owed import NEVER_QUIET, PAGES
from daemon.escalate.pacing import ASIDE, BUNDLE, WAITED, Pace, Pacing, Sort, Told, sort_of
from daemon.escalate.receipts import sent_anew
from daemon.incidents.change import Change
from daemon.incidents.events import Kind
from daemon.incidents.model import STORM
from daemon.incidents.records import Delivery, DeliveryState
from daemon.store.unit import UnitOfWork

_MOST_READ = 5_000
"""Rows of the past that are looked at."""
_PATIENCE = 120.0
"""Seconds a page may wait for its turn: more than one turn of the usual pace, and less than any reminder's time."""
_AT_ONCE = NEVER_QUIET | {STORM}
"""Failure modes whose page stands for others, or says that nothing else can be trusted."""


@dataclass(frozen=True, slots=True)
class Going:
    """One message that goes now. `waiting`: what it tells of. `before`: others went to the same person lately."""

    waiting: tuple[Waiting, ...]
    before: bool = False

    @property
    def rows(self) -> tuple[Delivery, ...]:
        return tuple(one.row for one in self.waiting)

    @property
    def urgency(self) -> tuple[bool, float, tuple[int, float, str]]:
        """Ascending: pages before anything else, then what is due longest, then the worst."""
        return min(
            (one.row.event not in PAGES or sent_anew(one.row), one.row.due_at, one.rank)
            for one in self.waiting
        )


def single(row: Delivery) -> Going:
    """A message for one row."""
    return Going((Waiting(row, None, ""),))


class Lanes:
    """What is due on channels that are paced. `going` and `changes` hold what came of it."""

    def __init__(
        self, uow: UnitOfWork, rules: Pacing, due: Sequence[Delivery], sending: Sequence[Delivery], now: float
    ) -> None:
        self._uow, self._pacing, self._now, self._sending = uow, rules, now, sending
        self.going: list[Going] = []
        self.changes: list[Change] = []
        lanes = dict.fromkeys((row.address, row.channel) for row in due if rules.paced(row))
        if not lanes:
            return
        since = now - pacing.looked_back(kind for _, kind in lanes)
        found = (*uow.deliveries.tried(since, limit=_MOST_READ), *uow.deliveries.unsent(), *due)
        rows = {row.key: row for row in found}.values()
        for lane in lanes:
            mine = [row for row in rows if (row.address, row.channel) == lane]
            self._lane(mine, self._pacing.pace(lane[1]))

    def _lane(self, rows: Sequence[Delivery], pace: Pace) -> None:
        told = list(pacing.told(rows, self._now))
        owed = [row for row in rows if row.state is DeliveryState.OWED and self._pacing.paced(row)]
        for again in _again((row for row in owed if row.tries), self._now):
            self._settled(again, bool(told))
        for sort in Sort:
            fresh = [row for row in owed if not row.tries and sort_of(row.event) is sort]
            told += self._sort(fresh, told, pace, sort)

    def _sort(
        self, fresh: Sequence[Delivery], told: Sequence[Told], pace: Pace, sort: Sort
    ) -> Sequence[Told]:
        """Decide on the rows of one sort; returns what the person is told by it."""
        now = self._now
        ready = [row for row in fresh if row.due_at <= now or WAITED in row.facts]
        heads = outbox.choose(ready, self._sending, len(ready))
        due = [row for row in heads if row.due_at <= now]
        aside = frozenset(row.incident for row in due if sort is Sort.PAGE and self._at_once(row))
        blocked = [(row, pacing.free_at(row, told, pace, now)) for row in due if row.incident not in aside]
        if len(blocked) == len(due) and all(at > now for _, at in blocked):
            self._defer(blocked)
            return ()
        wanted = sorted(self._wanted(heads), key=lambda one: one.rank)[:MOST]
        by_key = {one.row.key: one for one in wanted}
        plan = pacing.plan([one.row for one in wanted], told, pace, now, aside=aside)
        for row in plan.alone:
            one = by_key[row.key]
            marked = replace(row, facts={**row.facts, ASIDE: True}) if row.incident in aside else row
            self.going.append(Going((replace(one, row=marked),), bool(told)))
        if plan.together:
            before = bool(told or plan.alone)
            self.going.append(Going(tuple(by_key[row.key] for row in plan.together), before))
        self._defer([(row, at) for row, at in plan.later if row.due_at <= now])
        return [
            *(Told(now, sort, row.incident, row.incident in aside) for row in plan.alone),
            *([Told(now, sort)] if plan.together else []),
        ]

    def _at_once(self, row: Delivery) -> bool:
        incident = self._uow.incidents.get(row.incident)
        return incident is not None and incident.failure_mode in _AT_ONCE

    def _settled(self, rows: Sequence[Delivery], before: bool) -> None:
        """What was tried before goes again as it went, without what nobody needs any more."""
        heads = outbox.choose(rows, self._sending, len(rows))
        wanted = tuple(self._wanted(sorted(heads, key=lambda row: row.key)))
        if wanted:
            self.going.append(Going(tuple(sorted(wanted, key=lambda one: one.rank)), before))

    def _wanted(self, rows: Iterable[Delivery]) -> Iterator[Waiting]:
        """The rows that are needed, with what they tell of. The others are dropped, or wait for an older one."""
        for row in rows:
            incident = self._uow.incidents.get(row.incident)
            escalation = self._uow.escalations.get(row.incident)
            others = self._uow.deliveries.of(row.incident)
            why = outbox.unwanted(row, incident, escalation, others)
            if why:
                self.changes.append(dropped(row, why, self._now))
            elif not outbox.waits(row, others):
                worst = escalation.severity if escalation else incident.severity if incident else "critical"
                yield Waiting(row, incident, worst)

    def _defer(self, rows: Iterable[tuple[Delivery, float]]) -> None:
        """They stay owed, with a later time and a reason; said once on the timeline."""
        for row, at in rows:
            self.changes.append(_deferred(row, at, self._now))


def _again(rows: Iterable[Delivery], now: float) -> list[list[Delivery]]:
    """Rows that were tried before, by the message that carried them. It goes whole once any of them is due.

    The same key with a part of them would be taken for a repeat of what did not arrive.
    """
    found: dict[str, list[Delivery]] = {}
    for row in rows:
        found.setdefault(str(row.facts.get(BUNDLE, row.key)), []).append(row)
    return [carried for carried in found.values() if any(row.due_at <= now for row in carried)]


def waits_long(row: Delivery, rules: Pacing) -> bool:
    """Whether a page waits for its turn for longer than a crowd makes it wait, so that the next channel is owed as well."""
    since = row.facts.get(WAITED) if row.state is DeliveryState.OWED and row.event in PAGES else None
    longest = max(_PATIENCE, rules.every)
    return since is not None and DETOUR not in row.facts and row.due_at - float(since) > longest


def _deferred(row: Delivery, at: float, now: float, why: str = "") -> Change:
    why = why or f"{row.person} has just had others by {row.channel}; what waits goes together"
    later = replace(
        row, due_at=at, error=f"waits: {why}", facts={**row.facts, WAITED: row.facts.get(WAITED, now)}
    )
    if WAITED in row.facts:
        return Change(deliveries=(later,))
    said = f"Waits {at - now:.0f} s ({row.event} to {row.person} by {row.channel}): {why}"
    event = event_of(row, now, Kind.NOTE, said, key=row.key, what="deferred", until=at)
    return Change(deliveries=(later,), events=(event,))


def rated(uow: UnitOfWork, rows: Sequence[Delivery], now: float) -> tuple[list[Delivery], list[Change]]:
    """Those that their provider takes now, and the others moved to when it will; in the order of `rows`."""
    go, later = [], []
    for kind, window in pacing.RATED.items():
        mine = [row for row in rows if row.channel == kind]
        if not mine:
            continue
        tried = uow.deliveries.tried(now - window.span, limit=_MOST_READ)
        unsent = [row for row in uow.deliveries.unsent() if row.channel == kind]
        used = sum(row.channel == kind and (row.tried_at or now) <= now for row in tried) + sum(
            row.state is DeliveryState.SENDING for row in unsent
        )
        room = max(0, window.most - used)
        go += mine[:room]
        step = window.span / window.most
        after = max([now, *(row.due_at for row in unsent if WAITED in row.facts)])
        why = f"{kind} takes {window.most} messages in {window.span:.0f} s"
        later += [_deferred(row, after + place * step, now, why) for place, row in enumerate(mine[room:], 1)]
    kept = {row.key for row in go}
    return [row for row in rows if row.channel not in pacing.RATED or row.key in kept], later
