"""Checkpoints: where each detector stood at each scope that is not quiet, so a restart forgets no onset.

What calendars said stands beside them, under a name that no detector can have, and is read and replaced apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, select

from config.scope import Scope, scope_from_key, scope_key
from daemon.store import tables
from daemon.store.mapping import dumps
from daemon.store.tx import Tx, insert_or_replace

CALENDARS = "@calendar"
"""Owner of the rows that hold what schedules' calendars said, by schedule."""

_c = tables.checkpoints.c
_ALL = select(_c.detector, _c.scope, _c.doc).where(_c.detector != CALENDARS)
_CALENDARS = select(_c.scope, _c.doc).where(_c.detector == CALENDARS)
_CLEAR = delete(tables.checkpoints).where(_c.detector != CALENDARS)
_FORGET = delete(tables.checkpoints).where(
    _c.detector == bindparam("detector_"), _c.scope == bindparam("scope_")
)

Key = tuple[str, Scope]
"""Detector and scope."""


class Checkpoints:
    """(detector, scope) -> plain data."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def load(self) -> dict[Key, Any]:
        """Every checkpoint."""
        rows = self._tx.rows(_ALL)
        return {(detector, scope_from_key(scope)): orjson.loads(doc) for detector, scope, doc in rows}

    def calendars(self) -> dict[str, Any]:
        """Schedule -> what its calendar said when it was last read."""
        rows = self._tx.rows(_CALENDARS)
        return {dict(scope_from_key(scope))["schedule"]: orjson.loads(doc) for scope, doc in rows}

    def save(self, states: Mapping[Key, Any]) -> None:
        """Replace these checkpoints; one whose state is None is forgotten. Others stay as they are."""
        kept = [
            {"detector": detector, "scope": scope_key(scope), "doc": dumps(state)}
            for (detector, scope), state in states.items()
            if state is not None
        ]
        gone = [
            {"detector_": detector, "scope_": scope_key(scope)}
            for (detector, scope), state in states.items()
            if state is None
        ]
        if kept:
            self._tx.change(insert_or_replace(tables.checkpoints, self._tx.dialect), kept)
        if gone:
            self._tx.change(_FORGET, gone)

    def replace(self, states: Mapping[Key, Any]) -> None:
        """Make these the only checkpoints; what calendars said stays."""
        self._tx.change(_CLEAR)
        self.save(states)
