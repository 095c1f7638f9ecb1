"""Text messages by Twilio: what wakes a person whose phone has no data.

Source of the wire contract: Twilio docs, "Message resource" and "Errors and warnings"; the alphabet is that of
GSM 03.38. One character outside of it would cut the room from 153 to 67 in each part, so there is none. Twilio knows no
idempotency key: after silence the same page may come twice, under the same reference.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from config.section import Section
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared, Twilio
from daemon.escalate.channels.twilio import (
    MESSAGES,
    Number,
    answerable,
    code_of,
    post,
    sent_before,
    status_url,
)
from daemon.escalate.channels.wire import reference
from daemon.escalate.graphemes import clean, cut, one_line
from daemon.escalate.message import Message, Receipt, ReceiptKind
from remediations.ports import PortError

PART, PARTS = 153, 3
"""Septets in each of several parts, and how many parts a page may take."""
VALID = 300
"""Seconds after which a text that is still queued is thrown away: a stale page is worse than the next reminder."""
MAX_LINK = 200
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")
"""Two septets each."""
_LIKE = str.maketrans(
    {
        char: like
        for like, chars in (("'", "‘’‚‹›"), ('"', "“”„«»"), ("-", "–—−→"), ("...", "…"), ("*", "•·×"))
        for char in chars
    }
)
UNKNOWN = "?"
REPEAT = "(may be a repeat)"
NO_REPLY = "a text from a name cannot be replied to: give channels.twilio.from a number"


class SmsSpec(Section):
    """`to`: a number as E.164 writes it."""

    to: Number


class Sms:
    kind = "sms"
    wakes = True
    tracks = False
    available = True
    local = False
    spec = SmsSpec

    def normal(self, settings: Any) -> Any:
        return settings if isinstance(settings, dict) else {"to": settings}

    def doubts(self, spec: SmsSpec, shared: Shared) -> list[str]:
        del spec
        if shared.twilio is None:
            return ["nothing is sent without channels.twilio: add the account"]
        return [] if shared.twilio.answerable else [NO_REPLY]

    def render(self, message: Message, *, short: bool = False, code: str = "", maybe: bool = False) -> str:
        """At most three parts: the headline, where to answer, then as much of the rest as fits.

        `code`: what to reply with. `maybe`: an earlier one may have arrived, and nobody could tell.
        """
        foot = (f"\nReply {code} to acknowledge" if code else "") + ends(message)
        text = (f"{REPEAT} " if maybe else "") + (one_line(message.headline) or "Fleetmend page")
        link = _link(message)
        if not short:
            text = "\n".join(filter(None, (text, link, *message.parts)))
        return cut(plain(text), PART * PARTS - septets(foot), septets, marker="...") + foot

    def send(
        self, message: Message, spec: SmsSpec, shared: Shared, doors: Doors, deadline: float, *, short: bool
    ) -> Receipt:
        """What an earlier try may have sent is looked for before it is sent again."""
        account = shared.twilio
        if account is None:
            return Receipt(ReceiptKind.PERMANENT, "no account to send by: channels.twilio is missing")
        unsure = False
        if message.maybe:
            try:
                found = sent_before(account, spec.to, ends(message), doors, deadline)
            except PortError:
                unsure = True
            else:
                if found is not None:
                    return found
        asks = account.answerable and answerable(message, doors)
        code = code_of(account, message.incident, spec.to)[0] if asks else ""
        form: dict[str, str | list[str]] = {
            "To": spec.to,
            _sender(account): account.from_,
            "Body": self.render(message, short=short, code=code, maybe=unsure),
            "ValidityPeriod": str(VALID),
        }
        status = "" if short else status_url(doors.public_url, message.key)
        return post(account, MESSAGES, form, doors, deadline, status=status, proof=account.receipts)


def ends(message: Message) -> str:
    """How a text ends: by it the same one is known again."""
    return f"\n#{reference(message.key)}"


def plain(text: str) -> str:
    """Text in the alphabet of GSM 03.38: like characters for typographic ones, base letters for accented ones that it
    lacks, a question mark for the rest.
    """
    return "".join(_plain(char) for char in clean(text).translate(_LIKE))


def septets(text: str) -> int:
    """Length as a phone network counts it."""
    return sum(2 if char in _EXTENDED else 1 for char in text)


def _plain(char: str) -> str:
    if char in _BASIC or char in _EXTENDED:
        return char
    if unicodedata.category(char) in {"Cc", "Cf", "Mn", "Me"}:
        return " " if char == "\t" else ""
    base = "".join(part for part in unicodedata.normalize("NFKD", char) if part in _BASIC)
    return base or UNKNOWN


def _link(message: Message) -> str:
    """Where to answer: the acknowledgement if there is one, else the incident; none that takes up the whole message."""
    links = [href for _, href in message.links if len(href) <= MAX_LINK]
    answer = [href for text, href in message.links if text == "Acknowledge" and href in links]
    return next(iter([*answer, *links]), "")


def _sender(account: Twilio) -> str:
    return "MessagingServiceSid" if account.from_.startswith("MG") else "From"


def _fits(channel: Sms) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
