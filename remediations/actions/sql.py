"""`sql {promote | terminate_blockers | statement}`: an operated PostgreSQL server, by statements that are fixed.

Nothing here is a template: no label and no probe's answer becomes part of a statement. Connection strings are secrets;
what is told of one is its host and database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Protocol, Self

from pydantic import AfterValidator, Field, model_validator

from config.problems import Wrong
from config.scope import Scope
from config.secrets import Secret
from config.section import Section
from config.units import Duration, parse_duration, parse_size
from remediations.actions.action import Action, Names, Permit, Rendered, Reveal
from remediations.actions.blockers import Blockers
from remediations.actions.dsn import Dsn, Hidden, database_of
from remediations.actions.postgres import Server
from remediations.actions.promotion import Promotion
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ambiguous, PortError, Ports

OPERATIONS = ("promote", "terminate_blockers", "statement")


def _lag(text: str) -> str:
    lag_of(text)
    return text


def lag_of(text: str) -> dict[str, float]:
    """`64MB` -> {"bytes": 64000000}, `30s` -> {"seconds": 30}. Raises `Wrong`."""
    for name, parse in (("seconds", parse_duration), ("bytes", parse_size)):
        try:
            return {name: float(parse(text))}
        except Wrong:
            continue
    raise Wrong(f"neither a size nor a length of time: {text!r}", "write 64MB or 30s")


def _sentence(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise Wrong("no statement is written", "write SELECT my_function()")
    return text


SqlText = Annotated[str, Field(max_length=10_000), AfterValidator(_sentence)]
"""A statement, sent as written."""


class Fence(Section):
    """How the old primary is kept from taking writes, where it can be reached."""

    statement: SqlText | None = None
    """Makes new sessions read-only. Left out: `default_transaction_read_only` is set and the configuration reloaded."""
    lift: SqlText | None = None
    """Takes it back when nothing was promoted after all."""

    @model_validator(mode="after")
    def _both(self) -> Self:
        if self.lift is not None and self.statement is None:
            raise Wrong("lift takes back a statement that is not there", "write fence.statement too")
        return self


class PromoteArgs(Section):
    standby: Dsn
    primary: Dsn | None = None
    """The server that took the writes. Left out: a standby that still receives is never promoted."""
    max_lag: Annotated[str, AfterValidator(_lag)] = "64MB"
    """How far behind the standby may be: a size of log, or a length of time."""
    fence: Fence = Fence()

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.primary is None and self.fence != Fence():
            raise Wrong("there is no primary to fence", "write primary: {env: NAME}")
        if self.primary is not None and _name(self.primary) == _name(self.standby):
            raise Wrong(
                "primary and standby are one database", "give the address of each server, not a shared one"
            )
        return self


class BlockersArgs(Section):
    dsn: Dsn
    older_than: Duration = 60.0
    """Only transactions that have been open so long."""
    max: Annotated[int, Field(ge=1, le=100)] = 3
    """Sessions ended at once."""


class StatementArgs(Section):
    dsn: Dsn
    sql: SqlText
    disruptive: bool = True
    idempotent: bool = False
    """Whether running it twice is the same as running it once."""


class SqlArgs(Section):
    promote: PromoteArgs | None = None
    terminate_blockers: BlockersArgs | None = None
    statement: StatementArgs | None = None
    timeout: Annotated[Duration, Field(gt=0)] = 60.0

    @model_validator(mode="after")
    def _one_operation(self) -> Self:
        if sum(getattr(self, name) is not None for name in OPERATIONS) != 1:
            raise Wrong("a sql action does exactly one thing", f"give one of {', '.join(OPERATIONS)}")
        return self


class SqlAction:
    """See the module. `reveal` finds the connection strings; `pause` waits between two looks."""

    def __init__(self, reveal: Reveal, pause: Callable[[float], object] | None = None) -> None:
        self._reveal = reveal
        self._pause = pause

    def render(self, args: SqlArgs, names: Names) -> dict[str, Any]:
        del names  # nothing is filled in
        operation = next(name for name in OPERATIONS if getattr(args, name) is not None)
        return {"operation": operation, "timeout": args.timeout, **_rendered(getattr(args, operation))}

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """The databases: of a promotion both, for both change."""
        del scope
        return frozenset(server["name"] for server in rendered["servers"].values())

    def disruptive(self, rendered: Rendered) -> bool:
        return bool(rendered["disruptive"])

    def idempotent(self, rendered: Rendered) -> bool:
        return bool(rendered["idempotent"])

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        del key  # a statement has no place for it
        until = min(deadline, ports.clock.monotonic() + rendered["timeout"])
        try:
            dsns = {role: self._reveal(server["dsn"]) for role, server in rendered["servers"].items()}
        except Wrong as wrong:
            return Outcome(OutcomeState.FAILED, "nothing was asked", str(wrong), ports.clock.now())
        servers = {
            role: Server(rendered["servers"][role]["name"], dsn, ports.databases, ports.clock, until)
            for role, dsn in dsns.items()
        }
        work = self._work(rendered, servers, permit)
        state = work.carry_out()
        what = " ".join((rendered["operation"], next(iter(servers.values())).name))
        effect = f"{what}: {'; '.join(work.steps) or 'nothing was changed'}"
        said = Hidden(dsns.values()).text(work.said)  # the effect is in our own words
        return Outcome(state, effect, said, ports.clock.now())

    def _work(self, rendered: Rendered, servers: Mapping[str, Server], permit: Permit) -> _Work:
        if rendered["operation"] == "promote":
            return Promotion(rendered, servers["standby"], servers.get("primary"), permit, self._pause)
        if rendered["operation"] == "terminate_blockers":
            return Blockers(rendered, servers["server"], permit)
        return _Statement(rendered, servers["server"], permit)


class _Work(Protocol):
    steps: list[str]
    said: str

    def carry_out(self) -> OutcomeState: ...


class _Statement:
    """One statement of the operator's, sent once."""

    def __init__(self, rendered: Rendered, server: Server, permit: Permit) -> None:
        self._sql: str = rendered["sql"]
        self._server = server
        self._permit = permit
        self.steps: list[str] = []
        self.said = ""

    def carry_out(self) -> OutcomeState:
        if not self._permit.granted():
            self.steps.append("no permit")
            return OutcomeState.NOT_DONE
        try:
            rows = self._server.ask(self._sql)
        except Ambiguous as error:
            self.said = str(error)
            self.steps.append("sent, and not known to have taken effect")
            return OutcomeState.UNKNOWN
        except PortError as error:
            self.said = str(error)
            return OutcomeState.FAILED
        self.steps.append(f"done, rows: {len(rows)}")
        self.said = "\n".join(" | ".join(str(value) for value in row) for row in rows)
        return OutcomeState.DONE


def _rendered(args: PromoteArgs | BlockersArgs | StatementArgs) -> dict[str, Any]:
    if isinstance(args, PromoteArgs):
        servers = {"standby": args.standby} | ({"primary": args.primary} if args.primary is not None else {})
        own = {
            "max_lag": lag_of(args.max_lag),
            "fence": args.fence.model_dump(),
            "disruptive": True,
            "idempotent": True,  # what is promoted is not promoted again
        }
        return {"servers": {role: _reference(dsn) for role, dsn in servers.items()}, **own}
    server = {"servers": {"server": _reference(args.dsn)}}
    if isinstance(args, BlockersArgs):
        own = {"older_than": args.older_than, "max": args.max, "disruptive": True, "idempotent": False}
        return {**server, **own}  # whoever blocks the second time is somebody else
    return {**server, **args.model_dump(include={"sql", "disruptive", "idempotent"})}


def _reference(dsn: Secret) -> dict[str, Any]:
    return {"name": _name(dsn), "dsn": dict(dsn.reference)}


def _name(dsn: Secret) -> str:
    return database_of(dsn.reveal())


def _fits(action: SqlAction) -> Action[SqlArgs]:
    """The type checker proves here that this kind is an action."""
    return action
