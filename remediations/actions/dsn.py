"""What a PostgreSQL connection string may tell: the database's name for people and locks, never the string itself.

libpq has the full grammar; the core may not load it (it opens sockets), and needs two words only. So a string that
does not plainly name one host and one database is refused, which also keeps a badly quoted password out of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator

from config.problems import Wrong
from config.secrets import HIDDEN, Secret

DEFAULT_PORT = "5432"
_SCHEMES = ("postgresql", "postgres")
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|$)")
_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9._:-]{0,252}|/[A-Za-z0-9._/-]{1,107}")
"""A name, an address, or the folder of a socket; one, not a list of them."""
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_KEPT = ("user", "password", "passfile", "sslkey", "sslcert", "sslpassword")
"""Words of a connection string that no text repeats."""
_REMEDY = "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or host=HOST dbname=DATABASE"


def database_of(dsn: str) -> str:
    """`host/database`, with the port where it is not the usual one. Raises `Wrong`, which repeats nothing of it."""
    words = _words(dsn)
    host = words.get("host") or words.get("hostaddr", "")
    port, name = words.get("port") or DEFAULT_PORT, words.get("dbname", "")
    if not _HOST.fullmatch(host) or not _HOST.fullmatch(words.get("hostaddr") or host):
        raise Wrong("the connection string does not name one host", _REMEDY)
    if not _PLAIN.fullmatch(name):
        raise Wrong("the connection string does not name a database", _REMEDY)
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise Wrong("the connection string has a port that is none", _REMEDY)
    return f"{host}/{name}" if port == DEFAULT_PORT else f"{host}:{port}/{name}"


def _named(secret: Secret) -> Secret:
    database_of(secret.reveal())
    return secret


Dsn = Annotated[Secret, AfterValidator(_named)]
"""The secret connection string of one database on one server."""


class Hidden:
    """Takes what connection strings keep to themselves out of what servers and clients say."""

    def __init__(self, dsns: Iterable[str]) -> None:
        kept = {dsn for dsn in dsns if dsn}
        for dsn in tuple(kept):
            kept |= {word for name, word in _words(dsn).items() if name in _KEPT and word}
        longest_first = sorted(kept, key=len, reverse=True)
        self._pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in longest_first))
        self._any = bool(kept)

    def text(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._any else text


def _words(dsn: str) -> Mapping[str, str]:
    """Keyword -> value; empty when it is no connection string."""
    if dsn.startswith(tuple(f"{scheme}://" for scheme in _SCHEMES)):
        return _of_address(dsn)
    words, at = {}, 0
    text = dsn.strip()
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            return {}
        value = found[2][1:-1] if found[2].startswith("'") else found[2]
        words[found[1]] = re.sub(r"\\(.)", r"\1", value)
        at = found.end()
    return words


def _of_address(dsn: str) -> Mapping[str, str]:
    try:
        parts = urlsplit(dsn)
        asked = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        before, _, server = parts.netloc.rpartition("@")
        host, port = parts.hostname, parts.port
    except ValueError:
        return {}
    if (
        "@" in before or "," in server or parts.fragment
    ):  # several hosts, or a sign that should be written %40
        return {}
    user, _, password = before.partition(":")
    words = {
        "user": unquote(user),
        "password": unquote(password),
        "host": unquote(host or ""),
        "port": str(port or ""),
        "dbname": unquote(parts.path.removeprefix("/")),
    }
    return {**words, **asked}
