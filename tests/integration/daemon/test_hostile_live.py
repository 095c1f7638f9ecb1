"""Hostile texts reach no shell, template, path, page or terminal, by whichever way they come in.

In: a label of a metric, a label and an annotation of an alert, a probe's answer, a change that is announced, a note, the
scope of a silence. Out: an action's address, words and data, a probe's address, pages by PagerDuty, webhook and mail, the
console, the API, the command line, the log, the daemon's own metrics, files.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.living import Living, Site, wait_for
from tests.fakes.smtp import Mailbox, mail_server

pytestmark = pytest.mark.live

MARK = "zq9"
"""In every hostile value, so that it is found again."""
HOSTILE = [
    f"{MARK}; touch pwned",
    f"$(touch {MARK}-pwned)",
    f"`touch {MARK}-pwned`",
    f"{MARK}{{{{ 7*7 }}}}",
    f"{MARK}{{% for x in y %}}",
    f"../../{MARK}",
    f"/etc/{MARK}",
    f"--{MARK}=force",
    f"{MARK}\r\nX-Admin: yes\r\nBcc: all@example.org",
    f'{MARK}","level":"error","message":"forged\n{{"message":"forged"}}',
    f"{MARK}\x1b[2J\x1b]0;owned\x07\x9b2J",
    f"{MARK}\u202egpj.exe\u2066\u200b\ufeff",
    f"{MARK}<script>alert(1)</script><img src=x onerror=alert(2)>",
    f"{MARK}\"'><svg onload=alert(3)>]]></title>",
    f"[{MARK}](javascript:alert(4)) <!channel> @everyone <https://evil.example|x>",
    f"{MARK}' OR '1'='1'; DROP TABLE incidents; --",
    f"{MARK} שלום 数据 Müller 🚒 ẍ́",
    f"{MARK}?admin=1#x%0d%0aX: y",
    f"{MARK}" + "x" * 10_000,
]
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HEALTHY = 60
"""Tiers that are well, so that the hostile ones are neither all nor a storm."""
LEAST = 12
"""Hostile tiers of which an incident has to stand before anything is looked at; a label may be refused whole."""
PAGES = ("/", "/detectors", "/playbooks", "/history", "/pages", "/debts", "/config")


@pytest.fixture
def box() -> Iterator[tuple[Mailbox, int]]:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        yield mailbox, port


def exposed(value: str) -> str:
    """A label's value as the text format has it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def under_attack(site: Site, port: int) -> None:
    """Every way in is open, and every rung and probe uses what comes in."""
    site.plant.extra_metrics = "".join(
        [f'plant_fault{{tier="{exposed(value)}"}} 1\n' for value in HOSTILE]
        + [f'plant_fault{{tier="well-{number}"}} 0\n' for number in range(HEALTHY)]
    )
    site.plant.mends = False
    site.plant.health |= {"words": HOSTILE, **{value: value for value in HOSTILE}}
    config = site.config
    config["storm"] = {"share": "100%", "modes": 6}
    config["limits"] = {"in_flight": 8}
    config["paging"] = {"alone": ["email"]}  # a mail for each; what else there is tells of many at once
    config["inbox"] = {"alertmanager": {"map": [
        {"match": {"alertname": "Hostile"}, "failure_mode": "api_degradation", "scope": ["endpoint"]}
    ]}}  # fmt: skip
    config["probes"]["fixed"] = {"http": {"url": f"{site.plant.url}/tiers/hot/health"}}
    rung = config["playbooks"]["storage"]["ladder"][0]
    rung.pop("require")
    rung["do"]["http"] |= {"url": f"{site.plant.url}/tiers/hot/notify", "json": {"tier": "{{ scope.tier }}"}}
    rung["on_interrupt"] = "rerun"
    shell = {"argv": ["/bin/echo", "{{ scope.endpoint }}"], "env": {"WHERE": "{{ scope.endpoint }}"}}
    config["playbooks"]["api"] = {
        "failure_mode": "api_degradation",
        "diagnose": {"health": {"probe": "fixed"}},
        "ladder": [{"name": "shell", "do": {"command": {**shell, "disruptive": False}}, "autonomy": "auto",
                    "verify": {"within": "2s", "hold": "0.5s"}}],
        "guardrails": {"blast_radius": {"max_scopes": 100}},
        "deadline": "60s",
    }  # fmt: skip
    config["playbooks"]["storage"]["guardrails"]["blast_radius"] = {"max_scopes": 100}
    config["channels"]["smtp"] = {"host": "127.0.0.1", "port": port, "from": "fleetmend@example.org"}
    people = config["people"]
    people["cyn"] = {"name": "Cyn", "channels": people["ben"]["channels"]}
    people["ben"] = {"name": "Ben", "channels": [{"email": "ben@example.org"}]}
    config["escalation"]["default"] = [{"level": "L1", "notify": [f"person:{name}" for name in people]}]


def post(daemon: Living) -> None:
    """What others send."""
    alerts = [
        {"labels": {"alertname": "Hostile", "endpoint": value[:900], MARK: value[:900]},
         "annotations": {"summary": value, value[:100]: value}}
        for value in HOSTILE
    ]  # fmt: skip
    assert daemon.ask("/api/v2/alerts", method="POST", role="operator", body=alerts).status == 200
    for value in HOSTILE:
        change = {"what": value[:400], "who": value[:150], "ref": value[:400], "scope": {"tier": value[:150]}}
        assert daemon.ask("/api/v1/changes", method="POST", role="operator", body=change).status < 500


class Page(HTMLParser):
    """Notes what of a page would run or be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.bad += [tag] if tag in {"img", "iframe", "object", "embed", "base"} else []
        self.bad += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        sources = [given[name] for name in ("src", "href", "action") if name in given]
        self.bad += [
            f"{tag} {value}" for value in sources if re.match(r"(?i)\s*(javascript|data|https?:)", value)
        ]
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.bad.append("script")


def web(daemon: Living, incidents: list[str]) -> list[str]:
    """What of the console would run, and what of the API is no JSON."""
    found = []
    for path in (*PAGES, *(f"/incidents/{name}{more}" for name in incidents for more in ("", "/postmortem"))):
        shown = daemon.ask(path, role="admin")
        assert shown.status == 200, path
        found += [
            f"{path}: {bad}" for bad in Page(shown.text).bad if daemon.ask("/", role=None).status or bad
        ]
    for path in ("status", "incidents", "detectors", "pages", *(f"incidents/{n}/explain" for n in incidents)):
        assert json.loads(daemon.ask(f"/api/v1/{path}", role="admin").body), path
    return found


def terminal(site: Site, incidents: list[str]) -> list[str]:
    """Where the command line would move a terminal, or set a text from right to left."""
    found = []
    for words in (["status"], ["incidents"], ["report"], ["check", str(site.file)],
                  *([verb, name] for name in incidents[:3] for verb in ("incident", "explain", "postmortem"))):  # fmt: skip
        said = site.cli(*words)
        found += [f"{' '.join(words)}: {hit!r}" for hit in CONTROL.findall(said.out + said.err)]
    return found


def log(daemon: Living) -> list[dict[str, Any]]:
    """Every line by itself is one event of ours."""
    lines = [json.loads(line) for line in daemon.said().splitlines()]
    assert all({"timestamp", "level", "service", "message"} <= line.keys() for line in lines)
    return lines


def test_no_hostile_text_reaches_a_shell_a_template_a_path_a_page_or_a_terminal(
    site: Site, box: tuple[Mailbox, int]
) -> None:
    mailbox, port = box
    under_attack(site, port)
    daemon = site.start()
    post(daemon)
    wait_for(
        "many are open",
        lambda: len(site.incidents()) >= LEAST and len(site.incidents("api_degradation")) >= LEAST,
    )
    wait_for(
        "and given up", lambda: all(i.stepped_back for i in site.incidents("api_degradation")), within=60
    )
    wait_for("and mailed", lambda: len(mailbox.mails) >= LEAST, within=60)
    names = [i.id for i in (*site.incidents()[:6], *site.incidents("api_degradation")[:6])]
    for name, value in zip(names, HOSTILE, strict=False):
        noted = daemon.ask(
            f"/api/v1/incidents/{name}/note", method="POST", role="operator", body={"text": value[:3000]}
        )
        assert noted.status < 500
        muted = {"scope": {"tier": value[:150]}, "reason": value[:400], "for": "1h"}
        assert daemon.ask("/api/v1/silence", method="POST", role="operator", body=muted).status < 500
    assert web(daemon, names) == []
    assert terminal(site, names) == []
    own = daemon.ask("/metrics", role=None).text
    assert [f.name for f in text_string_to_metric_families(own)]
    assert MARK not in own, "the number of its own series does not depend on others' labels"
    daemon.kill()
    assert not [line for line in log(daemon) if line["message"] == "forged"]
    called = {path for path in site.plant.asked if path.startswith("/tiers/")}
    assert called <= {
        "/tiers/hot/health",
        "/tiers/hot/notify",
        *(f"/tiers/well-{n}/health" for n in range(HEALTHY)),
    }
    assert all("X-Admin" not in headers for headers in site.plant.headers)
    assert not [path for path in (*site.folder.rglob("*"), *Path.cwd().glob("*")) if "pwned" in path.name]
    sent_out(site, mailbox)


def sent_out(site: Site, mailbox: Mailbox) -> None:
    """Pages are whole, have no header or mark of somebody else's, and say a value as it was written."""
    for mail in mailbox.mails:
        assert mail["To"] == "ben@example.org"
        assert mail["Bcc"] is None
        assert mail["X-Admin"] is None
        body = mail.get_body(("plain",))
        assert body is not None
        assert not CONTROL.search(body.get_content().replace("\r\n", "\n")), "nothing that moves a terminal"
        page = mail.get_body(("html",))
        assert page is None or "<script>alert" not in page.get_content()
    told = [json.dumps(one) for one in (*site.plant.receiver.taken.values(), *site.plant.pager.events)]
    assert any(MARK in one for one in told), "the hostile ones were told of"
    assert not any(
        CONTROL.search(text) for one in told for text in json.loads(one).values() if isinstance(text, str)
    )
    assert "49" not in {word for one in told for word in re.findall(rf"{MARK}(\d+)", html.unescape(one))}, (
        "7*7"
    )
