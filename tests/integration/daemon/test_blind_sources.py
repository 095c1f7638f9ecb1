"""A source that lets nobody in, says too much or never ends blinds its detectors, says so, and leads to no action."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.guarded import Guarded, guarding
from tests.fakes.living import Living, Site, pause, wait_for

pytestmark = pytest.mark.live

TOKEN, WRONG = "s3cret-token-that-fits", "s3cret-token-of-before"


def watched(site: Site, source: str, metric: str, **section: Any) -> None:
    """A source of its own for a fault that is there from the beginning, and whose playbook would act at once."""
    site.config["telemetry"][source] = section
    site.config["detectors"][f"{source}-fault"] = {
        "failure_mode": "storage_failure",
        "source": source,
        "signal": {"gauge": {"of": metric, "by": ["tier"]}},
        "fire": {"above": 0.5, "for": "0.5s"},
        "clear": {"below": 0.5, "for": "0.5s"},
        "no_data": {"for": "1s"},
    }


def source_of(daemon: Living, name: str) -> dict[str, Any]:
    """As `status` shows it."""
    (found,) = (one for one in daemon.ask("/api/v1/status").json["sources"] if one["name"] == name)
    return dict(found)


def blind(site: Site, daemon: Living, name: str, reason: str) -> None:
    """It is down in `status`, with that reason on the overview, counted among its own metrics, and paged about."""
    wait_for(f"{name} is down", lambda: source_of(daemon, name)["state"] == "down")
    assert reason in daemon.ask("/").text
    assert daemon.metric("fleetmend_source_errors_total", source=name, reason="failed")
    wait_for(f"a page about {name}", lambda: any(name in page for page in site.plant.pager.pages))


def test_a_token_that_does_not_fit_blinds_and_does_nothing(site: Site) -> None:
    with guarding(Guarded(TOKEN, "fleet-eu", value=1.0)) as guarded:
        site.environment |= {"TOKEN": WRONG}
        watched(
            site,
            "guarded",
            "guarded_fault",
            type="prometheus",
            url=guarded.url,
            auth={"bearer": {"env": "TOKEN"}},
            headers={"X-Scope-OrgID": "fleet-eu"},
        )
        daemon = site.start()
        blind(site, daemon, "guarded", "HTTP 401")
        pause(1.0)
        assert guarded.refused > 3
        assert site.incidents() == []
        assert site.plant.effects == []
        assert any("HTTP 401" in page for page in site.plant.pager.pages)
        shown = daemon.said() + daemon.ask("/").text + "".join(site.plant.pager.pages)
        assert "s3cret" not in shown
        guarded.token = WRONG  # let in now: the fault is seen, and acted upon
        wait_for("it acts", lambda: site.plant.did("failover"))


def test_an_answer_over_its_bytes_or_its_time_blinds_and_does_nothing(site: Site) -> None:
    """A scrape of 2 MB where 1 MB are allowed; another that does not end within its second."""
    site.plant.broken = True
    site.config["limits"] = {"response": "1MB"}
    watched(site, "large", "plant_fault", type="scrape", targets=[f"{site.plant.url}/metrics"], every="0.25s", timeout="1s")  # fmt: skip
    watched(site, "slow", "plant_fault", type="scrape", targets=[f"{site.plant.url}/slow"], every="0.25s", timeout="1s")  # fmt: skip
    del site.config["telemetry"]["plant"], site.config["detectors"]["plant-fault"]
    site.plant.extra_metrics = "".join(f"plant_wide_{number}_of_many_more 1\n" for number in range(70_000))
    site.plant.stuck.add("/slow")
    daemon = site.start()
    blind(site, daemon, "large", "larger than 1000000 bytes")
    blind(site, daemon, "slow", "deadline")
    assert site.incidents() == []
    assert site.plant.effects == []
    site.plant.extra_metrics = ""
    wait_for("it acts", lambda: site.plant.did("failover"))
    assert source_of(daemon, "slow")["state"] == "down"
