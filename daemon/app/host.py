"""The host of a live loop: publishes its state, tells people directly when the store is sick, feeds the heartbeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from config.loader import Loaded
from config.scope import scope_key
from daemon import log
from daemon.app import heartbeat
from daemon.app.audit import FRESH_WITHIN, audit
from daemon.app.build import setup_of
from daemon.app.gauges import Gauges
from daemon.app.publish import snapshot_of
from daemon.app.systemd import Systemd
from daemon.app.workers import DIRECT, Workers
from daemon.desk.known import Known, known_of
from daemon.desk.snapshot import Snapshot
from daemon.errors import StoreSick
from daemon.escalate.booked import Booked
from daemon.escalate.channels.port import Doors
from daemon.escalate.direct import DirectPager
from daemon.escalate.told import Told
from daemon.incidents.change import Job
from daemon.loop.ground import Ground
from daemon.loop.heart import Heart
from daemon.settings.model import Settings
from daemon.store.engine import place
from daemon.store.retention import Retention
from detectors.board import Board, FindingState
from remediations.ports import Ports

PUBLISH_EVERY = 0.25
"""Seconds between two snapshots: nobody looks more often, and a step has better things to do."""
PUBLISH_SHARE = 0.05
"""Of the loop's time that publishing may take: with very many scopes snapshots come less often."""
TELL_EVERY = 60.0
"""Seconds between tries to reach somebody directly while nobody was reached."""
DIRECT_WITHIN = 60.0
OVER = {"store": "it writes again", "loop": "the daemon was started anew"}
"""What is said when a part of the daemon of which people were told directly is well again."""
STALLED_AFTER = 10.0
"""Seconds without a round of the loop, which takes at most one, after which the daemon is not ready."""
PRUNE_ROUNDS = 20


class LiveHost:
    """Fits `daemon.loop.core.Host`. Read by the faces; written by the loop's thread."""

    def __init__(
        self,
        loaded: Loaded[Settings],
        ports: Ports,
        leader: str,
        version: str,
        ask: Callable[[str], None],
        now: float,
    ) -> None:
        self.loaded, self.leader, self.version = loaded, leader, version
        self._ports, self._ask = ports, ask
        self.started_at = self.loaded_at = now
        self.refused: tuple[str, ...] = ()
        self.ready: tuple[bool, str] = (False, "starting")
        self.cycle: tuple[float, float] | None = None
        self.snapshot: Snapshot | None = None
        self.workers: Workers | None = None
        self.gauges: Gauges | None = None
        self.systemd: Systemd | None = None
        self._known: tuple[Loaded[Settings], Known] = (loaded, known_of(loaded, version))
        self._rest = PUBLISH_EVERY
        self._told_at = 0.0
        self.told = Told(place(loaded.model.state).path)
        self._bugs = 0
        self._said_sick = ("", 0.0)
        self.booked: Mapping[str, Booked] = {}
        """What calendars say, kept for when the store cannot be asked."""

    def take(self, loaded: Loaded[Settings], now: float) -> None:
        """A reloaded configuration is in force."""
        self.loaded, self.loaded_at, self.refused = loaded, now, ()

    def known(self) -> Known:
        """What the faces need of the configuration; made once per configuration, asked for many times a page."""
        loaded, known = self._known
        if loaded is not self.loaded:
            known = known_of(self.loaded, self.version)
            self._known = (self.loaded, known)
        return known

    def pager(self) -> DirectPager:
        """A pager for what cannot be owed as a row, for the present configuration."""
        assert self.workers is not None
        setup = setup_of(self.loaded.model)
        doors = Doors(self._ports.http, self._ports.clock, self.loaded.redactor.text)
        book = self.workers.tools.book
        directory = replace(setup.directory, booked=self.booked)
        return DirectPager(directory, setup.policies["default"], book, doors, self.told)

    def publish(self, loop: Ground, now: float) -> None:
        """Everything true now, by one assignment."""
        self.booked = loop.stages.escalate.setup.directory.booked
        if self.systemd is not None:
            self.systemd.alive(self._ports.clock.monotonic())
        if not self.ready[0] and self.ready[1] == "starting" and loop.board is not None:
            self.ready = (True, "")
        if self.snapshot is not None and 0.0 <= now - self.snapshot.at < self._rest:
            return
        began = self._ports.clock.monotonic()
        try:
            self.snapshot = snapshot_of(
                loop,
                self.loaded,
                version=self.version,
                leader=self.leader,
                started_at=self.started_at,
                loaded_at=self.loaded_at,
                cycle=self.cycle,
                refused=self.refused,
                now=now,
            )
            if self.gauges is not None:
                self.gauges.show(loop, self.loaded.model.autonomy, now)
        except StoreSick as error:
            self._say_sick(str(error), now)
        self._rest = max(PUBLISH_EVERY, (self._ports.clock.monotonic() - began) / PUBLISH_SHARE)

    def readiness(self, loop: Ground) -> tuple[bool, str]:
        """Whether to be sent alerts and orders, and why not."""
        good, why = self.ready
        if not good:
            return good, why
        if not loop.control.lead.valid():
            return False, "another daemon leads"
        if loop.sick_since is not None:
            return False, "the store cannot be written"
        at, took = self.cycle or (self.started_at, 0.0)
        silent = self._ports.clock.now() - at - took / 1000
        if silent > max(STALLED_AFTER, 4 * self.loaded.model.poll_interval):
            return False, f"the loop has not come round for {silent:.0f} s"
        return True, ""

    def end(self) -> None:
        """Another daemon leads: one that decides nothing must not look like one that does."""
        if self.ready[0]:
            self.ready = (False, "another daemon leads")
            self._ask("lost")

    def reload(self, who: str) -> None:
        """Ordered from within: the main thread reads the files, so the loop does not wait for a disk."""
        log.get().info(log.ORDER_TAKEN, order="reload", who=who)
        self._ask("reload")

    def heartbeat(self, loop: Ground, now: float) -> None:
        """Tell the outside that all is well, after looking whether it is; where it can be told, what is not."""
        spec, poll = self.loaded.model.heartbeat, self.loaded.model.poll_interval
        if spec is None or (loop.board is None and now - self.started_at < max(FRESH_WITHIN, 4 * poll)):
            return  # just started: nothing was looked at yet, so nothing is known
        failing = audit(loop, poll, now)
        if failing:
            log.get().warning(log.AUDIT_FAILED, checks=failing)
        if loop.pools.posts.free():
            loop.submit(heartbeat.beat(spec, failing, now))

    def listen_for_beats(self, loop: Ground) -> None:
        """After a start or a reload: what became of earlier beats says nothing about those to come."""
        loop.heart = Heart(heard=self.loaded.model.heartbeat is None)

    def housekeeping(self, loop: Ground, now: float) -> None:
        """Delete what is past its age, in small bites; never what is owed or open. Try again to say what is over."""
        if loop.sick_since is None:
            loop.submit(self.left_open(now, ("store",)))
        keep = self.loaded.model.retention
        for _ in range(PRUNE_ROUNDS):
            if not loop.store.prune(now, Retention(keep.timeline, keep.closed_incidents)).more:
                return

    def store_sick(self, reason: str, board: Board | None, now: float) -> Sequence[Job]:
        """A page that leaves without a row: the one exception to "nothing leaves before its commit"."""
        self._say_sick(reason, now)
        if now - self._told_at < TELL_EVERY:
            return ()
        self._told_at = now
        findings = () if board is None else board.findings.values()
        firing = [finding for finding in findings if finding.state is FindingState.FIRING]
        modes = Counter(finding.failure_mode for finding in firing)
        named = ", ".join(f"{mode} ({count} scopes)" for mode, count in sorted(modes.items()))
        text = f"the store cannot be written ({reason}); nothing is done" + (
            f". Firing now: {named}" if named else ""
        )
        about = [f"{finding.failure_mode} {scope_key(finding.scope)}" for finding in firing]
        args = {"part": "store", "text": text, "about": about}
        return (Job(f"direct-{now:.3f}", DIRECT, "-", now + DIRECT_WITHIN, args),)

    def _say_sick(self, reason: str, now: float) -> None:
        """Once a minute, and when the reason is another: the log may lie on the very disk that is full."""
        before, at = self._said_sick
        if reason != before or not 0.0 <= now - at < TELL_EVERY:
            self._said_sick = (reason, now)
            log.get().error(log.STORE_FAILED, error=reason)

    def store_well(self, now: float) -> Sequence[Job]:
        """It writes again: tell those who were told."""
        self._told_at = 0.0
        return (_over("store", now),)

    def left_open(self, now: float, parts: Iterable[str] = OVER) -> Sequence[Job]:
        """The end of what was paged directly and left open, by a daemon before this one or for want of an answer."""
        left = sorted({part for part, _, _ in self.told.listed() if part in parts})
        return tuple(_over(part, now) for part in left)

    def bug(self, loop: Ground, error: Exception, now: float) -> None:
        """A step raised: log it whole, tell people once, go on."""
        self._bugs += 1
        log.get().error(log.ITEM_PARKED, item="loop", exc_info=error)
        loop.metrics.items_parked.set(len(loop.parked) + 1)
        if now - self._told_at >= TELL_EVERY:
            self._told_at = now
            text = f"a step of the loop failed: {type(error).__name__}"
            loop.submit(
                (Job(f"bug-{now:.3f}", DIRECT, "-", now + DIRECT_WITHIN, {"part": "loop", "text": text}),)
            )


def _over(part: str, now: float) -> Job:
    """Tells those who were told directly that it is over."""
    return Job(f"over-{part}-{now:.3f}", DIRECT, "-", now + DIRECT_WITHIN, {"part": part, "over": OVER[part]})
