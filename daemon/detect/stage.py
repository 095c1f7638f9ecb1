"""Detection: the first stage of the loop. Owns rings and states; single-threaded; asks nothing of the world itself.

`due` says what to ask, `take` and `answered` are given what came back, `evaluate` turns news into the board.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from config.scope import Scope
from daemon.detect.checkpoints import Checkpoints, Rows
from daemon.detect.evaluation import Evaluation
from daemon.detect.fetching import Asked, Fetch
from daemon.detect.intake import Intake
from daemon.detect.inventory import Members
from daemon.detect.notices import Notice, Notices, SourceView
from daemon.detect.plan import Plan, Sections, plan_of
from daemon.detect.questions import Questions
from daemon.detect.readings import fault_of, readings_of
from daemon.detect.trace import Chart, unknown_spans
from daemon.detect.watch import Watch
from daemon.detect.witnesses import Court, Testimony, firing_scopes, rings_interval
from daemon.incidents.change import Job
from detectors.board import Board
from detectors.findings import board_of
from detectors.hours import Hour
from detectors.rule import FRESH_SCRAPES
from detectors.samples import Batch, Failed
from detectors.state import Transition
from detectors.texts import threshold_text
from remediations.run import Evidence
from remediations.verification import Reading

PREFIX = "detect/"
"""Of the keys of detection's jobs."""
CLOCK_STEP = 30.0  # seconds the wall clock may step back without more ado


class Detection:
    """See the module. Instants are unix seconds; the loop hands in `now`."""

    def __init__(self, sections: Sections, now: float) -> None:
        self.plan: Plan = plan_of(sections)
        self._intake = Intake(self.plan, Notices(stays=max(60.0, 4 * sections.poll_interval)))
        self._members = Members(sections.inventory)
        self._testimony = Testimony(sections.poll_interval)
        self._questions = Questions(self.plan, self._members, self._testimony)
        self._evaluation = Evaluation(
            self.plan,
            self._intake,
            self._members,
            now,
            self._questions.probe_scopes,
        )
        self._last_due = now
        self._board: Board | None = None
        self._settled = False
        self._heard = False
        """A witness spoke since the last evaluation."""
        self.forgetful = False
        """A detector may look at more hours than before, or be new: what is kept of it is to be recalled."""
        self._checkpoints = Checkpoints(self._evaluation)
        self._evaluation.adopt(self.plan)

    # ------------------------------------------------------------------ questions and answers

    def due(self, now: float, free: int = 8) -> list[Job]:
        """What to ask now, at most `free` jobs: `args["fetch"]` is for `Fetcher.carry_out`.

        Kind `fetch` is answered by a batch or a failure (`take`), kind `probe` by evidence (`answered`). Fetches past
        their deadline count as failed.
        """
        self._mind_clock(now)
        for fetch in list(self._questions.schedule.overdue(now)):
            self._unanswered(fetch, now)
        findings = self._board.findings.values() if self._board else ()
        fetches = self._questions.due(now, free, findings, self._intake.known_until)
        return [
            Job(
                key=fetch.key,
                kind="fetch" if fetch.asked is Asked.SOURCE else "probe",
                incident="-",
                deadline_at=fetch.deadline_at,
                args={"fetch": fetch},
            )
            for fetch in fetches
        ]

    def known_values(self, label: str, now: float) -> tuple[str, ...]:
        """The values of a label that the inventory lists, or that were seen."""
        return self._members.values(label, now)

    def next_due(self, now: float) -> float:
        """When to call `due` again at the latest."""
        return max(self._questions.schedule.next_at(), now)

    def hurry(self, detectors: Sequence[str], now: float) -> None:
        """Read what these detectors read ahead of its time: somebody waits for fresh evidence."""
        schedule = self._questions.schedule
        for watch in self._named(detectors):
            if watch is None:
                continue
            probe = watch.rule.signal.kind == "probe"
            own = (Asked.PROBE, watch.rule.signal.text) if probe else (Asked.SOURCE, watch.home)
            for place in [place for place in schedule.slots if place[:2] == own]:
                schedule.hurry(place, now)

    def take(self, result: Batch | Failed, now: float) -> None:
        """A source answered, or failed to. One that a reload removed is not known any more."""
        if result.source not in self.plan.sources:
            return
        self._questions.answered(Asked.SOURCE, result.source)
        if isinstance(result, Failed):
            at = min(result.at, now - self.plan.sources[result.source].delay)
            self._intake.fail(replace(result, at=at), now)
        else:
            self._intake.take(result, now)

    def answered(self, key: str, evidence: Evidence, now: float) -> bool:
        """A probe or a manager answered; False when the question was not detection's."""
        del now
        fetch = self._questions.schedule.in_flight.pop(key, None)
        if fetch is not None:
            self._testify(fetch, evidence)
        return key.startswith(PREFIX)

    def lost(self, job: Job, now: float) -> None:
        """A job was abandoned: no answer will come."""
        fetch = self._questions.schedule.in_flight.pop(job.key, None)
        if fetch is not None:
            self._questions.schedule.count_late(fetch)
            self._unanswered(fetch, now)

    # ------------------------------------------------------------------ evaluation

    def evaluate(self, now: float) -> Board | None:
        """The new board, when anything was heard since the last one; else None."""
        news = self._intake.fresh()
        stale = self._board is None or now - self._board.at >= self.plan.sections.poll_interval
        if not news and not self._heard and (self._evaluation.watches or not stale):
            return None  # with no detector at all an empty board is true, and said once a poll
        self._heard = False
        down = self._intake.down(now)
        self._evaluation.advance(news, down, now)
        self._settle(down, now)
        board = board_of(
            now,
            [(watch.rule, watch.state) for watch in self._evaluation.watches.values()],
            all_rounds_done=self._settled,
            sources_down=down,
        )
        self._board = self._corroborated(board, now)
        self._testimony.forget(now)
        return self._board

    def transitions(self) -> tuple[Transition, ...]:
        """Changes of state since this was last asked, in order."""
        return self._evaluation.transitions()

    def _settle(self, down: Mapping[str, object], now: float) -> None:
        """The start-up barrier: every detector was evaluated on an answer, or its source has been down for its hold."""
        self._settled = self._settled or all(
            watch.first_round
            or watch.home in down
            or (
                watch.rule.signal.kind == "probe"
                and not self._questions.probe_scopes(watch.rule.signal.text, now)
            )
            for watch in self._evaluation.watches.values()
        )

    def _corroborated(self, board: Board, now: float) -> Board:
        asking = [
            key for key in board.findings if self._evaluation.watches[key[0]].rule.corroborate is not None
        ]
        if not asking:
            return board
        court = Court(
            self._testimony,
            firing_scopes(board.findings.values()),
            self.plan.probe_labels,
            self.plan.sections.variables,
        )
        findings = dict(board.findings)
        for key in asking:
            watch = self._evaluation.watches[key[0]]
            tick = self._intake.ticks.get(watch.home, now)
            said = court.judge(watch.rule, findings[key], self._intake.rings[watch.home], tick, now)
            findings[key] = replace(findings[key], corroborated=self._counts(said))
        return replace(board, findings=findings)

    def _counts(self, said: bool | None) -> bool | None:
        """What witnesses that have not spoken (None) count for: nothing may be done."""
        return bool(said)

    def _mind_clock(self, now: float) -> None:
        """A wall clock set back by more than half a minute: instants move with it, samples are read anew."""
        back = self._last_due - now
        self._last_due = now
        if back <= CLOCK_STEP:
            return
        self._questions.schedule.in_flight.clear()
        self._intake.restart()
        for watch in self._evaluation.watches.values():
            watch.set_back(back)
        self._intake.notices.add("clock", "daemon", f"the clock was set back by {back:.0f} s", now)

    def _unanswered(self, fetch: Fetch, now: float) -> None:
        if fetch.asked is not Asked.SOURCE:
            self._testify(fetch, Evidence(now, ok=False, error="no answer: not within its deadline"))
        elif fetch.name in self.plan.sources:
            at = fetch.at - self.plan.sources[fetch.name].delay
            self._intake.fail(Failed(fetch.name, at, "no answer within its deadline"), now)

    def _testify(self, fetch: Fetch, evidence: Evidence) -> None:
        self._heard = True
        if fetch.asked is Asked.UNIT:
            self._testimony.heard_unit(fetch.name, fetch.unit, evidence)
            return
        self._testimony.heard(fetch.name, fetch.scope, evidence)
        self._intake.take_answer(fetch, evidence, last=not self._questions.round_open(fetch.name, fetch.at))

    # ------------------------------------------------------------------ what mitigation and people ask

    def fault(self, detectors: Sequence[str], scope: Scope, now: float) -> Reading:
        """What the detectors say together now; see `readings.fault_of`."""
        return fault_of(self._named(detectors), scope, now)

    def readings(
        self, detectors: Sequence[str], scope: Scope, since: float, now: float
    ) -> tuple[Reading, ...]:
        """What they said together at every tick after `since`, from samples no older than that."""
        return readings_of(self._named(detectors), self._evaluation.around, scope, since, now)

    def fresh_within(self, detectors: Sequence[str]) -> float:
        """Age in seconds up to which their evidence is fresh enough to act on."""
        found = [self._fresh_within(watch) for watch in self._named(detectors) if watch is not None]
        return max(found, default=FRESH_SCRAPES * self.plan.sections.poll_interval)

    @property
    def watches(self) -> Mapping[str, Watch]:
        """Every detector at work, to be read only: what the faces show of it."""
        return self._evaluation.watches

    def chart(self, detector: str, scope: Scope, since: float, until: float) -> Chart | None:
        """The detector's value at a scope over a span, at most 720 points; None when there is no such detector."""
        watch = self._evaluation.watches.get(detector)
        if watch is None:
            return None
        times, values = watch.line(scope, since, until)
        return Chart(
            detector=detector,
            scope=scope,
            times=tuple(times),
            values=tuple(None if math.isnan(value) else value for value in values),
            fire=watch.rule.fire.threshold,
            clear=watch.rule.clear.threshold,
            unknown=unknown_spans(times, values),
            threshold=threshold_text(watch.rule),
        )

    def sources(self, now: float) -> tuple[SourceView, ...]:
        """Every source as `status` shows it."""
        return self._intake.views(now, self._questions.schedule)

    def notices(self, now: float) -> tuple[Notice, ...]:
        """Bounds that were reached and what else must not stay unsaid."""
        return self._intake.notices.current(now)

    def _named(self, detectors: Sequence[str]) -> list[Watch | None]:
        return [self._evaluation.watches.get(name) for name in detectors]

    def _fresh_within(self, watch: Watch) -> float:
        if watch.rule.fresh_within is not None:
            return watch.rule.fresh_within
        source = self.plan.sources.get(watch.reads)
        interval = max(rings_interval(self._intake.rings[watch.reads]), watch.rule.step)
        return FRESH_SCRAPES * interval + (source.delay if source else 0.0)

    # ------------------------------------------------------------------ rows and reload

    def checkpoint(self, now: float) -> Rows | None:
        """All rows to be kept, or None when there is nothing to write."""
        return self._checkpoints.due(now)

    def hours(self) -> tuple[Hour, ...]:
        """Finished hours that are not kept yet as they are now; they are written with the checkpoint."""
        watches = self._evaluation.watches.values()
        return tuple(hour for watch in watches if watch.seasons for hour in watch.seasons.news())

    def hours_kept(self, hours: Iterable[Hour]) -> None:
        """These were written."""
        for hour in hours:
            watch = self._evaluation.watches.get(hour.detector)
            if watch is not None and watch.seasons is not None:
                watch.seasons.kept(hour.start)

    def restore(self, rows: Mapping[tuple[str, Scope], Any], hours: Sequence[Hour] = ()) -> None:
        """Continue where the rows say we were; what happened since is read back where a source can tell.

        `hours`: what was learnt, oldest first.
        """
        self.recall(hours)
        self._checkpoints.restore(rows)

    def recall(self, hours: Sequence[Hour]) -> None:
        """What was learnt and is not known any more, or not yet. Oldest first."""
        self.forgetful = False
        for name, watch in self._evaluation.watches.items():
            if watch.seasons is not None:
                watch.seasons.remember(hour for hour in hours if hour.detector == name)

    def reload(self, sections: Sections, now: float) -> None:
        """Take a new configuration. Detectors of the same name keep their state, sources their samples."""
        del now
        self.plan = plan_of(sections)
        self._testimony.every = sections.poll_interval
        self._questions.plan = self.plan
        self._evaluation.adopt(self.plan)
        self.forgetful = True
        self._board = None if self._board is None else self._without_removed(self._board)
        self._heard = True

    def _without_removed(self, board: Board) -> Board:
        kept = {key: finding for key, finding in board.findings.items() if key[0] in self._evaluation.watches}
        return replace(board, findings=kept)
