"""The history of a Prometheus: raw samples and queries over any span, with the bounds and troubles a real one has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from remediations.ports import PortError, Request, Response, TooLarge

EVERY = 60.0
"""Seconds between samples, which lie on full minutes."""
TARGET = {"instance": "a:1", "job": "x"}

Value = Callable[[float], float | None]
"""Value of a series at an instant; None where it has none."""


def minutes(at: float) -> float:
    """A counter that grows by one a minute."""
    return at / EVERY


@dataclass
class History:
    """Fits `Http`. `troubles` are answered first, one after the other. `most`: samples of one answer."""

    troubles: list[Response | PortError] = field(default_factory=list)
    most: int = 10**9
    most_bytes: int = 10**9
    warnings: list[str] = field(default_factory=list)
    series: Mapping[str, Value] = field(default_factory=lambda: {"up": minutes, "writes_total": minutes})
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of every series but `up`."""
    requests: list[Request] = field(default_factory=list)
    refuse_queries: bool = False
    refused: int = 0
    """Answers that were over a bound."""

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        self.requests.append(request)
        if self.troubles:
            trouble = self.troubles.pop(0)
            if isinstance(trouble, PortError):
                raise trouble
            return trouble
        parts = urlsplit(request.url)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        result = self.range(asked) if parts.path.endswith("query_range") else self.raw(asked)
        if isinstance(result, Response):
            return result
        if sum(len(item["values"]) for item in result) > self.most:
            self.refused += 1
            return error(422, "execution", "query processing would load too many samples into memory")
        data = {
            "status": "success",
            "data": {"resultType": "matrix", "result": result},
            "warnings": self.warnings,
        }
        body = json.dumps(data, separators=(",", ":")).encode()
        if len(body) > min(max_bytes, self.most_bytes):
            self.refused += 1
            raise TooLarge("the answer is larger than the cap")
        return Response(200, {}, body, 0.01)

    def raw(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        found = re.fullmatch(r'\{__name__=~"(.*)"\}\[(\d+)ms\]', asked["query"])
        assert found is not None
        end, span = float(asked["time"]), int(found[2]) / 1000
        times = np.arange(np.ceil((end - span) / EVERY), np.floor(end / EVERY) + 1) * EVERY
        return [
            {
                "metric": {"__name__": name, **TARGET, **({} if name == "up" else self.labels)},
                "values": [[at, str(now)] for at in times.tolist() if (now := value(at)) is not None],
            }
            for name, value in self.series.items()
            if name in found[1].split("|")
        ]

    def range(self, asked: Mapping[str, str]) -> list[dict[str, Any]] | Response:
        if self.refuse_queries:
            return error(400, "bad_data", "parse error")
        begin, end, step = (float(asked[name]) for name in ("start", "end", "step"))
        times = begin + np.arange(np.floor((end - begin) / step + 1e-9) + 1) * step
        return [{"metric": {"tier": "hot"}, "values": [[at, str(minutes(at))] for at in times.tolist()]}]


def error(status: int, kind: str, text: str) -> Response:
    return Response(
        status, {}, json.dumps({"status": "error", "errorType": kind, "error": text}).encode(), 0.01
    )
