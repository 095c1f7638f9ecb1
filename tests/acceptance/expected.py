"""What the runbooks ask for in every variant of the demo: the tests' own table.

Written from the description of the failure modes ("diagnosis -> mitigation, in order, never"), not read from the
playbooks and not from the command that runs the scenarios.
"""

from __future__ import annotations

from typing import NamedTuple


class Story(NamedTuple):
    """`mended_by`: the rung that mends it, None when nothing can. `in_vain`: rungs tried before it, in order.

    `contained_by`: rungs that stop the harm on the way. `never`: what must not be carried out. `why` in one line.
    """

    mended_by: str | None
    in_vain: tuple[str, ...] = ()
    contained_by: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    why: str = ""

    @property
    def paged(self) -> list[int]:
        """Somebody is told exactly once, at L1, when nothing mends it."""
        return [] if self.mended_by else [1]


ITSELF = "self"
OUR_CONSUMERS = ("service",)
OLD_CONFIG = ("roll-back-config", "restart-on-previous-config")
"""Only if a change of the configuration preceded the failure."""

STORIES: dict[str, Story] = {
    "provider_outage:rate-limited": Story(
        "cut-request-rate", never=OUR_CONSUMERS, why="on rate limiting cut the request rate"
    ),
    "provider_outage:no-answer": Story(
        "fail-over-to-secondary",
        contained_by=("open-breaker",),
        never=OUR_CONSUMERS,
        why="open the breaker (stops retry storms), then the secondary endpoint",
    ),
    "provider_outage:auth": Story(
        "rotate-credentials", never=OUR_CONSUMERS, why="on expired credentials rotate them"
    ),
    "provider_outage:both-down": Story(
        None,
        in_vain=("fail-over-to-secondary",),
        contained_by=("open-breaker",),
        never=OUR_CONSUMERS,
        why="the secondary does not answer either",
    ),
    "provider_outage:liar": Story(
        None,
        in_vain=("open-breaker", "fail-over-to-secondary"),
        never=OUR_CONSUMERS,
        why="an answer of 200 is no effect",
    ),
    "provider_outage:self-heals": Story(ITSELF, never=OUR_CONSUMERS, why="healthy by then: no more action"),
    "ingestion_stopped:killed": Story("restart-consumers", never=OLD_CONFIG, why="restart the consumers"),
    "ingestion_stopped:hung": Story("restart-consumers", never=OLD_CONFIG, why="restart the consumers"),
    "ingestion_stopped:bad-config": Story(
        "roll-back-config",
        in_vain=("restart-consumers",),
        why="a config change preceded it: roll it back",
    ),
    "ingestion_stopped:wont-start": Story(
        None, in_vain=("restart-consumers",), never=OLD_CONFIG, why="their port is taken by a stranger"
    ),
    "ingestion_stopped:liar": Story(
        None,
        in_vain=("restart-consumers",),
        never=OLD_CONFIG,
        why="RUNNING for a process that does nothing is no effect",
    ),
    "ingestion_stopped:self-heals": Story(ITSELF, never=OLD_CONFIG, why="healthy by then"),
    "transformation_failure:bad-mapping": Story(
        "roll-back-mapping", why="roll the mapping back to the last known good"
    ),
    "transformation_failure:stuck-transformer": Story(
        "restart-transformation", in_vain=("roll-back-mapping",), why="not the mapping: the process is stuck"
    ),
    "transformation_failure:payload-changed": Story(
        None, contained_by=("quarantine-provider",), why="quarantine the provider's packets to the DLQ"
    ),
    "transformation_failure:liar": Story(
        None, in_vain=("roll-back-mapping", "quarantine-provider"), why="the transformer ignores both"
    ),
    "transformation_failure:self-heals": Story(ITSELF, why="healthy by then"),
    "storage_failure:pool-exhausted": Story("enlarge-pool", why="pool exhausted: enlarge it"),
    "storage_failure:warm-disk-full": Story("archive-old-data", why="disk full: archive old data"),
    "storage_failure:primary-refuses-writes": Story(
        "fail-over-to-replica", why="hot: retry, then fail over to the replica"
    ),
    "storage_failure:cold-down": Story(None, why="cold: page at once, manual"),
    "storage_failure:liar": Story(
        None, in_vain=("fail-over-to-replica", "read-only-with-spool"), why="an answer of 200 is no effect"
    ),
    "storage_failure:self-heals": Story(ITSELF, why="healthy by then"),
    "api_degradation:overload": Story("scale-out", why="scale out"),
    "api_degradation:slow-storage": Story(
        "restart-writer", never=("scale-out",), why="never scale out when storage is the cause"
    ),
    "api_degradation:cold-cache": Story(
        "enable-cache", in_vain=("scale-out",), why="more workers ask the same slow way"
    ),
    "api_degradation:slow-code": Story(None, in_vain=("scale-out",), why="no rung mends code"),
    "api_degradation:liar": Story(None, in_vain=("scale-out",), why="workers that serve nothing"),
    "api_degradation:self-heals": Story(ITSELF, why="healthy by then"),
    "data_quality:bad-mapping-values": Story(
        "roll-back-mapping", why="a recent mapping change: roll it back"
    ),
    "data_quality:rule-too-strict": Story(
        "roll-back-rules", in_vain=("roll-back-mapping",), why="not the mapping: the rules"
    ),
    "data_quality:field-renamed": Story(
        None, contained_by=("quarantine-field",), why="isolate the affected provider's field"
    ),
    "data_quality:out-of-range": Story(
        None, contained_by=("quarantine-field",), why="isolate the affected provider's field"
    ),
    "data_quality:liar": Story(
        None,
        in_vain=("roll-back-mapping", "roll-back-rules", "quarantine-field"),
        why="the transformer ignores all of it",
    ),
    "data_quality:self-heals": Story(ITSELF, why="healthy by then"),
}

ONE_OF_EACH = (
    "provider_outage:rate-limited",
    "ingestion_stopped:killed",
    "transformation_failure:bad-mapping",
    "storage_failure:pool-exhausted",
    "api_degradation:overload",
    "data_quality:bad-mapping-values",
)
"""`--scenario all`."""

UNFIXABLE = (
    "provider_outage:both-down",
    "ingestion_stopped:wont-start",
    "transformation_failure:payload-changed",
    "storage_failure:cold-down",
    "api_degradation:slow-code",
    "data_quality:field-renamed",
)
"""`--scenario unfixable`."""
