"""A small real SMTP server: speaks the protocol on a socket, keeps what it took, and refuses as told."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass
class Mailbox:
    """What the server took and what it was told. `refuse`: command (`MAIL`, `RCPT`, `DATA`, `TEXT`, `AUTH`) to an
    answer given to the next such command. `hang_up_after_text`: takes the mail and closes without an answer.
    """

    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    hang_up_after_text: bool = False
    hang_up_at_greeting: bool = False
    users: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    encrypted: list[bool] = field(default_factory=list)
    max_bytes: int = 10_000_000

    def take(self, text: bytes) -> None:
        self.raw.append(text)
        parsed = email.message_from_bytes(text, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)


def plain_of(mail: EmailMessage) -> str:
    """A mail's text for those who read no HTML."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


class _Session(socketserver.StreamRequestHandler):
    """One connection, command by command."""

    timeout = 10

    @property
    def box(self) -> Mailbox:
        server = self.server
        assert isinstance(server, _Server)
        return server.box

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.secure = False
        self.known = False
        if self.box.hang_up_at_greeting:
            return
        self.say("220 test server")
        with contextlib.suppress(OSError):
            while line := self.rfile.readline(4096):
                if not self.command(line.decode("ascii", "replace").rstrip("\r\n")):
                    return

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.connection.close()  # an encrypted one is not the socket that the server knows

    def command(self, line: str) -> bool:
        verb = line[:4].upper()
        refusal = self.box.refuse.pop(verb, None)
        if refusal is not None:
            self.say(refusal)
            return True
        if verb == "QUIT":
            self.say("221 bye")
            return False
        handler = {
            "EHLO": self.ehlo,
            "HELO": self.ehlo,
            "STAR": self.starttls,
            "AUTH": self.auth,
            "MAIL": self.mail,
            "DATA": self.data,
        }
        if verb in handler:
            return handler[verb](line)
        self.say("250 ok")
        return True

    def ehlo(self, line: str) -> bool:
        del line
        extensions = ["test server", f"SIZE {self.box.max_bytes}"]
        if self.box.tls is not None and not self.secure:
            extensions.append("STARTTLS")
        if self.box.users:
            extensions.append("AUTH PLAIN")
        for extension in extensions[:-1]:
            self.say(f"250-{extension}")
        self.say(f"250 {extensions[-1]}")
        return True

    def starttls(self, line: str) -> bool:
        del line
        if self.box.tls is None:
            self.say("502 not implemented")
            return True
        self.say("220 go on")
        self.connection = self.box.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.secure = True
        return True

    def auth(self, line: str) -> bool:
        _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
        self.known = self.box.users.get(user) == password
        self.say("235 welcome" if self.known else f"535 5.7.8 wrong password {password}")
        return True

    def mail(self, line: str) -> bool:
        if self.box.users and not self.known:
            self.say("530 authentication required")
            return True
        size = line.upper().partition("SIZE=")[2].split(" ")[0]
        self.say("552 message size exceeds limit" if size and int(size) > self.box.max_bytes else "250 ok")
        return True

    def data(self, line: str) -> bool:
        del line
        self.say("354 end with a dot")
        lines: list[bytes] = []
        while (text := self.rfile.readline()) != b".\r\n":
            if not text:
                return False
            lines.append(text[1:] if text.startswith(b"..") else text)
        refusal = self.box.refuse.pop("TEXT", None)
        if refusal is not None:
            self.say(refusal)
            return True
        self.box.take(b"".join(lines))
        self.box.encrypted.append(self.secure)
        if self.box.hang_up_after_text:
            return False
        self.say("250 2.0.0 queued")
        return True


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, box: Mailbox) -> None:
        self.box = box
        super().__init__(("127.0.0.1", 0), _Session)


@contextlib.contextmanager
def mail_server(box: Mailbox) -> Iterator[int]:
    """Serve `box` on a free port of the loopback interface; gives the port."""
    with _Server(box) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
