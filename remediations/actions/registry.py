"""One literal table of the kinds of action, and `Actions`, through which the daemon checks, prepares and performs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import ValidationError

from config.problems import Wrong, did_you_mean
from config.scope import Scope
from config.section import Section
from remediations.actions.action import (
    Action,
    ActionError,
    Names,
    Permit,
    Rendered,
    Reveal,
    Unrenderable,
)
from remediations.actions.command import CommandAction, CommandArgs
from remediations.actions.file_link import FileLinkAction, FileLinkArgs
from remediations.actions.http import HttpAction, HttpArgs
from remediations.actions.job import JobAction, JobArgs
from remediations.actions.notify import NotifyAction, NotifyArgs
from remediations.actions.plugins import Plugins, plugins
from remediations.actions.service import ServiceAction, ServiceArgs
from remediations.actions.sql import SqlAction, SqlArgs
from remediations.actions.wait import WaitAction, WaitArgs
from remediations.outcome import EFFECT_LIMIT, Outcome, bounded
from remediations.ports import Ports
from remediations.spec import action_of
from remediations.spec_managers import ManagerSpec


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What kinds of action need beside their arguments."""

    managers: Mapping[str, ManagerSpec]
    reveal: Reveal
    pause: Callable[[float], object] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table."""

    args: type[Section]
    build: Callable[[Surroundings], Action[Any]]
    mends: bool = True
    """Whether it can mend anything. What cannot (it tells people, or waits) is never disruptive, counts against no budget
    and no cap, is not verified and never credited with a recovery: the climb goes on after it."""


KINDS: Mapping[str, Entry] = {
    "http": Entry(HttpArgs, lambda around: HttpAction(around.reveal, around.pause)),
    "command": Entry(CommandArgs, lambda around: CommandAction(around.reveal)),
    "service": Entry(ServiceArgs, lambda around: ServiceAction(around.managers, around.reveal, around.pause)),
    "file_link": Entry(FileLinkArgs, lambda _: FileLinkAction()),
    "job": Entry(JobArgs, lambda around: JobAction(around.reveal, around.pause)),
    "notify": Entry(NotifyArgs, lambda around: NotifyAction(around.reveal), mends=False),
    "wait": Entry(WaitArgs, lambda _: WaitAction(), mends=False),
    "sql": Entry(SqlArgs, lambda around: SqlAction(around.reveal, around.pause)),
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """An action ready to be intended: `rendered` is plain data without secrets."""

    kind: str
    rendered: dict[str, Any]
    targets: frozenset[str]
    disruptive: bool
    idempotent: bool
    mends: bool = True


@cache
def brought() -> Plugins[Entry]:
    """The kinds that other installed packages bring; looked for once."""
    return plugins(KINDS, _entry)


def _entry(found: object) -> Entry:
    if not isinstance(found, Entry) or not issubclass(found.args, Section):
        raise TypeError("it is no Entry of remediations.actions.registry with a Section of arguments")
    return found


def entry_of(kind: str) -> Entry | None:
    """The row of a kind, shipped or brought by another package."""
    return KINDS.get(kind) or brought().entries.get(kind)


def mends(kind: str) -> bool:
    """Whether actions of this kind can mend anything; one that nobody knows may."""
    entry = entry_of(kind)
    return entry is None or entry.mends


def validate_action(
    do: Mapping[str, Any], context: Mapping[str, object] | None = None
) -> tuple[str, Section]:
    """(kind, arguments) of an action as written.

    `context`: `config.secrets.Environment.context`, needed where an argument is a secret. Raises `Wrong` for an
    unknown kind and pydantic's `ValidationError` (locations below the arguments) for wrong arguments.
    """
    kind, written = action_of(do)
    entry, refused = entry_of(kind), brought().reason(kind)
    if entry is None and refused is not None:
        text = f"the action '{kind}' of {refused.package} cannot be used: {refused.reason}"
        raise Wrong(text, "mend or remove that package")
    if entry is None:
        known = [*KINDS, *brought().entries]
        hint = did_you_mean(kind, known) or f"known are {', '.join(known)}"
        raise Wrong(f"there is no action '{kind}'", hint)
    try:
        return kind, entry.args.model_validate(written, context=dict(context or {}))
    except (Wrong, ValidationError):
        raise
    except Exception as error:
        if kind in KINDS:
            raise
        text = f"the action '{kind}' broke while it checked its arguments: {type(error).__name__}: {error}"
        raise Wrong(text, "mend or remove the package that brings it") from error


def managers_of(args: Section) -> frozenset[str]:
    """Names of process managers an action refers to, so that the settings can check them."""
    return frozenset({args.manager}) if isinstance(args, ServiceArgs) else frozenset()


class Actions:
    """Every kind of action, built for one configuration."""

    def __init__(
        self,
        managers: Mapping[str, ManagerSpec],
        reveal: Reveal,
        context: Mapping[str, object] | None = None,
        redact: Callable[[str], str] = str,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """`redact`: takes secrets out of a text; `config.secrets.Redactor.text` fits.

        `pause`: waits between two polls of one action; left out: really waits. A virtual clock advances itself.
        """
        around = Surroundings(managers, reveal, pause)
        self._actions = {kind: entry.build(around) for kind, entry in KINDS.items()}
        self._broken: dict[str, str] = {}
        for kind, entry in brought().entries.items():
            try:
                self._actions[kind] = entry.build(around)
            except Exception as error:  # noqa: BLE001 - a stranger's mistake leaves out that kind alone
                self._broken[kind] = f"{type(error).__name__}: {error}"
        self._context = context
        self._redact = redact

    def prepare(self, do: Mapping[str, Any], names: Names, scope: Scope) -> Prepared:
        """Pure. Raises `ActionError` (`HostileLabel`, `Unrenderable`): the reason for the guardrail `target_set`."""
        kind, args = validate_action(do, self._context)
        if kind in self._broken:
            raise Unrenderable(f"the action '{kind}' cannot be built: {self._redact(self._broken[kind])}")
        try:
            return self._prepared(kind, args, names, scope)
        except ActionError:
            raise
        except Exception as error:
            if kind in KINDS:
                raise
            text = self._redact(f"{type(error).__name__}: {error}")
            raise Unrenderable(f"the action '{kind}' broke while it was prepared: {text}") from error

    def _prepared(self, kind: str, args: Section, names: Names, scope: Scope) -> Prepared:
        action = self._actions[kind]
        rendered = action.render(args, names)
        return Prepared(
            kind,
            rendered,
            action.targets(rendered, scope),
            mends(kind) and action.disruptive(rendered),
            action.idempotent(rendered),
            mends(kind),
        )

    def perform(
        self, kind: str, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        """On a worker: touch the world at most once. `deadline` is monotonic seconds.

        The one place where what the world said is redacted and then cut: the other way round half a secret could stay.
        """
        outcome = self._actions[kind].perform(rendered, ports, deadline=deadline, permit=permit, key=key)
        effect, output = self._redact(outcome.effect), self._redact(outcome.output)
        return replace(outcome, effect=bounded(effect, EFFECT_LIMIT), output=bounded(output))
