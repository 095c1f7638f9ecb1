"""Every bound of what comes in over HTTP, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, lengths in seconds.

    `order`: body of a form or an order. `intake`: body of an alert post. `readers`: threads that read the store.
    `listeners`: open event streams. `heartbeat`: a stream says at least that often that it lives. `record_within`:
    how long a request waits for its row to be on disk before it says 503. `session`: how long a login holds.
    `head_within`, `body_within`: how long the head of a request, and its body, may take to come.
    """

    order: int = 65_536
    intake: int = 4_194_304
    readers: int = 8
    listeners: int = 50
    heartbeat: float = 10.0
    look_every: float = 0.5
    record_within: float = 10.0
    session: float = 43_200.0
    connections: int = 400
    head_within: float = 10.0
    body_within: float = 30.0
