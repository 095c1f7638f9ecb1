"""Carrying out a probe: one question about one scope, answered as evidence. Runs in a worker; never raises.

An error begins with `refused` (somebody was reached, and nobody listens there or its certificate is no good), with `no answer` (silence: it may be
our own network), with `unresolved` (the name has no address, so nobody was asked), or says why the question could not
be put. The difference decides what counts as a failure and what corroborates.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from config.probes import DnsProbe, HttpProbe, LinkProbe, ProbeSpec, TcpProbe, TlsProbe
from config.scope import Scope
from config.templates import Expression, TemplateError
from remediations.actions.action import ActionError
from remediations.actions.rendering import Renderer
from remediations.ports import Clock, Files, Http, PortError, Request
from remediations.run import Evidence

MAX_BODY = 64_000
REFUSED = "refused"
NO_ANSWER = "no answer"
UNRESOLVED = "unresolved"
_DAY = 86_400.0
_NOBODY_LISTENS = ("Connection refused", "No such file or directory")
_NO_ADDRESS = (
    "gaierror",
    "Name or service not known",
    "Temporary failure in name resolution",
    "No address associated",
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back; `more` are names for `ok` beside those of every answer."""

    status: int | None = None
    body: Any = None
    more: Mapping[str, Any] = field(default_factory=dict)


Resolve = Callable[[str], Iterable[str]]
"""Addresses of a name. Raises `socket.gaierror`."""


def system_addresses(name: str) -> set[str]:
    """As this machine is set up to resolve; the resolver has time limits of its own."""
    return {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}


class _Silence(Exception):
    """No answer was had; the message is the evidence's error."""


class Prober:
    """Asks probes of one configuration. `variables`: the operator's `vars`, which templates may use beside `scope`."""

    def __init__(
        self,
        specs: Mapping[str, ProbeSpec],
        http: Http,
        clock: Clock,
        files: Files,
        variables: Mapping[str, Any] | None = None,
        resolve: Resolve = system_addresses,
    ) -> None:
        self._specs = specs
        self._http = http
        self._clock = clock
        self._files = files
        self._variables = dict(variables or {})
        self._resolve = resolve

    def labels(self, name: str) -> tuple[str, ...]:
        """The labels that a scope must have for the probe to be asked of it."""
        spec = self._specs.get(name)
        return () if spec is None else spec.labels

    def ask(self, name: str, scope: Scope, deadline: float, ok: str | None = None) -> Evidence:
        """The probe's answer for a scope, judged by `ok`, or by its own condition.

        `deadline`: monotonic seconds; the probe's own time-out counts too.
        """
        spec = self._specs.get(name)
        if spec is None:
            return self._failed(f"no probe is called {name}")
        began = self._clock.monotonic()
        names: dict[str, Any] = {"scope": dict(scope), "vars": self._variables}
        try:
            answer = self._asked(spec, Renderer(names), min(deadline, began + spec.timeout))
        except ActionError as error:
            return self._failed(str(error))
        except _Silence as error:
            return self._failed(str(error))
        names |= {"elapsed": self._clock.monotonic() - began, **answer.more}
        names |= {} if answer.status is None else {"status": answer.status}
        names |= {} if answer.body is None else {"body": answer.body}
        return self._judged(ok or spec.condition, names, answer)

    def _judged(self, condition: str, names: Mapping[str, Any], answer: _Answer) -> Evidence:
        try:
            ok, error = bool(Expression(condition).evaluate(names)), ""
        except TemplateError as wrong:
            ok, error = False, f"its condition is not decided: {wrong}"
        body = answer.body if answer.body is not None else dict(answer.more) or None
        return Evidence(self._clock.now(), ok, answer.status, body, error)

    def _failed(self, error: str) -> Evidence:
        return Evidence(self._clock.now(), ok=False, error=error)

    def _asked(self, spec: ProbeSpec, fill: Renderer, deadline: float) -> _Answer:
        if spec.http is not None:
            return self._http_answer(spec.http, fill, deadline)
        if spec.link is not None:
            return self._link_answer(spec.link, fill)
        try:
            if spec.tcp is not None:
                return self._tcp_answer(spec.tcp, fill, deadline)
            if spec.tls is not None:
                return self._tls_answer(spec.tls, fill, deadline)
            assert spec.dns is not None, "a probe is of one kind"
            return self._dns_answer(spec.dns, fill)
        except OSError as error:
            raise _Silence(f"{_kind_of(str(error))}: {error}") from error

    def _http_answer(self, spec: HttpProbe, fill: Renderer, deadline: float) -> _Answer:
        headers = {name: fill.place(text) for name, text in spec.headers.items()}
        request = Request(spec.method, fill.place(spec.url), headers)
        try:
            response = self._http.send(request, deadline=deadline, max_bytes=MAX_BODY)
        except PortError as error:
            raise _Silence(f"{_kind_of(str(error))}: {error}") from error
        return _Answer(response.status, _body(response.body))

    def _link_answer(self, spec: LinkProbe, fill: Renderer) -> _Answer:
        path = Path(fill.place(spec.path))
        if not path.is_absolute():
            raise _Silence(f"not an absolute path: {path}")
        try:
            seen = {"version": self._files.read_link(path).name, "changed_at": self._files.changed_at(path)}
        except PortError as error:
            raise _Silence(str(error)) from error
        return _Answer(body=seen)

    def _left(self, deadline: float) -> float:
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left

    def _connected(self, host: str, port: int, deadline: float) -> socket.socket:
        return socket.create_connection((host, port), timeout=self._left(deadline))

    def _tcp_answer(self, spec: TcpProbe, fill: Renderer, deadline: float) -> _Answer:
        with self._connected(fill.place(spec.host), _port(spec.port, fill), deadline):
            return _Answer()

    def _tls_answer(self, spec: TlsProbe, fill: Renderer, deadline: float) -> _Answer:
        host = fill.place(spec.host)
        context = ssl.create_default_context()
        with self._connected(host, _port(spec.port, fill), deadline) as bare:
            bare.settimeout(self._left(deadline))
            try:
                with context.wrap_socket(bare, server_hostname=host) as link:
                    certificate = link.getpeercert()
            except ssl.SSLCertVerificationError as error:
                raise _Silence(f"{REFUSED}: its certificate: {error.verify_message}") from error
        assert certificate, "a verified connection has a certificate"
        days_left = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - self._clock.now()) / _DAY
        if days_left < spec.min_days:
            raise _Silence(
                f"{REFUSED}: its certificate ends in {days_left:.0f} days, less than {spec.min_days}"
            )
        return _Answer(more={"days_left": days_left})

    def _dns_answer(self, spec: DnsProbe, fill: Renderer) -> _Answer:
        name = fill.place(spec.name)
        try:
            found = self._resolve(name)
        except socket.gaierror as error:
            kind = REFUSED if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA} else NO_ANSWER
            raise _Silence(f"{kind}: {name}: {error.strerror}") from error
        return _Answer(more={"addresses": sorted(found)})


def _port(port: int | str, fill: Renderer) -> int:
    if isinstance(port, int):
        return port
    text = fill.place(port)
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise _Silence(f"{text!r} is no port")
    return int(text)


def _kind_of(reason: str) -> str:
    if any(sign in reason for sign in _NO_ADDRESS):
        return UNRESOLVED
    return REFUSED if any(sign in reason for sign in _NOBODY_LISTENS) else NO_ANSWER


def _body(content: bytes) -> Any:
    """JSON where it is JSON, else text."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace")
