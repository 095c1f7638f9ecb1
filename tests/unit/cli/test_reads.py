"""Commands that ask, on a store whose daemon is dead."""

from __future__ import annotations

import json

import pytest

from daemon.desk import models, reports
from daemon.desk.postmortems import Postmortem
from tests.fakes.stories import HOT
from tests.unit.cli.conftest import Place, Run


def test_status_says_no_while_an_incident_is_open_and_that_the_daemon_is_dead(
    fleetmend: Run, place: Place
) -> None:
    said = fleetmend("status", "--config", place.config)
    assert said.code == 1
    assert "1 open, worst critical" in said.out
    assert "not running" in said.out
    assert "the daemon is not running; this is the store as of 2026-01-05T08:59:40.000Z" in said.err


def test_status_as_json_is_json_and_nothing_else(fleetmend: Run, place: Place) -> None:
    said = fleetmend("status", "-c", place.config, "--json")
    assert said.code == 1
    status = models.Status.model_validate_json(said.out)
    assert (status.leader, status.incidents.open) == (None, 1)
    assert "not running" in said.err


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("incidents",), ["incidents"]),
        (("incident", HOT), [*models.IncidentWithTimeline.model_fields]),
        (("explain", HOT), ["at", "rung", "allowed", "gates"]),
        (
            ("explain", "--at", "2026-01-05T09:00:00Z", "--target", "storage-writer-hot"),
            ["at", "rung", "allowed", "gates"],
        ),
        (("debts",), ["debts"]),
        (("oncall",), ["oncall", "turns"]),
        (("oncall", "now", "--next", "90d"), ["oncall", "turns"]),
        (("silence",), ["mutes"]),
        (("maintenance",), ["mutes"]),
        (("postmortem", HOT), [*Postmortem.model_fields]),
        (("report", "--since", "2026-01-01T00:00:00Z"), [*reports.Report.model_fields]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_every_read_command_speaks_json_and_words(
    fleetmend: Run, place: Place, arguments: tuple[str, ...], keys: list[str]
) -> None:
    as_json = fleetmend(*arguments, "--config", place.config, "--json")
    assert as_json.code == 0, as_json.err
    assert [*json.loads(as_json.out)] == keys
    in_words = fleetmend(*arguments, "--config", place.config)
    assert in_words.code == 0
    assert in_words.out.strip()
    assert not in_words.out.lstrip().startswith("{")


def test_oncall_writes_a_calendar_that_can_be_narrowed(fleetmend: Run, place: Place) -> None:
    every = fleetmend("oncall", "--ical", "--next", "21d", "--config", place.config)
    assert (every.code, every.out.split("\r\n")[0]) == (0, "BEGIN:VCALENDAR")
    assert "\n" not in every.out.replace("\r\n", ""), "as RFC 5545 has it"
    assert every.out.count("BEGIN:VEVENT") in {3, 4}
    assert "SUMMARY:On call: Ana (primary)" in every.out
    other = fleetmend("oncall", "--ical", "--person", "ben", "--config", place.config)
    assert (other.code, "BEGIN:VEVENT" in other.out) == (0, False)
    for wrong in (("--ical", "--schedule", "x"), ("--person", "ana")):
        assert fleetmend("oncall", *wrong, "--config", place.config).code == 2


@pytest.mark.parametrize(
    ("form", "begins"),
    [("md", "# "), ("html", "<!doctype html>"), ("json", "{\n")],
)
@pytest.mark.parametrize(
    ("command", "title"),
    [(("postmortem", HOT), "Hot storage"), (("report", "--since", "2026-01-01T00:00:00Z"), "On call")],
    ids=["postmortem", "report"],
)
def test_what_people_take_along_comes_in_each_format(
    fleetmend: Run, place: Place, command: tuple[str, ...], title: str, form: str, begins: str
) -> None:
    said = fleetmend(*command, "--config", place.config, "--format", form)
    assert said.code == 0, said.err
    assert said.out.startswith(begins)
    assert title in said.out or form == "json"
    wrong = fleetmend(*command, "--config", place.config, "--format", "pdf")
    assert (wrong.code, wrong.out) == (2, "")
    assert "--format: expected one of md, html, json, got 'pdf'" in wrong.err


def test_an_incident_in_words_shows_refusals_next_to_actions(fleetmend: Run, place: Place) -> None:
    out = fleetmend("incident", HOT, "-c", place.config).out
    for fact in ("restart-writer", "not_recovered", "fail-over-to-replica", "3 of 3 used", "stepped_back"):
        assert fact in out


def test_incidents_can_be_narrowed(fleetmend: Run, place: Place) -> None:
    def ids(*arguments: str) -> list[str]:
        said = fleetmend("incidents", "-c", place.config, "--json", *arguments)
        return [row["id"] for row in json.loads(said.out)["incidents"]]

    assert ids() == [HOT, "po-aaaaaa"]
    assert ids("--open") == [HOT]
    assert ids("--mode", "provider_outage") == ["po-aaaaaa"]
    assert ids("--until", "2026-01-05T08:00:00Z") == ["po-aaaaaa"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("incident", "po-nobody"), 1, "there is no incident 'po-nobody'"),
        (("explain", "po-aaaaaa"), 1, "no guardrail was asked"),
        (("explain",), 2, "explain takes an incident's ID, or --at TIME with --target NAME"),
        (("explain", HOT, "--target", "x"), 2, "explain takes"),
        (("incidents", "--since", "yesterday"), 2, "--since: expected a time"),
        (("incidents", "--limit", "0"), 2, "--limit"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_what_cannot_be_answered_ends_with_the_code_the_contract_names(
    fleetmend: Run, place: Place, arguments: tuple[str, ...], code: int, words: str
) -> None:
    options = () if arguments == ("nonsense",) else ("--config", str(place.config))
    said = fleetmend(*arguments, *options)
    assert (said.code, said.out) == (code, "")
    assert words in said.err


def test_without_config_and_url_it_says_what_to_give(fleetmend: Run) -> None:
    said = fleetmend("status")
    assert said.code == 2
    assert "--config FILE" in said.err


def test_a_file_that_is_not_there_is_a_usage_error(fleetmend: Run, place: Place) -> None:
    said = fleetmend("status", "--config", place.config.with_name("nowhere.yaml"))
    assert (said.code, said.out) == (2, "")
    assert "no such file" in said.err


def test_a_broken_configuration_still_leads_to_the_store(fleetmend: Run, place: Place) -> None:
    place.config.write_text(place.config.read_text(encoding="utf-8") + "detectorz: 1\n", encoding="utf-8")
    said = fleetmend("incident", HOT, "-c", place.config)
    assert said.code == 0
    assert "fail-over-to-replica" in said.out
    assert "the configuration has 1 errors" in said.err


def test_a_store_that_is_not_there_is_said_plainly(fleetmend: Run, place: Place) -> None:
    place.state.unlink()
    said = fleetmend("status", "-c", place.config)
    assert said.code == 1
    assert "there is no" in said.err
    assert not place.state.exists(), "reading makes no store"


def test_the_variable_names_the_configuration_too(
    fleetmend: Run, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETMEND_CONFIG", str(place.config))
    assert fleetmend("incident", HOT).code == 0


def test_a_named_configuration_beats_a_url_from_the_environment(
    fleetmend: Run, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETMEND_URL", "http://127.0.0.1:1")
    assert fleetmend("incident", HOT, "-c", place.config).code == 0
    assert fleetmend("incident", HOT).code == 1, "the remote daemon does not answer"
