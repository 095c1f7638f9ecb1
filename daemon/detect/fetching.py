"""What is to be asked of the world, and the worker's side of it: a `Fetch` goes out, a `Result` comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from config.scope import WHOLE, Scope
from daemon.detect.probes import NO_ANSWER, REFUSED, Prober
from daemon.detect.sources.base import Source, Wanted
from detectors.samples import Batch, Failed
from remediations.actions.managers.manager import Manager, ManagerFault, Standing
from remediations.ports import Clock, PortError
from remediations.run import Evidence


class Asked(StrEnum):
    """Whom a fetch asks."""

    SOURCE = "source"
    PROBE = "probe"
    UNIT = "unit"


@dataclass(frozen=True, slots=True)
class Fetch:
    """One question. `name`: of the source, probe or manager; `unit`: at the manager; `scope`: for a probe.

    `key` is unique; `at` and `deadline_at` are unix seconds. `since`: end of what is known of a source.
    """

    key: str
    asked: Asked
    name: str
    at: float
    deadline_at: float
    scope: Scope = WHOLE
    unit: str = ""
    wanted: Wanted | None = None
    since: float | None = None


Result = Batch | Failed | Evidence
"""A source answers with a batch or a failure; probes and managers with evidence (of a unit: `ok` is "it runs")."""


class Fetcher:
    """Carries out fetches on workers; safe to use from many threads. Never raises for what the world does."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        prober: Prober,
        managers: Mapping[str, Manager],
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._prober = prober
        self._managers = managers
        self._clock = clock

    def carry_out(self, fetch: Fetch) -> Result:
        """Ask, within the time that is left until the fetch's deadline."""
        deadline = self._clock.monotonic() + (fetch.deadline_at - self._clock.now())
        if fetch.asked is Asked.PROBE:
            return self._prober.ask(fetch.name, fetch.scope, deadline)
        if fetch.asked is Asked.UNIT:
            return self._unit(fetch, deadline)
        source = self._sources.get(fetch.name)
        if source is None or fetch.wanted is None:
            return Failed(fetch.name, fetch.at, "no such source")
        return source.fetch(fetch.wanted, fetch.since, fetch.at, deadline)

    def close(self) -> None:
        """Let go of the sources' threads, once a reload has put another fetcher in this one's place."""
        for source in self._sources.values():
            source.close()

    def _unit(self, fetch: Fetch, deadline: float) -> Evidence:
        manager = self._managers.get(fetch.name)
        if manager is None:
            return Evidence(self._clock.now(), ok=False, error=f"no manager is called {fetch.name}")
        try:
            state = manager.state(fetch.unit, deadline=deadline)
        except ManagerFault as fault:
            return Evidence(self._clock.now(), ok=False, error=str(fault))
        except PortError as error:
            return Evidence(self._clock.now(), ok=False, error=f"{NO_ANSWER}: {error}")
        if state.standing is Standing.BETWEEN:
            # just being started or stopped proves nothing, either way
            return Evidence(self._clock.now(), ok=False, error=f"between: {state}")
        return Evidence(
            self._clock.now(), state.running, body={"state": state.said, "identity": state.identity}
        )


def refused(evidence: Evidence) -> bool:
    """Somebody was reached: it answered and the answer is bad, or nobody listens there."""
    return not evidence.ok and (evidence.error.startswith(REFUSED) or not evidence.error)


def unanswered(evidence: Evidence) -> bool:
    """Silence, which may as well be our own network's."""
    return not evidence.ok and evidence.error.startswith(NO_ANSWER)
