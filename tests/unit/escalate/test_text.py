"""The page text: complete on a lock screen, ordered, bounded, and free of what does not belong in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.scope import WHOLE
from daemon.escalate.text import HEADLINE, Around, bare, compose
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import IncidentState
from daemon.incidents.records import (
    ASIDE,
    PageEvent,
    PipelineChange,
)
from remediations.run import RunState
from tests.fakes.dossiers import (
    ID,
    T,
    attempt,
    delivery,
    ended,
    escalation,
    incident,
    run,
    story,
)
from tests.unit.escalate.readable import ANA, NOW, page


def test_line_one_says_what_broke_and_that_the_robot_failed() -> None:
    assert (
        page().headline
        == "[CRIT L1] Hot storage is refusing writes (4.2%); fail-over without effect, 1 of 1 in vain"
    )


def test_what_told_people_is_listed_and_is_neither_in_vain_nor_left_behind() -> None:
    tell = attempt("tell", key="t", kind=ASIDE, action="notify", effect="answered 202", verdict=None)
    told = page(dossier=story(attempts=(*story().attempts, tell)))
    assert told.headline.endswith("fail-over without effect, 1 of 1 in vain")
    assert "tell (notify): done in 10 s, answered 202" in told.body
    assert "tell is in place" not in told.body


def test_a_page_has_everything_in_order() -> None:
    """Design rule 15 and the order of what a person needs at night."""
    around = Around(
        (PipelineChange(T - 600, "deployed writer 2.4", "ci", "abc123", WHOLE),),
        tuple(incident(id=f"po-{n}", failure_mode="provider_outage", scope=WHOLE) for n in range(12)),
        3,
    )
    body = page(around=around).body
    wanted = [
        f"Incident {ID}, critical, L1. L2 at 09:25 CET / 08:25Z unless it is resolved; an acknowledgement does not stop that.",
        "Impact: 1 of 3 tiers.",
        "storage-writes: 4.2%, fires above 1%, since 09:00 CET / 08:00Z",
        "Since 09:00 CET / 08:00Z, detected 09:05 CET / 08:05Z.",
        "09:06 fail-over (http): without effect in 10 s, answered 200",
        "Not done: enlarge-pool: budget: 3 of 3 used",
        "Not for this fault: restart-writer",
        "Why you: Ladder exhausted",
        "Now: stepped back.",
        "writes still refused",
        "fail-over (failover) has to be returned, due 10:06 CET / 09:06Z",
        f"Next: see whether enlarge-pool is right in spite of its refusal (budget): fleetmend explain {ID}.",
        "deployed writer 2.4 by ci abc123",
        "This fault came for the fourth time in seven days",
        "and 7 more.",
        f"Acknowledge: fleetmend ack {ID}",
        "L1 ana by pagerduty: accepted 09:10",
        "09:11 Acknowledged by ana",
    ]
    places = [body.find(part) for part in wanted]
    assert -1 not in places, [part for part, place in zip(wanted, places, strict=True) if place < 0]
    assert places == sorted(places)


def test_a_page_links_to_the_incident_and_its_playbook() -> None:
    assert page().links == (
        ("Incident, chart and buttons", f"https://fm.example.org/incidents/{ID}"),
        ("Playbook storage-hot", "https://fm.example.org/playbooks#storage-hot"),
    )


def test_a_signed_address_stands_in_pages_and_in_nothing_else() -> None:
    signed = replace(ANA, ack_url="https://fm.example.org/a/TOKEN")
    for event, expected in ((PageEvent.TRIGGER, True), (PageEvent.REMIND, True), (PageEvent.RESOLVE, False)):
        links = compose(story(), delivery(event), signed, Around(), NOW).links
        assert (("Acknowledge", "https://fm.example.org/a/TOKEN") in links) is expected


def test_while_the_robot_still_acts_the_page_says_so_and_how_to_stop_it() -> None:
    acting = story(run=run(RunState.VERIFYING), incident=incident())
    assert (
        "Now: still acting; stop it: fleetmend pause --scope tier=hot --reason" in page(dossier=acting).body
    )


def test_a_page_that_comes_late_says_that_the_daemon_was_late() -> None:
    assert (
        "This page was due at 08:40 CET / 07:40Z: the daemon was down or late."
        in page(PageEvent.ESCALATE, due_since=T - 1200).body
    )


def test_a_proposal_asks_for_its_approval() -> None:
    assert (
        f"Next: approve or reject: fleetmend approve {ID}"
        in page(dossier=story(run=run(RunState.PROPOSED))).body
    )


def test_without_a_further_level_the_page_says_that_nobody_else_is_told() -> None:
    alone = story(escalation=escalation(next_level_at=None))
    assert "Nobody else will be told by itself." in page(dossier=alone).body


@pytest.mark.parametrize(
    ("event", "facts", "headline"),
    [
        (PageEvent.REMIND, {}, "[CRIT L1] Hot storage is refusing writes (4.2%); not acknowledged; fail-over without effect, 1 of 1 in vain"),
        (PageEvent.STATUS, {"what": "acked", "text": "Acknowledged by Ben"}, "[NOTE] Hot storage is refusing writes: Acknowledged by Ben"),
        (PageEvent.HEADS_UP, {"what": "acting", "rung": "fail-over"}, "[HEADS-UP] Hot storage is refusing writes; being mended by fail-over"),
        (PageEvent.HEADS_UP, {"what": "contained", "rung": "quarantine"}, "[HEADS-UP] Hot storage is refusing writes; contained by quarantine"),
        (PageEvent.DIGEST, {}, "[CRIT] Hot storage is refusing writes"),
    ],
)  # fmt: skip
def test_line_one_of_other_messages(event: PageEvent, facts: dict[str, Any], headline: str) -> None:
    assert page(event, **facts).headline == headline


@pytest.mark.parametrize(
    ("by", "told", "how"),
    [
        ("self", True, "clear again, by hand or by itself,"),
        ("self", False, "mended itself"),
        ("fail-over", True, "mended by fail-over"),
    ],
    ids=["people were called", "nobody was called", "a rung"],
)
def test_a_resolve_claims_no_more_of_what_ended_it_than_is_known(by: str, told: bool, how: str) -> None:
    after = ended() if told else ended(deliveries=())
    over = page(PageEvent.RESOLVE, dossier=replace(after, incident=replace(after.incident, resolved_by=by)))
    assert over.headline == f"[OVER] Hot storage: {how} after 15 min"


def test_a_resolve_says_how_long_it_lasted_who_did_what_and_what_is_left() -> None:
    over = page(PageEvent.RESOLVE, dossier=ended(), text="Clear.")
    assert "Lasted 15 min, from 09:00 CET / 08:00Z to 09:15 CET / 08:15Z." in over.body
    assert "What people did:\n09:11 Acknowledged by ana" in over.body
    assert "fail-over (failover) has to be returned, due 10:06 CET / 09:06Z" in over.body
    assert f"Give back what is left: fleetmend debts\nLearn from it: fleetmend postmortem {ID}" in over.body
    assert over.links[-1] == (
        "Draft of the post-mortem",
        f"https://fm.example.org/incidents/{ID}/postmortem",
    )


def test_a_resolve_does_not_say_that_nobody_did_anything_where_people_were_called() -> None:
    after = ended()
    over = page(PageEvent.RESOLVE, dossier=replace(after, events=after.events[:8]), text="By itself.")
    assert "Nobody wrote down what they did." in over.body
    assert "By itself." not in over.body
    closed = replace(after, incident=replace(after.incident, state=IncidentState.CLOSED))
    assert "Their mistake." in page(PageEvent.RESOLVE, dossier=closed, text="Their mistake.").body


def test_a_resolve_of_what_mended_itself_asks_for_nobody() -> None:
    after = ended(deliveries=(), debts=())
    over = page(PageEvent.RESOLVE, dossier=replace(after, events=after.events[:1]))
    assert "to 09:15 CET / 08:15Z. Nobody had to do anything." in over.body
    assert "fleetmend debts" not in over.body
    assert "Left behind: nothing." not in over.body, "the fail-over was never undone"


def test_a_resolve_by_a_person_says_that_nothing_was_verified() -> None:
    closed = story(incident=incident(state=IncidentState.CLOSED, resolved_by="Ana", resolved_at=NOW))
    assert "closed by Ana, not verified, after" in page(PageEvent.RESOLVE, dossier=closed).headline


def test_who_acknowledged_is_told_to_the_next_level() -> None:
    climbed = story(escalation=escalation(EscalationState.PAGING, level=2, acked_by="ana"))
    assert "Acknowledged by ana (before the next level)" in page(PageEvent.ESCALATE, dossier=climbed).body


def test_only_the_last_lines_of_an_output_are_shown() -> None:
    noisy = attempt(verdict="not_recovered", output="\n".join(f"line {n}" for n in range(1000)))
    body = page(dossier=story(attempts=(noisy,))).body
    assert "line 999" in body
    assert "line 994" not in body


@given(st.text(max_size=400), st.text(max_size=400))
def test_line_one_fits_whatever_the_facts_hold(reason: str, rung: str) -> None:
    strange = story(attempts=(), incident=incident(playbook=rung or None))
    message = page(dossier=strange, reason=reason)
    assert len(message.headline) <= HEADLINE
    assert "\n" not in message.headline
    message.body.encode()


def test_the_least_that_is_a_page_needs_nothing_but_its_row() -> None:
    message = bare(delivery(), NOW)
    assert message.headline == f"[TRIGGER] L1 incident {ID}: Ladder exhausted"
    assert (message.severity, message.key, message.dedup_key) == (
        "critical",
        delivery().key,
        f"fleetmend/{ID}",
    )
    assert bare(replace(delivery(PageEvent.TEST), facts={}), NOW).headline == "[TEST] This channel works."
