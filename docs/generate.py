"""Write the pages of the docs that the code already knows; `--check` says which have drifted and changes nothing.

Written: `docs/reference/*.md` and `docs/playbooks/*.md`. Everything else under `docs/` is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pages import (
    checks,
    cli,
    configuration,
    guardrails,
    http,
    json_models,
    log_events,
    metrics,
    playbooks,
    states,
)

DOCS = Path(__file__).parent
GENERATED = ("reference", "playbooks")
NOTE = "<!-- Written by `make docs` from the code; edit the code, not this page. -->\n\n"

PAGES: Mapping[str, Callable[[], str]] = {
    "reference/configuration.md": configuration.page,
    "reference/checks.md": checks.page,
    "reference/states.md": states.page,
    "reference/guardrails.md": guardrails.page,
    "reference/json.md": json_models.page,
    "reference/metrics.md": metrics.page,
    "reference/log-events.md": log_events.page,
    "reference/cli.md": cli.page,
    "reference/http.md": http.page,
}


def pages() -> dict[str, str]:
    """Path below docs -> its whole text."""
    written = {name: NOTE + make() for name, make in PAGES.items()}
    written |= {f"playbooks/{name}": NOTE + text for name, text in playbooks.pages().items()}
    return written


def drifted(wanted: Mapping[str, str]) -> list[str]:
    """Pages that are missing, differ, or should not be there."""
    there = {
        str(path.relative_to(DOCS)) for folder in GENERATED for path in sorted((DOCS / folder).glob("*.md"))
    }
    wrong = [name for name, text in wanted.items() if name not in there or _read(name) != text]
    return sorted({*wrong, *(there - set(wanted))})


def _read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def write(wanted: Mapping[str, str]) -> None:
    """Bring the folders to exactly these pages."""
    for name in drifted(wanted):
        path = DOCS / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[name], encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write, or with `--check` only tell."""
    wanted = pages()
    if arguments != ["--check"]:
        write(wanted)
        return 0
    wrong = drifted(wanted)
    for name in wrong:
        print(f"docs/{name}: has drifted from the code; run `make docs`")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
