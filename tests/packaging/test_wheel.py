"""The wheel carries the five packages, every data file, and nothing else."""

from __future__ import annotations

import email
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

PACKAGES = ("config", "daemon", "demo", "detectors", "remediations")
LEFT_BEHIND = {"__pycache__"}


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_s_top_levels_are_the_five_packages_and_its_own_record(wheel: Path) -> None:
    tops = {name.split("/", 1)[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert len(tops) == len(PACKAGES) + 1


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_is_in_the_wheel(wheel: Path, package: str) -> None:
    """YAML, migrations, templates, static files, seeds, `py.typed`: a forgotten one works in an editable install."""
    inside = set(names(wheel))
    missing = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / package).rglob("*"))
        if path.is_file() and not LEFT_BEHIND & set(path.parts) and str(path.relative_to(ROOT)) not in inside
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("config/pack/", "playbooks.yaml", "the fleet pack is read from the package"),
        ("config/examples/", "minimal.yaml", "the first configuration of the README"),
        ("daemon/store/migrations/", ".py", "an upgrade runs from the wheel"),
        ("daemon/web/templates/", ".html", "the console is rendered from the package"),
        ("daemon/web/static/", ".css", "the console brings its own style"),
        ("daemon/web/static/", ".js", "and its one small module"),
        ("demo/", "pipeline.yaml", "the demo's figures are configuration"),
        ("demo/seed/", ".yaml", "and its mapping versions are seeds"),
        ("daemon/", "py.typed", "types are public"),
    ],
)
def test_the_wheel_carries(wheel: Path, start: str, end: str, reason: str) -> None:
    assert any(name.startswith(start) and name.endswith(end) for name in names(wheel)), reason


def test_tests_docs_and_benchmarks_never_become_installed_packages(wheel: Path) -> None:
    strays = ("tests/", "docs/", "benchmarks/", ".ci/", "deploy/")
    assert not [name for name in names(wheel) if name.startswith(strays)]


def test_the_wheel_asks_for_no_package_that_brings_a_daemon_of_its_own(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        wanted = email.message_from_bytes(archive.read(metadata)).get_all("Requires-Dist") or []
    assert wanted
    assert not [one for one in wanted if one.startswith(("python-daemon", "ansible-runner"))]
