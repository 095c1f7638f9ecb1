"""A strict Workflows webhook of Teams: Adaptive Cards 1.2, and the limit of 28 KB that it measures after expansion."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import Scripted, answer

URL = "https://prod-01.westeurope.logic.azure.com/workflows/abc/triggers/manual/paths/invoke?sig=s3cr3t-sig"
LIMIT, EXPANDS = 28_000, 1.2
"""24 453 sent bytes were counted as 28 897 (MicrosoftDocs/msteams-docs#11274)."""


@dataclass
class FakeTeams(Scripted):
    """`posted`: cards as they stand in the channel. `lenient`: an error is answered as older flows do, inside a 200."""

    script: list[Response | PortError] = field(default_factory=list)
    posted: list[dict[str, Any]] = field(default_factory=list)
    lenient: bool = False

    def _take(self, request: Request) -> Response:
        body = request.body or b""
        if len(json.dumps(json.loads(body), ensure_ascii=True)) * EXPANDS > LIMIT:
            said = (
                "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413"
            )
            return answer(200, said) if self.lenient else answer(413, said)
        message = json.loads(body.decode("utf-8"))
        problems = problems_of(message)
        if problems:
            return answer(400, "; ".join(problems))
        self.posted.append(message)
        return answer(202)


def problems_of(message: Any) -> list[str]:
    """What of the documented shape is broken."""
    if message.get("type") != "message" or len(message.get("attachments", [])) != 1:
        return ["expected a message with one attachment"]
    attachment = message["attachments"][0]
    card = attachment.get("content", {})
    problems = []
    if attachment.get("contentType") != "application/vnd.microsoft.card.adaptive":
        problems.append("unknown contentType")
    if attachment.get("contentUrl", "") is not None:
        problems.append("contentUrl has to be null")
    if card.get("type") != "AdaptiveCard" or card.get("version") not in {"1.2", "1.3", "1.4"}:
        problems.append("no Adaptive Card of a known version")
    if any(block.get("type") != "TextBlock" or not block.get("text") for block in card.get("body", [])):
        problems.append("a TextBlock needs text")
    if not all(_opens(action) for action in card.get("actions", [])):
        problems.append("an action needs a url")
    return problems


def _opens(action: dict[str, Any]) -> bool:
    return action.get("type") == "Action.OpenUrl" and str(action.get("url", "")).startswith("http")
