"""Silencing a finding where it stands: `# lint: ignore CODE[, CODE]` in the YAML, with the reason after it.

It counts on the finding's line, on the line of any key above it (`storage-writes:`, `detectors:`), and alone on the
line before one of them. Errors cannot be silenced. Comments are no part of the merged tree, so the files are read
once more; one that changed in between can at worst show a warning that somebody silenced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from config.loader import Loaded
from config.problems import Gravity
from config.yamlfile import MAX_BYTES
from daemon.settings.lint.check import Path as Place
from daemon.settings.lint.check import Topic
from daemon.settings.model import Settings

PACKED = "pack/"
_COMMENT = re.compile(
    r"(?P<before>^\s*|.*\s)#\s*lint:\s*ignore\s+(?P<codes>[a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)*)", re.ASCII
)


class Silence:
    """Who is silenced where, in all files of a configuration."""

    def __init__(self, loaded: Loaded[Settings]) -> None:
        self._loaded = loaded
        self._codes: dict[str, dict[int, frozenset[str]]] = {}

    def covers(self, code: str, path: Place) -> bool:
        """Whether a comment at the finding, or at a key above it, names the code."""
        return any(code in self._at(*self._loaded.where(path[:end])) for end in range(len(path), 0, -1))

    def written(self) -> Iterator[tuple[str, int, str]]:
        """(file, line, code) of every comment in the operator's own files."""
        for file in self._loaded.files:
            for line, codes in self._of(str(file)).items():
                for code in sorted(codes):
                    yield str(file), line, code

    def _at(self, file: str, line: int) -> frozenset[str]:
        found = self._of(file)
        return found.get(line, frozenset()) | found.get(-line, frozenset())

    def _of(self, file: str) -> dict[int, frozenset[str]]:
        if file not in self._codes:
            self._codes[file] = comments(_text_of(file))
        return self._codes[file]


def comments(text: str) -> dict[int, frozenset[str]]:
    """Line, from 1, -> the codes ignored on it. One that stands alone also counts, as minus that line, for the next."""
    found: dict[int, frozenset[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        comment = _COMMENT.match(line)
        if comment is None:
            continue
        codes = frozenset(code.strip() for code in comment["codes"].split(","))
        found[number] = codes
        if not comment["before"].strip():
            found[-(number + 1)] = codes
    return found


def _text_of(file: str) -> str:
    try:
        if file.startswith(PACKED):
            return (resources.files("config") / file).read_text("utf-8")
        with Path(file).open("rb") as stream:
            return stream.read(MAX_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ""


IGNORED = Topic(
    code="ignore-unknown",
    title="A comment silences a code that no check has",
    gravity=Gravity.WARNING,
    why="""A misspelt code silences nothing, and one of a check that is gone hides nothing any more; either way the
comment says something that is not so.""",
    fix="Correct the code, or remove the comment; `fleetmend check --explain CODE` knows every code.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 0s}   # lint: ignore hold-under-scrape   # <--
    clear: {below: 500, for: 1m}
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 0s}   # lint: ignore hold-under-scrapes (depth is averaged at the source)
    clear: {below: 500, for: 1m}
""",
)
