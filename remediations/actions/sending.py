"""One HTTP call whose answer is all there is: what becomes of it as an outcome. Shared by the kinds that speak HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from remediations.actions.action import Reveal
from remediations.actions.answers import MAX_ANSWER, said
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ambiguous, Ports, Request, Response, TooLarge, Unreachable

KEY = "Idempotency-Key"
SAFE = frozenset({"GET", "HEAD"})


class Sent(Exception):
    """The call did not come to a good answer; the outcome says how."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.effect)
        self.outcome = outcome


def asked(
    request: Request, ports: Ports, what: str, *, until: float, good: Callable[[Response], bool]
) -> Response:
    """The answer, if it is `good`. Raises `Sent`. `what` is what people read; `until` monotonic seconds."""
    try:
        response = ports.http.send(request, deadline=until, max_bytes=MAX_ANSWER)
    except Unreachable as error:
        raise Sent(outcome(OutcomeState.FAILED, f"{what}: nothing was sent", ports, str(error))) from None
    except (Ambiguous, TooLarge) as error:
        state = OutcomeState.FAILED if request.method in SAFE else OutcomeState.UNKNOWN
        text = f"{what}: sent, and not known to have taken effect"
        raise Sent(outcome(state, text, ports, str(error))) from None
    if not good(response):
        raise Sent(outcome(OutcomeState.FAILED, f"{what}: answered {response.status}", ports, said(response)))
    return response


def send(
    request: Request, ports: Ports, what: str, *, until: float, good: Callable[[Response], bool]
) -> Outcome:
    """The call as the whole action."""
    try:
        response = asked(request, ports, what, until=until, good=good)
    except Sent as sent:
        return sent.outcome
    return outcome(OutcomeState.DONE, f"{what}: answered {response.status}", ports, said(response))


def no_permit(what: str, ports: Ports) -> Outcome:
    """Everything is paused, or another daemon leads."""
    return outcome(OutcomeState.NOT_DONE, f"{what}: no permit, nothing was sent", ports)


def outcome(state: OutcomeState, effect: str, ports: Ports, output: str = "") -> Outcome:
    """It ended now."""
    return Outcome(state, effect, output, ports.clock.now())


def given(headers: Mapping[str, Any], reveal: Reveal) -> dict[str, str]:
    """The headers as sent: secrets in plain, and the idempotency key is ours alone to give."""
    return {
        name: reveal(value) if isinstance(value, dict) else value
        for name, value in headers.items()
        if name.lower() != KEY.lower()
    }
