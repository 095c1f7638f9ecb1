"""A strict Twilio: its Messages and Calls resources, TwiML, and what it posts back, as its documentation has them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import Scripted, answer

SID = "AC" + "0123456789abcdef" * 2
TOKEN = "twilio-auth-token-secret"
BASE = f"https://api.twilio.com/2010-04-01/Accounts/{SID}"
URL, CALLS_URL = f"{BASE}/Messages.json", f"{BASE}/Calls.json"
FROM, TO = "+15550001111", "+33612345678"
HOME = "https://fleetmend.example.org"
"""Where Twilio reaches us."""
_MESSAGE = {"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"}
_CALL = {
    "To", "From", "Url", "Twiml", "Method", "StatusCallback", "StatusCallbackEvent", "StatusCallbackMethod", "Timeout",
    "TimeLimit",
}  # fmt: skip
_EVENTS = {"initiated", "ringing", "answered", "completed"}
MAX_BODY, MAX_VALIDITY, MAX_TWIML, MAX_SAY = 1_600, 36_000, 4_000, 4_096
_E164 = re.compile(r"\+[1-9]\d{1,14}")
_ATTRIBUTES = {
    "Say": {"voice", "language", "loop"},
    "Pause": {"length"},
    "Gather": {"numDigits", "timeout", "action", "method", "finishOnKey", "actionOnEmptyResult", "input"},
    "Message": {"to", "from", "action", "method"},
}
Problem = tuple[int, str]


@dataclass
class FakeTwilio(Scripted):
    """`texts`, `calls`: as its lists show them, oldest first, with the form (`asked`) that made each.

    Every one is of its own: there is no idempotency key.
    """

    script: list[Response | PortError] = field(default_factory=list)
    texts: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def _take(self, request: Request) -> Response:
        if request.basic_auth != (SID, TOKEN):
            return _error(401, 20003, "Authenticate")
        place = urlsplit(request.url)
        resource = place.path.rpartition("/")[2].removesuffix(".json")
        if request.method == "GET":
            return self._list(resource, parse_qs(place.query))
        pairs = parse_qs((request.body or b"").decode("ascii"), keep_blank_values=True, strict_parsing=True)
        if request.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return _error(400, 20001, "a form is expected")
        form = {name: values[0] for name, values in pairs.items()}
        known, judge = (_MESSAGE, _message_problem) if resource == "Messages" else (_CALL, _call_problem)
        events = pairs.get("StatusCallbackEvent", [])
        repeated = any(len(values) > 1 for name, values in pairs.items() if name != "StatusCallbackEvent")
        problem = (
            (20001, "unknown or repeated parameter")
            if repeated or form.keys() - known
            else (21626, "Invalid StatusCallbackEvents")
            if set(events) - _EVENTS
            else judge(form)
        )
        return _error(400, *problem) if problem else self._create(resource, form)

    def _create(self, resource: str, form: dict[str, str]) -> Response:
        kept, letters = (self.texts, "SM") if resource == "Messages" else (self.calls, "CA")
        one = {
            "sid": f"{letters}{len(kept) + 1:032x}",
            "status": "queued",
            "to": form["To"],
            "from": form.get("From", ""),
            "direction": "outbound-api",
        }
        kept.append(one | ({"body": form["Body"]} if "Body" in form else {}) | {"asked": form})
        return answer(201, json.dumps(one))

    def _list(self, resource: str, query: dict[str, list[str]]) -> Response:
        if query.keys() - {"To", "From", "PageSize"} or resource not in {"Messages", "Calls"}:
            return _error(400, 20001, "unknown parameter")
        size = int(query.get("PageSize", ["50"])[0])
        wanted = query.get("To", [""])[0]
        kept = self.texts if resource == "Messages" else self.calls
        found = [one for one in reversed(kept) if wanted in {"", one["to"]}][:size]
        return answer(200, json.dumps({resource.lower(): found, "page_size": size}))


def _message_problem(form: dict[str, str]) -> Problem | None:
    """The first documented rule that is broken: (code, message)."""
    body = form.get("Body", "")
    broken = {
        (21211, "Invalid 'To' Phone Number"): not _E164.fullmatch(form.get("To", "")),
        (21603, "A 'From' phone number is required"): ("From" in form) == ("MessagingServiceSid" in form),
        (21602, "Message body is required"): not body,
        (21617, "The concatenated message body exceeds the 1600 character limit"): len(body) > MAX_BODY,
        (21623, "Invalid ValidityPeriod"): not 1 <= int(form.get("ValidityPeriod", "14400")) <= MAX_VALIDITY,
        (21609, "Invalid 'StatusCallback' parameter"): not _reachable(form.get("StatusCallback", HOME)),
    }
    return next((problem for problem, holds in broken.items() if holds), None)


def _call_problem(form: dict[str, str]) -> Problem | None:
    ways = [name for name in ("Url", "Twiml") if name in form]
    broken = {
        (21211, "Invalid 'To' Phone Number"): not _E164.fullmatch(form.get("To", "")),
        (21212, "Invalid 'From' Phone Number"): not _E164.fullmatch(form.get("From", "")),
        (21205, "Url or Twiml, one of them"): len(ways) != 1,
        (21609, "Invalid 'StatusCallback' parameter"): not _reachable(form.get("StatusCallback", HOME)),
        (21208, "Invalid Timeout"): not 1 <= _whole(form.get("Timeout", "60")) <= 600,
        (21233, "Invalid TimeLimit"): _whole(form.get("TimeLimit", "14400")) < 1,
        (21228, "Invalid Twiml"): "Twiml" in form
        and (len(form["Twiml"]) > MAX_TWIML or bool(twiml_problems(form["Twiml"], "Say", "Pause", "Gather"))),
    }
    return next((problem for problem, holds in broken.items() if holds), None)


def twiml_problems(text: str, *verbs: str) -> list[str]:
    """What of TwiML's rules is broken. `verbs`: those that make sense where it is used."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        return [f"12100 Document parse failure: {error}"]
    problems = [] if root.tag == "Response" and not root.attrib else ["12102 no Response"]
    for verb in root.iter():
        if verb is root:
            continue
        problems += [f"12200 {verb.tag}: invalid verb"] if verb.tag not in verbs else []
        unknown = verb.attrib.keys() - _ATTRIBUTES.get(verb.tag, set())
        problems += [f"12200 {verb.tag}: invalid attribute {name}" for name in unknown]
        if verb.tag in {"Say", "Message"} and not 0 < len((verb.text or "").strip()) <= MAX_SAY:
            problems.append(f"13520 {verb.tag}: invalid text")
    for gather in root.iter("Gather"):
        problems += [
            f"13320 invalid nested verb {inner.tag}"
            for inner in gather
            if inner.tag not in {"Say", "Pause", "Play"}
        ]
        problems += [] if _whole(gather.get("numDigits", "1")) > 0 else ["13314 invalid numDigits"]
        problems += [] if _reachable(gather.get("action", HOME)) else ["11100 invalid action"]
        problems += [] if gather.get("method", "POST") in {"GET", "POST"} else ["13312 invalid method"]
    return problems


def heard(twiml: str) -> str:
    """Everything a caller hears, or reads in a reply, in order."""
    root = ET.fromstring(twiml)
    return " ".join(said.text or "" for said in root.iter() if said.tag in {"Say", "Message"})


def action_of(twiml: str) -> str:
    """Where the first key that is pressed is told; empty when none is asked for."""
    gather = ET.fromstring(twiml).find("Gather")
    return gather.get("action", "") if gather is not None else ""


def signature(url: str, form: Mapping[str, str], token: str = TOKEN) -> str:
    """What `X-Twilio-Signature` holds for a post to `url`."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _reachable(url: str) -> bool:
    """Whether it is an absolute address of a host that may be a public one."""
    place = urlsplit(url)
    host = place.hostname or ""
    if place.scheme not in {"http", "https"} or not host or "_" in host or host == "localhost":
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return True


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _error(status: int, code: int, message: str) -> Response:
    return answer(status, json.dumps({"code": code, "message": message, "status": status}))
