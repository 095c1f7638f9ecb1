"""Text exposition, line by line: decodes only what is wanted, and each series' labels only once.

A line whose metric is not wanted costs a search and a look-up. For the others the raw text up to the value is the
key under which the decoded series is remembered, so from the second scrape on labels are not parsed at all.
Reads the Prometheus text format (timestamps in milliseconds) and OpenMetrics (seconds, exemplars, `# EOF`).
Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from config.cutting import whole_words
from detectors.samples import Labels, Series

MAX_REMEMBERED = 300_000
"""Series remembered per decoder; at the bound all are forgotten and learnt anew."""
MILLISECONDS_FROM = 1e11
"""A timestamp this large is milliseconds: as seconds it would lie past the year 5000."""

# Possessive quantifiers: whatever an exporter writes, a line is read in time linear to its length.
_LABEL = r'[ \t]*+([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+=[ \t]*+"((?:[^"\\]|\\.)*+)"[ \t]*+'
_LABEL_TEXT = _LABEL.replace("([a", "(?:[a").replace('"((?:', '"(?:(?:')
_ONE_LABEL = re.compile(_LABEL)
_LINE = re.compile(
    r"[ \t]*+(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*+)[ \t]*+"
    rf"(?P<labels>\{{(?:{_LABEL_TEXT}(?:,{_LABEL_TEXT})*+,?)?[ \t]*+\}})?"
    r"(?P<rest>[^{}#]*+)(?:#.*+)?"
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}


class Malformed(Exception):
    """A wanted line cannot be read; as with Prometheus, nothing of such a scrape counts."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One decoded line; `at` in unix seconds, None when the line carries no timestamp."""

    series: Series
    value: float
    at: float | None


@dataclass(slots=True)
class Tally:
    """Sample lines seen, wanted or not; whether `# EOF` came last."""

    lines: int = 0
    ended: bool = False


class Decoder:
    """Decodes expositions of one target. `join` makes the series out of a name and the labels on the line."""

    def __init__(self, wanted: frozenset[str], join: Callable[[str, Labels], Series] = Series) -> None:
        self.wanted = wanted
        self._join = join
        self._known: dict[str, Series] = {}

    def read(self, text: str, tally: Tally) -> Iterator[Sample]:
        """Yield the wanted samples in order and count every line. Raises `Malformed`."""
        wanted, known = self.wanted, self._known
        lines = 0
        for line in text.split("\n"):
            if not line or line[0] == "#":
                tally.ended = line.startswith("# EOF") or (tally.ended and not line)
                continue
            lines += 1
            cut = line.find("{")
            name = line[:cut] if cut > 0 else line.split(None, 1)[0] if not line.isspace() else ""
            if name in wanted:
                end = line.rfind("}") + 1 if cut > 0 else len(name)
                series = known.get(line[:end])
                yield self._slow(line) if series is None else _sample(series, line[end:], line)
            elif " " in name or "\t" in name:
                if (words := name.split(None, 1)) and words[0] in wanted:
                    yield self._slow(line)
            elif not name:
                lines -= 1
        tally.lines += lines

    def _slow(self, line: str) -> Sample:
        found = _LINE.fullmatch(line.rstrip("\r"))
        if found is None:
            raise Malformed(f"cannot read the line {whole_words(line, 120)!r}")
        series = self._join(found["name"], _labels(found["labels"] or "", line))
        end = found.start("rest")
        if found["labels"] is None:
            end = found.end("name")
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[line[:end]] = series
        return _sample(series, found["rest"], line)


def _labels(text: str, line: str) -> Labels:
    pairs = [
        (name, _ESCAPE.sub(_unescaped, value) if "\\" in value else value)
        for name, value in _ONE_LABEL.findall(text)
    ]
    if len({name for name, _ in pairs}) != len(pairs):
        raise Malformed(f"a label stands twice in {whole_words(line, 120)!r}")
    return tuple(sorted(pair for pair in pairs if pair[1]))


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[1], found[0])


def _sample(series: Series, rest: str, line: str) -> Sample:
    words = rest.split()
    try:
        if len(words) == 1:
            return Sample(series, float(words[0]), None)
        if len(words) == 2:
            at = float(words[1])
            return Sample(series, float(words[0]), at / 1000 if abs(at) >= MILLISECONDS_FROM else at)
    except ValueError:
        pass
    if "#" in words:
        return _sample(series, rest.partition("#")[0], line)
    raise Malformed(f"cannot read value and time in {whole_words(line, 120)!r}")
