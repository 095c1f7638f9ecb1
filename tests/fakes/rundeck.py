"""Rundeck as its API is documented: running a job, and what an execution says of itself.

Written from the public API reference ("Running a Job", "Execution Info", version 18 and later): options in the JSON body,
200 with the execution, `failed-with-retry` with `retriedExecution`, `other` with `customStatus`, and errors as
`{"error": true, "errorCode": …}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.rest import Asked, Refused, Said

CURRENT, OLDEST = 46, 14
_INFO = re.compile(r"/api/(\d+)/job/([^/]+)/info")
_RUN = re.compile(r"/api/(\d+)/job/([^/]+)/run")
_EXECUTION = re.compile(r"/api/(\d+)/execution/(\d+)")


@dataclass
class FakeRundeck:
    """`ends`: the statuses in which the next executions end, the last one for ever; each is running `steps` times
    before. `executions`: number -> its options; a retry is an execution of its own.
    """

    token: str
    jobs: tuple[str, ...] = ("j-1",)
    requires: tuple[str, ...] = ()
    ends: list[str] = field(default_factory=lambda: ["succeeded"])
    steps: int = 1
    enabled: bool = True
    executions: dict[int, dict[str, Any]] = field(default_factory=dict)
    _end_of: dict[int, str] = field(default_factory=dict)
    _asked: dict[int, int] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Said:
        try:
            return self._answer(asked)
        except Refused as refused:
            return refused.said

    def _answer(self, asked: Asked) -> Said:
        if asked.headers.get("x-rundeck-auth-token") != self.token:
            raise _error(403, "unauthorized")
        run, execution = _RUN.fullmatch(asked.path), _EXECUTION.fullmatch(asked.path)
        info = _INFO.fullmatch(asked.path)
        found = run or execution or info
        if found and not OLDEST <= int(found[1]) <= CURRENT:
            raise _error(400, "api-version.unsupported")
        if run and asked.method == "POST":
            return self._run(run[2], asked)
        if info and asked.method == "GET" and info[2] in self.jobs:
            return Said(200, {"id": info[2], "executionEnabled": self.enabled, "scheduleEnabled": True})
        if execution and asked.method == "GET":
            return self._said(int(execution[2]))
        raise _error(404, "request.invalid")

    def _run(self, job: str, asked: Asked) -> Said:
        if job not in self.jobs:
            raise _error(404, "item.doesnotexist")
        options = asked.json.get("options", {})
        if [name for name in self.requires if name not in options]:
            raise _error(400, "job.options-invalid")
        return Said(200, self._info(self._begun(options)))

    def _begun(self, options: dict[str, Any]) -> int:
        number = 301 + len(self.executions)
        self.executions[number] = dict(options)
        self._end_of[number] = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        return number

    def _said(self, number: int) -> Said:
        if number not in self.executions:
            raise _error(404, "item.doesnotexist")
        self._asked[number] = self._asked.get(number, 0) + 1
        return Said(200, self._info(number))

    def _info(self, number: int) -> dict[str, Any]:
        over = self._asked.get(number, 0) > self.steps
        status = self._end_of[number] if over else "running"
        info: dict[str, Any] = {"id": number, "status": status, "project": "fleet"}
        if status == "other":
            info["customStatus"] = "half-done"
        if status == "failed-with-retry":
            retry = next((later for later in self.executions if later > number), None)
            retry = retry or self._begun(self.executions[number])
            info["retriedExecution"] = {"id": retry, "status": "running"}
        return info


def _error(status: int, code: str) -> Refused:
    body = {"error": True, "apiversion": CURRENT, "errorCode": f"api.error.{code}", "message": code}
    return Refused(status, body)
