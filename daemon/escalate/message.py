"""Message: what one delivery says, ready for any channel; Receipt: what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from daemon.incidents.records import PageEvent


@dataclass(frozen=True, slots=True)
class Message:
    """Text and facts of one delivery, rendered for one reader.

    `headline`: one line of at most 120 characters. `parts`: paragraphs, the most important first, so that a channel
    with little room cuts from the end. `links`: (text, address). `note`: what a status message reports
    (`acked`, `L2`, …). `source`, `component`, `group`, `facet`: the scope, the playbook, the environment, the failure
    mode. `maybe`: an earlier try of it may have arrived. `first`: what the provider called the first page of this
    incident at this destination, if it is the message of that page alone; `page`: headline and parts of that page as it
    reads now. `several`: ids of all incidents it tells of, where they are more than one. Nothing in it is a secret, but
    `token`, which is for its reader: it stands behind the channel's buttons.
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
    maybe: bool = False
    first: str = ""
    page: tuple[str, ...] = ()
    several: tuple[str, ...] = ()
    token: str = field(default="", repr=False)

    @property
    def body(self) -> str:
        """Everything below the headline, as plain text."""
        return "\n\n".join(self.parts)

    @property
    def ack_link(self) -> str:
        """The link by which its reader can acknowledge; empty when there is none."""
        return next((href for _, href in self.links if "/a/" in href), "")


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
    one was refused. `provider_id`: what the provider calls this message. `renew`: seconds after which it has to be
    sent again, to go on standing there. `proof_within`: seconds within which the provider says whether it arrived, where
    it was asked to.
    """

    kind: ReceiptKind
    detail: str = ""
    retry_after: float | None = None
    status: int | None = None
    shortened: bool = False
    provider_id: str = ""
    renew: float | None = None
    proof_within: float | None = None
