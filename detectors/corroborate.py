"""Whether a finding has the independent witnesses it needs before anything may be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from detectors.spec import Corroborate, Evidence


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What witnesses say at one scope; a name that is missing or None has not spoken.

    `failing`: probe -> it is refused, or unanswered three times while a control probe answers (True), or it
    answers well (False). `firing`: detector -> it fires at this scope, or at one that covers it. `down`:
    (manager, unit) -> the manager says the unit does not run.
    """

    failing: Mapping[str, bool | None] = field(default_factory=dict)
    firing: Mapping[str, bool | None] = field(default_factory=dict)
    down: Mapping[tuple[str, str], bool | None] = field(default_factory=dict)

    def says(self, evidence: Evidence) -> bool | None:
        """Whether this piece of evidence is given; None when its witness has not spoken."""
        if evidence.probe is not None:
            return self.failing.get(evidence.probe)
        if evidence.detector is not None:
            return self.firing.get(evidence.detector)
        return self.down.get((evidence.manager or "", evidence.unit or ""))


def corroborated(spec: Corroborate | None, witnesses: Witnesses) -> bool | None:
    """True or False once the witnesses suffice to say so, else None. None too when nothing is asked for.

    `any`: one True is enough, and False needs all of them. `all`: one False is enough, and True needs all.
    """
    if spec is None:
        return None
    said = [witnesses.says(evidence) for evidence in spec.witnesses]
    decisive = spec.any_ is not None
    if decisive in said:
        return decisive
    return None if None in said else not decisive
