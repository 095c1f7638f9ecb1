"""Alertmanager's API v2: an incident is one alert, which goes on by being sent again, and ends by being sent as ended.

Source of the wire contract: prometheus/alertmanager, `api/v2/openapi.yaml` and the documentation "Sending alerts". Labels
are an alert's identity; what fires ends by itself at `endsAt` unless it is sent again before, which is also what brings
it back to an Alertmanager that was restarted. Whom it tells is its own business, and it says nothing of it: a level must
not rest on it alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

import orjson
from pydantic import Field, model_validator

from config.addresses import WebAddress
from config.problems import Wrong
from config.section import Section
from daemon.clock import rfc3339
from daemon.detect.inbox import MARKER
from daemon.detect.sources.base import access_of
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.wire import exchange, reference
from daemon.escalate.graphemes import cut, line, octets, printable
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.incidents.records import PageEvent
from detectors.spec_names import LabelName
from detectors.spec_sources import Auth, Tls
from remediations.ports import Request

FIRES_FOR, RENEWED_EVERY = 300.0, 60.0
"""Seconds: how long an alert fires after it was sent, and how often it is sent. Four may be lost."""
UNRENEWED = 86_400.0
"""Seconds that an alert fires which nothing will send again: the store is sick, so no row says when."""
NAME = "FleetmendIncident"
LABEL, SUMMARY, DESCRIPTION = 200, 250, 8_000
"""Characters of a label's value and of the summary; bytes of the description."""
_OWN = frozenset({"alertname", MARKER, "severity", "failure_mode", "scope", "environment"})
_FIRING = frozenset({PageEvent.TRIGGER, PageEvent.ESCALATE, PageEvent.REMIND, PageEvent.TEST})
Label = Annotated[str, Field(min_length=1, max_length=LABEL)]


class AlertmanagerSpec(Section):
    """`url`: where its web page is, without `/api/v2`. `labels`: put on every alert, for its routes."""

    url: WebAddress
    auth: Auth | None = None
    tls: Tls = Tls()
    labels: dict[LabelName, Label] = Field(default_factory=dict, max_length=20)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for name in self.labels:
            if name in _OWN or name.startswith("__"):
                raise Wrong(f"the label {name} is set by Fleetmend", f"not one of {', '.join(sorted(_OWN))}")
        return self


class Alertmanager:
    kind = "alertmanager"
    wakes = True
    tracks = False
    available = True
    local = False
    spec = AlertmanagerSpec

    def normal(self, settings: Any) -> Any:
        return {"url": settings} if isinstance(settings, str) else settings

    def doubts(self, spec: AlertmanagerSpec, shared: Shared) -> list[str]:
        del shared
        clear = spec.auth is not None and spec.url.startswith("http://")
        return ["what proves who we are is sent in the clear"] if clear else []

    def render(
        self, message: Message, spec: AlertmanagerSpec, now: float, *, short: bool = False
    ) -> dict[str, Any] | None:
        """The alert; None for what Alertmanager has none for (notes, an acknowledgement among them).

        `now`: on the clock that Alertmanager's should agree with.
        """
        if message.event not in _FIRING | {PageEvent.RESOLVE}:
            return None
        resolved = message.event is PageEvent.RESOLVE
        # Nobody has a row for what is told past a sick store.
        holds = UNRENEWED if "/direct/" in message.key else FIRES_FOR
        alert: dict[str, Any] = {
            "labels": {**spec.labels, **_labels(message)},
            "annotations": _annotations(message, short=short),
            "endsAt": rfc3339(now if resolved else now + holds),
        }
        web = [href for _, href in message.links if href.startswith(("https://", "http://"))]
        if web:
            alert["generatorURL"] = web[0]
        return alert

    def send(
        self,
        message: Message,
        spec: AlertmanagerSpec,
        shared: Shared,
        doors: Doors,
        deadline: float,
        *,
        short: bool,
    ) -> Receipt:
        del shared
        alert = self.render(message, spec, doors.clock.now(), short=short)
        if alert is None:
            return Receipt(ReceiptKind.OK, "Alertmanager has no call for this note")
        access = access_of(spec.auth, {"Content-Type": "application/json"}, spec.tls)
        request = Request(
            "POST",
            f"{spec.url.rstrip('/')}/api/v2/alerts",
            access.headers,
            orjson.dumps([alert]),
            basic_auth=access.basic,
            tls=access.tls,
        )
        return exchange(request, doors, deadline, lambda _: _taken(message))


def _taken(message: Message) -> Receipt:
    """A page stands as long as it is sent again; an end is sent again too, for whoever was away."""
    renew = None if message.event is PageEvent.TEST else RENEWED_EVERY
    return Receipt(ReceiptKind.OK, "200", status=200, renew=renew)


def _labels(message: Message) -> dict[str, str]:
    """What makes it this alert and no other, and ours: our own intake drops what bears the marker."""
    named = {
        "alertname": NAME,
        MARKER: message.dedup_key.removeprefix("fleetmend/"),
        "severity": message.severity,
        "failure_mode": message.facet,
        "scope": message.source,
        "environment": message.group,
    }
    return {name: kept for name, value in named.items() if (kept := line(value, LABEL))}


def _annotations(message: Message, *, short: bool) -> dict[str, str]:
    notes = {
        "summary": line(message.headline, SUMMARY) or "Fleetmend page",
        "level": f"L{message.level}" if message.level else "",
        "page": reference(message.key),
    }
    if not short:
        links = "\n".join(f"{text}: {href}" for text, href in message.links)
        text = "\n\n".join(filter(None, (links, printable(message.body[: 8 * DESCRIPTION]))))
        notes["description"] = cut(text, DESCRIPTION, octets)
    return {name: text for name, text in notes.items() if text}


def _fits(channel: Alertmanager) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
