"""A strict Web API of Slack for one bot: keeps channels with their threads, refuses what its documentation does not allow.

What is refused is said inside a 200, as Slack does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import Scripted, answer
from tests.fakes.slack import content_problems

URL = "https://slack.com/api"
TOKEN = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy"
CHANNEL, USER, ROOM = "C0123456789", "U024BE7LHRT", "D0987654321"
"""A channel, a person, and the room in which the bot and that person talk."""
JSON, FORM = "application/json; charset=utf-8", "application/x-www-form-urlencoded"
_POST = {"channel", "text", "blocks", "metadata", "unfurl_links", "unfurl_media", "thread_ts", "reply_broadcast"}  # fmt: skip
_UPDATE = {"channel", "ts", "text", "blocks"}
_EVENT_TYPE = re.compile(r"[a-z0-9_]{1,100}")


class Refused(Exception):
    """`ok: false`, with this error."""


@dataclass
class FakeSlackApi(Scripted):
    """`rooms`: channel to its messages, oldest first, as they stand now. `errors`: said by the next calls, in turn."""

    script: list[Response | PortError] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    rooms: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {CHANNEL: [], ROOM: []})
    calls: list[str] = field(default_factory=list)
    clock: int = 1_767_600_000
    readable: bool = True
    """Whether the bot has the scopes to look at what was posted."""

    @property
    def posted(self) -> list[dict[str, Any]]:
        """Everything in the channel, as it stands."""
        return self.rooms[CHANNEL]

    def _take(self, request: Request) -> Response:
        method = urlsplit(request.url).path.rpartition("/")[2]
        self.calls.append(method)
        try:
            return answer(200, json.dumps({"ok": True, **self._carried_out(method, request)}))
        except Refused as error:
            return answer(200, json.dumps({"ok": False, "error": str(error)}))

    def _carried_out(self, method: str, request: Request) -> dict[str, Any]:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused("not_authed")
        if self.errors:
            raise Refused(self.errors.pop(0))
        return self._method(method)(_arguments(request))

    def _method(self, name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        methods = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.open": self._open,
        }
        if name not in methods:
            raise Refused("unknown_method")
        return methods[name]

    def _post(self, message: dict[str, Any]) -> dict[str, Any]:
        _checked(message, _POST, "channel")
        room = self._room(ROOM if message["channel"] == USER else message["channel"])
        mark = message.get("metadata", {"event_type": "x", "event_payload": {}})
        if not isinstance(mark.get("event_payload"), dict) or not _EVENT_TYPE.fullmatch(
            str(mark["event_type"])
        ):
            raise Refused("invalid_metadata_format")
        thread = message.get("thread_ts")
        if thread is not None and all(one["ts"] != thread for one in room):
            raise Refused("thread_not_found")
        self.clock += 1
        room.append({**message, "ts": f"{self.clock}.000100"})
        return {"channel": self._name(room), "ts": room[-1]["ts"], "message": room[-1]}

    def _update(self, change: dict[str, Any]) -> dict[str, Any]:
        _checked(change, _UPDATE, "channel", "ts")
        one = self._message(change["channel"], change["ts"])
        one |= {"text": change["text"], "blocks": change["blocks"]}
        return {"channel": change["channel"], "ts": change["ts"], "message": one}

    def _message(self, channel: str, ts: str) -> dict[str, Any]:
        found = next((one for one in self._room(channel) if one["ts"] == ts), None)
        if found is None:
            raise Refused("message_not_found")
        return found

    def _history(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [one for one in self._seen(asked) if "thread_ts" not in one][::-1]}

    def _replies(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [one for one in self._seen(asked) if asked["ts"] in (one["ts"], one.get("thread_ts"))]}  # fmt: skip

    def _seen(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        if not self.readable:
            raise Refused("missing_scope")
        seen = self._room(asked["channel"])
        if asked.get("include_all_metadata") == "true":
            return seen
        return [{key: value for key, value in one.items() if key != "metadata"} for one in seen]

    def _open(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked.get("users") != USER:
            raise Refused("user_not_found")
        return {"channel": {"id": ROOM}}

    def _room(self, channel: str) -> list[dict[str, Any]]:
        if channel not in self.rooms:
            raise Refused("channel_not_found")
        return self.rooms[channel]

    def _name(self, room: list[dict[str, Any]]) -> str:
        return next(name for name, messages in self.rooms.items() if messages is room)


def _arguments(request: Request) -> dict[str, Any]:
    body = (request.body or b"").decode("utf-8")
    if request.method != "POST":
        raise Refused("invalid_arguments")
    if request.headers.get("Content-Type") == JSON and "/chat." in request.url:
        arguments = json.loads(body)
        if isinstance(arguments, dict):
            return arguments
    elif request.headers.get("Content-Type") == FORM:
        return {name: values[0] for name, values in parse_qs(body, strict_parsing=True).items()}
    raise Refused("invalid_arguments")


def _checked(message: dict[str, Any], known: set[str], *needed: str) -> None:
    if message.keys() - known or any(not isinstance(message.get(name), str) for name in needed):
        raise Refused("invalid_arguments")
    problems = content_problems(message)
    if "text is needed as the notification's fallback" in problems:
        raise Refused("no_text")
    if "msg_too_long" in problems:
        raise Refused("msg_too_long")
    if problems:
        raise Refused("invalid_blocks")
