"""With the daemon dead, paused, doubled or without a store: what people can still see and do, and what it does itself."""

from __future__ import annotations

import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from daemon.incidents.events import Kind
from tests.fakes.living import Living, Site, pause, wait_for

pytestmark = pytest.mark.live
CALL = "/tiers/hot/failover"
DIRECT_KEY = "fleetmend/daemon/store"


def open_incident(site: Site) -> tuple[Living, str]:
    """A daemon that paged, stepped back and was killed."""
    site.plant.mends = False
    daemon = site.start()
    site.plant.broken = True
    wait_for("somebody is paged", lambda: site.plant.pager.pages)
    incident = site.incident()
    assert incident is not None
    wait_for("it is marked", lambda: all(row.state == "accepted" for row in site.deliveries(incident.id)))
    daemon.kill()
    return daemon, incident.id


def test_with_the_daemon_dead_the_store_answers_and_says_so(site: Site) -> None:
    _, incident = open_incident(site)
    dead = "the daemon is not running; this is the store as of "
    status = site.cli("status", "--json")
    assert (status.code, status.json["incidents"]["open"]) == (1, 1)
    assert dead in status.err
    shown = site.cli("incident", incident, "--json")
    assert (shown.code, shown.json["id"], shown.json["flags"]) == (0, incident, ["stepped_back"])
    assert {moment["kind"] for moment in shown.json["timeline"]} >= {
        "detected",
        "started",
        "ended",
        "verdict",
        "owed",
    }
    assert dead in shown.err
    explained = site.cli("explain", incident, "--json")
    assert explained.code == 0
    assert len(explained.json["gates"]) == 15
    assert dead in explained.err
    for words in (
        ["status"],
        ["incidents"],
        ["incident", incident],
        ["explain", incident],
        ["postmortem", incident],
    ):
        said = site.cli(*words)
        assert dead in said.err
        assert said.out.strip()


def test_a_daemon_that_may_not_be_asked_runs_all_the_same(site: Site) -> None:
    """Reading it over HTTP takes a token; that it lives is seen by its lock."""
    site.start()
    assert "not running" not in site.cli("status").out
    said = site.cli("status", "--json")
    assert said.json["leader"].endswith(f"/{site.started[0].pid}")
    assert said.json["last_cycle"]["at"] is None, "what only the loop knows is left out"


def test_an_order_to_a_dead_daemon_is_carried_out_when_it_starts(site: Site) -> None:
    _, incident = open_incident(site)
    said = site.cli("ack", incident, "--reason", "on it")
    assert said.code == 0
    assert "when it starts" in said.err
    site.start()
    wait_for("the ack is on the timeline", lambda: any(e.kind is Kind.ACKED for e in site.events(incident)))


def test_the_file_pauses_within_a_second_and_its_absence_lets_go(site: Site) -> None:
    site.config["playbooks"]["storage"]["guardrails"]["wait_up_to"] = "30s"
    daemon = site.start()
    site.switch.touch()
    wait_for(
        "it shows", lambda: any("exists" in why for why in daemon.ask("/api/v1/status").json["paused"]), 1.5
    )
    site.plant.broken = True
    incident = wait_for("the incident is tracked all the same", site.incident)
    wait_for("the refusal is recorded", lambda: any(e.kind is Kind.GATES for e in site.events(incident.id)))
    pause(1.0)
    assert site.plant.asked.count(CALL) == 0
    assert any(gate["name"] == "kill_switch" for gate in refused(site, incident.id))


def test_a_pause_stops_what_has_a_slot_but_has_not_acted(site: Site) -> None:
    """The permit is asked at the moment of acting: `pause` between decision and act means that nothing is sent."""
    daemon = site.start()
    said = site.cli("pause", "--reason", "hands off")
    assert said.code == 0
    wait_for("it is in force", lambda: daemon.ask("/api/v1/status").json["paused"], 2.0)
    site.plant.broken = True
    wait_for("the incident is tracked", site.incident)
    pause(1.5)
    assert not site.plant.did("failover")
    assert site.cli("unpause").code == 0


def test_sigusr1_pauses_within_a_second_and_sigusr2_lets_go(site: Site) -> None:
    daemon = site.start()
    daemon.signal(signal.SIGUSR1)
    wait_for("it is paused", lambda: daemon.ask("/api/v1/status").json["paused"], 1.5)
    daemon.signal(signal.SIGUSR2)
    wait_for("it is not", lambda: not daemon.ask("/api/v1/status").json["paused"], 1.5)


def test_the_api_pauses_within_a_second_and_each_reason_stands_for_itself(site: Site) -> None:
    daemon = site.start()
    for reason in ("hands off", "the network moves"):
        said = daemon.ask(
            "/api/v1/pauses", method="POST", role="operator", body={"reason": reason, "for": "1h"}
        )
        assert said.status == 202
    wait_for("both are in force", lambda: len(daemon.ask("/api/v1/status").json["paused"]) == 2, 1.5)
    held = daemon.ask("/api/v1/status").json["paused"]
    assert any("hands off" in why for why in held)
    assert any("the network moves" in why for why in held)


def refused(site: Site, incident: str) -> list[dict[str, object]]:
    gates: list[list[dict[str, object]]] = [
        e.data.get("gates", []) for e in site.events(incident) if e.kind is Kind.GATES
    ]
    return [gate for asked in gates for gate in asked if not gate["allowed"]]


def test_a_second_daemon_on_the_same_store_is_refused_by_name(site: Site) -> None:
    first = site.start()
    second = site.start(ready=False)
    assert second.wait(20.0) == 2
    assert f"process {first.pid}" in second.said()
    assert len(second.said().strip().splitlines()) == 1, "one sentence, no traceback"
    assert first.serves()


def test_a_daemon_that_another_one_follows_ends_and_does_not_look_well(site: Site) -> None:
    """Someone removed the lock file by hand: the second daemon leads, the first one ends with 1."""
    first = site.start()
    site.state.with_name(site.state.name + ".lock").unlink()
    second = site.start(ready=False)
    assert first.wait(20.0) == 1
    assert "lease" in first.said()
    second.kill()


def test_with_its_store_deleted_it_does_nothing_and_says_so(site: Site) -> None:
    daemon = site.start()
    site.state.unlink()
    site.plant.broken = True
    wait_for("a page goes out directly", lambda: direct(site, "trigger"), within=30)
    assert daemon.ask("/-/ready").status == 503
    assert daemon.ask("/api/v2/alerts", method="POST", role="operator", body=[alert()]).status == 503
    assert not site.plant.did("failover")
    daemon.kill()


def test_a_corrupt_store_is_a_clear_error_and_an_exit_code(site: Site) -> None:
    site.state.write_bytes(b"this is no database " * 500)
    daemon = site.start(ready=False)
    assert daemon.wait(20.0) == 1
    assert "store" in daemon.said()
    assert "corrupt" in daemon.said()
    assert "Traceback" not in daemon.said()
    (page,) = direct(site, "trigger")
    assert "cannot start" in str(page), "nobody watches, so somebody hears"
    for command in ("status", "incidents"):
        said = site.cli(command)
        assert said.code == 1
        assert "Traceback" not in said.err
        assert "corrupt" in said.err
    paused = site.cli("pause", "--reason", "the store is gone")
    assert paused.code == 0
    assert site.switch.exists(), "pause works without a store: by file"
    assert "the store is gone" in site.switch.read_text()


def test_a_folder_that_cannot_be_written_is_a_clear_error(site: Site) -> None:
    site.config["state"] = "sqlite:////proc/nowhere/state.db"
    daemon = site.start(ready=False)
    assert daemon.wait(20.0) == 1
    assert "Traceback" not in daemon.said()
    assert "/proc/nowhere" in daemon.said()
    assert not site.plant.pager.events, "a mistake of whoever starts it wakes nobody"


def test_a_port_that_is_taken_is_a_clear_error_and_nothing_runs_on(site: Site) -> None:
    site.config["listen"] = site.plant.url.removeprefix("http://")
    daemon = site.start(ready=False)
    assert daemon.wait(30.0) == 1
    assert "cannot listen on" in daemon.said()
    assert "Traceback" not in daemon.said()


def test_term_with_the_store_full_still_ends_the_daemon(site: Site) -> None:
    daemon = site.start()
    with full(daemon):
        site.plant.broken = True
        wait_for("a page goes out directly", lambda: direct(site, "trigger"), within=30)
        daemon.signal(signal.SIGTERM)
        daemon.wait(35.0)
    assert not site.plant.did("failover")
    site.start(ready=False)
    incident = wait_for("the next one mends it", lambda: (i := site.incident()) and i.ended and i, within=30)
    assert incident.state == "resolved"


def test_killed_with_the_store_full_the_next_one_says_that_it_is_over(site: Site) -> None:
    daemon = site.start()
    with full(daemon):
        site.plant.broken = True
        wait_for("a page goes out directly", lambda: direct(site, "trigger"), within=30)
        daemon.kill()
    assert not direct(site, "resolve")
    site.plant.broken = False
    site.start()
    wait_for("the next one says that it is over", lambda: direct(site, "resolve"), within=30)
    wait_for(
        "it is recorded",
        lambda: any(e.kind is Kind.SENT and "OVER" in e.text for e in site.events("-")),
    )
    pause(1.0)
    assert len(direct(site, "resolve")) == 1
    assert not [*site.state.parent.glob(f"{site.state.name}.told.*")]


def test_a_store_that_was_corrupt_and_is_replaced_ends_its_page(site: Site) -> None:
    site.state.write_bytes(b"this is no database " * 500)
    assert site.start(ready=False).wait(20.0) == 1
    assert len(direct(site, "trigger")) == 1
    site.state.unlink()
    site.start()
    wait_for("it says that it is over", lambda: direct(site, "resolve"), within=30)


def test_started_again_and_again_on_a_corrupt_store_it_pages_once(site: Site) -> None:
    """Its unit starts it every few seconds; not every channel knows a page again by its key."""
    site.state.write_bytes(b"this is no database " * 500)
    for _ in range(3):
        assert site.start(ready=False).wait(20.0) == 1
    assert len(direct(site, "trigger")) == 1


def test_a_store_that_was_deleted_under_it_is_paged_once_and_ended_by_the_next_daemon(site: Site) -> None:
    daemon = site.start()
    for file in site.state.parent.glob(f"{site.state.name}*"):
        if file.suffix != ".lock":
            file.unlink()
    site.plant.broken = True
    wait_for("a page goes out directly", lambda: direct(site, "trigger"), within=30)
    pause(1.0)
    assert len(direct(site, "trigger")) == 1
    assert not site.plant.did("failover"), "nothing may be done that cannot be written down"
    daemon.kill()
    site.start(ready=False)
    wait_for("the next one says that it is over", lambda: direct(site, "resolve"), within=30)
    assert len(direct(site, "trigger")) == 1


def test_pages_of_a_store_that_is_damaged_under_it_go_out_directly_once_a_channel(site: Site) -> None:
    site.config["escalation"]["default"][0]["notify"] = ["person:ana", "person:ben"]
    daemon = site.start()
    daemon.signal(signal.SIGSTOP)  # so that it keeps nothing in mind of what is damaged
    wait_for("its log is folded into the file", lambda: folded(site, daemon))
    size = site.state.stat().st_size
    with site.state.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    daemon.signal(signal.SIGCONT)
    site.plant.broken = True
    wait_for("one channel", lambda: direct(site, "trigger"), within=30)
    wait_for("and the other", lambda: hooked(site), within=30)
    pause(1.0)
    assert (len(direct(site, "trigger")), len(hooked(site))) == (1, 1)
    assert not site.plant.did("failover")


def folded(site: Site, daemon: Living) -> bool:
    """Whether it stands outside of a transaction; else it goes on for a moment."""
    with sqlite3.connect(site.state, timeout=0.2) as store:
        (busy, *_) = store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        daemon.signal(signal.SIGCONT)
        pause(0.05)
        daemon.signal(signal.SIGSTOP)
    return not busy


def hooked(site: Site) -> list[str]:
    """What the webhook was told about the store, repeats included."""
    return [
        body["data"]["headline"]
        for body in site.plant.receiver.taken.values()
        if body["type"] == "incident.trigger" and "store" in body["data"]["headline"]
    ]


def direct(site: Site, action: str) -> list[dict[str, object]]:
    return [
        e for e in site.plant.pager.events if e["dedup_key"] == DIRECT_KEY and e["event_action"] == action
    ]


def test_with_the_store_full_nothing_is_done_and_one_page_goes_out_directly(site: Site) -> None:
    daemon = site.start()
    pause(0.5)
    with full(daemon):
        site.plant.broken = True
        wait_for("a page goes out directly", lambda: direct(site, "trigger"), within=30)
        pause(3.0)
        assert not site.plant.did("failover"), "nothing may be done that cannot be written down"
        assert site.plant.asked.count(CALL) == 0
        (page,) = direct(site, "trigger")
        assert "store" in str(page["payload"])
        assert daemon.ask("/api/v2/alerts", method="POST", role="operator", body=[alert()]).status == 503
    wait_for("it says that it is over", lambda: direct(site, "resolve"), within=30)
    incident = wait_for(
        "it mends what is broken", lambda: (i := site.incident()) and i.ended and i, within=30
    )
    assert incident.state == "resolved"
    told = wait_for(
        "what was sent directly is recorded, its end included",
        lambda: len(sent := [e for e in site.events("-") if e.kind is Kind.SENT]) == 2 and sent,
    )
    assert all("directly" in event.text for event in told)
    assert any(event.data.get("what") == "store_sick" for event in site.events("-"))
    assert len(direct(site, "trigger")) == 1
    assert len(direct(site, "resolve")) == 1


@contextmanager
def full(daemon: Living) -> Iterator[None]:
    """Nothing more can be written to any file of this process: as with a disk without room."""
    everything = resource.RLIM_INFINITY
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, everything))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (everything, everything))


def alert() -> dict[str, object]:
    return {"labels": {"alertname": "StorageWriteErrors", "tier": "hot"}, "annotations": {}}
