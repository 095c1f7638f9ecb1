"""Burn rates that no failure can reach, and what they cannot be asked for."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration, format_share
from daemon.settings.lint.check import Check, Found, View


def _never(view: View) -> Iterator[Found]:
    for one in view.detectors:
        signal, fire = one.rule.signal, one.rule.fire
        if fire.op != "above" or fire.threshold <= 0:
            continue
        for burn in signal.burns:
            needed = fire.threshold * burn.pace * signal.budget
            if needed >= 1 - 1e-9:
                window, most = format_duration(burn.long), 1 / signal.budget
                text = f"all failing burns {most:.3g} times the budget, never above the {fire.threshold * burn.pace:g} of window {window}"
                least = 1 - 1 / (fire.threshold * burn.pace)
                hint = f"an objective above {format_share(round(least, 4))}, or a burn below {most:.3g}"
                yield Found(one.in_signal("objective"), text, hint)
                break


def _under(view: View) -> Iterator[Found]:
    for one in view.detectors:
        fire = one.rule.fire
        if one.rule.signal.burns and (fire.op != "above" or fire.threshold < 1):
            text = (
                f"{fire.op} {fire.threshold:g} asks for less than the pace that the windows name, which is 1"
            )
            hint = "write above: 1, and give windows the burn that is meant"
            yield Found((*one.path, "fire", fire.op), text, hint)


def _widened(view: View) -> Iterator[Found]:
    for one in view.detectors:
        minimum = one.spec.minimum
        if one.rule.signal.burns and minimum is not None and minimum.widen_to is not None:
            text = "the windows of a burn rate are what they are: none is widened"
            hint = "leave widen_to out: a pair with too few attempts waits for the longer one"
            yield Found((*one.path, "minimum", "widen_to"), text, hint)


NEVER = Check(
    code="burn-never",
    title="A burn rate that even a total failure does not reach",
    gravity=Gravity.ERROR,
    why="""With an objective o the budget is 1 - o, and if all fails it burns 1 / (1 - o) times as fast as it may. A pair of
windows with the burn b fires above b x threshold, so it needs 1 / (1 - o) > b x threshold, or o > 1 - 1 / b. At the
14.4 of the one-hour window that is 93.1 %: an objective of 90 % burns 10 times its budget in a total failure, and the
detector stays silent. It cannot work, so the configuration is refused.""",
    fix="Use a higher objective, or give `windows` with smaller burns; for such a low one a plain `ratio` says it better.",
    example="""detectors:
  burning:
    failure_mode: ingestion_stopped
    signal: {burn_rate: {of: errors_total, to: requests_total, objective: 90%}}   # <--
    fire: {above: 1}
    minimum: {events: 50}
""",
    better="""detectors:
  burning:
    failure_mode: ingestion_stopped
    signal: {burn_rate: {of: errors_total, to: requests_total, objective: 99%}}
    fire: {above: 1}
    minimum: {events: 50}
""",
    find=_never,
)

UNDER = Check(
    code="burn-under-pace",
    title="A burn rate is asked to be less than 1",
    gravity=Gravity.ERROR,
    why="""The value is a share of the pace that `windows` name, so 1 is where it is too fast, and a lower threshold is a
smaller `burn`. Below 1 the value is not always exact: until a long window is covered, the short one alone says that its
pair does not burn, and its figure is then an upper bound. A detector that fired on it would act on what is not known,
so the configuration is refused.""",
    fix="Write `above: 1`, and give `windows` the burn that is meant.",
    example="""detectors:
  burning:
    failure_mode: ingestion_stopped
    signal: {burn_rate: {of: errors_total, to: requests_total, objective: 99.9%}}
    fire: {above: 0.5}   # <--
    minimum: {events: 400}
""",
    better="""detectors:
  burning:
    failure_mode: ingestion_stopped
    signal:
      burn_rate:
        of: errors_total
        to: requests_total
        objective: 99.9%
        windows: [{long: 1h, short: 5m, burn: 7.2}, {long: 6h, short: 30m, burn: 3}]
    fire: {above: 1}
    minimum: {events: 700}
""",
    find=_under,
)

WIDENED = Check(
    code="burn-widened",
    title="`minimum.widen_to` on a burn rate",
    gravity=Gravity.ERROR,
    why="""`minimum.events` is asked of the short window of each pair; a pair with fewer attempts does not speak, and one
with longer windows does. Widening the short window until it holds enough would make another pair of it, with a burn that
was not chosen for it. It would not be done, so the configuration is refused.""",
    fix="Leave `widen_to` out, or add a pair with longer windows.",
    example="""detectors:
  burning:
    failure_mode: ingestion_stopped
    signal: {burn_rate: {of: errors_total, to: requests_total, objective: 99%}}
    fire: {above: 1}
    minimum: {events: 50, widen_to: 1h}   # <--
""",
    better="""detectors:
  burning:
    failure_mode: ingestion_stopped
    signal: {burn_rate: {of: errors_total, to: requests_total, objective: 99%, windows: page}}
    fire: {above: 1}
    minimum: {events: 50}
""",
    find=_widened,
)
