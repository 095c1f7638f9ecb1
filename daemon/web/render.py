"""Templates to HTML: autoescape always on, filters by name, nothing undefined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from daemon.document.words import length
from daemon.web.views import reader
from daemon.web.views.reader import Reader

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


def _for(say: Callable[[Reader, float], str]) -> Callable[[Context, float], str]:
    """A filter that tells an instant to whoever reads the page."""

    @pass_context
    def told(context: Context, at: float) -> str:
        return say(context["frame"].reader, at)

    return told


def environment() -> Environment:
    """The templates of this package."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        length=length,
        machine=reader.machine,
        human=reader.human,
        message=reader.message,
        labels=reader.labels,
        named_labels=reader.named_labels,
        value=reader.value,
        both=_for(Reader.both),
        short=_for(Reader.short),
        exact=_for(Reader.exact),
        ago=_for(Reader.ago),
        until=_for(Reader.until),
        drawn=_drawn,
    )
    return made


def _drawn(svg: str) -> Markup:
    """SVG that `document.charts` drew: it escapes every text itself."""
    return Markup(svg)  # noqa: S704 - the charts module escapes, and a test holds it to that


TEMPLATES = environment()


def render(template: str, **names: Any) -> str:
    """One page as text."""
    return TEMPLATES.get_template(template).render(**names)
