"""Faces: the web server over its own read-only store, wired to what is in force right now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry

from config.scope import Scope
from daemon.app.build import Parts
from daemon.app.host import LiveHost
from daemon.clock import SystemClock
from daemon.desk.tokens import Tokens
from daemon.detect.trace import Chart
from daemon.escalate.channels.twilio_back import phones_of
from daemon.http.door import HttpDoor
from daemon.loop.recorder import Recorder
from daemon.store.store import Store
from daemon.web.app import build_app
from daemon.web.server import Server, serve

CHART_TRIES = 3


class Face:
    """The running server and the store it reads through."""

    def __init__(self, host: str, server: Server, reader: Store) -> None:
        self._server, self._reader = server, reader
        self.address = f"http://{host}:{server.port}"

    def stop(self) -> None:
        self._server.stop()
        self._reader.close()


def faces_of(
    host: LiveHost,
    parts: Parts,
    recorder: Recorder,
    registry: CollectorRegistry,
    reload: Callable[[], Sequence[str]],
) -> Face:
    """Start serving. Everything handed in answers with what is in force when it is asked."""
    settings = host.loaded.model
    reader = Store.open(settings.state, read_only=True)
    app = build_app(
        reader=reader,
        known=host.known,
        snapshot=lambda: host.snapshot,
        record=recorder.submit,
        reload=reload,
        registry=registry,
        tokens=lambda: Tokens(host.loaded.model.tokens),
        inbox=lambda: host.loaded.model.inbox,
        public_url=lambda: host.loaded.model.public_url or f"http://{host.loaded.model.listen}",
        local_operator=lambda: host.loaded.model.local_operator,
        shared=lambda: parts.workers.tools.book.shared,
        http=HttpDoor(SystemClock()),
        whose_phones=lambda: phones_of(parts.workers.tools.book),
        signing_keys=lambda: [key.reveal().encode() for key in host.loaded.model.signing_keys],
        chart=_chart(parts),
        clock=SystemClock(),
        ready=lambda: host.readiness(parts.loop),
    )
    name, _, port = settings.listen.rpartition(":")
    return Face(name, serve(app, name, int(port)), reader)


def _chart(parts: Parts) -> Callable[[str, Scope, float, float], Chart | None]:
    """Read from the loop's memory while the loop goes on: a torn read shows as a mismatch and is read again."""

    def chart(detector: str, scope: Scope, since: float, until: float) -> Chart | None:
        for _ in range(CHART_TRIES):
            try:
                return parts.loop.stages.detection.chart(detector, scope, since, until)
            except (ValueError, IndexError, RuntimeError):
                continue
        return None

    return chart
