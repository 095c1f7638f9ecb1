"""Atlassian Statuspage, API v1: one incident on the page per incident here, told anew by updates of the same one.

The page's incident is found again by its `metadata`, so neither a second rung nor a repetition opens a second one, and a
`return` with `status: resolved` closes what its rung opened. Source: Statuspage API reference, "Incidents".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from config.secrets import Secret
from config.section import Section
from config.templates import TemplateText
from remediations.actions.action import Names, Permit, Unrenderable
from remediations.actions.answers import Address, accepted, parsed, sound_address
from remediations.actions.rendering import PLAIN, Renderer
from remediations.actions.sending import KEY, Sent, asked, no_permit, outcome, send
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ports, Request, Response

NAME_LIMIT, TEXT_LIMIT = 255, 25_000
"""Characters that the API takes."""
RESOLVED = "resolved"

ComponentStatus = Literal[
    "operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"
]


class NotifyStatuspage(Section):
    """Atlassian Statuspage, API v1. Told again, the same incident of the page is updated; proved against a server written
    from its public reference.
    """

    page: TemplateText
    """The page's id."""
    token: Secret
    """An API key of somebody who may manage incidents."""
    name: TemplateText
    status: Literal["investigating", "identified", "monitoring", "resolved"] = "investigating"
    text: TemplateText
    component: TemplateText | None = None
    """Id of the component concerned."""
    component_status: ComponentStatus | None = None
    """Left out: `degraded_performance`, and `operational` once it is resolved."""
    url: Address = "https://api.statuspage.io"


def render_statuspage(args: NotifyStatuspage, renderer: Renderer, names: Names) -> dict[str, Any]:
    """Plain data. Raises `ActionError`."""
    usual = "operational" if args.status == RESOLVED else "degraded_performance"
    rendered: dict[str, Any] = {
        "url": sound_address(renderer.place(args.url)).rstrip("/"),
        "page": _id(renderer.place(args.page)),
        "token": dict(args.token.reference),
        "name": renderer.text(args.name),
        "status": args.status,
        "text": renderer.text(args.text),
        "incident": str(dict(names.get("incident") or {}).get("id", "")),
    }
    if args.component is not None:
        rendered["component"] = _id(renderer.place(args.component))
        rendered["component_status"] = args.component_status or usual
    return rendered


def _id(text: str) -> str:
    if not PLAIN.fullmatch(text):
        raise Unrenderable(f"not an id of the status page: {text!r}")
    return text


def tell_statuspage(
    page: Mapping[str, Any], ports: Ports, *, until: float, permit: Permit, key: str
) -> Outcome:
    """`page`: as rendered, its token revealed. Which incident is open there is asked first, so none is opened twice."""
    base = f"{page['url']}/v1/pages/{page['page']}/incidents"
    headers = {"Authorization": f"OAuth {page['token']}", "Accept": "application/json"}
    what = f"status page {page['page']}"
    try:
        answer = asked(
            Request("GET", f"{base}/unresolved", headers=headers),
            ports,
            f"{what}: its open incidents",
            until=until,
            good=lambda answer: accepted("2xx", answer) and isinstance(parsed(answer), list),
        )
    except Sent as sent:
        return sent.outcome
    known = _known(answer, page["incident"])
    if known is None and page["status"] == RESOLVED:
        return outcome(OutcomeState.DONE, f"{what}: nothing of this incident is open there", ports)
    if not permit.granted():
        return no_permit(what, ports)
    request = Request(
        "POST" if known is None else "PATCH",
        base if known is None else f"{base}/{known}",
        headers={**headers, "Content-Type": "application/json", KEY: key},
        body=json.dumps({"incident": _incident(page)}, ensure_ascii=False).encode(),
    )
    done = "opened" if known is None else f"{known} updated"
    return send(
        request,
        ports,
        f"{what}: {page['status']} ({done})",
        until=until,
        good=lambda answer: accepted("2xx", answer),
    )


def _known(answer: Response, incident: str) -> str | None:
    """The id of the page's open incident that is about this one."""
    for entry in parsed(answer):
        mark = (entry.get("metadata") or {}).get("fleetmend") if isinstance(entry, dict) else None
        if incident and isinstance(mark, dict) and mark.get("incident") == incident:
            return _checked(entry.get("id"))
    return None


def _checked(found: object) -> str | None:
    return found if isinstance(found, str) and PLAIN.fullmatch(found) else None


def _incident(page: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": page["name"][:NAME_LIMIT],
        "status": page["status"],
        "body": page["text"][:TEXT_LIMIT],
        "metadata": {"fleetmend": {"incident": page["incident"]}},
    }
    if "component" in page:
        told["component_ids"] = [page["component"]]
        told["components"] = {page["component"]: page["component_status"]}
    return told
