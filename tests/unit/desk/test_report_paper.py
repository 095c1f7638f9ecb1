"""The report on paper: the same numbers as the JSON, and nothing pretended where there is no data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from config.escalation import WorkingHours
from daemon.desk import reports
from daemon.desk.report_paper import of_report
from daemon.document.dossier import Dossier
from daemon.document.paper import html, markdown
from daemon.document.report import report
from tests.fakes.dossiers import T, ended, incident


def model(*dossiers: Dossier) -> reports.Report:
    made = asdict(report(dossiers, T, T + 7 * 86_400, {"ana": "Europe/Paris"}, WorkingHours()))
    return reports.Report.model_validate({**made, "earned": [], "helped": []})


def test_it_tells_how_fast_who_was_called_and_what_is_noisy() -> None:
    text = markdown(of_report(model(ended(), ended())))
    for row in (
        "- from: 2026-01-05 08:00:00Z",
        "| storage\\_failure | 2 | 5 min, 95 % within 5 min (2) | 60 s, 95 % within 60 s (2) | 15 min, 95 % within 15 min (2) | 57 s, 95 % within 57 s (2) |",
        "| ana | 2 | 1 | 2 | 0 | 2026-W02 2 |",
        "| storage-writes | 2 | 2 | 0 |",
        "- Gone by themselves: 2, 2 of them after people had been called",
        "- Escalated: no incident went above L1",
        "- Refused by: budget 2, when 2",
    ):  # fmt: skip
        assert row in text, row


def test_without_incidents_it_says_so_and_shows_no_table() -> None:
    text = markdown(of_report(model()))
    assert "No incident in this span." in text
    assert "|" not in text


def test_what_was_never_measured_is_called_so() -> None:
    text = markdown(of_report(model(Dossier(incident()))))
    assert "| 5 min (once) | never measured | never measured | never measured |" in text
    assert "Nobody was paged." in text


def test_as_html_it_is_one_page_that_fetches_nothing() -> None:
    page = html(of_report(model(ended())))
    assert "<h2>How fast</h2>" in page
    for fetched in ("<script", "src=", "http://", "https://"):
        assert fetched not in page


def test_an_answer_of_a_daemon_that_knows_less_is_read_too() -> None:
    known: dict[str, Any] = model(ended()).model_dump(mode="json")
    del known["oncall"]
    assert "How fast" in markdown(of_report(reports.Report.model_validate(known)))
