"""kill -9 of the real process, from the other side of its calls: it ends resolved or paged, and nothing twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from daemon.incidents.model import Incident
from tests.fakes.living import Living, Site, wait_for
from tests.fakes.plant import Moment

pytestmark = pytest.mark.live

CALL, PAGER = "/tiers/hot/failover", "/v2/enqueue"


def crash(site: Site, daemon: Living) -> Callable[[], None]:
    """Kill the daemon from outside, as the other side of a call."""
    del site
    return lambda: os.kill(daemon.pid, signal.SIGKILL)


def ended(site: Site) -> Incident | None:
    incident = site.incident()
    return incident if incident is not None and incident.ended else None


def nothing_twice(site: Site) -> None:
    """By the plant's own log: no call under one key twice, no fail-over under two keys."""
    failovers = site.plant.did("failover")
    assert len(failovers) <= 1, failovers
    assert len({effect.key for effect in failovers}) == len(failovers)


def one_alert(site: Site, *, duplicates: int) -> None:
    """The pager saw one incident under one key, repeated at most so often, and resolved exactly once."""
    events = site.plant.pager.events
    triggers = [event for event in events if event["event_action"] == "trigger"]
    assert triggers, "the page is lost"
    assert len({event["dedup_key"] for event in triggers}) == 1
    assert len(triggers) <= 1 + duplicates, [event["payload"]["summary"] for event in triggers]
    assert len(site.plant.pager.pages) == 1
    resolves = [event for event in events if event["event_action"] == "resolve"]
    assert len(resolves) == 1
    assert not site.plant.pager.open
    assert not site.plant.pager.dropped


def said(site: Site, point: str) -> None:
    incident = site.incident()
    assert incident is not None
    counts = Counter(str(event.kind) for event in site.events(incident.id))
    print(f"{point}: {incident.state} by {incident.resolved_by}; calls {len(site.plant.did('failover'))}, ")
    print(
        f"   pager {Counter(event['event_action'] for event in site.plant.pager.events)}, rows {dict(counts)}"
    )


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        (
            Moment.ARRIVED,
            "the admin server has not read it: the probe shows the primary, it is done once, then",
        ),
        (Moment.APPLIED, "it took effect and nobody heard: the probe shows the replica"),
        (Moment.ANSWERED, "answered to a daemon that is dead: the probe shows the replica"),
    ],
)
def test_killed_at_the_fail_over_call_it_fails_over_exactly_once(
    site: Site, moment: Moment, why: str
) -> None:
    first = site.start()
    site.plant.at(CALL, moment, crash(site, first))
    site.plant.broken = True
    assert first.wait() is None
    assert len(site.plant.did("failover")) == (0 if moment is Moment.ARRIVED else 1)
    site.start(ready=False)
    incident = wait_for("the incident ends", lambda: ended(site))
    said(site, f"call {moment}")
    assert incident.state == "resolved", why
    assert len(site.plant.did("failover")) == 1
    assert not site.plant.pager.pages


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        (Moment.ARRIVED, "the pager has not read it"),
        (Moment.APPLIED, "the pager has it, its 202 never left"),
        (Moment.ANSWERED, "the 202 is on its way to a daemon that is dead before it can mark the row"),
    ],
)
def test_killed_between_a_pager_s_answer_and_its_mark_the_page_arrives_once(
    site: Site, moment: Moment, why: str
) -> None:
    site.plant.mends = False
    site.config["heads_up"] = None
    first = site.start()
    site.plant.at(PAGER, moment, crash(site, first))
    site.plant.broken = True
    assert first.wait() is None, why
    site.start(ready=False)
    paged_then_mended(site, f"pager {moment}", duplicates=0 if moment is Moment.ARRIVED else 1)


def paged_then_mended(site: Site, point: str, *, duplicates: int) -> None:
    """The page arrives; once the fault is gone, so does its one resolve."""
    wait_for("the page arrives", lambda: site.plant.pager.pages)
    wait_for(
        "the page is marked",
        lambda: (
            (incident := site.incident())
            and any(row.state == "accepted" for row in site.deliveries(incident.id))
        ),
    )
    incident = site.incident()
    assert incident is not None
    assert incident.stepped_back
    site.plant.broken = False
    wait_for("the incident ends", lambda: ended(site))
    wait_for("the resolve arrives", lambda: not site.plant.pager.open)
    said(site, point)
    nothing_twice(site)
    one_alert(site, duplicates=duplicates)
