"""Points: every kind of durable write and of external effect, named in words, found where they happen.

A *write* is named by its rows (`runs verifying`, `attempts fail-over-to-replica do started`, `deliveries trigger
owed`, `timeline gates`): one transaction has as many names as it has kinds of rows. An *effect* is named by its door and
what it asks for (`http POST /tiers/hot/failover {}`, `supervisor startProcess transformation`, `link mapping`,
`webhook trigger`). Questions are no effects: GET, and what only lists the manager's processes.
"""

from __future__ import annotations

import re
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import orjson

from daemon.store.unit import UnitOfWork
from remediations.ports import Command, Databases, Exit, Files, Http, Ports, Processes, Request, Response

T = TypeVar("T")
SAFE = frozenset({"GET", "HEAD"})


class When(StrEnum):
    """Of a point: nothing of it has happened; all of it has, and nobody knows."""

    BEFORE = "before"
    AFTER = "after"


class Fate(Protocol):
    """Is told of every point, and may not return: the daemon dies there."""

    def reached(self, names: frozenset[str], when: When) -> None: ...


# ---------------------------------------------------------------------- writes


class NotingTx:
    """A transaction that notes which kinds of rows it changes."""

    def __init__(self, tx: Any) -> None:
        self._tx = tx
        self.names: set[str] = set()

    def change(self, statement: Any, params: Any = None) -> int:
        count: int = self._tx.change(statement, params)
        if count:
            self._note(statement, params)
        return count

    def returning(self, statement: Any, params: Sequence[Mapping[str, Any]]) -> Any:
        self._note(statement, params)
        return self._tx.returning(statement, params)

    def _note(self, statement: Any, params: Any) -> None:
        rows = params if isinstance(params, list | tuple) else [params or {}]
        self.names |= {row_name(statement, row) for row in rows}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


def row_name(statement: Any, row: Mapping[str, Any]) -> str:
    """What kind of row of which table: its state or kind, and for the journal the rung and the phase."""
    table = str(statement.table.name)
    verb = "forgotten" if statement.is_delete else ""
    doc = orjson.loads(row["doc"]) if "doc" in row else {}
    if table == "attempts":
        how = row["verdict"] or row["outcome"] or ("started" if row["started_at"] else "intended")
        return f"attempts {doc.get('rung')} {row['phase']} {how}"
    if table == "debts":
        return f"debts {doc.get('rung')} {row['state']}"
    if table == "deliveries":
        return f"deliveries {doc.get('event')} {row['state']}"
    told = row.get("kind") or row.get("state") or row.get("inbox") or verb
    return f"{table} {told}".strip()


@contextmanager
def noted(write: AbstractContextManager[UnitOfWork], fate: Fate) -> Iterator[UnitOfWork]:
    """A unit of work whose commit is a point, if it changed a row."""
    with write as unit:
        tx = NotingTx(unit._tx)
        unit._tx = tx  # type: ignore[assignment]  # the same to every repository
        yield unit
        names = frozenset(tx.names)
        if names:
            fate.reached(names, When.BEFORE)
    if names:
        fate.reached(names, When.AFTER)


# ---------------------------------------------------------------------- effects


def request_name(request: Request) -> str:
    """What a request asks the world to do; empty for a question."""
    if request.method in SAFE:
        return ""
    if request.path == "/RPC2" or request.url.endswith("/RPC2"):
        parameters, method = xmlrpc.client.loads(request.body or b"")
        verb = (method or "").removeprefix("supervisor.")
        return "" if verb.startswith("get") else f"supervisor {verb} {parameters[0]!s}"
    body = orjson.loads(request.body or b"{}")
    if "webhook-id" in {name.lower() for name in request.headers}:
        return f"webhook {body['type'].removeprefix('incident.')}"
    path = re.sub(
        r"^/(storage-admin|transformation|api|ingestion-[\w-]+)(?=/)", "", urlsplit(request.url).path
    )
    return f"http {request.method} {path} {orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()}"


def around(name: str, fate: Fate, do: Callable[[], T]) -> T:
    """Do it, and tell the fate before and after; without a name it is no point."""
    if not name:
        return do()
    fate.reached(frozenset({name}), When.BEFORE)
    done = do()
    fate.reached(frozenset({name}), When.AFTER)
    return done


class WatchedHttp:
    def __init__(self, http: Http, fate: Fate) -> None:
        self._http, self._fate = http, fate

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        def do() -> Response:
            return self._http.send(request, deadline=deadline, max_bytes=max_bytes)

        return around(request_name(request), self._fate, do)


class WatchedFiles:
    """Reading is no effect."""

    def __init__(self, files: Files, fate: Fate) -> None:
        self._files, self._fate = files, fate

    def swap_link(self, link: Path, target: Path) -> None:
        around(f"link {link.parent.name}", self._fate, lambda: self._files.swap_link(link, target))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


class WatchedProcesses:
    def __init__(self, processes: Processes, fate: Fate) -> None:
        self._processes, self._fate = processes, fate

    def run(self, command: Command, *, deadline: float) -> Exit:
        name = f"command {Path(command.argv[0]).name}"
        return around(name, self._fate, lambda: self._processes.run(command, deadline=deadline))


class WatchedDatabases:
    def __init__(self, databases: Databases, fate: Fate) -> None:
        self._databases, self._fate = databases, fate

    def execute(self, dsn: str, statement: str, *, deadline: float) -> tuple[tuple[object, ...], ...]:
        name = f"sql {statement.split(maxsplit=1)[0]}"
        return around(name, self._fate, lambda: self._databases.execute(dsn, statement, deadline=deadline))


def watched(ports: Ports, fate: Fate) -> Ports:
    """The same doors, each effect through them a point."""
    return Ports(
        WatchedHttp(ports.http, fate),
        WatchedProcesses(ports.processes, fate),
        WatchedFiles(ports.files, fate),
        WatchedDatabases(ports.databases, fate),
        ports.clock,
    )
