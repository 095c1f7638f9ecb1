"""The console: a page shown by console and command line. It is delivered by being committed."""

from __future__ import annotations

from typing import Any

from config.section import Section
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared
from daemon.escalate.message import Message, Receipt, ReceiptKind


class ConsoleSpec(Section):
    """Nothing to set: `console: {}`."""


class Console:
    kind = "console"
    wakes = False
    tracks = False
    available = True
    local = True
    spec = ConsoleSpec

    def normal(self, settings: Any) -> Any:
        return {} if settings in (None, True) else settings

    def doubts(self, spec: ConsoleSpec, shared: Shared) -> list[str]:
        del spec, shared
        return []

    def send(
        self,
        message: Message,
        spec: ConsoleSpec,
        shared: Shared,
        doors: Doors,
        deadline: float,
        *,
        short: bool,
    ) -> Receipt:
        del message, spec, shared, doors, deadline, short
        return Receipt(ReceiptKind.OK, "shown in the console")


def _fits(channel: Console) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
