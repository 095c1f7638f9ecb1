"""The circuit breaker of one endpoint. Pure: the caller gives the time."""

from dataclasses import dataclass, replace

STATES = ("closed", "open", "half_open")


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed lets every attempt through, open none, half open one every `probe_s` until it answers."""

    state: str = "closed"
    probe_s: float = 1.0
    probed_at: float = float("-inf")

    def told(self, state: str) -> "Breaker":
        """Raises ValueError for a state that is none."""
        if state not in STATES:
            raise ValueError(f"state is one of {', '.join(STATES)}")
        return replace(self, state=state, probed_at=float("-inf"))

    def retried(self) -> "Breaker":
        """Something was changed that may have mended the endpoint: an open breaker lets a probe through."""
        return self.told("half_open") if self.state == "open" else self

    def allows(self, now: float) -> bool:
        return self.state == "closed" or (self.state == "half_open" and now - self.probed_at >= self.probe_s)

    def attempted(self, now: float) -> "Breaker":
        return replace(self, probed_at=now) if self.state == "half_open" else self

    def ended(self, ok: bool) -> "Breaker":
        """A probe that answers closes the breaker; one that fails opens it."""
        if self.state != "half_open":
            return self
        return replace(self, state="closed" if ok else "open")
