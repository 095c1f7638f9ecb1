"""Probes, people, schedules and escalation: what is accepted, and what is refused with a remedy."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from config.escalation import DigestSpec, HeadsUpSpec, LevelSpec, PerSeverity, Policy, Target, WorkingHours
from config.people import Channels, PersonSpec, Teams
from config.probes import ProbeSpec
from config.problems import Wrong
from config.schedules import ScheduleSpec
from config.section import Autonomy, Severity
from config.units import TimeOfDay

POLICY: TypeAdapter[tuple[LevelSpec, ...]] = TypeAdapter(Policy)


def refusal(kind: type[Any] | Any, data: object) -> str:
    with pytest.raises(ValidationError) as caught:
        (kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)).validate_python(data)
    cause = caught.value.errors()[0].get("ctx", {}).get("error")
    return f"{cause.problem}; {cause.hint}" if isinstance(cause, Wrong) else caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("data", "kind", "condition", "labels"),
    [
        ({"http": {"url": "http://x/{{ scope.tier }}"}}, "http", "status >= 200 and status < 300", ("tier",)),
        (
            {"http": {"url": "http://x", "headers": {"A": "{{ scope.provider }}"}}, "ok": "body.up"},
            "http",
            "body.up",
            ("provider",),
        ),
        (
            {"tcp": {"host": "{{ scope.provider }}.x", "port": "{{ vars.port }}", "timeout": "2s"}},
            "tcp",
            "true",
            ("provider",),
        ),
        ({"tls": {"host": "x", "min_days": 30}}, "tls", "true", ()),
        ({"dns": {"name": "x.example.org"}}, "dns", "true", ()),
    ],
)
def test_a_probe_is_of_one_kind(
    data: dict[str, Any], kind: str, condition: str, labels: tuple[str, ...]
) -> None:
    probe = ProbeSpec.model_validate(data)
    assert (probe.kind, probe.condition, probe.labels) == (kind, condition, labels)
    assert probe.timeout == (2.0 if kind == "tcp" else 5.0)


@pytest.mark.parametrize(
    ("data", "word", "reason"),
    [
        ({}, "has none", "nothing to ask"),
        ({"http": {"url": "http://x"}, "dns": {"name": "y"}}, "has http, dns", "two questions"),
        ({"http": {"url": "{{ x"}}, "not a valid template", "a broken address"),
        ({"http": {"url": "http://x"}, "ok": "status ="}, "not a valid expression", "a broken condition"),
        (
            {"http": {"url": "http://x", "timeout": "2h"}},
            "less than or equal to 60",
            "a probe is not waited for so long",
        ),
        ({"http": {"url": "http://x", "timeout": "0s"}}, "greater than 0", "nor for no time"),
        (
            {"http": {"url": "http://x", "method": "POST"}},
            "'GET', 'HEAD' or 'OPTIONS'",
            "a probe changes nothing",
        ),
        ({"tcp": {"host": "x", "port": 70000}}, "65535", "no such port"),
    ],
)
def test_a_probe_that_asks_nothing_sensible_is_refused(data: dict[str, Any], word: str, reason: str) -> None:
    assert word in refusal(ProbeSpec, data), reason


def test_a_persons_channels_stay_generic_and_ordered() -> None:
    person = PersonSpec.model_validate(
        {
            "name": "Ana",
            "timezone": "Europe/Paris",
            "channels": [{"pagerduty": {"routing_key": {"env": "PD"}}}, {"email": "a@example.org"}],
        }
    )
    assert person.ways == (("pagerduty", {"routing_key": {"env": "PD"}}), ("email", "a@example.org"))


@pytest.mark.parametrize(
    ("kind", "data", "word", "reason"),
    [
        (PersonSpec, {"name": "A", "channels": []}, "at least 1", "nobody is paged in vain"),
        (
            PersonSpec,
            {"name": "A", "channels": [{"email": "a", "sms": "b"}]},
            "expected one kind of channel",
            "two in one entry",
        ),
        (
            PersonSpec,
            {"name": "A", "timezone": "Europe/Pariss", "channels": [{"email": "a"}]},
            "did you mean 'Europe/Paris'",
            "a slip",
        ),
        (Teams, {"architecture": []}, "at least 1", "an empty team"),
        (Channels, {"smtp": 5}, "dictionary", "a channel has settings"),
        (
            ScheduleSpec,
            {"rotation": {"every": "1w", "starts": "2026-01-05 09:00", "people": []}},
            "at least 1",
            "nobody on duty",
        ),
        (
            ScheduleSpec,
            {"rotation": {"every": "1m", "starts": "2026-01-05 09:00", "people": ["a"]}},
            "greater than or equal",
            "turns of a minute",
        ),
        (
            ScheduleSpec,
            {"rotation": {"every": "1w", "starts": "2026-01-05T09:00Z", "people": ["a"]}},
            "without a zone",
            "the zone is the schedule's",
        ),
        (
            ScheduleSpec,
            {"rotation": {"every": "1w", "starts": "2026-02-30 09:00", "people": ["a"]}},
            "local date and time",
            "no such day",
        ),
        (POLICY, [{"level": "L2", "notify": ["team:a"]}], "levels are L2", "L1 comes first"),
        (
            POLICY,
            [{"level": "L1", "notify": ["team:a"], "after": {"high": "1m"}}],
            "L1 takes no 'after'",
            "L1 has its own clock",
        ),
        (POLICY, [{"level": "L1", "notify": ["ana"]}], "expected someone to notify", "who is that?"),
        (POLICY, [{"level": "L1", "notify": ["persn:ana"]}], "did you mean 'person'", "a slip"),
        (POLICY, [{"level": "L1", "notify": []}], "at least 1", "a level that tells nobody"),
        (POLICY, [], "at least 1", "a policy that tells nobody"),
        (
            POLICY,
            [
                {"level": n, "notify": ["team:a"], "after": a}
                for n, a in (("L1", {}), ("L2", {"high": "2h"}), ("L3", {"high": "1h"}))
            ],
            "L3 comes no later than L2 for high",
            "levels go up with time",
        ),
        (
            WorkingHours,
            {"from": "18:00", "to": "09:00"},
            "not after 18:00",
            "a day that ends before it starts",
        ),
        (WorkingHours, {"days": ["monday"]}, "'mon'", "days have three letters"),
    ],
)
def test_a_shape_that_would_leave_someone_untold_is_refused(
    kind: Any, data: object, word: str, reason: str
) -> None:
    assert word in refusal(kind, data), reason


def test_an_override_ends_after_it_starts() -> None:
    rotation = {"every": "1w", "starts": "2026-01-05", "people": ["ana"]}
    one = {"person": "ben", "start": "2026-02-01 09:00", "end": "2026-02-02 09:00"}
    schedule = ScheduleSpec.model_validate(
        {"timezone": "Europe/Paris", "rotation": rotation, "overrides": [one]}
    )
    assert schedule.turns[0].rotation.starts == datetime(2026, 1, 5)  # noqa: DTZ001  # wall-clock time of the schedule's own zone
    assert schedule.turns[0].rotation.every == 604800.0
    assert "ends before it starts" in refusal(
        ScheduleSpec, {"rotation": rotation, "overrides": [one | {"end": one["start"]}]}
    )


def test_a_policy_gives_seconds_by_severity_and_targets_by_kind() -> None:
    levels = POLICY.validate_python(
        [
            {"level": "L1", "notify": ["schedule:primary"]},
            {"level": "L2", "notify": ["team:x"], "after": {"critical": "15m"}},
        ]
    )
    assert levels[0].notify == (Target("schedule", "primary"),)
    assert levels[1].after == {Severity.CRITICAL: 900.0}
    assert Severity.MEDIUM not in levels[1].after
    assert levels[1].model_dump(mode="json")["notify"] == ["team:x"]


def test_always_can_be_written_as_working_hours() -> None:
    hours = WorkingHours.model_validate({"days": ["mon", "sun"], "from": "00:00", "to": "24:00"})
    assert (hours.from_.minutes, hours.to.minutes) == (0, 1440)


def test_the_digest_has_a_time_and_the_heads_up_someone_to_tell() -> None:
    assert DigestSpec.model_validate({"notify": ["team:a"]}).at == TimeOfDay(8, 30)
    assert refusal(HeadsUpSpec, {"notify": []})
    assert TypeAdapter(PerSeverity).validate_python({"high": "10m"}) == {Severity.HIGH: 600.0}


def test_each_autonomy_allows_more_than_the_one_before() -> None:
    assert [autonomy.rank for autonomy in (Autonomy.OBSERVE, Autonomy.PROPOSE, Autonomy.AUTO)] == [0, 1, 2]
