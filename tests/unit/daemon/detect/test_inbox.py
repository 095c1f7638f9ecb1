"""Payloads of other systems become rows, and rows become what they stand for."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.scope import scope_of
from daemon.detect.inbox import (
    MARKER,
    MAX_ALERTS,
    AlertMap,
    Malformed,
    Parsed,
    meaning_of,
    meanings_of,
    parse_alerts,
)
from daemon.incidents.records import Alert

NOW = 1_767_600_000.0
STARTED = "2026-01-05T07:50:00.123456789Z"
LABELS = {"alertname": "StorageWriteErrors", "tier": "hot"}
ROWS = [
    AlertMap.model_validate(
        {
            "match": {"alertname": "StorageWriteErrors"},
            "failure_mode": "storage_failure",
            "scope": ["tier"],
            "verify_with": "storage-writes",
        }
    ),
    AlertMap.model_validate(
        {
            "match": {"alertname": {"re": "Api.*"}, "env": ["prod", "stage"]},
            "failure_mode": "api_degradation",
            "severity": "critical",
        }
    ),
]


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "writes fail"},
        "startsAt": STARTED,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prom/graph",
        "fingerprint": "abc123",
        **changes,
    }


def parse(payload: Any) -> Parsed:
    return parse_alerts(orjson.dumps(payload), NOW)


def webhook(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": "{}",
        "status": "firing",
        "receiver": "x",
        "alerts": list(alerts),
        **more,
    }


def test_alertmanagers_webhook_gives_a_row_per_alert() -> None:
    (got,) = parse(webhook(alert(), newFieldOfALaterVersion=1)).alerts
    assert got.starts_at == pytest.approx(1_767_599_400.123456, abs=1e-5)
    assert (got.fingerprint, got.status, got.ends_at, got.id) == ("abc123", "firing", None, 0)
    assert (dict(got.labels), got.annotations["summary"], got.source) == (
        LABELS,
        "writes fail",
        "alertmanager",
    )


def test_the_status_of_each_alert_counts_not_that_of_the_group() -> None:
    got = parse(webhook(alert(), alert(status="resolved", endsAt="2026-01-05T07:59:00Z")))
    assert [one.status for one in got.alerts] == ["firing", "resolved"]


def test_alerts_the_sender_cut_off_are_counted() -> None:
    assert parse(webhook(alert(), truncatedAlerts=7)).hidden == 7


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({}, "firing", "no end: fires until its sender says otherwise"),
        ({"endsAt": "2026-01-05T08:05:00Z"}, "firing", "an end that lies ahead"),
        ({"endsAt": "2026-01-05T07:59:59Z"}, "resolved", "an end that has come"),
        ({"startsAt": STARTED, "endsAt": STARTED}, "resolved", "start and end the same"),
    ],
)
def test_alerts_of_the_api_are_resolved_by_their_end(changes: dict[str, Any], status: str, why: str) -> None:
    (got,) = parse([{"labels": LABELS, **changes}]).alerts
    assert got.status == status, why


def test_an_alert_without_identity_gets_one_from_its_labels() -> None:
    one, other, third = parse(
        [{"labels": LABELS}, {"labels": dict(reversed(LABELS.items()))}, {"labels": {"a": "b"}}]
    ).alerts
    assert one.fingerprint == other.fingerprint != third.fingerprint
    assert one.starts_at == NOW


def test_grafanas_webhook_is_read_like_alertmanagers() -> None:
    (got,) = parse(
        webhook(alert(valueString="[ value=1 ]", silenceURL="x"), orgId=1, title="t", state="alerting")
    ).alerts
    assert got.source == "grafana"


@pytest.mark.parametrize(
    ("state", "status"), [("alerting", "firing"), ("ok", "resolved"), ("no_data", None), ("paused", None)]
)
def test_grafanas_older_webhook_is_read_too(state: str, status: str | None) -> None:
    got = parse(
        {"ruleName": "StorageWriteErrors", "state": state, "tags": {"tier": "hot"}, "message": "m"}
    ).alerts
    assert [one.status for one in got] == ([status] if status else [])
    assert all(dict(one.labels) == LABELS for one in got)


def test_our_own_messages_coming_back_are_dropped() -> None:
    got = parse(webhook(alert(), alert(labels={**LABELS, MARKER: "sf-abcdef"})))
    assert (len(got.alerts), got.echoes) == (1, 1)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "no JSON"),
        (b"\xff", "no text"),
        (b"3", "no payload"),
        (b'{"alerts": 3}', "alerts is no list"),
    ],
)
def test_what_makes_no_sense_is_refused_whole(body: bytes, why: str) -> None:
    try:
        parse_alerts(body, NOW)
    except Malformed:
        return
    pytest.fail(why)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[3]", "an alert is no map"),
        (b"[{}]", "no labels"),
        (b'[{"labels": {"a": 1}}]', "a label that is no text"),
        (b'[{"labels": {"a": "b"}, "startsAt": "yesterday"}]', "no time"),
        (b'[{"labels": {"a": "b"}, "startsAt": []}]', "no time"),
        (b'[{"labels": {"a": "b"}, "startsAt": "2026-01-05T07:00:00"}]', "a time without offset"),
        (b'[{"labels": {"a": "b"}, "annotations": 3}]', "annotations are no map"),
        (orjson.dumps([{"labels": {"a": "x" * 1001}}]), "a label too long"),
        (orjson.dumps([{"labels": {f"l{n}": "x" for n in range(65)}}]), "too many labels"),
    ],
)
def test_an_alert_that_makes_no_sense_is_refused_alone(body: bytes, why: str) -> None:
    beside = orjson.dumps([*orjson.loads(body), {"labels": LABELS}])
    parsed = parse_alerts(beside, NOW)
    assert (len(parsed.alerts), len(parsed.refused)) == (1, 1), why


def test_more_alerts_than_are_taken_are_counted_as_hidden() -> None:
    parsed = parse_alerts(orjson.dumps([{"labels": LABELS}] * (MAX_ALERTS + 3)), NOW)
    assert (len(parsed.alerts), parsed.hidden) == (MAX_ALERTS, 3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["alerts", "labels", "status", "startsAt", "state", "ruleName", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_payload_breaks_the_parser(payload: Any) -> None:
    try:
        parse(payload)
    except Malformed:
        return


def test_long_annotations_are_cut_and_nul_is_left_out() -> None:
    (got,) = parse([{"labels": {"a": "b\x00c"}, "annotations": {"summary": "all is lost, " * 900}}]).alerts
    assert got.labels["a"] == "bc"
    summary = got.annotations["summary"]
    assert 3_950 < len(summary) <= 4_000
    assert summary.endswith(("all ", "is ", ", ")), "never inside a word: half a secret would not be found"


def row(**changes: Any) -> Alert:
    (got,) = parse(webhook(alert(**changes))).alerts
    return got


def test_an_alert_stands_for_the_first_row_that_fits() -> None:
    meaning = meaning_of(row(), ROWS)
    assert meaning is not None
    assert (meaning.failure_mode, meaning.scope) == ("storage_failure", scope_of({"tier": "hot"}))
    assert (meaning.severity, meaning.verify_with, meaning.text) == (
        "critical",
        "storage-writes",
        "writes fail",
    )


def test_patterns_match_whole_values_and_a_row_may_raise_the_severity() -> None:
    meaning = meaning_of(row(labels={"alertname": "ApiSlow", "env": "prod"}), ROWS)
    assert meaning is not None
    assert (meaning.failure_mode, meaning.severity, meaning.scope) == ("api_degradation", "critical", ())
    assert meaning_of(row(labels={"alertname": "MyApiSlow", "env": "prod"}), ROWS) is None
    assert meaning_of(row(labels={"alertname": "ApiSlow"}), ROWS) is None


def test_an_alert_without_a_label_of_its_scope_does_not_count() -> None:
    assert meaning_of(row(labels={"alertname": "StorageWriteErrors"}), ROWS) is None


def test_a_resolved_alert_stands_for_nothing() -> None:
    assert meaning_of(row(status="resolved"), ROWS) is None


def test_only_the_newest_word_on_an_alert_counts() -> None:
    assert len(meanings_of([row(), row()], ROWS)) == 1
    assert meanings_of([row(), row(status="resolved")], ROWS) == ()
