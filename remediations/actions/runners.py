"""Job runners: how AWX and Rundeck launch a job and tell how it ended.

Sources: AWX API reference, "Job Templates: launch" and "Jobs"; Rundeck API reference, "Running a Job" and "Execution Info".
Proved against servers written from these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

from remediations.actions.answers import parsed
from remediations.actions.rendering import PLAIN
from remediations.actions.sending import KEY
from remediations.outcome import OutcomeState
from remediations.ports import Request, Response

AWX_ENDS = {
    "successful": OutcomeState.DONE,
    "failed": OutcomeState.FAILED,
    "error": OutcomeState.FAILED,
    "canceled": OutcomeState.FAILED,
}
"""Before these it is new, pending, waiting or running."""
RUNDECK_ENDS = {
    "succeeded": OutcomeState.DONE,
    "failed": OutcomeState.FAILED,
    "aborted": OutcomeState.FAILED,
    "timedout": OutcomeState.FAILED,
    "other": OutcomeState.UNKNOWN,
}
"""`other` is a status that the job gave itself: nobody here knows what it means. Before these: running, scheduled, queued."""
RETRIED = "failed-with-retry"


class Runner(Protocol):
    """One launch and what follows; of use for one `perform`."""

    @property
    def what(self) -> str:
        """What is launched, for people."""
        ...

    def launch(self, key: str) -> Request: ...

    def took(self, answer: Response) -> bool:
        """Remember the job that was launched; False when the answer names none."""
        ...

    def question(self) -> Request: ...

    def judged(self, answer: Response) -> OutcomeState | None:
        """How it ended; None while it goes on."""
        ...


class Awx:
    """AWX, and what speaks its API v2. `rendered`: of the action; `token`: revealed."""

    def __init__(self, rendered: Mapping[str, Any], token: str) -> None:
        self._rendered = rendered
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._job = ""
        self.ignored = False
        """The template takes no variables at launch: the job runs without those that were given."""

    @property
    def what(self) -> str:
        return f"awx template {self._rendered['template']}"

    def launch(self, key: str) -> Request:
        template = quote(str(self._rendered["template"]), safe="")
        variables = self._rendered["extra_vars"]
        return _post(
            f"{self._rendered['url']}/api/v2/job_templates/{template}/launch/",
            {**self._headers, KEY: key},
            {"extra_vars": variables} if variables else {},
        )

    def took(self, answer: Response) -> bool:
        body = _object(answer)
        self.ignored = bool(_inner(body, "ignored_fields").get("extra_vars"))
        self._job = _name(body.get("job", body.get("id")))
        return bool(self._job)

    def question(self) -> Request:
        return Request("GET", f"{self._rendered['url']}/api/v2/jobs/{self._job}/", headers=self._headers)

    def judged(self, answer: Response) -> OutcomeState | None:
        ended = AWX_ENDS.get(_status(answer))
        return OutcomeState.FAILED if ended is OutcomeState.DONE and self.ignored else ended


class Rundeck:
    """Rundeck. A run that failed and is retried goes on as its retry."""

    def __init__(self, rendered: Mapping[str, Any], token: str) -> None:
        self._rendered = rendered
        self._base = f"{rendered['url']}/api/{rendered['api']}"
        self._headers = {"X-Rundeck-Auth-Token": token, "Accept": "application/json"}
        self._execution = ""
        self.ignored = False

    @property
    def what(self) -> str:
        return f"rundeck job {self._rendered['job']}"

    def launch(self, key: str) -> Request:
        address = f"{self._base}/job/{self._rendered['job']}/run"
        return _post(address, {**self._headers, KEY: key}, {"options": self._rendered["options"]})

    def took(self, answer: Response) -> bool:
        self._execution = _name(_object(answer).get("id"))
        return bool(self._execution)

    def question(self) -> Request:
        return Request("GET", f"{self._base}/execution/{self._execution}", headers=self._headers)

    def judged(self, answer: Response) -> OutcomeState | None:
        status = _status(answer)
        if status != RETRIED:
            return RUNDECK_ENDS.get(status)
        retry = _name(_inner(_object(answer), "retriedExecution").get("id"))
        if not retry:
            return OutcomeState.FAILED
        self._execution = retry
        return None


def _post(address: str, headers: Mapping[str, str], body: Any) -> Request:
    data = json.dumps(body, ensure_ascii=False).encode()
    return Request("POST", address, headers={**headers, "Content-Type": "application/json"}, body=data)


def _status(answer: Response) -> str:
    """Nothing is known by an answer that is none of these."""
    return str(_object(answer).get("status", "")) if answer.status == 200 else ""


def _object(answer: Response) -> dict[str, Any]:
    body = parsed(answer)
    return body if isinstance(body, dict) else {}


def _inner(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = body.get(name)
    return inner if isinstance(inner, dict) else {}


def _name(found: object) -> str:
    """A number or a plain word: an answer does not choose whom to ask. Empty when it is none."""
    plain = isinstance(found, int | str) and not isinstance(found, bool) and PLAIN.fullmatch(str(found))
    return str(found) if plain else ""


def _fit(awx: Awx, rundeck: Rundeck) -> tuple[Runner, Runner]:
    """The type checker proves here that both are runners."""
    return awx, rundeck
