"""Debts whose return waits for a person's word, or may be given back before it asks: the two answers, as buttons."""

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
    words = {DebtState.PROPOSED: "Give back {}", DebtState.FAILED: "Try again to give back {}"}
    return [
        Asking(debt.incident, debt.rung, _answers(debt.incident, debt.rung, words[DebtState(debt.state)]))
        for debt in debts
        if debt.state in words
    ]


def waiting(debts: Iterable[Owed]) -> list[Asking]:
    """Those that ask nobody yet: a person who mended the fault by hand need not wait for them."""
    return [
        Asking(
            debt.incident, debt.rung, _answers(debt.incident, debt.rung, "Give back {} now", weight="plain")
        )
        for debt in debts
        if debt.state in {DebtState.OPEN, DebtState.DUE}
    ]


def _answers(incident: str, rung: str, words: str, weight: str = "first") -> tuple[Button, ...]:
    tied, flag, tag = (("rung", rung),), f"{incident} --rung {rung}", f"{incident}-{rung}"
    return (
        Button(
            "approve",
            words.format(rung),
            "its pre-check is asked once more on fresh probes, then it runs",
            f"fleetmend approve {flag}",
            ask=f"Giving back {rung} changes the running pipeline. Let it run?",
            weight=weight,
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
