"""Opsgenie's Alert API v2: one alert an incident, by its alias. Ending: Atlassian turns the service off on 2027-04-05.

Source of the wire contract: Atlassian's Opsgenie docs, "Alert API". Lengths are characters; every call is answered 202 and
carried out later, so accepted is not delivered; 422 is never retried.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import orjson
from pydantic import Field

from config.secrets import Secret
from config.section import Section
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.wire import exchange
from daemon.escalate.graphemes import cut, line, printable
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.incidents.records import PageEvent
from remediations.ports import Request

MESSAGE, ALIAS, DESCRIPTION, ENTITY, SOURCE, NOTE = 130, 512, 15_000, 512, 100, 25_000
ENDS = "2027-04-05"
_PRIORITY = {"critical": "P1", "high": "P2", "medium": "P3", "low": "P5"}
_USER = "Fleetmend"


class OpsgenieSpec(Section):
    """An API integration's key. `url`: `https://api.eu.opsgenie.com` for accounts in the EU."""

    key: Secret
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+$")] = "https://api.opsgenie.com"


class Opsgenie:
    kind = "opsgenie"
    wakes = True
    tracks = True
    available = True
    local = False
    spec = OpsgenieSpec

    def normal(self, settings: Any) -> Any:
        return settings if isinstance(settings, dict) and "key" in settings else {"key": settings}

    def doubts(self, spec: OpsgenieSpec, shared: Shared) -> list[str]:
        del spec, shared
        return [f"Opsgenie ends on {ENDS}: choose another channel in time"]

    def render(self, message: Message, *, short: bool = False) -> tuple[str, dict[str, Any]] | None:
        """(path, body); None for what Opsgenie has no call for (notes other than an acknowledgement)."""
        alias = line(message.dedup_key, ALIAS, marker="")
        about = f"/v2/alerts/{quote(alias, safe='')}"
        said = {"user": _USER, "source": _USER, "note": line(message.headline, NOTE)}
        match message.event:
            case PageEvent.RESOLVE:
                return f"{about}/close?identifierType=alias", said
            case PageEvent.STATUS if message.note == "acked":
                return f"{about}/acknowledge?identifierType=alias", said
            case PageEvent.STATUS | PageEvent.HEADS_UP:
                return None
        alert: dict[str, Any] = {
            "message": line(message.headline, MESSAGE) or "Fleetmend page",
            "alias": alias,
            "priority": _PRIORITY.get(message.severity, "P3"),
            "source": line(_USER, SOURCE),
            "entity": line(message.source, ENTITY),
            "tags": ["fleetmend"],
        }
        if not short:
            links = "\n".join(f"{text}: {href}" for text, href in message.links)
            whole = "\n\n".join(filter(None, (message.headline, links, printable(message.body))))
            alert["description"] = cut(whole, DESCRIPTION)
        return "/v2/alerts", alert

    def send(
        self,
        message: Message,
        spec: OpsgenieSpec,
        shared: Shared,
        doors: Doors,
        deadline: float,
        *,
        short: bool,
    ) -> Receipt:
        del shared
        call = self.render(message, short=short)
        if call is None:
            return Receipt(ReceiptKind.OK, "Opsgenie has no call for this note")
        path, body = call
        headers = {"Content-Type": "application/json", "Authorization": f"GenieKey {spec.key.reveal()}"}
        return exchange(Request("POST", f"{spec.url}{path}", headers, orjson.dumps(body)), doors, deadline)


def _fits(channel: Opsgenie) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
