"""Labels of telemetry without the secrets in them: they become scopes, and those stand in rows, pages and addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from detectors.samples import Batch, Block, Labels, Series

MOST = 300_000
"""Sets of labels remembered; at the bound all are forgotten and looked at anew."""
WARNING = "series that differ only in a secret cannot be told apart, and count once"


class LabelCleaner:
    """Looks at each set of labels once: the next scrape costs a look-up per series. Safe to use from many threads."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._known: dict[Labels, Labels] = {}

    def batch(self, batch: Batch) -> Batch:
        """The same samples; what cannot be told apart any more makes the batch partial, for a part of it is not seen."""
        blocks, lost = [], False
        for block in batch.blocks:
            cleaned = self._block(block)
            lost = lost or len(cleaned.series) < len(block.series)
            blocks.append(cleaned)
        if lost:
            return replace(batch, blocks=tuple(blocks), complete=False, warnings=(*batch.warnings, WARNING))
        return replace(batch, blocks=tuple(blocks))

    def _block(self, block: Block) -> Block:
        target = self._labels(block.target)
        series = tuple(self._series(one) for one in block.series)
        if target is block.target and all(new is old for new, old in zip(series, block.series, strict=True)):
            return block
        first = {one: place for place, one in reversed(tuple(enumerate(series)))}
        places = sorted(first.values())
        kept = tuple(series[place] for place in places)
        return Block(target, block.times, kept, np.ascontiguousarray(block.values[:, places]))

    def _series(self, series: Series) -> Series:
        labels = self._labels(series.labels)
        return series if labels is series.labels else Series(series.name, labels)

    def _labels(self, labels: Labels) -> Labels:
        found = self._known.get(labels)
        if found is None:
            if len(self._known) >= MOST:
                self._known.clear()
            found = self._known[labels] = tuple((name, self._redact(value)) for name, value in labels)
        return labels if found == labels else found
