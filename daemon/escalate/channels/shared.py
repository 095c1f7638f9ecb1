"""The section `channels:`: what all uses of a kind of channel share."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from config.units import Duration

Address = Annotated[str, Field(pattern=r"^[^\s<>@,;]+@[^\s<>@,;]+$", max_length=254)]
"""An e-mail address, without a name and without anything that could end a header."""


class Smtp(Section):
    """The mail server. `starttls` for port 587, `tls` for port 465; neither sends in the clear."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    starttls: bool = False
    tls: bool = False
    ca: str | None = None
    """File of the authority that signed the server's certificate, if it is not a public one."""
    from_: Annotated[Address, Field(alias="from")]
    username: str | None = None
    password: Secret | None = None
    timeout: Duration = 20.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.starttls and self.tls:
            raise Wrong("tls and starttls exclude each other", "keep starttls for port 587, tls for port 465")
        if (self.username is None) != (self.password is None):
            raise Wrong("username and password belong together", "give both, or neither")
        return self


class PagerDutyHost(Section):
    """The host all integration keys use; `https://events.eu.pagerduty.com` for accounts in the EU."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")] = "https://events.pagerduty.com"


class Twilio(Section):
    """The account that text messages are sent by: a number of its own, or a messaging service (`MG…`)."""

    account_sid: Annotated[str, Field(pattern=r"^AC[0-9a-f]{32}$")]
    auth_token: Secret
    from_: Annotated[
        str, Field(alias="from", pattern=r"^(\+[1-9]\d{5,14}|MG[0-9a-f]{32}|[A-Za-z0-9 ]{1,11})$")
    ]
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+$")] = "https://api.twilio.com"


class Shared(Section):
    """All kinds that have something to share."""

    smtp: Smtp | None = None
    twilio: Twilio | None = None
    pagerduty: PagerDutyHost = PagerDutyHost()
