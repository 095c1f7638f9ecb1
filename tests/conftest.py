"""For every test: a clean environment, and, in CI, no skipping."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

PREFIX = "FLEETMEND_"
IN_CI = f"{PREFIX}CI"
"""Set by the gate: what a test needs has to be there, so a skipped test is a failed one."""
SOAK = f"{PREFIX}SOAK"
"""Set by `make soak`: the long forms run too."""

for _name in [name for name in os.environ if name.startswith(PREFIX) and name not in {IN_CI, SOAK}]:
    del os.environ[_name]

COUNTED = "counted"
"""Property of a test whose value is a line of the summary: what it counted is worth being read when it is well."""


settings.register_profile("gate", derandomize=True)
if os.environ.get(IN_CI) and not os.environ.get(SOAK):
    # The gate says the same twice; people's machines and the soak go on searching.
    settings.load_profile("gate")


LONG = "long"
"""Marks what takes many seconds, so that workers which share the tests out end at nearly the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long is begun first; all else keeps its order."""
    items.sort(key=lambda item: item.get_closest_marker(LONG) is None)


def _refuse(report: Any) -> None:
    if os.environ.get(IN_CI) and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        vars(report).pop("wasxfail", None)  # with it the failure would not count
        report.longrepr = f"nothing may be skipped in CI: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that was skipped, or failed as it was expected to, fails in CI."""
    report = yield
    _refuse(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests counted."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = [value for report in reports for name, value in report.user_properties if name == COUNTED]
    if lines:
        terminalreporter.section(COUNTED)
        for line in sorted(map(str, lines)):
            terminalreporter.line(line)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So does a module that is skipped as a whole."""
    report = yield
    _refuse(report)
    return report
