"""A storage writer: one process a tier. Writes go through one writer thread; its health is answered by others."""

import os
import queue
import threading
import traceback
from dataclasses import dataclass, field
from typing import Any

from demo import clock
from demo.metrics import Registry
from demo.programs.tier import Pool, Record, Spool, Store, StoreError
from demo.service import Refused, Service, main
from demo.settings import StorageSettings
from demo.wire import Answer, Call

BOUNDS = (
    0.001,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
)  # the tiers' bounds, 0.1 and 0.5, are edges


class StorageMetrics:
    def __init__(self, registry: Registry, tier: str) -> None:
        self.tier = tier
        self.writes = registry.counter(
            "telemetry_storage_writes_total", "Write attempts, failed ones included.", "tier"
        )
        self.write_errors = registry.counter("telemetry_storage_write_errors_total", "Failed writes.", "tier")
        self.reads = registry.counter("telemetry_storage_reads_total", "Read attempts.", "tier")
        self.read_errors = registry.counter("telemetry_storage_read_errors_total", "Failed reads.", "tier")
        stem = "telemetry_storage_"
        self.write_time = registry.histogram(
            f"{stem}write_duration_seconds", "Time of a write.", "tier", bounds=BOUNDS
        )
        self.read_time = registry.histogram(
            f"{stem}read_duration_seconds", "Time of a read.", "tier", bounds=BOUNDS
        )
        for counter in (self.writes, self.write_errors, self.reads, self.read_errors):
            counter.add(0, tier)
        for histogram in (self.write_time, self.read_time):
            histogram.touch(tier)


@dataclass(slots=True)
class Job:
    """Records one caller waits for; given up when the caller's patience ended first."""

    records: list[Record]
    ended: threading.Event = field(default_factory=threading.Event)
    error: str = ""
    given_up: bool = False


class TierWriter:
    def __init__(self, service: Service, tier: str) -> None:
        self.service, self.tier = service, tier
        self.given: StorageSettings = service.stack.settings.storage
        self.metrics = StorageMetrics(service.registry, tier)
        self.pool = Pool(self.given.pool_size, self.given.pool_wait_s)
        self.spool = Spool(service.stack.state / "spool" / f"{tier}.jsonl")
        self.store: Store = self._open()
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.read_only = self.spooling = False
        self.sessions = 0
        self.writing = threading.Lock()
        self.job_since: float | None = None
        self.signs: dict[str, float] = {}  # reason -> when it was last seen
        threading.Thread(target=self._work, name="writer", daemon=True).start()

    def _open(self) -> Store:
        """The tier's own store; only its code is loaded."""
        state, given = self.service.stack.state, self.given
        if self.tier == "hot":
            from demo.programs.hot import HotStore

            def switched(name: str) -> None:
                self.service.effects.write("switch", "active", args={"use": name})

            return HotStore(state / "hot", self.pool, given.busy_s, switched)
        if self.tier == "warm":
            from demo.programs.warm import WarmStore

            sizes = (
                given.warm_segment_kb * 1024,
                given.warm_segments,
                given.warm_history,
                given.archive_keep_mb * 2**20,
            )
            return WarmStore(state / "warm", state / "archive", *sizes)
        from demo.programs.cold import ColdStore

        return ColdStore(state / "cold", given.cold_segment_mb * 2**20, given.cold_keep_mb * 2**20)

    # -- writing and reading -------------------------------------------------------------------------------------

    def write(self, call: Call) -> Answer:
        job = Job(call.json()["records"])
        self.jobs.put(job)
        if not job.ended.wait(self.given.write_wait_s):
            job.given_up = True
            return Answer(504, {"error": "the writer did not get to it"})
        return Answer(503, {"error": job.error}) if job.error else Answer(200, {"stored": len(job.records)})

    def _work(self) -> None:
        while True:
            job = self.jobs.get()
            if job.given_up:
                continue
            self.job_since = began = clock.monotonic()
            try:
                self._store(job.records)
            except StoreError as error:
                job.error = str(error)
                self.signs[error.reason] = clock.monotonic()
            except Exception as error:  # noqa: BLE001 - the one writer thread outlives a bad record
                traceback.print_exc()
                job.error = str(error)
            took = clock.monotonic() - began
            self.job_since = None
            self._count(len(job.records), took, failed=bool(job.error))
            job.ended.set()

    def _store(self, records: list[Record]) -> None:
        with self.writing:
            if self.read_only or self.spooling:
                self.spool.add(records)
            else:
                self.store.write(records)

    def _count(self, records: int, took: float, *, failed: bool) -> None:
        if took > self.given.hung_after_s:
            self.signs["writer_hung"] = clock.monotonic()
        self.metrics.writes.add(records, self.tier)
        self.metrics.write_errors.add(records if failed else 0, self.tier)
        self.metrics.write_time.observe(took, self.tier)

    def read(self, call: Call) -> Answer:
        began = clock.monotonic()
        try:
            records, status, problem = self.store.read(call.path.rpartition("/")[2]), 200, ""
        except StoreError as error:
            records, status, problem = [], 503, str(error)
            self.signs[error.reason] = clock.monotonic()
            self.metrics.read_errors.add(1, self.tier)
        self.metrics.reads.add(1, self.tier)
        self.metrics.read_time.observe(clock.monotonic() - began, self.tier)
        return Answer(status, {"records": records, "error": problem})

    # -- what people order ---------------------------------------------------------------------------------------

    def order_pool(self, args: dict[str, Any]) -> dict[str, Any]:
        size = int(args["size"])
        if not 1 <= size <= 200:
            raise ValueError("size is between 1 and 200")
        self.pool.resize(size)
        return {"pool": self.pool.facts()}

    def order_read_only(self, args: dict[str, Any]) -> dict[str, Any]:
        """Reads go on, writes are spooled; at its end what was spooled goes in."""
        if not args["on"]:
            return self.order_drain({})
        self.read_only = True
        return {"read_only": True}

    def order_spool(self, args: dict[str, Any]) -> dict[str, Any]:
        self.spooling = bool(args["on"])
        return {"spooling": self.spooling}

    def order_drain(self, _: dict[str, Any]) -> dict[str, Any]:
        """What was spooled goes into the store; the spool ends only when all of it is in."""
        with self.writing:
            records = self.spool.all()
            try:
                if records:
                    self.store.write(records)
            except StoreError as error:
                raise Refused(f"the tier still refuses: {error}") from error
            self.spool.clear()
            self.read_only = self.spooling = False
        return {"drained": len(records)}

    def order_archive(self, _: dict[str, Any]) -> dict[str, Any]:
        from demo.programs.warm import WarmStore

        if not isinstance(self.store, WarmStore):
            raise Refused(f"{self.tier} has nothing to archive")
        with self.writing:
            try:
                files, size = self.store.archive()
            except (StoreError, OSError) as error:
                raise Refused(f"not archived: {error}") from error
        return {"files": files, "bytes": size}

    def health(self, _: Call) -> Answer:
        facts = {
            "primary": "healthy",
            "active": "primary",
            "replica_lag_s": 0.0,
            "disk": {"free_share": 1.0},
        } | self.store.facts()
        reason = self._reason(facts)
        return Answer(200, {
            "status": "ok" if reason == "ok" else "failing", "tier": self.tier, "reason": reason, **facts,
            "pool": self.pool.facts(), "read_only": self.read_only, "spooling": self.spooling or self.read_only, "spooled": self.spool.count,
                "sessions": self.sessions, "pid": os.getpid(),
        })  # fmt: skip

    def _reason(self, facts: dict[str, Any]) -> str:
        now = clock.monotonic()
        fresh = {reason for reason, at in self.signs.items() if now - at < self.given.reason_for_s}
        since = self.job_since
        if facts["active"] == "primary" and facts["primary"] != "healthy":
            return "primary_refuses"
        if facts["disk"]["free_share"] < self.given.disk_full_share and "disk_full" in fresh:
            return "disk_full"
        if "pool_exhausted" in fresh:
            return "pool_exhausted"
        if "writer_hung" in fresh or (since is not None and now - since > self.given.hung_after_s):
            return "writer_hung"
        return "down" if "down" in fresh else "ok"

    def open_sessions(self, call: Call) -> Answer:
        """Sessions for a client of the database; they last until the client gives them back or the process ends."""
        for _ in range(int(call.json()["count"])):
            self.pool.take()
            self.sessions += 1
        return Answer(200, self.pool.facts())

    def maintenance(self, _: Call) -> Answer:
        from demo.programs.hot import HotStore

        assert isinstance(self.store, HotStore)
        self.store.maintain(self.given.maintenance_hold_s, self.given.maintenance_gap_s)
        return Answer(200, {"ok": True})


def build(service: Service, tier: str) -> None:
    writer = TierWriter(service, tier)
    base = f"/tiers/{tier}"
    service.route("GET", f"{base}/health", writer.health)
    service.route("GET", "/health", writer.health)
    service.route("POST", f"{base}/write", writer.write)
    service.route_below("GET", f"{base}/read/", writer.read)
    service.admin(f"{base}/pool", writer.order_pool)
    service.admin(f"{base}/read-only", writer.order_read_only)
    service.admin(f"{base}/spool", writer.order_spool)
    service.admin(f"{base}/drain", writer.order_drain)
    service.admin(f"{base}/archive", writer.order_archive)
    if tier == "hot":
        from demo.programs.hot import HotStore

        assert isinstance(writer.store, HotStore)
        service.admin(f"{base}/failover", writer.store.fail_over)
        service.admin(f"{base}/failback", writer.store.fail_back)
        service.route("POST", f"{base}/sessions", writer.open_sessions)
        service.route("POST", f"{base}/maintenance", writer.maintenance)
    service.listen(service.stack.port(f"storage-writer-{tier}"))


if __name__ == "__main__":
    main(build, "storage-writer")
