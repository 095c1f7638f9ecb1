"""Templates and expressions in a bounded Jinja2 sandbox: `{{ scope.tier }}` in texts, `body.state == 'up'` in conditions.

What they may do: look at the names they are given, compare, calculate, branch, loop once or twice over short
lists, and use the filters listed here. Nothing can be assigned, imported or called into the program. An undefined
name is an error, never an empty text. A map's entry is read as `body.reason`; the entry wins over a method.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any

import jinja2
from jinja2 import meta, nodes, sandbox
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.utils import missing
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from config.problems import Wrong

MAX_TEXT = 8_000
"""Characters of a template's own text."""
MAX_OUTPUT = 100_000
"""Characters a rendered template may have; also the most a `*`, `replace` or `join` may produce."""
MAX_LOOPS = 10_000
"""Rounds of all loops of one rendering together."""
MAX_RANGE = 1_000
MAX_EXPONENT = 64
_MAX_BASE = 10**6
_MAX_LOOP_DEPTH = 2

_ALLOWED_FILTERS = (
    "abs", "capitalize", "d", "default", "first", "float", "int", "items", "last", "length", "list", "lower", "max",
    "min", "reject", "round", "select", "sort", "string", "sum", "title", "trim", "truncate", "unique",
    "upper", "urlencode",
)  # fmt: skip
_MAP_METHODS = frozenset({"get", "items", "keys", "values"})
_TEXT_METHODS = frozenset({
    "count", "endswith", "find", "isdigit", "lower", "lstrip", "removeprefix", "removesuffix", "rstrip", "split",
    "startswith", "strip", "upper",
})  # fmt: skip
_FORBIDDEN_NODES: tuple[type[nodes.Node], ...] = (
    nodes.Assign, nodes.AssignBlock, nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.Import, nodes.FromImport,
    nodes.Include, nodes.Extends, nodes.Block, nodes.With, nodes.ScopedEvalContextModifier,
)  # fmt: skip


class TemplateError(Exception):
    """A template or expression cannot be compiled, or failed or outgrew its bounds while it ran."""


class Undefined(TemplateError):
    """A name was used that nothing defines: for a condition the answer is "unknown", not "no"."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"'{name}' is undefined")


class Template:
    """A text with `{{ … }}` in it. Raises `TemplateError` when its syntax is wrong."""

    __slots__ = ("_compiled", "labels", "names", "reads", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled, self.names, self.reads = _compile(text, expression=False)
        """`names`: the top-level names it refers to; `reads`: what it reads of them, as (name, entry)."""
        self.labels = _of_scope(self.reads)

    def render(self, names: Mapping[str, object]) -> str:
        """The text with the names filled in; a rendered part of a command is never split again.

        Raises `Undefined` or `TemplateError`.
        """
        parts: list[str] = []
        size = 0
        with _Errors(self.text):
            for part in self._compiled.generate(_with_allowance(names)):
                parts.append(part)
                size += len(part)
                if size > MAX_OUTPUT:
                    raise TemplateError(f"gives more than {MAX_OUTPUT} characters")
        return "".join(parts)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


class Expression:
    """A condition or value such as `facts.health.body.replica_lag_s < 30`. Raises `TemplateError` like `Template`."""

    __slots__ = ("_compiled", "labels", "names", "reads", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled, self.names, self.reads = _compile(text, expression=True)
        self.labels = _of_scope(self.reads)

    def evaluate(self, names: Mapping[str, object]) -> object:
        """The value. Raises `Undefined` or `TemplateError`; a value that is itself undefined is `Undefined`."""
        with _Errors(self.text):
            context = self._compiled.new_context(_with_allowance(names))
            for _ in self._compiled.root_render_func(context):
                pass
            value: object = context.vars[_RESULT]
            if isinstance(value, jinja2.Undefined):
                str(value)
            return value

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def render_data(data: Any, names: Mapping[str, object]) -> Any:
    """A copy of nested maps and lists with every text (keys too) rendered; other values stay as they are.

    A text that is one `{{ … }}` and nothing else gives the value itself: a number stays a number.
    """
    if isinstance(data, str):
        whole = _WHOLE.fullmatch(data)
        return _bounded(Expression(whole[1]).evaluate(names)) if whole else Template(data).render(names)
    if isinstance(data, Mapping):
        return {Template(str(key)).render(names): render_data(value, names) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(render_data(item, names) for item in data)
    return data


def _bounded(value: object) -> object:
    try:
        size = len(json.dumps(_shown_value(value), ensure_ascii=False))
    except (TypeError, ValueError):
        raise TemplateError(f"gives {type(value).__name__}, which is no JSON data") from None
    if size > MAX_OUTPUT:
        raise TemplateError(f"gives more than {MAX_OUTPUT} characters")
    return value


class _Missing(jinja2.StrictUndefined):
    """Fails on every use but `is defined` and `default`, and says only the name."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        super().__init__(str(name) if name is not None else hint, obj, name, exc)


class _Sandbox(sandbox.ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A map's entry first, then the few harmless methods of maps and texts; all else is undefined.

        What lies below something undefined is that same undefined thing, so that `a.b.c is defined` can be asked.
        """
        if isinstance(obj, jinja2.Undefined):
            return obj
        if isinstance(obj, Mapping):
            if attribute in obj:
                return obj[attribute]
            allowed = _MAP_METHODS
        elif isinstance(obj, str):
            allowed = _TEXT_METHODS
        elif type(obj).__name__ == "LoopContext":
            return super().getattr(obj, attribute)
        else:
            allowed = frozenset()
        return getattr(obj, attribute) if attribute in allowed else self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`x["name"]` and `x[0]` read entries only, never attributes."""
        if isinstance(obj, jinja2.Undefined):
            return obj
        try:
            return obj[argument]
        except (TypeError, LookupError, AttributeError):
            return self.undefined(obj=obj, name=str(argument))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse what can grow without bound from a short text: repetition, powers, printf formats."""
        if operator == "%" and isinstance(left, str):
            raise TemplateError("formatting by % is not allowed, use {{ … }} or ~")
        if operator == "*" and not (_number(left) and _number(right)):
            raise TemplateError("* multiplies numbers only")
        if operator == "**" and not (
            _number(left) and _number(right) and abs(left) <= _MAX_BASE and abs(right) <= MAX_EXPONENT
        ):
            raise TemplateError(f"** takes numbers up to {_MAX_BASE} and exponents up to {MAX_EXPONENT}")
        return super().call_binop(context, operator, left, right)


class _Errors:
    """Turns whatever a template raises while it runs into this module's errors, with the text it happened in."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, jinja2.UndefinedError):
            raise Undefined(error.message or "?") from None
        if isinstance(error, Exception) and not isinstance(error, Undefined):
            raise TemplateError(
                f"{_brief(str(error) or type(error).__name__)} in {_brief(self._text)!r}"
            ) from None


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def _brief(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:119]}…"


def _with_allowance(names: Mapping[str, object]) -> dict[str, object]:
    return {**names, _ROUNDS: [MAX_LOOPS]}


def _limited_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise TemplateError(f"range gives more than {MAX_RANGE} numbers")
    return numbers


@jinja2.pass_context
def _counted(context: Context, items: Iterable[object]) -> Iterator[object]:
    """Wraps every loop: all loops of one rendering share one allowance of rounds."""
    allowance: list[int] = context[_ROUNDS]
    for item in items:
        allowance[0] -= 1
        if allowance[0] < 0:
            raise TemplateError(f"loops more than {MAX_LOOPS} times")
        yield item


def _replace(text: object, old: str, new: str) -> str:
    text = str(text)
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MAX_OUTPUT:
        raise TemplateError(f"replace gives more than {MAX_OUTPUT} characters")
    return text.replace(old, new)


def _join(items: Iterable[object], separator: str = "") -> str:
    parts = [str(item) for item in items]
    if sum(map(len, parts)) + len(separator) * len(parts) > MAX_OUTPUT:
        raise TemplateError(f"join gives more than {MAX_OUTPUT} characters")
    return separator.join(parts)


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown_value(value: object) -> object:
    if value is None:
        raise TemplateError("a value is empty (none)")
    return value


_WHOLE = re.compile(r"\s*\{\{((?:(?!\{\{|\}\}).)*)\}\}\s*", re.DOTALL)
_RESULT = "result"
_COUNTED = "counted_"
_ROUNDS = "rounds_"


def _sandbox() -> _Sandbox:
    environment = _Sandbox(
        undefined=_Missing, finalize=_shown_value, autoescape=False, keep_trailing_newline=True
    )
    filters: dict[str, Callable[..., Any]] = {name: environment.filters[name] for name in _ALLOWED_FILTERS}
    environment.filters = filters | {
        "replace": _replace,
        "join": _join,
        "tojson": _as_json,
        _COUNTED: _counted,
    }
    environment.globals = {"range": _limited_range}
    return environment


_ENVIRONMENT = _sandbox()


@lru_cache(maxsize=4096)
def _compile(
    text: str, *, expression: bool
) -> tuple[jinja2.Template, frozenset[str], frozenset[tuple[str, str]]]:
    if len(text) > MAX_TEXT:
        raise TemplateError(f"is longer than {MAX_TEXT} characters")
    try:
        tree = _expression_tree(text) if expression else _ENVIRONMENT.parse(text)
        names = frozenset(meta.find_undeclared_variables(tree) - {"range"})
        reads = frozenset(_entries_read(tree))
        _restrict(tree, keep_result=expression)
        return _ENVIRONMENT.from_string(tree), names, reads
    except jinja2.TemplateError as error:
        raise TemplateError(f"{error.message or type(error).__name__} in {_brief(text)!r}") from None
    except (RecursionError, MemoryError):
        raise TemplateError(f"is nested too deeply: {_brief(text)!r}") from None


def _entries_read(tree: nodes.Template) -> Iterator[tuple[str, str]]:
    """`scope.provider` and `scope["provider"]` -> (scope, provider)."""
    for read in tree.find_all(nodes.Getattr):
        if isinstance(read.node, nodes.Name):
            yield read.node.name, read.attr
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.node, nodes.Name) and isinstance(item.arg, nodes.Const):
            yield item.node.name, str(item.arg.value)


def _of_scope(reads: frozenset[tuple[str, str]]) -> frozenset[str]:
    return frozenset(entry for name, entry in reads if name == "scope")


def _expression_tree(text: str) -> nodes.Template:
    parser = Parser(_ENVIRONMENT, text, state="variable")
    value = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateError(f"unexpected '{parser.stream.current.value}' in {_brief(text)!r}")
    value.set_environment(_ENVIRONMENT)
    assign = nodes.Assign(nodes.Name(_RESULT, "store"), value, lineno=1)
    return nodes.Template([assign], lineno=1, environment=_ENVIRONMENT)


def _restrict(tree: nodes.Template, *, keep_result: bool) -> None:
    """Refuse statements that assign or reach elsewhere, and count the rounds of every loop."""
    body = tree.body[0].find_all(_FORBIDDEN_NODES) if keep_result else tree.find_all(_FORBIDDEN_NODES)
    for node in body:
        raise TemplateError(f"{{% {type(node).__name__.lower()} %}} is not allowed here")
    _wrap_loops(tree, depth=0)


def _wrap_loops(node: nodes.Node, depth: int) -> None:
    for child in node.iter_child_nodes():
        inner = depth
        if isinstance(child, nodes.For):
            inner += 1
            if inner > _MAX_LOOP_DEPTH or child.recursive:
                raise TemplateError(f"loops are nested at most {_MAX_LOOP_DEPTH} deep")
            child.iter = nodes.Filter(child.iter, _COUNTED, [], [], None, None, lineno=child.lineno)
        _wrap_loops(child, inner)


def _checked_template(text: str) -> str:
    try:
        Template(text)
    except TemplateError as error:
        raise Wrong(f"not a valid template: {error}", "see {{ scope.LABEL }} for an example") from None
    return text


def _checked_expression(text: str) -> str:
    if re.match(r"\s*\{\{", text):
        raise Wrong("an expression stands without braces", f"write {text.strip('{} ')!r}")
    try:
        Expression(text)
    except TemplateError as error:
        raise Wrong(f"not a valid expression: {error}", "write a condition such as status == 200") from None
    return text


def _flag_as_text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


TemplateText = Annotated[str, AfterValidator(_checked_template)]
"""A text whose `{{ … }}` are known to compile; use `Template(text).render(names)`."""
ExpressionText = Annotated[
    str,
    BeforeValidator(_flag_as_text),
    AfterValidator(_checked_expression),
    WithJsonSchema({"type": ["string", "boolean"]}),
]
"""A condition known to compile; use `Expression(text).evaluate(names)`."""
