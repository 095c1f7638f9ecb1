"""A secret that some exporter puts into a label goes no further."""

from __future__ import annotations

import numpy as np

from config.secrets import HIDDEN, Redactor
from daemon.app.labels import WARNING, LabelCleaner
from detectors.samples import Batch, Block, Series

SECRET, OTHER = "cnry-label-0a1b2c3d4e", "cnry-label-5f6g7h8i9j"


def batch(*tokens: str) -> Batch:
    target = (("instance", "edge:9100"),)
    series = tuple(Series("writes_total", (("instance", "edge:9100"), ("token", token))) for token in tokens)
    values = np.array([[float(place) for place, _ in enumerate(tokens)]])
    return Batch("edge", 60.0, (Block(target, np.array([60.0]), series, values),))


def tokens(found: Batch) -> list[str]:
    return [dict(series.labels)["token"] for block in found.blocks for series in block.series]


def test_a_label_with_a_secret_is_hidden_in_the_first_scrape_and_in_those_after_it() -> None:
    cleaner = LabelCleaner(Redactor([SECRET]).text)
    for _ in range(2):
        found = cleaner.batch(batch("plain", f"key={SECRET}"))
        assert tokens(found) == ["plain", f"key={HIDDEN}"]
        assert found.complete
        assert found.blocks[0].values.tolist() == [[0.0, 1.0]]


def test_labels_without_one_are_passed_on_as_they_are() -> None:
    given = batch("plain", "other")
    assert LabelCleaner(Redactor([SECRET]).text).batch(given).blocks[0] is given.blocks[0]


def test_what_cannot_be_told_apart_any_more_counts_once_and_makes_the_answer_partial() -> None:
    found = LabelCleaner(Redactor([SECRET, OTHER]).text).batch(batch("plain", SECRET, OTHER))
    assert tokens(found) == ["plain", HIDDEN]
    assert found.blocks[0].values.tolist() == [[0.0, 1.0]]
    assert (found.complete, found.warnings) == (False, (WARNING,))
