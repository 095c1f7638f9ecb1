"""The wheel carries the migrations, and they run from it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[4]

UPGRADE = """
import sys
sys.path.insert(0, sys.argv[1])
from sqlalchemy import create_engine
from daemon.store import schema
assert schema.__file__.startswith(sys.argv[1]), schema.__file__
engine = create_engine("sqlite://")
with engine.begin() as connection:
    schema.upgrade(connection)
    assert schema.current(connection) == schema.HEAD
engine.dispose()
"""


def test_an_upgrade_runs_from_an_unpacked_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "a folder with 100% signs"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    done = subprocess.run(
        [sys.executable, "-I", "-c", UPGRADE, str(unpacked)],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
