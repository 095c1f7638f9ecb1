"""Cutting text so that no character that people see as one is torn, counted as the receiver counts.

The clusters are those of Unicode's UAX 29 as far as they occur in text: combining marks, variation selectors, skin
tones, joined emoji, flags, tags, Hangul syllables, CR LF. Lone surrogates, which no receiver can hold, become U+FFFD.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

MARKER = "…"
_JOINER = "\u200d"
_UNSOUND = re.compile(
    r"[\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]"
)
_REORDERING = re.compile(r"[\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_EXTENDING = frozenset({"Mn", "Me", "Mc"})
_HANGUL_L = range(0x1100, 0x1160)
_HANGUL_V = range(0x1160, 0x11A8)
_HANGUL_T = range(0x11A8, 0x1200)
_HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)


def characters(text: str) -> int:
    """Length in code points: how PagerDuty and Slack count."""
    return len(text)


def octets(text: str) -> int:
    """Length in UTF-8: how ntfy and request bodies count."""
    return len(text.encode())


def clean(text: str) -> str:
    """Text that can be encoded and shows what it says: lone surrogates, and what turns the order of reading or steers a
    terminal, become U+FFFD.
    """
    return _UNSOUND.sub("\ufffd", text)


def printable(text: str) -> str:
    """Text of several lines without other control characters: they show as nothing and count as six where JSON is meant."""
    text = _REORDERING.sub("\ufffd", text)
    return "".join(char for char in text if char == "\n" or unicodedata.category(char) != "Cc")


def one_line(text: str) -> str:
    """Everything on one line, without control characters: safe as a header or subject."""
    spaced = "".join(
        " " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
        for char in _REORDERING.sub("\ufffd", text)
    )
    return " ".join(spaced.split())


def line(text: str, limit: int, marker: str = MARKER) -> str:
    """One line of at most `limit` characters."""
    return cut(one_line(text[: 8 * limit]), limit, marker=marker)


def cut(text: str, limit: int, count: Callable[[str], int] = characters, marker: str = MARKER) -> str:
    """At most `limit` by `count`, ending in `marker` when something was cut; empty when not even that fits."""
    text = clean(text[: limit + 1])  # each code point counts one at least, so what follows cannot matter
    if count(text) <= limit:
        return text
    room = limit - count(marker)
    if room < 0:
        return ""
    kept: list[str] = []
    for cluster in clusters(text):
        room -= count(cluster)
        if room < 0:
            break
        kept.append(cluster)
    return "".join(kept).rstrip() + marker


def clusters(text: str) -> Iterator[str]:
    """What people see as single characters."""
    cluster = ""
    for char in text:
        if cluster and not _joins(cluster, char):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


def _joins(cluster: str, char: str) -> bool:
    """Whether there is no boundary between the cluster so far and the next character."""
    last = cluster[-1]
    if last == "\r" and char == "\n":
        return True
    if unicodedata.category(last) == "Cc" or unicodedata.category(char) == "Cc":
        return False
    return (
        _extends(char) or last == _JOINER or _completes_flag(cluster, char) or _hangul(ord(last), ord(char))
    )


def _extends(char: str) -> bool:
    code = ord(char)
    return (
        unicodedata.category(char) in _EXTENDING
        or char == _JOINER
        or 0x1F3FB <= code <= 0x1F3FF
        or 0xE0020 <= code <= 0xE007F
    )


def _completes_flag(cluster: str, char: str) -> bool:
    return _regional(char) and _regional(cluster[0]) and len(cluster) == 1


def _regional(char: str) -> bool:
    return 0x1F1E6 <= ord(char) <= 0x1F1FF


def _hangul(last: int, code: int) -> bool:
    if last in _HANGUL_L:
        return code in _HANGUL_L or code in _HANGUL_V or code in _HANGUL_SYLLABLES
    open_syllable = last in _HANGUL_SYLLABLES and (last - 0xAC00) % 28 == 0
    if last in _HANGUL_V or open_syllable:
        return code in _HANGUL_V or code in _HANGUL_T
    closed_syllable = last in _HANGUL_SYLLABLES and not open_syllable
    return (last in _HANGUL_T or closed_syllable) and code in _HANGUL_T
