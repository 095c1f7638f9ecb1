"""The report as something to read or to print. What was never measured is called so, never drawn as zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from daemon.desk import reports
from daemon.document.paper import Fact, Paper, Section, Table
from daemon.document.words import length, stamp

NEVER, UNKNOWN = "never measured", "unknown"
NOTHING = "No incident in this span."


def of_report(model: reports.Report) -> Paper:
    """The report as it is written down: what happened, how fast, who was called, what is noisy, what was held back."""
    head = (
        ("from", stamp(model.since)),
        ("until", stamp(model.until)),
        ("incidents", str(model.incidents)),
    )
    if not model.incidents:
        return Paper("On call", head, (Section("What happened", NOTHING),))
    duty = model.oncall
    sections = (
        Section("What happened", facts=tuple(_happened(model))),
        Section(
            "How fast",
            "Median and 95th percentile. Detect and recover from the first breach, act from the detection, acknowledge "
            "from the first page.",
            table=Table(
                ("failure mode", "incidents", "detect", "act", "recover", "acknowledge"),
                tuple(_response(row) for row in duty.response),
            ),
        ),
        Section(
            "Who was called",
            "" if duty.people else "Nobody was paged.",
            facts=tuple(_pages(model)),
            table=_people(duty.people),
        ),
        Section("Noisiest detectors", table=_noisiest(duty.noisiest)),
        Section("Held back", facts=tuple(_held(model))),
    )
    return Paper("On call", head, sections)


def counted(counts: Mapping[str, int], nothing: str = "none") -> str:
    """`open-breaker 3, fail-over 1`."""
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or nothing


def by_itself(model: reports.Report) -> str:
    """How many ended without a rung, and of how many nobody knows whether people mended them."""
    after = model.oncall.after_people
    return f"{model.self_resolved}" + (f", {after} of them after people had been called" if after else "")


def spread(lengths: reports.Spread | None) -> str:
    """`4 min, 95 % within 12 min (7)`; one measurement is told as what it is."""
    if lengths is None:
        return NEVER
    if lengths.count == 1:
        return f"{length(lengths.median_s)} (once)"
    return f"{length(lengths.median_s)}, 95 % within {length(lengths.p95_s)} ({lengths.count})"


def _happened(model: reports.Report) -> Iterable[Fact]:
    yield Fact("By failure mode", counted(model.by_mode))
    yield Fact("Mended by a rung", counted(model.oncall.mended_by, str(model.mended)))
    yield Fact("Gone by themselves", by_itself(model))
    yield Fact("Still open", str(model.still_open))
    yield Fact("Actions", counted(model.actions))
    yield Fact("Ended with nobody called, in sum", length(model.unattended_s))


def _response(row: reports.Response) -> tuple[str, ...]:
    times = (row.detect, row.act, row.recover, row.acknowledge)
    return (row.failure_mode, str(row.incidents), *map(spread, times))


def _pages(model: reports.Report) -> Iterable[Fact]:
    duty = model.oncall
    yield Fact("Incidents people were paged about", f"{model.paged_incidents} of {model.incidents}")
    yield Fact("Escalated", counted(duty.escalations, "no incident went above L1"))
    yield Fact("Pages that went together with others", str(duty.merged))
    yield Fact("Pages that had to wait their turn", str(duty.deferred))


def _people(people: Iterable[reports.Called]) -> Table | None:
    rows = tuple(
        (
            row.person,
            str(row.pages),
            str(row.messages),
            f"{row.per_week:.3g}",
            UNKNOWN if row.outside is None else str(row.outside),
            counted(row.weeks),
        )
        for row in people
    )
    columns = ("person", "pages", "messages", "per week", "outside working hours", "weeks")
    return Table(columns, rows) if rows else None


def _noisiest(rows: Iterable[reports.Noise]) -> Table:
    return Table(
        ("detector", "incidents", "pages", "gone by themselves"),
        tuple((row.detector, str(row.incidents), str(row.pages), str(row.by_itself)) for row in rows),
    )


def _held(model: reports.Report) -> Iterable[Fact]:
    yield Fact("Refused by", counted(model.refused, "nothing"))
    would = "; ".join(f"{row.incident} {row.rung} ({row.gate})" for row in model.would_have)
    yield Fact("By the leash alone", would or "nothing")
    for rung in model.helped:
        yield Fact(f"Did {rung.playbook}: {rung.rung} help", rung.text)
    for one in model.earned:
        yield Fact(
            f"Record of {one.playbook}: {one.rung}", f"{one.autonomy}, suggests {one.suggests or 'no other'}"
        )
