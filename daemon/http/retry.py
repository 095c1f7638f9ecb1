"""Asking a safe question again, inside one deadline."""

from __future__ import annotations

import threading
from typing import cast

import tenacity
from tenacity.stop import stop_base

from daemon.http.door import SAFE_METHODS
from remediations.ports import Ambiguous, Clock, Http, Request, Response, Unreachable

RETRIED_STATUS = frozenset({429, 502, 503, 504})


def get_with_retry(
    http: Http, clock: Clock, request: Request, *, deadline: float, max_bytes: int = 1_000_000, tries: int = 3
) -> Response:
    """Ask a safe question again while the deadline leaves time for the pause and another try.

    Repeats on lost connections and on 429, 502, 503, 504; the last answer or error is the caller's. Raises
    `ValueError` for a method that may change something: such a retry is a row with a due time, not a loop.
    """
    if request.method.upper() not in SAFE_METHODS:
        raise ValueError(f"{request.method} is not safe to repeat")

    def last(state: tenacity.RetryCallState) -> Response:
        assert state.outcome is not None
        return cast("Response", state.outcome.result())

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((Unreachable, Ambiguous))
        | tenacity.retry_if_result(lambda response: response.status in RETRIED_STATUS),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=2.0),
        stop=tenacity.stop_after_attempt(tries) | _OutOfTime(clock, deadline),
        sleep=tenacity.sleep_using_event(threading.Event()),
        retry_error_callback=last,
    )
    return retrying(http.send, request, deadline=deadline, max_bytes=max_bytes)


class _OutOfTime(stop_base):
    """Stop when the pause before the next try would outlast the deadline."""

    def __init__(self, clock: Clock, deadline: float) -> None:
        self._clock = clock
        self._deadline = deadline

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        return self._clock.monotonic() + state.upcoming_sleep >= self._deadline
