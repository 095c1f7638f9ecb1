"""`page test`: send test pages and wait until each was accepted, and delivered where its provider tells."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli import output
from daemon.cli.reach import Reach, with_reach
from daemon.errors import ANSWER_IS_NO

if TYPE_CHECKING:  # heavy: imported by the command that needs them
    from daemon.cli.faces import Face
    from daemon.desk.models import Page

LOOK_EVERY = 0.25
WITHIN = "60s"
_OPEN = frozenset({"owed", "sending"})
_TEST = "test"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    page = typer.Typer(help="Prove that pages arrive.", rich_markup_mode=None)
    page.command("test")(with_reach(page_test))
    page.callback()(_page)
    app.add_typer(page, name="page")


def page_test(
    reach: Reach,
    person: Annotated[
        str | None, typer.Argument(help="Whose channels to try; everybody's when left out.")
    ] = None,
    *,
    channel: Annotated[
        str | None,
        typer.Option(help="A kind such as sms, or all. Left out: a person's first one, or all of everybody."),
    ] = None,
    within: Annotated[str, typer.Option("--within", help="How long they may take.")] = WITHIN,
) -> None:
    """Send test pages and see them arrive; exit 1 unless each was accepted in time."""
    from config.units import parse_duration
    from daemon.cli.faces import face_of
    from daemon.clock import SystemClock

    clock = SystemClock()
    seconds = parse_duration(within)
    face = face_of(reach)
    before = {page.key for page in _tests(face)}
    args = {"person": person, "channel": channel or ("first" if person else "all")}
    taken = face.order("page_test", None, {name: value for name, value in args.items() if value is not None})
    if face.note:
        output.say(face.note)
    if taken.refused:
        output.say(f"refused: {taken.answer}")
        raise typer.Exit(ANSWER_IS_NO)
    until = clock.monotonic() + (seconds if face.runs() else 0.0)
    found = _settled(face, before, until)
    _tell(reach, taken.order, found)
    if not found or any(page.state != "accepted" for page in found):
        raise typer.Exit(ANSWER_IS_NO)


def _tests(face: Face) -> list[Page]:
    from daemon.cli import questions

    return [page for page in face.ask(questions.pages()).pages if page.event == _TEST]


def _settled(face: Face, before: set[str], until: float) -> list[Page]:
    """The tests that were not there before, once none is under way any more, or as they are when time is up."""
    from daemon.clock import SystemClock

    clock, pause = SystemClock(), threading.Event()
    while True:
        found = [page for page in _tests(face) if page.key not in before]
        if (found and not any(page.state in _OPEN for page in found)) or clock.monotonic() >= until:
            return found
        pause.wait(LOOK_EVERY)


def _tell(reach: Reach, order: int | None, found: list[Page]) -> None:
    if reach.json:
        from daemon.desk.models import PagesTested

        output.line(PagesTested(order=order, pages=found).json_text())
        return
    for page in sorted(found, key=lambda page: (page.person, page.key)):
        why = f": {page.error}" if page.error else ""
        output.line(f"{page.person} by {page.channel}: {page.state}{why}")
    if not found:
        output.say(f"order {order} was recorded, and no test page was owed yet")


def _page() -> None:
    """Prove that pages arrive."""
