"""Sessions: who is logged in, as a signed cookie; the token of its forms; signed links that acknowledge.

Everything is signed with the newest key and accepted with either, so a key can be rotated without sending anyone
home. Expiry is written inside and judged by the caller's clock.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from daemon.desk.tokens import Caller, Tokens

COOKIE = "fleetmend_session"
LINK_HOLDS = 86_400.0
"""Seconds for which a link in a page acknowledges."""
_MAX = 2_000
_ID = re.compile(r"[a-z]{2}-[a-z2-7]{6}")

Keys = Callable[[], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Session:
    """`id` is random and binds the forms; `name` and `seal` say whose token opened it, both empty before login."""

    id: str
    until: float
    name: str = ""
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that does one thing for one person."""

    incident: str
    person: str
    level: int
    until: float


class LinkRefused(Exception):
    """Not a link of ours, or too old. `incident`: which one it speaks of, "" when nobody can tell."""

    def __init__(self, why: str, incident: str = "") -> None:
        self.incident = incident
        super().__init__(why)


class Sessions:
    """Makes and reads what is signed. `keys`: the newest first; without any, a key of this process's own."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._own = secrets.token_bytes(32)

    def open(self, now: float, holds: float, caller: Caller | None = None, seal: str = "") -> Session:
        """A new session, of a caller or of nobody yet; its id was never seen before."""
        return Session(secrets.token_urlsafe(16), now + holds, caller.name if caller else "", seal)

    def cookie(self, session: Session) -> str:
        return self._sign("session", [session.id, session.until, session.name, session.seal])

    def read(self, cookie: str | None, now: float) -> Session | None:
        """The session of a cookie that we signed and that is not over."""
        match self._verified("session", cookie):
            case [str(key), int() | float() as until, str(name), str(seal)] if now < until:
                return Session(key, float(until), name, seal)
        return None

    def caller(self, session: Session | None, tokens: Tokens) -> Caller | None:
        """Who is logged in, as long as the very token that logged in is still configured."""
        if session is None or not session.name:
            return None
        return tokens.recall(session.name, session.seal, via="console")

    def form_token(self, session: Session) -> str:
        """What every form of this session has to carry."""
        return self._mac(self._all()[0], session)

    def form_fits(self, session: Session, given: str) -> bool:
        shown = given[:100].encode()
        return any(hmac.compare_digest(self._mac(key, session).encode(), shown) for key in self._all())

    def link(self, incident: str, person: str, level: int, now: float) -> str:
        """The token of a link that acknowledges `incident` for `person`, for the next 24 hours."""
        return self._sign("ack", [incident, person, level, now + LINK_HOLDS, secrets.token_urlsafe(6)])

    def follow(self, token: str, now: float) -> Link:
        """What a link asks for. Raises `LinkRefused`."""
        match self._verified("ack", token):
            case [str(incident), str(person), int(level), int() | float() as until, str()]:
                if now >= until:
                    raise LinkRefused("this link is older than 24 hours", incident)
                return Link(incident, person, level, float(until))
        raise LinkRefused("this is no link of ours, or it was changed on its way", self._claimed(token))

    def feed(self, *, schedule: str = "", person: str = "") -> str | None:
        """The token of an address that shows the turns of one schedule or person.

        None without a key that outlasts this process.
        """
        return self._sign("feed", [schedule, person]) if self._keys() else None

    def feed_of(self, token: str) -> tuple[str, str] | None:
        """The schedule and person that a feed's token shows; of both, whatever is empty stands for all."""
        match self._verified("feed", token):
            case [str(schedule), str(person)]:
                return schedule, person
        return None

    def _claimed(self, token: str) -> str:
        """The incident a broken link names: shown as a hint, trusted for nothing, and not unpacked for anybody."""
        if len(token) > _MAX or token.startswith("."):
            return ""
        _, payload = self._serializer("ack").loads_unsafe(token)
        first = payload[0] if isinstance(payload, list) and payload else ""
        return first if isinstance(first, str) and _ID.fullmatch(first) else ""

    def _all(self) -> list[bytes]:
        return [*self._keys()] or [self._own]

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        # The library signs with the last key and reads with all.
        return URLSafeSerializer(
            [*reversed(self._all())],
            salt=f"fleetmend {purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def _sign(self, purpose: str, payload: list[Any]) -> str:
        text = self._serializer(purpose).dumps(payload)
        return text if isinstance(text, str) else text.decode()

    def _verified(self, purpose: str, text: str | None) -> Any:
        if not text or len(text) > _MAX:
            return None
        try:
            return self._serializer(purpose).loads(text)
        except BadData:
            return None

    @staticmethod
    def _mac(key: bytes, session: Session) -> str:
        return hmac.new(key, f"form {session.id}".encode(), hashlib.sha256).hexdigest()
