"""The two lock files: every line pinned and hashed, no host, no path, nothing that clashes with our names."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.packaging.conftest import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)(\[[a-z,]+\])?==(?P<version>[^\s;\\]+)", re.IGNORECASE)


def pins(lock: str) -> dict[str, str]:
    """Name -> its lines."""
    found: dict[str, str] = {}
    name = ""
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if match := PIN.match(line):
            name = re.sub(r"[-_.]+", "-", match["name"]).lower()
        if name:
            found[name] = found.get(name, "") + line + "\n"
    return found


def wanted(text: str) -> str:
    """Distribution name of a requirement."""
    name = re.match(r"[A-Za-z0-9._-]+", text)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host_no_path_and_no_option(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash)", text, re.MULTILINE), "an option such as --find-links got in"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_carries_hashes(lock: str) -> None:
    bare = [name for name, lines in pins(lock).items() if "--hash=sha256:" not in lines]
    assert pins(lock)
    assert bare == []


@pytest.mark.parametrize("lock", LOCKS)
def test_nothing_in_a_lock_installs_a_package_called_daemon(lock: str) -> None:
    assert not {"python-daemon", "ansible-runner"} & set(pins(lock))


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["demo"]]
    building = project["dependency-groups"]["build"]
    tools = [one for one in project["dependency-groups"]["dev"] if isinstance(one, str)]
    runtime, developer = (set(pins(lock)) for lock in LOCKS)
    assert {wanted(one) for one in (*needed, *building)} <= runtime, "make lock"
    assert {wanted(one) for one in (*needed, *building, *tools)} <= developer, "make lock"


def test_both_locks_pin_the_same_versions() -> None:
    runtime, developer = (pins(lock) for lock in LOCKS)
    differ = [name for name in runtime if version(runtime[name]) != version(developer[name])]
    assert differ == []


def version(lines: str) -> str:
    match = PIN.match(lines)
    assert match is not None
    return match["version"]
