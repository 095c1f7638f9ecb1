"""The base of every configuration section, and the words more than one package configures by."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the configuration: read-only once loaded, and an unknown key is an error.

    Fields whose key is a Python keyword take an alias (`for_` is written `for`) and can be set by either name.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class Severity(StrEnum):
    """How bad a failure is; decides the clock by which people are told. Worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class FailureMode(StrEnum):
    """The six kinds of failure the product knows."""

    PROVIDER_OUTAGE = "provider_outage"
    INGESTION_STOPPED = "ingestion_stopped"
    TRANSFORMATION_FAILURE = "transformation_failure"
    STORAGE_FAILURE = "storage_failure"
    API_DEGRADATION = "api_degradation"
    DATA_QUALITY = "data_quality"


SEVERITY_OF: dict[FailureMode, Severity] = {
    FailureMode.PROVIDER_OUTAGE: Severity.CRITICAL,
    FailureMode.INGESTION_STOPPED: Severity.CRITICAL,
    FailureMode.TRANSFORMATION_FAILURE: Severity.HIGH,
    FailureMode.STORAGE_FAILURE: Severity.CRITICAL,
    FailureMode.API_DEGRADATION: Severity.HIGH,
    FailureMode.DATA_QUALITY: Severity.MEDIUM,
}
"""The severity a failure mode has of itself; a detector may raise it."""


class Autonomy(StrEnum):
    """What the daemon may do by itself; each allows more than the one before."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    AUTO = "auto"

    @property
    def rank(self) -> int:
        return list(Autonomy).index(self)
