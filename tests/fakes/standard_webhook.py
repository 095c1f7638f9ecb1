"""A receiver that verifies as the Standard Webhooks specification asks, written from it and not from our sender."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import FakeClock, Scripted, answer

URL = "https://hooks.example.org/pages"
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
TOLERANCE = 300


@dataclass
class FakeReceiver(Scripted):
    """`taken`: webhook id to its payload; a repeated id is answered and not taken twice."""

    clock: FakeClock
    secret: str = SECRET
    script: list[Response | PortError] = field(default_factory=list)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeats: int = 0
    max_bytes: int = 20_000

    def _take(self, request: Request) -> Response:
        body = request.body or b""
        identity = request.headers.get("webhook-id", "")
        at = request.headers.get("webhook-timestamp", "")
        if not identity or "." in identity or not at.isdigit():
            return answer(400, "no usable webhook-id or webhook-timestamp")
        if abs(int(at) - self.clock.now()) > TOLERANCE:
            return answer(400, "timestamp out of tolerance")
        if not self._signed(
            f"{identity}.{at}.".encode() + body, request.headers.get("webhook-signature", "")
        ):
            return answer(401, "no signature fits")
        if len(body) > self.max_bytes:
            return answer(413, "too large")
        payload = json.loads(body.decode("utf-8"))
        if not {"type", "timestamp", "data"} <= payload.keys():
            return answer(400, "type, timestamp and data are expected")
        self.repeats += identity in self.taken
        self.taken.setdefault(identity, payload)
        return answer(204)

    def _signed(self, signed: bytes, header: str) -> bool:
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        offered = [part.partition(",") for part in header.split(" ")]
        return any(version == "v1" and hmac.compare_digest(value, expected) for version, _, value in offered)
