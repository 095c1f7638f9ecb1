"""What people order of a running daemon by command line, REST and console, and who may."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import SimpleCookie

import pytest

from daemon.incidents.events import Kind
from tests.fakes.living import Answer, Living, Site, pause, wait_for
from tests.fakes.living_config import TOKENS

pytestmark = pytest.mark.live


class Browser:
    """Keeps cookies, sends forms with the hidden field of the page they are on."""

    def __init__(self, daemon: Living) -> None:
        self._daemon = daemon
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> str:
        return self._ask(path).text

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        return self._ask(path, method="POST", form=fields, headers=headers)

    def log_in(self, role: str) -> None:
        fields = {"csrf": hidden(self.get("/login")), "token": TOKENS[role], "back": "/"}
        assert self.post("/login", fields).status == 303

    def _ask(self, path: str, **sent: object) -> Answer:
        headers = dict(sent.pop("headers", None) or {})  # type: ignore[call-overload]  # a dict of texts or nothing
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if cookie:
            headers["Cookie"] = cookie
        answer = self._daemon.ask(path, role=None, headers=headers, **sent)  # type: ignore[arg-type]  # named as there
        found = SimpleCookie(answer.headers.get("set-cookie", ""))
        self._cookies |= {name: morsel.value for name, morsel in found.items()}
        return answer


def hidden(page: str) -> str:
    return page.split('name="csrf" value="', 1)[1].split('"', 1)[0]


def by_command(site: Site, kind: str, incident: str) -> None:
    said = site.cli(kind, incident, *([] if kind == "approve" else ["--reason", "too late in the day"]))
    assert said.code == 0, said.err


def by_rest(site: Site, kind: str, incident: str) -> None:
    path = f"/api/v1/incidents/{incident}/{kind}"
    body = {} if kind == "approve" else {"reason": "too late in the day"}
    daemon = site.started[0]
    assert daemon.ask(path, method="POST", role=None, body=body).status == 401
    assert daemon.ask(path, method="POST", role="viewer", body=body).status == 403
    assert daemon.ask(path, method="POST", role="operator", body=body).status == 202


def by_form(site: Site, kind: str, incident: str) -> None:
    fields = {"incident": incident, "back": f"/incidents/{incident}"}
    if kind != "approve":
        fields["reason"] = "too late in the day"
    watching = Browser(site.started[0])
    watching.log_in("viewer")
    token = hidden(watching.get("/"))
    assert watching.post(f"/orders/{kind}", {**fields, "csrf": token}).status == 403, (
        "a viewer orders nothing"
    )
    acting = Browser(site.started[0])
    acting.log_in("operator")
    page = acting.get(f"/incidents/{incident}")
    assert f'action="/orders/{kind}"' in page, "the console offers it"
    assert acting.post(f"/orders/{kind}", {**fields, "csrf": token}).status == 403, "somebody else's form"
    assert acting.post(f"/orders/{kind}", fields).status == 403, "no form token"
    own = {**fields, "csrf": hidden(page)}
    assert acting.post(f"/orders/{kind}", own, Origin="https://evil.example").status == 403
    assert acting.post(f"/orders/{kind}", own).status == 303


WAYS = {"command": by_command, "rest": by_rest, "form": by_form}


def proposed(site: Site) -> str:
    """A running daemon that proposes its rung; the incident."""
    site.config["playbooks"]["storage"]["ladder"][0]["autonomy"] = "propose"
    site.start()
    site.plant.broken = True
    wait_for("the proposal is paged", lambda: site.plant.pager.pages)
    assert "proposed" in site.plant.pager.events[0]["payload"]["summary"].lower() + str(
        site.plant.pager.events[0]
    )
    incident = site.incident()
    assert incident is not None
    assert not site.plant.did("failover")
    return incident.id


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_proposal_that_is_approved_is_carried_out_once(
    site: Site, way: Callable[[Site, str, str], None]
) -> None:
    incident = proposed(site)
    way(site, "approve", incident)
    wait_for("it is mended", lambda: (i := site.incident()) and i.state == "resolved")
    assert len(site.plant.did("failover")) == 1
    (approval,) = [event for event in site.events(incident) if event.kind is Kind.APPROVED]
    assert approval.data["by"]
    assert not site.plant.pager.open or wait_for("the page is resolved", lambda: not site.plant.pager.open)


@pytest.mark.parametrize("way", [by_command, by_form])
def test_a_proposal_that_is_rejected_is_never_carried_out(
    site: Site, way: Callable[[Site, str, str], None]
) -> None:
    incident = proposed(site)
    way(site, "reject", incident)
    wait_for("it steps back", lambda: (i := site.incident()) and i.stepped_back)
    pause(1.0)
    assert not site.plant.did("failover")
    (rejection,) = [event for event in site.events(incident) if event.kind is Kind.REJECTED]
    assert "too late in the day" in rejection.text


def test_an_acknowledgement_stops_reminders_and_not_the_clock(site: Site) -> None:
    site.plant.mends = False
    site.config["remind"] = {"critical": "1s"}
    site.config["escalation"]["default"][1]["after"] = {"critical": "7s"}
    daemon = site.start()
    site.plant.broken = True
    wait_for("reminded twice", lambda: len(triggers(site)) >= 3)
    incident = site.incident()
    assert incident is not None
    assert site.cli("ack", incident.id).code == 0
    wait_for(
        "it shows", lambda: daemon.ask(f"/api/v1/incidents/{incident.id}").json["escalation"]["acked_by"]
    )
    pause(0.3)
    sent = len(triggers(site))
    assert len({event["dedup_key"] for event in triggers(site)}) == 1
    wait_for("L2 is told all the same", lambda: site.plant.receiver.taken)
    assert len(triggers(site)) == sent, "no reminder after the acknowledgement"
    assert daemon.ask(f"/api/v1/incidents/{incident.id}").json["escalation"]["level"] == 2


def test_a_person_hands_the_wheel_back_and_the_ladder_is_climbed_anew(site: Site) -> None:
    site.plant.mends = False
    site.start()
    site.plant.broken = True
    incident = wait_for("it steps back", lambda: (i := site.incident()) and i.stepped_back and i)
    assert len(site.plant.did("failover")) == 1
    site.plant.mends = True
    pause(1.2)
    assert len(site.plant.did("failover")) == 1, "a page starts no new rung"
    assert site.cli("resume", incident.id).code == 0
    wait_for("it is mended", lambda: (i := site.incident()) and i.state == "resolved")
    first, second = site.plant.did("failover")
    assert first.key != second.key


def test_an_order_that_makes_no_sense_is_refused_in_words(site: Site) -> None:
    daemon = site.start()
    assert site.cli("approve", "sf-nothere").code == 1
    answer = daemon.ask("/api/v1/incidents/sf-nothere/ack", method="POST", role="operator", body={})
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert daemon.ask("/api/v1/pauses", method="POST", role="operator", body={"for": "soon"}).status == 422
    assert site.cli("silence", "--scope", "tier=hot").code in {1, 2}


def triggers(site: Site) -> list[dict[str, object]]:
    return [event for event in site.plant.pager.events if event["event_action"] == "trigger"]
