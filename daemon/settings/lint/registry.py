"""The literal table of checks, and `lint`, which runs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from config.loader import Loaded
from config.problems import Gravity, Problem, did_you_mean
from config.yamlfile import dotted
from daemon.settings.lint import (
    agg_hides,
    baselines,
    bounds,
    burn_budget,
    clear_under_fire,
    daemon_itself,
    duplicate_detector,
    expected_without_count,
    fresh_under_scrape,
    hold_under_scrapes,
    inventory_unused,
    levels,
    mends_nothing,
    metric_kind,
    minimum_missing,
    minimum_without_effect,
    no_data_under_scrapes,
    no_playbook,
    patterns,
    phones_unanswered,
    promql_text,
    quantile_few_events,
    query_unanswered,
    ratio_of_itself,
    schedule_gap,
    severity_lowered,
    slack_unanswered,
    slots_under_scrape,
    source_pace,
    thresholds,
    verify,
    where_empty,
    while_contradicts,
    window_over_hold,
    window_under_scrapes,
)
from daemon.settings.lint.check import Check, Found, Topic, View
from daemon.settings.lint.live.registry import LIVE_CHECKS
from daemon.settings.lint.live.seen import Sight
from daemon.settings.lint.silence import IGNORED, Silence
from daemon.settings.model import Settings

CHECKS: tuple[Check, ...] = (
    # how long things take
    window_over_hold.CHECK,
    window_under_scrapes.CHECK,
    hold_under_scrapes.SCRAPES,
    hold_under_scrapes.EVALUATION,
    slots_under_scrape.CHECK,
    no_data_under_scrapes.CHECK,
    fresh_under_scrape.CHECK,
    source_pace.POLL,
    source_pace.DELAY,
    verify.ROOM,
    verify.DEADLINE,
    # what is compared with what
    clear_under_fire.CHECK,
    thresholds.OUT_OF_RANGE,
    thresholds.OVER_ALL,
    thresholds.EQUALS,
    burn_budget.NEVER,
    burn_budget.UNDER,
    burn_budget.WIDENED,
    baselines.WEEKS,
    baselines.USUAL,
    baselines.ACTS,
    bounds.NOT_POSITIVE,
    bounds.NO_UNIT,
    agg_hides.CHECK,
    while_contradicts.CHECK,
    minimum_missing.MISSING,
    minimum_missing.ONE_ENOUGH,
    minimum_without_effect.UNUSED,
    minimum_without_effect.NARROW,
    quantile_few_events.CHECK,
    expected_without_count.CHECK,
    # what is read
    where_empty.EVERYTHING,
    where_empty.NOTHING,
    patterns.ALL,
    patterns.PLAIN,
    metric_kind.HISTOGRAM,
    metric_kind.COUNTER,
    ratio_of_itself.CHECK,
    promql_text.VANISHES,
    promql_text.SHORT,
    query_unanswered.CHECK,
    inventory_unused.CHECK,
    # who answers
    no_playbook.UNANSWERED,
    no_playbook.MISSING,
    mends_nothing.UNUSED,
    mends_nothing.LONG,
    mends_nothing.ELSEWHERE,
    duplicate_detector.CHECK,
    severity_lowered.CHECK,
    schedule_gap.CHECK,
    levels.EXTERNAL_NOWHERE,
    levels.LEVEL_UNSURE,
    levels.LEVEL_REPEATS,
    phones_unanswered.CHECK,
    slack_unanswered.CHECK,
    # the daemon itself
    daemon_itself.OPERATOR,
    daemon_itself.KEYS,
)


TOPICS: Mapping[str, Topic] = {topic.code: topic for topic in (*CHECKS, *LIVE_CHECKS, IGNORED)}
"""Every code that a finding can have."""


def lint(loaded: Loaded[Settings]) -> None:
    """Run every check and record what it finds on `loaded`, what is silenced left out."""
    view, silence = View(loaded), Silence(loaded)
    for check in CHECKS:
        for found in check.find(view):
            if check.gravity is Gravity.ERROR or not silence.covers(check.code, found.path):
                loaded.problems.append(problem_of(loaded, check, found))
    loaded.problems += _unknown(silence)


def lint_live(loaded: Loaded[Settings], sight: Sight) -> list[Problem]:
    """What the live checks find, what is silenced left out: a missing series may be known and meant."""
    silence = Silence(loaded)
    return [
        problem_of(loaded, check, found)
        for check in LIVE_CHECKS
        for found in check.find(sight)
        if not silence.covers(check.code, found.path)
    ]


def problem_of(loaded: Loaded[Settings], topic: Topic, found: Found) -> Problem:
    """A finding at its file and line."""
    file, line = loaded.where(found.path)
    return Problem(file, line, dotted(found.path), found.problem, found.hint, topic.gravity, topic.code)


def _unknown(silence: Silence) -> Iterator[Problem]:
    for file, line, code in silence.written():
        if code not in TOPICS:
            hint = did_you_mean(code, TOPICS) or "fleetmend check --explain all lists the codes"
            text = f"no check has the code {code}, so nothing is silenced"
            yield Problem(file, line, "", text, hint, IGNORED.gravity, IGNORED.code)
