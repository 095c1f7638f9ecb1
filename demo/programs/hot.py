"""The hot tier: the newest record of each asset in SQLite, a primary and a replica that follows every write."""

import json
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from demo import clock
from demo.programs.tier import Pool, Record, StoreError
from demo.service import Refused

SCHEMA = "CREATE TABLE IF NOT EXISTS latest (asset TEXT PRIMARY KEY, at REAL NOT NULL, record TEXT NOT NULL)"
UPSERT = "INSERT INTO latest VALUES (?, ?, ?) ON CONFLICT (asset) DO UPDATE SET at = excluded.at, record = excluded.record WHERE excluded.at >= latest.at"


class HotStore:
    """Each lease of the pool opens a connection of its own, so that a file's mode of now is what counts."""

    def __init__(self, folder: Path, pool: Pool, busy: float, switched: Callable[[str], None]) -> None:
        self.folder, self.pool, self.busy, self.switched = folder, pool, busy, switched
        self.files = {name: folder / name / "hot.db" for name in ("primary", "replica")}
        self.choice = folder / "active.json"
        self.active = (
            json.loads(self.choice.read_text(encoding="utf-8")) if self.choice.exists() else "primary"
        )
        self.behind_since: float | None = None
        self.maintenance: threading.Thread | None = None
        for path in self.files.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with closing(self._connect(path)) as database, database:
                    database.execute(SCHEMA)

    def write(self, records: list[Record]) -> None:
        rows = [(record["asset"], record["at"], json.dumps(record)) for record in records]
        with self.pool.lease():
            self._write(self.files[self.active], rows)
            if self.active == "primary":
                self._follow(rows)

    def read(self, asset: str) -> list[Record]:
        with self.pool.lease():
            try:
                with closing(self._connect(self.files[self.active])) as database:
                    found = database.execute("SELECT record FROM latest WHERE asset = ?", (asset,)).fetchall()
            except sqlite3.Error as error:
                raise StoreError("down", str(error)) from error
        return [json.loads(text) for (text,) in found]

    def facts(self) -> dict[str, Any]:
        path = self.files["primary"]
        healthy = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        lag = 0.0 if self.behind_since is None else clock.monotonic() - self.behind_since
        primary = "healthy" if healthy else "refusing" if path.exists() else "down"
        return {
            "primary": primary,
            "active": self.active,
            "replica_lag_s": round(lag, 3),
            "maintenance": self.maintenance is not None,
        }

    def fail_over(self, _: dict[str, Any]) -> dict[str, Any]:
        if self.active == "replica":
            raise Refused("the replica is already active")
        self._activate("replica")
        return {"active": "replica"}

    def fail_back(self, _: dict[str, Any]) -> dict[str, Any]:
        """Copy what the replica got meanwhile to the primary, then use it again."""
        if self.active == "primary":
            raise Refused("the primary is already active")
        if self.facts()["primary"] != "healthy":
            raise Refused("the primary still refuses writes")
        with closing(self._connect(self.files["replica"])) as source:
            rows = source.execute("SELECT asset, at, record FROM latest").fetchall()
        self._write(self.files["primary"], rows)
        self._activate("primary")
        return {"active": "primary", "copied": len(rows)}

    def maintain(self, hold: float, gap: float) -> None:
        """The maintenance job that never ends: it locks the database again and again. A restart ends it."""
        if self.maintenance is not None:
            raise Refused("maintenance is under way")

        def job() -> None:
            while True:
                with closing(self._connect(self.files[self.active])) as database:
                    database.isolation_level = None
                    try:
                        database.execute("BEGIN EXCLUSIVE")
                        clock.pause(hold)
                        database.execute("ROLLBACK")
                    except sqlite3.Error as error:
                        print(f"maintenance: {error}", flush=True)
                clock.pause(gap)

        self.maintenance = threading.Thread(target=job, name="maintenance", daemon=True)
        self.maintenance.start()

    def _connect(self, path: Path) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=self.busy)
        database.execute("PRAGMA synchronous = OFF")  # the demo may lose a second in a power cut
        return database

    def _write(self, path: Path, rows: list[tuple[str, float, str]]) -> None:
        try:
            with closing(self._connect(path)) as database, database:
                database.executemany(UPSERT, rows)
        except sqlite3.Error as error:
            raise StoreError("primary_refuses" if self.active == "primary" else "down", str(error)) from error

    def _follow(self, rows: list[tuple[str, float, str]]) -> None:
        """The replica gets the same rows; while it cannot, its lag grows."""
        try:
            self._write(self.files["replica"], rows)
            self.behind_since = None
        except StoreError:
            self.behind_since = self.behind_since or clock.monotonic()

    def _activate(self, name: str) -> None:
        self.active = name
        self.choice.write_text(json.dumps(name), encoding="utf-8")
        self.switched(name)
