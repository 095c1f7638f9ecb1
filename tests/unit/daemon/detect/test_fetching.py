"""The worker's side: a question goes to whom it is for, and comes back as an answer whatever happens."""

from __future__ import annotations

import xmlrpc.client

from config.probes import ProbeSpec
from config.scope import scope_of
from daemon.detect.fetching import Asked, Fetch, Fetcher
from daemon.detect.probes import Prober
from daemon.detect.sources.base import Wanted
from daemon.detect.sources.registry import build_sources
from detectors.samples import Batch, Failed
from detectors.spec import ScrapeSource
from remediations.actions.managers.supervisor import Supervisor
from remediations.ports import Ambiguous
from remediations.run import Evidence
from remediations.spec_managers import SupervisorSpec
from tests.fakes.ports import EPOCH, FakeFiles, FakeHttp, answer

RPC = "http://manager/RPC2"


def carry_out(http: FakeHttp, asked: Asked, name: str, **more: object) -> Batch | Failed | Evidence:
    telemetry = {"edge": ScrapeSource.model_validate({"type": "scrape", "targets": ["http://a:1/metrics"]})}
    probes = {"health": ProbeSpec.model_validate({"http": {"url": "http://a:1/{{ scope.tier }}"}})}
    fetcher = Fetcher(
        build_sources(telemetry, http, http.clock),
        Prober(probes, http, http.clock, FakeFiles()),
        {"pipeline": Supervisor(http, SupervisorSpec(type="supervisor", url="http://manager"))},
        http.clock,
    )
    fetch = Fetch("k", asked, name, EPOCH, EPOCH + 5, **more)  # type: ignore[arg-type]  # the rest as given
    return fetcher.carry_out(fetch)


def test_a_source_is_fetched() -> None:
    http = FakeHttp().on("GET", "http://a:1/metrics", answer(200, "m 1\n"))
    got = carry_out(http, Asked.SOURCE, "edge", wanted=Wanted(frozenset({"m"})))
    assert isinstance(got, Batch)
    assert got.source == "edge"


def test_a_source_that_is_gone_is_a_failure() -> None:
    assert isinstance(carry_out(FakeHttp(), Asked.SOURCE, "gone", wanted=Wanted(frozenset())), Failed)


def test_a_probe_is_asked_for_its_scope() -> None:
    http = FakeHttp().on("GET", "http://a:1/hot", answer(200))
    got = carry_out(http, Asked.PROBE, "health", scope=scope_of({"tier": "hot"}))
    assert isinstance(got, Evidence)
    assert got.ok


def info(state: str, pid: int) -> bytes:
    told = {"name": "writer", "group": "writer", "statename": state, "pid": pid}
    return xmlrpc.client.dumps((told,), methodresponse=True).encode()


def test_a_manager_says_whether_a_unit_runs() -> None:
    for state, pid, runs in (("RUNNING", 7, True), ("EXITED", 0, False)):
        http = FakeHttp().on("POST", RPC, answer(200, info(state, pid)))
        got = carry_out(http, Asked.UNIT, "pipeline", unit="writer")
        assert isinstance(got, Evidence)
        assert (got.ok, got.body["state"]) == (runs, state.lower())


def test_a_manager_that_cannot_be_asked_says_nothing() -> None:
    fault = xmlrpc.client.dumps(xmlrpc.client.Fault(10, "BAD_NAME"), methodresponse=True)
    for http in (
        FakeHttp(),
        FakeHttp().on("POST", RPC, answer(200, fault)),
        FakeHttp().on("POST", RPC, Ambiguous("late")),
    ):
        got = carry_out(http, Asked.UNIT, "pipeline", unit="writer")
        assert isinstance(got, Evidence)
        assert (got.ok, got.body) == (False, None)
        assert got.error
    assert isinstance(carry_out(FakeHttp(), Asked.UNIT, "other", unit="x"), Evidence)
