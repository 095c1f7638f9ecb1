"""It bounds itself: floods of alerts, sources and actions that hang, memory."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.incidents.events import Kind
from tests.fakes.living import CLOCK, Living, Site, pause, wait_for
from tests.fakes.living_config import TOKENS

pytestmark = pytest.mark.live
CALL = "/tiers/hot/failover"
ALERTS, CONNECTIONS = 2_000, 32
RESIDENT = 180.0
"""MB, the bound the product sets itself."""


def post_alerts(daemon: Living, numbers: range) -> tuple[list[int], Counter[int]]:
    """One connection: an alert a request. Which were accepted, and all answers."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKENS['operator']}"}
    accepted: list[int] = []
    answers: Counter[int] = Counter()
    for number in numbers:
        labels = {
            "alertname": "Flood" if number % 2 else "Unknown",
            "tier": "hot",
            "instance": f"host-{number}",
        }
        body = json.dumps([{"labels": labels, "annotations": {"summary": f"alert {number}"}}])
        connection.request("POST", "/api/v2/alerts", body, headers)
        answer = connection.getresponse()
        answer.read()
        answers[answer.status] += 1
        if answer.status == 200:
            accepted.append(number)
    connection.close()
    return accepted, answers


def test_a_flood_of_alerts_is_durable_or_refused_and_memory_stays_bounded(site: Site) -> None:
    """Those that were answered 200 are rows even though the daemon is killed right after the last answer."""
    site.config["inbox"] = {
        "alertmanager": {
            "map": [{"match": {"alertname": "Flood"}, "failure_mode": "storage_failure", "scope": ["tier"]}]
        }
    }
    daemon = site.run()
    idle = daemon.resident()
    each = ALERTS // CONNECTIONS
    began = CLOCK.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        parts = list(
            pool.map(lambda n: post_alerts(daemon, range(n * each, (n + 1) * each)), range(CONNECTIONS))
        )
    took = CLOCK.monotonic() - began
    accepted = {number for numbers, _ in parts for number in numbers}
    answers = sum((answers for _, answers in parts), Counter[int]())
    flooded = daemon.resident()
    rate = sum(answers.values()) / took
    slowest = quantile(buckets(daemon), 0.99) * 1000
    print(f"{dict(answers)} in {took:.1f} s ({rate:.0f} a second); resident {idle:.0f} -> {flooded:.0f} MB; ")
    print(f"p99 of a step <= {slowest:.0f} ms")
    daemon.kill()
    assert set(answers) <= {200, 503}, answers
    assert answers[200] > ALERTS / 2
    with site.store() as store, store.read() as uow:
        rows = uow._tx._connection.exec_driver_sql("SELECT doc FROM alerts").all()
    kept = {int(json.loads(row[0])["labels"]["instance"].removeprefix("host-")) for row in rows}
    assert accepted <= kept, f"{len(accepted - kept)} were answered 200 and are lost"
    assert flooded < RESIDENT
    assert flooded - idle < 60
    again = site.start()
    wait_for("it works them off after the restart", lambda: new_alerts(site) == 0, within=30)
    assert len(site.incidents()) == 1
    assert again.serves()


def new_alerts(site: Site) -> int:
    with site.store() as store, store.read() as uow:
        return len(uow.inbox.new_alerts())


def buckets(daemon: Living) -> Counter[float]:
    """Upper bound (seconds) -> steps of the loop so far that took no longer, over all kinds of message."""
    found: Counter[float] = Counter()
    for line in daemon.ask("/metrics", role=None).text.splitlines():
        if line.startswith("fleetmend_cycle_seconds_bucket"):
            bound = line.split('le="', 1)[1].split('"', 1)[0]
            found[float(bound)] += int(float(line.rsplit(" ", 1)[1]))
    return found


def quantile(after: Counter[float], share: float, before: Counter[float] | None = None) -> float:
    """The bound under which this share of the steps between two looks stayed."""
    counts = {bound: after[bound] - (before or Counter())[bound] for bound in after}
    return min(bound for bound, count in counts.items() if count >= share * counts[float("inf")])


def test_a_source_that_hangs_does_not_hold_up_the_loop(site: Site) -> None:
    """Eight slots, and a second source whose every answer hangs until its deadline: the first is read on time."""
    site.config["telemetry"]["slow"] = {
        "type": "scrape",
        "targets": [f"{site.plant.url}/slow"],
        "every": "0.25s",
        "timeout": "20s",
    }
    site.config["detectors"]["slow"] = {
        "failure_mode": "api_degradation",
        "source": "slow",
        "signal": {"gauge": {"of": "plant_slow", "by": ["endpoint"]}},
        "fire": {"above": 1, "for": "1s"},
        "no_data": {"for": "2s"},
    }
    daemon = site.start()
    wait_for(
        "both are read", lambda: daemon.metric("fleetmend_source_age_seconds", source="slow") is not None
    )
    pause(0.5)
    site.plant.stuck.add("/slow")
    wait_for("it hangs", lambda: (daemon.metric("fleetmend_source_age_seconds", source="slow") or 0) > 1.5)
    before = buckets(daemon)
    site.plant.broken = True
    began = CLOCK.monotonic()
    wait_for("the fault is mended", lambda: (i := site.incident()) and i.state in {"recovered", "resolved"})
    took = CLOCK.monotonic() - began
    pause(2.0)
    tail = quantile(buckets(daemon), 0.99, before)
    print(f"mended after {took:.1f} s; p99 of a step <= {tail * 1000:.0f} ms")
    assert took < 12
    assert tail <= 1.0, "a step waited for a source"
    age = daemon.metric("fleetmend_source_age_seconds", source="plant")
    assert age is not None
    assert age < 2.0


def test_an_action_that_never_answers_is_given_up_and_the_probe_settles_it(site: Site) -> None:
    site.plant.silent.add(CALL)
    rung = site.config["playbooks"]["storage"]["ladder"][0]
    rung["do"]["http"]["timeout"] = "1s"
    site.start()
    site.plant.broken = True
    incident = wait_for("it ends", lambda: (i := site.incident()) and i.ended and i)
    assert (incident.state, incident.resolved_by) == ("resolved", "fail-over")
    assert len(site.plant.did("failover")) == 1
    (ended,) = [event for event in site.events(incident.id) if event.kind is Kind.ENDED]
    assert ended.data["outcome"] == "unknown"


def test_an_action_that_never_answers_and_cannot_be_probed_is_a_page(site: Site) -> None:
    site.plant.stuck.add(CALL)
    rung = site.config["playbooks"]["storage"]["ladder"][0]
    rung["do"]["http"]["timeout"] = "1s"
    rung["on_interrupt"] = "page"
    del rung["confirm"]
    site.start()
    site.plant.broken = True
    wait_for("somebody is paged", lambda: site.plant.pager.pages)
    incident = site.incident()
    assert incident is not None
    assert incident.stepped_back
    pause(1.0)
    assert site.plant.asked.count(CALL) == 1


def test_a_program_that_ignores_its_end_is_killed_and_leaves_nobody_behind(site: Site) -> None:
    script = "trap '' TERM; sleep 300 & sleep 300"
    site.config["playbooks"]["storage"]["ladder"] = [
        {
            "name": "run-script",
            "kind": "cure",
            "do": {"command": {"argv": ["/bin/sh", "-c", script, "fleetmend-test-hang"], "timeout": "1s"}},
            "verify": {"within": "2s", "hold": "0.5s"},
            "autonomy": "auto",
        }
    ]
    daemon = site.start()
    site.plant.broken = True
    wait_for("somebody is paged", lambda: site.plant.pager.pages, within=30)
    assert children_of(daemon) == []


def children_of(daemon: Living) -> list[str]:
    files = Path(f"/proc/{daemon.pid}/task").glob("*/children")
    return [pid for file in files for pid in file.read_text(encoding="ascii").split()]


def test_descriptors_do_not_grow_with_failing_fetches(site: Site) -> None:
    """Every fetch fails for a while, and every one leaves nothing open."""
    daemon = site.start()
    before = descriptors(daemon)
    site.config["telemetry"]["plant"]["targets"] = [f"{site.plant.url}/gone"]
    site.write()
    assert daemon.ask("/-/reload", method="POST", role="admin").status == 200
    pause(3.0)
    assert descriptors(daemon) <= before + 10


def descriptors(daemon: Living) -> int:
    return len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))
