"""Where a detector stands at every scope: plain arrays, and a dictionary per scope for the store."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope
from detectors.rule import FORGIVEN, Rule
from detectors.samples import Floats
from detectors.values import Bools, Codes

EPSILON = 1e-6
"""Seconds by which a hold may fall short: instants are floats."""


class Phase(IntEnum):
    """Clearing is FIRING with `clear_since` set; no data is a flag beside the phase."""

    IDLE = 0
    PENDING = 1
    FIRING = 2


class TransitionState(StrEnum):
    """What a detector may report about a scope."""

    PENDING = "pending"
    WITHDRAWN = "withdrawn"
    """Pending, and then observed to be fine."""
    FIRED = "fired"
    CLEARED = "cleared"
    NO_DATA = "no_data"
    DATA_BACK = "data_back"


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state at tick `at` (unix seconds); `value`: observed there, None when unknown."""

    detector: str
    scope: Scope
    state: TransitionState
    at: float
    value: float | None


@dataclass(slots=True)
class State:
    """State of one rule. All arrays are `[S]`, instants in unix seconds, NaN for "not so".

    `last_tick`: newest tick taken in; `resumed`: restored from the store, so that the pause until the next tick
    counts as unobserved. `since`: first breach; `blind`: unobserved seconds since then (before it, since the last
    OK); `blind_from`: since when nothing is known; `floor`: last tick at which nothing was expected; `clear_*`: the
    same for the clear hold; `dark_since`, `back_since`, `no_data`: the episode without telemetry; `joined`: first
    tick of the scope; `fire_hits[S, N]`, `fire_part[S]`: completed slots in breach and seconds of breach, less
    those unobserved, in the current slot (`of_last`; N is 0 without); `clear_hits`, `clear_part` likewise.
    `fired_at[S, F]`: instants of the last firings, newest last, NaN for none; `flapping`: it fired too often.
    """

    scopes: tuple[Scope, ...]
    population: frozenset[Scope]
    last_tick: float
    resumed: bool
    phase: Codes
    since: Floats
    blind: Floats
    blind_from: Floats
    floor: Floats
    clear_since: Floats
    clear_blind: Floats
    clear_from: Floats
    dark_since: Floats
    back_since: Floats
    no_data: Bools
    joined: Floats
    last_known: Floats
    value: Floats
    observed_at: Floats
    quality: Codes
    fire_hits: Codes
    fire_part: Floats
    clear_hits: Codes
    clear_part: Floats
    flapping: Bools
    fired_at: Floats


_EMPTY: dict[str, tuple[float, type[np.generic]]] = {
    "phase": (0, np.int8),
    "since": (math.nan, np.float64),
    "blind": (0.0, np.float64),
    "blind_from": (math.nan, np.float64),
    "floor": (-math.inf, np.float64),
    "clear_since": (math.nan, np.float64),
    "clear_blind": (0.0, np.float64),
    "clear_from": (math.nan, np.float64),
    "dark_since": (math.nan, np.float64),
    "back_since": (math.nan, np.float64),
    "no_data": (False, np.bool_),
    "joined": (math.nan, np.float64),
    "last_known": (math.nan, np.float64),
    "value": (math.nan, np.float64),
    "observed_at": (math.nan, np.float64),
    "quality": (0, np.int8),
    "fire_part": (0.0, np.float64),
    "clear_part": (0.0, np.float64),
    "flapping": (False, np.bool_),
}
_SLOTTED = ("fire_hits", "clear_hits")
_ARRAYS = (*_EMPTY, *_SLOTTED, "fired_at")
_IDLE = np.int8(Phase.IDLE)
_SAVED = tuple(name for name in _EMPTY if name != "quality")


def fresh_state(rule: Rule, scopes: tuple[Scope, ...] = ()) -> State:
    """Nothing known of any scope yet."""
    size = len(scopes)
    arrays: dict[str, Any] = {name: np.full(size, fill, dtype=kind) for name, (fill, kind) in _EMPTY.items()}
    return State(
        scopes=scopes,
        population=frozenset(scopes),
        last_tick=math.nan,
        resumed=False,
        fire_hits=np.zeros((size, rule.fire.of_last.slots if rule.fire.of_last else 0), dtype=np.int8),
        clear_hits=np.zeros((size, rule.clear.of_last.slots if rule.clear.of_last else 0), dtype=np.int8),
        fired_at=np.full((size, rule.flap.firings - 1), np.nan),
        **arrays,
    )


def aligned(rule: Rule, state: State, scopes: tuple[Scope, ...]) -> State:
    """The state for `scopes`, followed by those that left but are not idle: they are still owed an end.

    Its arrays are to be replaced, not written to: they may be those of `state`.
    """
    count = len(scopes)
    if state.scopes is scopes or state.scopes == scopes:
        return replace(state)
    if state.scopes[:count] == scopes:
        left_busy = np.flatnonzero(_busy(state)[count:]) + count
        kept = np.concatenate([np.arange(count), left_busy])
        same = len(kept) == len(state.scopes)
        return _selected(state, kept, state.scopes if same else tuple(state.scopes[i] for i in kept))
    known = {scope: index for index, scope in enumerate(state.scopes)}
    present = set(scopes)
    busy = _busy(state)
    left = tuple(s for index, s in enumerate(state.scopes) if s not in present and busy[index])
    wanted = (*scopes, *left)
    new = fresh_state(rule, wanted)
    into = np.array([index for index, scope in enumerate(wanted) if scope in known], dtype=np.intp)
    source = np.array([known[scope] for scope in wanted if scope in known], dtype=np.intp)
    for name in _ARRAYS:
        getattr(new, name)[into] = getattr(state, name)[source]
    return replace(new, last_tick=state.last_tick, resumed=state.resumed)


def forget(state: State, scopes: Collection[Scope]) -> State:
    """The state without these scopes (renamed, suspended for good, unseen for longer than the inventory allows)."""
    gone = set(scopes)
    kept = np.array([i for i, scope in enumerate(state.scopes) if scope not in gone], dtype=np.intp)
    return _selected(state, kept, tuple(state.scopes[index] for index in kept))


def save(state: State) -> dict[Scope, dict[str, Any]]:
    """What has to outlive a restart: a JSON-ready dictionary for each scope that is not idle and seen, or was not lately."""
    return _rows(state, _telling(state))


def save_unseen(state: State) -> dict[Scope, dict[str, Any]]:
    """Of the others those about whom nothing is known now, or of whom nothing is expected now: worth keeping, not
    worth a write of their own.
    """
    unseen = ~np.isnan(state.blind_from) | (state.floor >= state.last_tick)
    return _rows(state, unseen & ~_telling(state))


def _telling(state: State) -> Bools:
    counted: Bools = (state.fire_part != 0) | state.fire_hits.any(axis=1)
    return _busy(state) | (state.blind > 0) | counted | ~np.isnan(state.fired_at[:, -1])


def _rows(state: State, which: Bools) -> dict[Scope, dict[str, Any]]:
    saved: dict[Scope, dict[str, Any]] = {}
    for index in np.flatnonzero(which):
        row: dict[str, Any] = {"at": state.last_tick}
        for name in _SAVED:
            item = getattr(state, name)[index].item()
            if isinstance(item, float) and not math.isfinite(item):
                continue
            row[name] = item
        for name in _SLOTTED:
            row[name] = getattr(state, name)[index].tolist()
        row["fired_at"] = [at for at in state.fired_at[index].tolist() if not math.isnan(at)]
        saved[state.scopes[index]] = row
    return saved


def restore(rule: Rule, saved: Mapping[Scope, Mapping[str, Any]], last_tick: float = math.nan) -> State:
    """The state as saved. Slots are dropped when `of_last` has changed since; holds and clocks are not.

    `last_tick`: newest tick taken in before the restart, also when every scope was fine then.
    """
    state = fresh_state(rule, tuple(saved))
    for index, row in enumerate(saved.values()):
        for name in _SAVED:
            if name in row:
                getattr(state, name)[index] = row[name]
        for name in _SLOTTED:
            slots: NDArray[np.int8] = getattr(state, name)
            if len(row.get(name, ())) == slots.shape[1]:
                slots[index] = row[name]
        fired = [at for at in row.get("fired_at", ()) if at > float(row["at"]) - rule.flap.within]
        fired = fired[-state.fired_at.shape[1] :]
        state.fired_at[index, state.fired_at.shape[1] - len(fired) :] = fired
    last = np.fmax.reduce([last_tick, *(float(row["at"]) for row in saved.values())])
    return replace(state, last_tick=float(last), resumed=not np.isnan(last))


def deducted(blind: Floats, hold: Floats | float) -> Floats:
    """Seconds of a hold that do not count: gaps up to 20 % of it are forgiven whole, longer ones deducted whole."""
    return np.where(blind > FORGIVEN * hold + EPSILON, blind, 0.0)


def part_of(state: State, places: NDArray[np.intp]) -> State:
    """A copy for some of its scopes."""
    return _selected(state, places, tuple(state.scopes[place] for place in places.tolist()))


def put_back(state: State, places: NDArray[np.intp], part: State) -> None:
    """What `part_of` gave, after it has moved on."""
    for name in _ARRAYS:
        array = getattr(state, name).copy()
        array[places] = getattr(part, name)
        setattr(state, name, array)
    state.last_tick, state.resumed = part.last_tick, part.resumed


def _busy(state: State) -> Bools:
    busy: Bools = (state.phase != _IDLE) | state.no_data | ~np.isnan(state.dark_since)
    return busy


def _selected(state: State, index: NDArray[np.intp], scopes: tuple[Scope, ...]) -> State:
    arrays = {name: getattr(state, name)[index] for name in _ARRAYS}
    population = state.population if scopes == state.scopes else frozenset(scopes)
    return replace(state, scopes=scopes, population=population, **arrays)
