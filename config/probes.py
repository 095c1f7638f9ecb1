"""Probes: questions asked by name (`probes:` section). A probe informs; it is never a telemetry source.

Addresses are templates over `scope` and `vars`. `ok` is an expression over the same and the answer: `status`, `body`
(decoded JSON, else text), `elapsed` (seconds) and, for TLS, `days_left`; for DNS, `addresses`; for a link, `body` with
`version` (the folder's name) and `changed_at` (unix seconds).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from config.addresses import HeaderName, ProbeAddress, header_text
from config.problems import Wrong
from config.section import Section
from config.templates import ExpressionText, Template, TemplateText
from config.units import Duration

ProbeKind = Literal["http", "tcp", "tls", "dns", "link"]
KINDS: tuple[ProbeKind, ...] = ("http", "tcp", "tls", "dns", "link")
DEFAULT_OK: dict[ProbeKind, str] = {
    "http": "status >= 200 and status < 300",
    "tcp": "true",
    "tls": "true",
    "dns": "true",
    "link": "true",
}
"""Applies when `ok` is left out. A probe that got no answer fails before its `ok` is asked."""
MAX_TIMEOUT = 60.0

Timeout = Annotated[Duration, Field(gt=0, le=MAX_TIMEOUT)]
Port = Annotated[int, Field(ge=1, le=65535)] | TemplateText
"""A number, or a template that gives one."""


class HttpProbe(Section):
    """Ask by HTTP; redirects are not followed. `url` may be `unix:///path/to.sock`."""

    url: ProbeAddress
    method: Literal["GET", "HEAD", "OPTIONS"] = "GET"
    timeout: Timeout = 5.0
    headers: dict[HeaderName, Annotated[TemplateText, AfterValidator(header_text)]] = Field(
        default_factory=dict
    )


class TcpProbe(Section):
    """Open a connection and close it."""

    host: TemplateText
    port: Port
    timeout: Timeout = 5.0


class TlsProbe(Section):
    """Open a TLS connection; fails when the certificate is not trusted or ends within `min_days`."""

    host: TemplateText
    port: Port = 443
    min_days: Annotated[int, Field(ge=0, le=3650)] = 14
    timeout: Timeout = 5.0


class DnsProbe(Section):
    """Resolve a name; fails when it has no address."""

    name: TemplateText
    timeout: Timeout = 5.0


class LinkProbe(Section):
    """Look at a versioned configuration on this machine: which version its link points at, and when it last changed.

    It changed when the link was switched, or a file in the folder behind it was written, by whomever.
    """

    path: TemplateText
    timeout: Timeout = 5.0


class ProbeSpec(Section):
    """One entry of `probes:`: exactly one kind, and what counts as good."""

    http: HttpProbe | None = None
    tcp: TcpProbe | None = None
    tls: TlsProbe | None = None
    dns: DnsProbe | None = None
    link: LinkProbe | None = None
    ok: ExpressionText | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise Wrong(
                f"a probe is of one kind, this has {', '.join(kinds) or 'none'}",
                f"give one of {', '.join(KINDS)}",
            )
        return self

    @property
    def kind(self) -> ProbeKind:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def condition(self) -> str:
        """The text of `ok`, or the default of the kind."""
        return self.ok or DEFAULT_OK[self.kind]

    @property
    def question(self) -> HttpProbe | TcpProbe | TlsProbe | DnsProbe | LinkProbe:
        """What is asked."""
        found = self.http or self.tcp or self.tls or self.dns or self.link
        assert found is not None, "a probe is of one kind"
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of a scope that its address reads: it is asked once for each combination of them."""
        texts = [text for text in self.question.model_dump().values() if isinstance(text, str)]
        texts += self.http.headers.values() if self.http else []
        return tuple(sorted({label for text in texts for label in Template(text).labels}))

    @property
    def timeout(self) -> float:
        """Seconds."""
        return self.question.timeout
