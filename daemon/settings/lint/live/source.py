"""Sources that do not answer, or not in full."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Found
from daemon.settings.lint.live.seen import LiveCheck, Sight
from detectors.samples import Batch, Failed


def _silent(sight: Sight) -> Iterator[Found]:
    for source in sight.sources:
        if isinstance(source.first, Failed):
            text = f"the source gave nothing: {source.first.reason}"
            yield Found(source.path, text, "check its address, its authentication and the network")


def _partial(sight: Sight) -> Iterator[Found]:
    for source in sight.sources:
        for warning in source.first.warnings if isinstance(source.first, Batch) else ():
            yield Found(
                source.path, f"the source warns: {warning}", "a part may be missing, and counts as UNKNOWN"
            )


SILENT = LiveCheck(
    code="source-silent",
    title="A source gives nothing",
    gravity=Gravity.ERROR,
    why="""Every detector of a source that does not answer observes UNKNOWN: nothing is found, and nothing recovers.""",
    fix="Check the address, the authentication, the certificate and the network between the two.",
    sees="nobody listens at the address",
    example="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090"}   # <--
""",
    better="""telemetry:
  main: {type: prometheus, url: "http://prometheus.example.org:9090"}
""",
    find=_silent,
)

PARTIAL = LiveCheck(
    code="source-partial",
    title="A source answers with warnings",
    gravity=Gravity.ERROR,
    why="""A warning means that a part of the answer is missing: a store behind a Thanos or Mimir did not answer, or a
target's lines could not be read. Nothing in such an answer may count as absent, so all of it is UNKNOWN.""",
    fix="Mend what the warning names; a source that warns at every poll keeps its detectors blind.",
    sees="an answer with the warning `no store matched`",
    example="""telemetry:
  main: {type: prometheus, url: "http://thanos:9090"}   # <--
""",
    better="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090"}
""",
    find=_partial,
)
