"""Times at which nobody has a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from config.problems import Gravity
from daemon.escalate.rota import DAY, gaps
from daemon.escalate.wallclock import instant
from daemon.settings.lint.check import Check, Found, View

LOOKED_AT = 372 * DAY
"""A year from when every layer has begun: both clock changes and every weekday are in it. No clock is read."""


def _find(view: View) -> Iterator[Found]:
    for name, spec in view.settings.schedules.items():
        if spec.calendar is not None:
            continue  # what it says is known only once it is read: `check --live`
        begins = max(instant(spec.zone(layer), layer.rotation.starts) for layer in spec.turns)
        found = gaps(spec, begins, begins + LOOKED_AT)
        if found:
            first = found[0]
            total = sum(gap.end - gap.start for gap in found)
            text = (
                f"nobody has it {_at(first.start)} to {_at(first.end)}"
                f" ({len(found)} times in a year, {total / 3600:.0f} hours)"
            )
            path = ("schedules", name, "layers")
            yield Found(path, text, "end the list with a layer without hours, or widen the hours of one")


def _at(instant_: float) -> str:
    return datetime.fromtimestamp(instant_, UTC).strftime("%Y-%m-%d %H:%MZ")


CHECK = Check(
    code="schedule-gap",
    title="Nobody is on call at times",
    gravity=Gravity.WARNING,
    why="""A level whose schedule nobody has at that moment is skipped, and the next one is told at once: somebody is woken
who should not have been. Every layer has the schedule only in its hours, by its own clock: where the sun is followed, two
zones that change their clocks on different days leave a gap of an hour that no week in winter shows. The year from the
last layer's start on is looked at, both clock changes included.""",
    fix="End the list with a layer that has no `hours`, or widen the hours of one: the first layer that covers a moment has it.",
    example="""people:
  ana: {name: Ana, channels: [{console: {}}]}
  ben: {name: Ben, channels: [{console: {}}]}
schedules:
  primary:
    timezone: UTC
    layers:   # <--
      - timezone: Europe/London
        hours: {from: "08:00", to: "20:00"}
        rotation: {every: 1w, starts: "2026-01-05 08:00", people: [ana]}
      - timezone: America/New_York
        hours: {from: "15:00", to: "03:00"}
        rotation: {every: 1w, starts: "2026-01-05 08:00", people: [ben]}
""",
    better="""people:
  ana: {name: Ana, channels: [{console: {}}]}
  ben: {name: Ben, channels: [{console: {}}]}
schedules:
  primary:
    timezone: UTC
    layers:
      - timezone: Europe/London
        hours: {from: "08:00", to: "20:00"}
        rotation: {every: 1w, starts: "2026-01-05 08:00", people: [ana]}
      - timezone: America/New_York
        rotation: {every: 1w, starts: "2026-01-05 08:00", people: [ben]}
""",
    find=_find,
)
