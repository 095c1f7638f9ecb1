"""`file_link {link, to: previous | NAME, versions}`: point a `current` link at another version folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config.scope import Scope
from config.section import Section
from config.templates import TemplateText
from remediations.actions.action import Action, Names, Permit, Rendered, Unrenderable
from remediations.actions.rendering import PLAIN, Renderer
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import PortError, Ports

PREVIOUS = "previous"


class FileLinkArgs(Section):
    link: TemplateText
    to: TemplateText
    """`previous`, or the name of a version folder."""
    versions: TemplateText | None = None
    """The folder that holds the versions; left out: the link's own."""


class FileLinkAction:
    """Rolling a versioned configuration back, and forward again."""

    def render(self, args: FileLinkArgs, names: Names) -> dict[str, Any]:
        renderer = Renderer(names)
        link = _absolute(renderer.place(args.link))
        versions = (
            str(Path(link).parent) if args.versions is None else _absolute(renderer.place(args.versions))
        )
        to = renderer.place(args.to)
        if not PLAIN.fullmatch(to):
            raise Unrenderable(f"not the name of a version: {to!r}")
        since = names.get("fault_since")
        if to == PREVIOUS and not isinstance(since, int | float):
            raise Unrenderable("to: previous needs to know when the failure began")
        return {"link": link, "to": to, "versions": versions, "fault_since": since}

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """The link."""
        del scope
        return frozenset({str(rendered["link"])})

    def disruptive(self, rendered: Rendered) -> bool:
        del rendered
        return True

    def idempotent(self, rendered: Rendered) -> bool:
        """`previous` too: it never goes further back than one version before the failure, however often it is done."""
        del rendered
        return True

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        del deadline, key  # a rename takes no time worth bounding and has no place for a key
        link, versions = Path(rendered["link"]), Path(rendered["versions"])

        def outcome(state: OutcomeState, effect: str, output: str = "") -> Outcome:
            return Outcome(state, f"{link}: {effect}", output, ports.clock.now())

        try:
            current = ports.files.read_link(link).name
            known = ports.files.list_versions(versions)
            wanted = rendered["to"]
            if wanted == PREVIOUS:
                wanted = last_known_good(known, current, rendered["fault_since"])
            if wanted not in {name for name, _ in known}:
                return outcome(OutcomeState.FAILED, f"no version {wanted} in {versions}")
            if wanted == current:
                return outcome(OutcomeState.DONE, f"already at {current}")
            if not permit.granted():
                return outcome(OutcomeState.NOT_DONE, "no permit, nothing was changed")
            ports.files.swap_link(link, Path(wanted) if versions == link.parent else versions / wanted)
        except NoGoodVersion as error:
            return outcome(OutcomeState.NOT_DONE, str(error))
        except PortError as error:
            state = OutcomeState.UNKNOWN if error.sent else OutcomeState.FAILED
            return outcome(state, "could not be changed", str(error))
        return outcome(OutcomeState.DONE, f"from {current} to {wanted}")


class NoGoodVersion(Exception):
    """There is no version to go back to, or going back further is not allowed."""


def last_known_good(known: tuple[tuple[str, float], ...], current: str, fault_since: float) -> str:
    """The newest version older than the current one, never further back than the one before the failure began.

    `known`: (name, made at), oldest first. The version in force when the failure began may be its cause, so the one
    directly before it is the furthest allowed. Raises `NoGoodVersion`.
    """
    names = [name for name, _ in known]
    if current not in names:
        raise NoGoodVersion(f"the current version {current} is not among the known ones")
    at = names.index(current)
    if at == 0:
        raise NoGoodVersion(f"nothing is older than {current}")
    before_failure = [index for index, (_, made_at) in enumerate(known) if made_at <= fault_since]
    if not before_failure:
        raise NoGoodVersion("every version was made after the failure began")
    furthest = before_failure[-1] - 1
    if at - 1 < furthest:
        raise NoGoodVersion(f"{current} is already older than the version with which the failure began")
    return names[at - 1]


def _absolute(text: str) -> str:
    if not text.startswith("/") or ".." in Path(text).parts:
        raise Unrenderable(f"not an absolute path without ..: {text!r}")
    return text


def _fits(action: FileLinkAction) -> Action[FileLinkArgs]:
    """The type checker proves here that this kind is an action."""
    return action
