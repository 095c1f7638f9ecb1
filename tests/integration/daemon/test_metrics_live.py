"""The running daemon's own metrics say what is true, and its own bounds are incidents with a page."""

from __future__ import annotations

import pytest

from tests.fakes.living import Site, wait_for

pytestmark = pytest.mark.live


def test_the_metrics_of_a_running_daemon_say_what_is_true(site: Site) -> None:
    site.plant.mends = False
    daemon = site.start()
    wait_for("they are set", lambda: daemon.metric("fleetmend_series", source="plant"))
    for pool in ("sources", "hands", "posts"):
        assert daemon.metric("fleetmend_worker_slots", pool=pool, state="free") is not None
        assert daemon.metric("fleetmend_worker_slots", pool=pool, state="abandoned") == 0
    assert daemon.metric("fleetmend_leader") == 1
    assert daemon.metric("fleetmend_autonomy", level="auto") == 1
    assert daemon.metric("fleetmend_autonomy", level="observe") == 0
    assert daemon.metric("fleetmend_paused") == 0
    assert daemon.metric("fleetmend_items_parked") == 0
    assert daemon.metric("fleetmend_queue_depth", queue="inbox") is not None
    assert daemon.metric("fleetmend_queue_depth", queue="recorder") == 0
    assert daemon.metric("fleetmend_source_age_seconds", source="plant") < 3  # type: ignore[operator]  # it is there
    assert daemon.metric("fleetmend_series", source="plant") >= 1  # type: ignore[operator]  # it is there
    assert daemon.metric("fleetmend_detectors_firing", detector="plant-fault") == 0
    site.plant.broken = True
    state = {"failure_mode": "storage_failure", "state": "open"}
    wait_for("the incident counts", lambda: daemon.metric("fleetmend_incidents", **state) == 1)
    wait_for(
        "the detector counts",
        lambda: daemon.metric("fleetmend_detectors_firing", detector="plant-fault") == 1,
    )
    wait_for("the page is sent", lambda: site.plant.pager.pages)
    accepted = {"channel": "pagerduty", "receipt": "ok"}
    wait_for("its receipt counts", lambda: daemon.metric("fleetmend_deliveries_total", **accepted))
    outcome = {"playbook": "storage", "rung": "fail-over", "outcome": "done"}
    assert daemon.metric("fleetmend_actions_total", **outcome) == 1
    assert daemon.metric("fleetmend_store_transaction_seconds_count")
    site.switch.touch()
    wait_for("the pause counts", lambda: daemon.metric("fleetmend_paused") == 1)
    site.plant.broken = False
    wait_for(
        "the series goes with its incident", lambda: daemon.metric("fleetmend_incidents", **state) is None
    )


def test_a_page_that_cannot_be_sent_shows_as_owed(site: Site) -> None:
    site.plant.mends, site.plant.pager_down = False, True
    daemon = site.start()
    site.plant.broken = True
    owed = {"channel": "pagerduty", "state": "owed"}
    wait_for("it is owed", lambda: daemon.metric("fleetmend_pages", **owed))
    assert daemon.metric("fleetmend_deliveries_total", channel="pagerduty", receipt="temporary")
    site.plant.pager_down = False
    wait_for("it arrives", lambda: site.plant.pager.pages, within=30)
    wait_for("it is owed no more", lambda: daemon.metric("fleetmend_pages", **owed) is None)


def test_series_beyond_the_limit_are_said_in_metric_log_and_page(site: Site) -> None:
    site.config["limits"] = {"series": 50}
    site.config["detectors"]["wide"] = {
        "failure_mode": "data_quality",
        "signal": {"gauge": {"of": "plant_wide", "by": ["tier"]}},
        "fire": {"above": 10, "for": "1s"},
        "no_data": {"for": "60s"},
    }
    site.plant.extra_metrics = wide(500)
    daemon = site.start()
    wait_for("the page about itself", lambda: site.plant.pager.pages)
    assert "series" in site.plant.pager.pages[0]
    wait_for("it is counted", lambda: (daemon.metric("fleetmend_series_dropped", source="plant") or 0) > 400)
    assert daemon.metric("fleetmend_notices", kind="series_limit", name="plant") == 1
    assert len(daemon.lines("detection noticed")) == 1
    (incident,) = site.incidents("daemon")
    assert incident.state == "open"
    assert len(site.plant.pager.pages) == 1


def wide(count: int) -> str:
    return "".join(f'plant_wide{{tier="hot",n="{number}"}} 1\n' for number in range(count))
