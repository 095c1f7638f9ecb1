"""`demo --scenario`: break the pipeline in every chosen way, watch the daemon mend it or page, compare, heal.

One variant is one story: broken, seen to its end in the store that the daemon writes, its journal compared with what
really happened to the processes, healed, and quiet again before the next.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from config.scope import scope_key
from daemon.cli import effects as records
from daemon.cli.expectations import EXPECTED, RECOVERED, Expected, forbidden_of, judge
from daemon.cli.local import LocalFace
from daemon.cli.pipeline import Pipeline
from daemon.cli.rows import Row, RowAction
from daemon.clock import rfc3339
from daemon.desk.queries import Wanted, listed
from daemon.document.dossier import Dossier, load
from daemon.errors import FleetmendError
from daemon.incidents.model import BLIND, DAEMON, DRILL, STORM, IncidentState
from daemon.incidents.records import Attempt, Delivery, DeliveryState, PageEvent, Phase
from daemon.store.store import Store
from remediations.ports import Clock
from remediations.run import IN_FLIGHT

Tell = Callable[[str], None]
"""How progress reaches the reader."""

SEEN_WITHIN = 45.0
"""Seconds a fault may go unseen; a fault that heals by itself may never be seen at all."""
ENDED_WITHIN = 150.0
QUIET_WITHIN = 120.0
CLEARS_WITHIN = 20.0
"""Seconds a healed fault has to clear by itself before it is closed by order."""
SEES_WITHIN = 30.0
"""Seconds a healed pipeline has until every number that had gone counts as seen again: what is dark until then adds to
what the next break hides.
"""
ORDER_AGAIN = 10.0
"""Seconds after which an order to close is repeated: it may have opened again, still firing."""
STAYS = 1.0
"""Seconds a story has to stay at its end before it counts as one."""
LOOK = 0.25
NOT_PIPELINE = frozenset({BLIND, DAEMON, DRILL, STORM})
"""Incidents about the daemon's own sight and health: they may outlast a fault that took numbers with it."""
PAGES = frozenset({PageEvent.TRIGGER, PageEvent.ESCALATE})
NOT_PAGES = frozenset({DeliveryState.DROPPED, DeliveryState.FAILED})

DISTURBANCES = (
    "rolling-restart",
    "night-rate",
    "suspend-customer",
    "new-provider",
    "bad-minute",
    "counter-reset",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A row and what is wrong with it."""

    row: Row
    wrong: tuple[str, ...]


class Scenario:
    """`state`: address of the daemon's store, read directly; `face`: how the orders between variants are given."""

    def __init__(self, pipeline: Pipeline, state: str, face: LocalFace, clock: Clock, tell: Tell) -> None:
        self._pipeline, self._state, self._face = pipeline, state, face
        self._clock, self._tell = clock, tell
        self._pause = threading.Event()

    def play(
        self, mode: str, variant: str, must_run: Callable[[], None], by_hand: Callable[[], None] | None = None
    ) -> Judged:
        """One variant from break to quiet. `must_run` raises when a process of the demo has died.

        `by_hand` breaks it instead of the demo's own breaker; the end has to be the same.
        """
        expected = EXPECTED[mode, variant]
        began = self._clock.now()
        name = f"{mode}:{variant}"
        if by_hand is None:
            self._tell(f"{name}: {self._pipeline.break_(name).strip()}")
        else:
            self._tell(f"{name}: broken by hand")
            by_hand()
        broken = self._clock.now()
        stories = self._watch(began, must_run)
        ended = self._clock.now()
        row = row_of(mode, variant, expected, stories, began)
        wrong = [*judge(row, expected), *repeats(stories), *self._differences(began, broken, ended)]
        self._say(row, wrong, stories)
        self._pipeline.heal()
        self._quiet(began)
        return Judged(row, tuple(wrong))

    def _say(self, row: Row, wrong: Sequence[str], stories: Sequence[Dossier]) -> None:
        """A row as a line; when something is wrong with it, that and what happened, line by line."""
        seen = (
            "not detected" if row.detected_after_s is None else f"detected after {row.detected_after_s:.1f} s"
        )
        done = [f"{action.rung} ({action.verdict or action.outcome})" for action in row.actions]
        paged = f"; paged {', '.join(f'L{level}' for level in row.paged)}" if row.paged else ""
        self._tell(f"  {seen}; {', '.join(done) or 'no action'}; {row.verdict}{paged}")
        for complaint in wrong:
            self._tell(f"  WRONG: {complaint}")
        for line in told(stories) if wrong else ():
            self._tell(f"    {line}")

    def disturb(
        self,
        what: str,
        lasts: float,
        must_run: Callable[[], None],
        do: Callable[[], None] | None = None,
        also: Callable[[], None] | None = None,
    ) -> Judged:
        """Something that looks like trouble and is none: nothing may be done, and nobody told.

        `do` carries it out; left out, it is one of the demo's own disturbances. `also` is done after its begin and
        after its end.
        """
        began = self._clock.now()
        self._tell(f"quiet: {what}")
        if do is not None:
            do()
        else:
            self._pipeline.demo("disturb", what, timeout=120.0)
        if also is not None:
            also()
        while self._clock.now() < began + lasts:
            must_run()
            self._pause.wait(LOOK)
        stories = self._stories(began)
        self._pipeline.demo("undisturb", timeout=60.0)
        if also is not None:
            also()
        row = row_of("none", what, Expected("quiet"), stories, began)
        row = row.model_copy(update={"verdict": "quiet" if not stories else row.verdict})
        wrong = [f"{action.rung} was carried out" for action in row.actions]
        wrong += [f"L{level} was paged" for level in row.paged]
        self._say(row, wrong, stories)
        return Judged(row, tuple(wrong))

    def _watch(self, since: float, must_run: Callable[[], None]) -> list[Dossier]:
        """The incidents since the break, once all of them stay at an end, or time is up."""
        stable_since: float | None = None
        while True:
            must_run()
            now = self._clock.now()
            stories = self._stories(since)
            of_pipeline = [story for story in stories if story.incident.failure_mode not in NOT_PIPELINE]
            over = bool(of_pipeline) and all(_at_an_end(story, stories) for story in of_pipeline)
            stable_since = (stable_since or now) if over else None
            if stable_since is not None and now - stable_since >= STAYS:
                return stories
            if not stories and now > since + SEEN_WITHIN:
                return []
            if now > since + ENDED_WITHIN:
                self._tell(
                    f"not at an end after {ENDED_WITHIN:.0f} s: {', '.join(_standing(s) for s in stories)}"
                )
                return stories
            self._pause.wait(LOOK)

    def _stories(self, since: float) -> list[Dossier]:
        """Every incident detected since then, oldest first."""
        with Store.open(self._state, read_only=True) as store, store.read() as uow:
            rows = listed(uow, Wanted(since=since, limit=200))
            found = [load(uow, row.id) for row in reversed(rows)]
        return [dossier for dossier in found if dossier is not None]

    def _differences(self, began: float, broken: float, ended: float) -> list[str]:
        attempts = begun_within(self._stories(began - 3600), began, ended)
        since = min([broken, *(attempt.started_at or broken for attempt in attempts)])
        return records.compare(attempts, self._pipeline.effects(), since, ended)

    def _quiet(self, since: float) -> None:
        """Wait for everything to close; what never closes by itself (contained) is closed as a person would."""
        healed = self._clock.now()
        ordered: dict[str, float] = {}
        while stories := [story for story in self._stories(since) if not story.incident.ended]:
            now = self._clock.now()
            for story in stories:
                may_clear = _fires(story) or story.incident.failure_mode in NOT_PIPELINE
                patient = may_clear and now < healed + CLEARS_WITHIN
                if not patient and now >= ordered.get(story.incident.id, 0.0) + ORDER_AGAIN:
                    ordered[story.incident.id] = now
                    self._resolve(story.incident.id)
            if now > healed + QUIET_WITHIN:
                raise FleetmendError(f"not quiet after healing: {', '.join(_standing(s) for s in stories)}")
            self._pause.wait(LOOK)
        while self._dark() and self._clock.now() < healed + SEES_WITHIN:
            self._pause.wait(LOOK)

    def _dark(self) -> bool:
        """Whether an episode without telemetry still counts, at any scope of any detector."""
        with Store.open(self._state, read_only=True) as store, store.read() as uow:
            rows = uow.checkpoints.load().values()
        return any(isinstance(row, dict) and "dark_since" in row for row in rows)

    def _resolve(self, incident: str) -> None:
        with suppress(FleetmendError):
            self._face.order("resolve", incident, {"reason": "the demo was healed", "for": 1.0})


def told(stories: Sequence[Dossier]) -> list[str]:
    """Every incident with its timeline, one event a line."""
    lines = []
    for story in stories:
        one = story.incident
        lines.append(f"{one.id} {one.failure_mode} at {scope_key(one.scope)}: {one.state}")
        lines += [f"  {rfc3339(event.at)} {event.kind}: {event.text}" for event in story.events]
    return lines


def begun_within(stories: Iterable[Dossier], began: float, ended: float) -> list[Attempt]:
    """What was started from the beginning of a break on: a break may take longer than the daemon needs to see it."""
    return [
        attempt
        for story in stories
        for attempt in story.attempts
        if attempt.started_at is not None and began <= attempt.started_at <= ended
    ]


def row_of(mode: str, variant: str, expected: Expected, stories: Sequence[Dossier], began: float) -> Row:
    """The row of one variant from the incidents it caused.

    One fault may be an incident at each of several scopes: what they did alike is one action of the row.
    """
    wanted = expected.on or mode
    own = [story for story in stories if story.incident.failure_mode == wanted]
    main = min(own, key=lambda story: story.incident.detected_at, default=None)
    carried = sorted(
        (row for story in own for row in _carried_out(story)), key=lambda row: row.started_at or 0.0
    )
    done = list(dict.fromkeys(_action(attempt) for attempt in carried))
    beside = [
        f"{story.incident.failure_mode}: {attempt.rung}"
        for story in stories
        if story.incident.failure_mode != wanted
        for attempt in _carried_out(story)
    ]
    forbidden = forbidden_of(
        expected, [(attempt.rung, attempt.action) for story in stories for attempt in _carried_out(story)]
    )
    return Row(
        failure_mode=mode,
        variant=variant,
        detected_after_s=None if main is None else round(max(0.0, main.incident.detected_at - began), 3),
        actions=done,
        forbidden_actions=[*forbidden, *beside],
        verdict=_verdict(main, done),
        resolved_by=_resolved_by(main),
        paged=sorted({row.level for story in stories for row in _pages(story)}),
    )


def repeats(stories: Sequence[Dossier]) -> list[str]:
    """What happened twice in one incident and must happen once: a rung carried out, a person told of a level."""
    wrong = []
    for story in stories:
        rungs = Counter(attempt.rung for attempt in _carried_out(story))
        wrong += [
            f"{story.incident.id}: {rung} ran {count} times" for rung, count in rungs.items() if count > 1
        ]
        told = Counter((row.level, row.person) for row in _pages(story))
        wrong += [
            f"{story.incident.id}: {person} was paged {count} times at L{level}"
            for (level, person), count in told.items()
            if count > 1
        ]
    return wrong


def _carried_out(story: Dossier) -> list[Attempt]:
    """What a climb did; undo and return of it are not rungs of their own."""
    return [row for row in story.attempts if row.phase is Phase.DO and row.started_at is not None]


def _action(attempt: Attempt) -> RowAction:
    return RowAction(
        rung=attempt.rung, action=attempt.action, outcome=attempt.outcome, verdict=attempt.verdict
    )


def _pages(story: Dossier) -> list[Delivery]:
    return [row for row in story.deliveries if row.event in PAGES and row.state not in NOT_PAGES]


def _resolved_by(main: Dossier | None) -> str | None:
    if main is None or main.incident.state is not IncidentState.RESOLVED:
        return None
    return main.incident.resolved_by


def _verdict(main: Dossier | None, done: Sequence[RowAction]) -> str:
    """A fault that was never seen long enough to count healed by itself."""
    if main is None:
        return "self_resolved"
    if main.incident.state is IncidentState.RESOLVED:
        return "self_resolved" if main.incident.resolved_by in {None, "self"} else RECOVERED
    if main.incident.state is IncidentState.CONTAINED:
        return "contained"
    verdicts = [action.verdict for action in done if action.verdict]
    return verdicts[-1] if verdicts else "unknown"


def _at_an_end(story: Dossier, stories: Sequence[Dossier]) -> bool:
    """Over, or handed to a person who was told; a symptom is over with its cause."""
    incident, run = story.incident, story.run
    if incident.ended:
        return True
    if incident.state is IncidentState.SUPPRESSED:
        cause = next((one for one in stories if one.incident.id == incident.explained_by), None)
        return cause is not None and not cause.incident.ended and _at_an_end(cause, ())
    told = any(row.state is DeliveryState.ACCEPTED for row in _pages(story))
    return incident.stepped_back and told and (run is None or run.state not in IN_FLIGHT)


def _fires(story: Dossier) -> bool:
    return any(finding.state in {"firing", "clearing"} for finding in story.incident.findings)


def _standing(story: Dossier) -> str:
    run = "no run" if story.run is None else f"run {story.run.state}"
    return f"{story.incident.id} {story.incident.failure_mode} {story.incident.state}, {run}"
