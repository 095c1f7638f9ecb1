"""The table of crash points: every durable write and every external effect of each of the demo's playbooks.

python -m tests.acceptance.crash_table     writes down what is found now, for whoever reads the difference
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from tests.fakes.crash_stories import DEMO, TALES, virtual
from tests.fakes.dying import Telling, told

TABLE = Path(__file__).with_name("crash_points.yaml")
HEAD = (
    "# Every durable write (its kinds of rows) and every external effect (its door and what it asks for) of each of the\n"
    "# demo's playbooks, as found by instrumentation. A daemon is killed before and after each of them.\n"
    "# Written by: python -m tests.acceptance.crash_table\n"
)


def listed() -> Mapping[str, Sequence[str]]:
    """Playbook -> its points."""
    table: Mapping[str, Sequence[str]] = YAML(typ="safe").load(TABLE.read_text(encoding="utf-8"))
    return table


def tellings(playbook: str) -> list[Telling]:
    """Every story of a playbook, told once without a death."""
    return [told(tale, DEMO, virtual(playbook)) for tale in TALES[playbook]]


def points(found: Iterable[Telling]) -> list[str]:
    """In alphabetical order, so that a difference is read at once."""
    return sorted({name for telling in found for name in telling.points})


def differences(playbook: str, found: Iterable[Telling]) -> list[str]:
    """What is not in the table, and what is in it and does not happen any more, in words that say what to do."""
    here, there = set(points(found)), set(listed().get(playbook, ()))
    advice = "run `python -m tests.acceptance.crash_table` and read what it changed"
    return [
        *(
            f"{playbook}: {name!r} is a new point: is it safe to die before and after it? Then {advice}"
            for name in sorted(here - there)
        ),
        *(
            f"{playbook}: {name!r} does not happen any more: is that meant? Then {advice}"
            for name in sorted(there - here)
        ),
    ]


def main() -> None:
    """Write the table anew."""
    yaml = YAML()
    yaml.width = 200
    with TABLE.open("w", encoding="utf-8") as file:
        file.write(HEAD)
        yaml.dump({playbook: points(tellings(playbook)) for playbook in TALES}, file)


if __name__ == "__main__":
    main()
