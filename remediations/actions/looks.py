"""A look at what an action would act upon, changing nothing: is it there, does it answer, could it be done at all?

One row per kind; a kind without one says that nobody can look. Asked by drills, on a worker. `service` is begun
without a permit: it asks its manager up to the moment of acting, and goes no further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from config.problems import Wrong
from remediations.actions import looks_afar
from remediations.actions.action import Rendered, Reveal
from remediations.actions.dsn import Hidden
from remediations.actions.file_link import PREVIOUS, NoGoodVersion, last_known_good
from remediations.actions.registry import Actions
from remediations.outcome import OutcomeState, bounded
from remediations.ports import PortError, Ports, Request, TooLarge

ANSWER_WITHIN = 5.0
"""Seconds for one look."""
MAX_ANSWER = 64_000
_UNAUTHORISED = 401
_BROKEN = frozenset({502, 503, 504})
"""A gateway answers in place of what stands behind it, which does not."""


@dataclass(frozen=True, slots=True)
class Look:
    """`ok`: None where nobody can look. `text`: what was seen, for people; redacted and bounded."""

    ok: bool | None
    text: str


class NeverGranted:
    """The permit of a look."""

    def granted(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Around:
    """What a look needs beside the action: the doors, the kinds, and where secrets are."""

    actions: Actions
    reveal: Reveal
    ports: Ports
    deadline: float


class Looker:
    """Looks for one configuration. `redact`: takes secrets out of a text."""

    def __init__(self, actions: Actions, reveal: Reveal, redact: Callable[[str], str] = str) -> None:
        self._actions, self._reveal, self._redact = actions, reveal, redact

    def look(self, kind: str, rendered: Rendered, ports: Ports, *, deadline: float) -> Look:
        """Never raises for what the world does. `deadline`: monotonic seconds."""
        how = LOOKS.get(kind)
        if how is None:
            return Look(None, f"nobody can look at what {kind} acts upon without doing it")
        until = min(deadline, ports.clock.monotonic() + ANSWER_WITHIN)
        try:
            self._take_secrets(rendered)
            seen = how(rendered, Around(self._actions, self._reveal, ports, until))
        except (PortError, Wrong) as error:
            seen = Look(False, str(error))
        return Look(seen.ok, bounded(self._redact(seen.text), 500))

    def _take_secrets(self, rendered: Rendered) -> None:
        """Whether all that it would take are there. Raises `Wrong`."""
        for reference in _references(rendered):
            self._reveal(reference)


def _references(rendered: Rendered) -> list[dict[str, str]]:
    named = [*dict(rendered.get("headers") or {}).values(), *dict(rendered.get("env") or {}).values()]
    return [value for value in named if isinstance(value, dict)]


def _http(rendered: Rendered, around: Around) -> Look:
    """OPTIONS is safe by definition (RFC 9110, 9.2.1): whatever is answered, somebody is there to take the call."""
    headers = {
        name: around.reveal(value) if isinstance(value, dict) else value
        for name, value in rendered["headers"].items()
    }
    host = urlsplit(rendered["url"]).netloc
    request = Request("OPTIONS", rendered["url"], headers=headers)
    try:
        status = around.ports.http.send(request, deadline=around.deadline, max_bytes=MAX_ANSWER).status
    except TooLarge:
        return Look(True, f"{host} answers")
    if status == _UNAUTHORISED:
        return Look(False, f"{host} refuses these credentials ({status})")
    if status in _BROKEN:
        return Look(False, f"{host} answers {status}: nothing stands behind it")
    return Look(True, f"{host} answers ({status} to OPTIONS)")


def _command(rendered: Rendered, around: Around) -> Look:
    files = around.ports.files
    program, cwd = rendered["argv"][0], rendered["cwd"]
    if not files.runnable(program):
        return Look(False, f"{program} is not there, or may not be started")
    if cwd is not None and not files.exists(Path(cwd)):
        return Look(False, f"its folder {cwd} is not there")
    return Look(True, f"{program} can be started")


def _file_link(rendered: Rendered, around: Around) -> Look:
    link, versions, wanted = Path(rendered["link"]), Path(rendered["versions"]), rendered["to"]
    current = around.ports.files.read_link(link).name
    known = around.ports.files.list_versions(versions)
    if wanted == PREVIOUS:
        try:
            wanted = last_known_good(known, current, rendered["fault_since"])
        except NoGoodVersion as error:
            return Look(False, f"{link}: {error}")
    if wanted not in {name for name, _ in known}:
        return Look(False, f"{link}: no version {wanted} in {versions}")
    return Look(True, f"{link}: {current} now, would become {wanted}")


def _service(rendered: Rendered, around: Around) -> Look:
    return _begun("service", f"{rendered['manager']} knows {rendered['unit']}", rendered, around)


def _sql(rendered: Rendered, around: Around) -> Look:
    """Every server that takes part is connected to, and asked nothing that matters."""
    names = []
    for role, server in rendered["servers"].items():
        dsn = around.reveal(server["dsn"])
        try:
            around.ports.databases.execute(dsn, "SELECT 1", deadline=around.deadline)
        except PortError as error:
            return Look(False, f"{role} {server['name']}: {Hidden([dsn]).text(str(error))}")
        names.append(str(server["name"]))
    return Look(True, f"answered by {', '.join(names)}")


def _begun(kind: str, good: str, rendered: Rendered, around: Around) -> Look:
    """As far as the moment of acting. What is as asked already needs no permit, and is good too."""
    came = around.actions.perform(
        kind, rendered, around.ports, deadline=around.deadline, permit=NeverGranted(), key="drill"
    )
    if came.state in {OutcomeState.NOT_DONE, OutcomeState.DONE}:
        return Look(True, good)
    return Look(False, "; ".join(filter(None, (came.effect, came.output))))


def _job(rendered: Rendered, around: Around) -> Look:
    kind = "awx" if "awx" in rendered else "rundeck"
    ask = {"awx": looks_afar.awx, "rundeck": looks_afar.rundeck}[kind]
    return Look(*ask(rendered[kind], around.ports, around.reveal, around.deadline))


def _notify(rendered: Rendered, around: Around) -> Look:
    if "statuspage" in rendered:
        page = rendered["statuspage"]
        return Look(*looks_afar.statuspage(page, around.ports, around.reveal, around.deadline))
    if "webhook" in rendered:
        return _http(rendered["webhook"], around)
    url = rendered["slack"]["url"]
    return _http({"url": around.reveal(url) if isinstance(url, dict) else url, "headers": {}}, around)


def _wait(_: Rendered, __: Around) -> Look:
    return Look(True, "a wait needs nothing")


How = Callable[[Rendered, Around], Look]

LOOKS: Mapping[str, How] = {
    "http": _http,
    "command": _command,
    "service": _service,
    "file_link": _file_link,
    "sql": _sql,
    "job": _job,
    "notify": _notify,
    "wait": _wait,
}
"""Kind of action -> how to look at what it acts upon. May raise `PortError`."""
