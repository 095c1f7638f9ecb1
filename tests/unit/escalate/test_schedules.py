"""Schedules: shifts stay on the wall clock and always meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from config.escalation import WorkingHours
from config.people import PersonSpec
from config.schedules import ScheduleSpec
from daemon.escalate.rota import gaps, next_shifts, on_call, shifts
from daemon.escalate.schedules import Directory, directory_of
from daemon.escalate.wallclock import instant, next_time_of_day, opens_at

ZONES = (
    "America/Chicago", "Europe/London", "Europe/Paris", "Australia/Lord_Howe", "Pacific/Apia",
    "Asia/Kolkata", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns",
)  # fmt: skip


def schedule(zone: str, every: str = "1w", starts: str = "2026-01-05 09:00", **more: object) -> ScheduleSpec:
    return ScheduleSpec.model_validate(
        {
            "timezone": zone,
            "rotation": {"every": every, "starts": starts, "people": ["ana", "ben", "chloe"]},
            **more,
        }
    )


def never_was(wall: datetime, zone: str) -> bool:
    there = wall.replace(tzinfo=ZoneInfo(zone))
    return there.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != wall


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("every", "starts", "why"),
    [
        ("1w", "2026-01-05 09:00", "the usual weekly rota"),
        ("1d", "2026-01-05 00:00", "midnight is skipped or doubled in some zones"),
        ("12h", "2026-01-05 02:30", "half past two is skipped in spring and doubled in autumn"),
    ],
)
def test_five_years_have_no_gap_and_no_overlap(zone: str, every: str, starts: str, why: str) -> None:
    spec = schedule(zone, every, starts)
    begin = instant(zone, spec.turns[0].rotation.starts)
    pieces = shifts(spec, begin, begin + 5 * 365 * 86400)
    assert pieces[0].start == begin, why
    for number, (one, two) in enumerate(pairwise(pieces)):
        assert one.end == two.start
        assert one.start < one.end
        expected = spec.turns[0].rotation.people[number % 3]
        assert one.person == expected
        if number % 7 == 0:
            assert on_call(spec, one.end - 1) == expected, "half-open: the last second is still theirs"
        rotation = spec.turns[0].rotation
        wall = rotation.starts + timedelta(seconds=number * rotation.every)
        local = datetime.fromtimestamp(one.start, ZoneInfo(zone)).replace(tzinfo=None)
        assert local == wall or (local > wall and never_was(wall, zone)), "the start stays on the wall clock"


@pytest.mark.parametrize("zone", ["America/Chicago", "Europe/London"])
def test_a_weekly_shift_starts_at_nine_on_both_sides_of_a_clock_change(zone: str) -> None:
    spec = schedule(zone)
    begin = instant(zone, spec.turns[0].rotation.starts)
    for piece in shifts(spec, begin, begin + 366 * 86400)[:-1]:
        local = datetime.fromtimestamp(piece.start, ZoneInfo(zone))
        assert (local.hour, local.minute, local.weekday()) == (9, 0, 0)


@pytest.mark.parametrize(
    ("zone", "local", "expected", "why"),
    [
        (
            "Europe/Paris",
            "2026-03-29 02:30",
            "2026-03-29 01:00",
            "skipped: the first instant that exists, 03:00 CEST",
        ),
        ("Europe/Paris", "2026-10-25 02:30", "2026-10-25 00:30", "doubled: the first of the two"),
        ("America/Sao_Paulo", "2018-11-04 00:00", "2018-11-04 03:00", "a midnight that never was"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00", "a whole day that never was"),
        ("Europe/Paris", "2026-07-01 09:00", "2026-07-01 07:00", "an ordinary time"),
    ],
)
def test_odd_wall_clock_times_have_one_instant(zone: str, local: str, expected: str, why: str) -> None:
    assert instant(zone, datetime.fromisoformat(local)) == utc(expected), why


def test_an_override_beats_the_rotation_and_the_last_written_wins() -> None:
    spec = schedule(
        "UTC",
        overrides=[
            {"person": "dan", "start": "2026-01-06 00:00", "end": "2026-01-07 00:00"},
            {"person": "eve", "start": "2026-01-06 12:00", "end": "2026-01-06 18:00"},
        ],
    )
    seen = [
        on_call(spec, utc(at))
        for at in ("2026-01-05 23:59", "2026-01-06 00:00", "2026-01-06 12:00", "2026-01-07 00:00")
    ]
    assert seen == ["ana", "dan", "eve", "ana"]


SUN = {
    "timezone": "UTC",
    "layers": [
        {
            "timezone": zone,
            "hours": {"from": opens, "to": closes},
            "rotation": {"every": "1w", "starts": "2026-01-05 00:00", "people": people},
        }
        for zone, opens, closes, people in (
            ("Asia/Singapore", "08:00", "16:00", ["ana", "ben"]),
            ("Europe/London", "08:00", "16:00", ["chloe", "dan"]),
            ("America/Los_Angeles", "08:00", "16:00", ["eve", "fay"]),
        )
    ],
}
"""Follow the sun: eight hours each by their own clocks, which do not move on the same days."""


def test_a_schedule_that_follows_the_sun_starts_each_layer_by_its_own_clock() -> None:
    spec = ScheduleSpec.model_validate(SUN)
    for at, person in (
        ("2026-01-06 00:00", "ana"),
        ("2026-01-06 08:00", "chloe"),
        ("2026-01-06 16:00", "eve"),
    ):
        assert on_call(spec, utc(at)) == person
    assert on_call(spec, utc("2026-07-07 15:00")) == "eve", "in summer California starts an hour earlier"
    spring = shifts(spec, utc("2026-03-01 00:00"), utc("2026-04-30 00:00"))
    ends = [
        datetime.fromtimestamp(one.end, ZoneInfo("Europe/London")) for one in spring if one.person == "chloe"
    ]
    assert {(end.hour, end.minute) for end in ends} == {(16, 0)}, "on both sides of the clock change"


def test_what_no_layer_covers_is_a_gap_and_the_first_layer_wins_where_two_do() -> None:
    spec = ScheduleSpec.model_validate(SUN)
    winter = gaps(spec, utc("2026-01-06 00:00"), utc("2026-01-13 00:00"))
    assert winter == (), "24 hours in winter"
    summer = gaps(spec, utc("2026-07-06 00:00"), utc("2026-07-07 00:00"))
    assert [(gap.start, gap.end) for gap in summer] == [(utc("2026-07-06 23:00"), utc("2026-07-07 00:00"))]
    assert on_call(spec, utc("2026-07-07 07:30")) == "ana", (
        "London opens at 07:00 UTC, Singapore has it until 08:00"
    )


def test_hours_may_reach_past_midnight_and_keep_to_their_days() -> None:
    night = {
        "layers": [
            {
                "hours": {"days": ["fri"], "from": "22:00", "to": "06:00"},
                "rotation": {"every": "1w", "starts": "2026-01-05 00:00", "people": ["ana"]},
            }
        ]
    }
    spec = ScheduleSpec.model_validate(night)
    seen = [
        on_call(spec, utc(at))
        for at in (
            "2026-01-09 21:59",
            "2026-01-09 22:00",
            "2026-01-10 05:59",
            "2026-01-10 06:00",
            "2026-01-10 23:00",
        )
    ]
    assert seen == [None, "ana", "ana", None, None]


def test_two_people_who_swap_have_each_others_turns_and_nothing_else_moves() -> None:
    spec = schedule(
        "UTC", swaps=[{"between": ["ana", "chloe"], "start": "2026-01-05 09:00", "end": "2026-01-26 09:00"}]
    )
    seen = [on_call(spec, utc(f"2026-01-{day} 12:00")) for day in ("06", "13", "20", "27")]
    assert seen == ["chloe", "ben", "ana", "ana"]


def test_a_schedule_is_a_rotation_or_layers() -> None:
    for wrong in ({}, {**SUN, "rotation": SUN["layers"][0]["rotation"]}):  # type: ignore[index]  # a literal above
        with pytest.raises(ValueError, match="either a rotation or layers"):
            ScheduleSpec.model_validate(wrong)


def test_nobody_has_a_schedule_before_it_starts() -> None:
    assert on_call(schedule("UTC"), utc("2026-01-05 08:59")) is None


def test_the_next_shifts_begin_with_the_present_one() -> None:
    seen = next_shifts(schedule("UTC"), utc("2026-01-08 00:00"), 2)
    assert [(shift.person, shift.start) for shift in seen] == [
        ("ana", utc("2026-01-05 09:00")),
        ("ben", utc("2026-01-12 09:00")),
    ]


def test_targets_resolve_to_people_each_once_and_unknown_names_to_nobody() -> None:
    person = PersonSpec(name="Ana", channels=({"email": "ana@example.org"}, {"sms": "+100"}))
    directory = directory_of(
        {"ana": person, "ben": person},
        {"all": ["ben", "ana", "ghost"]},
        {"primary": schedule("UTC")},
        {"email": (False, True, False)},
    )
    reached = directory.at(utc("2026-01-06 00:00")).people(
        ["schedule:primary", "team:all", "person:ana", "schedule:none"]
    )
    assert [found.id for found in reached] == ["ana", "ben"]
    assert [way.kind for way in reached[0].usable] == ["email"], "a kind nobody listed cannot be used"
    assert Directory().at(0.0).people(["person:ana"]) == ()


@pytest.mark.parametrize(
    ("now", "opens", "why"),
    [
        ("2026-11-27 16:59", None, "Friday 17:59 in Paris: open"),
        (
            "2026-11-27 17:00",
            "2026-11-30 08:00",
            "Friday 18:00: the end belongs to the evening, Monday is next",
        ),
        ("2026-11-27 07:59", "2026-11-27 08:00", "a minute before nine"),
        ("2026-11-27 08:00", None, "nine sharp is open"),
        ("2026-03-28 12:00", "2026-03-30 07:00", "over the clock change nine stays nine"),
    ],
)
def test_working_hours_open_and_close_by_the_wall_clock(now: str, opens: str | None, why: str) -> None:
    hours = WorkingHours(timezone="Europe/Paris")
    assert opens_at(hours, utc(now)) == (utc(opens) if opens else None), why


def test_working_hours_can_be_always() -> None:
    hours = WorkingHours.model_validate(
        {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "24:00"}
    )
    assert all(opens_at(hours, utc("2026-03-28 00:00") + hour * 3600) is None for hour in range(48))


def test_a_time_of_day_comes_once_a_day_whatever_the_clock_does() -> None:
    now, seen = utc("2026-03-28 00:00"), []
    for _ in range(4):
        now = next_time_of_day("Europe/Paris", 2 * 60 + 30, now)
        seen.append(now)
    assert seen == [
        utc("2026-03-28 01:30"),
        utc("2026-03-29 01:00"),
        utc("2026-03-30 00:30"),
        utc("2026-03-31 00:30"),
    ]
