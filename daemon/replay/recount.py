"""Recount: what would have been done, read from the rows that the loop wrote at autonomy `observe`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from config.templates import Expression, Template, TemplateError
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import DAEMON, Incident
from daemon.incidents.records import Delivery, PageEvent
from daemon.replay.would import Came, Considered, Page, PastIncident, Refusal, Would
from daemon.settings.model import Settings
from daemon.store.store import Store
from detectors.rule import Rule
from remediations.guardrails.control import effective_autonomy
from remediations.spec import Playbook, Rung, action_of

_PAGES = frozenset({PageEvent.TRIGGER, PageEvent.ESCALATE})
_AT_ONCE = 500
_DIGITS = 2
"""Of seconds: a step follows its evaluation by a moment, which is nobody's concern."""


def read(
    store: Store, settings: Settings, until: float, rules: Mapping[str, Rule], troubles: tuple[str, ...] = ()
) -> Would:
    """From the rows. `settings`: as written, with the autonomy and the probes that the replay left out."""
    told: dict[str, list[Event]] = defaultdict(list)
    owed: dict[str, list[Delivery]] = defaultdict(list)
    with store.read() as uow:
        after = 0
        while lines := uow.timeline.tail(after, limit=10 * _AT_ONCE):
            after = lines[-1].seq
            for line in lines:
                told[line.event.incident].append(line.event)
        for row in reversed(uow.deliveries.recent(limit=10_000_000)):
            owed[row.incident].append(row)
        page = uow.incidents.search(limit=_AT_ONCE)
        incidents = list(page.incidents)
        while page.next is not None:
            page = uow.incidents.search(limit=_AT_ONCE, after=page.next)
            incidents += page.incidents
    found = (
        _past(incident, told[incident.id], owed[incident.id], settings, rules)
        for incident in sorted(incidents, key=lambda one: (one.detected_at, one.id))
        if incident.failure_mode != DAEMON
    )
    return Would(tuple(found), until, troubles)


def _past(
    incident: Incident,
    events: Sequence[Event],
    owed: Sequence[Delivery],
    settings: Settings,
    rules: Mapping[str, Rule],
) -> PastIncident:
    playbook = settings.playbooks.get(incident.playbook or "")
    witnesses = _witnesses(incident, rules)
    considered = () if playbook is None else tuple(_considered(events, playbook, settings, witnesses))
    held = [event.data["by"] for event in events if event.kind is Kind.SUPPRESSED]
    storm = any(
        event.kind is Kind.NOTE and str(event.data.get("why", "")).startswith("storm ") for event in events
    )
    return PastIncident(
        incident,
        round(incident.detected_at, _DIGITS),
        None if incident.resolved_at is None else round(incident.resolved_at, _DIGITS),
        held[-1] if held else None,
        storm or any(refusal.gate == "storm" for one in considered for refusal in one.refusals),
        considered,
        tuple(_pages(owed, considered)),
        any(row.event is PageEvent.DIGEST for row in owed),
    )


def _considered(
    events: Iterable[Event], playbook: Playbook, settings: Settings, witnesses: tuple[str, ...]
) -> Iterator[Considered]:
    """Every rung that was looked at, as it was last answered."""
    rungs = {rung.name: rung for rung in playbook.ladder}
    last: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        name = str(event.data.get("rung", ""))
        if event.kind in {Kind.GATES, Kind.SKIPPED} and name in rungs:
            last[name].append(event)
    for name, told in last.items():
        rung = rungs[name]
        skipped = next((event for event in told if event.kind is Kind.SKIPPED), None)
        gates = next((event for event in reversed(told) if event.kind is Kind.GATES), None)
        answers: Sequence[Mapping[str, Any]] = [] if gates is None else gates.data["gates"]
        refused = tuple(
            Refusal(gate["name"], gate["reason"], gate["until"])
            for gate in answers
            if not gate["allowed"] and gate["name"] not in {"autonomy", "require"}
        )
        targets: Sequence[str] = next(
            (gate["inputs"]["targets"] for gate in answers if gate["name"] == "target_set"), []
        )
        hangs = (*dependencies(rung, playbook), *(witnesses if _disturbs(answers) else ()))
        came, reason = _came(skipped, refused, hangs)
        yield Considered(
            rung=name,
            kind=str(rung.kind),
            action=action_of(rung.do)[0],
            targets=tuple(targets),
            at=round(told[-1].at, _DIGITS),
            autonomy=str(effective_autonomy(rung.autonomy, settings.autonomy)),
            came=came,
            reason=reason,
            refusals=refused,
            depends_on=hangs,
        )


def _came(skipped: Event | None, refused: tuple[Refusal, ...], hangs: tuple[str, ...]) -> tuple[Came, str]:
    if hangs:
        return Came.NOT_KNOWABLE, f"hangs on {', '.join(hangs)}"
    if skipped is not None:
        return Came.SKIPPED, str(skipped.data["reason"])
    if refused:
        return Came.REFUSED, "; ".join(f"{one.gate}: {one.reason}" for one in refused)
    return Came.WOULD_RUN, ""


def _disturbs(answers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether its action asks for a second witness."""
    gate = next((gate for gate in answers if gate["name"] == "fresh_fault"), None)
    return gate is not None and gate["reason"] != "not a disruptive action"


def _witnesses(incident: Incident, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """Who would have had to vouch for all of its detectors, and was not recorded."""
    names = dict.fromkeys(record.detector for record in incident.findings)
    asked = [rules[name].corroborate for name in names if name in rules]
    if not asked or None in asked:
        return ()
    pieces = (piece for one in asked if one is not None for piece in one.witnesses)
    found = (
        f"probe {piece.probe}" if piece.probe else f"manager {piece.manager}"
        for piece in pieces
        if piece.detector is None
    )
    return tuple(dict.fromkeys(found))


def dependencies(rung: Rung, playbook: Playbook) -> tuple[str, ...]:
    """What a rung's conditions and its action read that no sample tells."""
    found: dict[str, None] = {}
    for names, reads in _reads(rung):
        facts = [entry for name, entry in reads if name == "facts"]
        if "facts" in names and not facts:
            facts = list(playbook.diagnose)
        for fact in facts:
            asked = playbook.diagnose.get(fact)
            found[f"probe {asked.probe if asked is not None else fact}"] = None
        if "changes" in names:
            found["changes"] = None
    return tuple(found)


def _reads(rung: Rung) -> Iterator[tuple[frozenset[str], Iterable[tuple[str, str]]]]:
    texts = [text for text in (rung.when, rung.require) if text is not None]
    for text in texts:
        yield from _read(Expression, text)
    for text in _texts(rung.do):
        yield from _read(Template, text)


def _read(
    kind: type[Expression | Template], text: str
) -> Iterator[tuple[frozenset[str], Iterable[tuple[str, str]]]]:
    try:
        parsed = kind(text)
    except TemplateError:  # such a rung does not load
        return
    yield frozenset(parsed.names), parsed.reads


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _texts(value)


def _pages(owed: Iterable[Delivery], considered: Sequence[Considered]) -> Iterator[Page]:
    """One per level and round, however many people it went to."""
    rounds: dict[tuple[int, Any, str], list[Delivery]] = defaultdict(list)
    for row in owed:
        if row.event in _PAGES:
            rounds[row.level, row.facts.get("loop"), str(row.event)].append(row)
    for (level, _, _), rows in rounds.items():
        at = round(min(row.created_at for row in rows), _DIGITS)
        unless = [
            one.rung
            for one in considered
            if one.autonomy == "auto" and one.at <= at and one.came in {Came.WOULD_RUN, Came.NOT_KNOWABLE}
        ]
        people = tuple(dict.fromkeys(row.person for row in rows))
        yield Page(level, at, str(rows[0].facts.get("reason", "")), people, tuple(unless))
