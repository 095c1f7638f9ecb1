"""One namespace of a Kubernetes cluster over the Http port: rollouts restarted, scaled and undone, then watched.

Nothing is believed that the API server merely accepted: pods of a new identity have to be ready. Proved against an
API server made for the tests after the public API reference, not against a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from config.problems import Wrong
from remediations.actions.action import Reveal
from remediations.actions.managers.answers import at, count, listed
from remediations.actions.managers.cluster import JSON_PATCH, MERGE, STRATEGIC, Cluster, selector_of
from remediations.actions.managers.manager import Manager, ManagerFault, Operations, Order, UnitState, Work
from remediations.actions.managers.workload import DAEMON, DEPLOYMENT, REVISION, STATEFUL, Workload
from remediations.outcome import OutcomeState
from remediations.ports import Clock, Http
from remediations.spec_managers import KubernetesSpec

OPERATIONS = ("restart", "scale", "undo")
KINDS = {"deployment": DEPLOYMENT, "statefulset": STATEFUL, "daemonset": DAEMON}
OF_KIND = {
    "deployment": ("restart", "scale", "undo"),
    "statefulset": ("restart", "scale"),
    "daemonset": ("restart",),
}
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""The annotation that `kubectl rollout restart` sets; a new value is a new template, so all pods are replaced."""
TEMPLATE_HASH = "pod-template-hash"


def named(operation: str, unit: str) -> str:
    """`kind/name`; a name alone is a deployment. Raises `Wrong`."""
    kind, slash, name = unit.rpartition("/")
    kind = kind if slash else "deployment"
    if kind not in KINDS or not NAME.fullmatch(name):
        raise Wrong(
            f"no workload: {unit}", f"write NAME, or one of {', '.join(f'{one}/NAME' for one in KINDS)}"
        )
    if operation not in {*OF_KIND[kind], "state"}:
        raise Wrong(f"Kubernetes has no {operation} for a {kind}", f"it has {', '.join(OF_KIND[kind])}")
    return f"{kind}/{name}"


class Kubernetes:
    """See the module."""

    def __init__(self, http: Http, clock: Clock, spec: KubernetesSpec, reveal: Reveal) -> None:
        self._cluster = Cluster(http, clock, spec, reveal)
        self._operations: Operations = {"restart": self._restart, "scale": self._scale, "undo": self._undo}

    def state(self, unit: str, *, deadline: float) -> UnitState:
        try:
            unit = named("state", unit)
        except Wrong as wrong:
            raise ManagerFault(str(wrong)) from None
        now = self._look(unit, deadline)
        identity = f"generation {now.generation}" if now.ready else ""
        return UnitState(unit, now.standing, str(now), identity, idle=now.wanted == 0)

    def carry_out(self, order: Order, work: Work) -> OutcomeState:
        return self._operations[order.operation](order, work)

    def _restart(self, order: Order, work: Work) -> OutcomeState:
        before = self._able(order, work.deadline)
        selector = selector_of(before.told)
        old = self._cluster.pods(selector, deadline=work.deadline)
        if not work.permitted():
            return OutcomeState.NOT_DONE
        at_time = datetime.fromtimestamp(work.clock.now(), UTC).isoformat()
        changed = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: at_time}}}}}
        if not self._changed(order.unit, changed, STRATEGIC, before, work):
            return OutcomeState.FAILED

        def replaced(now: Workload) -> bool:
            if not now.rolled_out:
                return False
            pods = self._cluster.pods(selector, deadline=work.deadline)
            return len(pods) >= now.wanted and pods.isdisjoint(old)

        return self._await(order.unit, before, replaced, work)

    def _scale(self, order: Order, work: Work) -> OutcomeState:
        """By the scale subresource, at the version that was looked at; done when so many are seen ready."""
        to = order.to or 0
        before = self._able(order, work.deadline)
        path = f"{_path(order.unit)}/scale"
        scale = self._cluster.get(path, deadline=work.deadline)
        if count(scale, "spec", "replicas") != to:
            if not work.permitted():
                return OutcomeState.NOT_DONE
            version = at(scale, "metadata", "resourceVersion")
            work.ordered = True
            body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": to}}
            self._cluster.patch(path, body, MERGE, deadline=work.deadline)

        def reached(now: Workload) -> bool:
            if now.wanted != to:
                raise _Overruled(f"somebody else asks for {now.wanted}, perhaps a HorizontalPodAutoscaler")
            return now.observed and now.ready == to == count(now.told, "status", "replicas")

        return self._await(order.unit, before, reached, work)

    def _undo(self, order: Order, work: Work) -> OutcomeState:
        """Back to the template of the revision before this one, provided that nobody rolled out in between."""
        before = self._able(order, work.deadline)
        template = self._previous(before, work.deadline)
        if not work.permitted():
            return OutcomeState.NOT_DONE
        patch = [
            {
                "op": "test",
                "path": f"/metadata/annotations/{REVISION.replace('/', '~1')}",
                "value": str(before.revision),
            },
            {"op": "replace", "path": "/spec/template", "value": template},
        ]
        if not self._changed(order.unit, patch, JSON_PATCH, before, work):
            return OutcomeState.FAILED
        return self._await(order.unit, before, lambda now: now.rolled_out, work)

    def _previous(self, deployment: Workload, deadline: float) -> dict[str, Any]:
        """The pod template of the deployment's last revision that ran something else. Raises `ManagerFault`.

        A restart is a revision too, with the same template but for its annotation: going back to before a restart in
        vain would bring back the very fault.
        """
        uid = at(deployment.told, "metadata", "uid")
        query = quote(selector_of(deployment.told), safe="")
        found = listed(
            at(self._cluster.get(f"replicasets?labelSelector={query}", deadline=deadline), "items")
        )
        owned = [
            Workload("replicasets", one)
            for one in found
            if any(at(owner, "uid") == uid for owner in listed(at(one, "metadata", "ownerReferences")))
        ]
        current = _without(at(deployment.told, "spec", "template"), RESTARTED)
        older = [
            one
            for one in owned
            if 0 < one.revision < deployment.revision
            and _without(at(one.told, "spec", "template"), RESTARTED) != current
        ]
        if not older:
            raise ManagerFault(
                f"no revision before {deployment.revision} that ran something else is kept: nothing to go back to"
            )
        return _without(at(max(older, key=lambda one: one.revision).told, "spec", "template"))

    def _changed(self, unit: str, body: Any, kind: str, before: Workload, work: Work) -> bool:
        """Whether the patch made a new generation; one that changed nothing leaves the old pods as they are."""
        work.ordered = True
        told = self._cluster.patch(_path(unit), body, kind, deadline=work.deadline)
        after = Workload(before.kind, told)
        if after.generation > before.generation:
            work.steps.append(f"generation {after.generation} asked for")
            return True
        work.steps.append(f"accepted, and generation {after.generation} stayed as it was")
        return False

    def _await(
        self, unit: str, before: Workload, reached: Callable[[Workload], bool], work: Work
    ) -> OutcomeState:
        """Until it is seen to be so; a rollout that its controller gives up, or a stranger's hand, ends it early.

        One that had been given up before says so a while longer, whatever was ordered since.
        """

        def look() -> OutcomeState | None:
            now = self._look(unit, work.deadline)
            work.said = str(now)
            if now.observed and now.given_up and not before.given_up:
                work.said = f"{now}: {now.given_up}"
                return OutcomeState.FAILED
            try:
                return OutcomeState.DONE if reached(now) else None
            except _Overruled as overruled:
                work.said = f"{now}: {overruled}"
                return OutcomeState.FAILED

        came = work.ask_until(look)
        work.steps.append(work.said)
        return came or work.open

    def _look(self, unit: str, deadline: float) -> Workload:
        return Workload(KINDS[unit.partition("/")[0]], self._cluster.get(_path(unit), deadline=deadline))

    def _able(self, order: Order, deadline: float) -> Workload:
        """The workload, as far as it can be told this at all. Raises `ManagerFault`."""
        now = self._look(order.unit, deadline)
        if order.operation == "restart" and not now.wanted:
            raise ManagerFault(f"{order.unit} is scaled to 0: there is nothing to restart")
        if order.operation in {"restart", "undo"} and now.paused:
            raise ManagerFault(
                f"{order.unit} rolls nothing out: it is paused, or its updateStrategy is OnDelete"
            )
        return now


class _Overruled(Exception):
    """The number that was set is not the one that is asked for now."""


def _without(template: Any, annotation: str = "") -> dict[str, Any]:
    """A pod template without the label that its replica set gave it, and without this annotation."""
    metadata = dict(at(template, "metadata") or {})
    for key, name in (("labels", TEMPLATE_HASH), ("annotations", annotation)):
        kept = {one: value for one, value in (at(metadata, key) or {}).items() if one != name}
        metadata = {**metadata, key: kept} if kept else {one: metadata[one] for one in metadata if one != key}
    metadata.pop("creationTimestamp", None)
    return {**dict(template or {}), "metadata": metadata}


def _path(unit: str) -> str:
    kind, _, name = unit.partition("/")
    return f"{KINDS[kind]}/{name}"


def _fits(manager: Kubernetes) -> Manager:
    """The type checker proves here that it is one."""
    return manager
