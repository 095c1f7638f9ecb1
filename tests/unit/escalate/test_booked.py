"""Bookings that lie over each other come out one person at a time, as a look at every minute would have it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.escalate.booked import Booked, Booking, flat, overlaps

BOOKINGS = st.lists(
    st.builds(
        lambda start, length, person: Booking(float(start), float(start + length), person),
        st.integers(0, 30), st.integers(1, 15), st.sampled_from(["ana", "ben", "chloe"]),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(BOOKINGS)
def test_at_any_time_it_is_whoever_is_booked_and_began_last(bookings: list[Booking]) -> None:
    booked = Booked(flat(bookings))
    for one, two in pairwise(booked.bookings):
        assert one.end <= two.start, "none lies over another"
    for half in range(0, 100, 2):
        at = half / 2
        there = [one for one in bookings if one.start <= at < one.end]
        found = booked.at(at)
        assert (found is None) is (not there)
        if found is not None:
            assert found.person in {one.person for one in there if one.start == max(o.start for o in there)}
    lies = any(
        one.person != two.person and one.start < two.end and two.start < one.end
        for one in bookings
        for two in bookings
    )
    assert bool(overlaps(bookings)) is lies
