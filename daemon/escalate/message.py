"""Message: what one delivery says, ready for any channel; Receipt: what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from daemon.incidents.records import PageEvent


@dataclass(frozen=True, slots=True)
class Message:
    """Text and facts of one delivery, rendered for one reader.

    `headline`: one line of at most 120 characters. `parts`: paragraphs, the most important first, so that a channel
    with little room cuts from the end. `links`: (text, address). `note`: what a status message reports
    (`acked`, `L2`, …). `source`, `component`, `group`, `facet`: the scope, the playbook, the environment, the failure
    mode. Nothing in it is a secret.
    """

    key: str
    dedup_key: str
    incident: str
    event: PageEvent
    severity: str
    level: int
    headline: str
    at: float
    parts: tuple[str, ...] = ()
    source: str = "fleetmend"
    component: str = ""
    group: str = ""
    facet: str = ""
    note: str = ""
    links: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> str:
        """Everything below the headline, as plain text."""
        return "\n\n".join(self.parts)


class ReceiptKind(StrEnum):
    """What a channel's answer means for the row."""

    OK = "ok"
    AMBIGUOUS = "ambiguous"
    """Written, not answered: it may have arrived, so it is sent again under the same key."""
    TEMPORARY = "temporary"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Receipt:
    """`retry_after`: seconds the provider asked for. `detail` is safe to show: no secret, bounded.

    `status`: the provider's code, where it gave one. `shortened`: the message went in a short form after the full
    one was refused.
    """

    kind: ReceiptKind
    detail: str = ""
    retry_after: float | None = None
    status: int | None = None
    shortened: bool = False
