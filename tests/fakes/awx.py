"""AWX as its API v2 is documented: what it refuses to launch, and how a job comes to its end.

Written from the public API reference ("Job Templates: launch", "Jobs", "Named URLs"): 201 with `job` and
`ignored_fields`, 400 for variables that are missing, 401, 403, 404, 405 where it cannot be launched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.fakes.rest import Asked, Refused, Said

TEMPLATES, JOBS = "/api/v2/job_templates/", "/api/v2/jobs/"
GOING_ON = ("new", "pending", "waiting", "running")


@dataclass
class Template:
    """`asks`: whether it takes variables at launch; `needs`: those without which it is not launched."""

    number: int
    name: str
    asks: bool = True
    needs: tuple[str, ...] = ()
    launchable: bool = True


@dataclass
class FakeAwx:
    """`ends`: how the next job ends after it was asked about `steps` times. `jobs`: number -> its variables."""

    token: str
    templates: tuple[Template, ...] = (Template(7, "restart-writer++Default"),)
    ends: str = "successful"
    steps: int = 2
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Said:
        try:
            return self._answer(asked)
        except Refused as refused:
            return refused.said

    def _answer(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            raise Refused(401, {"detail": "Authentication credentials were not provided."})
        if not asked.path.endswith("/"):
            return Said(301, b"", {"Location": f"{asked.path}/"})
        if asked.path.startswith(TEMPLATES) and asked.path.endswith("/launch/"):
            template = self._template(unquote(asked.path[len(TEMPLATES) : -len("/launch/")]))
            return self._launched(template, asked) if asked.method == "POST" else self._would(template)
        if asked.method == "GET" and asked.path.startswith(JOBS):
            return self._job(asked.path.removeprefix(JOBS).rstrip("/"))
        raise Refused(404, {"detail": "Not found."})

    def _template(self, named: str) -> Template:
        found = [one for one in self.templates if named in {str(one.number), one.name}]
        if not found:
            raise Refused(404, {"detail": "Not found."})
        return found[0]

    def _would(self, template: Template) -> Said:
        """What launching it would ask for."""
        body = {
            "ask_variables_on_launch": template.asks,
            "survey_enabled": False,
            "can_start_without_user_input": not template.needs,
            "variables_needed_to_start": [*template.needs],
        }
        return Said(200, body)

    def _launched(self, template: Template, asked: Asked) -> Said:
        if not template.launchable:
            raise Refused(405, {"detail": "Method POST not allowed."})
        given = asked.json.get("extra_vars", {})
        missing = [name for name in template.needs if name not in given]
        if missing:
            raise Refused(400, {"variables_needed_to_start": [f"'{name}' value missing" for name in missing]})
        number = 41 + len(self.jobs)
        self.jobs[number] = dict(given) if template.asks else {}
        ignored = {"extra_vars": given} if given and not template.asks else {}
        body = {"job": number, "ignored_fields": ignored, "id": number, "type": "job", "status": "pending"}
        return Said(201, {**body, "url": f"{JOBS}{number}/"}, {"Location": f"{JOBS}{number}/"})

    def _job(self, named: str) -> Said:
        if not named.isdigit() or int(named) not in self.jobs:
            raise Refused(404, {"detail": "Not found."})
        number = int(named)
        self.asked[number] = self.asked.get(number, 0) + 1
        over = self.asked[number] > self.steps
        status = self.ends if over else GOING_ON[min(self.asked[number], 3)]
        return Said(
            200,
            {
                "id": number,
                "type": "job",
                "status": status,
                "failed": over and status != "successful",
                "extra_vars": json.dumps(self.jobs[number]),
            },
        )
