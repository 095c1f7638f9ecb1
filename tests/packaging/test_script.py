"""The console script works on the installed wheel, from a folder that is not the checkout."""

from __future__ import annotations

import importlib.metadata
import os
import site
import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import site, sys
for folder in sys.argv[1].split(";"):
    site.addsitedir(folder)
sys.path[:] = [p for p in sys.path if p != sys.argv[2]]
sys.path.insert(0, sys.argv[3])
import daemon
assert daemon.__file__.startswith(sys.argv[3]), daemon.__file__
from daemon.cli.main import invoke
sys.exit(invoke(sys.argv[4:]))
"""


def fleetmend(installed: Path, empty: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed wheel with this environment's dependencies, and without the editable checkout."""
    root = str(Path(__file__).parents[2])
    command = [
        sys.executable,
        "-I",
        "-c",
        RUN,
        ";".join(site.getsitepackages()),
        root,
        str(installed),
        *arguments,
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(empty)}
    return subprocess.run(command, cwd=empty, env=environment, check=False, capture_output=True, text=True)


def test_the_script_is_installed_and_says_its_version(installed: Path, tmp_path: Path) -> None:
    """Pip's own script, with the dependencies on the path."""
    script = installed / "bin" / "fleetmend"
    path = os.pathsep.join([str(installed), *site.getsitepackages()])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(tmp_path)}
    done = subprocess.run(
        [str(script), "--version"], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"fleetmend {importlib.metadata.version('fleetmend')}\n"


def test_the_installed_wheel_checks_its_own_example(installed: Path, tmp_path: Path) -> None:
    """The pack, the schema and the plug-ins come along: a configuration loads without the checkout."""
    example = installed / "config" / "examples" / "minimal.yaml"
    done = fleetmend(installed, tmp_path, "check", str(example))
    assert done.returncode == 0, done.stderr
    assert "ok: 0 errors" in done.stdout


@pytest.mark.parametrize(
    "command", ["run", "demo", "check", "incidents", "explain", "ack", "pause", "schema"]
)
def test_every_command_explains_itself(installed: Path, tmp_path: Path, command: str) -> None:
    done = fleetmend(installed, tmp_path, command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: fleetmend" in done.stdout
