"""The post-mortem's draft: every section, only what was recorded, each fact cited, nobody a cause, always the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from config.scope import WHOLE
from daemon.document.dossier import Dossier
from daemon.document.paper import html, markdown
from daemon.document.postmortem import Postmortem, as_json, changed, paper, postmortem
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, IncidentState
from daemon.incidents.records import ASIDE, DeliveryState, PageEvent, Phase, PipelineChange
from tests.fakes.dossiers import ID, T, attempt, debt, delivery, ended, escalation, events, incident, story

KEY = f"{ID}/1/fail-over/do"
PAGE = delivery().key


def text_of(dossier: Dossier, *beside: Event) -> str:
    return markdown(paper(postmortem(dossier, beside)))


def facts(document: Postmortem, title: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name to (value, rows) of one section."""
    [section] = [section for section in document.sections if section.title == title]
    return {fact.name: (fact.value, fact.rows) for fact in section.facts}


def test_every_section_of_the_specification_is_there_in_its_order() -> None:
    text = text_of(ended())
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "Summary",
        "Impact",
        "Detection",
        "Trigger",
        "Contributing factors",
        "Resolution",
        "Responders and levels",
        "Times, from the first breach",
        "Remediation",
        "Guardrail decisions",
        "Paging",
        "Faults of the daemon itself",
        "What went well",
        "What went badly",
        "Where we got lucky",
        "Action items",
        "Timeline (UTC)",
    ]
    assert text.startswith(
        f"# Hot storage refused writes\n\n- incident: {ID}\n- date: 2026-01-05\n- authors:\n- status: draft\n"
        "- review by: 2026-01-12\n"
    )
    for kind in ("prevent", "detect", "mitigate", "process"):
        assert f"| {kind} |  |  |  |  |" in text


def test_what_only_people_know_is_left_to_them() -> None:
    document = postmortem(ended())
    blank = {section.title for section in document.sections if section.blank}
    assert blank == {
        "Contributing factors",
        "What went well",
        "What went badly",
        "Where we got lucky",
        "Action items",
    }
    assert not any(section.text or section.facts for section in document.sections if section.blank)


@pytest.mark.parametrize(
    ("end", "review_by"),
    [(T + 900, "2026-01-12"), (T + 4 * 86400, "2026-01-16"), (T + 5 * 86400, "2026-01-16")],
    ids=["Monday to Monday", "Friday to Friday", "Saturday to Friday"],
)
def test_the_review_is_due_within_five_business_days(end: float, review_by: str) -> None:
    after = ended()
    assert (
        postmortem(replace(after, incident=replace(after.incident, resolved_at=end))).review_by == review_by
    )


def test_gaps_are_called_unknown() -> None:
    document = postmortem(Dossier(incident(findings=(), impact=incident().impact)))
    unknown = [
        fact.name for section in document.sections for fact in section.facts if fact.value == "unknown"
    ]
    assert {
        "Lasted", "Records late or lost", "Error budget spent", "Noticed by", "Signal", "Changed before", "Time to detect",
        "Time to first action", "Time to first page", "Time to acknowledge", "Time to recover", "Time to resolve",
        "Human minutes, from acknowledgement to end", "Lasting", "At severity critical",
    } <= set(unknown)  # fmt: skip
    assert document.review_by == "unknown"
    text = markdown(paper(document))
    for said in ("No action was taken.", "Nobody was paged.", "Nobody was called.", "None was asked."):
        assert said in text


def test_every_citation_leads_to_a_row() -> None:
    document = postmortem(
        ended(), (Event("-", T + 400, Kind.DAEMON, "Clock stepped.", {"what": "clock_step"}),)
    )
    cites = [row for section in document.sections for fact in section.facts for row in fact.rows]
    cites += [row for section in document.sections for row in section.rows]
    assert cites
    assert set(cites) <= {row.row for row in document.timeline}
    assert [row.row for row in document.timeline] == [*range(1, len(document.timeline) + 1)]


def test_derived_times_are_from_the_rows_they_cite() -> None:
    """From the first breach at 08:00: detected 08:05, acted 08:06, paged 08:10:03, acknowledged 08:11, over 08:15."""
    assert facts(postmortem(ended()), "Times, from the first breach") == {
        "Time to detect": ("5 min", (1,)),
        "Time to first action": ("6 min", (3,)),
        "Time to first page": ("10 min", (8,)),
        "Time to acknowledge": ("11 min", (9,)),
        "Time to recover": ("unknown", ()),
        "Time to resolve": ("15 min", (10,)),
        "From page owed to page accepted": ("3 s", (7, 8)),
        "Time at L1": ("5 min", (7, 10)),
        "Human minutes, from acknowledgement to end": ("4 by 1 person", (9, 10)),
    }


def test_a_heads_up_is_no_page() -> None:
    early = delivery(PageEvent.HEADS_UP, key="h", level=0, created_at=T + 361)
    told = Event(ID, T + 362, Kind.SENT, "Sent to ana (heads_up)", {"key": "h"})
    after = ended(deliveries=(early, *ended().deliveries))
    document = postmortem(replace(after, events=(*after.events[:4], told, *after.events[4:])))
    assert facts(document, "Times, from the first breach")["Time to first page"] == ("10 min", (9,))
    assert list(facts(document, "Paging")) == ["L1 ana by pagerduty", "acked"][:1]


def test_a_signal_is_told_as_it_read_when_it_fired_and_not_as_it_reads_once_it_is_over() -> None:
    after = ended()
    read = {"detector": "storage-writes", "value": 0.042}
    first = replace(after.events[0], data=read)
    over = FindingRecord("storage-writes", 0.0, "above 1%", T, "cleared")
    beside = FindingRecord("storage-stalled", 360.0, "= 0 for 5m", T, "cleared")
    found = replace(after.incident, findings=(over, beside))
    told = facts(postmortem(replace(after, incident=found, events=(first, *after.events[1:]))), "Detection")
    assert told["Signal storage-writes"] == ("4.2% (fires above 1%)", (1,))
    assert told["Signal storage-stalled"] == ("fired (fires = 0 for 5m)", (1,))


def test_each_level_and_each_person_who_came_is_counted() -> None:
    second = delivery(
        PageEvent.ESCALATE, key="l2", level=2, person="ben", created_at=T + 700, state=DeliveryState.ACCEPTED, sent_at=T + 701
    )  # fmt: skip
    more = (
        Event(ID, T + 700, Kind.OWED, "Escalated page owed to Ben", {"key": "l2", "level": 2}),
        Event(ID, T + 700, Kind.ESCALATED, "Escalated to L2: not resolved in time", {"level": 2}),
        Event(ID, T + 780, Kind.ACKED, "Acknowledged by ben", {"by": "ben", "via": "link"}, "ben"),
        Event(ID, T + 790, Kind.NOTE, "ben: primary was read-only", {"by": "ben"}, "ben"),
    )
    after = ended(deliveries=(*ended().deliveries, second))
    document = postmortem(replace(after, events=(*after.events[:-1], *more, after.events[-1])))
    spent = facts(document, "Times, from the first breach")
    assert spent["Time at L1"] == ("100 s", (7, 10))
    assert spent["Time at L2"] == ("3 min", (10, 14))
    assert spent["Human minutes, from acknowledgement to end"] == ("6 by 2 people", (9, 12, 14))
    who = facts(document, "Responders and levels")
    assert who["L1"] == ("ana", (7,))
    assert who["L2"] == ("ben", (10,))
    assert who["escalated"] == ("Escalated to L2: not resolved in time", (11,))
    assert who["acked"] == ("Acknowledged by ben, by link", (12,)), "the last of two"
    assert who["note"] == ("ben: primary was read-only", (13,))


def test_time_is_told_for_each_severity_it_stood_at() -> None:
    raised = Event(ID, T + 600, Kind.SEVERITY, "Raised.", {"was": "high", "now": "critical"})
    after = ended()
    moved = replace(after, events=(*after.events[:6], raised, *after.events[6:]))
    impact = facts(postmortem(moved), "Impact")
    assert impact["At severity high"] == ("5 min", (1,))
    assert impact["At severity critical"] == ("5 min", (7,))
    assert impact["Lasted"] == ("15 min", (11,))


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        (attempt(verdict="not_recovered", verdict_at=T + 500), "expected: the incident's clear condition; observed: not recovered (still 4%)"),
        (attempt(kind="contain", verdict="contained"), "expected: its own effect; observed: contained (still 4%)"),
        (attempt(phase=Phase.UNDO), "expected: what it did is taken back; observed: answered 200"),
        (attempt(phase=Phase.RETURN), "expected: what was borrowed is given back; observed: answered 200"),
        (attempt(kind=ASIDE), "expected: it is told, or waited for; observed: answered 200"),
        (attempt(outcome=None, ended_at=None), "outcome unknown, took unknown; expected: the incident's clear condition; observed: unknown"),
    ],
    ids=["cure", "contain", "undo", "return", "aside", "in flight"],
)  # fmt: skip
def test_each_action_says_what_was_expected_and_what_was_seen(tried: Any, said: str) -> None:
    judged = Event(
        ID, T + 500, Kind.VERDICT, "…", {"rung": "fail-over", "verdict": "x", "reason": "still 4%"}
    )
    after = ended(attempts=(tried,))
    document = postmortem(replace(after, events=(*after.events[:4], judged, *after.events[4:])))
    [(value, rows)] = facts(document, "Remediation").values()
    assert said in value
    assert {3, 4} <= set(rows)


@pytest.mark.parametrize(
    ("fields", "deliveries", "lasting"),
    [
        ({"resolved_by": "fail-over"}, True, "fail-over, verified on fresh data"),
        ({"resolved_by": "self"}, True, "clear again, by hand or by itself; no rung mended it"),
        ({"resolved_by": "self"}, False, "it mended itself; no rung did"),
        ({"state": IncidentState.CLOSED, "resolved_by": "ana"}, True, "closed by a person, not verified"),
    ],
)
def test_the_resolution_claims_no_more_than_is_known_and_names_nobody(
    fields: dict[str, Any], deliveries: bool, lasting: str
) -> None:
    after = ended() if deliveries else ended(deliveries=())
    document = postmortem(replace(after, incident=replace(after.incident, **fields)))
    assert facts(document, "Resolution")["Lasting"] == (lasting, (10,))


def test_what_contained_it_is_told_apart_from_what_ended_it() -> None:
    held = Event(ID, T + 365, Kind.CONTAINED, "quarantine contains the harm.", {"rung": "quarantine"})
    owes = Event(ID, T + 366, Kind.DEBT_OPENED, "quarantine has to be given back.", {"debt": "d-1"})
    after = ended(debts=(debt(),))
    document = postmortem(replace(after, events=(*after.events[:3], held, owes, *after.events[3:])))
    said = facts(document, "Resolution")
    assert said["Temporary"] == ("quarantine contained the harm", (4,))
    assert said["To be given back: fail-over"] == ("open, due 2026-01-05 09:06:10Z", (5,))


def test_what_changed_before_and_what_the_daemon_went_through_are_rows_too() -> None:
    deploy = changed(PipelineChange(T - 600, "deployed writer 2.4", "ci", "abc123", WHOLE))
    late = changed(PipelineChange(T + 200, "deployed writer 2.5", "ci", "def456", WHOLE))
    step = Event("-", T + 400, Kind.DAEMON, "The clock stepped by 90 s.", {"what": "clock_step"})
    muted = Event("-", T + 410, Kind.DAEMON, "ben paused everything.", {"what": "pause"}, "ben")
    document = postmortem(ended(), (deploy, late, step, muted))
    assert document.timeline[0].text == "deployed writer 2.4 by ci abc123"
    assert facts(document, "Trigger")["Changed before"] == ("deployed writer 2.4 by ci abc123", (1,))
    assert facts(document, "Faults of the daemon itself") == {
        "clock step": ("The clock stepped by 90 s.", (7,))
    }
    assert "ben paused everything." in [row.text for row in document.timeline]
    assert facts(document, "Times, from the first breach")["Time to detect"] == ("5 min", (3,)), (
        "citations move along"
    )


def test_a_channel_that_failed_is_named_with_its_rows() -> None:
    failed = delivery(key="f", channel="sms", state=DeliveryState.FAILED, error="21610: stopped")
    lost = Event(ID, T + 605, Kind.NOT_SENT, "Not sent to ana by sms: 21610: stopped", {"key": "f"})
    after = ended(deliveries=(failed, *ended().deliveries))
    document = postmortem(replace(after, events=(*after.events[:8], lost, *after.events[8:])))
    told = facts(document, "Paging")
    assert told["L1 ana by sms"] == ("trigger, failed: 21610: stopped", (9,))
    assert told["L1 ana by pagerduty"] == ("trigger, accepted at 2026-01-05 08:10:03Z", (7, 8))
    assert told["Channels that failed"] == ("sms", (9,))


def test_what_a_provider_said_of_a_page_is_told_in_its_order() -> None:
    heard = {"delivered": T + 605, "seen": T + 650}
    row = delivery(state=DeliveryState.ACCEPTED, sent_at=T + 603, heard=heard, tries=2)
    value, _ = facts(postmortem(ended(deliveries=(row,))), "Paging")["L1 ana by pagerduty"]
    assert value == (
        "trigger, accepted at 2026-01-05 08:10:03Z, delivered at 2026-01-05 08:10:05Z, "
        "seen at 2026-01-05 08:10:50Z, 2 tries"
    )


def test_each_row_has_its_evidence_in_a_line() -> None:
    seen = Event(
        ID, T, Kind.DETECTED, "It fires.",
        {"detector": "storage-writes", "value": 0.0421234, "since": T, "gates": [1], "key": "k", "more": "x" * 500},
    )  # fmt: skip
    [row] = postmortem(story(events=(seen,))).timeline
    assert row.evidence.startswith(
        "detector=storage-writes, value=0.04212, since=2026-01-05 08:00:00Z, more=xxx"
    )
    assert len(row.evidence) == 160
    assert row.evidence.endswith("…")


def test_while_it_is_open_the_draft_speaks_as_of_its_newest_row() -> None:
    [summary] = [section for section in postmortem(story()).sections if section.title == "Summary"]
    assert summary.text.endswith("L1 has been paged. L2 follows at 08:25Z, in 14 min, unless it is resolved.")


def test_nobody_is_named_as_a_cause() -> None:
    document = postmortem(ended())
    for title in ("Summary", "Impact", "Detection", "Trigger", "Contributing factors", "Resolution"):
        [section] = [section for section in document.sections if section.title == title]
        said = section.text + "".join(f"{fact.name} {fact.value}" for fact in section.facts)
        assert "ana" not in said.split(), title


@pytest.mark.parametrize("form", [markdown, html])
def test_the_same_rows_give_the_same_document(form: Any) -> None:
    assert form(paper(postmortem(ended()))) == form(paper(postmortem(ended())))


def test_the_document_as_json_is_plain_data() -> None:
    data = as_json(postmortem(ended()))
    assert json.loads(json.dumps(data)) == data
    assert (data["status"], data["date"], data["timeline"][0]["row"]) == ("draft", "2026-01-05", 1)
    assert escalation().id == data["incident"]
    assert len(data["timeline"]) == len(events())


# ------------------------------------------------------------ on paper

EVIL = Event(ID, T, Kind.NOTE, "<script>x</script> | [a](javascript:b)\n# title `code` \ud800", {}, 'a|b"')


def test_in_markdown_text_from_outside_stays_text() -> None:
    text = text_of(story(events=(EVIL,)))
    assert "\\<script\\>" in text
    assert "<script>" not in text
    assert "\n# title" not in text
    assert "a\\|b" in text


@pytest.mark.parametrize("form", [markdown, html])
def test_text_from_outside_turns_no_order_of_reading_and_steers_no_terminal(form: Any) -> None:
    told = Event(ID, T, Kind.NOTE, "a\x1b[31m \u202egpj\u2066 \x9b2J", {}, "ana\u200f")
    assert not set(form(paper(postmortem(story(events=(told,)))))) & set("\x1b\x9b\u202e\u2066\u200f")


def test_in_markdown_no_address_becomes_a_link_by_itself() -> None:
    told = Event(ID, T, Kind.NOTE, "see https://evil.example or WWW.evil.example, ~~not~~ &lt;b>", {}, "ana")
    text = text_of(story(events=(told,)))
    assert "https\\://evil.example or WWW\\.evil.example, \\~\\~not\\~\\~ \\&lt;b\\>" in text


def test_in_html_text_from_outside_stays_text_and_nothing_is_fetched() -> None:
    page = html(paper(postmortem(story(events=(EVIL,)))))
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    for fetched in ("<script", "src=", "http://", "https://", "@import", "url("):
        assert fetched not in page
    page.encode()


def test_in_html_each_citation_leads_to_its_row() -> None:
    page = html(paper(postmortem(ended())))
    assert '<a href="#row-10">[10]</a>' in page
    assert '<tr id="row-10">' in page
    assert page.count("<h2>") == 17
    assert KEY not in page.split("<tbody>")[0]
    assert PAGE not in page
