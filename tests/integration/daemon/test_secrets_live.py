"""A secret appears nowhere: where it is planted, in which form it is repeated, and where it is looked for (case B20).

Planted: environment and arguments of a program, its output and traceback, headers, addresses, a password, a file; a
provider's answers, an alert, a person's note. Looked for: log, rows, pages, metrics, web pages, reports, errors.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.fakes.leaking import ECHO, all_of, leaks
from tests.fakes.living import Living, Site, wait_for
from tests.fakes.ports import answer
from tests.fakes.smtp import Mailbox, mail_server

pytestmark = pytest.mark.live

CANARIES = {
    "SOURCE_TOKEN": "cnry-source-0a1b2c3d4e",
    "SOURCE_HEADER": "cnry/header+5f6g7h8i9j==",
    "ADMIN_HEADER": 'cnry"admin\\kK1lL2mM3nN4<&>',
    "COMMAND_ENV": "cnry-command-oO5pP6qQ7rR8?/+" + "s9T0" * 12,
    "HOOK_URL_TOKEN": "cnry-hookpath-sS9tT0uU1vV2",
    "SIGNING": "cnry-signing-0123456789abcdef0123456789",
    "INBOX": "cnry-inbox-wW3xX4yY5zZ6",
    "SMTP_PASSWORD": "cnry-smtp-aA7bB8cC9dD0",
}
KEY_LINES = ("cnryKEYline1qQwWeErRtTyY", "cnryKEYline2uUiIoOpPaAsS")
KEY_FILE = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(KEY_LINES) + "\n-----END PRIVATE KEY-----\n"
CHANGED = {"before": "cnry-former-dD1fF2gG3hH4", "after": "cnry-latter-jJ5kK6lL7zZ8"}
PAGES = (
    "/",
    "/incidents",
    "/incidents/{id}",
    "/incidents/{id}/postmortem",
    "/detectors",
    "/playbooks",
    "/history",
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
    key = site.folder / "key.pem"
    key.write_text(KEY_FILE)
    script = site.folder / "script.py"
    script.write_text(ECHO)
    command = {
        "name": "run-script",
        "kind": "cure",
        "do": {
            "command": {
                "argv": [sys.executable, str(script), "{{ facts.health.body.mode }}"],
                "env": {"TOKEN": {"env": "COMMAND_ENV"}, "KEY": {"file": str(key)}},
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
    told = " ".join(map(all_of, [*CANARIES.values(), *KEY_LINES]))
    site.plant.health |= {"note": f"debug: {told}", "mode": "fast", CANARIES["COMMAND_ENV"]: {"deep": [told]}}


def send(daemon: Living, site: Site, incident: str) -> list[str]:
    """What others post and people type has secrets in it; whether an answer repeats one."""
    told = {name: all_of(value) for name, value in CANARIES.items()}
    alerts = [
        {
            "labels": {"alertname": "Leak", "where": value},
            "annotations": {"summary": f"login as {value} failed", value: told[name]},
        }
        for name, value in CANARIES.items()
    ]
    bearer = {"Authorization": f"Bearer {CANARIES['INBOX']}"}
    found: list[str] = []
    for body in (alerts, [{"labels": CANARIES["SIGNING"]}], CANARIES["COMMAND_ENV"]):
        taken = daemon.ask("/api/v2/alerts", method="POST", role=None, body=body, headers=bearer)
        found += leaks(f"answer to an alert ({taken.status})", taken.text, CANARIES)
    noted = daemon.ask(
        f"/api/v1/incidents/{incident}/note",
        method="POST",
        role="operator",
        body={"text": told["COMMAND_ENV"]},
    )
    changed = daemon.ask(
        "/api/v1/changes",
        method="POST",
        role="operator",
        body={"what": f"rotated {CANARIES['SOURCE_TOKEN']}"},
    )
    assert (noted.status, changed.status) in {(200, 200), (202, 202), (200, 202), (202, 200), (201, 201)}, (
        noted.text
    )
    return found


def shown(daemon: Living, site: Site, incident: str, secrets: dict[str, str]) -> list[str]:
    """What the daemon and its commands show of it."""
    found: list[str] = []
    for path in PAGES:
        found += leaks(path, daemon.ask(path.format(id=incident), role="admin").text, secrets)
    for path in REST:
        answered = daemon.ask(f"/api/v1/{path.format(id=incident)}", role="admin")
        assert answered.status == 200, path
        found += leaks(path, answered.text, secrets)
    page = site.folder / "report.html"
    history = ["backtest", "--config", str(site.file), "--prometheus", f"{site.plant.url}/echo", "--start", "-1h",
               "--end", "now", "--report", str(page), "--no-cache"]  # fmt: skip
    for words in (["status"], ["incidents"], ["incident", incident], ["explain", incident], ["report"], ["debts"],
                  ["postmortem", incident], ["check", str(site.file)], ["check", str(site.file), "--live"], ["schema"],
                  history):  # fmt: skip
        said = site.cli(*words)
        found += leaks(" ".join(words[:2]), said.out + said.err, secrets)
    return found + (leaks("HTML report", page.read_text(), secrets) if page.exists() else [])


def refused(daemon: Living, site: Site, secrets: dict[str, str]) -> list[str]:
    """What is said of a configuration that cannot be used and has secrets where none belong."""
    site.config["detectors"]["other"]["fire"]["above"] = "lots"
    site.config["detectors"]["other"]["headers"] = CANARIES["SOURCE_HEADER"]
    site.write()
    reloaded = daemon.ask("/-/reload", method="POST", role="admin")
    assert reloaded.status == 422
    return leaks("refused reload", reloaded.text + daemon.ask("/api/v1/config", role="admin").text, secrets)


def left_behind(
    site: Site, daemon: Living, mailbox: Mailbox, secrets: dict[str, str]
) -> tuple[list[str], str]:
    """What went out, and what lies on the disk when it is gone; and the rows as text."""
    events = [{**event, "routing_key": "-"} for event in site.plant.pager.events]
    found = leaks("pages to the pager", json.dumps(events), secrets)
    found += leaks("mail", "".join(raw.decode("utf-8", "replace") for raw in mailbox.raw), secrets)
    bodies = "".join(part.get_content() for mail in mailbox.mails if (part := mail.get_body(("plain",))))
    found += leaks("mail, decoded", bodies, secrets)
    daemon.kill()
    found += leaks("log", daemon.said(), secrets)
    rows = "".join(path.read_bytes().decode("latin-1") for path in site.folder.glob("state.db*"))
    return found + leaks("store", rows, secrets), rows


def test_no_secret_is_in_anything_the_daemon_writes_sends_or_shows(
    site: Site, box: tuple[Mailbox, int]
) -> None:
    mailbox, port = box
    secretive(site, port)
    keys = {f"KEY_{number}": line for number, line in enumerate(KEY_LINES)}
    mine = ("PD_ANA", "HOOK_SECRET", "HOOK_URL")
    secrets = {**CANARIES, **keys, **{name: site.environment[name] for name in mine}}
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
    found = send(daemon, site, incident.id)
    found += shown(daemon, site, incident.id, secrets)
    found += refused(daemon, site, secrets)
    more, rows = left_behind(site, daemon, mailbox, secrets)
    assert "kept token is ***" in rows, "the command did run, and its output was kept"
    assert "cannot log in with ***" in rows, "and so was its traceback"
    assert "login as *** failed" in rows, "the alert was kept"
    assert not found + more, "\n".join(sorted({*found, *more}))


def reloaded(daemon: Living, times: int) -> bool:
    return len(daemon.lines("configuration loaded")) >= times


def test_a_secret_that_was_changed_by_a_reload_stays_secret(site: Site) -> None:
    """Answers under way, and whoever wrote it down, still repeat the old one."""
    file = site.folder / "token"
    file.write_text(CHANGED["before"])
    do: dict[str, Any] = site.config["playbooks"]["storage"]["ladder"][0]["do"]["http"]
    do["headers"] = {"X-Token": {"file": str(file)}}
    site.plant.mends, site.plant.health["note"] = False, " ".join(map(all_of, CHANGED.values()))
    daemon = site.start()
    for reloads in (1, 2):  # what is two configurations old is as secret
        file.write_text(CHANGED["after"])
        daemon.signal(signal.SIGHUP)
        wait_for("it was read", partial(reloaded, daemon, reloads))
    site.plant.broken = True
    wait_for("the old one was repeated", lambda: (i := site.incident()) and i.stepped_back)
    daemon.kill()
    rows = "".join(path.read_bytes().decode("latin-1") for path in site.folder.glob("state.db*"))
    assert "*** | ***" in rows, "the probe's answer was kept"
    assert not leaks("store", rows, CHANGED)
    assert not leaks("log", daemon.said(), CHANGED)
