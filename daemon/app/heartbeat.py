"""The heartbeat: what is sent to a dead-man's switch outside. Silence is its alarm, so only an audit that passed is sent.

`healthchecks`: as Healthchecks.io, hosted or one's own, takes it (https://healthchecks.io/docs/http_api/): the address
itself is success, below it are `/start` and `/fail` with a text. Of another switch nobody knows what it makes of those,
and most take any call for a sign of life: it hears success or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from daemon.incidents.change import Job
from daemon.loop.heart import HEARTBEAT
from daemon.settings.model import Heartbeat

SENT_WITHIN = 20.0
"""Seconds for one beat: the next one comes, so it need not be waited for."""
MOST_TOLD = 10_000
"""Characters of what fails; Healthchecks keeps 100 kB."""


def started(spec: Heartbeat | None, now: float) -> tuple[Job, ...]:
    """The daemon starts: the switch waits for a first success from here on, where it knows such a thing."""
    if spec is None or spec.kind == "plain":
        return ()
    return (_job("start", "GET", _below(spec, "start"), "", now),)


def beat(spec: Heartbeat, failing: Mapping[str, str], now: float) -> tuple[Job, ...]:
    """All is well, or which checks are not; nothing where only silence can say so."""
    if not failing:
        return (_job("well", "GET", spec.url.reveal(), "", now),)
    if spec.kind == "plain":
        return ()
    text = "\n".join(f"{name}: {what}" for name, what in failing.items())
    return (_job("fail", "POST", _below(spec, "fail"), text[:MOST_TOLD], now),)


def _below(spec: Heartbeat, name: str) -> str:
    """The query stays: an address with a slug may carry `?create=1`."""
    parts = urlsplit(spec.url.reveal())
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def _job(what: str, method: str, url: str, body: str, now: float) -> Job:
    return Job(
        f"{HEARTBEAT}-{what}-{now:.3f}", HEARTBEAT, "-", now + SENT_WITHIN, {"beat": (method, url, body)}
    )
