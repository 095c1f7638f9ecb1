"""What a message looks like in Slack: its text for notifications, and its blocks. Pure.

Source of the wire contract: Slack developer docs, "Block Kit: blocks", "Block elements: button" and "Formatting message
text". Lengths are characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daemon.escalate.channels.wire import reference
from daemon.escalate.graphemes import cut, line, printable
from daemon.escalate.message import Message
from daemon.incidents.records import PageEvent

HEADER, SECTION, BUTTON, VALUE, FOOT = 150, 3_000, 75, 2_000, 500
MAX_TEXT = 12_000
"""Characters of the whole: a message of more than some 13 000 is refused in practice (slackapi/bolt-js#2509)."""
MAX_LINKS = 5
ACK, ESCALATE = "fleetmend-ack", "fleetmend-escalate"
"""What our own buttons are called: they come back by these names."""
ACKED, RECOVERED, OVER, AGAIN = "acked", "recovered", "over", "again"
CALM = frozenset({ACKED, RECOVERED, OVER})
"""How an incident may stand after a message that asks nobody to do anything."""
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""In `text`, which is read as Slack's own mark-up: then nothing in it is a mention, a link or a command."""
_ASKING = frozenset({PageEvent.TRIGGER, PageEvent.ESCALATE, PageEvent.REMIND})
_STANDS = {
    ACKED: "\N{EYES} Acknowledged",
    RECOVERED: "\N{LARGE GREEN CIRCLE} Recovered, still watched",
    OVER: "\N{WHITE HEAVY CHECK MARK} Resolved",
    AGAIN: "\N{LARGE RED CIRCLE} Again",
}
_SURE = {
    "title": "Page the next level?",
    "text": "Whoever is on call there is told at once, whatever the hour.",
    "confirm": "Escalate",
    "deny": "Back",
}
"""Asked before a press that gets somebody out of bed counts."""
_ACTS = {ACK: ("Acknowledge", "primary"), ESCALATE: ("Escalate now", "danger")}


def posted(message: Message, *, short: bool = False, acting: bool = False) -> dict[str, Any]:
    """A message of its own. `text` is what a notification shows. `acting`: buttons here come back to us."""
    headline = line(message.headline, HEADER) or "Fleetmend page"
    acts = (ACK, ESCALATE) if acting and message.event in _ASKING else ()
    return _whole(message, headline, message.parts, acts, short=short)


def changed(message: Message, state: str, *, short: bool = False, acting: bool = False) -> dict[str, Any]:
    """The incident's first message as it is to stand now: the page as it reads now, and how it stands in a word."""
    told, *parts = message.page or (message.headline, *message.parts)
    headline = f"{_STANDS[state]} \N{MIDDLE DOT} {line(told, HEADER)}"
    open_to = {ACKED: (ESCALATE,), AGAIN: (ACK, ESCALATE)}.get(state, ())
    acts = open_to if acting else ()
    news = (message.headline,) if message.page else ()
    return _whole(message, headline, (*news, *parts), acts, short=short, final=state == OVER)


def state_of(message: Message) -> str:
    """How the incident stands after this message; empty when it changes nothing that the first one says."""
    if message.event is PageEvent.RESOLVE:
        return OVER
    if message.event is PageEvent.TRIGGER:
        return AGAIN  # a page stands there already, recovered or in somebody's hands
    calm = message.event is PageEvent.STATUS and message.note in {ACKED, RECOVERED}
    return message.note if calm else ""


def _whole(
    message: Message, headline: str, parts: Sequence[str], acts: Sequence[str], *, short: bool, final: bool = False
) -> dict[str, Any]:  # fmt: skip
    blocks: list[dict[str, Any]] = [{"type": "header", "text": plain(line(headline, HEADER))}]
    if not short:
        blocks += [{"type": "section", "text": plain(part)} for part in _paragraphs(parts)]
    blocks += _buttons(message, acts, links=not short, ack=not final)
    again = " \N{MIDDLE DOT} (may be a repeat)" if message.maybe else ""
    foot = f"page {reference(message.key)} \N{MIDDLE DOT} {message.incident} \N{MIDDLE DOT} {message.source}"
    blocks.append({"type": "context", "elements": [plain(line(foot, FOOT) + again)]})
    return {"text": escaped(line(headline, HEADER)), "blocks": blocks}


def escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def plain(text: str) -> dict[str, Any]:
    """Text as it is: nothing in it is a mention, a link or a mark."""
    return {"type": "plain_text", "text": text, "emoji": False}


def _paragraphs(parts: Sequence[str]) -> list[str]:
    """The parts that fit, the first whole if possible: what comes last matters least."""
    room, kept = MAX_TEXT, []
    for part in parts:
        text = cut(printable(part[: 8 * SECTION]), min(SECTION, room))
        if not text.strip():
            continue
        kept.append(text)
        room -= len(text)
        if room <= 0:
            break
    return kept


def _buttons(message: Message, acts: Sequence[str], *, links: bool, ack: bool) -> list[dict[str, Any]]:
    """Buttons that act, where their press comes back to us; links, which show a page that asks before it changes anything.

    A link that acknowledges is left out beside the button that does, and where there is nothing left to acknowledge.
    """
    able = acts if 0 < len(message.token) <= VALUE else ()
    elements = [_act(name, message.token) for name in able]
    unwanted = "" if ack and ACK not in able else message.ack_link
    web = [one for one in message.links if one[1].startswith(("https://", "http://")) and one[1] != unwanted]
    web.sort(key=lambda one: one[1] != message.ack_link)  # what is asked for comes first
    elements += [
        {
            "type": "button",
            "text": plain(line(text, BUTTON)),
            "url": href,
            "action_id": f"open-{place}",
            **({"style": "primary"} if href == message.ack_link else {}),
        }
        for place, (text, href) in enumerate(web[:MAX_LINKS] if links else ())
    ]
    return [{"type": "actions", "elements": elements}] if elements else []


def _act(name: str, token: str) -> dict[str, Any]:
    text, style = _ACTS[name]
    button: dict[str, Any] = {
        "type": "button",
        "text": plain(text),
        "value": token,
        "action_id": name,
        "style": style,
    }
    if name == ESCALATE:
        button["confirm"] = {part: plain(said) for part, said in _SURE.items()}
    return button
