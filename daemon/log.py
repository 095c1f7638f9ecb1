"""The one place where logging is set up: JSON lines, every one an event with fields.

A line has `timestamp` (ISO 8601, UTC), `level`, `service`, `correlation_id` and `message`; further fields such as
`provider`, `incident` or `error` come from the call and from what is bound. Lines of libraries (uvicorn, urllib3,
apscheduler) pass the same processors. The redactor sees every line last, tracebacks included.

`message` is one of the constants below, never a sentence with values in it: values are fields.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Protocol, TextIO

import orjson
import structlog
from structlog.typing import Processor

DAEMON_STARTED = "daemon started"
DAEMON_STOPPING = "daemon stopping"
DAEMON_STOPPED = "daemon stopped"
CONFIG_LOADED = "configuration loaded"
CONFIG_REFUSED = "configuration refused"
CLOCK_STEPPED = "clock stepped"
SOURCE_FAILED = "source failed"
SOURCE_BACK = "source back"
NOTICED = "detection noticed"
DETECTOR_CHANGED = "detector changed"
INCIDENT_CHANGED = "incident changed"
RUN_MOVED = "run moved"
GATE_REFUSED = "guardrail refused"
ACTION_STARTED = "action started"
ACTION_ENDED = "action ended"
VERDICT_GIVEN = "verdict given"
PAGE_OWED = "page owed"
PAGE_SENT = "page sent"
PAGE_NOT_SENT = "page not sent"
CALENDAR_FAILED = "calendar not read"
CALENDAR_STRANGERS = "calendar names strangers"
DRILLED = "playbook drilled"
ORDER_TAKEN = "order taken"
ALERT_TAKEN = "alert taken"
ALERT_RETURNED = "our own alert came back"
ITEM_PARKED = "item parked"
JOB_ABANDONED = "job abandoned"
STORE_FAILED = "store failed"
LEASE_TAKEN = "lease taken"
LEASE_LOST = "lease lost"
REQUEST_SERVED = "request served"
AUDIT_FAILED = "self-audit failed"
HEARTBEAT_FAILED = "heartbeat failed"
LINE_LOST = "log line lost"

NO_CORRELATION = "-"
"""Correlation id of a line that belongs to no incident."""


class Redactor(Protocol):
    """Takes every known secret out of text and out of nested data; `config.secrets.Redactor` fits."""

    def text(self, text: str) -> str: ...

    def data(self, value: Any) -> Any: ...


def configure(
    stamp: Callable[[], str],
    redactor: Redactor,
    *,
    level: str = "INFO",
    service: str = "fleetmend",
    stream: TextIO | None = None,
) -> None:
    """Send everything that is logged in this process to `stream` (standard error) as JSON lines.

    `stamp` gives the time of a line: `lambda: rfc3339(clock.now())`.

    Call it again after a reload: the new redactor replaces the old one. Raises `ValueError` on an unknown level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"unknown log level {level!r}")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _Stamp(stamp, service),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _Redact(redactor),
                _as_json,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in ("urllib3", "apscheduler", "uvicorn.access"):  # one line per request of ours says more
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def get(name: str = "fleetmend") -> structlog.stdlib.BoundLogger:
    """The logger to use; hold it, or bind fields to it."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Nothing below `critical` is logged inside: the loop is asked about a past that nobody lives through."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


@contextlib.contextmanager
def correlated(correlation_id: str, **fields: Any) -> Iterator[None]:
    """Every line inside carries this correlation id (an incident's id) and these fields."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id, **fields):
        yield


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """The standard one prints the arguments, secrets included; this one says only where the line came from."""
        with contextlib.suppress(OSError, ValueError):
            lost = {"level": "error", "message": LINE_LOST, "logger": record.name, "line": record.lineno}
            self.stream.write(f"{json.dumps(lost)}\n")


class _Stamp:
    """Adds the fields every line has, and names the event `message`."""

    def __init__(self, stamp: Callable[[], str], service: str) -> None:
        self._stamp = stamp
        self._service = service

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        message = event.pop("event", "")
        head = {
            "timestamp": self._stamp(),
            "level": event.pop("level", "info"),
            "service": self._service,
            "correlation_id": event.pop("correlation_id", NO_CORRELATION),
            "message": message if isinstance(message, str) else repr(message),
        }
        return {**head, **event}


class _Redact:
    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        redacted: dict[str, Any] = self._redactor.data(_plain(event))
        return redacted


def _plain(event: MutableMapping[str, Any]) -> dict[str, Any]:
    """JSON data: an object shows its secrets only as text, so text it becomes before redaction.

    A log line must never raise: what JSON cannot hold (half a surrogate pair, a cycle) becomes its `repr`.
    """
    try:
        plain: dict[str, Any] = orjson.loads(
            orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)
        )
    except (TypeError, ValueError):
        simple = (str, int, float, bool, type(None))
        return {
            str(name): value if isinstance(value, simple) else repr(value) for name, value in event.items()
        }
    return plain


def _as_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    try:
        return orjson.dumps(event).decode()
    except TypeError:
        return json.dumps(event)
