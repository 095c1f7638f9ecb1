"""A strict Twilio Messages resource: form fields, lengths and numbers as its documentation has them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import Scripted, answer

SID = "AC" + "0123456789abcdef" * 2
TOKEN = "twilio-auth-token-secret"
URL = f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json"
FROM, TO = "+15550001111", "+33612345678"
_KNOWN = {"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"}
MAX_BODY, MAX_VALIDITY = 1_600, 36_000
_E164 = re.compile(r"\+[1-9]\d{1,14}")


@dataclass
class FakeTwilio(Scripted):
    """`sent`: the forms that were queued. Every one is a message of its own: there is no idempotency key."""

    script: list[Response | PortError] = field(default_factory=list)
    sent: list[dict[str, str]] = field(default_factory=list)

    def _take(self, request: Request) -> Response:
        if request.basic_auth != (SID, TOKEN):
            return _error(401, 20003, "Authenticate")
        pairs = parse_qs((request.body or b"").decode("ascii"), keep_blank_values=True, strict_parsing=True)
        form = {name: values[0] for name, values in pairs.items()}
        repeated = any(len(values) > 1 for values in pairs.values())
        known = request.headers.get("Content-Type") == "application/x-www-form-urlencoded" and not repeated
        problem = _problem(form) if known else (20001, "unknown or repeated parameter")
        if problem is not None:
            return _error(400, *problem)
        self.sent.append(form)
        return answer(201, json.dumps({"sid": f"SM{len(self.sent):032x}", "status": "queued"}))


def _problem(form: dict[str, str]) -> tuple[int, str] | None:
    """The first documented rule that is broken: (code, message)."""
    body = form.get("Body", "")
    broken = {
        (20001, "unknown parameter"): bool(form.keys() - _KNOWN),
        (21211, "Invalid 'To' Phone Number"): not _E164.fullmatch(form.get("To", "")),
        (21603, "A 'From' phone number is required"): ("From" in form) == ("MessagingServiceSid" in form),
        (21602, "Message body is required"): not body,
        (21617, "The concatenated message body exceeds the 1600 character limit"): len(body) > MAX_BODY,
        (21623, "Invalid ValidityPeriod"): not 1 <= int(form.get("ValidityPeriod", "14400")) <= MAX_VALIDITY,
    }
    return next((problem for problem, holds in broken.items() if holds), None)


def _error(status: int, code: int, message: str) -> Response:
    return answer(status, json.dumps({"code": code, "message": message, "status": status}))
