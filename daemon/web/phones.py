"""Phones: what Twilio posts here. A reply to a text and a key pressed in a call acknowledge for whose phone it is.

All of it is signed by the account's token over the very address that was called. A number can be forged all the same, so
a reply counts by the code that only its reader was sent, and a key by the address that only this call was given. What
cannot be done is answered in words: Twilio would read out an error page as a fault of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from daemon.desk.orders import order_of
from daemon.desk.tokens import Caller, Role
from daemon.document.dossier import Dossier, load
from daemon.document.sentence import next_level
from daemon.document.words import Clockface
from daemon.escalate.bundles import first_of
from daemon.escalate.channels import twilio_back
from daemon.escalate.channels.twilio import BACK, code_of, key_in
from daemon.escalate.channels.twilio_back import Form, Phones, Unreadable, one
from daemon.escalate.channels.twilio_speech import ACK, NEXT, asked, replied, said, spoken
from daemon.escalate.owed import PAGES
from daemon.escalate.receipts import reported
from daemon.incidents.records import Delivery
from daemon.store.unit import UnitOfWork
from daemon.web.keep import keep
from daemon.web.parts import Parts, parts_of
from daemon.web.presses import level_passed
from daemon.web.problems import Busy, responses
from daemon.web.sessions import Link, LinkRefused
from daemon.web.tries import STRANGERS

router = APIRouter(prefix=BACK, tags=["intake"])
TEXT_HOLDS = 86_400.0
"""Seconds for which the code of a text counts, as a link does."""
MOST_ROWS = 2_000
"""Newest messages that are looked through for the incidents of a day, beside all that are open."""
ONCE_MORE = "It could not be recorded."
_BODY: dict[str, Any] = {
    "security": [],
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "additionalProperties": {"type": "string"}}
            }
        },
    },
}
_ANSWERS = responses(400, 403, 404, 413, 503)


@dataclass(frozen=True, slots=True)
class Heard:
    """A post of Twilio's: `url` as it called it, `form` as it signed it."""

    parts: Parts
    phones: Phones
    url: str
    form: Form

    @property
    def now(self) -> float:
        return self.parts.now


async def heard(request: Request) -> Heard:
    """Raises 404 without an account, 400 for what is no form, 403 for what the account did not sign."""
    parts = parts_of(request)
    phones = parts.phones()
    if phones is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "channels.twilio is not configured")
    try:
        form = twilio_back.form_of(await request.body())
    except Unreadable as why:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(why)) from None
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{parts.public_url().rstrip('/')}{request.scope['path']}{query}"
    if not twilio_back.signed(phones.account.tokens, url, form, request.headers.get(twilio_back.HEADER, "")):
        raise HTTPException(HTTPStatus.FORBIDDEN, f"no signature in {twilio_back.HEADER} fits {url}")
    return Heard(parts, phones, url, form)


Posted = Annotated[Heard, Depends(heard)]


@router.post("/status/{spelled}", openapi_extra=_BODY, responses=_ANSWERS)
async def status(posted: Posted, spelled: str) -> Response:
    """What became of a text or a call."""
    parts, key = posted.parts, key_in(spelled) or ""
    row = await to_thread.run_sync(parts.read, lambda uow: _delivery(uow, key))
    if row is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such delivery")
    report = twilio_back.report_in(posted.form)
    if report is not None:
        await keep(parts, [reported(report, row.channel, posted.now, key=key)])
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _delivery(uow: UnitOfWork, key: str) -> Delivery | None:
    """The row of this key, or the first of several that went as one message of this name."""
    return uow.deliveries.get(key) or uow.deliveries.get(first_of(key))


# ------------------------------------------------------------ keys in calls


@router.post("/digit/{token}", openapi_extra=_BODY, responses=_ANSWERS)
async def digit(posted: Posted, token: str) -> Response:
    """1 acknowledges for who was called; 2 pages the next level, unless it has been paged since."""
    try:
        link = posted.parts.sessions.follow(token, posted.now)
    except LinkRefused as refused:
        return _twiml(said(f"Nothing was done. {spoken(str(refused))}. Use the console."))
    found, next_paged = await to_thread.run_sync(_about, posted.parts, link)
    if found is None:
        return _twiml(said("There is no such incident any more."))
    kind = {ACK: "ack", NEXT: "escalate"}.get(one(posted.form, "Digits"))
    if kind is None:
        return _twiml(asked("That key does nothing.", posted.url))
    if kind == "escalate" and (found.incident.ended or next_paged):
        return _twiml(
            said("It is over already." if found.incident.ended else "The next level was paged already.")
        )
    return _twiml(await _pressed(posted, kind, link.person, found))


async def _pressed(posted: Heard, kind: str, person: str, found: Dossier) -> str:
    """Give the order; what is said about it."""
    try:
        await _order(posted, kind, person, "voice", found)
    except Busy:
        return asked(ONCE_MORE, posted.url)
    if kind == "escalate":
        return said("The next level is paged now. Thank you.")
    return said(f"Acknowledged. {spoken(_after(posted, found, person))}")


def _about(parts: Parts, link: Link) -> tuple[Dossier | None, bool]:
    """The incident, and whether a level above the one that was called is paged, or about to be."""
    return parts.read(lambda uow: (load(uow, link.incident), level_passed(uow, link.incident, link.level)))


# ------------------------------------------------------------ replies to texts


@router.post("/text", openapi_extra=_BODY, responses=_ANSWERS)
async def text(posted: Posted) -> Response:
    """A reply that is a page's code acknowledges; anything else changes nothing and is told what would."""
    sender, body = one(posted.form, "From"), one(posted.form, "Body")
    people, tries = posted.phones.people.get(sender, ()), posted.parts.tries
    who, most = (sender, {}) if people else ("", {"most": STRANGERS})
    if twilio_back.is_theirs(body) or tries.spent(who, posted.now, **most):
        return _twiml(replied())
    tries.wrong(who, posted.now)  # before anything is waited for: many that come at once are many tries
    code = twilio_back.code_in(body)
    meant = await to_thread.run_sync(_meant, posted, sender, people, code) if people and code else []
    if len(meant) != 1:
        return _twiml(replied(_why_not(people, code, meant)))
    tries.right(who, posted.now)
    [(person, found)] = meant
    try:
        await _order(posted, "ack", person, "sms", found)
    except Busy:
        return _twiml(replied(f"{ONCE_MORE} Send it again, or use the link."))
    return _twiml(replied(f"Acknowledged {found.incident.id}. {_after(posted, found, person)}"))


def _why_not(people: tuple[str, ...], code: str, meant: list[Any]) -> str:
    if not people:
        return "This number belongs to Fleetmend, which does not know yours. Nothing was changed."
    if meant:
        return "Several pages have this code: use the link in the page you mean. Nothing was changed."
    if code:
        return "No page of the last day has this code. Nothing was changed."
    return "Reply with the six digits of a page to acknowledge it. Nothing was changed."


def _meant(posted: Heard, phone: str, people: tuple[str, ...], code: str) -> list[tuple[str, Dossier]]:
    """Whose code it is, and of which incident: of those that a text to this phone told of within a day."""

    def look(uow: UnitOfWork) -> list[tuple[str, Dossier]]:
        since = posted.now - TEXT_HOLDS
        open_ones = {incident.id for incident in uow.incidents.open()}
        lately = {row.incident for row in uow.deliveries.recent(limit=MOST_ROWS) if row.created_at > since}
        found = []
        for name in sorted(open_ones | lately):
            if code in code_of(posted.phones.account, name, phone):
                person = _texted(uow.deliveries.of(name), people, since)
                dossier = load(uow, name) if person else None
                found += [(person, dossier)] if dossier else []
        return found

    return posted.parts.read(look)


def _texted(rows: tuple[Delivery, ...], people: tuple[str, ...], since: float) -> str:
    """Who of them was last sent a page by text since then; empty when nobody was."""
    sent = [row for row in rows if row.channel == "sms" and row.person in people and row.event in PAGES]
    return next((row.person for row in reversed(sent) if row.created_at > since), "")


async def _order(posted: Heard, kind: str, person: str, via: str, found: Dossier) -> None:
    caller = Caller(person, Role.OPERATOR, via)
    await keep(posted.parts, [order_of(kind, caller, {}, now=posted.now, incident=found.incident)])


def _after(posted: Heard, found: Dossier, person: str) -> str:
    """What an acknowledgement leaves: the next level's time, on the clock of who gave it."""
    if found.incident.ended:
        return "It was over already."
    at = found.escalation.next_level_at if found.escalation else None
    if at is None:
        return "Nobody else is paged by itself."
    known = posted.parts.known().people.get(person)
    clock = Clockface(posted.now, known.timezone if known else "UTC")
    return f"L{next_level(found)} is still paged at {clock.both(at)} unless it is resolved."


def _twiml(document: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{document}', media_type="text/xml")
