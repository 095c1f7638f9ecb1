"""Pacing by itself: what goes at once, what waits, what goes together. Numbers of the research, 2.1 and 6."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.escalate import pacing
from daemon.escalate.owed import MAYBE
from daemon.escalate.pacing import BUNDLE, CARRIERS, PACED, Pace, Pacing, Sort, Told, free_at, plan, told
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from tests.fakes import rows

NOW = 10_000.0
PACE = Pace()


def row(name: str, event: PageEvent = PageEvent.TRIGGER, channel: str = "email") -> Delivery:
    return rows.delivery(
        f"{name}/{event}", incident=name, event=event, channel=channel, due_at=NOW, created_at=NOW
    )


def pages(*ages: float) -> list[Told]:
    """Pages of other incidents, so many seconds ago."""
    return [Told(NOW - age, Sort.PAGE, f"o-{number}") for number, age in enumerate(ages)]


@pytest.mark.parametrize(
    ("earlier", "event", "after", "reason"),
    [
        ([], PageEvent.TRIGGER, 0, "the first page of a new incident goes at once"),
        (pages(0), PageEvent.TRIGGER, 0, "and so does a second one"),
        (pages(0, 0), PageEvent.TRIGGER, 80, "then one in 80 s"),
        (pages(80, 80), PageEvent.TRIGGER, 0, "one in 80 s"),
        (pages(79, 79), PageEvent.TRIGGER, 1, "and not a second sooner"),
        (pages(290, 200, 120, 40, 0), PageEvent.TRIGGER, 40, "a bucket that is behind waits for its token"),
        ([Told(NOW, Sort.PAGE)] * 2, PageEvent.TRIGGER, 80, "a message about many counts as one"),
        ([Told(NOW, Sort.PAGE, "a")] * 9, PageEvent.REMIND, 0, "an incident is not held up by its own pages"),
        ([Told(NOW, Sort.PAGE, "b")] * 9, PageEvent.TRIGGER, 0, "nor by one that repeats itself"),
        ([Told(NOW, Sort.NOTE)] * 9, PageEvent.TRIGGER, 0, "notes hold up no page"),
        ([Told(NOW, Sort.RESOLVE)] * 9, PageEvent.TRIGGER, 0, "and neither do ends"),
        (pages(0, 0), PageEvent.RESOLVE, 0, "pages take no end's token"),
        (pages(270, 200, 120, 40, 0), PageEvent.RESOLVE, 30, "but after five messages in five minutes it waits"),
        ([Told(NOW, Sort.RESOLVE)] * 2, PageEvent.RESOLVE, 80, "ends go in the same measure as pages"),
        ([Told(NOW, Sort.PAGE, "a")] * 9, PageEvent.RESOLVE, 0, "alone, its own pages hold up no end"),
        ([], PageEvent.STATUS, 0, "a note goes while it is quiet"),
        (pages(200, 100), PageEvent.HEADS_UP, 0, "two pages in five minutes are quiet"),
        (pages(299, 100, 0), PageEvent.STATUS, 1, "three are not"),
        ([Told(NOW, Sort.NOTE)] * 2, PageEvent.STATUS, 80, "notes go in the same measure as pages"),
    ],
)  # fmt: skip
def test_when_a_message_may_go(earlier: list[Told], event: PageEvent, after: float, reason: str) -> None:
    assert free_at(row("a", event), earlier, PACE, NOW) == NOW + after, reason


@pytest.mark.parametrize(
    ("kind", "most", "span"),
    [
        ("sms", 5, 900), ("sms", 11, 3600), ("sms", 21, 10_800),
        ("voice", 3, 900), ("voice", 7, 3600), ("voice", 15, 10_800),
    ],
)  # fmt: skip
def test_phones_have_the_limits_that_carriers_accept_also_for_one_incident(
    kind: str, most: int, span: float
) -> None:
    """GoAlert's numbers; carriers blocked numbers at some 16 calls an hour (goalert#1084)."""
    step = span / most
    earlier = [Told(NOW - span + 1 + step * n, Sort.PAGE, "a") for n in range(most)]
    assert free_at(row("a", channel=kind), earlier, Pacing().pace(kind), NOW) >= NOW + 1
    assert (
        free_at(row("a", channel=kind), earlier[1:], Pace(carrier=CARRIERS[kind]), NOW + span) == NOW + span
    )


def test_what_fits_goes_alone_and_the_last_token_takes_the_rest_along() -> None:
    some = [row(name) for name in "abcde"]
    assert plan(some[:1], [], PACE, NOW).alone == tuple(some[:1])
    assert plan(some[:2], [], PACE, NOW).alone == tuple(some[:2])
    assert plan(some, [], PACE, NOW) == pacing.Plan((some[0],), tuple(some[1:]))
    assert plan(some, pages(0), PACE, NOW) == pacing.Plan((), tuple(some))
    assert plan(some, pages(0, 0), PACE, NOW) == pacing.Plan(later=tuple((one, NOW + 80) for one in some))


def test_a_page_about_the_daemon_or_a_storm_goes_though_others_wait_but_not_a_flood_of_them() -> None:
    own, other = row("dm-1"), row("a")
    found = plan([own, other], pages(0, 0), PACE, NOW, aside={"dm-1"})
    assert (found.alone, found.later) == ((own,), ((other, NOW + 80),))
    before = [*pages(5, 5), Told(NOW - 5, Sort.PAGE, "dm-0", aside=True)]
    assert plan([own], before, PACE, NOW, aside={"dm-1"}).alone == ()


def test_what_went_together_counts_once_and_what_is_under_way_counts_as_sent() -> None:
    sent = replace(row("a"), state=DeliveryState.ACCEPTED, sent_at=NOW - 7)
    together = [replace(sent, key=f"k{n}", facts={BUNDLE: "b"}) for n in range(3)]
    assert told([sent, *together], NOW) == (Told(NOW - 7, Sort.PAGE, "a"), Told(NOW - 7, Sort.PAGE))
    for under_way in (
        replace(sent, state=DeliveryState.SENDING, sent_at=None),
        replace(sent, state=DeliveryState.OWED, sent_at=None, tries=1),
        replace(sent, state=DeliveryState.OWED, sent_at=None, receipt=f"{MAYBE}: no answer"),
    ):
        assert told([under_way], NOW) == (Told(NOW, Sort.PAGE, "a"),)
    for not_sent in (row("a"), replace(row("a"), state=DeliveryState.FAILED), row("a", PageEvent.TEST)):
        assert told([not_sent], NOW) == ()


def test_another_pace_has_another_bound_and_a_channel_can_have_a_message_for_each_incident() -> None:
    assert (Pace().total.most, Pace(burst=4, every=30.0).total.most) == (5, 14)
    assert Pacing().paced(row("a", channel="webhook"))
    assert not Pacing(alone=frozenset({"webhook"})).paced(row("a", channel="webhook"))
    assert not Pacing().paced(row("a", PageEvent.TEST)), "a test is not kept waiting"


def test_what_keeps_an_incidents_own_state_is_not_merged() -> None:
    assert not PACED & {"pagerduty", "opsgenie", "alertmanager", "console"}


@given(
    st.lists(st.integers(0, 1200), min_size=1, max_size=60),
    st.lists(
        st.sampled_from([PageEvent.TRIGGER, PageEvent.STATUS, PageEvent.RESOLVE]), min_size=60, max_size=60
    ),
    st.integers(0, 15),
)
def test_whatever_comes_five_messages_in_five_minutes_are_the_bound_and_all_is_told(
    arrivals: list[int], events: list[PageEvent], lateness: int
) -> None:
    """Pages keep it among themselves; ends and notes whatever was sent. `lateness`: of the provider, every third time."""
    coming = sorted(zip(arrivals, range(len(arrivals)), strict=True))
    waiting: dict[str, tuple[float, Delivery]] = {}
    sent: list[Told] = []
    accepted: list[tuple[float, Sort]] = []
    reached: set[str] = set()
    now = 0.0
    while coming or waiting:
        now = min([float(at) for at, _ in coming[:1]] + [at for at, _ in waiting.values()])
        while coming and coming[0][0] <= now:
            number = coming.pop(0)[1]
            one = row(f"i{number}", events[number])
            waiting[one.key] = (now, one)
        for sort in Sort:
            mine = [one for _, one in waiting.values() if pacing.sort_of(one.event) is sort]
            found = plan(mine, sent, PACE, now)
            for one, at in found.later:
                assert at > now
                waiting[one.key] = (at, one)
            for group in [*((one,) for one in found.alone), *([found.together] if found.together else [])]:
                late = lateness * (len(sent) % 3 == 0)
                accepted.append((now + late, sort))
                sent.append(Told(now + late, sort, group[0].incident if len(group) == 1 else ""))
                reached |= {one.incident for one in group}
                for one in group:
                    del waiting[one.key]
    assert reached == {f"i{number}" for number in range(len(arrivals))}
    paged = [at for at, sort in accepted if sort is Sort.PAGE]
    assert all(sum(start <= at < start + 300 for at in paged) <= 5 for start in paged)
    for until in (at for at, sort in accepted if sort is not Sort.PAGE):
        assert sum(until - 285 < at <= until for at, _ in accepted) <= 5, "fifteen seconds late at most"
