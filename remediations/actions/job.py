"""`job {awx | rundeck, every, within}`: launches a job of a job runner and follows it to its end.

Nothing is launched twice: an answer that got lost leaves *unknown*, and so does a job that is not seen to end in time.
What a label brings into a variable or an option has to be a plain word: it may end in a command over there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from config.problems import Wrong
from config.scope import Scope, scope_key
from config.secrets import Secret
from config.section import Section
from config.templates import TemplateText
from config.units import Duration
from remediations.actions.action import Action, Names, Permit, Rendered, Reveal, Unrenderable
from remediations.actions.answers import Address, accepted, said, sound_address
from remediations.actions.polling import HOW, follow
from remediations.actions.rendering import PLAIN, Renderer
from remediations.actions.runners import Awx, Rundeck
from remediations.actions.sending import Sent, asked, no_permit, outcome
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ports


class JobAwx(Section):
    """A job template of AWX (or what speaks its API v2), launched with these variables. The template has to ask for
    variables at launch: a job that ran without them has failed here.
    """

    url: Address
    token: Secret
    template: int | TemplateText
    """Its number, or `NAME++ORGANIZATION`."""
    extra_vars: dict[str, Any] = Field(default_factory=dict)


class JobRundeck(Section):
    """A job of Rundeck. A run that fails and is retried over there is followed into its retry."""

    url: Address
    token: Secret
    job: TemplateText
    """Its UUID."""
    options: dict[str, TemplateText | int | bool] = Field(default_factory=dict)
    api: Annotated[int, Field(ge=18)] = 40
    """Version of its API."""


class JobArgs(Section):
    """Launches a job and follows it: done, or failed as soon as the runner says so. One that is not seen to end is unknown.

    Proved against servers that were written from the vendors' public API references.
    """

    awx: JobAwx | None = None
    rundeck: JobRundeck | None = None
    every: Annotated[Duration, Field(ge=0.1)] = 5.0
    within: Annotated[Duration, Field(gt=0, le=3600)] = 600.0
    timeout: Annotated[Duration, Field(gt=0)] = 10.0
    """For the launch itself."""
    disruptive: bool = True

    @model_validator(mode="after")
    def _one_runner(self) -> Self:
        if (self.awx is None) == (self.rundeck is None):
            raise Wrong(
                "a job is of awx or of rundeck", "write {awx: {url: …, token: …, template: 7}} or rundeck"
            )
        return self


class JobAction:
    """See the module. `reveal` finds the token; `pause` waits between two questions."""

    def __init__(self, reveal: Reveal, pause: Callable[[float], object] | None = None) -> None:
        self._reveal = reveal
        self._pause = pause or threading.Event().wait

    def render(self, args: JobArgs, names: Names) -> dict[str, Any]:
        renderer = Renderer(names)
        rendered: dict[str, Any] = {
            "timeout": args.timeout,
            "poll": {"every": args.every, "within": args.within},
            "disruptive": args.disruptive,
        }
        if args.awx is not None:
            template = args.awx.template
            rendered["awx"] = {
                "template": template if isinstance(template, int) else renderer.place(template),
                "extra_vars": renderer.places_in(args.awx.extra_vars),
            }
        if args.rundeck is not None:
            job = renderer.place(args.rundeck.job)
            if not PLAIN.fullmatch(job):
                raise Unrenderable(f"not the id of a job: {job!r}")
            options = {name: _option(value) for name, value in args.rundeck.options.items()}
            options = renderer.places_in(options)
            rendered["rundeck"] = {"job": job, "options": options, "api": args.rundeck.api}
        for kind, runner in (("awx", args.awx), ("rundeck", args.rundeck)):
            if runner is not None:
                rendered[kind]["url"] = sound_address(renderer.place(runner.url)).rstrip("/")
                rendered[kind]["token"] = dict(runner.token.reference)
        return rendered

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """The scope; for the whole pipeline the runner's host."""
        url = rendered.get("awx", rendered.get("rundeck", {}))["url"]
        return frozenset({scope_key(scope) if scope else urlsplit(url).netloc})

    def disruptive(self, rendered: Rendered) -> bool:
        return bool(rendered["disruptive"])

    def idempotent(self, rendered: Rendered) -> bool:
        """Neither runner knows that a launch was meant before."""
        del rendered
        return False

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        runner = self._runner(rendered)
        if not permit.granted():
            return no_permit(runner.what, ports)
        until = min(deadline, ports.clock.monotonic() + rendered["timeout"])
        try:
            answer = asked(
                runner.launch(key), ports, runner.what, until=until, good=lambda got: accepted("2xx", got)
            )
        except Sent as sent:
            return sent.outcome
        if not runner.took(answer):
            text = f"{runner.what}: launched and cannot be followed, the answer names no job"
            return outcome(OutcomeState.UNKNOWN, text, ports, said(answer))
        poll = rendered["poll"]
        state, last = follow(
            runner.question,
            runner.judged,
            ports,
            self._pause,
            every=poll["every"],
            until=min(deadline, ports.clock.monotonic() + poll["within"]),
        )
        return outcome(state, f"{runner.what}: launched, {_how(runner, state)}", ports, last)

    def _runner(self, rendered: Rendered) -> Awx | Rundeck:
        if "awx" in rendered:
            return Awx(rendered["awx"], self._reveal(rendered["awx"]["token"]))
        return Rundeck(rendered["rundeck"], self._reveal(rendered["rundeck"]["token"]))


def _option(value: str | float) -> str:
    """Options of Rundeck are texts."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _how(runner: Awx | Rundeck, state: OutcomeState) -> str:
    if state is OutcomeState.FAILED and runner.ignored:
        return "without its variables: the template does not ask for them"
    return HOW[state]


def _fits(action: JobAction) -> Action[JobArgs]:
    """The type checker proves here that this kind is an action."""
    return action
