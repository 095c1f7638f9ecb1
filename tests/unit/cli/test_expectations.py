"""The scenarios' own judgement: it agrees with the runbooks' table, and finds everything that is not as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.cli.expectations import CONTAINED, EXPECTED, RECOVERED, SELF_HEALS, VAIN, chosen, judge
from daemon.cli.rows import Row, RowAction
from daemon.settings.load import load
from tests.acceptance.expected import ITSELF, ONE_OF_EACH, STORIES, UNFIXABLE


def names(keys: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(f"{mode}:{variant}" for mode, variant in keys)


def test_every_variant_of_the_demo_is_judged_and_no_other() -> None:
    assert set(names(tuple(EXPECTED))) == set(STORIES)


@pytest.mark.parametrize("name", list(STORIES))
def test_the_command_asks_for_what_the_runbooks_ask_for(name: str) -> None:
    story, expected = STORIES[name], EXPECTED[tuple(name.split(":"))]  # type: ignore[index]  # a pair by its form
    ends = dict(expected.rungs)
    assert [rung for rung, end in expected.rungs if end == RECOVERED] == (
        [] if story.mended_by in {None, ITSELF} else [story.mended_by]
    )
    assert [rung for rung, end in expected.rungs if end == VAIN] == list(story.in_vain)
    assert [rung for rung, end in expected.rungs if end == CONTAINED] == list(story.contained_by)
    assert set(story.never) == expected.forbidden
    assert expected.mended == (story.paged == [])
    assert not expected.maybe & (ends.keys() | set(story.never))
    assert (expected.group == SELF_HEALS) == (story.mended_by == ITSELF)


def test_scenarios_choose_one_of_each_mode() -> None:
    assert names(chosen("all")) == ONE_OF_EACH
    assert names(chosen("unfixable")) == UNFIXABLE
    assert set(names(chosen("every"))) == set(STORIES)


def action(rung: str, verdict: str | None) -> RowAction:
    return RowAction(rung=rung, action="http", outcome="done", verdict=verdict)


def row(variant: str, *actions: RowAction, **fields: Any) -> Row:
    mode, _, name = variant.partition(":")
    values: dict[str, Any] = {
        "detected_after_s": 5.0,
        "forbidden_actions": [],
        "verdict": "recovered",
        "resolved_by": None,
        "paged": [],
        **fields,
    }
    return Row(failure_mode=mode, variant=name, actions=list(actions), **values)


BREAKER = action("open-breaker", "contained")
SECONDARY = action("fail-over-to-secondary", "recovered")
NO_ANSWER = "provider_outage:no-answer"
BOTH_DOWN = "provider_outage:both-down"
MENDED: dict[str, Any] = {"resolved_by": "fail-over-to-secondary"}


@pytest.mark.parametrize(
    ("found", "complaint", "why"),
    [
        (row(NO_ANSWER, BREAKER, SECONDARY, **MENDED), "", "as the runbook asks"),
        (row(NO_ANSWER, SECONDARY, **MENDED), "open-breaker did not run", "a rung left out"),
        (row(NO_ANSWER, SECONDARY, BREAKER, **MENDED), "was not asked for here", "the wrong order"),
        (
            row(NO_ANSWER, BREAKER, SECONDARY, action("rotate-credentials", "recovered"), **MENDED),
            "rotate-credentials was not asked for",
            "one too many",
        ),
        (row(NO_ANSWER, BREAKER, SECONDARY, **MENDED, paged=[1]), "somebody was paged", "mended: nobody"),
        (row(NO_ANSWER, BREAKER, SECONDARY, resolved_by="self"), "resolved by self", "by the wrong one"),
        (row(NO_ANSWER, BREAKER, SECONDARY), "resolved by None", "not resolved"),
        (
            row(NO_ANSWER, BREAKER, SECONDARY, **MENDED, detected_after_s=None),
            "not detected",
            "cannot be mended unseen",
        ),
        (
            row(NO_ANSWER, BREAKER, SECONDARY, **MENDED, forbidden_actions=["restart-consumers"]),
            "restart-consumers must not happen",
            "a forbidden action fails the row whatever else is right",
        ),
        (
            row(NO_ANSWER, BREAKER, action("fail-over-to-secondary", "not_recovered"), **MENDED),
            "ended in vain, expected recovered",
            "the wrong end",
        ),
        (
            row(BOTH_DOWN, BREAKER, action("fail-over-to-secondary", "unknown"), paged=[1]),
            "",
            "an unknown verdict is in vain too",
        ),
        (
            row(BOTH_DOWN, BREAKER, action("fail-over-to-secondary", "not_recovered"), paged=[1, 1]),
            "exactly once",
            "twice is once too often",
        ),
        (
            row(BOTH_DOWN, BREAKER, action("fail-over-to-secondary", "not_recovered")),
            "paged were nobody",
            "giving up is a page",
        ),
        (
            row(BOTH_DOWN, BREAKER, action("fail-over-to-secondary", None), paged=[1], resolved_by="self"),
            "nothing could have mended it",
            "an unfixable fault that counts as resolved is a lie",
        ),
        (
            row("provider_outage:self-heals", detected_after_s=None, verdict="self_resolved"),
            "",
            "a transient nobody had to see",
        ),
        (row("provider_outage:self-heals", verdict="unknown"), "healed by itself", "and it did"),
    ],
)
def test_a_row_is_judged(found: Row, complaint: str, why: str) -> None:
    wrong = judge(found, EXPECTED[found.failure_mode, found.variant])
    if complaint:
        assert any(complaint in line for line in wrong), (why, wrong)
    else:
        assert wrong == [], why


def test_a_rung_that_may_be_tried_in_vain_must_not_mend() -> None:
    found = row(
        "data_quality:field-renamed",
        action("roll-back-mapping", "recovered"),
        action("quarantine-field", "contained"),
        paged=[1],
    )
    wrong = judge(found, EXPECTED["data_quality", "field-renamed"])
    assert wrong == ["roll-back-mapping ended recovered, and could only be in vain"]


def test_every_rung_that_is_asked_for_exists_in_the_shipped_playbooks(tmp_path: Path) -> None:
    """A rung that was renamed would only be found by a scenario that takes minutes."""
    file = tmp_path / "fleetmend.yaml"
    file.write_text(
        'version: 1\ntelemetry: {main: {type: scrape, targets: ["http://x/metrics"]}}\n', encoding="utf-8"
    )
    books = load([file], environment={}).model.playbooks.values()
    shipped = {(book.failure_mode, rung.name) for book in books for rung in book.ladder}
    for (mode, variant), expected in EXPECTED.items():
        on = expected.on or mode
        for name in {rung for rung, _ in expected.rungs} | expected.maybe:
            assert (on, name) in shipped, (variant, name)
