"""Names as configuration writes them, and lists that may be written as one text."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from config.problems import Wrong
from config.units import shown

MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=100)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


def listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def texts(value: Any) -> Any:
    """Label values are text; YAML reads `2` as a number, and `true` as neither."""
    items = listed(value)
    if not isinstance(items, list | tuple):
        raise Wrong(f"expected a text or a list of texts, got {shown(value)}", 'quote it: write "true"')
    return [
        str(item) if isinstance(item, int | float) and not isinstance(item, bool) else item for item in items
    ]
