"""JSON models as tables and lines for a terminal. Colour means state and nothing else; every state is a word too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.table import Table
from rich.text import Text

from daemon.cli import output
from daemon.clock import rfc3339
from daemon.desk import models, report_paper, reports

_STYLE = {
    "open": "bold red",
    "contained": "yellow",
    "suppressed": "dim",
    "recovered": "green",
    "resolved": "green",
    "closed": "dim",
    "firing": "bold red",
    "pending": "yellow",
    "down": "bold red",
    "late": "yellow",
    "ok": "green",
    "done": "green",
    "failed": "bold red",
    "not_recovered": "bold red",
    "unknown": "magenta",
    "no_data": "magenta",
}


def word(state: str | None) -> Text:
    """A state in its colour; nothing is a dash."""
    return Text(state or "-", style=_STYLE.get(state or "", ""))


def when(at: float | None) -> str:
    """`2026-01-05 09:00:00Z`, to the second."""
    return "-" if at is None else f"{rfc3339(at)[:10]} {rfc3339(at)[11:19]}Z"


def scope_text(scope: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(scope.items())) or "whole pipeline"


def number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def status(model: models.Status) -> Iterator[Text | Table]:
    """A headline, then what is watched."""
    count = model.incidents.open
    headline = "nothing is wrong" if not count else f"{count} open, worst {model.incidents.worst}"
    yield Text(headline, style="bold red" if count else "bold")
    facts = _grid()
    facts.add_row("version", model.version)
    facts.add_row("autonomy", model.autonomy + (" (nothing is done)" if model.autonomy == "observe" else ""))
    facts.add_row("daemon", model.leader or "not running")
    for reason in model.paused:
        facts.add_row("paused", Text(reason, style="yellow"))
    counts = model.detectors
    facts.add_row("detectors", f"{counts.total}, {counts.firing} firing, {counts.blind} blind")
    cycle = model.last_cycle
    took = "" if cycle.ms is None else f", took {cycle.ms:.1f} ms"
    facts.add_row("last cycle", f"{when(cycle.at)}{took}")
    for source in model.sources:
        age = "" if source.age_s is None else f", newest sample {source.age_s:.1f} s old"
        facts.add_row(f"source {source.name}", Text.assemble(word(source.state), age))
    if model.channels.tested:
        channels = model.channels
        told = f"{channels.tested - channels.failing} of {channels.tested} channels work, last proved "
        facts.add_row("page test", f"{told}{when(channels.proved_at)}")
    yield facts


def incidents(model: models.Incidents) -> Iterator[Text | Table]:
    if not model.incidents:
        yield Text("no incidents")
        return
    table = output.table("incident", "state", "severity", "since", "what")
    for row in model.incidents:
        table.add_row(row.id, word(row.state), row.severity, when(row.detected_at), row.sentence)
    yield table


def incident(model: models.IncidentWithTimeline) -> Iterator[Text | Table]:
    """What is, what was done, what happens next."""
    yield Text(model.sentence, style="bold")
    yield _facts_of(model)
    if model.findings:
        table = output.table("detector", "state", "value", "threshold", "since")
        for finding in model.findings:
            value = number(finding.value)
            table.add_row(
                finding.detector, word(finding.state), value, finding.threshold, when(finding.since)
            )
        yield table
    if model.attempts:
        table = output.table("rung", "kind", "action", "started", "ended", "outcome", "verdict")
        for row in model.attempts:
            times = (when(row.started_at), when(row.ended_at))
            table.add_row(row.rung, row.kind, row.action, *times, word(row.outcome), word(row.verdict))
        yield table
    if model.refusals:
        table = output.table("not done", "because of", "reason", "until")
        for refusal in model.refusals:
            table.add_row(refusal.rung, refusal.gate, refusal.reason, when(refusal.until))
        yield table
    if model.pages:
        table = output.table("page", "to", "by", "state", "at")
        for page in model.pages:
            table.add_row(
                f"L{page.level} {page.event}", page.person, page.channel, word(page.state), when(page.at)
            )
        yield table
    yield from timeline(model.timeline)


def timeline(moments: Iterable[models.Moment]) -> Iterator[Table]:
    table = output.table("at", "kind", "what happened")
    for moment in moments:
        table.add_row(when(moment.at), moment.kind, moment.text)
    if table.row_count:
        yield table


def explanation(model: models.Explanation) -> Iterator[Text | Table]:
    answer = "allowed" if model.allowed else "refused"
    yield Text(f"{model.rung} was {answer} at {when(model.at)}", style="bold")
    table = output.table("guardrail", "answer", "reason", "until")
    for gate in model.gates:
        said = Text("allows", style="green") if gate.allowed else Text("refuses", style="bold red")
        table.add_row(gate.name, said, gate.reason, when(gate.until))
    yield table


def report(model: reports.Report) -> Iterator[Text | Table]:
    """Counts, then what only the leash held back."""
    yield Text(f"{model.incidents} incidents from {when(model.since)} to {when(model.until)}", style="bold")
    facts = _grid()
    facts.add_row(
        "mended", f"{model.mended}, by themselves {report_paper.by_itself(model)}, open {model.still_open}"
    )
    for name, counts in (
        ("by mode", model.by_mode),
        ("actions", model.actions),
        ("refused by", model.refused),
    ):
        facts.add_row(name, ", ".join(f"{what} {count}" for what, count in counts.items()) or "none")
    told = ", ".join(f"{who} {count}" for who, count in model.people_paged.items())
    facts.add_row(
        "pages", f"{model.pages} about {model.paged_incidents} incidents" + (f": {told}" if told else "")
    )
    if model.median_recovery_s is not None:
        facts.add_row("median recovery", f"{model.median_recovery_s:.0f} s")
    facts.add_row("without people", f"{model.unattended_s:.0f} s of outage ended with nobody paged")
    yield facts
    yield from _duty(model.oncall)
    if model.would_have:
        table = output.table("would have run", "held by", "at", "incident")
        for row in model.would_have:
            table.add_row(row.rung, row.gate, when(row.at), row.incident)
        yield table
    if model.earned:
        table = output.table("by its record", "helped", "at least", "configured", "should be")
        for one in model.earned:
            helped = f"{one.helped} of {one.helped + one.in_vain}"
            bound, now = f"{one.at_least:.0%}", f"{one.suggests}{' (is, by now)' if one.demoted else ''}"
            table.add_row(f"{one.playbook}: {one.rung}", helped, bound, one.autonomy, now)
        yield table
    if model.helped:
        table = output.table("did it help", "judgement", "why")
        for rung in model.helped:
            table.add_row(f"{rung.playbook}: {rung.rung}", rung.judgement.replace("_", " "), rung.text)
        yield table


def _duty(duty: reports.OnCall) -> Iterator[Table]:
    """How fast, who was called, and what is noisy; nothing where nothing was."""
    if duty.response:
        table = output.table("failure mode", "incidents", "detect", "act", "recover", "acknowledge")
        for row in duty.response:
            times = (row.detect, row.act, row.recover, row.acknowledge)
            table.add_row(row.failure_mode, str(row.incidents), *map(report_paper.spread, times))
        yield table
    if duty.people:
        table = output.table("person", "pages", "messages", "per week", "outside hours", "weeks")
        for who in duty.people:
            counts = (str(who.pages), str(who.messages), f"{who.per_week:.3g}", _outside(who))
            table.add_row(who.person, *counts, report_paper.counted(who.weeks))
        yield table
        facts = _grid()
        facts.add_row("escalated", report_paper.counted(duty.escalations, "no incident went above L1"))
        facts.add_row("paced", f"{duty.merged} pages went with others, {duty.deferred} waited their turn")
        yield facts
    if duty.noisiest:
        table = output.table("noisiest detector", "incidents", "pages", "gone by themselves")
        for noise in duty.noisiest:
            table.add_row(noise.detector, str(noise.incidents), str(noise.pages), str(noise.by_itself))
        yield table


def _outside(who: reports.Called) -> str:
    return "unknown" if who.outside is None else str(who.outside)


def debts(model: models.Debts) -> Iterator[Text | Table]:
    if not model.debts:
        yield Text("no debts")
        return
    table = output.table("debt", "where", "state", "due", "way back", "incident")
    for row in model.debts:
        where, back = scope_text(row.scope), ", then ".join(step.action for step in row.steps) or "by hand"
        state = f"{word(row.state)}: {row.note}" if row.note else word(row.state)
        table.add_row(row.id, where, state, when(row.due_at), back, row.incident)
    yield table


def mutes(model: models.Mutes) -> Iterator[Text | Table]:
    if not model.mutes:
        yield Text("none")
        return
    table = output.table("id", "kind", "what", "by", "reason", "from", "until")
    for row in model.mutes:
        what = scope_text(row.matchers) if row.matchers else "everything"
        table.add_row(row.id, row.kind, what, row.owner, row.reason, when(row.starts_at), when(row.ends_at))
    yield table


def oncall(model: models.Oncall) -> Iterator[Text | Table]:
    if not model.oncall:
        yield Text("no schedules")
        return
    table = output.table("schedule", "now", "until", "next")
    for row in model.oncall:
        table.add_row(
            row.schedule, ", ".join(row.now) or "nobody", when(row.until), ", ".join(row.next) or "-"
        )
    yield table
    if model.turns:
        turns = output.table("from", "to", "schedule", "who")
        for turn in model.turns:
            turns.add_row(when(turn.start), when(turn.end), turn.schedule, ", ".join(turn.who) or "nobody")
        yield turns


def _facts_of(model: models.Incident) -> Table:
    facts = _grid()
    facts.add_row("incident", f"{model.id}, {model.failure_mode} at {scope_text(model.scope)}")
    facts.add_row("state", Text.assemble(word(model.state), *(f", {flag}" for flag in model.flags)))
    facts.add_row("severity", model.severity)
    facts.add_row("detected", when(model.detected_at))
    if model.resolved_at is not None:
        facts.add_row("resolved", f"{when(model.resolved_at)} by {model.resolved_by}")
    if model.impact.text:
        facts.add_row("impact", model.impact.text)
    if model.run is not None:
        rung = f" {model.run.rung}" if model.run.rung else ""
        facts.add_row("run", f"{model.run.state}{rung}, next look {when(model.run.next_at)}")
    level = model.escalation
    if level.level:
        acked = f", acknowledged by {level.acked_by}" if level.acked_by else ""
        facts.add_row("escalation", f"L{level.level}{acked}, next {when(level.next_at)}")
    for debt in model.debts:
        facts.add_row("debt", f"{debt.kind}, {debt.state}, due {when(debt.due_at)}")
    return facts


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    return table
