"""The section `channels:`: what all uses of a kind of channel share."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import Field, model_validator

from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from config.units import Duration

Address = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$", max_length=254)
]
"""An e-mail address, without a name and without anything that could end a header or that many servers cannot be told: in
ASCII, its domain as the DNS has it.
"""


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
    """The account that text messages and calls are sent by.

    `from`: a number of its own, a messaging service (`MG…`) or a name; what has no number can neither call nor be
    answered. `auth_token`: two while it is changed, the new one first.
    """

    account_sid: Annotated[str, Field(pattern=r"^AC[0-9a-f]{32}$")]
    auth_token: Secret | Annotated[tuple[Secret, ...], Field(min_length=1, max_length=2)]
    from_: Annotated[
        str, Field(alias="from", pattern=r"^(\+[1-9]\d{5,14}|MG[0-9a-f]{32}|[A-Za-z0-9 ]{1,11})$")
    ]
    call_from: Annotated[str, Field(pattern=r"^\+[1-9]\d{5,14}$")] | None = None
    """The number that calls come from, where `from` is none."""
    receipts: bool = True
    """Whether carriers say that a text was delivered. Where many do not, `false`: no word is then no bad sign."""
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+$")] = "https://api.twilio.com"

    @property
    def tokens(self) -> tuple[str, ...]:
        """The newest first: it signs in; what comes back may be signed by any."""
        secrets = (self.auth_token,) if isinstance(self.auth_token, Secret) else self.auth_token
        return tuple(secret.reveal() for secret in secrets)

    @property
    def caller(self) -> str:
        """The number that calls come from; empty when there is none."""
        return self.call_from or (self.from_ if self.from_.startswith("+") else "")

    @property
    def answerable(self) -> bool:
        """Whether a text can be replied to: a name has no phone."""
        return self.from_.startswith("+") or re.fullmatch(r"MG[0-9a-f]{32}", self.from_) is not None


class SlackApp(Section):
    """The Slack app whose bot posts, and whose buttons come back to `/api/v1/callbacks/slack`.

    `token`: the bot's. `signing_secret`: the app's, by which a press is known to come from Slack; two while it is
    changed. Left out: its buttons only open pages. `users`: Slack's id of a user to the name under `people`.
    """

    token: Secret | None = None
    signing_secret: Secret | Annotated[tuple[Secret, ...], Field(max_length=2)] = ()
    users: dict[Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{5,20}$")], str] = Field(default_factory=dict)
    url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] = "https://slack.com/api"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The signing secrets themselves."""
        given = (self.signing_secret,) if isinstance(self.signing_secret, Secret) else self.signing_secret
        return tuple(secret.reveal() for secret in given)


class Shared(Section):
    """All kinds that have something to share."""

    smtp: Smtp | None = None
    twilio: Twilio | None = None
    slack: SlackApp | None = None
    pagerduty: PagerDutyHost = PagerDutyHost()
