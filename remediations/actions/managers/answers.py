"""Answers of managers that speak JSON over HTTP: which of them are refusals, and which leave everything open."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from remediations.actions.managers.manager import ManagerFault
from remediations.ports import Ambiguous, Http, Request, Response

MAX_ANSWER = 4_000_000
ONE_CALL = 15.0
"""Seconds that a question may take: a proxy that hangs must not use up the time of the whole order."""
GATEWAY = frozenset({502, 503, 504})
"""Whoever stands before the manager says so: what it was told may have arrived."""


def exchange(
    http: Http,
    request: Request,
    *,
    deadline: float,
    fine: tuple[int, ...],
    unclear: Callable[[int], bool] = GATEWAY.__contains__,
    hide: Callable[[str], str] = str,
) -> Response:
    """Send, and take only a `fine` status. `hide`: takes the secrets of this call out of what is said.

    Raises `ManagerFault` with what the manager says; `Ambiguous` for an order answered by an `unclear` status.
    """
    response = http.send(request, deadline=deadline, max_bytes=MAX_ANSWER)
    if response.status in fine:
        return response
    said = hide(f"{request.method} was answered {response.status}: {_message(response)}")
    if request.method != "GET" and unclear(response.status):
        raise Ambiguous(said)
    raise ManagerFault(said)


def decoded(response: Response) -> Any:
    """Its JSON. Raises `Ambiguous` when it is none."""
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise Ambiguous(f"the answer is no JSON: {error}") from error


def at(value: Any, *path: str) -> Any:
    """What stands there; None where any part is missing or no map."""
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def count(value: Any, *path: str) -> int:
    """The number there; 0 where there is none (zero values are left out of such answers)."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def text(value: Any, *path: str) -> str:
    """The text there; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def listed(value: Any) -> list[Any]:
    """The list, empty where it is none."""
    return value if isinstance(value, list) else []


def _message(response: Response) -> str:
    """Both Docker and Kubernetes put their reason under `message`."""
    try:
        said = text(json.loads(response.body), "message")
    except ValueError:
        said = ""
    return said or response.body.decode("utf-8", "replace")[:300]
