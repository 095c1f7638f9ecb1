"""Filling in templates so that no value from telemetry can leave its place.

Labels and probe answers come from outside, and so does what others post about their changes. In an address, a path, a
header or a command a value such as `../admin` or `--force` would change what is done; so there every such value must be
a plain word (`PLAIN`), else the action is refused. Inside JSON data a value is only ever a text, so nothing needs to be
forbidden; a name in it is a place. `vars` are the operator's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from config.secrets import Secret
from config.templates import Template, TemplateError, render_data
from remediations.actions.action import HostileLabel, Names, Unrenderable

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,199}", re.ASCII)
"""No slash, no leading dash or dot, no white space, no quote."""

_OURS = frozenset({"vars"})
"""Names whose values the operator wrote; everything else came in from somewhere."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LINES = re.compile(r"[\t\n]")


class Renderer:
    """Renders the parts of one action. Every method raises `HostileLabel` or `Unrenderable`."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._offences: list[str] = []
        self._guarded = {
            name: value if name in _OURS else _guard(value, name, self._offences)
            for name, value in names.items()
            if name in _OURS or not isinstance(value, str) or PLAIN.fullmatch(value)
        }

    def place(self, template: str) -> str:
        """A text that means something by its position: address, path, header, word of a command, unit."""
        text = self._filled(template)
        if not text or _CONTROL.search(text):
            raise Unrenderable(f"{template!r} gives an empty text or one with control characters")
        return text

    def text(self, template: str) -> str:
        """What people read, lines and all. A value from outside is a plain word here too: it mentions nobody."""
        text = self._filled(template)
        if not text.strip() or _CONTROL.search(_LINES.sub("", text)):
            raise Unrenderable(f"{template!r} gives an empty text or one with control characters")
        return text

    def places_in(self, value: Any) -> Any:
        """Data whose every text means something where it ends up: a variable of a job, a word of its command."""
        if isinstance(value, str):
            return self.place(value) if value else value
        if isinstance(value, Mapping):
            return {str(name): self.places_in(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.places_in(one) for one in value]
        return value

    def _filled(self, template: str) -> str:
        try:
            text = Template(template).render(self._guarded)
        except TemplateError as error:
            self._refuse_offence()
            raise Unrenderable(str(error)) from None
        self._refuse_offence()
        return text

    def data(self, value: Any) -> Any:
        """JSON data with every text in it filled in. A name from outside must not stand for one of the operator's."""
        if isinstance(value, Mapping):
            filled = [(self.place(str(name)), self.data(one)) for name, one in value.items()]
            if len(dict(filled)) < len(filled):
                raise HostileLabel("two names of the data are the same once they are filled in")
            return dict(filled)
        if isinstance(value, list | tuple):
            return type(value)(self.data(one) for one in value)
        try:
            return render_data(value, self._names)
        except TemplateError as error:
            raise Unrenderable(str(error)) from None

    def places_or_secrets(self, values: Mapping[str, str | Secret]) -> dict[str, Any]:
        """Named texts (headers, variables); a secret stays the reference to where it is."""
        return {
            name: dict(value.reference) if isinstance(value, Secret) else self.place(value)
            for name, value in values.items()
        }

    def _refuse_offence(self) -> None:
        if self._offences:
            raise HostileLabel(f"{self._offences[0]} has a value that must not become part of an action")


def _guard(value: Any, path: str, offences: list[str]) -> Any:
    if isinstance(value, str):
        if not PLAIN.fullmatch(value):
            offences.append(path)
            raise ValueError(path)  # becomes a template error; the offence itself is remembered
        return value
    if isinstance(value, Mapping):
        return _GuardedMap(value, path, offences)
    if isinstance(value, Sequence):
        return _GuardedList(value, path, offences)
    return value


class _GuardedMap(Mapping[str, Any]):
    def __init__(self, inner: Mapping[str, Any], path: str, offences: list[str]) -> None:
        self._inner, self._path, self._offences = inner, path, offences

    def __getitem__(self, name: str) -> Any:
        return _guard(self._inner[name], f"{self._path}.{name}", self._offences)

    def __contains__(self, name: object) -> bool:
        return name in self._inner

    def __iter__(self) -> Iterator[str]:
        for name in self._inner:
            yield _guard(name, f"a name in {self._path}", self._offences)

    def __len__(self) -> int:
        return len(self._inner)

    def __str__(self) -> str:
        self._offences.append(self._path)
        raise ValueError(self._path)


class _GuardedList(Sequence[Any]):
    def __init__(self, inner: Sequence[Any], path: str, offences: list[str]) -> None:
        self._inner, self._path, self._offences = inner, path, offences

    def __getitem__(self, index: Any) -> Any:
        return _guard(self._inner[index], self._path, self._offences)

    def __len__(self) -> int:
        return len(self._inner)

    def __str__(self) -> str:
        self._offences.append(self._path)
        raise ValueError(self._path)
