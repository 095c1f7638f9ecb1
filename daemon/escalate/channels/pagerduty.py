"""PagerDuty Events API v2: trigger, acknowledge, resolve by one deduplication key an incident.

Source of the wire contract: PagerDuty developer docs, "Send an event" and "Events API v2 overview". Lengths are
characters; the body holds at most 512 KB; 202 means accepted, not delivered; 400 is never retried.
"""

from __future__ import annotations

from typing import Any

import orjson

from config.secrets import Secret
from config.section import Section
from daemon.clock import rfc3339
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.wire import exchange
from daemon.escalate.graphemes import clean, line
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.incidents.records import PageEvent
from remediations.ports import Request

SUMMARY = 1024
DEDUP_KEY = 255
KEY_LENGTH = 32
MAX_BODY = 512_000
_FIELD = 255
_SEVERITY = {"critical": "critical", "high": "error", "medium": "warning", "low": "info"}
_LINKS = 10


class PagerDutySpec(Section):
    """One person's (or service's) integration: an Events API v2 key."""

    routing_key: Secret


class PagerDuty:
    kind = "pagerduty"
    wakes = True
    tracks = True
    available = True
    local = False
    spec = PagerDutySpec

    def normal(self, settings: Any) -> Any:
        return settings

    def doubts(self, spec: PagerDutySpec, shared: Shared) -> list[str]:
        del shared
        if len(spec.routing_key.reveal()) != KEY_LENGTH:
            return [f"an Events API v2 integration key has {KEY_LENGTH} characters"]
        return []

    def render(self, message: Message, spec: PagerDutySpec, *, short: bool = False) -> dict[str, Any] | None:
        """The event, or None for what PagerDuty has no event for (notes other than an acknowledgement)."""
        action = _action(message)
        if action is None:
            return None
        event: dict[str, Any] = {
            "routing_key": spec.routing_key.reveal(),
            "event_action": action,
            "dedup_key": line(message.dedup_key, DEDUP_KEY, marker=""),
        }
        if action == "trigger":
            event |= _trigger(message, short=short)
            if len(orjson.dumps(event)) > MAX_BODY:
                event["payload"].pop("custom_details", None)
        return event

    def send(
        self,
        message: Message,
        spec: PagerDutySpec,
        shared: Shared,
        doors: Doors,
        deadline: float,
        *,
        short: bool,
    ) -> Receipt:
        event = self.render(message, spec, short=short)
        if event is None:
            return Receipt(ReceiptKind.OK, "PagerDuty has no event for this note")
        url = f"{shared.pagerduty.url.rstrip('/')}/v2/enqueue"
        headers = {"Content-Type": "application/json"}
        return exchange(Request("POST", url, headers, orjson.dumps(event)), doors, deadline)


def _action(message: Message) -> str | None:
    match message.event:
        case PageEvent.RESOLVE:
            return "resolve"
        case PageEvent.STATUS:
            return "acknowledge" if message.note == "acked" else None
        case PageEvent.HEADS_UP:
            return None
        case _:
            return "trigger"


def _trigger(message: Message, *, short: bool) -> dict[str, Any]:
    severity = "info" if message.event is PageEvent.DIGEST else _SEVERITY.get(message.severity, "error")
    payload: dict[str, Any] = {
        "summary": line(message.headline, SUMMARY) or "Fleetmend page",
        "source": line(message.source, _FIELD) or "fleetmend",
        "severity": severity,
        "timestamp": rfc3339(message.at),
    }
    for name, value in (("component", message.component), ("group", message.group), ("class", message.facet)):
        if value:
            payload[name] = line(value, _FIELD)
    event: dict[str, Any] = {"payload": payload, "client": "Fleetmend"}
    web = [(clean(text), href) for text, href in message.links if href.startswith(("https://", "http://"))]
    if web:
        event["client_url"] = web[0][1]
        event["links"] = [{"href": href, "text": text} for text, href in web[:_LINKS]]
    if not short:
        payload["custom_details"] = {
            name: clean(text)
            for name, text in (("page", message.body), ("level", f"L{message.level}"))
            if text
        }
    return event


def _fits(channel: PagerDuty) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
