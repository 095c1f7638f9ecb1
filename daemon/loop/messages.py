"""What comes back to the loop. Data flows down only; everything that returns is one of these, handled by one step."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.escalate.booked import Booked
from daemon.escalate.message import Receipt
from daemon.incidents.events import Event
from daemon.mitigate.rehearsal import Rehearsed
from detectors.samples import Batch, Failed
from remediations.outcome import Outcome
from remediations.run import Evidence


@dataclass(frozen=True, slots=True)
class Tick:
    """A due time came; `name` says whose (`poll`, `clock`, `housekeeping`)."""

    name: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A source answered, or failed to."""

    key: str
    result: Batch | Failed


@dataclass(frozen=True, slots=True)
class Answered:
    """A probe answered for the job `key`."""

    key: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Performed:
    """An action ended; `key` is the attempt's."""

    key: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Posted:
    """A delivery was handed to its provider; `key` is the delivery's."""

    key: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recorder committed orders or alerts: look into the inbox tables."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A signal to the process or an order of the admin: `reload`, `pause`, `unpause`."""

    what: str


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody was told directly, without a row: what is to be recorded as soon as the store writes."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Drilled:
    """The questions of a drill were asked at each of its scopes; `error`: why they could not be."""

    drill: str
    rehearsed: tuple[Rehearsed, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Beaten:
    """A heartbeat was sent; `error`: why it was not taken, empty when it was."""

    error: str = ""


@dataclass(frozen=True, slots=True)
class CalendarRead:
    """A schedule's calendar was read; `booked` is None where it could not be, and `error` says why.

    `strangers`: titles of events that name nobody known.
    """

    schedule: str
    booked: Booked | None = None
    strangers: tuple[str, ...] = ()
    error: str = ""


Message = (
    CalendarRead | Beaten | Drilled | Told | Tick | Fetched | Answered | Performed | Posted | Recorded | Asked
)
