"""Bounds and thresholds beside the edges of a histogram's buckets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from config.problems import Gravity
from daemon.settings.lint.check import Found
from daemon.settings.lint.live.seen import LiveCheck, Sight, edges_of, place_of


def _bound(sight: Sight) -> Iterator[Found]:
    for source, rule in sight.watched:
        if rule.signal.measured.kind != "share_over":
            continue
        bound, edges = rule.signal.bound, edges_of(source, rule.signal)
        if edges and not any(abs(edge - bound) <= 1e-9 * max(abs(edge), 1.0) for edge in edges):
            where = "is above the top edge" if bound > edges[-1] else "is on no edge"
            text = f"bound {bound:g} {where} of the buckets: the share cannot be known"
            yield Found(place_of(rule, "bound"), text, f"use one of {_listed(edges, bound)}")


def _over(sight: Sight) -> Iterator[Found]:
    for source, rule in sight.watched:
        edges = edges_of(source, rule.signal) if rule.signal.kind == "quantile" else []
        if edges and rule.fire.op == "above" and rule.fire.threshold >= edges[-1]:
            text = (
                f"above {rule.fire.threshold:g} can never be: a quantile ends at the top edge {edges[-1]:g}"
            )
            hint = "lower it, or add a bucket above it to the exporter"
            yield Found(("detectors", rule.name, "fire", "above"), text, hint)


def _between(sight: Sight) -> Iterator[Found]:
    for source, rule in sight.watched:
        edges = edges_of(source, rule.signal) if rule.signal.kind == "quantile" else []
        at = rule.fire.threshold
        if edges and at < edges[-1] and at not in edges:
            text = f"{rule.fire.op} {at:g} lies between edges of the buckets: the quantile there is a guess"
            hint = f"use one of {_listed(edges, at)}, or share_over, which is exact"
            yield Found(("detectors", rule.name, "fire", rule.fire.op), text, hint)


def _listed(edges: Sequence[float], near: float) -> str:
    """The edges nearest to the wanted one, ascending."""
    return ", ".join(f"{edge:g}" for edge in sorted(sorted(edges, key=lambda edge: abs(edge - near))[:4]))


BOUND = LiveCheck(
    code="bound-off-edge",
    title="The bound of a `share_over` is no edge of a bucket",
    gravity=Gravity.ERROR,
    why="""A histogram knows how many events were at or below each edge, and nothing between. The share over a bound is
exact on an edge and unknown elsewhere; above the top finite edge it is unknown how much slower the slow ones were. With
buckets 10 and +Inf and a bound of 12, requests of a minute each go unseen (Prometheus' p95 says 10). The detector would
observe UNKNOWN for ever.""",
    fix="Choose a bound on an edge, or add the service level as an edge to the exporter.",
    sees="`write_duration_seconds_bucket` with the edges 0.1, 0.5, 1 and +Inf",
    example="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: write_duration_seconds, bound: 0.4, window: 1m}}   # <--
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: write_duration_seconds, bound: 0.5, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    find=_bound,
)

OVER = LiveCheck(
    code="quantile-over-buckets",
    title="The threshold of a quantile is above the top bucket",
    gravity=Gravity.ERROR,
    why="""A quantile in the bucket above the last finite edge is given as that edge, whatever the events were. A
threshold at or above it is never passed: the detector is dead.""",
    fix="Lower the threshold, or add buckets above it to the exporter.",
    sees="`write_duration_seconds_bucket` with the edges 0.1, 0.5, 1 and +Inf",
    example="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {quantile: {of: write_duration_seconds, q: 0.95, window: 1m}}
    fire: {above: 2s, for: 5m}   # <--
    clear: {below: 500ms, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {quantile: {of: write_duration_seconds, q: 0.95, window: 1m}}
    fire: {above: 500ms, for: 5m}
    clear: {below: 100ms, for: 5m}
    minimum: {events: 50}
""",
    find=_over,
)

BETWEEN = LiveCheck(
    code="quantile-between-edges",
    title="The threshold of a quantile lies between edges",
    gravity=Gravity.WARNING,
    why="""Within a bucket a quantile is interpolated as if events were spread evenly, which they are not. A threshold on
an edge is passed exactly when more than 1 - q of the events are above it; elsewhere the moment is a guess, off by up to
the bucket's width. "p95 above X" and "more than 5 % over X" are the same test on an edge.""",
    fix="Move the threshold to an edge, or use `share_over` with the edge as its bound.",
    sees="`write_duration_seconds_bucket` with the edges 0.1, 0.5, 1 and +Inf",
    example="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {quantile: {of: write_duration_seconds, q: 0.95, window: 1m}}
    fire: {above: 300ms, for: 5m}   # <--
    clear: {below: 100ms, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {quantile: {of: write_duration_seconds, q: 0.95, window: 1m}}
    fire: {above: 500ms, for: 5m}
    clear: {below: 100ms, for: 5m}
    minimum: {events: 50}
""",
    find=_between,
)
