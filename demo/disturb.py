"""What looks like trouble and is none: the quiet scenario's disturbances."""

import contextlib
from collections.abc import Callable

from demo import clock
from demo.hands import CannotBreak, Hands
from demo.programs.packets import customers
from demo.settings import PROVIDERS, TIERS
from demo.stack import newcomer
from demo.supervise import RUNNING


def rolling_restart(hands: Hands, _: str) -> None:
    """Every process once, one at a time, through the manager."""
    for unit, facts in hands.manager.processes().items():
        if facts["statename"] in RUNNING and unit != "listener":
            hands.manager.restart(unit)
            clock.pause(hands.stack.settings.manage.rolling_pause_s)


def night_rate(hands: Hands, provider: str) -> None:
    """One provider sends next to nothing, as at night."""
    rate = hands.stack.settings.provider.night_packets_per_s
    hands.control(f"provider-{provider or PROVIDERS[-1]}", "/control/fault", {"packets_per_s": rate})


def suspend_customer(hands: Hands, customer: str) -> None:
    """A customer of Teltonika is suspended on purpose: nothing of it comes, and the consumer says so."""
    name = customer or customers("teltonika")[0]
    for provider in PROVIDERS:
        if name.startswith(provider):
            hands.control(f"provider-{provider}", "/control/fault", {"suspend": [name]})


def new_provider(hands: Hands, _: str) -> None:
    newcomer(hands.stack, on=True)


def bad_minute(hands: Hands, provider: str) -> None:
    """A burst of failed attempts shorter than any hold."""
    burst = hands.stack.settings.provider.burst_s
    hands.control(f"provider-{provider or PROVIDERS[0]}", "/control/fault", {"burst_s": burst})


def counter_reset(hands: Hands, _: str) -> None:
    """Every counter starts again at zero, as after a restart nobody saw."""
    for program in [f"ingestion-{provider}" for provider in PROVIDERS] + ["transformation", "api"]:
        hands.control(program, "/control/reset-counters", {})
    for tier in TIERS:
        hands.control(f"storage-writer-{tier}", "/control/reset-counters", {})


DISTURBANCES: dict[str, Callable[[Hands, str], None]] = {
    "rolling-restart": rolling_restart,
    "night-rate": night_rate,
    "suspend-customer": suspend_customer,
    "new-provider": new_provider,
    "bad-minute": bad_minute,
    "counter-reset": counter_reset,
}


def undisturb(hands: Hands) -> None:
    """Ends what lasts. A new provider stays, until `heal` takes it away."""
    for provider in PROVIDERS:
        with contextlib.suppress(CannotBreak):
            hands.control(f"provider-{provider}", "/control/heal", {})
