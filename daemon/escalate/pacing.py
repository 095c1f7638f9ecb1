"""Pacing: how many messages a person gets by one channel, and which of those that wait go together. Pure.

Computed from what the rows say was sent, so it has no state of its own: a restart and a replay agree. Messages of one
incident never hold each other up: its own clock (levels, reminders) bounds them. What is paced is many incidents at
once: a person reads a handful of messages in five minutes, not a thousand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from daemon.escalate.owed import CHANGES, MAYBE, PAGES
from daemon.incidents.records import Delivery, DeliveryState, PageEvent

BUNDLE, TOGETHER = "bundle", "together"
"""In the facts of a row that goes with others: the key of the message that carries them, and how many they are."""
WAITED = "waited"
"""In the facts of a row that had to wait: since when (unix seconds)."""
ASIDE = "aside"
"""In the facts of a row that was sent though others waited: it was about the daemon itself, or about a storm."""
MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` messages in any `span` seconds."""

    most: int
    span: float


@dataclass(frozen=True, slots=True)
class Pace:
    """A token bucket for pages: `burst` at once, then one each `every` seconds. Layered windows stand over it.

    `carrier`: windows over messages of the same incident as well, since the number of a sender that calls too often is
    blocked, whatever about.
    """

    burst: int = 2
    every: float = 80.0
    carrier: tuple[Window, ...] = ()

    @property
    def total(self) -> Window:
        """Over messages of every sort: as many as the bucket lets through of pages alone, five in any five minutes."""
        span = 5 * MINUTE
        return Window(self.burst + int(span // self.every), span)


SMS = (Window(5, 15 * MINUTE), Window(11, HOUR), Window(21, 3 * HOUR))
VOICE = (Window(3, 15 * MINUTE), Window(7, HOUR), Window(15, 3 * HOUR))
"""The limits per destination of target/goalert (engine/message): carriers blocked numbers at some 16 calls an hour
(goalert#1084)."""
QUIET = Window(3, 5 * MINUTE)
"""Notes go while fewer messages than this were sent lately: they never take a page's place."""
CARRIERS: Mapping[str, tuple[Window, ...]] = {"sms": SMS, "voice": VOICE}
PACED = frozenset({"email", "ntfy", "slack", "sms", "teams", "voice", "webhook"})
"""Channels that hand on every message as it is. PagerDuty, Opsgenie, Alertmanager and the console keep an incident's own
state by its key and group by themselves: a merged event would leave theirs without an end."""
RATED: Mapping[str, Window] = {"pagerduty": Window(100, MINUTE)}
"""What a provider takes of all messages together; PagerDuty takes about 120 a minute for each integration key."""


class Sort(Enum):
    """What is merged with its like, in the order in which it is looked at."""

    PAGE = "page"
    RESOLVE = "resolve"
    NOTE = "note"


def sort_of(event: PageEvent) -> Sort:
    """Pages ask for hands; resolves end them; the rest informs."""
    if event in PAGES:
        return Sort.PAGE
    return Sort.RESOLVE if event is PageEvent.RESOLVE else Sort.NOTE


@dataclass(frozen=True, slots=True)
class Told:
    """One message that a person got, or will once it is through. `incident`: the only one it told of, else empty."""

    at: float
    sort: Sort
    incident: str = ""
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """`alone`: a message for each. `together`: one message for all. `later`: what waits, and until when."""

    alone: tuple[Delivery, ...] = ()
    together: tuple[Delivery, ...] = ()
    later: tuple[tuple[Delivery, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Pacing:
    """What the configuration says of it. `alone`: kinds of channels that get a message for each incident."""

    burst: int = 2
    every: float = 80.0
    """Two at once and one in 80 s: no six in five minutes, also when the provider is twenty seconds late with one."""
    alone: frozenset[str] = frozenset()

    def paced(self, row: Delivery) -> bool:
        """Whether a row's message counts among the many. A digest has its own hour, a test its own purpose.

        What changes a message that stands adds none.
        """
        apart = row.event in {PageEvent.DIGEST, PageEvent.TEST} or CHANGES in row.facts
        return row.channel in PACED - self.alone and not apart

    def pace(self, kind: str) -> Pace:
        """The pace of one kind of channel."""
        return Pace(self.burst, self.every, CARRIERS.get(kind, ()))


def looked_back(kinds: Iterable[str]) -> float:
    """Seconds of the past that count for these kinds."""
    windows = [QUIET, *(window for kind in kinds for window in CARRIERS.get(kind, ()))]
    return max(window.span for window in windows)


def told(rows: Iterable[Delivery], now: float) -> tuple[Told, ...]:
    """What one person was sent by one channel: what went together counts once.

    On its way counts as sent now: what a worker has, and what is tried again. So a provider that is down does not
    let message after message go out that all arrive when it is back. What is dated later than now, by a clock that was
    set back since, counts as none: nobody can say how long ago it was.
    """
    found: dict[str, Told] = {}
    for row in rows:
        at = _at(row, now)
        if at is not None and at <= now and row.event is not PageEvent.TEST and CHANGES not in row.facts:
            carried = row.facts.get(BUNDLE)
            incident = "" if carried else row.incident
            found[str(carried or row.key)] = Told(at, sort_of(row.event), incident, ASIDE in row.facts)
    return tuple(found.values())


def _at(row: Delivery, now: float) -> float | None:
    if row.state is DeliveryState.SENDING:
        return now
    if row.state is DeliveryState.OWED:
        return now if row.tries or row.receipt.startswith(MAYBE) else None
    if row.sent_at is None and row.receipt.startswith(MAYBE):
        return row.tried_at  # it may have arrived before nobody needed it any more
    return row.sent_at


def free_at(row: Delivery, earlier: Iterable[Told], pace: Pace, now: float) -> float:
    """When this row's message may go at the soonest; `now` when it may at once.

    A page waits for pages of other incidents alone. Ends and notes wait besides while messages of any sort are many.
    """
    everything = sorted(earlier, key=lambda one: one.at)
    counted = _counted(everything)
    others = [one for one in counted if one.incident != row.incident]
    sort = sort_of(row.event)
    same = [one.at for one in others if one.sort is sort and not one.aside]
    at = max([now, *(_window(window, [one.at for one in everything]) for window in pace.carrier)])
    if sort is Sort.PAGE or not others:
        return max(at, _bucket(pace, same))
    at = max(at, _bucket(pace, same), _window(pace.total, [one.at for one in counted]))
    return at if sort is Sort.RESOLVE else max(at, _window(QUIET, [one.at for one in others]))


def _counted(everything: Iterable[Told]) -> list[Told]:
    """Of an incident's own messages of one sort the last: that it repeats itself is no crowd. `everything`: ascending."""
    found: dict[object, Told] = {}
    for place, one in enumerate(everything):
        name = (one.incident, one.sort) if one.incident else place
        found.pop(name, None)
        found[name] = one
    return list(found.values())


def _window(window: Window, times: Sequence[float]) -> float:
    """From when on a window holds one more. `times`: ascending."""
    return times[-window.most] + window.span if len(times) >= window.most else float("-inf")


def _bucket(pace: Pace, times: Sequence[float]) -> float:
    """When the bucket has a token again. `times`: ascending."""
    full = float("-inf")  # when it is, or was, full again
    for at in times:
        full = max(full, at) + pace.every
    return full - (pace.burst - 1) * pace.every


def plan(
    waiting: Sequence[Delivery],
    earlier: Sequence[Told],
    pace: Pace,
    now: float,
    *,
    aside: Collection[str] = (),
) -> Plan:
    """Which of the rows of one person, channel and sort go now, and how. `waiting`: the worst first.

    As long as there are tokens a message is about one incident; the last token takes all that is left. `aside`:
    incidents about the daemon itself and storms; of those one may always go, if none has for a while.
    """
    so_far = list(earlier)
    alone: list[Delivery] = []
    later: list[tuple[Delivery, float]] = []
    for place, row in enumerate(waiting):
        if row.incident in aside and _aside_free(so_far, pace, now):
            alone.append(row)
            so_far.append(Told(now, sort_of(row.event), row.incident, aside=True))
            continue
        at = free_at(row, so_far, pace, now)
        if at > now:
            later.append((row, at))
            continue
        rest = [*(waiter for waiter, _ in later), *waiting[place:]]
        this = Told(now, sort_of(row.event), row.incident)
        if len(rest) > 1 and (later or free_at(rest[1], [*so_far, this], pace, now) > now):
            return Plan(tuple(alone), tuple(rest))
        alone.append(row)
        so_far.append(this)
    return Plan(tuple(alone), (), tuple(later))


def _aside_free(earlier: Iterable[Told], pace: Pace, now: float) -> bool:
    return all(one.at <= now - pace.every for one in earlier if one.aside)
