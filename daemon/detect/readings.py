"""What all deciding detectors say together at a scope: now (is the fault there?) and since an action (is it gone?)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from config.scope import Scope
from daemon.detect.watch import Around, Watch
from detectors.observe import BREACH, OK, UNKNOWN
from detectors.samples import Floats
from detectors.values import Values
from remediations.verification import Reading, Seen

MAX_READINGS = 2_000
"""Ticks measured at once; of a longer verification the newest count."""
_SEEN = {BREACH: Seen.BREACH, OK: Seen.OK, UNKNOWN: Seen.UNKNOWN}


@dataclass(frozen=True, slots=True)
class _Word:
    """One detector at one tick."""

    code: int
    observed_at: float
    value: float


def fault_of(watches: Sequence[Watch | None], scope: Scope, now: float) -> Reading:
    """BREACH when any observes it now, OK when all observe that it is not there, else UNKNOWN.

    The fire condition speaks, unless the clear condition holds already. A detector that is unknown (None) or has
    nothing at this scope is UNKNOWN.
    """
    words = [_newest(watch, scope) for watch in watches]
    at = max((watch.last_tick for watch in watches if watch is not None), default=now)
    return _together(words or [_NOTHING], at if math.isfinite(at) else now)


def readings_of(
    watches: Sequence[Watch | None],
    around: Callable[[Watch], Around],
    scope: Scope,
    since: float,
    now: float,
) -> tuple[Reading, ...]:
    """One reading per tick after `since`, from samples at or after `since`, by the clear condition."""
    told = [_since(watch, around, scope, since, now) for watch in watches]
    ticks = sorted({tick for times, _ in told for tick in times})[-MAX_READINGS:]
    found: list[Reading] = []
    place = [0] * len(told)
    for tick in ticks:
        words = []
        for index, (times, said) in enumerate(told):
            while place[index] < len(times) and times[place[index]] <= tick:
                place[index] += 1
            words.append(said[place[index] - 1] if place[index] else _NOTHING)
        found.append(_together(words, tick))
    return tuple(found)


_NOTHING = _Word(UNKNOWN, math.nan, math.nan)


def _newest(watch: Watch | None, scope: Scope) -> _Word:
    if watch is None or watch.seen is None:
        return _NOTHING
    values, seen = watch.seen
    cleared = seen.clear[0] == OK
    codes = np.where(cleared, np.int8(OK), seen.fire[0])
    return _word(watch, scope, values, codes, 0)


def _since(
    watch: Watch | None, around: Callable[[Watch], Around], scope: Scope, since: float, now: float
) -> tuple[list[float], list[_Word]]:
    if watch is None:
        return [], []
    times = [tick for tick in watch.ticks if since < tick <= now][-MAX_READINGS:]
    if not times:
        return [], []
    ticks: Floats = np.array(times)
    values, seen = watch.look(ticks, around(watch), since)
    return times, [_word(watch, scope, values, seen.clear[row], row) for row in range(len(times))]


def _word(watch: Watch, scope: Scope, values: Values, codes: np.ndarray, row: int) -> _Word:
    """All columns that speak about the scope, combined as detectors are."""
    columns = watch.matching(scope, values.scopes)
    if not columns:
        return _NOTHING
    said = codes[columns]
    code = BREACH if (said == BREACH).any() else OK if (said == OK).all() else UNKNOWN
    telling = [column for column, one in zip(columns, said, strict=True) if one == code]
    observed = values.observed_at[row, columns]
    oldest = float(np.min(observed)) if not np.isnan(observed).any() else math.nan
    return _Word(int(code), oldest, float(values.value[row, telling[0]]))


def _together(words: Sequence[_Word], at: float) -> Reading:
    codes = [word.code for word in words]
    code = BREACH if BREACH in codes else OK if all(one == OK for one in codes) else UNKNOWN
    telling = next((word for word in words if word.code == code), words[0])
    observed = [word.observed_at for word in words if word.code == code or code != BREACH]
    oldest = min(observed) if observed and not any(map(math.isnan, observed)) else None
    return Reading(
        at=at,
        seen=_SEEN[code],
        observed_at=oldest,
        value=None if math.isnan(telling.value) else telling.value,
    )
