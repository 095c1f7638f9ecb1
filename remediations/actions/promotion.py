"""Promoting a streaming standby: nothing before the old primary is known not to take writes, nothing on a standby that
is too far behind, and nothing claimed that the servers did not show.

    look at the standby -> look at the primary -> fence it -> wait until the standby has all of it -> promote -> look again

What is known of the old primary comes from two witnesses: its own answer to us, and the standby's receiver. A primary
that we cannot reach while the standby still receives from it is alive, and cannot be fenced from here: refused. One that
neither of the two sees is taken for dead; only a fence outside PostgreSQL (power, network) helps against its return.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from config.units import format_duration, format_size
from remediations.actions.action import Permit
from remediations.actions.postgres import Asked, Server
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, PortError, Unreachable

LOOK = 5.0
"""Seconds for one question; a primary that takes connections and says nothing may not use up the whole time."""
FENCE_WITHIN = 15.0
"""Seconds for a new session to be read-only after the fence was ordered."""
CATCH_UP = 20.0
"""Seconds given to the standby to receive what the fenced primary still had."""
EVERY = 0.1
"""Seconds between two looks."""
RESERVE = 3.0
"""Seconds kept from the promotion for the look at what came of it."""

STATE = """
WITH log AS (
  SELECT pg_is_in_recovery() AS recovering,
         (SELECT latest_end_lsn FROM pg_stat_wal_receiver) AS told,
         CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
              ELSE pg_current_wal_flush_lsn() END AS received,
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END AS replayed
)
SELECT recovering,
       (SELECT system_identifier FROM pg_control_system()),
       CASE WHEN recovering
            THEN greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                          (SELECT received_tli FROM pg_stat_wal_receiver))
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
       current_setting('transaction_read_only')::bool,
       (greatest(told, received) - '0/0')::bigint,
       (received - '0/0')::bigint,
       (replayed - '0/0')::bigint,
       CASE WHEN replayed < received
            THEN coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)
            ELSE 0 END::float8,
       CASE WHEN recovering THEN pg_is_wal_replay_paused() ELSE false END,
       (SELECT count(*) FROM pg_stat_wal_receiver)
  FROM log
"""
"""One row: how a server stands. Positions are bytes since the beginning of the log."""

READ_ONLY = "ALTER SYSTEM SET default_transaction_read_only = on"
WRITABLE = "ALTER SYSTEM RESET default_transaction_read_only"
RELOAD = "SELECT pg_reload_conf()"
IS_READ_ONLY = "SELECT current_setting('transaction_read_only')::bool"
END_SESSIONS = """
SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
       count(*) FILTER (WHERE ended), count(*) FILTER (WHERE NOT ended), (SELECT count(*) FROM pg_prepared_xacts)
  FROM (SELECT pg_terminate_backend(pid, 2000) AS ended FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS sessions
"""
"""Sessions older than the fence may be in the middle of a write. Those that come back are read-only; a prepared
transaction may be committed by them all the same.
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of `STATE`."""

    recovering: bool
    system: int
    timeline: int
    read_only: bool
    known: int
    """The furthest position this server was told of."""
    received: int
    """A promotion keeps what was received, replayed or not."""
    replayed: int
    delay: float
    """Seconds since the last replayed commit, 0 when everything received is replayed."""
    paused: bool
    receiving: bool

    @classmethod
    def of(cls, row: Asked) -> Standing:
        """Raises `PortError` for a row that is none."""
        try:
            recovering, system, timeline, read_only, known, received, replayed, delay, paused, receivers = row
            return cls(
                bool(recovering), int(system), int(timeline), bool(read_only), int(known), int(received),
                int(replayed), float(delay), bool(paused), bool(receivers),
            )  # fmt: skip
        except (TypeError, ValueError):
            raise PortError("it did not say how it stands", sent=False) from None


class Refused(Exception):
    """A precondition does not hold; nothing was touched."""


class NotFenced(Exception):
    """The old primary may still take writes."""


class Promotion:
    """One promotion being carried out. `steps`: what was seen and done so far, in words, whatever goes wrong after it."""

    def __init__(
        self,
        rendered: Mapping[str, Any],
        standby: Server,
        primary: Server | None,
        permit: Permit,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._fence = rendered["fence"]
        self._most: Mapping[str, float] = rendered["max_lag"]
        self._standby = standby
        self._primary = primary
        self._permit = permit
        self._pause = pause or threading.Event().wait
        self._ordered = False
        """Whether a fence of ours was ordered and should be lifted if nothing comes of it."""
        self.steps: list[str] = []
        self.said = ""

    def carry_out(self) -> OutcomeState:
        """Never raises for what the servers do."""
        try:
            before = self._look(self._standby)
            if not before.recovering:
                return self._already(before)
            primary = self._look_at_primary()
            self._check(before, primary)
            if primary is not None and not primary.recovering:
                self._fence_off()
                self._await_all_of_it()
        except Refused as refused:
            self.steps.append(str(refused))
            return OutcomeState.NOT_DONE
        except NotFenced as error:
            self.steps.append(str(error))
            return self._stand_down()
        except PortError as error:
            self.said = str(error)
            return self._stand_down()
        return self._promote(before)

    # ------------------------------------------------------------------ looking

    def _look(self, server: Server) -> Standing:
        return Standing.of(server.row(STATE, within=LOOK))

    def _look_at_primary(self) -> Standing | None:
        """None when nobody is there. A server that is there and will not talk to us cannot be fenced: `Refused`."""
        if self._primary is None:
            return None
        try:
            return self._look(self._primary)
        except Unreachable:
            self.steps.append(f"{self._primary.name} cannot be reached")
            return None
        except PortError as error:
            self.said = str(error)
            raise Refused(f"{self._primary.name} is there and cannot be fenced") from None

    def _already(self, standing: Standing) -> OutcomeState:
        """Somebody has promoted it, perhaps we. Two servers that take writes are worse than none."""
        self.steps.append(f"{self._standby.name} takes writes already, on timeline {standing.timeline}")
        try:
            primary = None if self._primary is None else self._look(self._primary)
        except PortError as error:
            self.said = str(error)
            return OutcomeState.DONE
        if primary is None or primary.recovering or primary.read_only:
            return OutcomeState.DONE
        assert self._primary is not None
        self.steps.append(f"and so does {self._primary.name}")
        return OutcomeState.FAILED

    def _check(self, standby: Standing, primary: Standing | None) -> None:
        """What has to hold before anything is touched. Raises `Refused`."""
        if primary is not None and primary.system != standby.system:
            raise Refused("standby and primary are not of one cluster")
        if standby.receiving and (primary is None or primary.recovering):
            raise Refused(f"{self._standby.name} still receives from a primary that cannot be fenced")
        known = max(standby.known, primary.known if primary is not None else 0)
        self.steps.append(_lag(known - standby.replayed, standby))
        if not self._near(known - standby.replayed, standby.delay):
            paused = ", its replay is paused" if standby.paused else ""
            raise Refused(f"more than {self._most_text()} behind{paused}")
        if not self._permit.granted():
            raise Refused("no permit")

    def _near(self, behind: int, delay: float) -> bool:
        return behind <= self._most["bytes"] if "bytes" in self._most else delay <= self._most["seconds"]

    def _most_text(self) -> str:
        if "bytes" in self._most:
            return format_size(int(self._most["bytes"]))
        return format_duration(self._most["seconds"])

    # ------------------------------------------------------------------ the fence

    def _fence_off(self) -> None:
        """No session of the primary can write from here on. Raises `NotFenced` or `PortError`."""
        assert self._primary is not None
        name = self._primary.name
        if not self._is_read_only():
            self._ordered = True
            for statement in [self._fence["statement"]] if self._fence["statement"] else [READ_ONLY, RELOAD]:
                self._primary.ask(statement, within=FENCE_WITHIN)
            if not self._within(FENCE_WITHIN, self._is_read_only):
                raise NotFenced(f"{name} still opens sessions that can write")
        sees, ended, left, prepared = self._primary.row(END_SESSIONS, within=FENCE_WITHIN)
        if not sees:
            raise NotFenced(f"the role at {name} may not see other sessions (pg_read_all_stats)")
        if left:
            raise NotFenced(f"{left} sessions of {name} did not end")
        if prepared:
            raise NotFenced(f"{prepared} prepared transactions of {name} can still be committed")
        self.steps.append(f"{name} is read-only, {ended} sessions ended")

    def _is_read_only(self) -> bool:
        assert self._primary is not None
        return bool(self._primary.row(IS_READ_ONLY, within=LOOK)[0])

    def _await_all_of_it(self) -> None:
        """What was acknowledged before the fence reaches the standby, or at most `max_lag` of it is missing."""
        assert self._primary is not None
        end = self._look(self._primary).known
        if self._within(CATCH_UP, lambda: self._look(self._standby).received >= end):
            self.steps.append(f"{self._standby.name} has all of it")
            return
        standby = self._look(self._standby)
        if not self._near(end - standby.received, standby.delay):
            raise NotFenced(f"{self._standby.name} did not catch up with the fenced primary")
        self.steps.append(f"{format_size(max(0, end - standby.received))} did not arrive")

    def _within(self, seconds: float, holds: Callable[[], bool]) -> bool:
        until = min(self._standby.now() + seconds, self._standby.deadline - RESERVE)
        while not holds():
            if self._standby.now() >= until:
                return False
            self._pause(EVERY)
        return True

    def _stand_down(self) -> OutcomeState:
        """Nothing was promoted: a primary that we made read-only gets its writes back, as far as it can be told."""
        if not self._ordered:
            return OutcomeState.FAILED
        assert self._primary is not None
        lift = [self._fence["lift"]] if self._fence["statement"] else [WRITABLE, RELOAD]
        try:
            for statement in filter(None, lift):
                self._primary.ask(statement, within=FENCE_WITHIN)
            writable = any(lift) and self._within(FENCE_WITHIN, lambda: not self._is_read_only())
        except PortError as error:
            self.said, writable = str(error), False
        self.steps.append(
            "takes writes again" if writable else f"{self._primary.name} may still be read-only"
        )
        return OutcomeState.FAILED

    # ------------------------------------------------------------------ the promotion

    def _promote(self, before: Standing) -> OutcomeState:
        if not self._permit.granted():
            self.steps.append("no permit any more")
            return self._stand_down() if self._ordered else OutcomeState.NOT_DONE
        seconds = max(1, int(self._standby.deadline - self._standby.now() - RESERVE))
        try:
            self._standby.ask(f"SELECT pg_promote(true, {seconds})", within=seconds + RESERVE)
        except (Ambiguous, Unreachable) as error:
            self.said = str(error)
            if not error.sent:
                self.steps.append("the promotion was not sent")
                return self._stand_down()
            self.steps.append("the promotion was not answered")
            return OutcomeState.UNKNOWN
        except PortError as error:
            self.said = str(error)
            self.steps.append("the promotion was refused")
            return self._stand_down()
        return self._proved(before)

    def _proved(self, before: Standing) -> OutcomeState:
        """A new timeline on a server that recovers no more; what is not seen is unknown."""
        try:
            after = self._look(self._standby)
        except PortError as error:
            self.said = str(error)
            self.steps.append("what came of the promotion was not seen")
            return OutcomeState.UNKNOWN
        if after.recovering or after.timeline <= before.timeline:
            self.steps.append("the promotion is not finished")
            return OutcomeState.UNKNOWN
        self.steps.append(f"promoted, timeline {before.timeline} to {after.timeline}")
        return OutcomeState.DONE


def _lag(behind: int, standby: Standing) -> str:
    receiver = "receiving" if standby.receiving else "receiving nothing"
    return f"{format_size(max(0, behind))} and {standby.delay:.0f} s behind, {receiver}"
