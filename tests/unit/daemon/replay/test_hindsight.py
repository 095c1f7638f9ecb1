"""Hindsight: what bounds it, what it does not look at, and who would have had to vouch."""

from __future__ import annotations

from pathlib import Path

from config.loader import Loaded
from daemon.app.build import sections_of
from daemon.clock import rfc3339
from daemon.detect.sources.file import Recording
from daemon.replay.backtest import backtest
from daemon.replay.hindsight import Hindsight
from daemon.replay.would import Came, Would
from daemon.settings.load import load
from daemon.settings.model import Settings
from detectors.samples import Floats, Series
from tests.fakes.prometheus import open_metrics, scrapes

BEGIN, STEP = 1_767_600_000.0, 60.0
CONFIG = """
version: 1
pack: none
poll_interval: 1m
autonomy: auto
kill_switch: {switch}
storm: {{modes: 6, share: 100%}}
telemetry: {{main: {{type: file, path: "{series}"}}}}
inventory: {{tier: {tiers}}}
probes: {{alive: {{tcp: {{host: 127.0.0.1, port: 1}}}}}}
detectors:
  high:
    failure_mode: storage_failure
    signal: {{gauge: {{of: depth, by: [tier]}}}}
    fire: {{above: 10, for: 5m}}
    clear: {{below: 8, for: 2m}}
    {corroborate}
escalation: {{default: [{{level: L1, notify: [person:ana]}}]}}
people: {{ana: {{name: Ana, channels: [{{console: {{}}}}]}}}}
playbooks:
  storage:
    failure_mode: storage_failure
    ladder: [{{name: restart, do: {{command: {{argv: [systemctl, restart, "writer-{{{{ scope.tier }}}}"]}}}}, autonomy: auto}}]
"""


def looked_back(
    folder: Path,
    tiers: str,
    *,
    most: int = 100,
    corroborate: str = "",
    onlooker: type[Hindsight] = Hindsight,
    chunk: float = 86_400.0,
) -> Would:
    """One hour; each tier is high for ten minutes, one after the other."""
    rows = {
        Series("depth", (("tier", tier),)): [
            50.0 if place * 6 + 5 <= minute < place * 6 + 15 else 1.0 for minute in range(60)
        ]
        for place, tier in enumerate(tiers)
    }
    series = folder / "series.om"
    series.write_text(open_metrics(scrapes(rows, [True] * 60, begin=BEGIN, step=STEP)))
    (folder / "switch").touch()
    config = folder / "config.yaml"
    text = CONFIG.format(switch=folder / "switch", series=series, tiers=list(tiers), corroborate=corroborate)
    config.write_text(text)
    loaded: Loaded[Settings] = load([config], environment={})
    sections = sections_of(loaded.model)
    hindsight = onlooker(loaded, sections, most=most)
    source = Recording("main", loaded.model.telemetry["main"])  # type: ignore[arg-type]  # written so above
    found = backtest(sections, {"main": source}, BEGIN, BEGIN + 59 * STEP, onlooker=hindsight, chunk=chunk)
    return hindsight.told(found.end)


def test_more_incidents_than_are_followed_are_said_with_the_time_until_which_they_are(tmp_path: Path) -> None:
    would = looked_back(tmp_path, "abcdefg", most=2)
    assert len(would.incidents) == 3
    third = BEGIN + (2 * 6 + 5 + 5) * STEP
    assert would.troubles == (f"more than 2 incidents: they are followed up to {rfc3339(third + 0.001)}",)


def test_blocks_that_were_followed_or_are_not_to_be_are_let_go(tmp_path: Path) -> None:
    """A month of a day's blocks each must not be held at once, whether something happens in them or not."""
    kept: list[int] = []

    class Counting(Hindsight):
        def advance(self, ticks: Floats) -> None:
            super().advance(ticks)
            kept.append(sum(len(one._ahead) for one in self._detection.excerpts.values()))

    would = looked_back(tmp_path, "abcdefg", most=2, onlooker=Counting, chunk=300.0)
    assert would.troubles
    assert kept == [0] * 12


def test_what_holds_now_on_this_machine_does_not_hold_in_the_past(tmp_path: Path) -> None:
    """The kill switch stands there while the past is looked at."""
    (incident,) = looked_back(tmp_path, "a").incidents
    (restart,) = incident.considered
    assert (restart.came, restart.autonomy, restart.targets) == (Came.WOULD_RUN, "auto", ("tier=a",))


def test_a_disruptive_rung_hangs_on_the_witness_that_was_not_asked(tmp_path: Path) -> None:
    """Without the probe the finding is neither corroborated nor not: unknown is no refusal, and no leave."""
    (incident,) = looked_back(
        tmp_path, "a", corroborate="corroborate: {any: [{probe: alive, is: failing}]}"
    ).incidents
    (restart,) = incident.considered
    assert (restart.came, restart.depends_on) == (Came.NOT_KNOWABLE, ("probe alive",))
    assert restart.refusals == ()
