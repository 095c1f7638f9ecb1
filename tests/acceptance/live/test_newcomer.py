"""`fleetmend demo` as a newcomer starts it: told where to look, live data, and nothing left behind after Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.acceptance.live.stages import ROOT, clean_environment, short_folder

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(180)]

SHOWN_WITHIN = 60.0
SCRIPT = [sys.executable, "-u", "-c", "import sys; from daemon.cli.main import main; sys.exit(main())"]


@pytest.fixture
def state() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder / "s"


def mentioning(state: Path) -> list[str]:
    """Command lines of every living process that has to do with this state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if entry.name.isdigit() and any(str(state) in word for word in words):
                found.append(" ".join(words))
    return found


def introduced(lines: Iterator[str]) -> dict[str, str]:
    """What the demo said, by its first word, up to its last line."""
    said: dict[str, str] = {}
    for line in lines:
        word, _, rest = line.strip().partition("  ")
        said[word] = rest.strip()
        if word == "end it":
            break
    return said


def test_the_demo_shows_itself_within_a_minute_and_leaves_nothing_behind_after_ctrl_c(state: Path) -> None:
    began = time.monotonic()
    demo = subprocess.Popen(
        [*SCRIPT, "demo", "--state", str(state)],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    guard = threading.Timer(SHOWN_WITHIN, demo.terminate)
    guard.start()
    try:
        assert demo.stdout is not None
        said = introduced(iter(demo.stdout.readline, ""))
        took = time.monotonic() - began
        assert {"console", "source", "break it", "heal it"} <= said.keys(), said
        assert took < SHOWN_WITHIN
        assert "scraped by the daemon" in said["source"]
        assert str(state) in said["break it"], "the command as shown reaches this very pipeline"
        assert str(state) in said["heal it"]
        page = requests.get(said["console"], timeout=5)
        assert page.status_code == 200
        assert "provider" in page.text
        assert "Take the wheel" in page.text, "a newcomer may press the buttons"
        status = requests.get(f"{said['console']}api/v1/status", timeout=5).json()
        assert status["sources"][0]["state"] == "ok", "live data, not a promise of it"
        assert status["detectors"]["blind"] == 0
    finally:
        guard.cancel()
        demo.send_signal(signal.SIGINT)
        rest = demo.communicate(timeout=90)[0]
    assert demo.returncode == 0, rest
    assert mentioning(state) == []
