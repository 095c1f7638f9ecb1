"""A `where` that selects everything, or nothing."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _everything(view: View) -> Iterator[Found]:
    for one in view.detectors:
        path = one.in_signal("where")
        if view.written(path) and not one.rule.signal.where:
            yield Found(
                path, "an empty where selects everything", "leave it out, or name a label and its value"
            )


def _nothing(view: View) -> Iterator[Found]:
    for one in view.detectors:
        for matcher in one.rule.signal.where:
            if matcher.pattern is None and not matcher.values:
                text = f"no value of {matcher.label} is accepted, so no series ever is"
                yield Found(one.in_signal("where", matcher.label), text, "list at least one value")


EVERYTHING = Check(
    code="where-empty",
    title="An empty `where`",
    gravity=Gravity.WARNING,
    why="""`where: {}` selects every series of the metric, the same as leaving it out; maps merge, so it does not undo
the `where` of an earlier file either (`where:` with nothing after it does). Who wrote it meant something else.""",
    fix="Leave it out, or say which label has to have which value.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth, where: {}}}   # <--
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth, where: {queue: ingest}}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_everything,
)

NOTHING = Check(
    code="where-nothing",
    title="A label in `where` accepts no value",
    gravity=Gravity.ERROR,
    why="""A list of values accepts those in it; an empty list accepts none, so the signal has no series, for ever.
It cannot work, so the configuration is refused.""",
    fix="List the values, or leave the label out.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth, where: {queue: []}}}   # <--
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth, where: {queue: [ingest, replay]}}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_nothing,
)
