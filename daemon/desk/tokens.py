"""Named API tokens: a random text of which only the SHA-256 is kept, with a role.

A token has 256 bits of randomness, so a plain hash is enough: there is nothing to guess that a slow hash would slow.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from config.problems import Wrong
from config.secrets import Secret
from config.section import Section

NAMED = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
PREFIX = "fm_"
MAX_LENGTH = 200
"""Longer texts are no tokens of ours and are not even hashed."""

_HEX = re.compile(r"[0-9a-fA-F]{64}")


class Role(StrEnum):
    """Each may do what the one before may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    """Orders on incidents, pauses, silences, maintenance, changes."""
    ADMIN = "admin"
    """Reload and tokens."""

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    def may(self, needed: Role) -> bool:
        return self.rank >= needed.rank


class TokenSpec(Section):
    """One entry of `tokens:`. `sha256`: 64 hexadecimal digits, as `fleetmend token` prints them."""

    name: Annotated[str, Field(pattern=NAMED)]
    role: Role = Role.VIEWER
    sha256: Secret

    @model_validator(mode="after")
    def _is_a_digest(self) -> Self:
        if not _HEX.fullmatch(self.sha256.reveal()):
            raise Wrong(
                f"the sha256 of token {self.name!r} is not 64 hexadecimal digits",
                "make one with: fleetmend token NAME",
            )
        return self


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `via`: cli | api | console | link."""

    name: str
    role: Role
    via: str


class Tokens:
    """Answers whose token a text is. Holds digests only."""

    def __init__(self, specs: Iterable[TokenSpec]) -> None:
        self._known = tuple((spec.sha256.reveal().lower(), spec.name, spec.role) for spec in specs)

    def check(self, token: str, *, via: str = "api") -> Caller | None:
        """The caller behind a token, None when nobody's. Takes as long for a near miss as for any other."""
        if not token or len(token) > MAX_LENGTH:
            return None
        digest = digest_of(token)
        found: Caller | None = None
        for known, name, role in self._known:
            if hmac.compare_digest(digest, known):
                found = Caller(name, role, via)
        return found

    def __len__(self) -> int:
        return len(self._known)

    def seal(self, name: str) -> str:
        """Tells nothing of the token behind a name and changes with it; empty when there is none."""
        return next((_seal(digest) for digest, known, _ in self._known if known == name), "")

    def recall(self, name: str, seal: str, *, via: str) -> Caller | None:
        """The caller of a login made earlier, with the role it has by now; None once its token was replaced."""
        for digest, known, role in self._known:
            if known == name and hmac.compare_digest(_seal(digest).encode(), seal.encode()):
                return Caller(name, role, via)
        return None


def _seal(digest: str) -> str:
    return hashlib.sha256(f"login {digest}".encode()).hexdigest()[:32]


def digest_of(token: str) -> str:
    """What the configuration keeps of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def new_token() -> str:
    """A fresh random token; it is shown once and kept nowhere."""
    return PREFIX + secrets.token_urlsafe(32)
