"""A page as Ana reads it, ten minutes after it began."""

from __future__ import annotations

from typing import Any

from daemon.escalate.message import Message
from daemon.escalate.text import Around, Reader, compose
from daemon.incidents.records import PageEvent
from tests.fakes.dossiers import T, delivery, story

ANA = Reader("Ana", "Europe/Paris", "https://fm.example.org/", "production")
NOW = T + 600


def page(
    event: PageEvent = PageEvent.TRIGGER, dossier: Any = None, around: Around | None = None, **facts: Any
) -> Message:
    """The message; `facts` of its row beside the reason."""
    row = delivery(event, key="mine", facts={"reason": "Ladder exhausted", **facts})
    return compose(dossier or story(), row, ANA, around or Around(), NOW)
