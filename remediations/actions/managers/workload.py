"""Deployments, stateful sets and daemon sets as Kubernetes tells them: how far a rollout is, in numbers.

The three count alike under different names; a rollout is over as `kubectl rollout status` understands it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remediations.actions.managers.answers import at, count, listed, text
from remediations.actions.managers.manager import Standing

DEPLOYMENT, STATEFUL, DAEMON = "deployments", "statefulsets", "daemonsets"
REVISION = "deployment.kubernetes.io/revision"
GIVEN_UP = "ProgressDeadlineExceeded"


@dataclass(frozen=True, slots=True)
class Workload:
    """`told`: the object as the server gives it; `kind`: the plural of its address."""

    kind: str
    told: Mapping[str, Any]

    @property
    def wanted(self) -> int:
        """Pods that are asked for; left out of a specification it is one."""
        if self.kind == DAEMON:
            return self._status("desiredNumberScheduled")
        asked = at(self.told, "spec", "replicas")
        return asked if isinstance(asked, int) else 1

    @property
    def ready(self) -> int:
        return self._status("numberReady" if self.kind == DAEMON else "readyReplicas")

    @property
    def generation(self) -> int:
        return count(self.told, "metadata", "generation")

    @property
    def observed(self) -> bool:
        """Its controller has seen the newest specification; before that its numbers are about the one before."""
        return self._status("observedGeneration") >= self.generation

    @property
    def paused(self) -> bool:
        """A rollout would not begin, or replace nothing."""
        strategy = text(self.told, "spec", "updateStrategy", "type")
        return at(self.told, "spec", "paused") is True or strategy == "OnDelete"

    @property
    def rolled_out(self) -> bool:
        """Every pod is of the newest template and available, and no other is left."""
        if not self.observed:
            return False
        if self.kind == DAEMON:
            updated, there, well = (
                self._status("updatedNumberScheduled"),
                self._status("currentNumberScheduled"),
                self._status("numberAvailable"),
            )
        else:
            updated, there = self._status("updatedReplicas"), self._status("replicas")
            well = self._status("availableReplicas")
        return self.wanted == updated == there == well

    @property
    def given_up(self) -> str:
        """Why the controller stopped waiting for the rollout; empty while it has not."""
        for condition in listed(at(self.told, "status", "conditions")):
            if text(condition, "type") == "Progressing" and text(condition, "status") == "False":
                return text(condition, "message") or text(condition, "reason") or GIVEN_UP
        return ""

    @property
    def settled(self) -> bool:
        """No rollout is under way, as far as it says."""
        if not self.observed:
            return False
        if self.kind == DEPLOYMENT:
            reasons = [
                text(condition, "reason")
                for condition in listed(at(self.told, "status", "conditions"))
                if text(condition, "type") == "Progressing"
            ]
            return not reasons or reasons[0] in {"NewReplicaSetAvailable", GIVEN_UP}
        if self.kind == STATEFUL:
            return text(self.told, "status", "currentRevision") == text(self.told, "status", "updateRevision")
        return self._status("updatedNumberScheduled") >= self.wanted

    @property
    def standing(self) -> Standing:
        """Not one pod ready is down, unless a rollout is under way that may yet bring one."""
        if self.ready:
            return Standing.RUNNING
        return Standing.DOWN if self.settled else Standing.BETWEEN

    @property
    def revision(self) -> int:
        """Of a deployment or of one of its replica sets; 0 where it has none."""
        number = text(self.told, "metadata", "annotations", REVISION)
        return int(number) if number.isdecimal() else 0

    def __str__(self) -> str:
        return f"{self.ready} of {self.wanted} ready"

    def _status(self, name: str) -> int:
        return count(self.told, "status", name)
