"""Pages for the ear: what a call says, and that a call can take it along."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.escalate.channels.twilio_speech import SPOKEN, details, spoken
from daemon.escalate.channels.voice import MAX_TWIML, Voice
from tests.fakes import twilio
from tests.fakes.channel_benches import page
from tests.fakes.twilio import HOME


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("[CRIT L1] ingest-eu-3: lag 41 min", "critical level 1. ingest-eu-3: lag 41 minutes"),
        ("sf-abc234 [CRIT L1]: hot", "S F, A B C 2 3 4 critical level 1. hot"),
        ("p95 > 500ms (4.2%)", "p 95 over 500 milliseconds, 4.2 percent"),
        ("L2 at 03:41 CET / 02:41Z", "level 2 at 03:41 CET / 02:41 U T C"),
        ("restart fix FAILED 3/3; API down", "restart fix failed 3/3. A P I down"),
        ("Incident sf-abc234 stays", "Incident S F, A B C 2 3 4 stays"),
        ("see https://fleetmend.example.org/a/secret-token now", "see now"),
        ("dead 💥 letters_total & more", "dead letters total and more"),
    ],
    ids=["a page's first line", "a line of several", "signs and units", "a time", "what is shouted", "a name", "an address", "a picture"],
)  # fmt: skip
def test_a_page_is_said_as_a_person_would_say_it(written: str, heard: str) -> None:
    assert spoken(written) == heard


@given(st.text(max_size=3_000), st.booleans())
def test_whatever_is_said_is_sound_twiml_that_a_call_takes_along(text: str, asks: bool) -> None:
    said = Voice().render(page(headline=text, parts=(text,)), action=f"{HOME}/digit?a=1&b=2" if asks else "")
    assert twilio.twiml_problems(said, "Say", "Gather", "Pause") == []
    assert len(said) <= MAX_TWIML


def test_a_call_takes_its_page_along_however_long_the_address_is() -> None:
    said = Voice().render(page(headline="&" * 200, parts=("<" * 500,)), action=f"{HOME}/{'x' * 1_900}")
    assert len(said) <= MAX_TWIML
    assert twilio.twiml_problems(said, "Say", "Gather", "Pause") == []


def test_below_its_first_line_a_page_is_said_in_whole_sentences_and_no_commands() -> None:
    parts = (
        "Incident sf-abc234, critical, L1. L2 at 03:41 CET / 02:41Z unless it is resolved; an acknowledgement does not stop that.",
        "Impact: 1 of 3 tiers.",
        "Signal:\nstorage-writes: 4.2%, fires above 1%, since 03:12 CET / 02:12Z\nSince 03:12 CET / 02:12Z, detected 03:13 CET / 02:13Z, and so on.",
        "What the robot did:\nfleetmend pause --scope tier=hot",
    )  # fmt: skip
    assert details(parts) == (
        "Incident S F, A B C 2 3 4, critical, level 1. level 2 at 03:41 CET / 02:41 U T C unless it is resolved. an "
        "acknowledgement does not stop that. Impact: 1 of 3 tiers. Signal: storage-writes: 4.2 percent, fires above 1 "
        "percent, since 03:12 CET / 02:12 U T C."
    )


@given(st.text(max_size=2_000))
def test_what_is_said_is_short(text: str) -> None:
    assert len(spoken(text)) <= SPOKEN
