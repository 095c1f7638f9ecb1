"""Dead rules: metrics, selections and labels that no series has."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Found
from daemon.settings.lint.live.seen import LiveCheck, Sight, place_of
from detectors.promql import wanted_by


def _missing(sight: Sight) -> Iterator[Found]:
    for source, rule in sight.watched:
        there = {item.name for item in source.series}
        if rule.signal.kind == "promql":
            if rule.signal.of[0] not in there:
                text = f"source {source.plan.name} answers the query with no series"
                yield Found(("detectors", rule.name, "signal"), text, "try the query by hand, at the source")
            continue
        missing = sorted({wanted.name for wanted in wanted_by(rule)} - there)
        if missing:
            text = f"source {source.plan.name} returns no {', '.join(missing)}"
            hint = "check the metric's name, or whether it was ever counted"
            yield Found(("detectors", rule.name, "signal"), text, hint)


def _nothing(sight: Sight) -> Iterator[Found]:
    for source, rule in sight.watched:
        signal = rule.signal
        for role, names in (("of", signal.of), ("to", signal.to)):
            there = {item.name for item in source.series} & set(names)
            if signal.where and there and not source.selected(signal, names):
                labels = ", ".join(matcher.label for matcher in signal.where)
                text = f"no series of {', '.join(sorted(there))} has what where asks of {labels}"
                yield Found(place_of(rule, "where"), text, f"look at the values that {role} really has")


def _label(sight: Sight) -> Iterator[Found]:
    for source, rule in sight.watched:
        signal = rule.signal
        for names in (signal.of, signal.to):
            selected = source.selected(signal, names)
            seen = {label for item in selected for label, _ in item.labels}
            lacks = [label for label in signal.by if label not in seen]
            if selected and lacks:
                text = f"no series of {', '.join(sorted({s.name for s in selected}))} has the label {', '.join(lacks)}"
                hint = f"labels there are {', '.join(sorted(seen)[:12])}"
                yield Found(place_of(rule, "by"), text, hint)


MISSING = LiveCheck(
    code="series-missing",
    title="A metric was never seen",
    gravity=Gravity.ERROR,
    why="""A detector whose metric does not exist is a dead rule: it never fires, and looks like health. A counter of
failures that never happened may be missing from a healthy system too; then the finding is a question to the reader, and
can be silenced once the name is known to be right. Exporters that create their counters at zero spare everyone the
question.""",
    fix="Correct the name, or make the exporter show the counter from its start.",
    sees="`write_errors_total` and `writes_total`, but no `write_failures_total`",
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_failures_total, to: writes_total, window: 1m}}   # <--
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    find=_missing,
)

NOTHING = LiveCheck(
    code="selects-nothing",
    title="`where` lets no series through",
    gravity=Gravity.ERROR,
    why="""The metric is there, but none of its series has the values that `where` asks for: a label's value was
renamed, or misspelt. Such a detector is as dead as one whose metric is missing.""",
    fix="Correct the value, or the pattern; patterns match the whole value.",
    sees='`writes_total{tier="hot"}` and `writes_total{tier="warm"}`',
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {increase: {of: writes_total, where: {tier: HOT}, window: 1m}}   # <--
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {increase: {of: writes_total, where: {tier: hot}, window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
""",
    find=_nothing,
)

LABEL = LiveCheck(
    code="label-never-seen",
    title="No series has a label of `by`",
    gravity=Gravity.ERROR,
    why="""`by` makes the scope. A label that no series carries makes one nameless scope of all of them, so a fault of
one provider hides in the sum of all, and playbooks that match on the label do not. In a ratio both sides need it: where
only one has it, the two never meet.""",
    fix="Use the label's real name, or have the exporter or the scrape configuration add it.",
    sees='`writes_total{storage_tier="hot"}`',
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {increase: {of: writes_total, by: [tier], window: 1m}}   # <--
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {increase: {of: writes_total, by: [storage_tier], window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
""",
    find=_label,
)
