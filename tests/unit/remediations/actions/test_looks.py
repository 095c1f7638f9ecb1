"""A look says whether an action could be done, and does nothing: no order is sent, no link swapped, nothing started."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.problems import Wrong
from config.scope import scope_of
from remediations.actions.looks import LOOKS, Look, Looker
from remediations.actions.registry import KINDS, Actions
from remediations.ports import Ambiguous, Unreachable
from remediations.spec_managers import SupervisorSpec
from tests.fakes.ports import EPOCH, FakePorts, answer
from tests.fakes.supervisor import FakeSupervisor

SOCKET = "unix:///run/supervisor.sock"
HOST = "http://storage-admin:8080"
FAIL_OVER = {"http": {"method": "POST", "url": f"{HOST}/tiers/hot/failover"}}
LINK = Path("/srv/pipeline/mapping/current")
ROLL_BACK = {"file_link": {"link": str(LINK), "to": "previous"}}
RESTART = {"service": {"manager": "pipeline", "restart": "storage-writer-hot"}}
NOTIFIER = {"command": {"argv": ["/usr/local/bin/tell", "{{ scope.tier }}"]}}
CLEAN_UP = {"server": {"name": "db-1/fleet", "dsn": {"env": "DSN"}}}
NAMES = {"scope": {"tier": "hot"}, "facts": {}, "vars": {}, "fault_since": EPOCH}


class Bench(FakePorts):
    """A healthy world for one of each kind."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.secrets: dict[str, str] = {}
        self.supervisor = FakeSupervisor()
        self.supervisor.add("storage-writer-hot")
        self.supervisor.serve(self.http, SOCKET)
        self.http.on("OPTIONS", HOST, answer(204))
        self.files.add_version(LINK.parent, "v001", EPOCH - 20)
        self.files.add_version(LINK.parent, "v002", EPOCH - 10)
        self.files.links[LINK] = Path("v002")
        self.files.programs.add("/usr/local/bin/tell")

    def reveal(self, reference: Mapping[str, str]) -> str:
        if reference["env"] not in self.secrets:
            raise Wrong(f"the environment variable {reference['env']} is not set", "set it")
        return self.secrets[reference["env"]]

    def look(self, do: Mapping[str, Any]) -> Look:
        managers = {"pipeline": SupervisorSpec(type="supervisor", url=SOCKET)}
        actions = Actions(managers, self.reveal)
        ready = actions.prepare(do, NAMES, scope_of({"tier": "hot"}))
        looker = Looker(actions, self.reveal)
        return looker.look(ready.kind, ready.rendered, self.ports, deadline=self.clock.monotonic() + 60)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("do", [FAIL_OVER, ROLL_BACK, RESTART, NOTIFIER], ids=lambda do: next(iter(do)))
def test_what_could_be_done_is_good_and_is_not_done(do: dict[str, Any], bench: Bench) -> None:
    before = bench.supervisor.programs[0].pid
    seen = bench.look(do)
    assert seen.ok, seen.text
    assert not bench.http.sent("POST", HOST)
    assert bench.files.links[LINK] == Path("v002")
    assert bench.processes.commands == []
    assert bench.supervisor.programs[0].pid == before


def broken_host(bench: Bench) -> None:
    bench.http.on("OPTIONS", HOST, Unreachable("connection refused"))


def mute_host(bench: Bench) -> None:
    bench.http.on("OPTIONS", HOST, Ambiguous("no answer within the deadline"))


def gateway(bench: Bench) -> None:
    bench.http.on("OPTIONS", HOST, answer(502))


def stranger(bench: Bench) -> None:
    bench.http.on("OPTIONS", HOST, answer(401))


def only_one(bench: Bench) -> None:
    bench.files.folders[LINK.parent] = {"v002": EPOCH - 10}


def no_link(bench: Bench) -> None:
    del bench.files.links[LINK]


def no_unit(bench: Bench) -> None:
    bench.supervisor.programs.clear()


def no_manager(bench: Bench) -> None:
    bench.http.on("POST", SOCKET, Unreachable("no such file"))


def no_program(bench: Bench) -> None:
    bench.files.programs.clear()


@pytest.mark.parametrize(
    ("do", "spoil", "said"),
    [
        (FAIL_OVER, broken_host, "refused"),
        (FAIL_OVER, mute_host, "no answer"),
        (FAIL_OVER, gateway, "502"),  # somebody answers in its place
        (FAIL_OVER, stranger, "credentials"),
        (ROLL_BACK, only_one, "nothing is older"),
        (ROLL_BACK, no_link, "no link"),
        (RESTART, no_unit, "BAD_NAME"),
        (RESTART, no_manager, "no such file"),
        (NOTIFIER, no_program, "not there"),
    ],
)
def test_what_could_not_be_done_is_said(do: dict[str, Any], spoil: Any, said: str, bench: Bench) -> None:
    spoil(bench)
    seen = bench.look(do)
    assert seen.ok is False
    assert said in seen.text


def test_a_method_that_is_not_allowed_is_an_answer(bench: Bench) -> None:
    bench.http.on("OPTIONS", HOST, answer(405))
    assert bench.look(FAIL_OVER).ok


def test_a_secret_that_is_gone_is_said_and_one_that_is_there_is_shown_to_nobody(bench: Bench) -> None:
    with_token = {"http": {**FAIL_OVER["http"], "headers": {"Authorization": "Bearer x"}}}
    assert bench.look(with_token).ok
    looker = Looker(Actions({}, bench.reveal), bench.reveal)
    rendered = {"url": HOST, "headers": {"Authorization": {"env": "TOKEN"}}}
    seen = looker.look("http", rendered, bench.ports, deadline=bench.clock.monotonic() + 60)
    assert (seen.ok, "TOKEN" in seen.text) == (False, True)
    bench.secrets["TOKEN"] = "s3cret-of-the-bench"
    seen = looker.look("http", rendered, bench.ports, deadline=bench.clock.monotonic() + 60)
    assert seen.ok
    assert "s3cret" not in seen.text
    assert bench.http.sent("OPTIONS")[-1].headers["Authorization"] == "s3cret-of-the-bench"


def test_a_database_that_answers_is_good_and_one_that_does_not_is_told_without_its_password(
    bench: Bench,
) -> None:
    bench.secrets["DSN"] = "postgresql://fleet:hunter-of-the-bench@db-1/fleet"
    looker = Looker(Actions({}, bench.reveal), bench.reveal)
    asked = {"operation": "statement", "servers": CLEAN_UP}
    until = bench.clock.monotonic() + 60
    bench.databases.answers["SELECT 1"] = ((1,),)
    assert looker.look("sql", asked, bench.ports, deadline=until) == Look(True, "answered by db-1/fleet")
    bench.databases.answers["SELECT 1"] = Unreachable(f"cannot connect to {bench.secrets['DSN']}")
    seen = looker.look("sql", asked, bench.ports, deadline=until)
    assert (seen.ok, "hunter" in seen.text) == (False, False)
    assert {statement for _, statement in bench.databases.statements} == {"SELECT 1"}


def test_a_kind_that_nobody_can_look_at_counts_neither_way(bench: Bench) -> None:
    looker = Looker(Actions({}, bench.reveal), bench.reveal)
    assert looker.look("telepathy", {}, bench.ports, deadline=bench.clock.monotonic() + 60).ok is None


def test_every_row_is_a_kind() -> None:
    assert LOOKS.keys() <= KINDS.keys()
