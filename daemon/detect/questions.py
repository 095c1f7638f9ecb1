"""Which questions are due: every source, probes that are signals, and the witnesses of what is failing now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from config.scope import WHOLE, Scope
from daemon.detect.fetching import Asked, Fetch
from daemon.detect.inventory import Members
from daemon.detect.plan import Plan
from daemon.detect.schedule import Place, Schedule
from daemon.detect.witnesses import Testimony, reduced, rendered_unit
from detectors.board import Finding

_CONTROLS = 2
"""Other scopes of an unanswered probe that are asked, to tell its silence from our own network's."""
_PROBE_SLACK = 1.0


@dataclass(slots=True)
class Questions:
    """Turns what is to be known into fetches, as slots and free workers allow."""

    plan: Plan
    members: Members
    testimony: Testimony
    schedule: Schedule = field(default_factory=Schedule)
    _count: int = 0

    def due(
        self, now: float, free: int, findings: Iterable[Finding], known_until: Mapping[str, float]
    ) -> list[Fetch]:
        """At most `free` fetches, those first that wait the longest; what finds no worker stays due.

        `known_until`: end of what is known of a source; one not in it is asked for its whole look-back.
        """
        wanted = dict(self._wanted(now, findings))
        self.schedule.forget(set(wanted))
        found: list[Fetch] = []
        for place in sorted(wanted, key=lambda place: self.schedule.waits_since(place, wanted[place], now)):
            every = wanted[place]
            if len(found) >= free:
                break
            if self.schedule.turn(place, every, now):
                fetch = self._fetch(place, now, known_until.get(place[1]))
                self.schedule.sent(fetch)
                found.append(fetch)
        return found

    def probe_scopes(self, probe: str, now: float) -> tuple[Scope, ...]:
        """Scopes a probe that is a signal is asked about."""
        spec = self.plan.sections.probes.get(probe)
        return () if spec is None else self.members.probe_scopes(spec, now)

    def answered(self, asked: Asked, name: str) -> Fetch | None:
        """Take the fetch of a source off the list; None when none was under way."""
        for key, fetch in self.schedule.in_flight.items():
            if fetch.asked is asked and fetch.name == name:
                return self.schedule.in_flight.pop(key)
        return None

    def round_open(self, probe: str, at: float) -> bool:
        """Whether answers of this probe are still awaited that were asked for at `at` or before.

        Later ones do not count: where rounds overlap, as slow answers make them, one would always be open.
        """
        return any(
            fetch.asked is Asked.PROBE and fetch.name == probe and fetch.at <= at
            for fetch in self.schedule.in_flight.values()
        )

    def _wanted(self, now: float, findings: Iterable[Finding]) -> Iterator[tuple[Place, float]]:
        poll = self.plan.sections.poll_interval
        for name, source in self.plan.sources.items():
            yield (Asked.SOURCE, name, WHOLE, ""), source.every
        for probe in self.plan.probe_signals:
            for scope in self.probe_scopes(probe, now):
                yield (Asked.PROBE, probe, scope, ""), poll
        for finding in findings:
            for place in self._witnesses(finding):
                yield place, poll
        for probe, scope in list(self.testimony.silent(now)):
            for other in [one for one in self.probe_scopes(probe, now) if one != scope][:_CONTROLS]:
                yield (Asked.PROBE, probe, other, ""), poll

    def _witnesses(self, finding: Finding) -> Iterator[Place]:
        rule = self.plan.rules.get(finding.detector)
        if rule is None or rule.corroborate is None:
            return
        for piece in rule.corroborate.witnesses:
            if piece.probe is not None and piece.probe in self.plan.probe_labels:
                scope = reduced(finding.scope, self.plan.probe_labels[piece.probe])
                if scope is not None:
                    yield (Asked.PROBE, piece.probe, scope, "")
            elif piece.manager is not None:
                unit = rendered_unit(piece, finding.scope, self._variables)
                if unit is not None:
                    yield (Asked.UNIT, piece.manager, WHOLE, unit)

    @property
    def _variables(self) -> Mapping[str, object]:
        return self.plan.sections.variables

    def _fetch(self, place: Place, now: float, since: float | None) -> Fetch:
        asked, name, scope, unit = place
        self._count += 1
        key = f"detect/{asked}/{name}/{self._count}"
        if asked is Asked.SOURCE:
            source = self.plan.sources[name]
            timeout = source.first_timeout if since is None else source.timeout
            return Fetch(key, asked, name, now, now + timeout, wanted=source.wanted, since=since)
        spec = self.plan.sections.probes.get(name)
        timeout = (spec.timeout if spec and asked is Asked.PROBE else 5.0) + _PROBE_SLACK
        return Fetch(key, asked, name, now, now + timeout, scope=scope, unit=unit)
