"""What Twilio tells back: replies to texts, keys pressed in calls, and what became of both. Pure.

Source of the wire contract: Twilio docs, "Webhooks security" (`X-Twilio-Signature` holds the base64 HMAC-SHA1 by the
auth token of the address that was called and all parameters, sorted), "Message status" and "Call status". Parameters
that are not known may come at any time and are signed too.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit, urlunsplit

from daemon.escalate.channels.registry import AddressBook
from daemon.escalate.channels.shared import Twilio
from daemon.escalate.channels.sms import SmsSpec
from daemon.escalate.channels.twilio import CODE_DIGITS
from daemon.escalate.receipts import Fate, Report

HEADER = "X-Twilio-Signature"
MAX_FIELDS = 200
_PORTS = {"https": 443, "http": 80}
_CODE = re.compile(
    rf"(?:ack(?:nowledged?)?)?[\s:#.-]*((?:\d[\s-]?){{{CODE_DIGITS}}})[\s.!]*", re.ASCII | re.IGNORECASE
)
"""A reply that is a code: alone or after `ack`, in groups as people type it. What only holds one is none."""
_THEIRS = frozenset(
    "stop stopall unsubscribe cancel end quit revoke optout start unstop yes help info".split()  # noqa: SIM905 - a list of words
)
"""Words that Twilio itself answers."""
_MESSAGE = {
    "delivered": Fate.DELIVERED,
    "read": Fate.SEEN,
    "undelivered": Fate.UNDELIVERED,
    "failed": Fate.UNDELIVERED,
    "canceled": Fate.UNDELIVERED,
}
_CALL = {
    "in-progress": Fate.DELIVERED,
    "completed": Fate.DELIVERED,
    "busy": Fate.UNDELIVERED,
    "no-answer": Fate.UNDELIVERED,
    "failed": Fate.UNDELIVERED,
    "canceled": Fate.UNDELIVERED,
}

Form = Mapping[str, Sequence[str]]
"""Parameters as posted; almost all have one value."""


class Unreadable(Exception):
    """The body is no form; the message says why."""


@dataclass(frozen=True, slots=True)
class Phones:
    """Whose phones they are: number to the ids of people, several where they share one."""

    account: Twilio
    people: Mapping[str, tuple[str, ...]]


def phones_of(book: AddressBook) -> Phones | None:
    """The phones that texts or calls go to; None without an account."""
    account = book.shared.twilio
    if account is None:
        return None
    found: dict[str, dict[str, None]] = {}
    for address, entry in book.entries.items():
        if isinstance(entry.spec, SmsSpec):
            found.setdefault(entry.spec.to, {})[address.rpartition("/")[0]] = None
    return Phones(account, {number: tuple(people) for number, people in found.items()})


def form_of(body: bytes) -> Form:
    """Raises `Unreadable`."""
    try:
        return parse_qs(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise Unreadable(f"no form: {type(error).__name__}") from None


def one(form: Form, name: str) -> str:
    """A parameter's value; empty when it is not there."""
    return form.get(name, ("",))[0]


def signed(tokens: Sequence[str], url: str, form: Form, header: str) -> bool:
    """Whether the signature is that of any of the tokens; compared in constant time.

    `url`: as it was called. Whether its port was spelled out is not known here, and was not always the same there.
    """
    rest = "".join(f"{name}{value}" for name in sorted(form) for value in sorted(set(form[name])))
    wanted = [
        base64.b64encode(hmac.digest(token.encode(), (spelled + rest).encode(errors="replace"), "sha1"))
        for token in tokens
        for spelled in _spellings(url)
    ]
    given = header.encode(errors="replace")
    return any(hmac.compare_digest(given, signature) for signature in wanted)


def _spellings(url: str) -> list[str]:
    """The address as it is, with the usual port spelled out, and without any."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    usual = f"{host}:{_PORTS.get(parts.scheme, 443)}"
    return list(
        dict.fromkeys(
            [url, urlunsplit(parts._replace(netloc=usual)), urlunsplit(parts._replace(netloc=host))]
        )
    )


def code_in(text: str) -> str:
    """The code that a reply consists of; empty when it is anything else."""
    found = _CODE.fullmatch(text.strip()[:100])
    return re.sub(r"\D", "", found[1]) if found else ""


def is_theirs(text: str) -> bool:
    """Whether Twilio answers this reply by itself: STOP, HELP and the like."""
    return text.strip().casefold() in _THEIRS


def report_in(form: Form) -> Report | None:
    """What became of a message or call; None for what says less than `Fate` (queued, sent, ringing), or nothing.

    A machine answers a call too: that it was answered is no acknowledgement.
    """
    text, call = one(form, "MessageStatus"), one(form, "CallStatus")
    fate = _MESSAGE.get(text) if text else _CALL.get(call)
    if fate is None:
        return None
    said = [text or call, one(form, "ErrorCode") or one(form, "SipResponseCode")]
    counted = one(form, "SequenceNumber")
    return Report(
        fate,
        " ".join(filter(None, said))[:50],
        int(counted) + 1 if counted.isascii() and counted.isdigit() and len(counted) < 6 else None,
        (one(form, "MessageSid") or one(form, "CallSid"))[:64],
    )
