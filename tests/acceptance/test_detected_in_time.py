"""A hard failure is detected within `for` + `delay` + two scrape intervals + one evaluation, by every detector of the pack.

The failure begins at any moment between two scrapes, and evaluations come at any moment after them. A window of length W
with a threshold t passes it only after W * t: at 5 % of 2 min that is within the first scrape; at 50 % it is a minute
more, which `SMEARED` names. Those are after partial failures; a provider that fails wholly is silent too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daemon.app.build import sections_of
from daemon.detect.plan import Sections, plan_of
from daemon.detect.sources.base import Wanted
from daemon.replay.backtest import EventState, backtest, unjudgeable
from detectors.rule import Rule
from detectors.samples import UP, Batch, Block, Series
from tests.fakes import episodes
from tests.fakes.ports import EPOCH
from tests.fakes.story import settings_of

CONFIG = "version: 1\ntelemetry: {main: {type: prometheus, url: http://127.0.0.1:9090}}\n"
SCRAPE = EVERY = 15.0
FAILS = 9_000.0
"""Seconds of health before."""
PHASES = (0.0, 0.1, 4.0, 7.5, 11.0, 14.9)
"""Seconds from the last scrape to the beginning of the failure."""
DELAY = 30.0
SMEARED = {"provider-errors", "total-errors", "customer-errors"}
"""Detectors of a large share failing, over windows wide enough to tell that from chance."""


def pack() -> Sections:
    """The shipped pack, reading one Prometheus that scrapes every 15 s."""
    return sections_of(settings_of(CONFIG).model)


RULES = plan_of(pack()).rules
JUDGED = [name for name, rule in RULES.items() if not unjudgeable(rule, pack())]


class Recorded:
    """Fits `Source`: a failure that began at `fails`, as scraped; samples come `late` seconds after their instant."""

    name = "main"

    def __init__(self, rule: Rule, fails: float, length: float, late: float) -> None:
        self._late = late
        self._times = EPOCH + np.arange(0.0, length, SCRAPE)
        found = episodes.failure(rule, self._times, fails)
        self._series = (Series(UP, ()), *found)
        self._values = np.column_stack([np.ones(len(self._times)), *found.values()])

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch:
        del wanted, deadline
        begin = -np.inf if since is None else since
        first, last = np.searchsorted(self._times, [begin, now - self._late], side="right")
        block = Block((), self._times[first:last], self._series, self._values[first:last])
        return Batch(self.name, now, (block,) if last > first else ())

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("name", JUDGED)
@pytest.mark.parametrize("delay", [0.0, DELAY])
def test_a_hard_failure_is_detected_in_time(name: str, delay: float) -> None:
    rule = RULES[name]
    smear = rule.signal.window * rule.fire.threshold if name in SMEARED else 0.0
    bound = rule.fire.hold + delay + 2 * SCRAPE + EVERY + smear
    took = {}
    for phase in PHASES:
        for offset in (0.0, 7.0, 14.9):
            fails = EPOCH + FAILS + phase
            source = Recorded(rule, fails, FAILS + bound + 600, delay)
            main = pack().telemetry["main"].model_copy(update={"delay": delay})
            sections = replace(pack(), detectors={name: pack().detectors[name]}, telemetry={"main": main})
            found = backtest(sections, {"main": source}, EPOCH + 1800 + offset, fails + bound + 300)
            fired = [event.at for event in found.events if event.state is EventState.FIRED]
            took[phase, offset] = fired[0] - fails if fired else np.inf
    late = {place: round(seconds - bound, 1) for place, seconds in took.items() if seconds > bound + 1e-6}
    assert not late, f"{len(late)} of {len(took)} later than {bound:g} s, by {max(late.values())} s: {late}"
    assert min(took.values()) >= rule.fire.hold, "and never early"
