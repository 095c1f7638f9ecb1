"""Loads configuration: files and the shipped pack merged by name, validated at once, every problem at its line.

    loaded = load([Path("fleetmend.yaml")], Settings, environment=os.environ, check=cross_check)
    loaded.model, loaded.problems (warnings), loaded.where("detectors.api-errors.fire"), loaded.digest

Raises `ConfigError` with all problems when there is an error among them; nothing of a bad configuration is used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from config.explain import place_of, problems_of, reference_hint
from config.overlay import NAMED, overlay, settle
from config.problems import ConfigError, Gravity, Problem, did_you_mean
from config.regular import read_regular
from config.secrets import Environment, Redactor
from config.units import shown
from config.yamlfile import MAX_BYTES, Node, dotted, parse_yaml
from config.yamlfile import Path as Place

PACKS = ("fleet", "none")
MAX_FILES = 32
_REPAIRS = 5

M = TypeVar("M", bound=BaseModel)


class Loaded(Generic[M]):
    """A configuration that loaded, and where each part of it stands in the files."""

    def __init__(self, model: M, tree: Node, files: tuple[Path, ...], environment: Environment) -> None:
        self.model = model
        self.files = files
        """As given, without the pack."""
        self.environment = environment
        """Also resolves secrets in parts that other packages validate later; see `Environment.context`."""
        self.problems: list[Problem] = []
        self.broken: frozenset[str] = frozenset()
        """Names of entries that are written but wrong, and so not in the model a cross-check sees."""
        self._tree = tree

    @property
    def data(self) -> object:
        """The merged configuration as plain data, secrets as references only."""
        return self._tree.plain()

    @property
    def digest(self) -> str:
        """SHA-256 of the merged configuration, independent of comments, order and files."""
        canonical = json.dumps(self.data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()

    @property
    def redactor(self) -> Redactor:
        """Hides every secret resolved so far."""
        return Redactor(self.environment.secrets)

    def names(self, path: str | Sequence[str | int]) -> tuple[str, ...]:
        """The keys written in the map at the path, those of broken entries included; empty where there is none."""
        node = self._tree.at(_place(path))
        return tuple(node.value) if node is not None and isinstance(node.value, dict) else ()

    def where(self, path: str | Sequence[str | int]) -> tuple[str, int]:
        """File and line of the path, or of the nearest part of it that is written; `("", 0)` for nothing at all.

        A path is a tuple, or dotted text: `playbooks.storage-hot.ladder[1].when`.
        """
        node = place_of(self._tree, _place(path))
        return node.file, node.line

    def problem(
        self, path: str | Sequence[str | int], text: str, hint: str = "", severity: Gravity = Gravity.ERROR
    ) -> None:
        """Record a problem found by a cross-check, at the path's place."""
        file, line = self.where(path)
        self.problems.append(Problem(file, line, dotted(_place(path)), text, hint, severity))

    def invalid(
        self, path: str | Sequence[str | int], error: ValidationError, model: type[BaseModel]
    ) -> None:
        """Record the errors of a part that `model` validated apart from the root (an action, a channel)."""
        place = _place(path)
        self.problems += [found for _, found in problems_of(error, place_of(self._tree, place), model, place)]

    def unknown(self, path: str | Sequence[str | int], kind: str, name: str, known: Iterable[str]) -> None:
        """Record that the name at the path refers to nothing, with the nearest known name.

        A name of a broken entry is passed over: that entry has its own problem.
        """
        known = [*known]
        if name in self.broken:
            return
        hint = did_you_mean(name, known) or (
            f"known are {', '.join(sorted(known)[:20])}" if known else f"no {kind} is defined"
        )
        self.problem(path, f"no {kind} is named {name!r}", hint)


Check = Callable[[Loaded[M]], None]
"""A cross-check: reads the model, records what it finds by `Loaded.problem`."""


def load(
    files: Sequence[Path],
    root: type[M],
    *,
    environment: Mapping[str, str],
    pack: bool = True,
    check: Check[M] | None = None,
) -> Loaded[M]:
    """Read, merge, validate and cross-check. Later files override earlier ones; all override the pack.

    `pack=False` leaves the pack out whatever the files say; otherwise their `pack: fleet | none` decides
    (fleet when left out). `environment` holds the variables that `{env: NAME}` may name. `check` also runs when
    something is wrong, on what is left without the wrong entries, so that its findings come with the others.
    Raises `ConfigError`.
    """
    if not files or len(files) > MAX_FILES:
        raise ConfigError(
            [Problem("-", 0, "", f"expected 1 to {MAX_FILES} files, got {len(files)}", "name a file")]
        )
    trees, problems = _read_all(files)
    if len(trees) < len(files):
        raise ConfigError(_sorted(problems))

    def report(path: Place, node: Node, text: str, hint: str) -> None:
        problems.append(Problem(node.file, node.line, dotted(path), text, hint))

    layers = [*_pack_trees(_pack_name(trees, report))] if pack else []
    merged = Node({}, str(files[-1]), 1)
    for layer in [*layers, *trees]:
        merged = overlay(merged, layer)
    tree = settle(merged, report)
    secrets = Environment(environment)
    loaded = _validated(tree, root, tuple(files), secrets, problems)
    if loaded is not None and check is not None:
        check(loaded)
        problems += loaded.problems
    problems = [*dict.fromkeys(_with_hint(problem) for problem in _sorted(problems))]
    if loaded is None or any(problem.severity is Gravity.ERROR for problem in problems):
        # With mistakes to mend, a warning about what nobody wrote can wait.
        problems = [
            problem
            for problem in problems
            if problem.severity is Gravity.ERROR or tree.at(_place(problem.path)) is not None
        ]
        raise ConfigError(_redacted(problems, secrets))
    loaded.problems = problems
    return loaded


def _read_all(files: Sequence[Path]) -> tuple[list[Node], list[Problem]]:
    trees: list[Node] = []
    problems: list[Problem] = []
    for file in files:
        text, trouble, line = _read(file)
        if text is None:
            problems.append(Problem(str(file), line, "", trouble, "name a readable YAML file in UTF-8"))
            continue
        tree, found = parse_yaml(text, str(file))
        problems += found
        if tree is not None and not isinstance(tree.value, dict):
            problems.append(
                Problem(
                    str(file),
                    tree.line,
                    "",
                    f"expected a map, got {shown(tree.plain())}",
                    "begin with version: 1",
                )
            )
        elif tree is not None:
            trees.append(tree)
    return trees, problems


def _read(file: Path) -> tuple[str | None, str, int]:
    """The text, or None with what is wrong and on which line."""
    content = b""
    try:
        content = read_regular(file, MAX_BYTES)
        if len(content) > MAX_BYTES:
            return None, f"larger than {MAX_BYTES} bytes", 1
        return content.decode("utf-8-sig"), "", 1
    except UnicodeDecodeError as error:
        # The codec counts from behind a byte order mark.
        start = error.start + (len(content) - len(error.object))
        line = content.count(b"\n", 0, start) + 1
        return None, f"cannot be read: not UTF-8 text, the byte 0x{content[start]:02x}", line
    except OSError as error:
        return None, f"cannot be read: {error.strerror}", 1


def _pack_name(trees: Sequence[Node], report: Callable[[Place, Node, str, str], None]) -> str:
    for tree in reversed(trees):
        node = tree.child("pack")
        if node is not None and node.value is not None:
            if node.value in PACKS:
                return str(node.value)
            report(
                ("pack",),
                node,
                f"expected fleet or none, got {shown(node.value)}",
                did_you_mean(str(node.value), PACKS),
            )
            return "fleet"
    return "fleet"


@lru_cache(maxsize=len(PACKS))
def _pack_trees(name: str) -> tuple[Node, ...]:
    """The shipped files of a pack, in name order; they are part of the program, so their mistakes are bugs."""
    if name == "none":
        return ()
    folder = resources.files("config") / "pack"
    trees = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            tree, problems = parse_yaml(entry.read_text("utf-8"), f"pack/{entry.name}")
            if tree is None or problems:
                raise ConfigError(problems)
            trees.append(tree)
    return tuple(trees)


def _validated(
    tree: Node, root: type[M], files: tuple[Path, ...], environment: Environment, problems: list[Problem]
) -> Loaded[M] | None:
    """The model; after errors, a model of what is left without the wrong entries, if that gives one."""
    rest = tree
    for attempt in range(_REPAIRS):
        try:
            model = root.model_validate(rest.plain(), context=environment.context)
        except (ValidationError, TypeError, ValueError, AttributeError, LookupError) as error:
            found = (
                problems_of(error, rest, root)
                if isinstance(error, ValidationError)
                else [_stray(error, rest, root, environment)]
            )
            if attempt == 0:
                told = {(problem.file, problem.line, problem.path) for problem in problems}
                problems += [
                    _with_override_hint(path, problem, tree)
                    for path, problem in found
                    if (problem.file, problem.line, problem.path) not in told
                ]
            rest = _without(rest, [path for path, _ in found])
        else:
            loaded = Loaded(model, tree, files, environment)
            loaded.broken = _entry_names(tree) - _entry_names(rest)
            return loaded
    return None


def _stray(
    error: Exception, tree: Node, root: type[BaseModel], environment: Environment
) -> tuple[Place, Problem]:
    """A validator broke down instead of refusing: the smallest entry without which it does not."""
    sections = tree.value if isinstance(tree.value, dict) else {}
    entries: list[Place] = [
        (name, entry)
        for name in sections
        if name in NAMED and isinstance(within := sections[name].value, dict)
        for entry in within
    ]
    place: Place = ()
    for path in [*entries, *((name,) for name in sections)]:
        try:
            root.model_validate(_without(tree, [path]).plain(), context=environment.context)
        except ValidationError:
            place = path
        except (TypeError, ValueError, AttributeError, LookupError):
            continue
        place = path
        break
    node = place_of(tree, place)
    text = f"cannot be understood ({type(error).__name__})"
    return place, Problem(node.file, node.line, dotted(place), text, "check the type of each value in it")


def _with_hint(problem: Problem) -> Problem:
    return problem if problem.hint else replace(problem, hint=reference_hint(_place(problem.path)))


def _entry_names(tree: Node) -> frozenset[str]:
    sections = [section for name in NAMED if (section := tree.child(name)) is not None]
    return frozenset(
        name for section in sections if isinstance(section.value, dict) for name in section.value
    )


def _with_override_hint(path: Place, problem: Problem, tree: Node) -> Problem:
    """An entry that lacks required keys may be an override whose name is misspelt."""
    if problem.problem != "is required" or len(path) < 3 or path[0] not in NAMED:
        return problem
    section = tree.child(path[0])
    others = (
        [name for name in section.value if name != path[1]]
        if section and isinstance(section.value, dict)
        else []
    )
    near = did_you_mean(str(path[1]), others).replace("did you mean", "did you mean to change")
    return replace(problem, hint=near or problem.hint)


def _without(tree: Node, wrong: Sequence[Place]) -> Node:
    """The tree without the smallest entries that contain the wrong places."""
    if not isinstance(tree.value, dict):
        return tree
    sections = dict(tree.value)
    for path in wrong:
        section = sections.get(str(path[0])) if path else None
        if section is None:
            continue
        deep = path[0] in NAMED and len(path) > 1 and isinstance(section.value, dict)
        if deep and isinstance(section.value, dict):
            kept = {name: entry for name, entry in section.value.items() if name != path[1]}
            sections[str(path[0])] = Node(kept, section.file, section.line)
        else:
            del sections[str(path[0])]
    return Node(sections, tree.file, tree.line)


def _place(path: str | Sequence[str | int]) -> Place:
    if not isinstance(path, str):
        return tuple(path)
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    return tuple(int(index) if index else name for index, name in parts)


def _sorted(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.file, problem.line, problem.path))


def _redacted(problems: Iterable[Problem], environment: Environment) -> list[Problem]:
    redactor = Redactor(environment.secrets)
    return [
        replace(found, problem=redactor.text(found.problem), hint=redactor.text(found.hint))
        for found in problems
    ]
