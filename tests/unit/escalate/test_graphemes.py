"""Text is cut where people see a boundary, and never longer than allowed, whatever it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.escalate.graphemes import (
    MARKER,
    characters,
    clean,
    clusters,
    cut,
    line,
    octets,
    one_line,
    printable,
)

ANY = st.text(st.characters(), max_size=60) | st.text(
    st.sampled_from("ae\u0301\u200d👩👧🏽🇪🇺\r\n각각\ufe0f\ud800"), max_size=60
)


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("e\u0301a", ["e\u0301", "a"], "a mark belongs to its letter"),
        ("👩‍👩‍👧‍👦x", ["👩‍👩‍👧‍👦", "x"], "a family is one"),
        ("👍🏽👍", ["👍🏽", "👍"], "skin tones"),
        ("🇪🇺🇫🇷", ["🇪🇺", "🇫🇷"], "flags are pairs"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿a", ["🏴󠁧󠁢󠁥󠁮󠁧󠁿", "a"], "flags made of tags"),
        ("\r\n\n", ["\r\n", "\n"], "a line end is one"),
        (
            "\u1100\u1161\u11a8\uac00\u11a8\uac01\u1100",
            ["\u1100\u1161\u11a8", "\uac00\u11a8", "\uac01", "\u1100"],
            "Hangul",
        ),
        ("❤️x", ["❤️", "x"], "variation selectors"),
    ],
)
def test_clusters_are_what_people_see(text: str, expected: list[str], why: str) -> None:
    assert list(clusters(text)) == expected, why


@given(ANY, st.integers(0, 40), st.sampled_from([characters, octets]))
def test_a_cut_text_fits_can_be_sent_and_tears_nothing(text: str, limit: int, count: type) -> None:
    short = cut(text, limit, count)
    assert count(short) <= limit
    short.encode()
    if short not in ("", clean(text)):
        kept = short.removesuffix(MARKER)
        whole = list(clusters(clean(text)))
        begins = {"".join(whole[:n]).rstrip() for n in range(len(whole) + 1)}
        assert kept in begins


@given(ANY, st.integers(1, 40))
def test_a_text_that_fits_is_left_alone(text: str, slack: int) -> None:
    assert cut(text, len(text) + slack) == clean(text)


@given(ANY)
def test_clusters_lose_nothing(text: str) -> None:
    assert "".join(clusters(text)) == text


@given(ANY)
def test_one_line_is_one_line_without_control_characters(text: str) -> None:
    flat = one_line(text)
    assert flat.splitlines() in ([], [flat])
    assert not any(ord(char) < 32 for char in flat)


def test_two_megabytes_are_cut_without_reading_them_all() -> None:
    assert line("é" * 2_000_000, 1024) == "é" * 1023 + MARKER


@pytest.mark.parametrize("hostile", ["\u202e", "\u2066", "\u200f", "\x1b[2J", "\x9b2J", "\x07", "\ud800"])
def test_nothing_that_turns_the_order_of_reading_or_steers_a_terminal_is_left(hostile: str) -> None:
    text = f"tier {hostile}gpj.exe fails"
    for shown in (clean(text), printable(text), one_line(text), line(text, 50), cut(text, 50)):
        assert hostile not in shown
        assert shown.startswith("tier ")
        assert shown.endswith("gpj.exe fails")


def test_other_scripts_and_lines_stay_as_they_are() -> None:
    text = "שלום 数据 Müller 🚒 ẍ́\n\tsecond"
    assert clean(text) == cut(text, 99) == text
