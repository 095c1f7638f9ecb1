"""Buttons in Slack: what keeps each from being pressed is told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.linted import told

CODE = "slack-unanswered"
PEOPLE = "people:\n  ana: {name: Ana, channels: [{slack: C0123456789}]}\n"
SECRET = "signing_secret: {env: SLACK_SIGNING_SECRET}"


@pytest.mark.parametrize(("app", "keys", "says"), [
    (f"{{token: {{env: SLACK_BOT}}, {SECRET}, users: {{U024BE7LH: ana}}}}", True, ""),
    ("{token: {env: SLACK_BOT}}", True, ""),
    (f"{{token: {{env: SLACK_BOT}}, {SECRET}}}", True, "no user may press"),
    (f"{{token: {{env: SLACK_BOT}}, {SECRET}, users: {{U024BE7LH: anna}}}}", True, "no person of that name"),
    (f"{{token: {{env: SLACK_BOT}}, {SECRET}, users: {{U024BE7LH: ana}}}}", False, "no signing key"),
])  # fmt: skip
def test_what_keeps_a_button_from_working_is_told(tmp_path: Path, app: str, says: str, *, keys: bool) -> None:
    piece = f"{PEOPLE}channels:\n  slack: {app}\n" + ("" if keys else "signing_keys: []\n")
    found = [problem.problem for problem in told(tmp_path, piece) if problem.code == CODE]
    assert [says in one for one in found] == ([True] if says else [])


def test_an_alertmanager_is_not_all_that_a_level_has(tmp_path: Path) -> None:
    """Whom it tells is its own business, and it says nothing of it."""
    piece = """people:
  ana: {name: Ana, channels: [{email: ana@example.org}]}
  ben: {name: Ben, channels: [{alertmanager: "https://alertmanager.example.org"}]}
channels: {smtp: {host: mail.example.org, from: fm@example.org}}
escalation:
  default:
    - {level: L1, notify: [person:ana]}
    - {level: L2, notify: [person:ben], after: {high: 30m}}
"""
    assert [one.code for one in told(tmp_path, piece) if one.code == "level-unsure"] == ["level-unsure"]
