"""The generic names `daemon`, `config`, ... belong to us alone in this environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

PACKAGES = ("config", "daemon", "demo", "detectors", "remediations")


def test_nobody_else_owns_our_names() -> None:
    """An editable install reports no owner, a wheel reports us; PyPI's python-daemon would report itself."""
    owners = importlib.metadata.packages_distributions()
    others = {name: owners[name] for name in PACKAGES if set(owners.get(name, [])) - {"fleetmend"}}
    assert others == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_comes_from_the_one_folder(package: str) -> None:
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    assert Path(found.origin).parents[1] == ROOT


def test_python_daemon_is_not_installed() -> None:
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.distribution("python-daemon")
