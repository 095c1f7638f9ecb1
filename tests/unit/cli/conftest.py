"""A configuration and a store on disk for commands that are run in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.cli.main import invoke
from daemon.store.store import Store
from tests.fakes.stories import record


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def fleetmend(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as the console script does, in an environment without our variables."""
    for name in ("FLEETMEND_URL", "FLEETMEND_TOKEN", "FLEETMEND_CONFIG", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = invoke([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@dataclass(frozen=True)
class Place:
    """`config` names `state`; the store holds the recorded story."""

    config: Path
    state: Path
    kill_switch: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.state}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "fleetmend.yaml", tmp_path / "state.db", tmp_path / "run" / "pause")
    found.config.write_text(
        f"""version: 1
pack: none
state: "{found.url}"
kill_switch: {found.kill_switch}
listen: 127.0.0.1:1
telemetry:
  main: {{type: scrape, targets: ["http://127.0.0.1:1/metrics"], headers: {{X-Key: {{env: NOT_SET_HERE}}}}}}
people:
  ana: {{name: Ana, channels: [{{console: {{}}}}]}}
schedules:
  primary: {{rotation: {{every: 1w, starts: "2026-01-05 09:00", people: [ana]}}}}
""",
        encoding="utf-8",
    )
    with Store.open(found.url) as store:
        store.migrate()
        record(store)
    return found
