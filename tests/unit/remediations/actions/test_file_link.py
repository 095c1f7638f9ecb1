from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config.scope import WHOLE
from remediations.actions.action import ActionError
from remediations.actions.file_link import FileLinkAction, FileLinkArgs, NoGoodVersion, last_known_good
from remediations.outcome import OutcomeState
from tests.fakes.ports import FakePermit, FakePorts

LINK = Path("/srv/pipeline/mapping/current")
NAMES = {"scope": {"provider": "navixy"}, "vars": {"mapping_link": str(LINK)}, "fault_since": 100.0}


@pytest.fixture
def world() -> FakePorts:
    made = FakePorts()
    for name, made_at in (("v001", 10.0), ("v002", 50.0), ("v003", 90.0)):
        made.files.add_version(LINK.parent, name, made_at)
    made.files.links[LINK] = Path("v003")
    return made


def rendered(**more: Any) -> dict[str, Any]:
    written = {"link": "{{ vars.mapping_link }}", "to": "previous", **more}
    return FileLinkAction().render(FileLinkArgs.model_validate(written), NAMES)


def perform(world: FakePorts, permit: FakePermit | None = None, **more: Any) -> Any:
    return FileLinkAction().perform(
        rendered(**more),
        world.ports,
        deadline=world.clock.monotonic() + 60,
        permit=permit or FakePermit(),
        key="k",
    )


def test_previous_is_the_version_before_the_current_one(world: FakePorts) -> None:
    outcome = perform(world)
    assert outcome.state is OutcomeState.DONE
    assert world.files.links[LINK] == Path("v002")
    assert "from v003 to v002" in outcome.effect


def test_doing_it_twice_does_not_go_back_twice(world: FakePorts) -> None:
    perform(world)
    assert perform(world).state is OutcomeState.NOT_DONE
    assert world.files.links[LINK] == Path("v002")


@pytest.mark.parametrize(
    ("current", "fault_since", "target", "why"),
    [
        ("v3", 35.0, "v2", "the version in force when it began may be its cause"),
        ("v3", 30.0, "v2", "made at the very moment it began"),
        ("v2", 35.0, None, "somebody has rolled back already: no further"),
        ("v4", 35.0, "v3", "made after it began: back to the one in force then"),
        ("v5", 35.0, "v4", "the newest that is older than the current one"),
        ("v3", 25.0, "v2", "the fault began before this version: back to the one in force then"),
        ("v2", 25.0, "v1", "one before the one in force is the furthest"),
        ("v1", 35.0, None, "nothing is older"),
        ("v3", 5.0, None, "every version is younger than the fault: none is known good"),
        ("v9", 35.0, None, "a current version nobody knows"),
    ],
)
def test_how_far_back_is_allowed(current: str, fault_since: float, target: str | None, why: str) -> None:
    known = (("v1", 10.0), ("v2", 20.0), ("v3", 30.0), ("v4", 40.0), ("v5", 50.0))
    if target is None:
        with pytest.raises(NoGoodVersion):
            last_known_good(known, current, fault_since)
    else:
        assert last_known_good(known, current, fault_since) == target, why


def test_a_version_can_be_named(world: FakePorts) -> None:
    assert perform(world, to="v001").state is OutcomeState.DONE
    assert world.files.links[LINK] == Path("v001")


def test_a_named_version_that_is_in_force_already_is_done(world: FakePorts) -> None:
    permit = FakePermit()
    assert perform(world, permit, to="v003").state is OutcomeState.DONE
    assert permit.asked == 0


def test_a_version_that_is_not_there_changes_nothing(world: FakePorts) -> None:
    assert perform(world, to="v999").state is OutcomeState.FAILED
    assert world.files.links[LINK] == Path("v003")


def test_versions_may_lie_elsewhere(world: FakePorts) -> None:
    elsewhere = Path("/opt/releases")
    world.files.add_version(elsewhere, "v002", 50.0)
    world.files.add_version(elsewhere, "v003", 90.0)
    assert perform(world, versions=str(elsewhere)).state is OutcomeState.DONE
    assert world.files.links[LINK] == elsewhere / "v002"


def test_without_a_permit_nothing_changes(world: FakePorts) -> None:
    assert perform(world, FakePermit(grants=False)).state is OutcomeState.NOT_DONE
    assert world.files.links[LINK] == Path("v003")


def test_a_refusal_of_the_file_system_is_a_failure(world: FakePorts) -> None:
    world.files.refusing = True
    assert perform(world).state is OutcomeState.FAILED
    del world.files.links[LINK]
    assert perform(world).state is OutcomeState.FAILED


@pytest.mark.parametrize(
    ("written", "provider"),
    [
        pytest.param(
            {"link": "/srv/{{ scope.provider }}/current", "to": "previous"}, "../x", id="a label that climbs"
        ),
        pytest.param({"link": "srv/current", "to": "previous"}, "a", id="a relative link"),
        pytest.param({"link": "/srv/../etc/current", "to": "previous"}, "a", id="a link that climbs"),
        pytest.param({"link": "/srv/current", "to": "../v1"}, "a", id="a version that climbs"),
        pytest.param({"link": "/srv/current", "to": "v1", "versions": "x"}, "a", id="a relative folder"),
        pytest.param(
            {"link": "/srv/current", "to": "{{ scope.provider }}"}, "a/b", id="a version from a label"
        ),
    ],
)
def test_no_path_can_be_left(written: dict[str, Any], provider: str) -> None:
    args = FileLinkArgs.model_validate(written)
    with pytest.raises(ActionError):
        FileLinkAction().render(args, {"scope": {"provider": provider}, "fault_since": 1.0})


def test_previous_needs_to_know_when_it_began() -> None:
    args = FileLinkArgs.model_validate({"link": "/srv/current", "to": "previous"})
    with pytest.raises(ActionError, match="began"):
        FileLinkAction().render(args, {"scope": {}})


def test_arguments_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError):
        FileLinkArgs.model_validate({"link": "/srv/current"})


def test_the_target_is_the_link() -> None:
    assert FileLinkAction().targets(rendered(), WHOLE) == {str(LINK)}
    assert FileLinkAction().disruptive(rendered())
    assert FileLinkAction().idempotent(rendered())
