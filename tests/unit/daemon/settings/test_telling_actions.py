"""Rungs that tell, wait or delegate, as people write them: every mistake at its line, and the page about them is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.problems import Gravity
from daemon.settings.load import load
from tests.fakes.linted import told

ROOT = Path(__file__).parents[4]
BOOK = """playbooks:
  book:
    failure_mode: storage_failure
    escalation: external
    ladder:
      - name: aside
        do:
          {do}
"""


@pytest.mark.parametrize(
    ("do", "path", "says"),
    [
        ("wait: {for: 2h}", "wait.for", "3600"),
        ("wait: {until: 2m}", "wait.until", "unknown key"),
        ("notify: {pager: {text: x}}", "notify.pager", "unknown key"),
        ("notify: {slack: {url: hooks/x, text: x}}", "notify.slack.url", "no scheme|not an address"),
        (
            "notify: {statuspage: {page: p, token: t, name: n, text: t}}",
            "notify.statuspage.token",
            "env: NAME",
        ),
        ("job: {awx: {url: 'http://x', token: t, template: 7}}", "job.awx.token", "env: NAME"),
        ("job: {jenkins: {}}", "job.jenkins", "unknown key"),
        ("http: {url: 'http://x', poll: {location: true}}", "http.poll.until", "is required"),
    ],
)
def test_a_mistake_is_told_at_its_line(tmp_path: Path, do: str, path: str, says: str) -> None:
    found = [one for one in told(tmp_path, BOOK.format(do=do)) if one.path.endswith(path)]
    assert [one.line for one in found] == [8]
    assert found[0].severity is Gravity.ERROR
    assert re.search(says, f"{found[0].problem} {found[0].hint}"), found[0]


def test_what_the_page_shows_loads_over_the_pack(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "howto" / "tell-wait-delegate.md").read_text(encoding="utf-8")
    shown = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    base = "version: 1\ntelemetry: {main: {type: prometheus, url: 'http://127.0.0.1:9090'}}\n"
    for name, text in (("base.yaml", base), ("shown.yaml", shown)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    loaded = load(
        [tmp_path / "base.yaml", tmp_path / "shown.yaml"], environment={"STATUSPAGE_KEY": "k-0815-0815"}
    )
    ours = [one for one in loaded.problems if one.file.endswith("shown.yaml")]
    assert [one for one in ours if one.path.startswith(("playbooks", "vars"))] == []
    rung = next(
        rung for rung in loaded.model.playbooks["provider-outage"].ladder if rung.name.startswith("tell")
    )
    assert rung.do["notify"].keys() == {"statuspage"}
