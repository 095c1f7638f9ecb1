"""Probes ask real peers on loopback: over HTTP through the door, and over TLS with a certificate that is trusted or not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.probes import ProbeSpec
from config.scope import WHOLE
from daemon.clock import SystemClock
from daemon.detect.fetching import refused, unanswered
from daemon.detect.probes import MAX_BODY, Prober
from daemon.files import FileDoor
from daemon.http.door import HttpDoor
from remediations.run import Evidence
from tests.fakes import certificates
from tests.fakes.server import Behaviour, reply, replying, serving

pytestmark = pytest.mark.live


@pytest.fixture
def door() -> Iterator[HttpDoor]:
    opened = HttpDoor(SystemClock())
    yield opened
    opened.close()


def ask(door: HttpDoor, **probe: Any) -> Evidence:
    clock = SystemClock()
    prober = Prober({"p": ProbeSpec.model_validate(probe)}, door, clock, FileDoor())
    return prober.ask("p", WHOLE, clock.monotonic() + 5)


@pytest.mark.parametrize(
    ("behaviour", "status", "bad", "why"),
    [
        (replying(reply(200, b'{"state": "up"}')), 200, "", "well"),
        (replying(reply(503, b'{"state": "up"}')), 503, "answered", "it says that it is not"),
        (replying(reply(302, b"", "Location: http://127.0.0.1:1/\r\n")), 302, "answered", "not followed"),
        (replying(reply(200, b"x" * (MAX_BODY + 1))), None, "silent", "an answer over its bytes"),
        (lambda _c, _r, stop: stop.wait(), None, "silent", "an answer over its time"),
        (replying(b"\x15\x03\x01\r\n\r\n"), None, "silent", "no HTTP"),
    ],
)
def test_an_http_probe_tells_an_answer_from_silence(
    door: HttpDoor, behaviour: Behaviour, status: int | None, bad: str, why: str
) -> None:
    with serving(behaviour) as server:
        got = ask(door, http={"url": f"{server.url}/health", "timeout": "0.5s"})
    assert (got.ok, got.status) == (not bad, status), why
    assert refused(got) is (bad == "answered"), why
    assert unanswered(got) is (bad == "silent"), why


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Ends in two days."""
    return certificates.made_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def port(certificate: tuple[Path, Path]) -> Iterator[int]:
    """Where one TLS handshake is answered."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with socket.create_server(("0.0.0.0", 0)) as listener:  # every address of the loopback network

        def greet() -> None:
            peer, _ = listener.accept()
            try:
                with context.wrap_socket(peer, server_side=True) as link:
                    link.recv(1)
            except OSError:
                return

        thread = threading.Thread(target=greet)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(5)


@pytest.mark.parametrize(
    ("host", "trusted", "min_days", "error", "why"),
    [
        ("127.0.0.1", True, 1, "", "trusted, and good for longer than asked"),
        ("127.0.0.1", True, 14, "refused: its certificate ends in 2 days, less than 14", "too short"),
        ("127.0.0.1", False, 1, "refused: its certificate: self-signed certificate", "signed by nobody"),
        ("127.0.0.2", True, 1, "refused: its certificate: IP address mismatch", "somebody else's"),
    ],
)
def test_a_tls_probe_judges_the_certificate(
    door: HttpDoor,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    port: int,
    host: str,
    trusted: bool,
    min_days: int,
    error: str,
    why: str,
) -> None:
    """A bad one is an answer that is no good, so a detector on this probe fires; silence might be our own network."""
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    got = ask(door, tls={"host": host, "port": port, "min_days": min_days})
    assert got.ok is (not error), why
    assert got.error.startswith(error), why
    assert refused(got) is bool(error)
    if not error:
        assert 1.9 < got.body["days_left"] <= 2.0
