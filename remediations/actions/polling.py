"""Following what goes on after a call was accepted: one address is asked until it says how it ended.

Where to ask may come from the answer to the call, but never which host: a `Location` has to be of the place that was
called, and a job's id has to be a plain word. Otherwise whoever answers could have the daemon call anybody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self
from urllib.parse import urljoin, urlsplit

from pydantic import Field, model_validator

from config.problems import Wrong
from config.section import Section
from config.templates import TemplateError
from config.units import Duration
from remediations.actions.action import Unrenderable
from remediations.actions.answers import (
    MAX_ANSWER,
    AboutTheAnswer,
    Address,
    accepted,
    said,
    same_place,
    sound_address,
    value,
)
from remediations.actions.rendering import PLAIN, Renderer
from remediations.outcome import OutcomeState
from remediations.ports import PortError, Ports, Request, Response

POLL_TIMEOUT = 10.0
"""Seconds for one question."""
JOB = "{id}"
"""Where the job's id stands in the address."""


class Poll(Section):
    """After the call was accepted: ask until `until` holds (done) or `failed` does.

    Asked is `url`, or with `location: true` the address that the call's answer names in its `Location`.
    """

    url: Address | None = None
    """`{id}` in it is replaced by what `id` gives."""
    location: bool = False
    id: AboutTheAnswer | None = None
    """An expression over `status` and `body` of the call's answer: the job's name or number."""
    until: AboutTheAnswer
    failed: AboutTheAnswer | None = None
    """Left out: what does not finish within `within` is unknown, never failed."""
    every: Annotated[Duration, Field(ge=0.1)] = 2.0
    within: Duration = 60.0

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) != self.location:
            raise Wrong(
                "a poll asks either url or location", "write url: http://…/jobs/{id}, or location: true"
            )
        if (self.id is not None) != (self.url is not None and JOB in self.url):
            raise Wrong(
                "id and {id} in url go together", "write {url: http://…/jobs/{id}, id: body.job.id, until: …}"
            )
        return self


def render_poll(poll: Poll, renderer: Renderer) -> dict[str, Any]:
    """Plain data. Raises `ActionError`."""
    rendered = poll.model_dump(exclude_none=True)
    if poll.url is not None:
        rendered["url"] = sound_address(renderer.place(poll.url))
        if JOB in urlsplit(rendered["url"]).netloc:
            raise Unrenderable("{id} may stand in the path only: an answer does not choose the host")
    return rendered


class Astray(Exception):
    """The answer does not say where to ask on, or names a place that must not be asked."""


def where_to_ask(poll: Mapping[str, Any], called: str, answer: Response) -> str:
    """The address to ask for the end. Raises `Astray`."""
    if poll.get("location"):
        named = next((text for name, text in answer.headers.items() if name.lower() == "location"), None)
        if named is None:
            raise Astray("the answer names no Location")
        address = urljoin(called, named)
        if not same_place(address, called):
            raise Astray("the answer's Location is of another host")
        return address
    if poll.get("id") is None:
        return str(poll["url"])
    try:
        job = value(poll["id"], answer)
    except TemplateError as error:
        raise Astray(f"the answer names no job: {error}") from None
    if isinstance(job, bool) or not isinstance(job, int | str) or not PLAIN.fullmatch(str(job)):
        raise Astray("the answer's job has no plain name or number")
    return str(poll["url"]).replace(JOB, str(job))


def ended(poll: Mapping[str, Any], response: Response) -> OutcomeState | None:
    """How it ended, by the conditions as configured; None while it goes on."""
    if accepted(poll["until"], response):
        return OutcomeState.DONE
    if poll.get("failed") is not None and accepted(poll["failed"], response):
        return OutcomeState.FAILED
    return None


HOW = {
    OutcomeState.DONE: "and finished",
    OutcomeState.FAILED: "and failed",
    OutcomeState.UNKNOWN: "not seen to finish",
}
"""In what people read."""


def follow(
    question: Callable[[], Request],
    judged: Callable[[Response], OutcomeState | None],
    ports: Ports,
    pause: Callable[[float], object],
    *,
    every: float,
    until: float,
) -> tuple[OutcomeState, str]:
    """Ask `question` until `judged` knows the end or `until` (monotonic seconds) has come: then it is unknown.

    An answer that cannot be had counts as "not yet". Gives also what was said last. Asked no more often than fits between
    now and then, also where a clock stands still while a job is carried out, as a virtual one does.
    """
    last, left = "never answered", 1 + math.ceil(max(0.0, until - ports.clock.monotonic()) / every)
    while (now := ports.clock.monotonic()) < until and left > 0:
        left -= 1
        try:
            response = ports.http.send(
                question(), deadline=min(until, now + POLL_TIMEOUT), max_bytes=MAX_ANSWER
            )
            last = said(response)
            state = judged(response)
            if state is not None:
                return state, last
        except PortError as error:
            last = str(error)
        pause(min(every, max(0.0, until - ports.clock.monotonic())))
    return OutcomeState.UNKNOWN, last
