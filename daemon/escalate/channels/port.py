"""What a channel is: the one interface that dispatch and worker know, and the doors a channel may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from config.section import Section
from daemon.escalate.message import Message, Receipt
from remediations.ports import Clock, Http


@dataclass(frozen=True, slots=True)
class Doors:
    """What a worker hands a channel. `redact` takes every known secret out of a text.

    `public_url`: where services outside reach our own web server; empty when they do not.
    """

    http: Http
    clock: Clock
    redact: Callable[[str], str]
    public_url: str = ""


class Channel(Protocol):
    """One kind of channel.

    `wakes`: made to wake people. `tracks`: keeps an incident's state, so it is told of acknowledgements. `available`:
    can be used. `local`: a message is delivered by being committed; `send` is never called.
    """

    @property
    def kind(self) -> str: ...
    @property
    def wakes(self) -> bool: ...
    @property
    def tracks(self) -> bool: ...
    @property
    def available(self) -> bool: ...
    @property
    def local(self) -> bool: ...
    @property
    def spec(self) -> type[Section]:
        """The section of one person's channel. `settings` as written are validated by it after `normal`."""
        ...

    def normal(self, settings: Any) -> Any:
        """Short forms (`email: ana@example.org`) as the map that `spec` takes."""
        ...

    def doubts(self, spec: Any, shared: Any) -> list[str]:
        """What is probably wrong with these settings though they can be used: warnings of `check`."""
        ...

    def send(
        self, message: Message, spec: Any, shared: Any, doors: Doors, deadline: float, *, short: bool
    ) -> Receipt:
        """Render and send once. `shared`: the section of `channels:`. `deadline`: monotonic seconds.

        `short`: the least that is a page, after a full one was refused.
        """
        ...
