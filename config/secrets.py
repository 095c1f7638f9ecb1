"""Secrets: taken from the environment or a file at load, shown nowhere, and hidden wherever they slip into a text.

A secret is written `{env: NAME}` or `{file: PATH}`, never as plain text. Values shorter than `MIN_LENGTH`
characters are refused at load: so short a value cannot be hidden in an output without mangling innocent text,
and it is no protection either.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from config.problems import Wrong
from config.regular import read_regular
from config.spelling import spelled

MIN_LENGTH = 6
MAX_FILE_BYTES = 64 * 1024
MOST_FORMER = 200
HIDDEN = "***"
_CONTEXT_KEY = "environment"
_MIN_LINE = 12
_DATABASES = ("postgresql", "postgres")
_KEYWORD_PASSWORD = re.compile(r"(?:^|\s)password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)")
"""Of a connection string that is written in keywords."""
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=%")
_WRAP = 40
"""Characters of a line of base64 at least: programs break it at 64 or 76."""
_BREAK = re.compile(r"(?:\r|\\{1,8}r)?(?:\n|\\{1,8}n)[ \t]{0,8}")
_LINES = re.compile(
    rf"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{{{_WRAP},200}}={{0,2}}{_BREAK.pattern})+[A-Za-z0-9+/_-]+={{0,2}}"
)
_REMEDY = "write {env: NAME} or {file: PATH}"


def read_secret_file(path: Path) -> str:
    """The file's text without its final line end. Raises OSError (also for a pipe or a device), or ValueError when over 64 KiB or not UTF-8."""
    content = read_regular(path, MAX_FILE_BYTES)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
    return content.decode().rstrip("\r\n")


class Environment:
    """Where secrets come from while a configuration loads, and which ones were taken (for the `Redactor`)."""

    def __init__(
        self, variables: Mapping[str, str], read_file: Callable[[Path], str] = read_secret_file
    ) -> None:
        self._variables = variables
        self._read_file = read_file
        self._taken: set[str] = set()
        self._former: dict[str, None] = {}

    @property
    def secrets(self) -> frozenset[str]:
        """Every value resolved so far, and those of earlier configurations, in plain."""
        return frozenset({*self._taken, *self._former})

    def succeed(self, earlier: Environment) -> None:
        """Take an earlier configuration's place: what was secret then stays so, the newest `MOST_FORMER` of it.

        A secret that was changed still stands in answers under way, and in what others wrote down.
        """
        former = [*earlier._former, *sorted(earlier._taken - self._taken)]
        self._former = dict.fromkeys(former[-MOST_FORMER:])

    @property
    def context(self) -> dict[str, object]:
        """What to pass as `context=` to `model_validate` of a model with secrets in it."""
        return {_CONTEXT_KEY: self}

    def take(self, reference: Mapping[str, str]) -> str:
        """The value behind `{env: NAME}` or `{file: PATH}`. Raises `Wrong`; the value is never in the message."""
        kind, name = next(iter(reference.items()))
        value = self._variable(name) if kind == "env" else self._file(name)
        if len(value) < MIN_LENGTH:
            problem = "is empty" if not value else f"is shorter than {MIN_LENGTH} characters"
            raise Wrong(
                f"the secret from {kind} {name} {problem}",
                "a secret this short can be guessed and not hidden",
            )
        self._taken.add(value)
        return value

    def _variable(self, name: str) -> str:
        try:
            return self._variables[name]
        except KeyError:
            raise Wrong(
                f"the environment variable {name} is not set", f"set {name}, or use {{file: PATH}}"
            ) from None

    def _file(self, name: str) -> str:
        try:
            return self._read_file(Path(name))
        except OSError as error:
            raise Wrong(
                f"cannot read the secret file {name}: {error.strerror}", "check path and permissions"
            ) from None
        except ValueError:
            raise Wrong(
                f"the secret file {name} is not text of at most {MAX_FILE_BYTES} bytes",
                "store the bare secret in it",
            ) from None


class Secret:
    """A value that only `.reveal()` shows; text forms and dumps show `***` or where it comes from."""

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, reference: Mapping[str, str] | None = None) -> None:
        self._value = value
        self.reference: Mapping[str, str] = dict(reference or {})
        """`{"env": NAME}` or `{"file": PATH}`: safe to show."""

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        del spec
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        raise TypeError("a secret is not pickled")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        del memo
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source, handler
        return core_schema.with_info_plain_validator_function(
            secret_from,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda secret: dict(secret.reference)
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema, handler
        return {
            "type": "object",
            "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }


def secret_from(value: object, info: ValidationInfo) -> Secret:
    """The secret behind a reference, from the environment of the validation. Raises `Wrong`."""
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        raise Wrong(
            "a secret must not stand in the file in plain",
            f"{_REMEDY}, and change the secret: it was written down",
        )
    if not isinstance(value, dict) or len(value) != 1 or not {"env", "file"} & value.keys():
        raise Wrong("expected a secret", _REMEDY)
    reference = {key: name for key, name in value.items() if isinstance(name, str) and name}
    if not reference:
        raise Wrong("expected the name of a variable or the path of a file", _REMEDY)
    environment = (info.context or {}).get(_CONTEXT_KEY)
    if not isinstance(environment, Environment):
        raise Wrong(
            "no environment to take the secret from", "validate with context=Environment(...).context"
        )
    return Secret(environment.take(reference), reference)


class Redactor:
    """Hides secrets in texts and data, however they are spelled: plain, base64 (so Basic auth too, also in lines), URL-,
    JSON- and HTML-escaped, once or twice over.

    Costs one pass of a compiled alternation per text; a redactor without secrets returns its input.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = {
            part
            for secret in secrets
            for part in (secret, *_long_lines(secret), *_address_parts(secret))
            if len(part) >= MIN_LENGTH
        }
        longest_first = sorted(parts, key=lambda part: (-len(part), part))
        self._plain = _any_of(map(spelled, longest_first))
        cores = {core for part in parts for core in _base64_cores(part.encode())}
        self._encoded = _any_of(map(_wired, sorted(cores, key=lambda core: (-len(core), core))))

    def text(self, text: str) -> str:
        """The text with every form of every secret replaced by `***`."""
        if self._plain is not None:
            text = self._plain.sub(HIDDEN, text)
        if self._encoded is not None:
            text = _hide_runs(self._encoded, text)
            if len(text) > _WRAP and _LINES.search(text):
                text = _LINES.sub(self._lines, text)
        return text

    def _lines(self, found: re.Match[str]) -> str:
        """Base64 that was broken into lines: hidden as a whole when a secret is in it."""
        assert self._encoded is not None
        return HIDDEN if self._encoded.search(_BREAK.sub("", found[0])) else found[0]

    def data(self, data: Any) -> Any:
        """A copy of nested maps, lists and tuples with every text (keys too) redacted; bytes as text would be."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, bytes):
            return self.text(data.decode("utf-8", "replace")).encode()
        if isinstance(data, Mapping):
            return {self.data(key): self.data(value) for key, value in data.items()}
        if isinstance(data, list):
            return [self.data(item) for item in data]
        if isinstance(data, tuple):
            return tuple(self.data(item) for item in data)
        return data


def _long_lines(secret: str) -> list[str]:
    """Lines of a key file that may be printed one by one."""
    lines = secret.splitlines()
    return (
        [line for line in lines if len(line) >= _MIN_LINE and not line.startswith("-----")]
        if len(lines) > 1
        else []
    )


def _address_parts(secret: str) -> list[str]:
    """What of a secret address is told without the rest: its path by a client's errors, a token of it by a server's.

    Of a database's connection string only the password: host and database are what people know it by.
    """
    found = _KEYWORD_PASSWORD.search(secret)
    if found is not None:
        written = found[1][1:-1] if found[1].startswith("'") else found[1]
        return [re.sub(r"\\(.)", r"\1", written)]
    try:
        parts = urlsplit(secret) if "://" in secret[:16] else None
    except ValueError:
        parts = None
    if parts is None or not parts.netloc:
        return []
    password = [parts.password, unquote(parts.password)] if parts.password else []
    if parts.scheme in _DATABASES:
        return password
    query = f"?{parts.query}" if parts.query else ""
    words = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    tokens = [word for word in words if len(word) >= _MIN_LINE and re.search(r"\d", word)]
    whole = [f"{parts.path}{query}"] if len(parts.path) + len(query) >= _MIN_LINE else []
    return [*whole, *tokens, *password]


def _base64_cores(secret: bytes) -> set[str]:
    """For each of the three alignments, the characters that depend on the secret alone."""
    cores: set[str] = set()
    for before in range(3):
        first = -(-before * 8 // 6)
        last = (before + len(secret)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            cores.add(encode(b"\0" * before + secret).decode()[first:last])
    return cores


def _wired(core: str) -> str:
    """A pattern of base64 as it is, or as part of an address or of JSON."""
    return "".join(
        {"+": r"(?:\+|%(?:25){0,4}2[Bb]|\\{1,8}u002[Bb])", "/": r"(?:\\{0,8}/|%(?:25){0,4}2[Ff])"}.get(c, c)
        for c in core
    )


def _any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    found = "|".join(patterns)
    return re.compile(found) if found else None


def _hide_runs(cores: re.Pattern[str], text: str) -> str:
    """Replace each whole run of base64 characters around a core, so that what stood beside the secret goes too."""
    shown: list[str] = []
    done = 0
    while found := cores.search(text, done):
        start, end = found.span()
        while start > done and text[start - 1] in _BASE64:
            start -= 1
        while end < len(text) and text[end] in _BASE64:
            end += 1
        shown += [text[done:start], HIDDEN]
        done = end
    return "".join(shown) + text[done:]
