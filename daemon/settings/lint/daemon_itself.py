"""Settings of the daemon itself: keys without effect, sessions that do not last."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _storm(view: View) -> Iterator[Found]:
    if view.written(("storm",)):
        text = "storm is not evaluated in this release"
        yield Found(("storm",), text, "the trace of every rung says so")


def _operator(view: View) -> Iterator[Found]:
    if view.settings.local_operator and view.settings.tokens:
        text = "local_operator has no effect: with tokens, ordering takes a token on this machine too"
        yield Found(("local_operator",), text, "remove one of the two")


def _keys(view: View) -> Iterator[Found]:
    if not view.settings.signing_keys:
        yield Found(("signing_keys",), "no signing key is set", "sessions of the console end with the daemon")


STORM = Check(
    code="storm-not-evaluated",
    title="`storm` is configured and not evaluated",
    gravity=Gravity.WARNING,
    why="""The guardrail that holds back new fixes while many failure modes fail at once is not in this release. The
key loads, so that a configuration written for it stays valid, and every rung's trace says that it was not asked.""",
    fix="Keep it for later, and rely on `limits.in_flight` and `blast_radius` meanwhile.",
    example="""storm: {modes: 3, share: 34%}   # <--
""",
    better="""limits: {in_flight: 2}
""",
    find=_storm,
)

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
