"""Each check at its edges: what it says, and what it lets pass. The plain case of each is its own example."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.problems import Gravity
from tests.fakes.linted import lines, told

Row = tuple[str, str, list[int], str]


def detector(
    signal: str, fire: str = "{above: 5%, for: 5m}", *more: str, mode: str = "ingestion_stopped"
) -> str:
    """One detector; its signal stands on line 4, `fire` on line 5, what follows on 6 and on."""
    rest = "".join(f"    {line}\n" for line in more)
    return f"detectors:\n  one:\n    failure_mode: {mode}\n    signal: {signal}\n    fire: {fire}\n{rest}"


def ratio(window: str = "1m", more: str = "") -> str:
    return f"{{ratio: {{of: errors_total, to: tries_total, window: {window}{more}}}}}"


def over(bound: str = "0.5", window: str = "1m") -> str:
    return f"{{share_over: {{of: write_seconds, bound: {bound}, window: {window}}}}}"


def burn(objective: str = "99.9%", more: str = "") -> str:
    return f"{{burn_rate: {{of: errors_total, to: tries_total, objective: {objective}{more}}}}}"


def peers(signal: str, more: str = "direction: below, min_absolute: 5") -> str:
    return f"{{peers: {{signal: {signal}, {more}}}}}"


def baseline(signal: str, more: str = "direction: below") -> str:
    return f"{{baseline: {{signal: {signal}, {more}}}}}"


GAUGE = "{gauge: {of: depth}}"
ZERO = "{increase: {of: packets_total, window: 1m}}"
MANAGER = 'managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}\n'


def playbook(rungs: str, *, match: str = "{}", mode: str = "storage_failure") -> str:
    return (
        f"{MANAGER}playbooks:\n  book:\n    failure_mode: {mode}\n    match: {match}\n    escalation: external\n"
        f"    ladder:\n{rungs}"
    )


def rung(name: str, unit: str, more: str = "") -> str:
    return f'      - {{name: {name}, do: {{service: {{manager: pipeline, restart: "{unit}"}}}}{more}}}\n'


TIMES: list[Row] = [
    ("window-over-hold", detector(ratio("1m"), "{above: 5%, for: 5m}"), [], "exactly a fifth"),
    ("window-over-hold", detector(ratio("61s"), "{above: 5%, for: 5m}"), [4], "a second more"),
    ("window-over-hold", detector(ZERO, "{equals: 0, for: 2m}"), [], "zero is counted on one clock"),
    ("window-over-hold", detector(ratio("5m"), "{above: 5%}"), [], "without a hold there is nothing to outlast"),
    ("window-over-hold", detector("{growth: {of: depth, window: 10m}}", "{above: 0, for: 10m}"), [],
     "the line turns back when a burst is over"),
    ("window-over-hold", detector(burn(), "{above: 1, for: 2m}"), [], "the short window ends what the long one began"),
    ("window-over-hold", detector(peers("{rate: {of: a_total, by: [p], window: 2m}}"), "{above: 5, for: 5m}"), [4],
     "peers are compared by what is smeared"),
    ("window-under-scrapes", detector(burn(more=", windows: [{long: 1h, short: 59s, burn: 14.4}]")), [4],
     "the shortest of a burn rate's windows"),
    ("window-under-scrapes", detector(burn()), [], "5m is twenty polls"),
    ("hold-under-scrapes", detector(burn(), "{above: 1}"), [], "a burn rate's long windows are its hold"),
    ("window-under-scrapes", detector(ratio("1m")), [], "four polls of 15 s"),
    ("window-under-scrapes", detector(ratio("59s")), [4], "a second less"),
    ("window-under-scrapes", detector("{increase: {of: a_total, window: 15s}}", "{equals: 0, for: 5m}"), [],
     "zero counts from the last growth"),
    ("window-under-scrapes", "telemetry: {main: {scrape_interval: 10s}}\n" + detector(ratio("40s")), [],
     "the configured interval counts, not the poll's"),
    ("window-under-scrapes",
     'telemetry: {edge: {type: scrape, targets: ["http://a:1/metrics"], every: 30s}}\n'
     + detector(ratio("1m"), "{above: 5%, for: 5m}", "source: edge"), [5], "a scrape source's own pace"),
    ("hold-under-scrapes", detector(GAUGE, "{above: 5, for: 30s}"), [], "exactly two"),
    ("hold-under-scrapes", detector(GAUGE, "{above: 5, for: 29s}"), [5], "a second less"),
    ("hold-under-scrapes", detector(GAUGE, "{above: 5}"), [5], "none at all"),
    ("hold-under-evaluation", detector(GAUGE, "{above: 5, for: 5s}"), [], "two scrapes already say it"),
    ("slots-under-scrape", detector(GAUGE, '{above: 5, for: 150s, of_last: "8 of 10"}'), [], "slots of one scrape"),
    ("slots-under-scrape", detector(GAUGE, "{above: 5, for: 5m}", 'clear: {below: 3, for: 1m, of_last: "3 of 10"}'),
     [6], "of clear too"),
    ("no-data-under-scrapes", detector(GAUGE, "{above: 5, for: 5m}"), [], "the default of five minutes"),
    ("no-data-under-scrapes", "telemetry: {main: {scrape_interval: 5m, delay: 5m}}\n"
     + detector(GAUGE, "{above: 5, for: 10m}"), [3], "the default beside scrapes of five minutes"),
    ("fresh-under-scrape", detector(GAUGE, "{above: 5, for: 5m}", "fresh_within: 15s"), [], "as old as a scrape"),
    ("poll-over-scrape", "poll_interval: 15s\n", [], "the scrape interval is not known"),
    ("delay-under-scrape", "telemetry: {main: {scrape_interval: 15s}}\n", [1], "no delay at all"),
    ("delay-under-scrape", "telemetry: {main: {delay: 1s}}\n", [], "the scrape interval is not known"),
    ("verify-too-short", detector(ratio("2m"), "{above: 5%, for: 10m}", mode="storage_failure")
     + playbook(rung("mend", "x", ", verify: {within: 3m, hold: 31s}")), [13], "a second too few"),
    ("verify-too-short", detector(ratio("2m"), "{above: 5%, for: 10m}", mode="storage_failure")
     + playbook(rung("mend", "x", ", verify: {within: 3m, hold: 29s}")), [], "2m + 30 s + 29 s fit"),
    ("verify-too-short", detector(ratio("2m"), "{above: 5%, for: 10m}", mode="storage_failure")
     + playbook(rung("mend", "x", ", effect: {probe: p}, verify: {within: 1m, hold: 29s}"))
     + 'probes: {p: {http: {url: "http://p/"}}}\n', [], "a probe proves it"),
    ("verify-too-short", detector(burn(), "{above: 1}", "minimum: {events: 400}", mode="storage_failure")
     + playbook(rung("mend", "x", ", verify: {within: 6m, hold: 30s}")), [], "5m + 30 s + 30 s: 6 h are not waited for"),
    ("verify-too-short", detector(burn(), "{above: 1}", "minimum: {events: 400}", mode="storage_failure")
     + playbook(rung("mend", "x", ", verify: {within: 6m, hold: 31s}")), [14], "a second too few"),
    ("verify-too-short", detector(burn()[:-1] + ", pushdown: true}", "{above: 1}", mode="storage_failure")
     + playbook(rung("mend", "x", ", verify: {within: 30m, hold: 30s}")), [13], "the source has to see 30m clean"),
    ("verify-too-short", detector(ratio("2m"), "{above: 5%, for: 10m}", mode="data_quality")
     + playbook(rung("mend", "x", ", verify: {within: 1m, hold: 29s}")), [], "another failure mode's detector"),
]  # fmt: skip

THRESHOLDS: list[Row] = [
    ("clear-under-fire", detector(GAUGE, "{above: 5, for: 5m}", "clear: {below: 5}"), [6], "no room between"),
    ("clear-under-fire", detector(GAUGE, "{below: 5, for: 5m}", "clear: {above: 4}"), [6], "from below"),
    ("clear-under-fire", detector(GAUGE, "{below: 5, for: 5m}", "clear: {above: 6}"), [], "from below, with room"),
    ("clear-under-fire", detector(GAUGE, "{above: 5, for: 5m}", "clear: {above: 7}"), [6], "the same side"),
    ("clear-under-fire", detector(ZERO, "{equals: 0, for: 5m}", "clear: {above: 0}"), [], "zero has room by nature"),
    ("clear-under-fire", detector(GAUGE, "{equals: 2, for: 5m}", "clear: {above: 1}"), [6], "two is above one"),
    ("clear-under-fire", detector(GAUGE, "{equals: 2, for: 5m}", "clear: {equals: 1}"), [], "states of a gauge"),
    ("clear-under-fire", detector(GAUGE, "{equals: 2, for: 5m}", "clear: {equals: 2}"), [6], "the same state"),
    ("clear-under-fire", detector(GAUGE, "{above: 5, for: 5m}"), [], "left out, it is the opposite"),
    ("threshold-out-of-range", detector(over(), "{above: 100%, for: 5m}"), [5], "more than all"),
    ("threshold-out-of-range", detector(over(), "{below: 0, for: 5m}"), [5], "less than none"),
    ("threshold-out-of-range", detector(over(), "{below: 101%, for: 5m}"), [5], "always"),
    ("threshold-out-of-range", detector(over(), "{above: 0, for: 5m}"), [], "any at all"),
    ("threshold-out-of-range", detector(over(), "{above: 5%, for: 5m}", "clear: {below: 0}"), [6], "never clears"),
    ("threshold-out-of-range", detector(ZERO, "{below: 0, for: 5m}"), [5], "growth is never negative"),
    ("threshold-out-of-range", detector(ZERO, "{equals: -1, for: 5m}"), [5], "nor is it minus one"),
    ("threshold-out-of-range", detector(GAUGE, "{below: -40, for: 5m}"), [], "a gauge may be anything"),
    ("threshold-out-of-range", detector("{probe: p}", "{equals: 0.5, for: 5m}")
     + 'probes: {p: {http: {url: "http://p/"}}}\n', [], "inside, though odd"),
    ("threshold-out-of-range", detector("{probe: p}", "{equals: 2, for: 5m}")
     + 'probes: {p: {http: {url: "http://p/"}}}\n', [5], "a probe is 0 or 1"),
    ("threshold-out-of-range", detector(burn(), "{below: 0}"), [5], "a budget does not unburn"),
    ("threshold-out-of-range", detector(peers("{gauge: {of: depth, by: [p]}}"), "{below: 0, for: 5m}"), [5],
     "what is not far off is 0"),
    ("threshold-out-of-range", detector("{growth: {of: depth}}", "{below: -1, for: 5m}"), [], "a queue may shrink"),
    ("burn-never", detector(burn("93%"), "{above: 1}"), [4], "all failing burns 14.29 times the budget"),
    ("burn-never", detector(burn("93.1%"), "{above: 1}"), [], "14.49 times"),
    ("burn-never", detector(burn("90%", ", windows: ticket"), "{above: 1}"), [], "3 and 1 are within reach of 10"),
    ("burn-never", detector(burn("99%"), "{above: 7}"), [4], "7 x 14.4 are more than 100"),
    ("burn-never", detector(burn("90%"), "{below: 1}"), [], "nothing is asked to be above"),
    ("burn-under-pace", detector(burn(), "{above: 1}"), [], "the pace that the windows name"),
    ("burn-under-pace", detector(burn(), "{above: 0.99}"), [5], "less than it"),
    ("burn-under-pace", detector(burn(), "{below: 1}"), [5], "a budget that lasts is no failure"),
    ("burn-under-pace", detector(GAUGE, "{above: 0.5, for: 5m}"), [], "no burn rate"),
    ("burn-widened", detector(burn(), "{above: 1}", "minimum: {events: 50}"), [], "the gate alone"),
    ("ratio-over-all", detector(ratio(), "{above: 99%, for: 5m}"), [], "nearly all"),
    ("ratio-over-all", detector(ratio(), "{above: 100%, for: 5m}"), [5], "more than all"),
    ("equals-on-measure", detector(ratio(), "{equals: 100%, for: 5m}"), [], "all is a value it rests at"),
    ("equals-on-measure", detector(GAUGE, "{equals: 3, for: 5m}"), [], "a gauge may be a state"),
    ("equals-on-measure", detector("{age: {of: done_at}}", "{equals: 0, for: 5m}"), [5], "an age never rests"),
    ("minimum-missing", detector(over()), [4], "a share"),
    ("minimum-missing", detector("{quantile: {of: s, q: 0.9}}", "{above: 5, for: 5m}"), [4], "a quantile"),
    ("minimum-missing", detector(GAUGE, "{above: 5, for: 5m}"), [], "a gauge counts nothing"),
    ("minimum-missing", detector(burn(), "{above: 1}"), [4], "a burn rate is a ratio"),
    ("minimum-missing", detector(peers(ratio(more=", by: [p]"), "direction: above, min_absolute: 5%"),
     "{above: 5, for: 5m}"), [4], "peers compared by a ratio"),
    ("minimum-one-failure", detector(burn(), "{above: 1}", "minimum: {events: 167}"), [],
     "6 x 0.1 % of 167 is more than one"),
    ("minimum-one-failure", detector(burn(), "{above: 1}", "minimum: {events: 166}"), [6], "of 166 less than one"),
    ("minimum-without-effect", detector(burn(), "{above: 1}", "minimum: {events: 5}"), [], "it gates a short window"),
    ("minimum-without-effect", detector(peers("{gauge: {of: depth, by: [p]}}"), "{above: 5, for: 5m}",
     "minimum: {events: 5}"), [6], "peers compared by a gauge"),
    ("minimum-one-failure", detector(ratio(), "{above: 5%, for: 5m}", "minimum: {events: 20}"), [],
     "1 of 20 is 5 %, which is not above 5 %"),
    ("minimum-one-failure", detector(ratio(), "{above: 5%, for: 5m}", "minimum: {events: 19}"), [6], "1 of 19 is"),
    ("minimum-one-failure", detector(ratio(), "{above: 0, for: 5m}", "minimum: {events: 5}"), [], "one is meant"),
    ("minimum-without-effect", detector(ZERO, "{equals: 0, for: 5m}", "minimum: {events: 5}"), [6], "growth"),
    ("widen-under-window", detector(ratio("1m"), "{above: 5%, for: 5m}", "minimum: {events: 50, widen_to: 1m}"), [6],
     "as long as the window"),
    ("widen-under-window", detector(ratio("1m"), "{above: 5%, for: 5m}", "minimum: {events: 50}"), [], "left out"),
    ("quantile-few-events", detector("{quantile: {of: s, q: 0.95}}", "{above: 5, for: 5m}", "minimum: {events: 20}"),
     [], "exactly one beyond"),
    ("quantile-few-events", detector("{quantile: {of: s, q: 1}}", "{above: 5, for: 5m}", "minimum: {events: 500}"),
     [4], "the maximum"),
    ("quantile-few-events", detector("{quantile: {of: s, q: 0.01}}", "{below: 5, for: 5m}", "minimum: {events: 50}"),
     [4], "the minimum, nearly"),
    ("bound-not-positive", detector(over("-1")), [4], "below zero"),
    ("seconds-without-unit", detector(over("99")), [], "may well be meant"),
    ("seconds-without-unit", detector(over("500s")), [], "with its unit"),
    ("seconds-without-unit", detector("{quantile: {of: write_seconds, q: 0.9}}", "{above: 500, for: 5m}"), [5],
     "the threshold of a quantile"),
    ("seconds-without-unit", detector("{quantile: {of: write_bytes, q: 0.9}}", "{above: 500, for: 5m}"), [],
     "a metric of bytes"),
    ("agg-hides-low", detector("{gauge: {of: depth, agg: max}}", "{below: 5, for: 5m}"), [], "max is meant"),
    ("agg-hides-low", detector(GAUGE, "{above: 5, for: 5m}"), [], "the highest is the worst"),
    ("agg-hides-low", detector(ratio(), "{below: 5%, for: 5m}"), [], "no gauge"),
    ("while-contradicts", detector(ZERO, "{equals: 0, for: 5m}", f"while: {{signal: {ZERO}}}"), [6], "0 by default"),
    ("while-contradicts", detector(GAUGE, "{above: 5, for: 5m}", f"while: {{signal: {GAUGE}, above: 9}}"), [],
     "a second, higher bound can be met"),
    ("while-contradicts", detector(GAUGE, "{below: 9, for: 5m}", f"while: {{signal: {GAUGE}, above: 5}}"), [],
     "between two bounds"),
    ("while-contradicts", detector(ratio(), "{equals: 0, for: 5m}", "minimum: {events: 5}",
     f"while: {{signal: {ratio()}}}"), [7], "the minimum does not tell them apart"),
    ("expected-without-count", detector(ratio(), "{above: 5%, for: 5m}", "expected: {at_least: 1, per: 1m}"), [],
     "attempts are counted"),
    ("expected-without-count", detector(burn(), "{above: 1}", "expected: {at_least: 1, per: 1m}"), [6],
     "a burn rate has its minimum"),
    ("expected-without-count", detector("{promql: up}", "{equals: 0, for: 5m}", "expected: {at_least: 1, per: 1m}"),
     [6], "a query counts none"),
]  # fmt: skip

EDGE = 'telemetry: {edge: {type: scrape, targets: ["http://127.0.0.1:9101/metrics"]}}\n'
PROBES = "probes: {p: {tcp: {host: a, port: 1}}}\n"
AGAINST_BASELINES: list[Row] = [
    ("baseline-few-weeks", detector(baseline(ZERO, "direction: below, weeks: 4"), "{above: 5}"), [], "four are enough"),
    ("baseline-few-weeks", detector(baseline(ZERO, "direction: below, weeks: 3"), "{above: 5}"), [4], "three are not"),
    ("baseline-usual-fires", detector(baseline(ZERO), "{above: 0.1, for: 30m}"), [], "more than nothing"),
    ("baseline-usual-fires", detector(baseline(ZERO), "{above: 0, for: 30m}"), [], "0 itself does not fire"),
    ("baseline-usual-fires", detector(baseline(ZERO), "{above: -1, for: 30m}"), [5], "0 is above -1"),
    ("baseline-usual-fires", detector(baseline(ZERO), "{equals: 0, for: 30m}"), [5], "0 is what is usual"),
    ("baseline-acts", detector(baseline(ZERO), "{above: 5}", "acts: false"), [], "it advises"),
    ("baseline-acts", detector(baseline(ZERO), "{above: 5}", "acts: true"), [6], "it acts alone"),
    ("baseline-acts", detector(baseline(ZERO), "{above: 5}", "acts: true", "corroborate: {any: [{detector: one, is: firing}]}"),
     [], "a second witness has to agree"),
    ("baseline-acts", detector(ZERO, "{equals: 0}", "acts: true"), [], "no baseline"),
    ("threshold-out-of-range", detector(baseline(over()), "{above: 5}"), [], "5 deviations, not 500 %"),
    ("ratio-over-all", detector(baseline(ratio()), "{above: 5}"), [], "5 deviations"),
    ("minimum-one-failure", detector(baseline(ratio()), "{above: 0.05}", "minimum: {events: 10}"), [], "deviations"),
    ("seconds-without-unit", detector(baseline("{quantile: {of: write_seconds, q: 0.9}}"), "{above: 200}"), [], "deviations"),
    ("agg-hides-low", detector(baseline(GAUGE), "{above: 5}"), [], "deviations"),
    ("severity-lowered", detector(baseline(ZERO), "{above: 5}", "severity: low"), [], "advice may be less severe"),
    ("severity-lowered", detector(baseline(ZERO), "{above: 5}", "severity: low", "acts: true"), [6], "what acts may not"),
]  # fmt: skip
READ: list[Row] = [
    ("query-unanswered", detector('{promql: "max(depth)"}'), [], "the source is a prometheus"),
    ("query-unanswered", EDGE + detector(GAUGE, "{above: 5, for: 5m}", "source: edge"), [], "computed here"),
    ("query-unanswered", EDGE + detector('{promql: "max(depth)"}', "{above: 5, for: 5m}", "source: edge"), [5], "nobody to ask"),
    ("query-unanswered", EDGE + detector("{gauge: {of: depth}, pushdown: true}", "{above: 5, for: 5m}", "source: edge"), [5], "nobody to push it to"),
    ("query-unanswered", EDGE + detector(GAUGE, "{above: 5, for: 5m}", "source: edge", 'while: {signal: {promql: "max(depth)"}}'), [8], "nor for a gate"),
    ("query-unanswered", PROBES + detector("{probe: p, pushdown: true}", "{below: 1, for: 5m}"), [5], "the daemon asks probes itself"),
    ("where-empty", detector(ratio(more=", where: {tier: hot}")), [], "a condition"),
    ("where-empty", detector(ratio()), [], "not written"),
    ("where-nothing", detector(ratio(more=', where: {tier: [""]}')), [], "the empty value is a value"),
    ("pattern-matches-all", detector(ratio(more=', where: {tier: {re: ".*|x"}}')), [4], "in other words"),
    ("pattern-matches-all", detector(ratio(more=', where: {tier: {re: ".+"}}')), [], "the label has to be there"),
    ("pattern-matches-all", detector(ratio(more=', where: {tier: {re: "a.*"}}')), [], "a beginning"),
    ("pattern-plain", detector(ratio(more=", where: {tier: {re: hot}}")), [4], "a plain value"),
    ("pattern-plain", detector(ratio(more=', where: {tier: {re: "hot|warm"}}')), [], "an alternative"),
    ("pattern-plain", detector(ratio(more=r", where: {tier: {re: 'a.*\$'}}")), [], "a dollar that is meant"),
    ("counter-as-gauge", detector("{age: {of: done_total}}", "{above: 5m, for: 5m}"), [4], "as an instant"),
    ("counter-as-gauge", detector("{growth: {of: done_total}}", "{above: 0, for: 10m}"), [4], "use rate"),
    ("counter-as-gauge", detector("{gauge: {of: total_depth}}", "{above: 5, for: 5m}"), [], "total elsewhere"),
    ("ratio-of-itself", detector("{ratio: {of: [a_total, b_total], to: b_total}}"), [4], "of holds all of to"),
    ("ratio-of-itself", detector("{burn_rate: {of: b_total, to: b_total, objective: 99%}}"), [4], "of a budget"),
    ("ratio-of-itself", detector("{ratio: {of: b_total, to: [a_total, b_total]}}"), [], "failures are attempts"),
    ("promql-vanishes", detector('{promql: "absent(up)"}', "{equals: 1, for: 5m}"), [4], "nothing while it is there"),
    ("promql-vanishes", detector('{promql: "count(up == 0) or vector(0)"}', "{above: 0, for: 5m}"), [], "filled"),
    ("promql-vanishes", detector('{promql: "sum(depth > bool 5)"}', "{above: 0, for: 5m}"), [], "0 or 1"),
    ("promql-vanishes", detector("""{promql: 'sum(depth{tier!="hot", op=~">="})'}""", "{above: 0, for: 5m}"), [],
     "matchers are no comparisons"),
    ("promql-range-short", detector('{promql: "rate(a_total[1m]) + increase(b_total[45s])"}'), [4], "the second"),
    ("promql-range-short", detector('{promql: "avg_over_time(depth[30s])"}'), [], "needs one sample"),
    ("promql-range-short", detector('{promql: "max_over_time(rate(a_total[5m])[1h:30s])"}'), [], "a subquery's step"),
    ("promql-range-short", detector("""{promql: 'rate(a_total{x="[1s]"}[5m])'}"""), [], "a text in a matcher"),
    ("inventory-unused", "inventory: {tier: [hot]}\n" + detector("{promql: up}", "{equals: 0, for: 5m}"), [],
     "only the source knows a query's labels"),
    ("inventory-unused", "inventory: {tier: [hot]}\n" + detector(GAUGE, "{above: 5, for: 5m}")
     + 'probes: {p: {http: {url: "http://{{ scope.tier }}/"}}}\n', [], "a probe is asked for each"),
    ("inventory-unused", "inventory: {tier: [hot]}\n", [], "no detectors yet"),
]  # fmt: skip

ANSWERS: list[Row] = [
    ("no-playbook", detector(GAUGE, "{above: 5, for: 5m}", mode="storage_failure") + playbook(rung("mend", "x")), [4],
     "storage without a tier is nobody's to mend"),
    ("no-playbook", detector(GAUGE, "{above: 5, for: 5m}") + playbook(rung("mend", "x"), mode="ingestion_stopped"), [],
     "ingestion is one thing"),
    ("no-playbook", detector("{gauge: {of: depth, by: [tier], where: {tier: cold}}}", "{above: 5, for: 5m}",
     mode="storage_failure") + playbook(rung("mend", "x"), match="{tier: hot}"), [4], "another tier's playbook"),
    ("no-playbook", detector("{gauge: {of: depth, by: [tier]}}", "{above: 5, for: 5m}", mode="storage_failure")
     + playbook(rung("mend", "x"), match="{tier: hot}"), [], "some of its scopes are answered"),
    ("no-playbook", detector("{gauge: {of: depth, by: [host]}}", "{above: 5, for: 5m}", mode="storage_failure")
     + playbook(rung("mend", "x"), match="{tier: hot}"), [4], "it lacks the label that is matched"),
    ("no-playbook", detector("{promql: depth}", "{above: 5, for: 5m}", mode="storage_failure")
     + playbook(rung("mend", "x"), match="{tier: hot}"), [], "only the source knows a query's labels"),
    ("label-missing", detector("{gauge: {of: depth, by: [host]}}", "{above: 5, for: 5m}", mode="storage_failure")
     + playbook(rung("mend", "{{ scope.tier }}"), mode="data_quality"), [], "another failure mode's playbook"),
    ("label-missing", detector("{gauge: {of: depth, by: [host]}}", "{above: 5, for: 5m}", mode="storage_failure")
     + playbook(rung("mend", "{{ scope.tier }}", ', when: "scope.tier is defined"')), [], "the rung asks first"),
    ("label-missing", detector("{gauge: {of: depth, by: [host]}}", "{above: 5, for: 5m}", mode="storage_failure")
     + playbook(rung("mend", "{{ scope.tier | default('hot') }}")), [], "the text provides for it"),
    ("label-missing", detector("{gauge: {of: depth, by: [host]}}", "{above: 5, for: 5m}", mode="storage_failure")
     + playbook(rung("mend", "{{ scope.host }}") + rung("undone", "x",
     ', undo: {service: {manager: pipeline, stop: "{{ scope.rack }}"}}')), [4], "an undo has a text as well"),
    ("label-missing", detector("{probe: p}", "{equals: 0, for: 5m}", mode="storage_failure")
     + playbook(rung("mend", "{{ scope.tier }}")) + 'probes: {p: {http: {url: "http://{{ scope.tier }}/"}}}\n', [],
     "a probe's labels are those its address names"),
    ("severity-lowered", detector(GAUGE, "{above: 5, for: 5m}", "severity: critical", mode="data_quality"), [],
     "raised"),
]  # fmt: skip

ASIDE: list[Row] = [
    ("wait-over-deadline", playbook("      - {name: w, do: {wait: {for: 899s}}}\n"), [], "the deadline is 15m"),
    ("wait-over-deadline", playbook("      - {name: w, do: {wait: {for: 15m}}}\n"), [8], "exactly as long"),
    ("wait-over-deadline", playbook("      - {name: w, do: {wait: {for: 2h}}}\n"), [], "an error of its own"),
    ("never-verified", playbook("      - {name: w, do: {wait: {for: 2m}}, undo: {wait: {for: 1m}}}\n"), [8], "an undo"),
    ("never-verified", playbook(rung("mend", "x", ", verify: {within: 5m, hold: 1m}")), [], "what mends is verified"),
    ("verify-over-deadline", playbook("      - {name: w, do: {wait: {for: 2m}}, verify: {within: 1h, hold: 1m}}\n"), [],
     "nothing is verified there"),
    ("wait-off-ladder", playbook(rung("mend", "x", ", return: {do: {wait: {for: 2m}}}")), [8], "a return has after"),
]  # fmt: skip

ROWS = [*TIMES, *THRESHOLDS, *AGAINST_BASELINES, *READ, *ANSWERS, *ASIDE]


@pytest.mark.parametrize(("code", "piece", "at", "reason"), ROWS, ids=[f"{r[0]}: {r[3]}" for r in ROWS])
def test_a_check_says_what_it_should_and_no_more(
    tmp_path: Path, code: str, piece: str, at: list[int], reason: str
) -> None:
    assert lines(told(tmp_path, piece), code) == at, reason


def test_a_detector_that_is_off_is_not_looked_at(tmp_path: Path) -> None:
    piece = detector(ratio("5m"), "{above: 5%, for: 0s}", "enabled: false")
    assert [one.code for one in told(tmp_path, piece) if one.path.startswith("detectors")] == []


def test_a_hold_of_nothing_loads(tmp_path: Path) -> None:
    problems = told(tmp_path, detector(GAUGE, "{above: 5, for: 0s}"))
    assert [one for one in problems if one.severity is Gravity.ERROR] == []


def test_a_mistake_elsewhere_does_not_hide_a_finding(tmp_path: Path) -> None:
    problems = told(tmp_path, detector(ratio("5m")) + "autonomy: sometimes\n")
    assert lines(problems, "window-over-hold") == [4]
    assert [one.path for one in problems if one.severity is Gravity.ERROR] == ["autonomy"]
