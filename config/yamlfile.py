"""Reads one YAML text into a tree that knows the line of every key, within bounds, reporting what is wrong.

Scalars follow the YAML 1.2 core schema (`on` and `yes` are texts, `09:00` is no number); keys are always texts.
Built from the parser's events, so that every duplicate key is reported, not only the first, and so that nesting
and aliases are bounded before anything is built from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from config.problems import Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
"""Keys, items and values of one file, those repeated by aliases counted again."""

Scalar = str | int | float | bool | None
Path = tuple[str | int, ...]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,40}", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]{1,32}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXT_TAG = "tag:yaml.org,2002:str"
_MERGE = "<<"


@dataclass(slots=True)
class Node:
    """A map, list or scalar with the place of its key (or of the item). Never changed once built.

    `size` counts the nodes in it, itself included; `height` the levels below it.
    """

    value: dict[str, Node] | list[Node] | Scalar
    file: str
    line: int
    size: int = 1
    height: int = 0

    def plain(self) -> object:
        """The bare data, with fresh containers."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def at(self, path: Path) -> Node | None:
        """The node at the path, None where there is none."""
        node = self
        for part in path:
            found = node.child(part)
            if found is None:
                return None
            node = found
        return node

    def child(self, part: str | int) -> Node | None:
        if isinstance(self.value, dict):
            return self.value.get(str(part))
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None


def dotted(path: Path) -> str:
    """`("ladder", 1, "when")` -> `ladder[1].when`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parse_yaml(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The tree of the text's one document and what is wrong with it; no tree when it is no YAML at all.

    An empty document gives an empty map. `file` is the name to report problems under.
    """
    builder = _Builder(file)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except _TooMuch as error:
        builder.report(error.line, str(error), "split the file, and write plain YAML without tricks")
        return None, builder.problems
    except MarkedYAMLError as error:
        builder.problems.append(_syntax_problem(error, file))
        return None, builder.problems
    except (YAMLError, ValueError, TypeError, AttributeError, LookupError, AssertionError) as error:
        # what else ruamel.yaml raises on malformed directives, tags and characters
        message = " ".join(str(error).split())[:120] or type(error).__name__
        builder.report(
            _line_of_odd_character(text), f"not YAML: {message}", "remove control characters and directives"
        )
        return None, builder.problems
    return builder.root or Node({}, file, 1), builder.problems


class _TooMuch(Exception):
    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.line = line


@dataclass(slots=True)
class _Frame:
    """A map or list under construction."""

    node: Node
    anchor: str | None
    key: Node | None = None
    merged: list[Node] = field(default_factory=list)


class _Builder:
    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0
        self._nodes = 0

    def take(self, event: object) -> None:
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self.report(
                    event.start_mark.line + 1, "a second document in one file", "use one file for each"
                )
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._close()
        elif isinstance(event, NodeEvent):
            self._node(event, event.start_mark.line + 1)

    def report(self, line: int, problem: str, hint: str) -> None:
        self.problems.append(Problem(self.file, line, dotted(self._path()), problem, hint))

    def _node(self, event: NodeEvent, line: int) -> None:
        if isinstance(event, AliasEvent):
            self._alias(event.anchor, line)
            return
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) != _TEXT_TAG:
            self.report(line, f"the tag {tag} is not understood", "leave the tag out")
        if isinstance(event, ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._count(1, line)
            if len(self._stack) >= MAX_DEPTH:
                raise _TooMuch(f"nested deeper than {MAX_DEPTH} levels", line)
            empty: dict[str, Node] | list[Node] = {} if isinstance(event, MappingStartEvent) else []
            self._stack.append(_Frame(Node(empty, self.file, line), event.anchor))

    def _scalar(self, event: ScalarEvent, line: int) -> None:
        self._count(1, line)
        plain = event.style is None and event.tag is None and not self._awaits_key()
        if _SURROGATE.search(event.value):
            self.report(
                line, "half a character (a lone surrogate)", "write the character itself, or \\U and 8 digits"
            )
            event.value = _SURROGATE.sub("\ufffd", event.value)
        value = _resolved(event.value) if plain else event.value
        self._add(Node(value, self.file, line), event.anchor)

    def _alias(self, anchor: str, line: int) -> None:
        target = self._anchors.get(anchor)
        if target is None:
            self.report(line, f"the alias *{anchor} stands for nothing", f"define &{anchor} above it")
            target = Node(None, self.file, line)
        self._count(target.size, line)
        if len(self._stack) + target.height > MAX_DEPTH:
            raise _TooMuch(f"nested deeper than {MAX_DEPTH} levels", line)
        self._add(Node(target.value, self.file, line, target.size, target.height), None)

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _TooMuch(f"more than {MAX_NODES} keys and values", line)

    def _awaits_key(self) -> bool:
        return (
            bool(self._stack) and isinstance(self._stack[-1].node.value, dict) and self._stack[-1].key is None
        )

    def _close(self) -> None:
        frame = self._stack.pop()
        node = frame.node
        children = (
            node.value
            if isinstance(node.value, list)
            else [*node.value.values()]
            if isinstance(node.value, dict)
            else []
        )
        if isinstance(node.value, dict):
            for merged in frame.merged:
                self._merge(node.value, merged)
            children = [*node.value.values()]
        node.size = 1 + sum(child.size for child in children)
        node.height = 1 + max((child.height for child in children), default=0)
        self._add(node, frame.anchor)

    def _merge(self, into: dict[str, Node], merged: Node) -> None:
        sources = merged.value if isinstance(merged.value, list) else [merged]
        for source in sources:
            if isinstance(source.value, dict):
                for key, child in source.value.items():
                    into.setdefault(key, child)
            else:
                self.report(merged.line, "<< merges maps only", "write << : *anchor of a map")

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            if self._documents <= 1:
                self.root = node
            return
        frame = self._stack[-1]
        container = frame.node.value
        if isinstance(container, list):
            container.append(node)
        elif isinstance(container, dict):
            if frame.key is None:
                frame.key = node
            else:
                self._add_entry(frame, container, frame.key, node)
                frame.key = None

    def _add_entry(self, frame: _Frame, container: dict[str, Node], key: Node, node: Node) -> None:
        name = key.value
        if not isinstance(name, str):
            self.report(key.line, "a key is a map or a list", "quote keys that contain { or [")
            return
        if name == _MERGE:
            frame.merged.append(node)
            return
        if name in container:
            first = container[name].line
            frame.key = key
            self.report(
                key.line, f"the key {name!r} stands twice, first on line {first}", "remove one of them"
            )
            return
        # the place of an entry is the line of its key
        container[name] = Node(node.value, node.file, key.line, node.size, node.height)

    def _path(self) -> Path:
        path: list[str | int] = []
        for frame in self._stack:
            if isinstance(frame.node.value, list):
                path.append(len(frame.node.value))
            elif frame.key is not None and isinstance(frame.key.value, str):
                path.append(frame.key.value)
        return tuple(path)


def _resolved(text: str) -> Scalar:
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text) or _SPECIAL.fullmatch(text):
        return float(
            text.replace(".inf", "inf")
            .replace(".Inf", "inf")
            .replace(".INF", "inf")
            .lower()
            .replace(".nan", "nan")
        )
    return text


def _syntax_problem(error: MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    problem = " ".join(str(error.problem or "").split())
    if r"'\t'" in problem:
        return Problem(file, line, "", "a tab where YAML wants spaces", "indent with spaces")
    context = f" {error.context}" if error.context else ""
    if error.context_mark and error.context_mark.line + 1 != line:
        context += f" begun on line {error.context_mark.line + 1}"
    if problem == "mapping values are not allowed here":
        return Problem(
            file, line, "", f"not YAML: {problem}", "quote texts that contain ': ', and check the indentation"
        )
    return Problem(file, line, "", f"not YAML: {problem}{context}", "check brackets, quotes and indentation")


def _line_of_odd_character(text: str) -> int:
    odd = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, odd.start()) + 1 if odd else 1
