"""A page as it was sent by a real daemon to a pager, a mailbox and a webhook; the documents of the same incident."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from daemon.clock import rfc3339
from tests.fakes.living import CLOCK, Site, wait_for
from tests.fakes.smtp import Mailbox, mail_server

pytestmark = pytest.mark.live
ADMIN = "/tiers/hot"


@dataclass
class Sent:
    """What three people got about one incident, and the incident."""

    pager: dict[str, Any]
    mail: str
    hook: dict[str, Any]
    incident: str

    @property
    def texts(self) -> dict[str, str]:
        """All that a person reads, by channel."""
        payload = self.pager["payload"]
        pager = "\n".join([payload["summary"], *map(str, payload["custom_details"].values())])
        data = self.hook["data"]
        return {"pagerduty": pager, "email": self.mail, "webhook": f"{data['headline']}\n{data['text']}"}


@pytest.fixture
def box() -> Iterator[tuple[Mailbox, int]]:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        yield mailbox, port


def three_people(site: Site, port: int) -> None:
    site.plant.mends = False
    site.environment["SIGNING"] = "0123456789abcdef0123456789abcdef"
    site.config["signing_keys"] = [{"env": "SIGNING"}]
    site.config["people"]["chloe"] = {
        "name": "Chloe",
        "timezone": "Europe/Paris",
        "channels": [{"email": "chloe@example.org"}],
    }
    site.config["channels"]["smtp"] = {"host": "127.0.0.1", "port": port, "from": "fleetmend@example.org"}
    site.config["escalation"]["default"] = [
        {"level": "L1", "notify": ["person:ana", "person:ben", "person:chloe"]},
        {"level": "L2", "after": {"critical": "15m"}, "notify": ["person:ben"]},
    ]
    rung = site.config["playbooks"]["storage"]["ladder"][0]
    rung["undo"] = {"http": {"method": "POST", "url": f"{site.plant.url}{ADMIN}/failback", "expect": "2xx"}}


@pytest.fixture
def sent(site: Site, box: tuple[Mailbox, int]) -> Sent:
    mailbox, port = box
    three_people(site, port)
    site.start()
    site.plant.broken = True
    wait_for(
        "all three are told", lambda: site.plant.pager.pages and mailbox.mails and site.plant.receiver.taken
    )
    incident = wait_for("the incident", site.incident)
    trigger = next(event for event in site.plant.pager.events if event["event_action"] == "trigger")
    hook = next(h for h in site.plant.receiver.taken.values() if h["type"] == "incident.trigger")
    mail = next(mail for mail in mailbox.mails if "L1" in mail["Subject"])
    body = mail.get_body(("plain",))
    assert body is not None
    return Sent(trigger, f"{mail['Subject']}\n{body.get_content()}", hook, incident.id)


CONTENT = [
    ("what broke", ["storage"]),
    ("where", ["hot"]),
    ("value and threshold", ["plant-fault", "0.5", "1"]),
    ("since when", ["since "]),
    ("impact", ["Impact: "]),
    ("what was tried", ["fail-over"]),
    ("with results", ["without effect", "answered 200"]),
    ("what is left behind", ["was undone"]),
    ("why it stopped", ["Why you: "]),
    ("still acting or stepped back", ["stepped back"]),
    ("who is told next and when", ["L2 at "]),
    ("how to acknowledge", ["fleetmend ack "]),
    ("who else was told", ["Ben"]),
]


def test_a_page_says_all_that_a_person_needs_on_every_channel(sent: Sent) -> None:
    for channel, text in sent.texts.items():
        for what, words in CONTENT:
            if what == "who else was told" and channel == "webhook":
                continue  # its reader is Ben
            missing = [word for word in words if word.lower() not in text.lower()]
            assert not missing, f"{channel}: {what}: {missing} not in\n{text}"
        assert sent.incident in text, channel
        assert "None" not in text, f"{channel}:\n{text}"
        assert "{{" not in text, f"{channel}:\n{text}"


def test_a_page_s_first_line_is_complete_on_a_lock_screen(sent: Sent) -> None:
    for line in (sent.pager["payload"]["summary"], sent.mail.splitlines()[0], sent.hook["data"]["headline"]):
        assert len(line) <= 120
        assert "CRIT L1" in line
        assert "hot" in line.lower()
        assert "fail-over" in line


def test_the_acknowledging_link_of_a_page_shows_on_a_look_and_acts_on_a_press(site: Site, sent: Sent) -> None:
    links = {link["text"]: link["href"] for link in sent.pager["links"]}
    address = links["Acknowledge"].removeprefix(f"http://127.0.0.1:{site.port}")
    daemon = site.started[0]
    assert daemon.ask(address, role=None).status == 200
    assert daemon.ask(f"/api/v1/incidents/{sent.incident}").json["escalation"]["acked_by"] is None
    assert daemon.ask(address, role=None, method="POST", form={}).status == 200
    acked = wait_for(
        "it is acknowledged",
        lambda: daemon.ask(f"/api/v1/incidents/{sent.incident}").json["escalation"]["acked_by"],
    )
    assert acked == "ana"
    wait_for(
        "the pager is told", lambda: site.plant.pager.open.get(sent.pager["dedup_key"]) == "acknowledged"
    )


def test_the_post_mortem_is_written_from_the_same_incident(site: Site, sent: Sent) -> None:
    site.plant.broken = False
    wait_for("it is over", lambda: (i := site.incident()) and i.ended)
    wait_for("the pager is told", lambda: not site.plant.pager.open)
    text = site.cli("postmortem", sent.incident).out
    for words in ("fail-over", "plant-fault", "hot", "Ana", "not recovered", "Timeline"):
        assert words in text, f"{words!r} not in\n{text}"
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 8
    assert site.started[0].ask(f"/api/v1/incidents/{sent.incident}/postmortem").status == 200


def test_a_refusal_is_explained_at_its_time_and_target(site: Site) -> None:
    site.config["playbooks"]["storage"]["ladder"][0]["require"] = "facts.health.body.replica_lag_s < 0"
    site.start()
    before = CLOCK.now()
    site.plant.broken = True
    incident = wait_for("it gives up", lambda: (i := site.incident()) and i.stepped_back and i)
    by_target = site.cli("explain", "--at", rfc3339(CLOCK.now()), "--target", "hot", "--json")
    assert by_target.code == 0, by_target.err
    explained = by_target.json
    assert explained["allowed"] is False
    assert explained["rung"] == "fail-over"
    assert len(explained["gates"]) == 15
    (refusing,) = [gate for gate in explained["gates"] if not gate["allowed"]]
    assert refusing["name"] == "require"
    assert "replica_lag_s" in refusing["reason"] or "replica_lag_s" in str(refusing["inputs"])
    assert site.cli("explain", incident.id, "--json").json["gates"] == explained["gates"]
    early = site.cli("explain", "--at", rfc3339(before - 3600), "--target", "hot")
    assert early.code == 1, early.out
    assert not site.plant.did("failover")
