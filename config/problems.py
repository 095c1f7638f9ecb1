"""What is wrong with a configuration, and where: the one type every check reports in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Gravity(StrEnum):
    """How much a problem weighs: an error keeps the configuration from loading, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about one place. `line` counts from 1; `path` is dotted (`detectors.api-errors.fire.above`).

    `code`: of the check that found it, empty where nobody can silence or look it up.
    """

    file: str
    line: int
    path: str
    problem: str
    hint: str = ""
    severity: Gravity = Gravity.ERROR
    code: str = ""

    def __str__(self) -> str:
        """`file:line: path: problem [code]; hint`, on one line whatever the texts contain."""
        where = f"{self.file}:{self.line}: "
        path = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        code = f" [{self.code}]" if self.code else ""
        return " ".join(f"{where}{path}{self.problem}{code}{hint}".split())


class ConfigError(Exception):
    """The configuration cannot be used. Carries every problem found, warnings included, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is Gravity.ERROR)


class Wrong(ValueError):
    """Raised by a section's own validators: what is wrong, and apart from it the remedy.

    pydantic keeps the exception, so the loader can print both and add the place.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        self.problem = problem
        self.hint = hint
        super().__init__(f"{problem}; {hint}" if hint else problem)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint such as `did you mean 'severity'?`; empty when nothing known is near enough."""
    near = difflib.get_close_matches(word, [*known], n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""
