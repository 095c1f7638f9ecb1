"""Debts whose return waits for a person's word: the two answers, as buttons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from daemon.incidents.records import DebtState
from daemon.web.views.button import WHY, Button


class Owed(Protocol):
    """A debt, as a row of the store or as the desk shows it."""

    @property
    def incident(self) -> str: ...
    @property
    def rung(self) -> str: ...
    @property
    def state(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """What one debt asks, and of which incident."""

    incident: str
    rung: str
    orders: tuple[Button, ...]


def asking(debts: Iterable[Owed]) -> list[Asking]:
    """Those of them that ask."""
    return [
        Asking(debt.incident, debt.rung, _answers(debt.incident, debt.rung))
        for debt in debts
        if debt.state == DebtState.PROPOSED
    ]


def _answers(incident: str, rung: str) -> tuple[Button, ...]:
    tied, flag, tag = (("rung", rung),), f"{incident} --rung {rung}", f"{incident}-{rung}"
    return (
        Button(
            "approve",
            f"Give back {rung}",
            "its pre-check is asked once more on fresh probes, then it runs",
            f"fleetmend approve {flag}",
            ask=f"Giving back {rung} changes the running pipeline. Let it run?",
            weight="first",
            hidden=tied,
            tag=tag,
        ),
        Button(
            "reject",
            f"Keep {rung}",
            "it is not given back; the debt is waived and asks no more",
            f"fleetmend reject {flag}",
            fields=(WHY,),
            hidden=tied,
            tag=tag,
        ),
    )
