"""The six failure modes: title, severity, the labels that say where, and which causes which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from config.section import SEVERITY_OF, FailureMode, Severity


@dataclass(frozen=True, slots=True)
class Mode:
    """`scope`: label names of its incidents, none for the whole pipeline. `order`: its place in the causal chain
    provider > ingestion > transformation > storage > API; a lower one may cause a higher one.
    """

    name: FailureMode
    title: str
    severity: Severity
    scope: tuple[str, ...]
    order: int


def _mode(name: FailureMode, title: str, scope: tuple[str, ...], order: int) -> Mode:
    return Mode(name, title, SEVERITY_OF[name], scope, order)


MODES: Mapping[FailureMode, Mode] = MappingProxyType(
    {
        mode.name: mode
        for mode in (
            _mode(FailureMode.PROVIDER_OUTAGE, "Provider outage", ("provider",), 0),
            _mode(FailureMode.INGESTION_STOPPED, "Ingestion stopped", (), 1),
            _mode(FailureMode.TRANSFORMATION_FAILURE, "Transformation failure", ("provider",), 2),
            _mode(FailureMode.STORAGE_FAILURE, "Storage failure", ("tier",), 3),
            _mode(FailureMode.API_DEGRADATION, "API degradation", ("endpoint",), 4),
            _mode(FailureMode.DATA_QUALITY, "Data quality", ("provider", "field"), 5),
        )
    }
)
"""In causal order; data quality is an effect of every other and a cause of none."""
