"""Two hundred incidents at once while fifty slow actions are due: the caps hold, one page goes out, nothing is lost.

Numbers of the brief (issue 4): 200 incidents, 50 slow actions, caps at 8, some in flight before the storm begins.
"""

from __future__ import annotations

import pytest

from daemon.incidents.model import STORM, IncidentState
from tests.fakes.tiers import Tiers

pytestmark = pytest.mark.timeout(400)

SLOW, BURST, CAP = 50, 200, 8
COUNT = 600
"""Of which 250 are more than the 34 % that make a storm, and 50 are not."""
AT_ONCE = 16
"""Incidents that one round may step (`daemon.loop.standing.MOST`)."""


def stormy() -> Tiers:
    story = Tiers(COUNT, SLOW, CAP)
    story.run(20.0)
    story.broken.update(range(SLOW))
    story.run(20.0)
    assert len(story.in_flight()) == CAP, "some are in flight before the storm begins"
    assert not [i for i in story.incidents() if i.failure_mode == STORM]
    story.broken.update(range(SLOW + BURST))
    return story


def test_in_a_storm_of_250_incidents_the_caps_hold_one_page_goes_out_and_all_are_in_the_record() -> None:
    story = stormy()
    story.run(90.0)
    (storm,) = (i for i in story.incidents() if i.failure_mode == STORM)
    faults = [i for i in story.incidents() if i.failure_mode == "storage_failure"]
    assert sorted(int(dict(i.scope)["tier"][1:]) for i in faults) == [*range(SLOW + BURST)]
    assert story.most_in_flight == CAP, "all slots are used, and never one more"
    assert [page["data"]["incident"] for page in story.pages] == [storm.id]
    assert [row.incident for i in faults for row in story.deliveries(i)] == []
    begun = {request.url.rpartition("/t")[2] for request in story.http.sent("POST", "http://plant/mend")}
    assert CAP < len(begun) <= SLOW, "what was due goes on, a slot at a time"
    assert all(int(number) < SLOW for number in begun), "and nothing that is not storm-safe is begun"
    story.broken.clear()
    story.run(600.0)
    assert {i.state for i in story.incidents()} == {IncidentState.RESOLVED}
    assert [page["type"] for page in story.pages] == ["incident.trigger", "incident.resolve"]


def test_a_round_costs_what_changed_and_not_what_stands_open() -> None:
    """Else the loop would be busy with those that wait, and hear late of everything else."""
    story = stormy()
    story.run(30.0)
    assert story.most_transactions <= AT_ONCE + 2 * CAP, "the burst is taken in bites"
    story.most_transactions = 0.0
    story.run(30.0)
    assert len([i for i in story.incidents() if not i.ended]) == SLOW + BURST + 1
    assert story.most_transactions <= 4 * CAP, "250 stand open, and 8 of them have something to do"
