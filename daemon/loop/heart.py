"""Heart: what the outside said to the last heartbeats. In memory alone: the next beat tells anew."""

from __future__ import annotations

from dataclasses import dataclass

HEARTBEAT = "heartbeat"
"""Kind of the job that tells the outside dead-man's switch how we are."""
PATIENCE = 3
"""Beats in a row that did not arrive before people are told."""


@dataclass(slots=True)
class Heart:
    """`heard`: an answer came in this life, or none is asked for; before it nothing is known."""

    heard: bool = True
    failures: int = 0
    why: str = ""

    def take(self, error: str) -> None:
        """A beat was answered; `error` is empty when it was taken."""
        self.heard = True
        self.failures = self.failures + 1 if error else 0
        self.why = error

    @property
    def well(self) -> bool:
        """Whether the last beat arrived, as far as it can be known: what was told is over then, and not before."""
        return self.heard and not self.failures

    @property
    def trouble(self) -> str:
        """What people are told; empty while there is nothing to tell."""
        if self.failures < PATIENCE:
            return ""
        return f"The heartbeat does not arrive ({self.why}): if this daemon dies nobody will be told. Look at `heartbeat.url`."
