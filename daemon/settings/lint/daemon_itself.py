"""Settings of the daemon itself: keys without effect, sessions that do not last."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _operator(view: View) -> Iterator[Found]:
    if view.settings.local_operator and view.settings.tokens:
        text = "local_operator has no effect: with tokens, ordering takes a token on this machine too"
        yield Found(("local_operator",), text, "remove one of the two")


def _keys(view: View) -> Iterator[Found]:
    if not view.settings.signing_keys:
        yield Found(("signing_keys",), "no signing key is set", "sessions of the console end with the daemon")


OPERATOR = Check(
    code="operator-beside-tokens",
    title="`local_operator` beside `tokens`",
    gravity=Gravity.WARNING,
    why="""`local_operator` lets a browser on the daemon's own machine order without a token, for a first look. As soon
as there are tokens, orders need one everywhere, and the key does nothing.""",
    fix="Remove `local_operator`.",
    example="""local_operator: true   # <--
tokens: [{name: ci, role: operator, sha256: {env: CI_TOKEN_SHA256}}]
""",
    better="""tokens: [{name: ci, role: operator, sha256: {env: CI_TOKEN_SHA256}}]
""",
    find=_operator,
)

KEYS = Check(
    code="no-signing-key",
    title="No signing key",
    gravity=Gravity.WARNING,
    why="""The console signs its sessions. Without a key of its own the daemon makes one at each start, so everyone has
to sign in again after a restart, and replicas do not accept one another's sessions.""",
    fix="Set `signing_keys: [{env: FLEETMEND_SIGNING_KEY}]`; two entries while rotating.",
    example="""signing_keys: []   # <--
""",
    better="""signing_keys: [{env: FLEETMEND_SIGNING_KEY}]
""",
    find=_keys,
)
