"""`command {argv, cwd, env, user, timeout, expect}`: one program, no shell, its whole group ended at the time-out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from config.problems import Wrong
from config.scope import Scope, scope_key
from config.secrets import Secret
from config.section import Section
from config.templates import TemplateText
from config.units import Duration
from remediations.actions.action import Action, Names, Permit, Rendered, Reveal, Unrenderable
from remediations.actions.rendering import Renderer
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Command, Exit, Ports, Unreachable

KEY_VARIABLE = "FLEETMEND_KEY"
"""The idempotency key, as the program sees it."""

ExitCode = Annotated[int, Field(ge=0, le=255)]


def _named(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv[0].strip() or any("\0" in word for word in argv):
        raise Wrong("no program is named", "write [/usr/local/bin/PROGRAM, ARGUMENT]")
    return argv


class CommandArgs(Section):
    argv: Annotated[tuple[TemplateText, ...], Field(min_length=1, max_length=256), AfterValidator(_named)]
    cwd: TemplateText | None = None
    env: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")], Secret | TemplateText] = Field(
        default_factory=dict
    )
    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")] | None = None
    timeout: Annotated[Duration, Field(gt=0)] = 60.0
    expect: ExitCode | Annotated[tuple[ExitCode, ...], Field(min_length=1)] = 0
    """Exit codes that count as done."""
    disruptive: bool = True


class CommandAction:
    """See the module. `reveal` finds the secret of a variable."""

    def __init__(self, reveal: Reveal) -> None:
        self._reveal = reveal

    def render(self, args: CommandArgs, names: Names) -> dict[str, Any]:
        renderer = Renderer(names)
        cwd = None if args.cwd is None else renderer.place(args.cwd)
        if cwd is not None and not Path(cwd).is_absolute():
            raise Unrenderable(f"cwd is not an absolute path: {cwd}")
        return {
            "argv": [renderer.place(word) for word in args.argv],
            "cwd": cwd,
            "env": renderer.places_or_secrets(args.env),
            "user": args.user,
            "timeout": args.timeout,
            "expect": [args.expect] if isinstance(args.expect, int) else list(args.expect),
            "disruptive": args.disruptive,
        }

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """The scope; for the whole pipeline the program."""
        return frozenset({scope_key(scope) if scope else rendered["argv"][0]})

    def disruptive(self, rendered: Rendered) -> bool:
        return bool(rendered["disruptive"])

    def idempotent(self, rendered: Rendered) -> bool:
        """Nobody can know what a program does."""
        del rendered
        return False

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        what = " ".join(rendered["argv"])
        environment = {
            name: self._reveal(value) if isinstance(value, dict) else value
            for name, value in rendered["env"].items()
        }
        command = Command(
            argv=tuple(rendered["argv"]),
            cwd=None if rendered["cwd"] is None else Path(rendered["cwd"]),
            env={**environment, KEY_VARIABLE: key},
            user=rendered["user"],
        )
        if not permit.granted():
            return Outcome(
                OutcomeState.NOT_DONE, f"{what}: no permit, nothing was started", "", ports.clock.now()
            )
        until = min(deadline, ports.clock.monotonic() + rendered["timeout"])
        try:
            ended = ports.processes.run(command, deadline=until)
        except Unreachable as error:
            effect = f"{what}: could not be started"
            return Outcome(OutcomeState.FAILED, effect, str(error), ports.clock.now())
        state, effect = _judged(ended, rendered["expect"])
        return Outcome(state, f"{what}: {effect}", ended.output, ports.clock.now())


def _judged(ended: Exit, expected: list[int]) -> tuple[OutcomeState, str]:
    if ended.timed_out or ended.code is None:
        return OutcomeState.UNKNOWN, f"ended after {ended.elapsed:.0f} s without finishing"
    if ended.code in expected:
        return OutcomeState.DONE, f"exit {ended.code}"
    how = f"ended by signal {-ended.code}" if ended.code < 0 else f"exit {ended.code}"
    return OutcomeState.FAILED, how


def _fits(action: CommandAction) -> Action[CommandArgs]:
    """The type checker proves here that this kind is an action."""
    return action
