"""Twilio as text messages and calls share it: numbers, requests, what its answers mean, the addresses it calls back.

Source of the wire contract: Twilio docs, "Message resource", "Call resource", "Errors and warnings". Twilio knows no
idempotency key. A text can be looked up by what it says; a call's record holds nothing of ours, but what it tells of
itself afterwards is addressed to the delivery.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from pydantic import BeforeValidator, WithJsonSchema

from config.problems import Wrong
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.shared import Twilio
from daemon.escalate.channels.wire import exchange
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.owed import PAGES
from remediations.ports import PortError, Request, Response

E164 = r"^\+[1-9]\d{6,14}$"
MESSAGES, CALLS = "Messages", "Calls"
BACK = "/api/v1/callbacks/twilio"
"""Where all that Twilio posts to us arrives."""
CODE_DIGITS = 6
PROOF_WITHIN = 120.0
"""Seconds within which Twilio says that it was delivered or answered; else the person's next channel is used too."""
LOOKED_AT = 50
"""Newest texts to a number that are looked at: hours of them, as often as anybody is sent one."""
_LATER = frozenset({14107, 20429, 20503, 21611, 30001})
"""Codes of what may work later though the answer is a 400: too much at once, a queue that is full."""
_CODE = re.compile(r'"code":\s*(\d+)')
_NUMBER = re.compile(r"(?:\+|%2B)[1-9]\d{4,12}(\d\d)(?!\d)", re.ASCII | re.IGNORECASE)
MAX_LIST = 500_000
"""Bytes of such a list: a text and its record have some 4 000 together."""
_UNDER_WAY = frozenset({"queued", "ringing", "in-progress"})
_LOST = frozenset({"failed", "undelivered", "canceled"})
_SPELLING = re.compile(r"[A-Za-z0-9_-]{1,1000}")


def number(text: object) -> str:
    """Raises `Wrong`. Without quotes YAML reads a number, and the plus is lost: nothing is guessed then."""
    if isinstance(text, str) and re.fullmatch(E164, text, re.ASCII):
        return text
    raise Wrong(
        "no phone number as E.164 writes it", 'write it in quotes, with plus and country: "+33612345678"'
    )


Number = Annotated[str, BeforeValidator(number), WithJsonSchema({"type": "string", "pattern": E164})]
"""A phone number as E.164 writes it."""


def post(
    account: Twilio,
    resource: str,
    form: Mapping[str, str | list[str]],
    doors: Doors,
    deadline: float,
    *,
    status: str = "",
    proof: bool = True,
) -> Receipt:
    """Create a message or a call, once; its `sid` is what the provider calls it.

    `status`: where it tells what became of it; without one it is not asked. `proof`: whether it always does, if asked.
    """
    given = {**form, "StatusCallback": status} if status else form
    request = Request(
        "POST",
        _address(account, resource),
        {"Content-Type": "application/x-www-form-urlencoded"},
        urlencode(given, doseq=True).encode(),
        basic_auth=(account.account_sid, account.tokens[0]),
    )
    receipt = exchange(
        request, replace(doors, redact=lambda text: unnumbered(doors.redact(text))), deadline, _created
    )
    if receipt.kind is ReceiptKind.OK:
        return replace(receipt, proof_within=PROOF_WITHIN if status and proof else None)
    code = _CODE.search(receipt.detail)
    if receipt.kind is ReceiptKind.PERMANENT and code is not None and int(code[1]) in _LATER:
        return replace(receipt, kind=ReceiptKind.TEMPORARY)
    return receipt


def unnumbered(text: str) -> str:
    """Phone numbers by their last two digits: Twilio names them in what it refuses, and rows are read by many."""
    return _NUMBER.sub(r"+…\1", text)


def sent_before(account: Twilio, to: str, ends: str, doors: Doors, deadline: float) -> Receipt | None:
    """What became of a text to `to` that ends so, if there is one that may still arrive. Raises `PortError`.

    Not asked for by date: what still waits in Twilio's queue was not sent at any time yet.
    """
    for text in _listed(account, MESSAGES, to, doors, deadline):
        if str(text.get("body")).endswith(ends) and text.get("status") not in _LOST:
            found = "found there: an earlier try arrived"
            return Receipt(ReceiptKind.OK, found, provider_id=str(text.get("sid", "")))
    return None


def rings_now(account: Twilio, to: str, doors: Doors, deadline: float) -> bool:
    """Whether a call to `to` is under way, of whatever delivery: its record does not tell. Raises `PortError`."""
    calls = _listed(account, CALLS, to, doors, deadline)
    return any(call.get("status") in _UNDER_WAY for call in calls)


def _listed(account: Twilio, resource: str, to: str, doors: Doors, deadline: float) -> list[dict[str, Any]]:
    """The newest that went to a number. Raises `PortError`."""
    query = urlencode({"To": to, "PageSize": str(LOOKED_AT)})
    url = f"{_address(account, resource)}?{query}"
    request = Request("GET", url, basic_auth=(account.account_sid, account.tokens[0]))
    response = doors.http.send(request, deadline=deadline, max_bytes=MAX_LIST)
    try:
        found = orjson.loads(response.body)[resource.lower()] if response.status == 200 else None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        found = None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise PortError(f"{response.status} and no list of {resource.lower()}", sent=False)
    return found


def code_of(account: Twilio, incident: str, phone: str) -> tuple[str, ...]:
    """What is replied from a phone to acknowledge an incident; one per token while they are changed, the newest first.

    Nobody can tell it who was not sent it: a sender's number can be forged.
    """
    text = f"{incident}\n{phone}".encode()
    found = [int.from_bytes(hmac.digest(token.encode(), text, "sha256")[:8]) for token in account.tokens]
    return tuple(f"{one % 10**CODE_DIGITS:0{CODE_DIGITS}d}" for one in found)


def status_url(home: str, key: str) -> str:
    """Where Twilio tells what became of the delivery `key`; empty without a `home` that it could reach."""
    spelled = base64.urlsafe_b64encode(key.encode(errors="replace")).decode().rstrip("=")
    return f"{home.rstrip('/')}{BACK}/status/{spelled}" if home else ""


def key_in(spelled: str) -> str | None:
    """The key that `status_url` spelled."""
    if not _SPELLING.fullmatch(spelled):
        return None
    try:
        return base64.urlsafe_b64decode(spelled + "=" * (-len(spelled) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def digit_url(home: str, token: str) -> str:
    """Where Twilio tells which key was pressed."""
    return f"{home.rstrip('/')}{BACK}/digit/{token}"


def answerable(message: Message, doors: Doors) -> bool:
    """Whether its reader can acknowledge by phone: one incident that asks for hands, a token, and we can be reached."""
    one_page = message.event in PAGES and not message.several
    return bool(one_page and message.token and doors.public_url)


def _address(account: Twilio, resource: str) -> str:
    return f"{account.url}/2010-04-01/Accounts/{account.account_sid}/{resource}.json"


def _created(response: Response) -> Receipt:
    """A 2xx without an identity was no answer of Twilio's."""
    try:
        said = orjson.loads(response.body)
        sid, status = str(said["sid"]), str(said["status"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = response.body[:200].decode("utf-8", "replace")
        return Receipt(
            ReceiptKind.TEMPORARY, f"{response.status} without a sid: {text}", status=response.status
        )
    if status in _LOST:
        return Receipt(ReceiptKind.PERMANENT, f"{status}: {said.get('error_code')}", status=response.status)
    return Receipt(ReceiptKind.OK, f"{response.status} {status}", status=response.status, provider_id=sid)
