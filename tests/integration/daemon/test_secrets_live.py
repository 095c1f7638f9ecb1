"""A secret appears nowhere: log, row, page, metric, web page, error, whatever repeats it to the daemon."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import pytest

from tests.fakes.living import Site, wait_for
from tests.fakes.ports import answer
from tests.fakes.smtp import Mailbox, mail_server

pytestmark = pytest.mark.live

CANARIES = {
    "SOURCE_TOKEN": "cnry-source-0a1b2c3d4e",
    "SOURCE_HEADER": "cnry/header+5f6g7h8i9j==",
    "ADMIN_HEADER": 'cnry"admin\\kK1lL2mM3nN4',
    "COMMAND_ENV": "cnry-command-oO5pP6qQ7rR8",
    "HOOK_URL_TOKEN": "cnry-hookpath-sS9tT0uU1vV2",
    "SIGNING": "cnry-signing-0123456789abcdef0123456789",
    "INBOX": "cnry-inbox-wW3xX4yY5zZ6",
    "SMTP_PASSWORD": "cnry-smtp-aA7bB8cC9dD0",
}
COMMAND = "import os, sys; print('token is', os.environ['TOKEN'], *sys.argv); sys.exit(3)"
PAGES = (
    "/",
    "/incidents",
    "/incidents/{id}",
    "/pages",
    "/debts",
    "/config",
    "/login",
    "/metrics",
    "/api/v1/openapi.json",
)
REST = ("status", "incidents", "incidents/{id}", "incidents/{id}/explain", "incidents/{id}/postmortem", "detectors",
        "playbooks", "pages", "debts", "config", "oncall")  # fmt: skip


@pytest.fixture
def box() -> Iterator[tuple[Mailbox, int]]:
    mailbox = Mailbox(users={"fleetmend": CANARIES["SMTP_PASSWORD"]})
    with mail_server(mailbox) as port:
        yield mailbox, port


def secretive(site: Site, port: int) -> None:
    """Secrets wherever the configuration takes them, and a plant that repeats all it is told."""
    url = site.plant.url
    site.environment |= {**CANARIES, "HOOK_URL": f"{url}/gone/{CANARIES['HOOK_URL_TOKEN']}"}
    config = site.config
    config["signing_keys"] = [{"env": "SIGNING"}]
    config["inbox"] = {"alertmanager": {"token": {"env": "INBOX"}}}
    config["telemetry"]["echo"] = {
        "type": "prometheus",
        "url": f"{url}/echo",
        "auth": {"bearer": {"env": "SOURCE_TOKEN"}},
        "headers": {"X-Scope": {"env": "SOURCE_HEADER"}},
    }
    config["detectors"]["other"] = {
        "failure_mode": "api_degradation",
        "source": "echo",
        "signal": {"gauge": {"of": "plant_other", "by": ["endpoint"]}},
        "fire": {"above": 1, "for": "1s"},
        "no_data": {"for": "1s"},
    }
    rung = config["playbooks"]["storage"]["ladder"][0]
    rung["do"]["http"]["headers"] = {"X-Admin-Token": {"env": "ADMIN_HEADER"}}
    command = {
        "name": "run-script",
        "kind": "cure",
        "do": {
            "command": {
                "argv": [sys.executable, "-c", COMMAND],
                "env": {"TOKEN": {"env": "COMMAND_ENV"}},
                "timeout": "5s",
            }
        },
        "verify": {"within": "2s", "hold": "0.5s"},
        "autonomy": "auto",
    }
    config["playbooks"]["storage"]["ladder"].append(command)
    config["channels"]["smtp"] = {
        "host": "127.0.0.1",
        "port": port,
        "from": "fleetmend@example.org",
        "username": "fleetmend",
        "password": {"env": "SMTP_PASSWORD"},
    }
    config["people"]["ana"]["channels"] += [{"email": "ana@example.org"}]
    config["people"]["ben"]["channels"] = [
        {"webhook": {"url": {"env": "HOOK_URL"}, "secret": {"env": "HOOK_SECRET"}}},
        {"email": "ben@example.org"},
    ]
    config["escalation"]["default"] = [{"level": "L1", "notify": ["person:ana", "person:ben"]}]
    site.plant.mends, site.plant.echoes = False, True
    site.plant.health["note"] = f"debug: {CANARIES['ADMIN_HEADER']} {CANARIES['COMMAND_ENV']}"


def forms(secret: str) -> set[str]:
    """The ways in which a value may turn up."""
    return {
        secret,
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode().rstrip("="),
        json.dumps(secret)[1:-1],
        secret.encode().hex(),
    }


def leaks(where: str, text: str, secrets: Mapping[str, str]) -> list[str]:
    return [
        f"{name} in {where}"
        for name, secret in secrets.items()
        if any(form in text for form in forms(secret))
    ]


def test_no_secret_is_in_anything_the_daemon_writes_sends_or_shows(
    site: Site, box: tuple[Mailbox, int]
) -> None:
    mailbox, port = box
    secretive(site, port)
    secrets = {**CANARIES, **{name: site.environment[name] for name in ("PD_ANA", "HOOK_SECRET", "HOOK_URL")}}
    site.plant.pager.script.append(
        answer(400, json.dumps({"errors": [f"routing key {secrets['PD_ANA']} is unknown"]}))
    )
    daemon = site.start(ready=False)
    wait_for("it serves", daemon.serves, within=40)
    site.plant.broken = True
    incident = wait_for("it gives up", lambda: (i := site.incident()) and i.stepped_back and i)
    wait_for("mail arrives in place of what was refused", lambda: len(mailbox.mails) >= 2, within=40)
    wait_for(
        "the blind source is said", lambda: site.incidents("blind") or site.incidents("blindness"), within=30
    )
    wrong = daemon.ask(
        "/api/v2/alerts",
        method="POST",
        role=None,
        body="{",
        headers={"Authorization": f"Bearer {CANARIES['INBOX']}"},
    )
    found: list[str] = []
    found += leaks("answer to malformed alerts", wrong.text, secrets)
    for path in PAGES:
        found += leaks(path, daemon.ask(path.format(id=incident.id), role="admin").text, secrets)
    for path in REST:
        shown = daemon.ask(f"/api/v1/{path.format(id=incident.id)}", role="admin")
        assert shown.status == 200, path
        found += leaks(path, shown.text, secrets)
    for words in (["status"], ["incidents"], ["incident", incident.id], ["explain", incident.id], ["report"],
                  ["postmortem", incident.id], ["check", str(site.file)], ["schema"]):  # fmt: skip
        said = site.cli(*words)
        found += leaks(" ".join(words), said.out + said.err, secrets)
    site.config["detectors"]["other"]["fire"]["above"] = "lots"
    site.config["detectors"]["other"]["headers"] = CANARIES["SOURCE_HEADER"]
    site.write()
    reloaded = daemon.ask("/-/reload", method="POST", role="admin")
    assert reloaded.status == 422
    found += leaks("refused reload", reloaded.text + daemon.ask("/api/v1/config", role="admin").text, secrets)
    events = [{**event, "routing_key": "-"} for event in site.plant.pager.events]
    found += leaks("pages to the pager", json.dumps(events), secrets)
    found += leaks("mail", "".join(raw.decode("utf-8", "replace") for raw in mailbox.raw), secrets)
    bodies = "".join(part.get_content() for mail in mailbox.mails if (part := mail.get_body(("plain",))))
    found += leaks("mail, decoded", bodies, secrets)
    daemon.kill()
    found += leaks("log", daemon.said(), secrets)
    rows = "".join(path.read_bytes().decode("latin-1") for path in site.folder.glob("state.db*"))
    found += leaks("store", rows, secrets)
    assert "token is ***" in rows, "the command did run, and its output was kept"
    assert "fleetmend" in rows
    assert not found, "\n".join(sorted(set(found)))
