"""Calls by Twilio: what wakes a person who sleeps through a text. A key that is pressed acknowledges; nothing else does.

Source of the wire contract: Twilio docs, "Call resource" and "TwiML Voice". What is said goes along with the call, so
nothing has to be fetched from us while it rings; only where a key is told to does our own web server have to be reached.
"""

from __future__ import annotations

from typing import Any

from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared, Twilio
from daemon.escalate.channels.sms import Sms, SmsSpec
from daemon.escalate.channels.twilio import CALLS, answerable, digit_url, post, rings_now, status_url
from daemon.escalate.channels.twilio_speech import SPOKEN, asked, details, spoken, told
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.owed import PAGES
from daemon.incidents.records import PageEvent
from remediations.ports import PortError

RINGS = 25
"""Seconds a phone rings: most answering machines wait longer."""
LASTS = 300
"""Seconds after which a call is ended, whatever is heard."""
LOOK_AGAIN = 30.0
"""Seconds after which a phone that was rung already is called again, unless that call has told of its end."""
MAX_TWIML = 4_000
"""Characters that a call takes along."""
NO_CALLER = "channels.twilio has no number to call from: give from or call_from one"
ELSEWHERE = "Answer in the console, or by the command fleetmend ack."
_CALLS = PAGES | {PageEvent.TEST}


class VoiceSpec(SmsSpec):
    """`to`: a number as E.164 writes it."""


class Voice:
    kind = "voice"
    wakes = True
    tracks = False
    available = True
    local = False
    spec = VoiceSpec

    def normal(self, settings: Any) -> Any:
        return settings if isinstance(settings, dict) else {"to": settings}

    def doubts(self, spec: VoiceSpec, shared: Shared) -> list[str]:
        del spec
        if shared.twilio is None:
            return ["nobody is called without channels.twilio: add the account"]
        return [] if shared.twilio.caller else [NO_CALLER]

    def render(self, message: Message, *, short: bool = False, action: str = "") -> str:
        """TwiML; with an `action`, a key that is pressed is told there. Never longer than a call takes along."""
        again = "This may be a repeat. " if message.maybe else ""
        for limit in (SPOKEN, SPOKEN // 4):  # escapes make it longer than what is heard
            text = f"{again}This is Fleetmend. {spoken(message.headline, limit) or 'A page'}"
            more = "" if short or limit < SPOKEN else details(message.parts)
            said = asked(text, action, more) if action else told(text, _without_keys(message, more))
            if len(said) <= MAX_TWIML:
                return said
        return told(text, _without_keys(message, more))

    def send(
        self, message: Message, spec: VoiceSpec, shared: Shared, doors: Doors, deadline: float, *, short: bool
    ) -> Receipt:
        """Call; but nobody is woken to hear that it is over: that goes to the same phone as a text."""
        account = shared.twilio
        if account is None or (message.event in _CALLS and not account.caller):
            return Receipt(ReceiptKind.PERMANENT, NO_CALLER if account else "channels.twilio is missing")
        if message.event not in _CALLS:
            return Sms().send(message, SmsSpec(to=spec.to), shared, doors, deadline, short=short)
        if message.maybe and _busy(account, spec.to, doors, deadline):
            return Receipt(ReceiptKind.TEMPORARY, "a call to this phone is under way", retry_after=LOOK_AGAIN)
        # The least that is a page names no address of ours: it may be what was refused.
        asks = answerable(message, doors) and not short
        action = digit_url(doors.public_url, message.token) if asks else ""
        form: dict[str, str | list[str]] = {
            "To": spec.to,
            "From": account.caller,
            "Twiml": self.render(message, short=short, action=action),
            "Timeout": str(RINGS),
            "TimeLimit": str(LASTS),
        }
        status = "" if short else status_url(doors.public_url, message.key)
        if status:
            form["StatusCallbackEvent"] = ["answered", "completed"]
        return post(account, CALLS, form, doors, deadline, status=status)


def _without_keys(message: Message, more: str) -> str:
    return f"{ELSEWHERE} {more}" if message.event in PAGES else more


def _busy(account: Twilio, to: str, doors: Doors, deadline: float) -> bool:
    """Whether the phone rings already, perhaps by an earlier try of this very page: its end tells which it was."""
    try:
        return rings_now(account, to, doors, deadline)
    except PortError:
        return False


def _fits(channel: Voice) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
