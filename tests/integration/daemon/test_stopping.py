"""How a daemon ends: TERM waits for what is under way and records it; a second TERM waits for nothing."""

from __future__ import annotations

import signal
import socket

import pytest

from daemon.incidents.records import Attempt
from tests.fakes.living import CLOCK, Site, pause, wait_for

pytestmark = pytest.mark.live
CALL = "/tiers/hot/failover"


def attempts(site: Site) -> list[Attempt]:
    incident = site.incident()
    if incident is None:
        return []
    with site.store() as store, store.read() as uow:
        return list(uow.attempts.of(incident.id))


def test_term_in_the_middle_of_an_action_waits_for_it_and_records_it(site: Site) -> None:
    daemon = site.start()
    site.plant.stuck.add(CALL)
    site.plant.broken = True
    wait_for("the action is under way", lambda: CALL in site.plant.asked)
    daemon.signal(signal.SIGTERM)
    wait_for("it is not ready any more", lambda: daemon.ask("/-/ready", role=None).status == 503)
    assert daemon.ask("/api/v2/alerts", method="POST", role="operator", body=[alert()]).status == 503
    assert not daemon.gone(0.3), "it did not wait for its hands"
    site.plant.release()
    assert daemon.wait(25.0) == 0
    (attempt,) = attempts(site)
    assert attempt.outcome == "done"
    assert len(site.plant.did("failover")) == 1
    site.start(ready=False)
    incident = wait_for("it is verified after the restart", lambda: (i := site.incident()) and i.ended and i)
    assert incident.state == "resolved"
    assert len(site.plant.did("failover")) == 1


def test_a_second_term_exits_at_once_and_the_action_is_settled_after_the_restart(site: Site) -> None:
    daemon = site.start()
    site.plant.stuck.add(CALL)
    site.plant.broken = True
    wait_for("the action is under way", lambda: CALL in site.plant.asked)
    daemon.signal(signal.SIGTERM)
    wait_for("it drains", lambda: daemon.lines("daemon stopping"))
    before = CLOCK.monotonic()
    daemon.signal(signal.SIGTERM)
    daemon.wait(10.0)
    assert CLOCK.monotonic() - before < 10.0, "hands have 20 s"
    assert attempts(site)[0].outcome is None
    site.plant.release()
    wait_for("the call took effect", lambda: site.plant.did("failover"))
    site.start(ready=False)
    incident = wait_for("it ends", lambda: (i := site.incident()) and i.ended and i)
    assert incident.state == "resolved"
    assert len(site.plant.did("failover")) == 1


def test_no_new_action_begins_while_it_drains(site: Site) -> None:
    site.plant.stuck.add(CALL)
    daemon = site.start()
    site.plant.broken = True
    wait_for("the action is under way", lambda: CALL in site.plant.asked)
    daemon.signal(signal.SIGTERM)
    pause(0.5)
    site.plant.refuses = True
    site.plant.release()
    assert daemon.wait(25.0) == 0
    assert [attempt.outcome for attempt in attempts(site)] == ["failed"]
    assert site.plant.asked.count(CALL) == 1


def test_a_page_that_is_owed_goes_out_before_it_stops(site: Site) -> None:
    site.plant.mends = False
    site.config["playbooks"]["storage"]["ladder"][0]["verify"] = {"within": "1s", "hold": "0.2s"}
    daemon = site.start()
    site.plant.stuck.add("/v2/enqueue")
    site.plant.broken = True
    wait_for("the page is being sent", lambda: "/v2/enqueue" in site.plant.asked)
    daemon.signal(signal.SIGTERM)
    pause(0.3)
    site.plant.release()
    assert daemon.wait(25.0) == 0
    incident = site.incident()
    assert incident is not None
    assert [row.state for row in site.deliveries(incident.id) if row.event == "trigger"] == ["accepted"]


def alert() -> dict[str, object]:
    return {"labels": {"alertname": "StorageWriteErrors", "tier": "hot"}, "annotations": {}}


def test_systemd_hears_that_it_serves_that_its_loop_lives_and_that_it_stops(site: Site) -> None:
    """A process whose loop hangs says nothing any more, and is restarted."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(site.folder / "notify"))
        ear.settimeout(20.0)
        site.environment |= {"NOTIFY_SOCKET": str(site.folder / "notify"), "WATCHDOG_USEC": "3000000"}
        daemon = site.start()
        first = {ear.recv(100) for _ in range(3)}
        assert first == {b"READY=1", b"WATCHDOG=1"}
        daemon.signal(signal.SIGTERM)
        assert daemon.wait(25.0) == 0
        ear.setblocking(False)
        last = []
        while (said := _heard(ear)) is not None:
            last.append(said)
        assert b"STOPPING=1" in last


def _heard(ear: socket.socket) -> bytes | None:
    try:
        return ear.recv(100)
    except BlockingIOError:
        return None
