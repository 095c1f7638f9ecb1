"""The demo pipeline and the daemon that watches it, as processes: brought up, broken, healed, asked, ended."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.cli.children import Child, fleetmend_argv, kept, run
from daemon.errors import DaemonUnreachable, FleetmendError, UsageError
from remediations.ports import Clock, Http, PortError, Request

UP_WITHIN = 90.0
BREAK_WITHIN = 60.0
HEAL_WITHIN = 90.0
PREFERRED_PORT = 9876
PORTS = range(10_000, 20_000)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A demo pipeline that keeps everything of it in `state`."""

    state: Path
    environment: Mapping[str, str]

    def demo(self, *arguments: str, timeout: float = 30.0) -> str:
        """One command of the demo. Raises `FleetmendError` with what it said."""
        command, *rest = arguments
        argv = [sys.executable, "-m", "demo", command, "--state", str(self.state), *rest]
        return run(argv, self.environment, timeout=timeout)

    def break_(self, variant: str) -> str:
        return self.demo("break", variant, timeout=BREAK_WITHIN)

    def heal(self) -> str:
        return self.demo("heal", timeout=HEAL_WITHIN)

    def effects(self) -> list[dict[str, Any]]:
        """Everything that really happened so far, in time order."""
        return [json.loads(line) for line in self.demo("effects", "--json").splitlines()]

    def left_out(self) -> dict[tuple[str, str], str]:
        """Variants that this machine cannot show, and why."""
        rows = json.loads(self.demo("variants", "--json"))["variants"]
        return {(row["failure_mode"], row["variant"]): row["left_out"] for row in rows if row["left_out"]}


@dataclass(frozen=True, slots=True)
class Watched:
    """A pipeline and its daemon. `url`: the console; `configs`: what the daemon was started with."""

    pipeline: Pipeline
    url: str
    configs: tuple[Path, ...]
    source: str
    children: tuple[Child, ...]
    daemon: Child
    prometheus: Child | None = None

    def must_run(self) -> None:
        """Raises `FleetmendError` when a process of it has ended."""
        for child in self.children:
            child.must_run()

    def reread(self) -> None:
        """The pipeline's own configuration files changed: whoever watches it reads them anew."""
        for child in (self.daemon, self.prometheus):
            if child is not None:
                child.reread()


def default_state() -> Path:
    """One folder per user, short enough for the paths of sockets in it."""
    return Path(tempfile.gettempdir()) / f"fleetmend-demo-{os.getuid()}"


def demo_config() -> Path:
    """The daemon's configuration that ships with the demo. Raises `UsageError` where the demo is not installed."""
    found = importlib.util.find_spec("demo")
    if found is None or found.origin is None or importlib.util.find_spec("supervisor") is None:
        raise UsageError("the demo is not installed: pip install 'fleetmend[demo]'")
    return Path(found.origin).with_name("fleetmend.yaml")


@contextmanager
def watched(
    state: Path,
    environment: Mapping[str, str],
    http: Http,
    clock: Clock,
    *,
    source: str = "scrape",
    configs: tuple[Path, ...] = (),
    port: int = 0,
) -> Iterator[Watched]:
    """The pipeline and a plain `fleetmend run` watching it, both ended on the way out.

    `configs`: further files for the daemon, laid over the demo's own. `port`: where its console would best be; 0: any.
    """
    pipeline = Pipeline(state.resolve(), environment)
    with ExitStack() as stack:
        children = [_pipeline_up(pipeline, stack, prometheus=source == "prometheus")]
        telemetry: dict[str, Any] = {}
        prometheus: Child | None = None
        if source == "prometheus":
            prometheus, telemetry = _prometheus_up(pipeline, http, clock, stack)
            children.append(prometheus)
        files = (
            demo_config(),
            pipeline.state / "ports.yaml",
            *configs,
            _own_config(pipeline.state, telemetry, free_port(port)),
        )
        listen = json.loads(files[-1].read_text(encoding="utf-8"))["listen"]
        argv = [*fleetmend_argv(), "run", *(word for file in files for word in ("--config", str(file)))]
        log = pipeline.state / "log" / "fleetmend.log"
        daemon = stack.enter_context(kept(Child(argv, log, environment)))
        children.append(daemon)
        url = f"http://{listen}"
        found = Watched(pipeline, url, files, source, tuple(children), daemon, prometheus)
        _wait_ready(f"{found.url}/-/ready", daemon, http, clock)
        _wait_for(lambda: _sees(found.url, http, clock), daemon, clock, "the daemon sees nothing")
        yield found


def _pipeline_up(pipeline: Pipeline, stack: ExitStack, *, prometheus: bool) -> Child:
    """Start it and wait until everything serves: it says so in its log."""
    pipeline.state.mkdir(parents=True, exist_ok=True)
    stack.callback(_pipeline_down, pipeline)
    argv = [sys.executable, "-m", "demo", "up", "--state", str(pipeline.state), "--foreground"]
    argv += ["--prometheus"] if prometheus else []
    log = pipeline.state.with_name(f"{pipeline.state.name}.log")
    log.unlink(missing_ok=True)
    child = stack.enter_context(kept(Child(argv, log, pipeline.environment)))
    pause = threading.Event()
    for _ in range(int(UP_WITHIN / 0.1)):
        child.must_run()
        if "the pipeline is up" in log.read_text(encoding="utf-8", errors="replace"):
            return child
        pause.wait(0.1)
    raise FleetmendError(f"the pipeline did not come up within {UP_WITHIN:.0f} s; see {log}")


def _pipeline_down(pipeline: Pipeline) -> None:
    """After the child is gone: whatever it could not end itself."""
    with suppress(FleetmendError):
        pipeline.demo("down", timeout=HEAL_WITHIN)


def _own_config(state: Path, telemetry: Mapping[str, Any], port: int) -> Path:
    """Where this daemon keeps its store and listens: JSON, which is YAML too."""
    folder = state / "daemon"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("state.db*"):
        old.unlink()
    (folder / "pause").unlink(missing_ok=True)
    file = state / "here.yaml"
    content: dict[str, Any] = {
        "state": f"sqlite:///{folder / 'state.db'}",
        "listen": f"127.0.0.1:{port}",
        "kill_switch": str(folder / "pause"),
    }
    file.write_text(
        json.dumps(content | ({"telemetry": dict(telemetry)} if telemetry else {})), encoding="utf-8"
    )
    return file


def _prometheus_up(
    pipeline: Pipeline, http: Http, clock: Clock, stack: ExitStack
) -> tuple[Child, dict[str, Any]]:
    """A real Prometheus scraping the pipeline, and the telemetry source that reads it instead of the targets."""
    program = shutil.which("prometheus")
    if program is None:
        raise UsageError("--source prometheus: no program prometheus on this machine")
    port = free_port(0)
    data = pipeline.state / "prometheus"
    shutil.rmtree(data, ignore_errors=True)
    argv = [
        program,
        f"--config.file={pipeline.state / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    child = stack.enter_context(
        kept(Child(argv, pipeline.state / "log" / "prometheus.log", pipeline.environment))
    )
    _wait_ready(f"http://127.0.0.1:{port}/-/ready", child, http, clock)
    edge = {"type": "prometheus", "url": f"http://127.0.0.1:{port}", "delay": "0s", "scrape_interval": "1s"}
    return child, {"edge": {**edge, "targets": None, "every": None, "timeout": None}}


def _wait_ready(url: str, child: Child, http: Http, clock: Clock) -> None:
    _wait_for(lambda: _got(url, http, clock) is not None, child, clock, f"{url} was not ready")


def _wait_for(done: Callable[[], bool], child: Child, clock: Clock, failure: str) -> None:
    pause = threading.Event()
    until = clock.monotonic() + UP_WITHIN
    while clock.monotonic() < until:
        child.must_run()
        if done():
            return
        pause.wait(0.2)
    raise DaemonUnreachable(f"{failure} within {UP_WITHIN:.0f} s; see {child.log}")


def _got(url: str, http: Http, clock: Clock) -> bytes | None:
    """The body of a good answer, None while there is none."""
    with suppress(PortError):
        answer = http.send(Request("GET", url), deadline=clock.monotonic() + 2.0)
        if answer.status == 200:
            return answer.body
    return None


def _sees(url: str, http: Http, clock: Clock) -> bool:
    """Whether every source has answered: from then on the console shows live data."""
    body = _got(f"{url}/api/v1/status", http, clock)
    return body is not None and all(source["state"] == "ok" for source in json.loads(body)["sources"])


def free_port(preferred: int) -> int:
    """The preferred port if nobody has it, else one below those that the system gives to outgoing connections."""
    for _ in range(100):
        port, preferred = preferred or secrets.choice(PORTS), 0
        with socket.socket() as link, suppress(OSError):
            link.bind(("127.0.0.1", port))
            return port
    raise FleetmendError("no port is free")
