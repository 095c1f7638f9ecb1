"""`fleetmend drill PLAYBOOK`: would it work if its failure came now? Probes for real, actions dry, everything graded.

A running daemon does it, from where it stands and with its rights, and keeps what it came to. While none runs the
command asks for itself, and nothing is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.problems import did_you_mean
from daemon.cli import output
from daemon.cli.reach import Reach, with_reach
from daemon.errors import ANSWER_IS_NO, DaemonUnreachable, NotFound, UsageError

if TYPE_CHECKING:  # heavy: imported by the command that needs them
    from config.loader import Loaded
    from config.scope import Scope
    from daemon.cli.faces import Face
    from daemon.desk.drills import Drill
    from daemon.settings.model import Settings
    from daemon.store.store import Store

TAKEN_WITHIN = 15.0
"""Seconds until the loop has written an order down as a drill."""
OVER_WITHIN = 600.0
_LOOK = 0.2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(with_reach(drill))


def drill(
    reach: Reach,
    playbook: Annotated[str | None, typer.Argument(help="Which playbook, such as storage-hot.")] = None,
    *,
    scope: Annotated[
        str | None, typer.Option(help="Where, such as tier=hot. Left out: everywhere it is for.")
    ] = None,
    for_real: Annotated[
        bool,
        typer.Option("--for-real", help="Carry out what can be taken back, and take it back at once."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --for-real: do so without asking.")] = False,
    rung: Annotated[str | None, typer.Option(help="Only this rung of it.")] = None,
    last: Annotated[bool, typer.Option("--last", help="Show the newest drills, and drill nothing.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="With --last: how many.")] = 10,
) -> None:
    """A game day: ask its probes, make its actions ready, look at what they act upon, ask all guardrails; do nothing.

    With --for-real, where the configuration allows it: do it, and take it back. Exit 1 when something would not work.
    """
    from daemon.cli.drillshow import rendered
    from daemon.cli.faces import face_of

    if last:
        _newest(reach, playbook, limit)
        return
    if playbook is None:
        raise UsageError("say which playbook, or --last for the newest drills")
    _labels(scope)
    face = face_of(reach)
    if for_real:
        _must_mean(face, yes=yes)
    if face.runs():
        model = _ordered(face, playbook, {"scope": scope, "rung": rung, "for_real": for_real or None})
    else:
        model = _here(reach, playbook, scope, rung or "")
    if reach.json:
        output.json_of(model)
    else:
        output.show(*rendered(model))
    if model.state != "passed":
        raise typer.Exit(ANSWER_IS_NO)


def _newest(reach: Reach, playbook: str | None, limit: int) -> None:
    """Exit 1 when the newest drill of some playbook did not pass."""
    from daemon.cli import questions
    from daemon.cli.drillshow import listed
    from daemon.cli.reads import answer

    model = answer(reach, questions.drills_of(playbook, limit), listed)
    newest = {row.playbook: row.state for row in reversed(model.drills)}
    if set(newest.values()) & {"failed", "refused"}:
        raise typer.Exit(ANSWER_IS_NO)


def _must_mean(face: Face, *, yes: bool) -> None:
    """Changing the pipeline takes a running daemon, and a word. Raises `UsageError`."""
    if not face.runs():
        raise UsageError("--for-real takes a running daemon: it alone acts")
    if not yes and not typer.confirm("Carry out rungs of this playbook on the pipeline, and take them back?"):
        raise UsageError("--for-real takes --yes")


def _ordered(face: Face, playbook: str, more: Mapping[str, Any]) -> Drill:
    """The daemon does it; its result is waited for."""
    from daemon.cli import questions
    from daemon.clock import SystemClock

    given = {key: value for key, value in more.items() if value is not None}
    taken = face.order("drill", None, {"playbook": playbook, **given})
    if taken.refused:
        raise UsageError(f"refused: {taken.answer}")
    clock, pause = SystemClock(), threading.Event()
    began = clock.monotonic()
    while clock.monotonic() < began + OVER_WITHIN:
        try:
            model = face.ask(questions.drill(f"dr-{taken.order}"))
        except NotFound:
            if clock.monotonic() > began + TAKEN_WITHIN:
                raise UsageError(f"the daemon did not begin it: has it a playbook {playbook!r}?") from None
        else:
            if model.state in {"passed", "failed", "refused"}:
                return model
        pause.wait(_LOOK)
    raise DaemonUnreachable(
        f"drill dr-{taken.order} is not over; fleetmend drill --last shows what becomes of it"
    )


def _here(reach: Reach, name: str, scope: str | None, rung: str) -> Drill:
    from daemon.app.drilling import Here
    from daemon.cli.files import need_files
    from daemon.cli.local import local_user
    from daemon.clock import SystemClock
    from daemon.databases import DatabaseDoor
    from daemon.desk.drills import shown
    from daemon.files import FileDoor
    from daemon.http.door import HttpDoor
    from daemon.processes import ProcessDoor
    from daemon.settings.load import load
    from remediations.ports import Ports

    files = reach.files()
    need_files(files)
    loaded = load(files, environment=reach.environment)
    _must_be("playbook", name, loaded.model.playbooks)
    if rung:
        _must_be("rung", rung, [one.name for one in loaded.model.playbooks[name].ladder])
    clock = SystemClock()
    http = HttpDoor(clock)
    ports = Ports(http, ProcessDoor(clock, reach.environment), FileDoor(), DatabaseDoor(clock), clock)
    with _store(loaded) as store:
        who = local_user(reach.environment)
        found = Here(loaded, ports, store).drill(name, _labels(scope), who, rung)
    http.close()
    return shown(found)


def _must_be(what: str, name: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if name not in names:
        near = did_you_mean(name, names) or f"known are {', '.join(names)}"
        raise UsageError(f"there is no {what} {name!r}; {near}")


def _store(loaded: Loaded[Settings]) -> Store:
    """The store as the last daemon left it; an empty one where none was ever started."""
    from daemon.store.engine import place
    from daemon.store.store import Store

    path = place(loaded.model.state).path
    if path is not None and not path.exists():
        output.say("no daemon has used this store yet: no pause, budget or lock is known; nothing is kept")
        return Store.open("sqlite://")
    output.say("no daemon runs: asked from here, by you, and nothing is kept")
    return Store.open(loaded.model.state, read_only=True)


def _labels(text: str | None) -> tuple[Scope, ...]:
    """The scope, none where it was left out. Raises `UsageError`."""
    from config.scope import scope_of
    from daemon.desk.arguments import BadOrder, labels

    try:
        return () if text is None else (scope_of(labels("--scope", text)),)
    except BadOrder as error:
        raise UsageError(str(error)) from None
