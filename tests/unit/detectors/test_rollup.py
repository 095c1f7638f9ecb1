"""Hourly roll-ups: what an hour comes to, which hours teach nothing, and that blocks and single ticks agree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest

from config.scope import Scope, scope_of
from detectors import hours as hours_module
from detectors.hours import Hours
from detectors.rollup import Rollups
from detectors.state import Transition, TransitionState
from detectors.values import Quality, Values
from detectors.wall import HOUR, wall_hours

STEP = 600.0
"""Six ticks an hour: an hour is seen when three of them were."""
ONE, TWO = scope_of({"provider": "one"}), scope_of({"provider": "two"})
OK, DOWN, QUIET = Quality.OK, Quality.DOWN, Quality.NO_TRAFFIC
NAN = float("nan")


def rollups(window: float = 300.0, zone: str = "UTC", weeks: int = 4) -> Rollups:
    return Rollups(STEP, window, Hours(zone, weeks))


def measured(
    rows: Sequence[Sequence[float]],
    *,
    events: Sequence[Sequence[float]] | None = None,
    quality: Sequence[Sequence[int]] | None = None,
    scopes: tuple[Scope, ...] = (ONE,),
) -> Values:
    value = np.array(rows, dtype=np.float64)
    nothing = np.zeros(value.shape)
    return Values(
        scopes=scopes,
        value=value,
        events=nothing if events is None else np.array(events, dtype=np.float64),
        quality=np.array(quality if quality is not None else nothing, dtype=np.int8),
        observed_at=nothing,
        last_change=nothing,
        moving=nothing.astype(bool),
        fresh=np.ones(value.shape, dtype=bool),
        interval=STEP,
    )


def fold(
    into: Rollups,
    values: Values,
    *,
    start: float = 0.0,
    off: Any = None,
    firing: Sequence[Scope] = (),
    moves: Sequence[tuple[Scope, str, float]] = (),
) -> None:
    ticks = start + STEP * np.arange(len(values.value))
    off = np.zeros(values.value.shape, dtype=bool) if off is None else np.array(off, dtype=bool)
    transitions = [Transition("d", scope, TransitionState(state), at, None) for scope, state, at in moves]
    into.fold(ticks, values, off, firing, transitions)


def told(one: Rollups) -> dict[float, dict[str, Any]]:
    """Start -> scope -> (value, events, share)."""
    return {hour.start: dict(hour.scopes) for hour in one.hours.news("d", "s") if hour.scopes}


def hour_of(*values: float) -> list[list[float]]:
    """Six ticks of an hour and the first of the next, which finishes it."""
    return [[value] for value in (*values, 0.0)]


def test_an_hour_is_its_mean_value_its_events_and_the_share_that_was_seen() -> None:
    """Six windows of 5 min with 10, 20, 30, 10, 20, 30 events: 20 on average, so 20 * 12 an hour."""
    counts = hour_of(10, 20, 30, 10, 20, 30)
    one = rollups()
    fold(one, measured(hour_of(1, 2, 3, 4, 5, 6), events=counts))
    assert told(one) == {0.0: {"provider=one": (3.5, 240.0, 1.0)}}


@pytest.mark.parametrize(
    ("quality", "found", "why"),
    [
        ([OK, OK, OK, DOWN, DOWN, DOWN], (2.0, 240.0, 0.5), "half of it was seen, and says 1, 2 and 3"),
        ([OK, OK, DOWN, DOWN, DOWN, DOWN], None, "a third of it was seen"),
        ([OK, OK, OK, OK, QUIET, QUIET], (2.5, 240.0, 1.0), "no traffic is seen, but has no value"),
        ([OK, OK, QUIET, QUIET, QUIET, QUIET], (None, 240.0, 1.0), "a value that a third of it had is none"),
    ],
)
def test_what_was_not_seen_for_half_of_an_hour_is_not_learnt(
    quality: list[int], found: tuple[float | None, float, float] | None, why: str
) -> None:
    one = rollups()
    events = [[20.0]] * 7
    fold(one, measured(hour_of(1, 2, 3, 4, 5, 6), events=events, quality=[[q] for q in (*quality, OK)]))
    assert told(one).get(0.0, {}).get("provider=one") == found, why


CALM = [[1.0, 1.0]] * 19
"""Three hours of two scopes, and the tick that finishes them."""
SPOILT = [
    ([], [], {0, 1, 2}, "nothing happened: all three hours teach"),
    ([(ONE, "pending", 4200.0), (ONE, "withdrawn", 5400.0)], [], {0, 1, 2}, "pending, and then fine after all"),
    ([(ONE, "pending", 3000.0), (ONE, "fired", 4800.0), (ONE, "cleared", 6000.0)], [], {2}, "began to be in the hour before it fired"),
    ([(ONE, "fired", 4800.0), (ONE, "cleared", 7200.0)], [], {0}, "cleared at the first tick of the hour after"),
    ([(ONE, "cleared", 4800.0)], [ONE], {2}, "fired before the block began"),
    ([(ONE, "no_data", 4800.0), (ONE, "data_back", 6000.0)], [], {0, 1, 2}, "what was not seen is weighed by itself"),
]  # fmt: skip


@pytest.mark.parametrize(("moves", "firing", "taught", "why"), SPOILT)
def test_an_hour_of_a_finding_teaches_nothing_and_only_to_its_scope(
    moves: list[tuple[Scope, str, float]], firing: list[Scope], taught: set[int], why: str
) -> None:
    one = rollups()
    fold(one, measured(CALM, scopes=(ONE, TWO)), moves=moves, firing=firing)
    for scope, expected in ((ONE, taught), (TWO, {0, 1, 2})):
        key = f"provider={dict(scope)['provider']}"
        assert {int(start // HOUR) for start, rows in told(one).items() if key in rows} == expected, why


def test_an_hour_in_which_a_scope_was_switched_off_teaches_it_nothing() -> None:
    off = [[False, False]] * 8 + [[True, False]] + [[False, False]] * 10
    one = rollups()
    fold(one, measured(CALM, scopes=(ONE, TWO)), off=off)
    found = told(one)
    assert [sorted(found[hour * HOUR]) for hour in range(3)] == [
        ["provider=one", "provider=two"],
        ["provider=two"],
        ["provider=one", "provider=two"],
    ]


def test_an_hour_that_was_taken_back_is_told_again_without_it() -> None:
    one = rollups()
    fold(one, measured([[1.0]] * 7), moves=[(ONE, "pending", 3000.0)])
    one.hours.unwritten.clear()
    fold(one, measured([[1.0]]), start=4200.0, moves=[(ONE, "fired", 4200.0)])
    assert [(hour.start, dict(hour.scopes)) for hour in one.hours.news("d", "s")] == [(0.0, {})]


# ---------------------------------------------------------------- blocks and ticks

MOVES = {
    "idle": ("pending", "fired"),
    "pending": ("withdrawn", "fired"),
    "firing": ("cleared",),
}
AFTER = {"pending": "pending", "withdrawn": "idle", "fired": "firing", "cleared": "idle"}


def story(
    random: Random, length: int
) -> tuple[Values, Any, list[list[tuple[Scope, str, float]]], list[list[Scope]]]:
    """Values, off, changes per tick, and who fired before each tick."""
    scopes = (ONE, TWO)
    value = [[random.choice([0.1, 0.3, 7.7, 1e9]) for _ in scopes] for _ in range(length)]
    quality = [[random.choice([OK, OK, OK, QUIET, DOWN]) for _ in scopes] for _ in range(length)]
    off = [[random.random() < 0.02 for _ in scopes] for _ in range(length)]
    stands = dict.fromkeys(scopes, "idle")
    moves: list[list[tuple[Scope, str, float]]] = []
    firing: list[list[Scope]] = []
    for row in range(length):
        firing.append([scope for scope in scopes if stands[scope] == "firing"])
        moves.append([])
        for scope in scopes:
            if random.random() < 0.08:
                what = random.choice(MOVES[stands[scope]])
                stands[scope] = AFTER[what]
                moves[-1].append((scope, what, row * STEP))
    return measured(value, events=value, quality=quality, scopes=scopes), off, moves, firing


@pytest.mark.parametrize("seed", range(40))
def test_any_cutting_into_blocks_gives_the_rows_of_single_ticks_also_across_restarts(seed: int) -> None:
    random = Random(seed)
    length = 100
    values, off, moves, firing = story(random, length)
    whole = rollups()
    fold(whole, values, off=off, moves=[one for row in moves for one in row], firing=firing[0])
    cut, at = rollups(), 0
    while at < length:
        end = min(at + random.choice([1, 1, 5, 30]), length)
        part = slice(at, end)
        fold(
            cut,
            values.rows(part),
            start=at * STEP,
            off=off[part],
            moves=[one for row in moves[part] for one in row],
            firing=firing[at],
        )
        if random.random() < 0.2:  # restarted: what outlives it went through JSON
            again = rollups()
            again.hours.remember(cut.hours.news("d", "s"))
            again.hours.unwritten = set(cut.hours.unwritten)
            again.restore(json.loads(json.dumps(cut.save())))
            cut = again
        at = end
    assert told(cut) == told(whole)
    assert cut.save() == whole.save()


# ---------------------------------------------------------------- bounds

WEEK = 168 * HOUR


def test_hours_older_than_can_be_looked_at_are_forgotten() -> None:
    """Four weeks are looked at, and one more is kept so that one may be missing."""
    one = rollups()
    for week in range(9):
        fold(one, measured([[float(week)]] * 7), start=week * WEEK)
    kept = sorted(start / WEEK for start in one.hours.rows)
    assert kept == [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    looked_at = one.hours.same(9 * 168, (ONE,))
    assert looked_at[:, 0, 0].tolist() == [8.0, 7.0, 6.0, 5.0, 4.0]


def test_scopes_beyond_the_most_are_not_learnt_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours_module, "MOST_SCOPES", 1)
    one = rollups()
    fold(one, measured([[1.0, 1.0]] * 7, scopes=(ONE, TWO)))
    assert told(one) == {0.0: {"provider=one": (1.0, 0.0, 1.0)}}
    assert one.hours.full


def test_a_scope_that_is_gone_and_taught_nothing_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours_module, "MOST_SCOPES", 1)
    one = rollups()
    fold(one, measured([[1.0]], scopes=(ONE,)))
    fold(one, measured([[2.0]] * 7, scopes=(TWO,)), start=HOUR)
    assert told(one) == {HOUR: {"provider=two": (2.0, 0.0, 1.0)}}
    assert not one.hours.full


# ---------------------------------------------------------------- daylight saving

FORWARD, BACK = 1774738800.0, 1792879200.0
"""Midnight in Berlin of 2026-03-29 and of 2026-10-25, the days on which its clocks change."""


@pytest.mark.parametrize(
    ("midnight", "hour", "found", "why"),
    [
        (FORWARD, 1, [1.0], "01:xx, the last hour of winter"),
        (FORWARD, 2, [], "02:xx was left out: it counts not at all"),
        (FORWARD, 3, [2.0], "03:xx came right after 01:xx"),
        (BACK, 1, [1.0], "01:xx, before the clocks went back"),
        (BACK, 2, [2.0, 3.0], "02:xx came twice: it counts twice"),
        (BACK, 3, [4.0], "03:xx came after both"),
    ],
)
def test_a_repeated_hour_counts_twice_and_a_missing_one_not_at_all(
    midnight: float, hour: int, found: list[float], why: str
) -> None:
    """The n-th hour since midnight has the value n; a week later the same hour of the wall clock is looked up."""
    one = rollups(zone="Europe/Berlin")
    fold(one, measured([[float(tick // 6)] for tick in range(37)]), start=midnight)
    numbers, _ = wall_hours(np.array([midnight]), "Europe/Berlin")
    rows = one.hours.same(int(numbers[0]) + 168 + hour, (ONE,))
    assert rows[:, 0, 0].tolist() == found, why
