"""The literal table of live checks."""

from __future__ import annotations

from daemon.settings.lint.live import buckets, calendars, cardinality, cost, pace, past, series, source, units
from daemon.settings.lint.live.seen import LiveCheck

LIVE_CHECKS: tuple[LiveCheck, ...] = (
    source.SILENT,
    source.PARTIAL,
    series.MISSING,
    series.NOTHING,
    series.LABEL,
    buckets.BOUND,
    buckets.OVER,
    buckets.BETWEEN,
    cardinality.DETECTOR,
    cardinality.SOURCE,
    cost.SLOW,
    cost.LARGE,
    pace.DIFFERS,
    pace.LATE,
    past.NEVER,
    past.OFTEN,
    units.SILENT,
    units.UNKNOWN,
    calendars.UNREAD,
    calendars.STRANGER,
    calendars.OVERLAP,
    calendars.GAP,
)
