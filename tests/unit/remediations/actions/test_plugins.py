"""Kinds of action that another package brings: its metadata stands in a folder of the path, as pip would leave it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.problems import Gravity, Problem
from config.scope import WHOLE, scope_of
from remediations.actions.action import Unrenderable
from remediations.actions.registry import KINDS, Actions, brought, entry_of, mends
from remediations.outcome import OutcomeState
from tests.fakes.linted import told
from tests.fakes.ports import FakePermit, FakePorts

REBOOT = """
from remediations.actions.registry import Entry
from remediations.outcome import Outcome, OutcomeState
from config.section import Section


class RebootArgs(Section):
    host: str


class Reboot:
    def render(self, args, names):
        return {"host": args.host, "label": names["scope"]["tier"]}

    def targets(self, rendered, scope):
        return frozenset({rendered["host"]})

    def disruptive(self, rendered):
        return True

    def idempotent(self, rendered):
        return False

    def perform(self, rendered, ports, *, deadline, permit, key):
        state = OutcomeState.DONE if permit.granted() else OutcomeState.NOT_DONE
        return Outcome(state, f"{rendered['host']} was rebooted", "", ports.clock.now())


ENTRY = Entry(RebootArgs, lambda around: Reboot())
SIGN = Entry(RebootArgs, lambda around: Reboot(), mends=False)
UNBUILT = Entry(RebootArgs, lambda around: 1 / 0)
NO_ENTRY = Reboot
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution with these entry points where Python looks for packages."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(name: str = "acme-fleetmend", code: str = REBOOT, **points: str) -> None:
        module = name.replace("-", "_")
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
        info = tmp_path / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", encoding="utf-8"
        )
        rows = "\n".join(f"{kind} = {module}:{found}" for kind, found in points.items())
        (info / "entry_points.txt").write_text(f"[fleetmend.actions]\n{rows}\n", encoding="utf-8")
        brought.cache_clear()

    yield put
    monkeypatch.undo()
    brought.cache_clear()


def book(do: str) -> str:
    return (
        "playbooks:\n  book:\n    failure_mode: storage_failure\n    escalation: external\n"
        f"    ladder:\n      - name: mend\n        do: {do}\n"
    )


def of(problems: list[Problem]) -> list[tuple[int, str, Gravity]]:
    """Those that are about actions of other packages."""
    return [(one.line, one.path, one.severity) for one in problems if "action '" in one.problem]


def test_a_kind_of_another_package_is_checked_prepared_and_performed_like_any_other(
    tmp_path: Path, install: Install
) -> None:
    install(reboot="ENTRY")
    assert of(told(tmp_path, book("{reboot: {host: db-1}}"))) == []
    wrong = [one for one in told(tmp_path, book("{reboot: {hosts: db-1}}")) if one.path.endswith("hosts")]
    assert [(one.line, one.path) for one in wrong] == [(7, "playbooks.book.ladder[0].do.reboot.hosts")]
    assert "host" in wrong[0].hint
    actions, world, scope = Actions({}, str), FakePorts(), scope_of({"tier": "hot"})  # type: ignore[arg-type]  # no secrets here
    prepared = actions.prepare({"reboot": {"host": "db-1"}}, {"scope": {"tier": "hot"}}, scope)
    assert (prepared.kind, prepared.targets, prepared.disruptive, prepared.mends) == (
        "reboot",
        {"db-1"},
        True,
        True,
    )
    outcome = actions.perform(
        "reboot", prepared.rendered, world.ports, deadline=9.0, permit=FakePermit(), key="k"
    )
    assert (outcome.state, outcome.effect) == (OutcomeState.DONE, "db-1 was rebooted")


def test_it_may_say_that_it_mends_nothing_and_then_it_is_never_disruptive(install: Install) -> None:
    install(sign="SIGN")
    prepared = Actions({}, str).prepare({"sign": {"host": "a"}}, {"scope": {"tier": "hot"}}, WHOLE)  # type: ignore[arg-type]  # no secrets here
    assert (mends("sign"), prepared.mends, prepared.disruptive) == (False, False, False)


@pytest.mark.parametrize(
    ("code", "found", "says"),
    [
        ("import nothing_of_that_name", "ENTRY", "ModuleNotFoundError"),
        ("raise SystemError('half installed')", "ENTRY", "half installed"),
        (REBOOT, "MISSING", "AttributeError"),
        (REBOOT, "NO_ENTRY", "no Entry"),
    ],
    ids=["what it needs is not there", "it breaks", "nothing of that name", "another thing"],
)
def test_a_plug_in_that_breaks_is_an_error_where_it_is_used_and_else_a_warning(
    tmp_path: Path, install: Install, code: str, found: str, says: str
) -> None:
    install(code=code, reboot=found)
    used = [one for one in told(tmp_path, book("{reboot: {host: a}}")) if says in one.problem]
    assert of(used) == [(7, "playbooks.book.ladder[0].do.reboot", Gravity.ERROR)]
    assert "acme-fleetmend 1.2" in used[0].problem
    unused = [one for one in told(tmp_path, book("{wait: {for: 2m}}")) if says in one.problem]
    assert [one.severity for one in unused] == [Gravity.WARNING], "it keeps nobody from starting"
    assert unused[0].line > 0


def test_a_shipped_kind_is_not_shadowed(tmp_path: Path, install: Install) -> None:
    install(wait="ENTRY")
    assert entry_of("wait") is KINDS["wait"]
    problems = of(told(tmp_path, book("{wait: {for: 2m}}")))
    assert problems == [(7, "playbooks.book.ladder[0].do.wait", Gravity.WARNING)]


def test_of_two_packages_with_one_name_neither_is_used(tmp_path: Path, install: Install) -> None:
    install(reboot="ENTRY")
    install(name="other-fleetmend", reboot="ENTRY")
    assert entry_of("reboot") is None
    problems = told(tmp_path, book("{reboot: {host: a}}"))
    assert any("another package brings a kind of the same name" in one.problem for one in problems)


@pytest.mark.parametrize(
    ("found", "names", "says"),
    [
        ("UNBUILT", {"scope": {"tier": "hot"}}, "cannot be built"),
        ("ENTRY", {}, "broke while it was prepared"),
    ],
)
def test_one_that_breaks_later_refuses_its_rung_and_nothing_else(
    install: Install, found: str, names: dict[str, Any], says: str
) -> None:
    install(reboot=found)
    actions = Actions({}, str)  # type: ignore[arg-type]  # no secrets here
    with pytest.raises(Unrenderable, match=says):
        actions.prepare({"reboot": {"host": "a"}}, names, WHOLE)
    assert actions.prepare({"wait": {"for": "2m"}}, names, WHOLE).kind == "wait"


def test_without_any_other_package_only_what_is_shipped_is_known() -> None:
    assert (dict(brought().entries), brought().refused) == ({}, ())
