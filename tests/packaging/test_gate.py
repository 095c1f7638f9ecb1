"""The gate itself can fail: on a skipped test in CI, on what is too long, on what must not be in the tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

SKIPPED = "import pytest\n\ndef test_one():\n    pytest.skip('no server')\n"
SKIPPED_MODULE = "import pytest\npytest.skip('no library', allow_module_level=True)\n"
XFAILED = "import pytest\n\n@pytest.mark.xf" + "ail\ndef test_one():\n    assert False\n"
GOOD = "def test_one():\n    assert True\n"
LONG_FUNCTION = "def f():\n" + "    print()\n" * 51
WORDS = "    " + '"""' + "\n    words" * 60 + '\n    """\n'
LONG_DOCSTRING = f"def f():\n{WORDS}    print()\n"
LONG_FILE = "x = 1\n" * 401


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty repository with the gate's scripts in it."""
    (tmp_path / ".ci").mkdir()
    for name in ("check_sizes.py", "check_tree.py"):
        (tmp_path / ".ci" / name).write_text(
            (ROOT / ".ci" / name).read_text(encoding="utf-8"), encoding="utf-8"
        )
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def put(repository: Path, name: str, text: str) -> None:
    (repository / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "add", name], cwd=repository, check=True)


def ran(repository: Path, script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / ".ci" / script)]
    return subprocess.run(command, cwd=repository, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("text", "in_ci", "code", "reason"),
    [
        (GOOD, True, 0, "nothing is skipped"),
        (SKIPPED, False, 0, "a person may lack a server"),
        (SKIPPED, True, 1, "CI may not"),
        (SKIPPED_MODULE, True, 2, "nor skip a whole module"),
        (XFAILED, True, 1, "nor expect a failure"),
    ],
)
def test_a_skipped_test_fails_in_ci_alone(
    tmp_path: Path, text: str, in_ci: bool, code: int, reason: str
) -> None:
    (tmp_path / "test_it.py").write_text(text, encoding="utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FLEETMEND_", "PYTEST_"))
    }
    environment |= {"FLEETMEND_CI": "1"} if in_ci else {}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path / "test_it.py")]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == code, f"{reason}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("good.py", LONG_DOCSTRING, ""),
        ("long.py", LONG_FILE, "long.py:401: 401 lines"),
        ("deep.py", LONG_FUNCTION, "deep.py:1: f has 52 lines"),
    ],
)
def test_what_is_too_long_is_named(repository: Path, name: str, text: str, found: str) -> None:
    put(repository, name, text)
    done = ran(repository, "check_sizes.py")
    assert done.returncode == bool(found)
    assert done.stdout.startswith(found)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("good.py", "x = 1  # a note that stays\n", ""),
        ("note.md", "to be done: TO" + "DO\n", "note.md:1: a left-over note"),
        ("off.py", "@pytest.mark.sk" + "ip\ndef test_it(): ...\n", "off.py:1: a switched-off test"),
        ("bare.lock", "--index-url https://pypi" + ".org/simple\n", "bare.lock:1: a registry host"),
        ("uv.lock", "version = 1\n", "uv.lock: is tracked"),
    ],
)
def test_what_must_not_be_in_the_tree_is_named(repository: Path, name: str, text: str, found: str) -> None:
    put(repository, name, text)
    done = ran(repository, "check_tree.py")
    assert done.returncode == bool(found), done.stderr
    assert done.stdout.startswith(found)
