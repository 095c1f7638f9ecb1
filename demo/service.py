"""What every process of the pipeline shares: routes, metrics, admin calls with their effect log, start and stop.

Two faults live here because any process can have them, each a file in the stack's `faults` folder:
`PROGRAM.liar` (admin calls are answered 200 and do nothing) and `PROGRAM.impostor` (the process starts and serves nothing).
"""

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo import clock
from demo.effects import EffectLog
from demo.metrics import CONTENT_TYPE, Registry
from demo.settings import Stack
from demo.wire import Answer, Call, Handler, Server

AdminHandler = Callable[[dict[str, Any]], dict[str, Any]]


class Refused(Exception):
    """An admin call that cannot be done, or is already so: 409."""


class Service:
    """One process. `run` returns when SIGTERM came and the stop hooks are through."""

    def __init__(self, stack: Stack, program: str) -> None:
        self.stack, self.program = stack, program
        self.effects = EffectLog(stack.effects, program)
        self.registry = Registry()
        self.stopping = threading.Event()
        self._wake = os.pipe()
        self.stop_hooks: list[Callable[[], None]] = []
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "/metrics"): lambda _: Answer(200, self.registry.render(), CONTENT_TYPE),
            ("POST", "/control/reset-counters"): self._reset_counters,
        }
        self._prefixes: list[tuple[str, str, Handler]] = []

    def route(self, method: str, path: str, handler: Handler) -> None:
        self._routes[method, path] = handler

    def route_below(self, method: str, prefix: str, handler: Handler) -> None:
        self._prefixes.append((method, prefix, handler))

    def admin(self, path: str, handler: AdminHandler) -> None:
        """A POST that changes this process; it is in the effect log before its answer goes out."""
        self._routes["POST", path] = lambda call: self._admin(path, handler, call)

    def loop(self, name: str, every: float, step: Callable[[], None]) -> None:
        """A thread that steps until the process stops; an exception is shown and the next step comes all the same."""

        def body() -> None:
            while not self.stopping.wait(every):
                try:
                    step()
                except Exception:  # noqa: BLE001 - a loop outlives its worst step
                    traceback.print_exc()

        threading.Thread(target=body, name=name, daemon=True).start()

    def listen(self, port: int, handler: Handler | None = None) -> None:
        """Serve all routes, or one handler, on a port. Exits with status 1 when the port is taken."""
        try:
            server = Server(port, handler or self.answer)
        except OSError as error:
            print(f"{self.program}: port {port}: {error}", file=sys.stderr)
            sys.exit(1)
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 5.0}, name=f"port-{port}", daemon=True
        ).start()

    def answer(self, call: Call) -> Answer:
        handler = self._routes.get((call.method, call.path))
        if handler is None:
            below = (
                one
                for method, prefix, one in self._prefixes
                if method == call.method and call.path.startswith(prefix)
            )
            handler = next(below, None)
        if handler is None:
            return Answer(404, {"error": f"no {call.method} {call.path} here"})
        try:
            return handler(call)
        except (ValueError, KeyError, TypeError) as error:
            return Answer(400, {"ok": False, "error": f"{type(error).__name__}: {error}"})
        except Exception as error:  # noqa: BLE001 - one request's failure is that request's answer
            traceback.print_exc()
            return Answer(500, {"ok": False, "error": f"{type(error).__name__}: {error}"})

    def run(self) -> None:
        self.effects.write("start", self.program, args={"pid": os.getpid()})
        os.read(self._wake[0], 1)
        self.stopping.set()
        for hook in self.stop_hooks:
            hook()
        self.effects.write("stop", self.program, args={"pid": os.getpid()})

    def wake_up(self, *_: object) -> None:
        """The signal handler: a byte in a pipe, because a handler may take no lock."""
        os.write(self._wake[1], b"x")

    def lies(self) -> bool:
        return (self.stack.faults / f"{self.program}.liar").exists()

    def _admin(self, path: str, handler: AdminHandler, call: Call) -> Answer:
        key = call.headers.get("idempotency-key")
        args = call.json()
        if self.lies():
            self.effects.write("admin", path, key, args, "ignored")
            return Answer(200, {"ok": True})
        try:
            answer = Answer(200, {"ok": True} | handler(args))
        except Refused as error:
            answer = Answer(409, {"ok": False, "error": str(error)})
        except (ValueError, KeyError, TypeError) as error:
            answer = Answer(400, {"ok": False, "error": f"{type(error).__name__}: {error}"})
        self.effects.write(
            "admin", path, key, args, "done" if answer.status == 200 else f"refused {answer.status}"
        )
        return answer

    def _reset_counters(self, _: Call) -> Answer:
        self.registry.clear()
        return Answer(200, {"ok": True})


def main(build: Callable[[Service, str], None], prefix: str) -> None:
    """Entry of a program: `--state DIR [--name NAME]`; the program is called PREFIX or PREFIX-NAME."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--name", default="")
    given = parser.parse_args()
    stack = Stack.load(given.state)
    program = f"{prefix}-{given.name}" if given.name else prefix
    if (stack.faults / f"{program}.impostor").exists():
        signal.pause()
        return
    service = Service(stack, program)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, service.wake_up)
    build(service, given.name)
    service.run()


def wait_for(check: Callable[[], bool], within: float, pause: float = 0.05) -> bool:
    """Ask until the answer is yes or the time is over."""
    end = clock.monotonic() + within
    while not check():
        if clock.monotonic() > end:
            return False
        clock.pause(pause)
    return True
