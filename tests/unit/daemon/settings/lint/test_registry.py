"""Every check has a code, a reason, an example that triggers it, a remedy that does not, and its section in the docs."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from config.problems import Gravity
from daemon.settings import lint as package
from daemon.settings.lint import live
from daemon.settings.lint.check import Check, Topic
from daemon.settings.lint.explain import section
from daemon.settings.lint.live.registry import LIVE_CHECKS
from daemon.settings.lint.live.seen import LiveCheck
from daemon.settings.lint.registry import CHECKS, TOPICS
from daemon.settings.lint.silence import IGNORED
from tests.fakes.linted import lines, told

PAGE = Path(__file__).parents[5] / "docs" / "reference" / "checks.md"
STATIC = [*CHECKS, IGNORED]


def defined(within: object, kind: type[Topic]) -> set[str]:
    """Codes of every check that a module of the package defines."""
    path, name = within.__path__, within.__name__  # type: ignore[attr-defined]
    modules = [importlib.import_module(f"{name}.{one.name}") for one in pkgutil.iter_modules(path)]
    return {one.code for module in modules for one in vars(module).values() if isinstance(one, kind)}


def test_every_check_that_is_written_is_registered() -> None:
    assert defined(package, Check) == {check.code for check in CHECKS}
    assert defined(live, LiveCheck) == {check.code for check in LIVE_CHECKS}


def test_codes_are_unique_and_readable() -> None:
    assert len(TOPICS) == len(CHECKS) + len(LIVE_CHECKS) + 1
    assert [code for code in TOPICS if not re.fullmatch(r"[a-z]+(-[a-z]+)+", code)] == []


@pytest.mark.parametrize("topic", TOPICS.values(), ids=list(TOPICS))
def test_every_check_is_documented(topic: Topic) -> None:
    assert section(topic) in PAGE.read_text(encoding="utf-8"), "run `make docs`"
    assert len(topic.why) > 100, "says why"
    assert topic.fix.endswith("."), "says what to do"


@pytest.mark.parametrize("check", STATIC, ids=[check.code for check in STATIC])
def test_the_example_triggers_the_check_at_its_line(tmp_path: Path, check: Topic) -> None:
    problems = told(tmp_path, check.example)
    assert lines(problems, check.code) == [check.marked_line]
    assert {one.severity for one in problems if one.code == check.code} == {check.gravity}
    assert all(one.hint for one in problems if one.code == check.code)
    uncoded = [str(one) for one in problems if one.severity is Gravity.ERROR and one.code != check.code]
    assert uncoded == [], "the example shows one mistake, and no other error"


@pytest.mark.parametrize("check", STATIC, ids=[check.code for check in STATIC])
def test_the_remedy_does_not_trigger_it(tmp_path: Path, check: Topic) -> None:
    problems = told(tmp_path, check.better)
    assert lines(problems, check.code) == []
    assert [str(one) for one in problems if one.severity is Gravity.ERROR] == []
