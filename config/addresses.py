"""Addresses as people write them: of web servers, of sockets to listen on, of the store. Only their shape is checked.

A password in an address would be shown wherever the address is, so none may stand there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from config.problems import Wrong
from config.secrets import secret_from
from config.templates import TemplateText
from config.units import shown

MAX_LENGTH = 2_000
_USERINFO = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*@")
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_BRACES = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_WEB_REMEDY = "write one such as http://prometheus:9090"


def has_password(text: str) -> bool:
    """Whether a user's name, and with it perhaps a password, stands before the host."""
    return _USERINFO.match(_BRACES.sub("x", text)) is not None


def web_address(text: str) -> str:
    """`http://HOST[:PORT][/PATH]` or https. Raises `Wrong`."""
    _fitting(text, ("http", "https"))
    return text


def probe_address(text: str) -> str:
    """The same, or `unix:///PATH`; `{{ … }}` may stand in it, and at its beginning for the whole. Raises `Wrong`."""
    bare = _BRACES.sub("x", text)
    if text.lstrip().startswith("{{") and "://" not in bare:
        if _UNFIT.search(bare):
            raise Wrong(f"white space in an address: {shown(text)}", _WEB_REMEDY)
        return text
    _fitting(bare, ("http", "https", "unix"), written=text)
    return text


def _fitting(text: str, schemes: tuple[str, ...], written: str | None = None) -> None:
    told = shown(text if written is None else written)
    if has_password(text):
        raise Wrong(
            "a user's name or password stands in the address, which is shown to people",
            "leave it out: use auth: {basic: {username: …, password: {env: NAME}}}, or a header from {env: NAME}",
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Wrong(f"not an address: {told}", _WEB_REMEDY) from None
    if parts.scheme not in schemes or _UNFIT.search(text) or len(text) > MAX_LENGTH:
        raise Wrong(f"not an address of {' or '.join(schemes)}: {told}", _WEB_REMEDY)
    if parts.scheme == "unix":
        if parts.netloc or len(parts.path) < 2:
            raise Wrong(f"not the path of a socket: {told}", "write unix:///run/name.sock")
    elif not _HOST.fullmatch(parts.netloc.removesuffix(f":{port}" if port is not None else "")) or port == 0:
        raise Wrong(f"no host in the address {told}", _WEB_REMEDY)


def host_port(text: str) -> str:
    """`HOST:PORT`, port 0 for any that is free. Raises `Wrong`."""
    host, colon, port = text.rpartition(":")
    sound = re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= 65535 and _HOST.fullmatch(host)
    if not (colon and sound):
        raise Wrong(f"expected HOST:PORT, got {shown(text)}", "write one such as 127.0.0.1:9876")
    return text


def store_address(value: Any, info: ValidationInfo) -> Any:
    """The address of the store, or where it is taken from (`{env: NAME}`). Raises `Wrong`."""
    secret = isinstance(value, dict)
    text = secret_from(value, info).reveal() if secret else value
    remedy = "write sqlite:////var/lib/fleetmend/state.db, or postgresql://HOST/NAME"
    told = "the value it is taken from" if secret else shown(value)
    if not isinstance(text, str) or "://" not in text or _UNFIT.search(text):
        raise Wrong(f"not the address of a store: {told}", remedy)
    scheme, _, rest = text.partition("://")
    kind = scheme.partition("+")[0]
    if kind == "sqlite":
        path = rest.removeprefix("/")
        if not rest.startswith("/") or path.strip("/") in {"", ".", ":memory:"} or path.endswith("/"):
            raise Wrong(f"no file stands in {told}; a store in memory forgets what it did", remedy)
    elif kind != "postgresql" or scheme not in {"postgresql", "postgresql+psycopg"}:
        raise Wrong(f"no store of the kind {shown(scheme)}", remedy)
    elif not secret and re.match(r"[^/?#]*:[^/?#]*@", rest):
        raise Wrong(
            "a password stands in the address of the store, which is shown to people",
            "write state: {env: FLEETMEND_STATE}, and change the password: it was written down",
        )
    return text


def header_text(text: str) -> str:
    """A header's value on one line. Raises `Wrong`."""
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise Wrong("a header's value has a line end or another control character", "write it on one line")
    return text


def passwords_in(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of all texts that are addresses with a user's name in them."""
    if isinstance(data, Mapping):
        for name, value in data.items():
            yield from passwords_in(value, (*path, str(name)))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from passwords_in(value, (*path, index))
    elif isinstance(data, str) and has_password(data):
        yield path


HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
HeaderText = Annotated[str, AfterValidator(header_text)]
WebAddress = Annotated[str, AfterValidator(web_address)]
"""An absolute http(s) address."""
ProbeAddress = Annotated[TemplateText, AfterValidator(probe_address)]
"""An http(s) address or a socket, with `{{ … }}` in it."""
HostPort = Annotated[str, AfterValidator(host_port)]
StoreAddress = Annotated[
    str,
    BeforeValidator(store_address),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
]
"""Where the store is; one with a password is taken from the environment, as a secret is."""
