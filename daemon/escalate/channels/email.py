"""E-mail by SMTP, and the only place that speaks it. One recipient a message, so a refusal concerns nobody else.

250 after the text means that the server took responsibility, not that somebody read it. Messages of one incident
form a thread: each refers to one root that is derived from the deduplication key.
"""

from __future__ import annotations

import contextlib
import hashlib
import smtplib
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from email.utils import format_datetime
from typing import Any

from config.section import Section
from daemon.escalate.channels import email_html
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Address, Shared, Smtp
from daemon.escalate.channels.wire import detail
from daemon.escalate.graphemes import clean, cut, line, octets, one_line
from daemon.escalate.message import Message, Receipt, ReceiptKind

SUBJECT = 200
MAX_TEXT = 200_000
_TOO_BIG = 552
_CONTENT_TOO_LARGE = 413


class EmailSpec(Section):
    """One person's address; the server is `channels.smtp`."""

    to: Address


class Email:
    kind = "email"
    wakes = False
    tracks = False
    available = True
    local = False
    spec = EmailSpec

    def normal(self, settings: Any) -> Any:
        return {"to": settings} if isinstance(settings, str) else settings

    def doubts(self, spec: EmailSpec, shared: Shared) -> list[str]:
        del spec
        if shared.smtp is None:
            return ["no mail server is set: channels.smtp"]
        clear = not (shared.smtp.tls or shared.smtp.starttls)
        return (
            ["the password would be sent in the clear"] if clear and shared.smtp.password is not None else []
        )

    def render(self, message: Message, spec: EmailSpec, smtp: Smtp, *, short: bool = False) -> EmailMessage:
        """The mail: plain text and the same as HTML, threaded, marked as written by a machine."""
        mail = EmailMessage(policy=MAIL)
        mail["From"] = smtp.from_
        mail["To"] = spec.to
        mail["Subject"] = line(message.headline, SUBJECT)
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.at, UTC))
        mail["Message-ID"] = _identity(message.key, smtp)
        mail["In-Reply-To"] = mail["References"] = _identity(f"{message.dedup_key}/{spec.to}", smtp)
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        mail["X-Fleetmend-Incident"] = one_line(message.incident)
        mail["X-Fleetmend-Event"] = str(message.event)
        body = "" if short else cut(message.body, MAX_TEXT, octets)
        links = "\n".join(f"{text}: {href}" for text, href in message.links)
        text = "\n\n".join(filter(None, (message.headline, body, links)))
        mail.set_content(cut(clean(text) + "\n", MAX_TEXT, octets))
        mail.add_alternative(email_html.page(message, body), subtype="html")
        return mail

    def send(
        self, message: Message, spec: EmailSpec, shared: Shared, doors: Doors, deadline: float, *, short: bool
    ) -> Receipt:
        if shared.smtp is None:
            return Receipt(ReceiptKind.PERMANENT, "no mail server is set: channels.smtp")
        left = deadline - doors.clock.monotonic()
        if left <= 0:
            return Receipt(ReceiptKind.TEMPORARY, "no time was left")
        mail = self.render(message, spec, shared.smtp, short=short).as_bytes()
        return _deliver(mail, spec.to, shared.smtp, doors, min(left, shared.smtp.timeout))


def _deliver(mail: bytes, to: str, smtp: Smtp, doors: Doors, timeout: float) -> Receipt:
    """Before the text is sent nothing can have arrived; after it, silence is ambiguous."""
    try:
        with _session(smtp, timeout) as server:
            for code, answer in (server.mail(smtp.from_, _options(server, mail)), server.rcpt(to)):
                if code not in {250, 251}:
                    return _refused(code, answer, doors)
            return _text(server, mail, doors)
    except smtplib.SMTPResponseException as error:
        return _refused(error.smtp_code, error.smtp_error, doors)
    except ssl.SSLCertVerificationError as error:
        return Receipt(ReceiptKind.PERMANENT, detail(f"certificate refused: {error.verify_message}", doors))
    except smtplib.SMTPNotSupportedError as error:
        return Receipt(ReceiptKind.PERMANENT, detail(str(error), doors))
    except (OSError, smtplib.SMTPException) as error:
        return Receipt(ReceiptKind.TEMPORARY, detail(f"{type(error).__name__}: {error}", doors))


def _text(server: smtplib.SMTP, mail: bytes, doors: Doors) -> Receipt:
    try:
        code, answer = server.data(mail)
    except smtplib.SMTPDataError as error:
        return _refused(error.smtp_code, error.smtp_error, doors)
    except (OSError, smtplib.SMTPServerDisconnected) as error:
        return Receipt(
            ReceiptKind.AMBIGUOUS, detail(f"no answer after the text: {type(error).__name__}", doors)
        )
    if code != 250:
        return _refused(code, answer, doors)
    return Receipt(ReceiptKind.OK, detail(f"250 {answer.decode('utf-8', 'replace')}", doors), status=250)


@contextlib.contextmanager
def _session(smtp: Smtp, timeout: float) -> Iterator[smtplib.SMTP]:
    """A greeted, encrypted and authenticated connection. An answer to QUIT is not waited for."""
    name = smtp.from_.rpartition("@")[2]
    trust = ssl.create_default_context(cafile=smtp.ca) if smtp.tls or smtp.starttls else None
    server = (
        smtplib.SMTP_SSL(smtp.host, smtp.port, local_hostname=name, timeout=timeout, context=trust)
        if smtp.tls
        else smtplib.SMTP(smtp.host, smtp.port, local_hostname=name, timeout=timeout)
    )
    try:
        server.ehlo_or_helo_if_needed()
        if smtp.starttls:
            server.starttls(context=trust)
            server.ehlo_or_helo_if_needed()
        if smtp.username is not None and smtp.password is not None:
            server.login(smtp.username, smtp.password.reveal())
        yield server
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.putcmd("quit")
        server.close()


def _options(server: smtplib.SMTP, mail: bytes) -> list[str]:
    return [f"SIZE={len(mail)}"] if server.has_extn("size") else []


def _refused(code: int, answer: bytes | str, doors: Doors) -> Receipt:
    """4yz may work later, 5yz will not; a mail that is too big is worth a shorter one."""
    said = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    text = detail(f"{code} {said}", doors)
    if 400 <= code < 500 or code < 0:
        return Receipt(ReceiptKind.TEMPORARY, text, status=code)
    return Receipt(ReceiptKind.PERMANENT, text, status=_CONTENT_TOO_LARGE if code == _TOO_BIG else code)


def _identity(text: str, smtp: Smtp) -> str:
    digest = hashlib.blake2s(text.encode(errors="replace"), digest_size=16).hexdigest()
    return f"<{digest}@{smtp.from_.rpartition('@')[2]}>"


def _fits(channel: Email) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
