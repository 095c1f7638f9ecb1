"""Pages for the ear: text as a voice can say it, and the TwiML in which it is said. Pure.

Source of the wire contract: Twilio docs, "TwiML Voice: Gather" and "Say": a `Gather` in which no key was pressed falls
through to what follows it. Any phone answers a call, a machine included, so only a key that was pressed is a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from daemon.escalate.graphemes import cut, one_line

SPOKEN = 300
"""Characters of the first line, and of what follows it, that are read out: some 20 seconds each."""
TOLD = 3
"""Parts of a page that are read out: what comes next and when, the impact, the signal. The rest is read."""
WAITS = 10
"""Seconds for which a key is waited for after the text."""
ACK, NEXT = "1", "2"
CHOICES = "Press 1 to acknowledge. Press 2 to page the next level now."
_WORDS = {
    "CRIT": "critical", "MED": "medium", "L1": "level 1", "L2": "level 2", "L3": "level 3", "ms": "milliseconds",
    "s": "seconds", "min": "minutes", "h": "hours", "d": "days", "UTC": "U T C", "API": "A P I", "p95": "p 95",
    "p99": "p 99", "DLQ": "D L Q", "id": "i d",
}  # fmt: skip
_SIGNS = {
    "%": " percent", ">": " over ", "<": " under ", "=": " is ", "+": " plus ", "&": " and ", "#": " number ",
    "_": " ", "[": "", "]": ". ", "(": ", ", ")": ", ", ";": ". ", "|": ", ", "→": " to ", "–": " to ", "—": ", ", "`": "",
    "*": "", "~": " about ",
}  # fmt: skip
_ADDRESS = re.compile(r"\b(?:https?|mailto|fleetmend):\S+")
_INCIDENT = re.compile(r"\b[a-z]{2}-[a-z2-7]{6}\b")
_ZULU = re.compile(r"\b(\d{1,2}:\d{2})Z\b")
_STOPS = re.compile(r"\s*[,.](?:\s*[,.:])*")
"""Several stops in a row, as left by signs: one is heard."""
_SENT = frozenset("LNMZP")
"""Categories of characters that a voice knows what to do with: letters, digits, marks, spaces, punctuation."""


def spoken(text: str, limit: int = SPOKEN) -> str:
    """Text as it is said: abbreviations in full, signs as words, an incident's name letter by letter, no address."""
    text = _ADDRESS.sub("", one_line(text[: 8 * limit].replace(":\n", ": ").replace("\n", ". ")))
    text = _INCIDENT.sub(lambda found: _spelled(found[0]), text)
    text = _ZULU.sub(r"\1 U T C", text)
    text = "".join(_SIGNS.get(char, char if unicodedata.category(char)[0] in _SENT else " ") for char in text)
    text = re.sub(r"(?<=\d)(ms|min|s|h|d)\b", r" \1", text)
    text = " ".join(_said(word) for word in text.split())
    text = _STOPS.sub(lambda run: "." if "." in run[0] else ",", text).strip(" ,")
    return text if len(text) <= limit else _whole_sentences(text, limit)


def details(parts: Sequence[str]) -> str:
    """What is said of a page below its first line."""
    return _ended(spoken(". ".join(parts[:TOLD])))


def _whole_sentences(text: str, limit: int) -> str:
    """As many as fit; of a first one that does not fit, what fits."""
    end = text.rfind(". ", 0, limit)
    return text[: end + 1] if end > 0 else cut(text, limit, marker=".")


def _ended(text: str) -> str:
    return f"{text.rstrip('.')}." if text else ""


def told(text: str, more: str = "") -> str:
    """TwiML of a call that only tells: twice, as nobody listens to the first words of a call at night."""

    def fill(root: ET.Element) -> None:
        _say(root, f"{_ended(text)} {more}")
        ET.SubElement(root, "Pause", {"length": "2"})
        _say(root, f"Again: {_ended(text)} {more}")

    return _document(fill)


def asked(text: str, action: str, more: str = "") -> str:
    """TwiML of a call that waits for a key; without one it is all said once more. `action`: who is told of the key.

    What can be pressed is said before `more`: a key counts as soon as it is pressed.
    """

    def fill(root: ET.Element) -> None:
        for words in (text, f"Again: {text}"):
            keys = {"numDigits": "1", "timeout": str(WAITS), "action": action, "method": "POST"}
            _say(ET.SubElement(root, "Gather", keys), f"{_ended(words)} {CHOICES} {more}")
        _say(root, "No key was pressed. This page stays open.")

    return _document(fill)


def said(text: str) -> str:
    """TwiML that says one thing and hangs up."""
    return _document(lambda root: _say(root, text))


def replied(text: str = "") -> str:
    """TwiML that answers a text message; with nothing, when empty."""

    def fill(root: ET.Element) -> None:
        if text:
            ET.SubElement(root, "Message").text = text

    return _document(fill)


def _document(fill: Callable[[ET.Element], object]) -> str:
    root = ET.Element("Response")
    fill(root)
    return ET.tostring(root, encoding="unicode")


def _say(parent: ET.Element, text: str) -> None:
    ET.SubElement(parent, "Say").text = text


def _spelled(name: str) -> str:
    return ", ".join(" ".join(part) for part in name.upper().split("-"))


def _said(word: str) -> str:
    """One word, its punctuation kept; what is shouted is said."""
    core = word.strip(".,:!?")
    full = _WORDS.get(core)
    if full is None and core.isupper() and len(core) > 3:
        full = core.lower()
    return word if full is None or not core else word.replace(core, full, 1)
