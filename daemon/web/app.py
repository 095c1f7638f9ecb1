"""The application: routes, guards and answers put together from what is handed in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.staticfiles import StaticFiles

from daemon.desk.known import Known
from daemon.desk.snapshot import Snapshot
from daemon.desk.tokens import Tokens
from daemon.detect.inbox import InboxSpec
from daemon.errors import StoreError
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.twilio_back import Phones
from daemon.store.store import Store
from daemon.web import (
    api_lists,
    api_orders,
    api_reads,
    callbacks,
    console,
    feed,
    forms,
    intake,
    links,
    listing,
    live,
    login,
    ops,
    phones,
    problems,
    slack_buttons,
)
from daemon.web.guard import Guard
from daemon.web.limits import Limits
from daemon.web.parts import Charts, Parts, Record
from daemon.web.pulse import Beat, Pulse
from daemon.web.render import STATIC
from daemon.web.sessions import Sessions
from remediations.ports import Clock, Http

# Routes are tried in this order: alerts, which come by the thousand, first.
ROUTERS = tuple(
    module.router
    for module in (
        intake,
        callbacks,
        phones,
        slack_buttons,
        console,
        listing,
        forms,
        login,
        links,
        live,
        api_reads,
        api_lists,
        feed,
        api_orders,
        ops,
    )
)
INTAKE = frozenset(
    {"/api/v2/alerts", "/api/v1/inbox/alertmanager", "/api/v1/callbacks/pagerduty", slack_buttons.PATH}
)


def build_app(
    *,
    reader: Store,
    known: Callable[[], Known],
    snapshot: Callable[[], Snapshot | None],
    record: Record,
    reload: Callable[[], Sequence[str]],
    registry: CollectorRegistry,
    tokens: Callable[[], Tokens],
    signing_keys: Callable[[], Sequence[bytes]],
    chart: Charts,
    clock: Clock,
    ready: Callable[[], tuple[bool, str]],
    inbox: Callable[[], InboxSpec] = InboxSpec,
    public_url: Callable[[], str] = str,
    local_operator: Callable[[], bool] = bool,
    shared: Callable[[], Shared] = Shared,
    http: Http | None = None,
    whose_phones: Callable[[], Phones | None] = lambda: None,
    limits: Limits | None = None,
) -> FastAPI:
    """Everything that is served. Callables answer with what is in force when they are called.

    `reader`: read-only. `record`: appends rows and answers when they are on disk; whatever it raises means "not now"
    (503). `reload`: problems, empty when the new configuration is in force. `signing_keys`: newest first.
    `chart`: recent values of a detector at a scope. `ready`: whether to be sent requests, and why not. `shared`: what
    all uses of a channel share, secrets of callbacks among it. `http`: by which a press of a button is answered. `whose_phones`:
    None where nothing is sent to phones.
    """
    limits = limits or Limits()
    parts = Parts(
        reader=reader,
        known=known,
        snapshot=snapshot,
        record=record,
        reload=reload,
        registry=registry,
        tokens=tokens,
        inbox=inbox,
        public_url=public_url,
        local_operator=local_operator,
        chart=chart,
        clock=clock,
        ready=ready,
        shared=shared,
        http=http,
        phones=whose_phones,
        sessions=Sessions(signing_keys),
        pulse=_pulse(reader, snapshot, limits),
        limits=limits,
    )
    return _assembled(parts)


def _assembled(parts: Parts) -> FastAPI:
    limits = parts.limits

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        del app
        to_thread.current_default_thread_limiter().total_tokens = limits.readers
        yield
        await parts.pulse.close()

    app = FastAPI(
        title="Fleetmend",
        version=parts.known().version,
        description="Reads and orders of one daemon. Instants are RFC 3339, errors RFC 9457.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # both of its pages fetch their scripts from elsewhere
        redoc_url=None,
        lifespan=life,
        redirect_slashes=False,
    )
    app.state.parts = parts
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(
        Guard,
        most=lambda path: limits.intake if path in INTAKE else limits.order,
        within=limits.body_within,
    )
    return app


def _pulse(reader: Store, snapshot: Callable[[], Snapshot | None], limits: Limits) -> Pulse:
    return Pulse(
        lambda: _beat(reader, snapshot),
        every=limits.look_every,
        heartbeat=limits.heartbeat,
        most=limits.listeners,
    )


def _beat(reader: Store, snapshot: Callable[[], Snapshot | None]) -> Beat:
    live = snapshot()
    at = live.at if live else None
    try:
        return Beat(reader.last_seq(), at)
    except StoreError:
        return Beat(None, at)
