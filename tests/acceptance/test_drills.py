"""A drill tells beforehand what an incident would meet: the shipped playbooks against a healthy pipeline, and broken ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config.scope import Scope, scope_of
from daemon.app.drilling import Here
from daemon.incidents.drills import Check, Drill, DrillState, Grade
from daemon.incidents.records import Mute, MuteKind
from daemon.replay.virtual import Time
from daemon.store.store import Store
from remediations.ports import Unreachable
from tests.fakes.ports import EPOCH, answer
from tests.fakes.story import BASE, settings_of
from tests.fakes.world import World

HOT = scope_of({"tier": "hot"})
HOSTS = (
    "storage-admin",
    "transformation",
    "api",
    *(f"ingestion-{p}" for p in ("navixy", "teltonika", "oem-a")),
)


class Ground:
    """A healthy pipeline, a store, and drills over them."""

    def __init__(self) -> None:
        self.world = World(Time(EPOCH))
        for host in HOSTS:
            self.world.http.on("OPTIONS", f"http://{host}:8080", answer(404))
        self.store = Store.open("sqlite://")

    def drill(self, name: str, *scopes: Scope, more: str = "") -> Drill:
        texts = [text for text in (BASE, more) if text]
        return Here(settings_of(*texts), self.world.ports, self.store).drill(name, scopes, "ana")


@pytest.fixture
def ground() -> Ground:
    return Ground()


def failed(drill: Drill) -> dict[str, Check]:
    """(rung/check) -> what failed, over all scopes."""
    found: dict[str, Check] = {}
    for part in drill.scopes:
        rows = [("", check) for check in part.checks]
        rows += [(f"{rung.name}/", check) for rung in part.rungs for check in rung.checks]
        found |= {f"{rung}{check.name}": check for rung, check in rows if check.grade is Grade.FAILED}
    return found


SHIPPED = {
    "provider-outage": (set(), 3),
    "ingestion-stopped": (
        {"scale-up/do", "scale-up/when"},
        4,
    ),  # neither a group to scale nor a word of resources
    "transformation-failure": (set(), 3),
    "storage-hot": ({"restart-database/do"}, 1),  # this pipeline's database is nobody's unit
    "storage-warm": (set(), 1),
    "storage-cold": (set(), 1),
    "api-degradation": (set(), 1),
    "data-quality": (set(), 3),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_playbook_is_found_to_work_where_it_does(name: str, ground: Ground) -> None:
    wrong, scopes = SHIPPED[name]
    drill = ground.drill(name)
    assert failed(drill).keys() == wrong, failed(drill)
    assert drill.state is (DrillState.FAILED if wrong else DrillState.PASSED)
    assert len(drill.scopes) == scopes
    assert {rung.name for part in drill.scopes for rung in part.rungs} == {
        rung.name for rung in settings_of(BASE).model.playbooks[name].ladder
    }


def test_nothing_is_done_by_any_of_them(ground: Ground) -> None:
    for name in SHIPPED:
        ground.drill(name)
    assert ground.world.effects == []
    assert {request.method for request in ground.world.http.requests if "supervisor" not in request.url} == {
        "GET",
        "OPTIONS",
    }
    with ground.store.read() as uow:
        assert uow.timeline.last_seq() == 0


def no_probe(ground: Ground) -> None:
    ground.world.http.on("GET", "http://storage-admin:8080", Unreachable("connection refused"))


def no_host(ground: Ground) -> None:
    ground.world.http.on("OPTIONS", "http://storage-admin:8080", Unreachable("connection refused"))


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (no_probe, {"probe health", "fail-over-to-replica/when", "fail-over-to-replica/confirm"}),
        (no_host, {"fail-over-to-replica/do", "fail-over-to-replica/undo", "fail-over-to-replica/return"}),
    ],
)
def test_what_an_incident_would_meet_is_met_in_the_drill(
    spoil: Callable[[Ground], None], wrong: set[str], ground: Ground
) -> None:
    spoil(ground)
    drill = ground.drill("storage-hot")
    assert drill.state is DrillState.FAILED
    assert wrong <= failed(drill).keys()


def mute(kind: MuteKind, **matchers: str) -> Mute:
    return Mute("m-1", kind, "ana", "a release", EPOCH - 60, EPOCH + 3600, matchers)


@pytest.mark.parametrize(
    ("mute", "held"),
    [
        (mute(MuteKind.PAUSE), True),
        (mute(MuteKind.MAINTENANCE, tier="hot"), True),
        (mute(MuteKind.MAINTENANCE, tier="warm"), False),
    ],
)
def test_what_a_person_holds_back_is_held_and_is_no_failure(mute: Mute, held: bool, ground: Ground) -> None:
    with ground.store.write() as uow:
        uow.mutes.save(mute)
    rung = next(
        r for r in ground.drill("storage-hot", HOT).scopes[0].rungs if r.name == "fail-over-to-replica"
    )
    assert rung.grade is (Grade.HELD if held else Grade.PASSED)
    gate = next(gate for gate in rung.gates if gate["name"] == "maintenance")
    assert gate["allowed"] is not held
    assert len(rung.gates) == 15


OBSERVING = "autonomy: observe\n"
ASKING = "autonomy: propose\n"


def test_observing_is_held_and_asking_first_is_as_it_was_written(ground: Ground) -> None:
    seen = {}
    for text in (OBSERVING, ASKING):
        part = ground.drill("storage-hot", HOT, more=text).scopes[0]
        rung = next(rung for rung in part.rungs if rung.name == "enlarge-pool")
        seen[text] = next(check for check in rung.checks if check.name == "guardrails")
    assert seen[OBSERVING].grade is Grade.HELD
    assert seen[ASKING] == Check("guardrails", Grade.PASSED, "allowed once a person approves")


def test_a_rung_whose_condition_names_what_no_probe_changes_is_asked_nothing(ground: Ground) -> None:
    part = ground.drill("provider-outage", scope_of({"provider": "navixy"})).scopes[0]
    rung = next(rung for rung in part.rungs if rung.name == "tell-stakeholders")
    assert [check.grade for check in rung.checks] == [Grade.UNASKED]
    named = ground.drill(
        "provider-outage",
        scope_of({"provider": "navixy"}),
        more='vars: {status_page: "http://api:8080/status"}\n',
    )
    rung = next(rung for rung in named.scopes[0].rungs if rung.name == "tell-stakeholders")
    assert rung.grade is Grade.PASSED


NOBODY = """
schedules:
  primary: {rotation: {every: 1w, starts: "2027-01-04 09:00", people: [ana]}}
"""


def test_a_page_that_would_reach_nobody_is_a_failure(ground: Ground) -> None:
    checks = failed(ground.drill("storage-cold", more=NOBODY))
    assert checks.keys() == {"pages L1"}
    assert "nobody is on duty" in checks["pages L1"].text


def test_a_scope_for_which_another_playbook_would_be_chosen_is_told(ground: Ground) -> None:
    checks = failed(ground.drill("storage-hot", scope_of({"tier": "warm"})))
    assert checks["playbook"].text == "storage-warm would be chosen"


def test_where_no_scope_is_known_nothing_is_passed(ground: Ground) -> None:
    unknown = BASE.replace("provider: [navixy, teltonika, oem-a], ", "")
    drill = Here(settings_of(unknown), ground.world.ports, ground.store).drill("provider-outage", (), "ana")
    assert (drill.state, drill.scopes) == (DrillState.REFUSED, ())
