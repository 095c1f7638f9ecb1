"""Probes answer with evidence whatever happens, and no label leaves its place in an address."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from config.probes import ProbeSpec
from config.scope import WHOLE, Scope, scope_of
from daemon.clock import SystemClock
from daemon.detect.fetching import refused, unanswered
from daemon.detect.probes import Prober
from daemon.files import FileDoor
from remediations.ports import Ambiguous, TooLarge, Unreachable
from remediations.run import Evidence
from tests.fakes.ports import FakeClock, FakeFiles, FakeHttp, answer

HOT = scope_of({"tier": "hot"})
URL = "http://admin:8080/tiers/hot/health"


def spec(**probe: Any) -> ProbeSpec:
    return ProbeSpec.model_validate(probe)


HEALTH = spec(
    http={"url": "http://admin:8080/tiers/{{ scope.tier }}/health"}, ok="status == 200 and body.state == 'up'"
)


def ask(http: FakeHttp, probe: ProbeSpec = HEALTH, scope: Scope = HOT, ok: str | None = None) -> Evidence:
    prober = Prober({"p": probe}, http, http.clock, FakeFiles(), {"base": "http://admin:8080/tiers"})
    return prober.ask("p", scope, http.clock.monotonic() + 60, ok)


def test_a_good_answer_is_ok_and_its_json_can_be_read() -> None:
    got = ask(FakeHttp().on("GET", URL, answer(200, '{"state": "up", "lag": 3}')))
    assert (got.ok, got.status, got.body, got.error) == (True, 200, {"state": "up", "lag": 3}, "")


@pytest.mark.parametrize(
    ("said", "error", "why"),
    [
        (answer(503, '{"state": "up"}'), "", "its condition is false"),
        (answer(200, '{"state": "down"}'), "", "its condition is false"),
        (answer(200, "plain text"), "not decided", "there is no body.state in a text"),
        (
            Unreachable("GET x: ConnectionRefusedError: [Errno 111] Connection refused"),
            "refused: ",
            "nobody listens",
        ),
        (
            Unreachable("GET x: gaierror: Name or service not known"),
            "unresolved: ",
            "no such name: nobody was asked",
        ),
        (Ambiguous("GET x: no answer within the deadline"), "no answer: ", "silence"),
        (TooLarge("larger than 64000 bytes"), "no answer: ", "an answer without end"),
    ],
)
def test_everything_else_is_not_ok_and_says_why(said: Any, error: str, why: str) -> None:
    got = ask(FakeHttp().on("GET", URL, said))
    assert not got.ok, why
    assert error in got.error
    if error.startswith(("refused", "no answer", "unresolved")):
        assert got.body is None
        assert refused(got) is (error == "refused: ")
        assert unanswered(got) is (error == "no answer: ")


def test_a_caller_may_judge_by_a_condition_of_its_own() -> None:
    http = FakeHttp().on("GET", URL, answer(200, '{"active": "replica"}'))
    assert ask(http, ok="body.active == 'replica'").ok
    assert not ask(http, ok="body.active == 'primary'").ok


def test_conditions_see_scope_and_elapsed_time() -> None:
    probe = spec(
        http={"url": "{{ vars.base }}/{{ scope.tier }}/health"}, ok="scope.tier == 'hot' and elapsed < 5"
    )
    assert ask(FakeHttp().on("GET", URL, answer(200)), probe).ok


@pytest.mark.parametrize("tier", ["../admin", "hot/../cold", "hot?x=1", "-hot", ".hot", "a b", "hot\n", ""])
def test_a_label_that_would_leave_its_place_is_refused_and_nothing_is_sent(tier: str) -> None:
    http = FakeHttp().on("GET", "http://", answer(200, '{"state": "up"}'))
    got = ask(http, scope=scope_of({"tier": tier}))
    assert not got.ok
    assert got.error
    assert http.requests == []
    assert not refused(got)
    assert not unanswered(got)


def test_a_label_that_is_missing_is_an_error_not_an_empty_text() -> None:
    assert "undefined" in ask(FakeHttp(), scope=WHOLE).error


def test_a_probe_nobody_knows_is_an_error() -> None:
    assert (
        "no probe is called x" in Prober({}, FakeHttp(), FakeClock(), FakeFiles()).ask("x", HOT, 2_000).error
    )


def loopback(probe: dict[str, Any]) -> Evidence:
    clock = SystemClock()
    return Prober({"p": spec(**probe)}, FakeHttp(), clock, FileDoor()).ask("p", WHOLE, clock.monotonic() + 5)


def test_tcp_is_ok_where_somebody_listens_and_refused_where_nobody_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert loopback({"tcp": {"host": "127.0.0.1", "port": port}}).ok
    got = loopback({"tcp": {"host": "127.0.0.1", "port": port}})
    assert not got.ok
    assert refused(got)


def test_tls_with_a_peer_that_speaks_none_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def greet() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        got = loopback({"tls": {"host": "127.0.0.1", "port": port}})
        thread.join()
    assert not got.ok
    assert unanswered(got)


def test_dns_tells_the_addresses() -> None:
    got = loopback({"dns": {"name": "localhost"}})
    assert got.ok
    assert "127.0.0.1" in got.body["addresses"]


@pytest.mark.parametrize(
    ("code", "answered", "why"),
    [
        (socket.EAI_NONAME, True, "there is no such name: that is an answer"),
        (socket.EAI_NODATA, True, "the name is there and has no address: so is that"),
        (socket.EAI_AGAIN, False, "no server of names answered: it may be our own network"),
        (socket.EAI_FAIL, False, "one answered that it cannot"),
    ],
)
def test_a_name_without_address_is_a_bad_answer_and_a_resolver_without_answer_is_silence(
    code: int, answered: bool, why: str
) -> None:
    def resolve(name: str) -> set[str]:
        raise socket.gaierror(code, f"nothing for {name}")

    clock = FakeClock()
    probes = {"p": spec(dns={"name": "{{ scope.tier }}.example.org"})}
    prober = Prober(probes, FakeHttp(clock), clock, FakeFiles(), resolve=resolve)
    got = prober.ask("p", HOT, clock.monotonic() + 5)
    assert not got.ok
    assert (refused(got), unanswered(got)) == (answered, not answered), why
    assert "hot.example.org" in got.error


def test_a_link_tells_its_version_and_when_it_changed() -> None:
    files = FakeFiles()
    link = Path("/srv/pipeline/ingestion/current")
    files.links[link], files.switched[link] = Path("v003"), 70.0
    probe = spec(
        link={"path": "{{ vars.base }}/current"}, ok="body.changed_at > 60 and body.version == 'v003'"
    )
    prober = Prober({"p": probe}, FakeHttp(), FakeClock(), files, {"base": "/srv/pipeline/ingestion"})
    got = prober.ask("p", WHOLE, 2_000)
    assert (got.ok, got.body, got.error) == (True, {"version": "v003", "changed_at": 70.0}, "")


@pytest.mark.parametrize(
    ("path", "error"), [("/srv/gone/current", "is no link"), ("current", "not an absolute path")]
)
def test_a_link_that_is_none_is_an_error_and_no_answer(path: str, error: str) -> None:
    prober = Prober({"p": spec(link={"path": path})}, FakeHttp(), FakeClock(), FakeFiles())
    got = prober.ask("p", WHOLE, 2_000)
    assert (got.ok, got.body) == (False, None)
    assert error in got.error
