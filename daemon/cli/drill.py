"""`fleetmend drill PLAYBOOK`: would it work if its failure came now? Probes for real, actions dry, everything graded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from config.problems import did_you_mean
from daemon.cli import output
from daemon.cli.reach import Reach, with_reach
from daemon.errors import ANSWER_IS_NO, UsageError

if TYPE_CHECKING:  # heavy: imported by the command that needs them
    from rich.table import Table
    from rich.text import Text

    from config.loader import Loaded
    from config.scope import Scope
    from daemon.desk.drills import Drill, DrillRung
    from daemon.settings.model import Settings
    from daemon.store.store import Store

_STYLE: Mapping[str, str] = {"passed": "green", "held": "yellow", "failed": "bold red", "refused": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(with_reach(drill))


def drill(
    reach: Reach,
    playbook: Annotated[str, typer.Argument(help="Which playbook, such as storage-hot.")],
    *,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Where, such as tier=hot; may repeat. Left out: everywhere it is for."),
    ] = None,
) -> None:
    """A game day: ask its probes, make its actions ready, look at what they act upon, ask all guardrails; do nothing.

    Exit 1 when something would not work.
    """
    wanted = tuple(_scope(text) for text in scope or ())
    model = _here(reach, playbook, wanted)
    if reach.json:
        output.json_of(model)
    else:
        output.show(*rendered(model))
    if model.state != "passed":
        raise typer.Exit(ANSWER_IS_NO)


def _here(reach: Reach, name: str, wanted: tuple[Scope, ...]) -> Drill:
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
    _must_be(name, loaded)
    clock = SystemClock()
    http = HttpDoor(clock)
    ports = Ports(http, ProcessDoor(clock, reach.environment), FileDoor(), DatabaseDoor(clock), clock)
    with _store(loaded) as store:
        found = Here(loaded, ports, store).drill(name, wanted, local_user(reach.environment))
    http.close()
    return shown(found)


def _must_be(name: str, loaded: Loaded[Settings]) -> None:
    books = loaded.model.playbooks
    if name not in books:
        near = did_you_mean(name, books) or f"known are {', '.join(sorted(books))}"
        raise UsageError(f"there is no playbook {name!r}; {near}")


def _store(loaded: Loaded[Settings]) -> Store:
    """The daemon's store as it stands; an empty one where no daemon was ever started."""
    from daemon.store.engine import place
    from daemon.store.store import Store

    path = place(loaded.model.state).path
    if path is not None and not path.exists():
        output.say("no daemon has used this store yet: no pause, budget or lock is known")
        return Store.open("sqlite://")
    return Store.open(loaded.model.state, read_only=True)


def _scope(text: str) -> Scope:
    from config.scope import scope_of
    from daemon.desk.arguments import BadOrder, labels

    try:
        return scope_of(labels("scope", text))
    except BadOrder as error:
        raise UsageError(f"--scope: {error}") from None


def rendered(model: Drill) -> Iterator[Text | Table]:
    """A headline, then a table per scope: what is broken or held in words, what passed as a count."""
    from rich.text import Text

    from daemon.cli.show import scope_text

    score = f"{model.score.passed} of {model.score.asked} checks passed"
    yield Text.assemble(f"{model.playbook}: ", (model.state, _STYLE.get(model.state, "")), f", {score}")
    if model.note:
        yield Text(model.note)
    for part in model.scopes:
        yield Text(f"\n{scope_text(part.scope)}", style="bold")
        table = output.table("what", "grade", "checks", "answer")
        for check in part.checks:
            table.add_row(check.name, _word(check.grade), "", check.text)
        for number, rung in enumerate(part.rungs, start=1):
            good = sum(check.grade == "passed" for check in rung.checks)
            asked = sum(check.grade != "unasked" for check in rung.checks)
            table.add_row(f"{number}. {rung.name}", _word(rung.grade), f"{good} of {asked}", _answers(rung))
        yield table


def _answers(rung: DrillRung) -> str:
    """What is not as it should be; where all is well, what would be acted upon."""
    told = [check for check in rung.checks if check.grade in {"failed", "held"} or rung.grade == "unasked"]
    if told:
        return "\n".join(f"{check.name}: {check.text}" for check in told)
    return "\n".join(
        f"{check.name}: {check.text}" for check in rung.checks if check.name in {"do", "guardrails"}
    )


def _word(grade: str) -> Text:
    from rich.text import Text

    return Text(grade, style=_STYLE.get(grade, ""))
