"""The pipeline of a story on this machine's clock, served on loopback: a light real world for real processes.

Every program is a path of one server, version links are links on disk, and what really happened is kept in `effects`.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from daemon.clock import SystemClock
from daemon.replay.virtual import Time
from remediations.ports import PortError, Request
from tests.fakes.dying import WatchedWorld
from tests.fakes.ports import FakeFiles
from tests.fakes.programs import PROVIDERS, TIERS
from tests.fakes.world import EDGE, FOLDERS, PAGER, SUPERVISOR

DAY = 86_400.0


class _Wall(Time):
    """The machine's own clocks."""

    def __init__(self) -> None:
        self._clock = SystemClock()

    def now(self) -> float:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()


class _Links(MutableMapping[Path, Path]):
    """Links below `root`, by the paths that a story knows them by."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def real(self, path: Path) -> Path:
        return self._root / path.relative_to("/")

    def __getitem__(self, link: Path) -> Path:
        return self.real(link).readlink()

    def __setitem__(self, link: Path, target: Path) -> None:
        fresh = self.real(link).with_name("fresh")
        fresh.symlink_to(target)
        fresh.rename(self.real(link))

    def __delitem__(self, link: Path) -> None:
        self.real(link).unlink()

    def __iter__(self) -> Iterator[Path]:
        return iter([folder / "current" for folder in FOLDERS.values()])

    def __len__(self) -> int:
        return len(FOLDERS)


class _Files(FakeFiles):
    """Versions as folders on disk; a link's own change is when it was switched."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.place = _Links(root)
        self.links = self.place  # type: ignore[assignment]  # a mapping as well

    def add_version(self, folder: Path, name: str, made_at: float) -> None:
        super().add_version(folder, name, made_at)
        version = self.place.real(folder) / name
        version.mkdir(parents=True)
        os.utime(version, (made_at, made_at))


class ServedWorld(WatchedWorld):
    """`url`: where it is served. Whoever changes it holds `turn`."""

    url: str = ""

    @classmethod
    def below(cls, root: Path) -> ServedWorld:
        world = cls(_Wall())
        world.turn = threading.RLock()
        files = _Files(root)
        for folder in FOLDERS.values():
            for name, age in (("v001", 10 * DAY), ("v002", DAY)):
                files.add_version(folder, name, world.time.now() - age)
            files.links[folder / "current"] = Path("v002")
            os.utime(files.place.real(folder / "current"), (0, 0), follow_symlinks=False)
        world.files = files
        return world

    turn: threading.RLock

    def vars(self) -> dict[str, Any]:
        """What points the pack at it."""
        assert isinstance(self.files, _Files)
        real = {what: str(self.files.place.real(folder / "current")) for what, folder in FOLDERS.items()}
        return {
            "ingestion_admin": {name: f"{self.url}/ingestion-{name}" for name in PROVIDERS},
            "provider_status": {name: f"{self.url}/status/{name}" for name in PROVIDERS},
            "storage_admin": dict.fromkeys(TIERS, f"{self.url}/storage-admin"),
            "transformation_admin": f"{self.url}/transformation",
            "api_admin": f"{self.url}/api",
            "mapping_link": real["mapping"],
            "rules_link": real["rules"],
            "ingestion_config_link": real["ingestion"],
        }

    def meant(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Request:
        """The request that a story's world knows, from one to this server."""
        _, first, *rest = path.split("/")
        if first == "RPC2":
            return Request(method, SUPERVISOR, headers, body, path="/RPC2")
        url = {
            "edge": EDGE,
            "pager": PAGER + "/".join(rest),
            "status": "https://status.example.org/" + "/".join(rest),
        }.get(first, f"http://{first}:8080/{'/'.join(rest)}")
        return Request(method, url, headers, body)


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        world: ServedWorld = self.server.world  # type: ignore[attr-defined]  # put there by `served`
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else None
        request = world.meant(self.command, self.path, dict(self.headers.items()), body)
        try:
            with world.turn:
                response = world.http.send(request, deadline=math.inf)
        except PortError:
            self.close_connection = True  # whoever is not there answers nothing
            return
        self.send_response(response.status)
        self.send_header("Content-Type", "text/plain" if self.path == "/edge/metrics" else "application/json")
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
        """Nothing: tests look at `effects`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed breaks its connection; that is what is tested."""


@contextmanager
def served(root: Path) -> Iterator[ServedWorld]:
    """A world below `root` on a free port."""
    with _Server(("127.0.0.1", 0), _Call) as server:
        world = ServedWorld.below(root)
        world.url = f"http://127.0.0.1:{server.server_address[1]}"
        server.world = world  # type: ignore[attr-defined]  # read by `_Call`
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()
