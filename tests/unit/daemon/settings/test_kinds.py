"""Kinds of mistake that `check` has to find, each where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.problems import ConfigError, Problem
from daemon.settings.load import load
from tests.unit.daemon.settings.fixed import Given

WHOLE = Path(__file__).with_name("whole.yaml")


def found(tmp_path: Path, text: str) -> list[Problem]:
    over = tmp_path / "over.yaml"
    over.write_text(text, encoding="utf-8")
    try:
        return load([WHOLE, over], environment=Given()).problems
    except ConfigError as error:
        return [*error.errors]


PROBE = "probes: {{health: {{http: {{url: {url}}}, ok: {ok}}}}}"
RUNG = "playbooks: {hot: {ladder: [{name: a, %s}]}}"
DO = "do: {http: {url: 'http://a/x'}}"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        # names
        (PROBE.format(url='"http://x/{{ nope }}"', ok='"true"'), "probes.health.http.url", "'nope'"),
        (PROBE.format(url='"http://x/"', ok='"statsu == 200"'), "probes.health.ok", "'status'"),
        (PROBE.format(url='"http://x/"', ok='"status ~ cycler"'), "probes.health.ok", "'cycler'"),
        (PROBE.format(url='"http://x/{{ scope.nope }}"', ok='"true"'), "probes.health.http.url", "scope.nope"),
        (RUNG % f"when: facts.zzz.ok and foo, {DO}", "playbooks.hot.ladder[0].when", "facts.zzz"),
        (RUNG % f"when: foo, {DO}", "playbooks.hot.ladder[0].when", "'foo'"),
        (RUNG % "do: {http: {url: 'http://a/{{ bar }}'}}", "playbooks.hot.ladder[0].do.http.url", "'bar'"),
        (RUNG % "do: {http: {url: 'http://a/{{ vars.b }}'}}", "playbooks.hot.ladder[0].do.http.url", "vars.b"),
        (RUNG % "do: {http: {url: 'http://a/', expect: zzz}}", "playbooks.hot.ladder[0].do.http.expect", "'zzz'"),
        # what cannot work
        ("state: 'mysql://h/d'", "state", "mysql"),
        ("state: ''", "state", "not the address"),
        ("state: x.db", "state", "not the address"),
        ("state: ':memory:'", "state", "not the address"),
        ("state: 'sqlite:///'", "state", "no file"),
        ("state: 'sqlite://'", "state", "no file"),
        ("telemetry: {main: {url: zzz}}", "telemetry.main.url", "zzz"),
        ("telemetry: {e: {type: scrape, targets: ['ftp://x']}}", "telemetry.e.targets[0]", "ftp"),
        ("telemetry: {e: {type: scrape, targets: ['']}}", "telemetry.e.targets[0]", "http"),
        (PROBE.format(url='""', ok='"true"'), "probes.health.http.url", "http"),
        (PROBE.format(url='"file:///etc/passwd"', ok='"true"'), "probes.health.http.url", "file"),
        ('telemetry: {main: {headers: {a: "b\\r\\nc: d"}}}', "telemetry.main.headers.a", "line end"),
        ("listen: 'a b:80'", "listen", "HOST:PORT"),
        ("public_url: 'javascript:alert(1)'", "public_url", "javascript"),
        ("version: true", "version", "expected 1"),
        ("kill_switch: ''", "kill_switch", "path of a file"),
        (RUNG % "do: {http: {url: 'http://a/', expect: []}}", "playbooks.hot.ladder[0].do.http.expect", "expected"),
        (RUNG % 'do: {command: {argv: [""]}}', "playbooks.hot.ladder[0].do.command.argv", "no program"),
        ("detectors: {writes: {corroborate: {any: [{detector: writes, is: firing}]}}}",
         "detectors.writes.corroborate.any[0].detector", "itself"),
        # passwords
        ("telemetry: {main: {url: 'http://uu:secretpw@h:1'}}", "telemetry.main.url", "password"),
        ("vars: {a: {b: 'https://uu:secretpw@h'}}", "vars.a.b", "password"),
        ("state: 'postgresql://uu:secretpw@h/d'", "state", "password"),
        ("poll_interval: 'http://uu:secretpw@h'", "poll_interval", "length of time"),
        # floods
        ("remind: {critical: 0s}", "remind.critical", "floods"),
        ('escalation: {default: [{level: L1, notify: ["person:ana"], repeat: {critical: 0s}}]}',
         "escalation.default[0].repeat.critical", "floods"),
        ("remind: {critical: 5s}", "remind.critical", "faster than people"),
        ("state: postgresql://h/d", "state", "later release"),
        # broken values
        ("inventory: {provider: true}", "inventory.provider", "expected a text"),
        ("inbox: {alertmanager: {map: [{match: {alertname: true}, failure_mode: data_quality}]}}",
         "inbox.alertmanager.map[0].match.alertname", "expected a text"),
        ("inbox: {alertmanager: {map: [{match: {a: {re: '(x+x+)+y'}}, failure_mode: data_quality}]}}",
         "inbox.alertmanager.map[0].match.a", "for ever"),
    ],
)  # fmt: skip
def test_the_mistake_is_told_at_its_place(tmp_path: Path, text: str, path: str, words: str) -> None:
    problems = [problem for problem in found(tmp_path, text) if problem.path == path]
    told = " ".join(map(str, problems))
    assert words in told, told
    assert "secretpw" not in told
    assert all(problem.hint for problem in problems)
    assert problems[0].line == 1


def test_the_whole_example_has_no_error(tmp_path: Path) -> None:
    assert not [problem for problem in found(tmp_path, "{}") if problem.severity == "error"]


def test_the_address_of_the_store_may_come_from_the_environment(tmp_path: Path) -> None:
    over = tmp_path / "over.yaml"
    over.write_text("state: {env: STATE}\n", encoding="utf-8")

    class WithState(Given):
        def __getitem__(self, name: str) -> str:
            return "postgresql://uu:secretpw@h/d" if name == "STATE" else super().__getitem__(name)

    loaded = load([WHOLE, over], environment=WithState())
    assert loaded.model.state == "postgresql://uu:secretpw@h/d"
    assert "secretpw" not in str(loaded.data)
    assert "secretpw" not in loaded.redactor.text(loaded.model.state)


def test_a_broken_mail_server_is_one_problem(tmp_path: Path) -> None:
    problems = found(tmp_path, "channels: {smtp: {port: zzz}}")
    assert [problem.path for problem in problems] == ["channels.smtp.port"]
