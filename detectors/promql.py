"""Each signal as PromQL (for links, push-down and as the oracle of tests), and what a rule wants from its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from config.units import format_duration
from detectors.rule import Matcher, Rule, Signal
from detectors.windows import BASE_SLACK, STALE_AFTER


@dataclass(frozen=True, slots=True)
class Wanted:
    """One metric to fetch, with the label conditions that narrow it down."""

    name: str
    where: tuple[Matcher, ...] = ()


def wanted(signal: Signal) -> tuple[Wanted, ...]:
    """The metrics a signal is computed from; none for probes and queries, which are asked for as they are."""
    if signal.kind in {"probe", "promql"}:
        return ()
    return tuple(Wanted(name, signal.where) for name in dict.fromkeys((*signal.of, *signal.to)))


def wanted_by(rule: Rule) -> tuple[Wanted, ...]:
    """The metrics of a rule, those of its gate included."""
    gate = wanted(rule.gate.signal) if rule.gate else ()
    return tuple(dict.fromkeys((*wanted(rule.signal), *gate)))


def look_back(rule: Rule, interval: float) -> float:
    """Seconds of history a rule needs for a first verdict: its widest window, its hold, and some scrapes of slack."""
    signals = [rule.signal] + ([rule.gate.signal] if rule.gate else [])
    window = max(signal.reach for signal in signals)
    per = rule.expected.per if rule.expected else 0.0
    hold = max(rule.fire.hold, rule.clear.hold)
    return max(window, per) + hold + (BASE_SLACK + 2 * STALE_AFTER) * interval


def promql(signal: Signal) -> str:
    """The equivalent query. Prometheus extrapolates where we take exact differences, so figures differ slightly.

    For `peers`, the query of what they are compared by.
    """
    return _QUERIES[signal.kind](signal)


def pushdown(signal: Signal) -> str:
    """The query that is evaluated in the signal's place: answered only where enough events are behind it.

    As in our own evaluation, a window with too few is doubled, up to `widen_to`.
    """
    if not signal.events or signal.kind not in _ATTEMPTS:
        return promql(signal)
    windows = [signal.window]
    while windows[-1] < signal.widen_to:
        windows.append(min(2 * windows[-1], signal.widen_to))
    wider = [replace(signal, window=window) for window in windows]
    parts = [f"(({promql(one)}) and {_ATTEMPTS[one.kind](one)} >= {one.events:g})" for one in wider]
    return " or ".join(parts)


def _by(*labels: str) -> str:
    return f" by ({', '.join(labels)})" if labels else ""


def _gauge(signal: Signal) -> str:
    return f"{signal.agg}{_by(*signal.by)} ({_selector(signal, signal.of)})"


def _age(signal: Signal) -> str:
    return f"time() - max{_by(*signal.by)} ({_selector(signal, signal.of)})"


def _ratio(signal: Signal) -> str:
    attempts = _growth(signal, signal.to, _by(*signal.by))
    return f"({_growth(signal, signal.of, _by(*signal.by))} or 0 * {attempts}) / {attempts}"


def _share_over(signal: Signal) -> str:
    good = _growth(signal, signal.of, _by(*signal.by), f'le="{signal.bound:g}"')
    total = _growth(signal, signal.of, _by(*signal.by), 'le="+Inf"')
    return f"1 - {good} / {total}"


def _quantile(signal: Signal) -> str:
    return f"histogram_quantile({signal.q:g}, {_growth(signal, signal.of, _by(*signal.by, 'le'))})"


def _slope(signal: Signal) -> str:
    window = format_duration(signal.window)
    slopes = {name: f"deriv({_selector(signal, (name,))}[{window}])" for name in signal.of}
    return _combined(signal.agg, _by(*signal.by), slopes)


def _burn_rate(signal: Signal) -> str:
    """The greatest of the pairs. Each is the lesser of two ratios, said so that it is gone where either of them is."""
    pairs = []
    for burn in signal.burns:
        short, long = (_ratio(replace(signal, window=window)) for window in (burn.short, burn.long))
        if signal.events:
            attempts = _growth(replace(signal, window=burn.short), signal.to, _by(*signal.by))
            short = f"({short} and {attempts} >= {signal.events:g})"
        pace = signal.budget * burn.pace
        pair = f"({short} <= {long} or {long} < {short}) / {pace:g}"
        pairs.append(f'label_replace({pair}, "pair", "{format_duration(burn.long)}", "", "")')
    return f"max{_by(*signal.by)} ({' or '.join(pairs)})"


def _plain(signal: Signal) -> str:
    return _growth(signal, signal.of, _by(*signal.by))


def _recorded(signal: Signal) -> str:
    return _growth(signal, signal.of, _by(*signal.by), 'le="+Inf"')


_ATTEMPTS: dict[str, Callable[[Signal], str]] = {
    "ratio": lambda signal: _growth(signal, signal.to, _by(*signal.by)),
    "share_over": _recorded,
    "quantile": _recorded,
}
_QUERIES: dict[str, Callable[[Signal], str]] = {
    "rate": _plain,
    "increase": _plain,
    "ratio": _ratio,
    "share_over": _share_over,
    "quantile": _quantile,
    "gauge": _gauge,
    "age": _age,
    "growth": _slope,
    "burn_rate": _burn_rate,
    "peers": lambda signal: promql(signal.measured),
    "probe": lambda signal: f'probe_success{{probe="{_escaped(signal.text)}"}}',
    "promql": lambda signal: signal.text,
}


def _growth(signal: Signal, names: tuple[str, ...], by: str, extra: str = "") -> str:
    function = "rate" if signal.kind == "rate" else "increase"
    window = format_duration(signal.window)
    grown = {name: f"{function}({_selector(signal, (name,), extra)}[{window}])" for name in names}
    return _combined("sum", by, grown)


def _combined(agg: str, by: str, queries: Mapping[str, str]) -> str:
    """`queries`: by the name of the metric they are of."""
    if len(queries) > 1:  # growth has no name, and neither `or` nor `sum` tells two series apart by a name
        named = (f'label_replace({query}, "__metric__", "{name}", "", "")' for name, query in queries.items())
        return f"{agg}{by} ({' or '.join(named)})"
    return f"{agg}{by} ({''.join(queries.values())})"


def _selector(signal: Signal, names: tuple[str, ...], extra: str = "") -> str:
    conditions = [_condition(matcher) for matcher in signal.where] + ([extra] if extra else [])
    if len(names) == 1:
        return f"{names[0]}{{{', '.join(conditions)}}}" if conditions else names[0]
    return "{" + ", ".join([f'__name__=~"{"|".join(names)}"', *conditions]) + "}"


def _condition(matcher: Matcher) -> str:
    if matcher.pattern is not None:
        return f'{matcher.label}=~"{_escaped(matcher.pattern)}"'
    if len(matcher.values) == 1:
        return f'{matcher.label}="{_escaped(matcher.values[0])}"'
    return f'{matcher.label}=~"{_escaped("|".join(_literal(value) for value in matcher.values))}"'


def _literal(value: str) -> str:
    return "".join(f"\\{char}" if char in r"\.+*?()|[]{}^$" else char for char in value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
