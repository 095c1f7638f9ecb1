"""systemd, Docker and Kubernetes through the real doors: sockets, TLS, programs. Whom they talk to is made for the tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from config.secrets import Environment
from daemon.clock import SystemClock
from daemon.detect.fetching import Asked, Fetch, Fetcher
from daemon.detect.probes import Prober
from daemon.http.door import HttpDoor
from daemon.processes import ProcessDoor
from remediations.actions.managers.registry import built
from remediations.actions.service import ServiceAction, ServiceArgs
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ports
from remediations.run import Evidence
from remediations.spec_managers import ManagerSpec
from tests.fakes import certificates
from tests.fakes.docker import FakeDocker
from tests.fakes.kubernetes import FakeKubernetes, Workload
from tests.fakes.ports import FakeDatabases, FakeFiles, FakePermit
from tests.fakes.rest import listening
from tests.fakes.systemctl import FakeSystemd, installed, reread

pytestmark = pytest.mark.live

CLOCK = SystemClock()
HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "process-managers.md"


class Around:
    """The real doors, and one manager that is spoken to through them."""

    def __init__(self, http: HttpDoor) -> None:
        self.ports = Ports(
            http, ProcessDoor(CLOCK, os.environ, grace=0.5), FakeFiles(), FakeDatabases(), CLOCK
        )
        self.environment = Environment({})

    def spec(self, **written: Any) -> ManagerSpec:
        adapter: TypeAdapter[ManagerSpec] = TypeAdapter(ManagerSpec)
        return adapter.validate_python(written, context=self.environment.context)

    def perform(self, spec: ManagerSpec, seconds: float = 20, **written: Any) -> Outcome:
        action = ServiceAction({"here": spec}, self.environment.take, lambda _: threading.Event().wait(0.01))
        args = ServiceArgs.model_validate({"manager": "here", **written})
        names: Mapping[str, Any] = {"scope": {}, "facts": {}}
        deadline = CLOCK.monotonic() + seconds
        rendered = action.render(args, names)
        return action.perform(rendered, self.ports, deadline=deadline, permit=FakePermit(), key="k")

    def witness(self, spec: ManagerSpec, unit: str) -> Evidence:
        """As corroboration asks."""
        prober = Prober({}, self.ports.http, CLOCK, FakeFiles())
        managers = {"here": built(spec, self.ports, self.environment.take)}
        fetch = Fetch("k", Asked.UNIT, "here", CLOCK.now(), CLOCK.now() + 10, unit=unit)
        answer = Fetcher({}, prober, managers, CLOCK).carry_out(fetch)
        assert isinstance(answer, Evidence)
        return answer


@pytest.fixture
def around() -> Iterator[Around]:
    http = HttpDoor(CLOCK)
    yield Around(http)
    http.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificates.made_in(tmp_path_factory.mktemp("tls"))


def test_docker_is_spoken_to_over_its_socket(around: Around, tmp_path: Path) -> None:
    docker = FakeDocker()
    docker.add("writer")
    docker.add_service("ingestion")
    with listening(docker, path=tmp_path / "docker.sock") as url:
        spec = around.spec(type="docker", url=url, steady="0s")
        before = around.witness(spec, "writer")
        assert around.perform(spec, restart="writer").state is OutcomeState.DONE
        after = around.witness(spec, "writer")
        assert before.ok
        assert after.ok
        assert before.body["identity"] != after.body["identity"]
        assert around.perform(spec, stop="writer").state is OutcomeState.DONE
        down = around.witness(spec, "writer")
        assert (down.ok, down.body["state"]) == (False, "exited")
        assert around.perform(spec, scale="service/ingestion", to=4).state is OutcomeState.DONE
        assert around.perform(spec, restart="service/ingestion").state is OutcomeState.DONE
    assert len(docker.services["ingestion"].tasks) == 4
    gone = around.witness(around.spec(type="docker", url=f"unix://{tmp_path}/gone.sock"), "writer")
    assert (gone.ok, gone.body) == (False, None), "whom nobody can ask is no witness"


def test_docker_is_spoken_to_over_tls(around: Around, certificate: tuple[Path, Path]) -> None:
    docker = FakeDocker()
    docker.add("writer")
    with listening(docker, certificate=certificate) as url:
        tls = {"ca": str(certificate[0]), "cert": str(certificate[0]), "key": str(certificate[1])}
        assert around.perform(
            around.spec(type="docker", url=url, tls=tls, steady="0s"), restart="writer"
        ).state is (OutcomeState.DONE)
        stranger = around.perform(around.spec(type="docker", url=url), restart="writer")
    assert stranger.state is OutcomeState.FAILED
    assert "CERTIFICATE_VERIFY_FAILED" in stranger.output
    assert docker.orders == ["restart writer"]


@pytest.fixture
def cluster(
    around: Around, certificate: tuple[Path, Path], tmp_path: Path
) -> Iterator[tuple[FakeKubernetes, ManagerSpec]]:
    """A cluster that allows what the documentation's Role allows, and whom it lets in by a token in a file."""
    kubernetes = FakeKubernetes(tokens={"first-token-of-the-pod"}, rules=documented_rules())
    (tmp_path / "token").write_text("first-token-of-the-pod\n")
    with listening(kubernetes, certificate=certificate) as url:
        yield (
            kubernetes,
            around.spec(
                type="kubernetes",
                namespace="pipeline",
                url=url,
                token_file=str(tmp_path / "token"),
                tls={"ca": str(certificate[0])},
            ),
        )


def documented_rules() -> list[Mapping[str, Any]]:
    """Of the Role in `docs/howto/process-managers.md`."""
    block = HOWTO.read_text(encoding="utf-8").split("```yaml\nkind: Role\n")[1].split("```")[0]
    role = next(YAML(typ="safe").load_all(f"kind: Role\n{block}"))
    rules: list[Mapping[str, Any]] = role["rules"]
    return rules


def deployed(workload: Workload, version: str) -> None:
    """Somebody rolls out another version."""
    spec = workload.told["spec"]
    template = {**spec["template"], "spec": {"containers": [{"name": "main", "image": f"writer:{version}"}]}}
    workload.changed({**spec, "template": template})
    for _ in range(2 * workload.wanted + 2):
        workload.step()


def test_kubernetes_restarts_scales_and_undoes_with_the_documented_rights(
    around: Around, cluster: tuple[FakeKubernetes, ManagerSpec]
) -> None:
    kubernetes, spec = cluster
    writer = kubernetes.add("storage-writer")
    for written in (
        {"restart": "storage-writer"},
        {"scale": "storage-writer", "to": 5},
        {"scale": "storage-writer", "to": 3},
        {"undo": "storage-writer"},
    ):
        if "undo" in written:
            deployed(writer, "v2")
        outcome = around.perform(spec, **written)
        assert outcome.state is OutcomeState.DONE, outcome
    assert len(writer.staying) == 3
    assert around.witness(spec, "storage-writer").ok


def test_every_documented_right_is_needed(
    around: Around, cluster: tuple[FakeKubernetes, ManagerSpec]
) -> None:
    """Least privilege: with any one of them left out, something of what is documented fails."""
    kubernetes, spec = cluster
    writer = kubernetes.add("storage-writer")
    deployed(writer, "v2")  # so that there is a revision to go back to
    everything: tuple[dict[str, Any], ...] = (
        {"restart": "storage-writer"},
        {"scale": "storage-writer", "to": 4},
        {"scale": "storage-writer", "to": 3},
        {"undo": "storage-writer"},
    )
    rules = documented_rules()
    rights = [
        (number, resource, verb)
        for number, rule in enumerate(rules)
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    for number, resource, verb in rights:
        rule = rules[number]
        others = [
            {**rule, "resources": [one for one in rule["resources"] if one != resource]},
            {**rule, "resources": [resource], "verbs": [one for one in rule["verbs"] if one != verb]},
        ]
        kubernetes.rules = [*rules[:number], *others, *rules[number + 1 :]]
        deployed(writer, f"v{number}-{resource}-{verb}")
        states = {around.perform(spec, seconds=2, **written).state for written in everything}
        assert states != {OutcomeState.DONE}, f"{verb} {resource} is granted and not needed"


def test_a_token_that_is_renewed_in_its_file_is_taken_up(
    around: Around, cluster: tuple[FakeKubernetes, ManagerSpec], tmp_path: Path
) -> None:
    kubernetes, spec = cluster
    kubernetes.add("storage-writer")
    assert around.perform(spec, restart="storage-writer").state is OutcomeState.DONE
    kubernetes.tokens = {"second-token-of-the-pod"}
    refused = around.perform(spec, restart="storage-writer")
    assert refused.state is OutcomeState.FAILED
    assert "401" in refused.output
    assert "first-token" not in str(refused)
    (tmp_path / "token").write_text("second-token-of-the-pod")
    assert around.perform(spec, restart="storage-writer").state is OutcomeState.DONE


def test_systemctl_is_started_as_a_program(around: Around, tmp_path: Path) -> None:
    systemd = FakeSystemd()
    systemd.add("writer.service")
    program = installed(tmp_path, systemd)
    spec = around.spec(type="systemd", program=str(program), steady="0s")
    assert around.witness(spec, "writer").ok
    outcome = around.perform(spec, restart="writer")
    assert outcome.state is OutcomeState.DONE, outcome
    assert around.perform(spec, stop="writer").state is OutcomeState.DONE
    down = around.witness(spec, "writer")
    assert (down.ok, down.body["state"]) == (False, "inactive (dead)")
    assert around.perform(spec, start="writer").state is OutcomeState.DONE
    unknown = around.perform(spec, restart="no-such-unit")
    assert unknown.state is OutcomeState.FAILED
    assert reread(tmp_path).orders == [f"{order} writer.service" for order in ("restart", "stop", "start")]


def test_a_systemctl_that_is_cut_off_leaves_its_job_open(around: Around, tmp_path: Path) -> None:
    program = tmp_path / "systemctl"
    program.write_text(
        '#!/bin/sh\ncase "$*" in *show*) echo ActiveState=active; echo SubState=running;; *) exec sleep 60;; esac\n'
    )
    program.chmod(0o755)
    spec = around.spec(type="systemd", program=str(program))
    assert around.perform(spec, seconds=1, restart="writer").state is OutcomeState.UNKNOWN
