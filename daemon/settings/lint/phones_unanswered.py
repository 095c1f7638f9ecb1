"""Calls and texts that nobody can answer: Twilio does not reach us, or nothing tells readers apart."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from config.problems import Gravity
from daemon.desk.loopback import is_loopback
from daemon.settings.lint.check import Check, Found, View

_KINDS = frozenset({"voice", "sms"})


def _find(view: View) -> Iterator[Found]:
    settings = view.settings
    used = {kind for person in settings.people.values() for kind, _ in person.ways} & _KINDS
    if not used or "twilio" not in settings.channels:
        return
    told = (
        "calls and texts only tell: no key pressed and no reply counts, and nobody says whether they arrived"
    )
    path = ("channels", "twilio")
    if settings.public_url is None:
        yield Found(path, f"public_url is not set, so {told}", "set it to where Twilio reaches the console")
    elif is_loopback(urlsplit(settings.public_url).hostname or ""):
        yield Found(
            path, f"public_url is of this machine alone, so {told}", "set it to where Twilio reaches it"
        )
    elif not settings.signing_keys:
        what = "no signing key is set, so no key pressed and no reply counts"
        yield Found(path, what, "set signing_keys: [{env: FLEETMEND_SIGNING_KEY}]")


CHECK = Check(
    code="phones-unanswered",
    title="Calls and texts that cannot be answered",
    gravity=Gravity.WARNING,
    why="""A key that is pressed in a call, a reply to a text and the word of whether either arrived are posted by Twilio to
`public_url`. Who answers is told apart by what `signing_keys` sign. Without both a call only tells, and a page that never
arrived is found out by its reminder alone.""",
    fix="Set `public_url` to an address at which Twilio reaches `/api/v1/callbacks/twilio`, and a signing key.",
    example="""people:
  ana: {name: Ana, channels: [{voice: "+33612345678"}]}
channels:
  twilio: {account_sid: AC0123456789abcdef0123456789abcdef, auth_token: {env: FLEETMEND_SIGNING_KEY}, from: "+15550001111"}  # <--
""",
    better="""public_url: https://fleetmend.example.org
people:
  ana: {name: Ana, channels: [{voice: "+33612345678"}]}
channels:
  twilio: {account_sid: AC0123456789abcdef0123456789abcdef, auth_token: {env: FLEETMEND_SIGNING_KEY}, from: "+15550001111"}
""",
    find=_find,
)
