"""Setup: what the escalation stage takes from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from daemon.escalate import proving
from daemon.escalate.pacing import Pacing
from daemon.escalate.proving import Plan
from daemon.escalate.rules import Policy
from daemon.escalate.schedules import Directory, OnCall
from daemon.incidents.model import DAEMON, Incident

AckToken = Callable[[str, str, int, float], str]
"""(incident, person, level, now) to the token of a link."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The configuration's part. Replaced whole by a reload; running escalations keep their own policy.

    `policies`: by the name a playbook's `escalation` has; `default` has to be there. `ack_token`: signs what stands
    behind `/a/` in the link by which one person can acknowledge one incident.
    """

    policies: Mapping[str, Policy]
    directory: Directory
    by_playbook: Mapping[str, str] = field(default_factory=dict)
    public_url: str = ""
    environment: str = ""
    ack_token: AckToken | None = None
    page_test: Plan | None = None
    pacing: Pacing = field(default_factory=Pacing)

    def oncall(self, incident: Incident, policy: Policy, now: float) -> OnCall:
        """Who can be told. A channel that an incident is about carries none of it, while there is any other."""
        address = (
            proving.about(dict(incident.scope).get("part", "")) if incident.failure_mode == DAEMON else ""
        )
        spared = self.directory.without(address).at(now)
        left = address and any(who.usable for level in policy.levels for who in spared.people(level.notify))
        return spared if left else self.directory.at(now)

    def policy_for(self, incident: Incident) -> Policy:
        name = self.by_playbook.get(incident.playbook or "", "default")
        return self.policies.get(name) or self.policies["default"]
