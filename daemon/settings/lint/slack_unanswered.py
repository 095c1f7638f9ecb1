"""Slack's buttons that cannot work: nothing proves a press ours, nobody may press, or whoever may is no person here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from config.problems import Gravity, did_you_mean
from daemon.settings.lint.check import Check, Found, View

_PATH = ("channels", "slack")


def _find(view: View) -> Iterator[Found]:
    settings = view.settings
    written = settings.channels.get("slack") or {}
    users = written.get("users")
    for user, name in users.items() if isinstance(users, Mapping) else ():
        if name not in settings.people:
            text = f"the Slack user {user} is to be {name}, and there is no person of that name"
            hint = did_you_mean(str(name), settings.people) or "write a name that stands under people"
            yield Found((*_PATH, "users", user), text, hint)
    if not written.get("signing_secret"):
        return
    if not users:
        yield Found(_PATH, "no user may press a button: users is empty", "add users: {U024BE7LH: ana}")
    if not settings.signing_keys:
        text = "no signing key is set, so pages in Slack get no buttons"
        yield Found(_PATH, text, "set signing_keys: [{env: FLEETMEND_SIGNING_KEY}]")


CHECK = Check(
    code="slack-unanswered",
    title="Buttons in Slack that cannot be pressed",
    gravity=Gravity.WARNING,
    why="""A press of a button comes back signed by Slack's `signing_secret`, brings a token that one of `signing_keys` signed,
and counts as an order of the person whose Slack user it is. Without a key there are no buttons; of a user who is nobody
here nothing is taken.""",
    fix="Set a signing key, and write who is who under `channels.slack.users`: Slack's user id to the name under `people`.",
    example="""people:
  ana: {name: Ana, channels: [{slack: C0123456789}]}
channels:
  slack: {token: {env: SLACK_BOT}, signing_secret: {env: SLACK_SIGNING_SECRET}, users: {U024BE7LH: anna}}  # <--
signing_keys: [{env: FLEETMEND_SIGNING_KEY}]
""",
    better="""people:
  ana: {name: Ana, channels: [{slack: C0123456789}]}
channels:
  slack: {token: {env: SLACK_BOT}, signing_secret: {env: SLACK_SIGNING_SECRET}, users: {U024BE7LH: ana}}
signing_keys: [{env: FLEETMEND_SIGNING_KEY}]
""",
    find=_find,
)
