"""Alerts that other systems send: their payloads into rows, and what a row means for the pipeline. Pure.

Read are Alertmanager's webhook (version 4), its API v2 (`POST /api/v2/alerts`), and both webhooks of Grafana. An
alert is a claim, not an observation: `verify_with` names the detector that has to see it too, and a "resolved" is
weak evidence (it may never come, or be lost). Identity is fingerprint and start.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import Field

from config.cutting import whole_words
from config.scope import scope_of
from config.secrets import Secret
from config.section import SEVERITY_OF, FailureMode, Section, Severity
from daemon.clock import parse_rfc3339
from daemon.incidents.records import Alert
from daemon.incidents.reported import Reported
from detectors.rule import Matcher
from detectors.spec import LabelName, Name, Pattern, Where

MARKER = "fleetmend_incident"
"""The label that our own messages carry: an alert that has it is our echo and is dropped."""
FIRING, RESOLVED = "firing", "resolved"
MAX_ALERTS = 2_000
MAX_LABELS = 64
_MAX_NAME, _MAX_VALUE, _MAX_TEXT = 200, 1_000, 4_000
_LEGACY_FIRING = frozenset({"alerting"})
_LEGACY_QUIET = frozenset({"no_data", "paused", "pending"})


class AlertMap(Section):
    """Which failure an alert stands for: the first row whose `match` fits counts."""

    match: Where = Field(min_length=1)
    failure_mode: FailureMode
    scope: tuple[LabelName, ...] = ()
    """Labels of the alert that say where; one that is missing there keeps the alert from counting."""
    verify_with: Name | None = None
    """The detector that has to observe the fault too before anything is done about it."""
    severity: Severity | None = None
    """Left out: the failure mode's. It may only be raised."""


class AlertmanagerInbox(Section):
    """What Alertmanager and Grafana may post to `/api/v1/inbox/alertmanager` and `/api/v2/alerts`."""

    token: Secret | None = None
    """Bearer token that the sender has to show."""
    map: Annotated[tuple[AlertMap, ...], Field(max_length=1_000)] = ()


class PagerDutyInbox(Section):
    """What PagerDuty may post to `/api/v1/callbacks/pagerduty`: who acknowledged or resolved a page there."""

    secret: Secret | Annotated[tuple[Secret, ...], Field(max_length=4)] = ()
    """The webhook subscription's; two while it is changed. Left out: nothing is taken."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The secrets themselves."""
        secrets = (self.secret,) if isinstance(self.secret, Secret) else self.secret
        return tuple(secret.reveal() for secret in secrets)


class InboxSpec(Section):
    """The section `inbox`."""

    alertmanager: AlertmanagerInbox = AlertmanagerInbox()
    pagerduty: PagerDutyInbox = PagerDutyInbox()


class Malformed(Exception):
    """The payload makes no sense: answer 400, keep the raw body as a dead letter. The message says why."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """`hidden`: alerts that are not told, cut off by the sender or by us. `echoes`: our own, dropped. `refused`: those
    that make no sense, each with the reason; the others of the same body count.
    """

    alerts: tuple[Alert, ...]
    hidden: int = 0
    echoes: int = 0
    refused: tuple[tuple[Any, str], ...] = ()


def parse_alerts(body: bytes, now: float, source: str = "alertmanager") -> Parsed:
    """Alerts of a payload in any of the known forms, with `id` 0. Raises `Malformed`."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error}") from None
    if isinstance(payload, list):
        return _parsed(payload, now, source, hidden=0)
    if isinstance(payload, dict) and isinstance(payload.get("alerts"), list):
        hidden = payload.get("truncatedAlerts")
        grafana = "orgId" in payload
        return _parsed(
            payload["alerts"],
            now,
            "grafana" if grafana else source,
            hidden=max(hidden, 0) if isinstance(hidden, int) else 0,
        )
    if isinstance(payload, dict) and "ruleName" in payload and "state" in payload:
        alert = _legacy(payload, now)
        return Parsed(() if alert is None else (alert,))
    raise Malformed("neither a list of alerts nor a webhook payload with alerts")


def meaning_of(alert: Alert, rows: Iterable[AlertMap]) -> Reported | None:
    """What a firing alert stands for; None when it is resolved, no row fits, or a label of its scope is missing."""
    if alert.status != FIRING:
        return None
    row = next((row for row in rows if _fits(row.match, alert.labels)), None)
    if row is None or any(not alert.labels.get(label) for label in row.scope):
        return None
    own = SEVERITY_OF[row.failure_mode]
    severity = min(own, row.severity or own, key=list(Severity).index)
    notes = alert.annotations
    return Reported(
        fingerprint=alert.fingerprint,
        failure_mode=row.failure_mode.value,
        scope=scope_of((label, alert.labels[label]) for label in row.scope),
        severity=severity.value,
        since=alert.starts_at,
        verify_with=row.verify_with,
        text=notes.get("summary") or notes.get("description") or alert.labels.get("alertname", ""),
    )


def meanings_of(alerts: Iterable[Alert], rows: Sequence[AlertMap]) -> tuple[Reported, ...]:
    """Of alerts in the order they came: only the newest word on each fingerprint counts."""
    newest = {alert.fingerprint: alert for alert in alerts}
    found = (meaning_of(alert, rows) for alert in newest.values())
    return tuple(meaning for meaning in found if meaning is not None)


def _fits(match: Mapping[str, tuple[str, ...] | Pattern], labels: Mapping[str, str]) -> bool:
    return all(
        Matcher(label, pattern=wanted.re).accepts(labels.get(label, ""))
        if isinstance(wanted, Pattern)
        else labels.get(label, "") in wanted
        for label, wanted in match.items()
    )


def _parsed(items: Sequence[Any], now: float, source: str, *, hidden: int) -> Parsed:
    alerts: list[Alert] = []
    refused: list[tuple[Any, str]] = []
    for item in items[:MAX_ALERTS]:
        try:
            alerts.append(_alert(item, now, source))
        except Malformed as why:
            refused.append((item, str(why)))
    hidden += max(len(items) - MAX_ALERTS, 0)
    theirs = tuple(alert for alert in alerts if MARKER not in alert.labels)
    return Parsed(theirs, hidden, len(alerts) - len(theirs), tuple(refused))


def _alert(item: Any, now: float, source: str) -> Alert:
    if not isinstance(item, dict):
        raise Malformed("an alert is not a map")
    labels = _labels(item.get("labels"))
    starts_at = _instant(item.get("startsAt"), "startsAt")
    ends_at = _instant(item.get("endsAt"), "endsAt")
    status = str(item.get("status"))
    if status not in {FIRING, RESOLVED}:  # API v2 has none: an end that has come says it
        ended = ends_at is not None and (ends_at <= now or ends_at == starts_at)
        status = RESOLVED if ended else FIRING
    given = item.get("fingerprint")
    return Alert(
        id=0,
        at=now,
        fingerprint=_clean(given, _MAX_NAME) if isinstance(given, str) and given else fingerprint_of(labels),
        status=status,
        labels=labels,
        annotations=_annotations(item.get("annotations")),
        starts_at=now if starts_at is None else starts_at,
        ends_at=ends_at,
        source=source,
    )


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """Our own identity of a set of labels, for senders that give none."""
    text = "\x00".join(f"{name}\x01{value}" for name, value in sorted(labels.items()))
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


def _legacy(payload: Mapping[str, Any], now: float) -> Alert | None:
    """Grafana's older webhook: one rule, its state, its tags."""
    state = str(payload["state"])
    if state in _LEGACY_QUIET:
        return None
    labels = _labels({"alertname": str(payload["ruleName"]), **_map(payload.get("tags"), "tags")})
    if MARKER in labels:
        return None
    text = {"summary": payload.get("title") or payload.get("message") or ""}
    firing = state in _LEGACY_FIRING
    return Alert(
        id=0,
        at=now,
        fingerprint=fingerprint_of(labels),
        status=FIRING if firing else RESOLVED,
        labels=labels,
        annotations=_annotations(text),
        starts_at=now,
        ends_at=None if firing else now,
        source="grafana",
    )


def _map(value: Any, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not a map")
    return value


def _labels(value: Any) -> dict[str, str]:
    labels = _map(value, "labels")
    if not labels:
        raise Malformed("an alert has no labels")
    if len(labels) > MAX_LABELS:
        raise Malformed(f"an alert has {len(labels)} labels, at most {MAX_LABELS} are taken")
    for name, text in labels.items():
        if not isinstance(text, str) or len(name) > _MAX_NAME or len(text) > _MAX_VALUE:
            raise Malformed(f"the label {name[:40]!r} is no text, or too long")
    return {name: _clean(text, _MAX_VALUE) for name, text in labels.items()}


def _annotations(value: Any) -> dict[str, str]:
    notes = list(_map(value, "annotations").items())[:MAX_LABELS]
    return {whole_words(name, _MAX_NAME): _clean(str(text), _MAX_TEXT) for name, text in notes}


def _clean(text: str, limit: int) -> str:
    """Without NUL, which no database takes in a text."""
    return whole_words(text.replace("\x00", ""), limit)


def _instant(value: Any, what: str) -> float | None:
    """Unix seconds; None for what is missing and for the zero time, which means "not yet"."""
    if value is None or value == "" or (isinstance(value, str) and value.startswith("0001-01-01")):
        return None
    try:
        instant = parse_rfc3339(value)
    except (TypeError, ValueError, OverflowError):
        raise Malformed(f"{what} is no RFC 3339 time") from None
    if not math.isfinite(instant):
        raise Malformed(f"{what} is out of range")
    return instant
