"""Looks at job runners and at where stakeholders are told: is it there, does it know us, does it know what is named?"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from remediations.actions.action import Rendered, Reveal
from remediations.actions.answers import parsed, said
from remediations.ports import Ports, Request, Response

MAX_ANSWER = 1_000_000


def awx(rendered: Rendered, ports: Ports, reveal: Reveal, deadline: float) -> tuple[bool, str]:
    """What the template would ask for at launch; launching is a POST to the same address. Raises `PortError`."""
    headers = {"Authorization": f"Bearer {reveal(rendered['token'])}", "Accept": "application/json"}
    template = rendered["template"]
    address = f"{rendered['url']}/api/v2/job_templates/{quote(str(template), safe='')}/launch/"
    answer = _get(address, headers, ports, deadline)
    body = parsed(answer)
    if answer.status != 200 or not isinstance(body, dict):
        return False, f"awx template {template}: {said(answer)}"
    asks = body.get("ask_variables_on_launch") or body.get("survey_enabled")
    if rendered["extra_vars"] and not asks:
        return (
            False,
            f"awx template {template} does not ask for variables at launch, and would run without them",
        )
    missing = {*(body.get("variables_needed_to_start") or ())} - rendered["extra_vars"].keys()
    if missing:
        return False, f"awx template {template} needs {', '.join(sorted(missing))} too"
    return True, f"awx template {template} can be launched"


def rundeck(rendered: Rendered, ports: Ports, reveal: Reveal, deadline: float) -> tuple[bool, str]:
    """Whether the job is there and may run. Raises `PortError`."""
    headers = {"X-Rundeck-Auth-Token": reveal(rendered["token"]), "Accept": "application/json"}
    job = rendered["job"]
    answer = _get(f"{rendered['url']}/api/{rendered['api']}/job/{job}/info", headers, ports, deadline)
    body = parsed(answer)
    if answer.status != 200 or not isinstance(body, dict):
        return False, f"rundeck job {job}: {said(answer)}"
    if body.get("executionEnabled") is False:
        return False, f"rundeck job {job}: its execution is switched off"
    return True, f"rundeck job {job} can be run"


def statuspage(rendered: Rendered, ports: Ports, reveal: Reveal, deadline: float) -> tuple[bool, str]:
    """Whether the page's open incidents can be read: they are, before anything is told. Raises `PortError`."""
    headers = {"Authorization": f"OAuth {reveal(rendered['token'])}", "Accept": "application/json"}
    page = rendered["page"]
    answer = _get(f"{rendered['url']}/v1/pages/{page}/incidents/unresolved", headers, ports, deadline)
    if answer.status == 200 and isinstance(parsed(answer), list):
        return True, f"status page {page} answers"
    return False, f"status page {page}: {said(answer)}"


def _get(address: str, headers: Mapping[str, str], ports: Ports, deadline: float) -> Response:
    return ports.http.send(Request("GET", address, headers=headers), deadline=deadline, max_bytes=MAX_ANSWER)
