"""A bad configuration never replaces a good one; a good one changes rules and nothing else."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.fakes.living import Living, Site, pause, wait_for

pytestmark = pytest.mark.live

FIVE = """\
version: 1
environment: test
autonomy: auto
state: sqlite:///{state}
listen: 127.0.0.1:{port}
pack: none
poll_intervall: 1s
telemetry:
  plant: {{type: scrape, targets: ["{url}/metrics"], every: soon}}
detectors:
  plant-fault:
    failure_mode: storage_failur
    signal: {{gauge: {{of: plant_fault, by: [tier]}}}}
    fire: {{above: lots, for: 1s}}
people:
  ana: {{name: Ana, channels: [{{pagerduty: {{routing_key: plain-text}}}}]}}
"""
WRONG = {7: "poll_intervall", 9: "every", 12: "failure_mode", 14: "above", 16: "routing_key"}


def break_the_file(site: Site) -> None:
    site.file.write_text(FIVE.format(state=site.state, port=site.port, url=site.plant.url))


def test_five_mistakes_are_five_located_lines_and_exit_2(site: Site) -> None:
    break_the_file(site)
    for command in ("check", "run"):
        said = site.cli(command, *([str(site.file)] if command == "check" else ["--config", str(site.file)]))
        assert said.code == 2
        found = {int(line): path for line, path in re.findall(rf"{site.file}:(\d+): ([^:]+): ", said.err)}
        assert len(said.err.strip().splitlines()) == 5, said.err
        assert found.keys() == WRONG.keys(), said.err
        assert all(word in found[line] for line, word in WRONG.items()), said.err
        assert "did you mean" in said.err or "poll_interval" in said.err


def test_sighup_with_a_broken_file_changes_nothing_and_says_what_is_wrong(site: Site) -> None:
    daemon = site.start()
    break_the_file(site)
    daemon.signal(signal.SIGHUP)
    refused = wait_for("the refusal shows", lambda: daemon.ask("/api/v1/config").json["refused"])
    assert len(refused) == 5
    assert all(f"{site.file}:{line}:" in " ".join(refused) for line in WRONG)
    assert daemon.lines("configuration refused")
    assert daemon.metric("fleetmend_config_reloads_total", result="refused") == 1
    assert daemon.ask("/-/reload", method="POST", role="admin").status == 422
    assert daemon.serves()
    assert daemon.ask("/api/v1/status").json["autonomy"] == "auto"
    site.plant.broken = True
    wait_for("the old rules still mend", lambda: (i := site.incident()) and i.state == "resolved")
    site.write()
    assert daemon.ask("/-/reload", method="POST", role="admin").status == 200
    wait_for("a good file takes the refusal away", lambda: not daemon.ask("/api/v1/config").json["refused"])


def rows(site: Site) -> tuple[list[tuple[str, str]], float | None, float | None]:
    incident = site.incident()
    assert incident is not None
    with site.store() as store, store.read() as uow:
        escalation = uow.escalations.get(incident.id)
    assert escalation is not None
    return (
        [(row.key, row.state) for row in site.deliveries(incident.id)],
        escalation.next_at,
        escalation.paged_at,
    )


def reload_by(daemon: Living, way: str, taken: int) -> None:
    if way == "signal":
        daemon.signal(signal.SIGHUP)
    else:
        assert daemon.ask("/-/reload", method="POST", role="admin").status == 200
    wait_for("it is taken", lambda: daemon.metric("fleetmend_config_reloads_total", result="taken") == taken)


def test_a_reload_in_an_incident_changes_no_clock_and_sends_no_page(site: Site) -> None:
    """Half of the reloads by signal, half by HTTP; one of them changes an unrelated rule."""
    site.plant.mends = False
    daemon = site.start()
    site.plant.broken = True
    wait_for("somebody is paged", lambda: site.plant.pager.pages)
    wait_for("it is marked", lambda: rows(site)[0] and all(state != "sending" for _, state in rows(site)[0]))
    before, events = rows(site), len(site.plant.pager.events)
    for count, way in enumerate(("signal", "http", "signal", "http"), 1):
        site.config["detectors"]["plant-fault"]["no_data"] = {"for": f"{60 + count}s"}
        site.write()
        reload_by(daemon, way, count)
    pause(1.0)
    assert rows(site) == before
    assert len(site.plant.pager.events) == events
    assert site.incident().stepped_back  # type: ignore[union-attr]  # it is there: `rows` saw it
    site.plant.broken = False
    wait_for("it ends once", lambda: not site.plant.pager.open)
    assert [event["event_action"] for event in site.plant.pager.events].count("resolve") == 1


def test_a_reload_while_an_action_is_under_way_keeps_the_run_and_its_hold(site: Site) -> None:
    daemon = site.start()
    site.plant.stuck.add("/tiers/hot/failover")
    site.plant.broken = True
    wait_for("the action is under way", lambda: "/tiers/hot/failover" in site.plant.asked)
    site.config["environment"] = "changed"
    site.write()
    reload_by(daemon, "signal", 1)
    site.plant.release()
    incident = wait_for("it ends", lambda: (i := site.incident()) and i.ended and i)
    assert (incident.state, incident.resolved_by) == ("resolved", "fail-over")
    assert len(site.plant.did("failover")) == 1
    assert daemon.ask("/api/v1/status").status == 200


def test_a_pending_finding_goes_on_counting_through_a_reload(site: Site) -> None:
    """A hold of 3 s with a reload in its middle fires after 3 s, not after 3 s from the reload."""
    site.config["detectors"]["plant-fault"]["fire"]["for"] = "3s"
    site.config["autonomy"] = "observe"
    daemon = site.start()
    site.plant.broken = True
    wait_for("it is pending", lambda: "pending" in daemon.ask("/api/v1/detectors").text)
    pause(1.5)
    reload_by(daemon, "signal", 1)
    incident = wait_for("it fires", site.incident)
    assert 2.5 <= incident.detected_at - incident.began_at <= 4.2, json.dumps(
        {"began": incident.began_at, "detected": incident.detected_at}
    )


def test_a_reload_leaves_no_thread_behind(site: Site) -> None:
    daemon = site.start()
    reload_by(daemon, "http", 1)
    before = threads(daemon)
    for count in range(2, 12):
        reload_by(daemon, "http", count)
    pause(0.5)
    assert threads(daemon) <= before + 2


def threads(daemon: Living) -> int:
    text = Path(f"/proc/{daemon.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Threads:"))
