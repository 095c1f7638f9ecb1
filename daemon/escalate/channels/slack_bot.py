"""Slack's Web API with a bot's token: an incident's first page is a message, all that follows is in its thread.

Before an acknowledgement, a recovery and the end are told there, the first message is changed to say so. Source of the
wire contract: Slack developer docs, "chat.postMessage", "chat.update", "conversations.history", "Message metadata" and
"Rate limits". What went wrong is mostly told inside a 200, as `ok: false`. Nothing makes a second post the same as the
first: after one that may have arrived ours is looked for, by its metadata, before it is posted again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import orjson

from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.slack_blocks import CALM, changed, posted, state_of
from daemon.escalate.channels.wire import exchange, reference, retry_after
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.incidents.records import PageEvent
from remediations.ports import PortError, Request, Response

MARK = "fleetmend_page"
"""`event_type` of the metadata of our messages; the payload holds the delivery's reference."""
LOOKED_AT, MOST = 15, 1_000_000
"""Messages that are looked at for one of ours, and bytes of an answer."""
_HEARD = frozenset({PageEvent.TRIGGER, PageEvent.ESCALATE, PageEvent.REMIND})
"""What is told in the channel as well as in the thread: it asks for hands."""
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
"""The first message cannot be changed or answered any more: what has to be told is told without it."""
_STATUS = {
    400: "msg_too_long msg_blocks_too_long invalid_blocks invalid_blocks_format no_text invalid_arguments "
    "metadata_too_large invalid_metadata_format invalid_metadata_schema too_many_attachments",
    401: "invalid_auth not_authed account_inactive token_revoked token_expired",
    403: "no_permission missing_scope not_allowed_token_type ekm_access_denied not_in_channel restricted_action "
    "restricted_action_read_only_channel restricted_action_thread_only_channel cannot_dm_bot "
    "messages_tab_disabled as_user_not_supported org_login_required team_access_not_granted",
    404: "channel_not_found user_not_found",
    410: "is_archived",
}  # fmt: skip
_REFUSED = {error: status for status, errors in _STATUS.items() for error in errors.split()}
"""Errors that no later try mends, with the HTTP status that says the same elsewhere."""
_SLOW_DOWN = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_UNSURE = frozenset({"fatal_error", "internal_error"})
"""Slack says of these that part of it may have been done all the same."""


@dataclass(frozen=True, slots=True)
class Bot:
    """One use of the Web API at `url` by a bot's `token`. `acting`: presses of our buttons come back to us."""

    url: str
    token: str
    acting: bool
    doors: Doors
    deadline: float

    def tell(self, message: Message, channel: str, *, short: bool) -> Receipt:
        """Change the first message where there is one and it should say so, then post. Repeating it does no harm."""
        place, _, thread = message.first.partition("/")
        if thread:
            receipt = self._change(message, place, thread, short=short)
            if receipt is not None and receipt.detail in _GONE:
                place = thread = ""
            elif receipt is not None and receipt.kind is not ReceiptKind.OK:
                return receipt
        place = place or channel
        if message.maybe:
            found = self._posted_before(message, place, thread)
            if found is not None:
                return found
        receipt = self._post(message, place, thread, short=short)
        if receipt.detail in _GONE and thread:
            receipt = self._post(message, place, "", short=short)
        return receipt

    def _change(self, message: Message, place: str, thread: str, *, short: bool) -> Receipt | None:
        """None where nothing of the first message changes."""
        state = state_of(message)
        if not state:
            return None
        body = changed(message, state, short=short, acting=self.acting)
        receipt = self._write("chat.update", {"channel": place, "ts": thread, **body})
        # Changing it twice is changing it once, so what may have been done is done again.
        return replace(receipt, kind=ReceiptKind.TEMPORARY) if _unsure(receipt) else receipt

    def _post(self, message: Message, place: str, thread: str, *, short: bool) -> Receipt:
        # What the first message says by now, with all that follows from it, need not be said twice.
        short = short or bool(thread and state_of(message) in CALM)
        body = posted(message, short=short, acting=self.acting)
        mark = {"event_type": MARK, "event_payload": {"page": reference(message.key)}}
        sent = {"channel": place, **body, "metadata": mark, "unfurl_links": False, "unfurl_media": False}
        if thread:
            sent |= {"thread_ts": thread, "reply_broadcast": message.event in _HEARD}
        return self._write("chat.postMessage", sent)

    def _write(self, method: str, body: dict[str, Any]) -> Receipt:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {self.token}",
        }
        request = Request("POST", f"{self.url}/{method}", headers, orjson.dumps(body))
        # The answer holds the whole message once more.
        return exchange(
            request, self.doors, self.deadline, lambda response: _read(response, self.doors), most=MOST
        )

    def _posted_before(self, message: Message, place: str, thread: str) -> Receipt | None:
        """Ours, if it did arrive; None when it did not, or nobody can tell."""
        room = place if place[:1] in "CGD" else self._room_of(place)
        asked = {"channel": room, "limit": LOOKED_AT, "include_all_metadata": "true"}
        if thread:
            answer = self._ask("conversations.replies", {**asked, "ts": thread, "limit": 100})
        else:
            answer = self._ask("conversations.history", asked)
        listed = answer.get("messages")
        for one in listed if room and isinstance(listed, list) else ():
            mark = one.get("metadata") if isinstance(one, dict) else None
            if not isinstance(mark, dict) or mark.get("event_type") != MARK:
                continue
            if mark.get("event_payload") == {"page": reference(message.key)}:
                return Receipt(
                    ReceiptKind.OK, "it had arrived", status=200, provider_id=f"{room}/{one.get('ts')}"
                )
        return None

    def _room_of(self, user: str) -> str:
        """The channel of direct messages with a user; empty when it cannot be told."""
        opened = self._ask("conversations.open", {"users": user}).get("channel")
        return str(opened.get("id", "")) if isinstance(opened, dict) else ""

    def _ask(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a question is answered; nothing when it is not."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"Bearer {self.token}",
        }
        request = Request("POST", f"{self.url}/{method}", headers, urlencode(arguments).encode())
        try:
            response = self.doors.http.send(request, deadline=self.deadline, max_bytes=MOST)
        except PortError:
            return {}
        answer = _json(response)
        return answer if answer.get("ok") is True else {}


def _unsure(receipt: Receipt) -> bool:
    return receipt.kind is ReceiptKind.AMBIGUOUS


def _read(response: Response, doors: Doors) -> Receipt:
    """What a 200 says: where the message stands, or why it does not."""
    answer = _json(response)
    if answer.get("ok") is True:
        place = f"{answer.get('channel', '')}/{answer.get('ts', '')}"
        return Receipt(ReceiptKind.OK, "200", status=200, provider_id=place[:100])
    error = str(answer.get("error") or "an answer that is none of Slack's")
    if error in _SLOW_DOWN:
        return Receipt(ReceiptKind.TEMPORARY, error, retry_after(response, doors), status=429)
    if error in _UNSURE:
        return Receipt(ReceiptKind.AMBIGUOUS, error, status=response.status)
    status = _REFUSED.get(error)
    if status is not None or error in _GONE:
        return Receipt(ReceiptKind.PERMANENT, error, status=status)
    return Receipt(ReceiptKind.TEMPORARY, error, retry_after(response, doors), status=response.status)


def _json(response: Response) -> dict[str, Any]:
    try:
        answer = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
