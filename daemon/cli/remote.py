"""A remote daemon, asked through its REST interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import orjson
from pydantic import ValidationError

from daemon.cli.questions import Question
from daemon.cli.taken import Taken
from daemon.desk import models
from daemon.desk.arguments import BadOrder
from daemon.desk.orders import Forbidden
from daemon.errors import DaemonUnreachable, FleetmendError, NotFound, UsageError
from remediations.ports import Clock, Http, PortError, Request, Response

M = TypeVar("M", bound=models.Model)

DEADLINE = 15.0
MAX_BYTES = 32_000_000
API = "/api/v1"

_ORDER_PATHS: Mapping[str, tuple[str, str]] = {
    "pause": ("POST", f"{API}/pauses"),
    "silence": ("POST", f"{API}/silences"),
    "maintenance": ("POST", f"{API}/maintenance"),
    "unlock": ("POST", f"{API}/unlock"),
    "change": ("POST", f"{API}/changes"),
    "page_test": ("POST", f"{API}/pages/test"),
    "drill": ("POST", f"{API}/drills"),
}
_LIFTED_AT = {"pause": "pauses", "silence": "silences", "maintenance": "maintenance"}


class RemoteFace:
    """Asks over HTTP. `deadline`: seconds in all for one exchange."""

    def __init__(
        self, url: str, token: str | None, http: Http, clock: Clock, *, deadline: float = DEADLINE
    ) -> None:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
            raise UsageError(f"--url: expected http://HOST:PORT, got {url!r}")
        self._base = url.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._http, self._clock, self._deadline = http, clock, deadline

    @property
    def note(self) -> str | None:
        """A remote daemon answers for itself: nothing to add."""
        return None

    def ask(self, question: Question[M]) -> M:
        """Raises `DaemonUnreachable`, `NotFound`, `Forbidden`, `UsageError`, `FleetmendError`."""
        query = f"?{urlencode(question.params)}" if question.params else ""
        response = self._send("GET", f"{API}{quote(question.path)}{query}", None)
        try:
            return question.model.model_validate_json(response.body)
        except ValidationError as error:
            raise FleetmendError(
                f"{self._base} answers in a form this version does not know ({error.error_count()} differences)"
            ) from None

    def runs(self) -> bool:
        """Where it is asked it is meant to run."""
        return True

    def order(self, kind: str, incident: str | None, args: Mapping[str, Any]) -> Taken:
        """Give an order; the daemon checks it. Raises as `ask` does."""
        if incident is not None:
            method, path = "POST", f"{API}/incidents/{quote(incident, safe='')}/{kind}"
        elif kind == "unpause":
            method, path = "DELETE", f"{API}/{_LIFTED_AT[str(args.get('kind', 'pause'))]}"
            args = {key: value for key, value in args.items() if key != "kind"}
        else:
            method, path = _ORDER_PATHS[kind]
        body = orjson.dumps({key: value for key, value in args.items() if value is not None})
        response = self._send(method, path, body)
        try:
            taken = models.OrderTaken.model_validate_json(response.body)
        except ValidationError:
            raise FleetmendError(f"{self._base} took the order and answered in an unknown form") from None
        return Taken(taken.order, None)

    def _send(self, method: str, path: str, body: bytes | None) -> Response:
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = Request(method, f"{self._base}{path}", headers=headers, body=body)
        try:
            response = self._http.send(
                request, deadline=self._clock.monotonic() + self._deadline, max_bytes=MAX_BYTES
            )
        except PortError as error:
            raise DaemonUnreachable(str(error)) from None
        if response.status >= 400:
            raise _refusal(response)
        return response


def _refusal(response: Response) -> FleetmendError:
    detail = _detail(response)
    match response.status:
        case 401:
            hint = "" if "token" in detail else "; give a token by --token or FLEETMEND_TOKEN"
            return Forbidden(f"{detail}{hint}")
        case 403:
            return Forbidden(detail)
        case 404:
            return NotFound(detail)
        case 400 | 409 | 422:
            argument, colon, problem = detail.partition(": ")
            return BadOrder(argument, problem) if colon and argument.isidentifier() else UsageError(detail)
        case status:
            return FleetmendError(f"the daemon answered {status}: {detail}")


def _detail(response: Response) -> str:
    try:
        problem = orjson.loads(response.body)
        return str(problem.get("detail") or problem.get("title") or response.status)[:2000]
    except (orjson.JSONDecodeError, AttributeError):
        return f"HTTP {response.status}"
