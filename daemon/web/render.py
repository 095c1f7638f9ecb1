"""Templates to HTML: autoescape always on, filters by name, nothing undefined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from daemon.document.words import length
from daemon.web.views import reader

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


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
        both=_both,
        short=_short,
        exact=_exact,
        ago=_ago,
        until=_until,
        drawn=_drawn,
    )
    return made


def _reader(context: Context) -> reader.Reader:
    found: reader.Reader = context["frame"].reader
    return found


@pass_context
def _both(context: Context, at: float) -> str:
    return _reader(context).both(at)


@pass_context
def _short(context: Context, at: float) -> str:
    return _reader(context).short(at)


@pass_context
def _exact(context: Context, at: float) -> str:
    return _reader(context).exact(at)


@pass_context
def _ago(context: Context, at: float) -> str:
    return _reader(context).ago(at)


@pass_context
def _until(context: Context, at: float) -> str:
    return _reader(context).until(at)


def _drawn(svg: str) -> Markup:
    """SVG that `document.charts` drew: it escapes every text itself."""
    return Markup(svg)  # noqa: S704 - the charts module escapes, and a test holds it to that


TEMPLATES = environment()


def render(template: str, **names: Any) -> str:
    """One page as text."""
    return TEMPLATES.get_template(template).render(**names)
