"""Baselines: too few weeks to know what is usual, a condition that usual values meet, one that acts by itself."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View

FEWEST = 4
"""Weeks from which on a median and a MAD say what is usual; of three values one outlier is the MAD."""


def _short(view: View) -> Iterator[Found]:
    for one in view.detectors:
        baseline = one.rule.baseline
        if baseline is not None and baseline.weeks < FEWEST:
            weeks = "one week says" if baseline.weeks == 1 else f"{baseline.weeks} weeks say"
            path = (*one.path, "signal", "baseline", "weeks")
            yield Found(path, f"{weeks} nothing of how much weeks differ", f"use at least {FEWEST}")


def _usual(view: View) -> Iterator[Found]:
    for one in view.detectors:
        fire = one.rule.fire
        if one.rule.baseline is not None and (fire.op != "above" or fire.threshold < 0):
            text = f"{fire.op} {fire.threshold:g} is met by what is usual: a baseline's value is 0 there"
            yield Found(
                (*one.path, "fire", fire.op), text, "use above: 5; the direction stands in the signal"
            )


def _acts(view: View) -> Iterator[Found]:
    for one in view.detectors:
        if one.rule.baseline is not None and one.rule.acts and one.rule.corroborate is None:
            text = "what is merely unusual may start an action, and nothing else has to agree"
            yield Found((*one.path, "acts"), text, "leave it out, or ask for a second witness: corroborate")


_BETTER = """detectors:
  below-usual:
    failure_mode: provider_outage
    severity: low
    signal: {baseline: {signal: {rate: {of: packets_total, by: [provider], window: 5m}}, direction: below}}
    fire: {above: 5, for: 30m}
"""

WEEKS = Check(
    code="baseline-few-weeks",
    title="A baseline of fewer than four weeks",
    gravity=Gravity.ERROR,
    why="""What is usual is the median of the same hour of other weeks, and how much is unusual is counted in their median
absolute deviation. Of three weeks a single odd one decides both. It cannot work, so the configuration is refused.""",
    fix="Use `weeks: 4` or more, or leave it out.",
    example=_BETTER.replace("direction: below}}\n", "direction: below, weeks: 3}}   # <--\n"),
    better=_BETTER,
    find=_short,
)
USUAL = Check(
    code="baseline-usual-fires",
    title="A condition on a baseline that usual values meet",
    gravity=Gravity.ERROR,
    why="""The value of a `baseline` is how many deviations a scope is off in the baseline's direction, and 0 wherever it is
not. `below` or `equals` such a number fires all the time. It cannot work, so the configuration is refused.""",
    fix="Use `above`; whether too little or too much is looked for stands in `direction`.",
    example=_BETTER.replace("fire: {above: 5, for: 30m}", "fire: {below: 5, for: 30m}   # <--"),
    better=_BETTER,
    find=_usual,
)
ACTS = Check(
    code="baseline-acts",
    title="A baseline may start an action by itself",
    gravity=Gravity.WARNING,
    why="""In public comparisons even good learned scores miss incidents and raise false alarms, and a false alarm that acts
is a wrong restart. Holidays and growth are unusual, and no fault. So a baseline advises unless `acts: true` is
written; as a second witness of another detector (`corroborate`) it may gate what that one does.""",
    fix="Leave `acts` out, or add `corroborate` with a witness that sees the failure itself.",
    example=_BETTER + "    acts: true   # <--\n",
    better=_BETTER,
    find=_acts,
)
