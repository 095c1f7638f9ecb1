"""Levels: who may be on call with what, at the edges of what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.linted import told

PEOPLE = """people:
  ana: {name: Ana, channels: [{pagerduty: {routing_key: {env: SIGNING_KEY}}}, {email: ana@example.org}]}
  ben: {name: Ben, channels: [{email: ben@example.org}]}
  con: {name: Con, channels: [{console: {}}]}
  dan: {name: Dan, channels: [{teams: {url: {env: SIGNING_KEY}}}, {console: {}}]}
teams: {quiet: [con, dan], mixed: [con, ben]}
schedules:
  primary: {rotation: {every: 1w, starts: "2026-01-05 09:00", people: [ana, ben]}}
  same: {timezone: Europe/Paris, rotation: {every: 1w, starts: "2026-01-05 10:00", people: [ana, ben]}}
  other: {rotation: {every: 1w, starts: "2026-01-05 09:00", people: [ben, ana]}}
  slower: {rotation: {every: 2w, starts: "2026-01-05 09:00", people: [ana, ben]}}
  kept: {calendar: {file: /etc/oncall.ics}}
"""
BOOK = "playbooks:\n  book: {failure_mode: storage_failure, ladder: [], escalation: external}\n"


def levels(*notify: str) -> str:
    after = ("", ", after: {high: 30m}", ", after: {high: 4h}")
    rows = [f"    - {{level: L{n + 1}, notify: [{who}]{after[n]}}}\n" for n, who in enumerate(notify)]
    return PEOPLE + "escalation:\n  default:\n" + "".join(rows)


def codes(folder: Path, piece: str, code: str) -> list[str]:
    return [one.problem for one in told(folder, piece) if one.code == code]


@pytest.mark.parametrize(
    ("notify", "said", "why"),
    [
        (('"person:ana"',), 0, "she has a service"),
        (('"schedule:primary"',), 1, "Ben has none in his week"),
        (('"schedule:primary", "person:ana"',), 0, "Ana has one at all times"),
        (('"person:ben"', '"person:ana"'), 1, "only L1 counts"),
    ],
)
def test_an_external_escalation_needs_a_service_whoever_is_on_call(
    tmp_path: Path, notify: tuple[str, ...], said: int, why: str
) -> None:
    assert len(codes(tmp_path, levels(*notify) + BOOK, "external-nowhere")) == said, why
    assert codes(tmp_path, levels(*notify), "external-nowhere") == [], "no playbook asks for it"


@pytest.mark.parametrize(
    ("notify", "said", "why"),
    [
        ('"person:con"', 1, "a console rings nowhere"),
        ('"team:quiet"', 1, "Teams may lose what it took"),
        ('"team:mixed"', 0, "Ben has mail"),
        ('"person:con", "schedule:primary"', 0, "others are told too"),
        ('"schedule:kept"', 0, "whom a calendar names is not known here"),
    ],
)
def test_a_level_needs_somebody_who_notices(tmp_path: Path, notify: str, said: int, why: str) -> None:
    assert len(codes(tmp_path, levels(notify), "level-unsure")) == said, why


@pytest.mark.parametrize(
    ("notify", "said", "why"),
    [
        (('"schedule:primary"', '"schedule:same"'), "100%", "in step, though one is written in another zone"),
        (('"schedule:primary"', '"schedule:other"'), "", "never in step"),
        (('"schedule:primary"', '"schedule:slower"'), "51%", "every second week of 53"),
        (('"schedule:primary"', '"team:mixed"'), "", "a team with somebody else"),
        (('"team:mixed"', '"person:ben"'), "100%", "was told with the team"),
        (('"schedule:kept"', '"schedule:kept"'), "", "whom a calendar names is not known here"),
    ],
)
def test_a_level_that_tells_nobody_new_is_told_of(
    tmp_path: Path, notify: tuple[str, ...], said: str, why: str
) -> None:
    found = codes(tmp_path, levels(*notify), "level-repeats")
    assert [part for part in found if said and said in part] == found, why
    assert bool(found) is bool(said), why
