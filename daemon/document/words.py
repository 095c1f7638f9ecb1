"""Plain words for facts: times on a reader's clock, lengths, what is broken. Shared by everything people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from config.scope import SEVERAL, Scope, joins_parts
from daemon.incidents.model import BLIND, DAEMON, DRILL, FindingRecord, Incident


@dataclass(frozen=True, slots=True)
class Clockface:
    """Instants as one reader sees them at `now`. `zone`: an IANA name."""

    now: float
    zone: str = "UTC"

    def short(self, at: float) -> str:
        """`03:12`, with the day when it is not today's: `25 Nov 03:12`."""
        local = self._local(at)
        today = self._local(self.now).date()
        return (
            local.strftime("%H:%M") if local.date() == today else f"{local.day} {local.strftime('%b %H:%M')}"
        )

    def both(self, at: float) -> str:
        """`03:41 CET / 02:41Z`; `02:41Z` alone for a reader on UTC."""
        universal = datetime.fromtimestamp(at, UTC).strftime("%H:%MZ")
        if self.zone in {"UTC", "Etc/UTC"}:
            short = self.short(at)
            return f"{short}Z"
        return f"{self.short(at)} {self._local(at).strftime('%Z')} / {universal}"

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, ZoneInfo(self.zone))


def stamp(at: float) -> str:
    """`2026-11-25 02:12:05Z`: for documents, which have no one reader."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def length(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`: two units at most."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, hours = whole // 60, whole // 3600
    if hours == 0:
        return f"{minutes} min"
    if hours < 48:
        rest = minutes - hours * 60
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(hours, 24)
    return f"{days} d {rest} h" if rest else f"{days} d"


def number(value: float | None) -> str:
    """At most four significant digits; `unknown` for None."""
    return "unknown" if value is None else f"{value:.4g}"


def reading(finding: FindingRecord) -> str:
    """A finding's value in the unit of its threshold: `4.2%` where that is a percentage; `unknown` without one."""
    if finding.value is not None and "%" in finding.threshold:
        return f"{finding.value * 100:.3g}%"
    return number(finding.value)


def scope_text(scope: Scope) -> str:
    """`provider navixy, tier hot`; `the whole pipeline` for the empty scope."""
    return ", ".join(f"{name} {value}" for name, value in scope) or "the whole pipeline"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong: `subject` + `now` ("is refusing writes") or `then` ("refused writes")."""

    subject: str
    now: str
    then: str


_BY_DETECTOR: Mapping[str, tuple[str, str]] = {
    "provider-silent": ("sends nothing", "sent nothing"),
    "provider-errors": ("fails requests", "failed requests"),
    "mapping-failures": ("fails to map fields", "failed to map fields"),
    "status-errors": ("fails to compute status", "failed to compute status"),
    "storage-writes": ("is refusing writes", "refused writes"),
    "storage-stalled": ("is stalled", "was stalled"),
    "storage-reads": ("is slow to read", "was slow to read"),
    "storage-reads-warm": ("is slow to read", "was slow to read"),
    "storage-down": ("is down", "was down"),
    "transformation-stalled": ("is stalled", "was stalled"),
    "transformation-down": ("is down", "was down"),
    "api-latency": ("is slow", "was slow"),
    "api-latency-history": ("is slow", "was slow"),
    "api-errors": ("fails requests", "failed requests"),
    "api-probe": ("does not answer", "did not answer"),
    "values-missing": ("has values missing", "had values missing"),
    "values-invalid": ("has invalid values", "had invalid values"),
    "schema-violations": ("violates its schema", "violated its schema"),
    "processing-latency": ("is processed late", "was processed late"),
}
"""The pack's detectors; others are described by their failure mode."""

_OF_PARTS: Mapping[str, tuple[str, str]] = {
    "customer-silent": ("send nothing", "sent nothing"),
    "customer-disconnected": ("are not connected", "were not connected"),
    "customer-errors": ("send what cannot be read", "sent what could not be read"),
}
"""The pack's detectors of parts, for several of them; more than one detector, or others, are described by `_PARTS`."""
_PARTS = ("have failures of their own", "had failures of their own")

_BY_MODE: Mapping[str, tuple[str, str]] = {
    "provider_outage": ("is down", "was down"),
    "ingestion_stopped": ("has stopped", "had stopped"),
    "transformation_failure": ("is failing", "was failing"),
    "storage_failure": ("is failing", "was failing"),
    "api_degradation": ("is degraded", "was degraded"),
    "data_quality": ("is out of bounds", "was out of bounds"),
    "blind": ("cannot be seen", "could not be seen"),
    "daemon": ("is in trouble", "was in trouble"),
    "storm": ("stands", "stood"),
    "drill": ("fails its drill", "failed its drill"),
}
_FOR_REAL = ("is drilled for real", "was drilled for real")
"""A drill that is no schedule's: its label is the drill's id, which has no blanks."""


def complaint(incident: Incident) -> Complaint:
    """What is wrong with what, in words; a failure mode of one's own is described by its name."""
    if joins_parts(incident.scope):
        return _parts(incident)
    labels = dict(incident.scope)
    now, then = _BY_MODE.get(incident.failure_mode, ("is failing", "was failing"))
    if incident.failure_mode == DRILL and " " not in labels.get("drill", ""):
        now, then = _FOR_REAL
    firing = [finding for finding in incident.findings if finding.state == "firing"] or incident.findings
    for finding in firing if incident.failure_mode not in {BLIND, DAEMON} else ():
        if finding.detector in _BY_DETECTOR:
            now, then = _BY_DETECTOR[finding.detector]
            break
    return Complaint(_subject(incident, labels), now, then)


def _parts(incident: Incident) -> Complaint:
    """How many of how many; which ones, the impact says."""
    label = next(name for name, value in incident.scope if value == SEVERAL)
    whose = "".join(f" of {value}" for _, value in incident.scope if value != SEVERAL)
    detectors = {finding.detector for finding in incident.findings}
    now, then = _OF_PARTS.get(detectors.pop(), _PARTS) if len(detectors) == 1 else _PARTS
    return Complaint(f"{incident.impact.scopes} of {incident.impact.of} {label}s{whose}", now, then)


def _subject(incident: Incident, labels: Mapping[str, str]) -> str:
    mode, where = incident.failure_mode, scope_text(incident.scope)
    provider, customer = labels.get("provider", ""), labels.get("customer", "")
    if customer and mode != "api_degradation":
        return f"Customer {customer}" + (f" of {provider}" if provider else "")
    subjects = {
        "provider_outage": f"Provider {provider}" if provider else "Every provider",
        "ingestion_stopped": f"Ingestion of {provider}" if provider else "Ingestion",
        "transformation_failure": f"Transformation of {provider}" if provider else "Transformation",
        "storage_failure": f"{labels.get('tier', '').capitalize()} storage".strip().capitalize(),
        "api_degradation": f"API endpoint {labels['endpoint']}" if "endpoint" in labels else "The API",
        "data_quality": _data(provider, labels.get("field", "")),
        "blind": f"Telemetry of {where}",
        "daemon": f"Fleetmend's own {labels.get('part', 'working')}",
        "storm": "A storm of failures",
        "drill": f"Playbook {incident.playbook}",
    }
    return subjects.get(mode, f"{mode.replace('_', ' ').capitalize()} at {where}:")


def _data(provider: str, field: str) -> str:
    what = f"Field {field}" if field else "Data"
    return f"{what} of {provider}" if provider else what
