"""A Kubernetes API server and its controllers in memory, after the public API reference: one namespace of workloads.

Every look at a workload brings its controller one step on, so that a rollout takes several. Permissions are checked as
RBAC does, by the rules of a Role.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.rest import Asked, Refused, Said

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
ALL = ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},)


@dataclass
class Pod:
    uid: str
    template: dict[str, Any]
    labels: dict[str, str]
    ready: bool = True
    leaving: bool = False


@dataclass
class Workload:
    """A workload and its pods. `blind`: its controller sees nothing. `broken`: images whose pods never get ready."""

    kind: str
    name: str
    replicas: int = 3
    image: str = "ingestion:v1"
    blind: bool = False
    broken: frozenset[str] = frozenset()
    ruled_by: int | None = None
    """A HorizontalPodAutoscaler sets this number again."""

    def __post_init__(self) -> None:
        self.version, self.made, self.waited = 100, 0, 0
        labels = {"app": self.name}
        self.told: dict[str, Any] = {
            "metadata": {"name": self.name, "uid": f"uid-{self.name}", "generation": 1, "annotations": {}},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": dict(labels)},
                    "spec": {"containers": [{"name": "main", "image": self.image}]},
                },
            },
            "status": {},
        }
        if self.kind == "daemonsets":
            del self.told["spec"]["replicas"]
        self.pods: list[Pod] = []
        self.history: list[dict[str, Any]] = []
        for _ in range(self.replicas + 2):
            self.step()

    @property
    def staying(self) -> list[Pod]:
        """Its pods that are not on their way out."""
        return [pod for pod in self.pods if not pod.leaving]

    @property
    def template(self) -> dict[str, Any]:
        return self.told["spec"]["template"]

    @property
    def wanted(self) -> int:
        return int(self.told["spec"].get("replicas", self.replicas))

    def changed(self, spec: dict[str, Any]) -> None:
        """A new specification is a new generation; the same one is none."""
        self.version += 1
        if spec != self.told["spec"]:
            self.told["spec"] = spec
            self.told["metadata"]["generation"] += 1
            self.waited = 0

    def step(self) -> None:
        """What the controllers get done between two looks: one pod, and the numbers."""
        if self.blind:
            return
        if self.ruled_by is not None and self.wanted != self.ruled_by:
            self.changed({**self.told["spec"], "replicas": self.ruled_by})
        if self.kind == "deployments":
            self._remember()
        self.pods = [pod for pod in self.pods if not pod.leaving]
        held = self.told["spec"].get("paused") is True
        old = [pod for pod in self.pods if pod.template != self.template and not held]
        new = [pod for pod in self.pods if pod not in old]
        if old and all(pod.ready for pod in new):
            old[0].leaving = True
            self._new_pod()
        elif len(self.pods) < self.wanted:
            self._new_pod()
        elif len(self.pods) > self.wanted:
            self.pods[-1].leaving = True
        self.waited += 1
        self._count()

    def _new_pod(self) -> None:
        self.made += 1
        image = self.template["spec"]["containers"][0]["image"]
        labels = {**self.template["metadata"]["labels"], HASH: f"h{self.made}"}
        uid = f"{self.name}-{self.made}"
        self.pods.append(Pod(uid, copy.deepcopy(self.template), labels, image not in self.broken))

    def _remember(self) -> None:
        """A replica set for every template; one that comes back gets the newest revision."""
        known = [one for one in self.history if one["spec"] == self.template]
        newest = max((one["revision"] for one in self.history), default=0)
        if not known:
            self.history.append({"spec": copy.deepcopy(self.template), "revision": newest + 1})
        elif known[0]["revision"] < newest:
            known[0]["revision"] = newest + 1
        current = max(one["revision"] for one in self.history)
        self.told["metadata"]["annotations"][REVISION] = str(current)

    def _count(self) -> None:
        staying = self.staying
        updated = [pod for pod in staying if pod.template == self.template]
        ready = sum(pod.ready for pod in staying)
        numbers = {
            "replicas": len(staying),
            "updatedReplicas": len(updated),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        if self.kind == "daemonsets":
            numbers = {
                "desiredNumberScheduled": self.wanted,
                "currentNumberScheduled": len(staying),
                "updatedNumberScheduled": len(updated),
                "numberReady": ready,
                "numberAvailable": ready,
            }
        whole = len(updated) == len(staying) == self.wanted and all(pod.ready for pod in updated)
        status: dict[str, Any] = {name: number for name, number in numbers.items() if number}
        status["observedGeneration"] = self.told["metadata"]["generation"]
        if self.kind == "deployments":
            late = not whole and self.waited > 8
            status["conditions"] = [
                {
                    "type": "Progressing",
                    "status": "False" if late else "True",
                    "reason": "ProgressDeadlineExceeded"
                    if late
                    else ("NewReplicaSetAvailable" if whole else "ReplicaSetUpdated"),
                    "message": f'ReplicaSet "{self.name}" has timed out progressing.' if late else "",
                }
            ]
        if self.kind == "statefulsets":
            status["updateRevision"] = "new"
            status["currentRevision"] = "new" if whole else "old"
        self.told["status"] = status


@dataclass
class FakeKubernetes:
    """`tokens`: those that are let in; `rules`: of the Role they are bound to. `orders`: the patches that were taken."""

    namespace: str = "pipeline"
    tokens: set[str] = field(default_factory=set)
    rules: Sequence[Mapping[str, Any]] = ALL
    workloads: dict[tuple[str, str], Workload] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    fails: dict[str, Said] = field(default_factory=dict)
    """Method -> what is answered in its place."""
    seen: set[str] = field(default_factory=set)
    """The tokens that came."""

    def add(self, name: str, kind: str = "deployments", **more: Any) -> Workload:
        return self.workloads.setdefault((kind, name), Workload(kind, name, **more))

    def answer(self, asked: Asked) -> Said:
        try:
            return self._answer(asked)
        except Refused as refused:
            return refused.said

    def _answer(self, asked: Asked) -> Said:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        self.seen.add(token)
        if self.tokens and token not in self.tokens:
            raise _status(401, "Unauthorized")
        parts = asked.path.strip("/").split("/")
        core = parts[:2] == ["api", "v1"]
        below = parts[2:] if core else parts[3:]
        if below[:2] != ["namespaces", self.namespace] or not (core or parts[:3] == ["apis", "apps", "v1"]):
            raise _status(403, f"User cannot reach {asked.path}")
        resource, name, sub = (*below[2:], "", "")[:3]
        verb = {"GET": "get" if name else "list", "PATCH": "patch"}[asked.method]
        whole = f"{resource}/{sub}" if sub else resource
        if not self._allowed("" if core else "apps", whole, verb, name):
            raise _status(403, f'{whole} "{name}" is forbidden: User cannot {verb} resource "{whole}"')
        if asked.method in self.fails:
            return self.fails[asked.method]
        if not name:
            return self._list(asked, resource)
        found = self.workloads.get((resource, name))
        if found is None:
            raise _status(404, f'{resource}.apps "{name}" not found')
        if asked.method == "GET":
            found.step()
            return Said(200, self._scale(found) if sub else self._object(found))
        return self._patch(asked, found, sub)

    def _allowed(self, group: str, resource: str, verb: str, name: str) -> bool:
        wanted = (("apiGroups", group), ("resources", resource), ("verbs", verb))
        return any(
            all({value, "*"} & set(rule[key]) for key, value in wanted)
            and (not rule.get("resourceNames") or name in rule["resourceNames"])
            for rule in self.rules
        )

    def _list(self, asked: Asked, resource: str) -> Said:
        wanted = dict(word.split("=") for word in asked.query["labelSelector"].split(","))
        items: list[dict[str, Any]] = []
        for workload in self.workloads.values():
            labels = workload.template["metadata"]["labels"]
            if not wanted.items() <= labels.items():
                continue
            if resource == "pods":
                assert "PartialObjectMetadataList" in asked.headers["accept"]
                items += [_pod(pod) for pod in workload.pods]
            else:
                items += [_replica_set(workload, one) for one in workload.history]
        return Said(200, {"items": items})

    def _patch(self, asked: Asked, found: Workload, sub: str) -> Said:
        kind, body = asked.headers["content-type"], asked.json
        spec = copy.deepcopy(found.told["spec"])
        if sub == "scale" and kind == "application/merge-patch+json":
            if body["metadata"]["resourceVersion"] != str(found.version):
                raise _status(
                    409, "the object has been modified; please apply your changes to the latest version"
                )
            spec["replicas"] = body["spec"]["replicas"]
        elif kind == "application/strategic-merge-patch+json":
            new = body["spec"]["template"]["metadata"]["annotations"]
            spec["template"]["metadata"].setdefault("annotations", {}).update(new)
        elif kind == "application/json-patch+json":
            test, replace = body
            assert (test["op"], replace["op"], replace["path"]) == ("test", "replace", "/spec/template")
            assert test["path"] == "/metadata/annotations/deployment.kubernetes.io~1revision"
            if found.told["metadata"]["annotations"][REVISION] != test["value"]:
                raise _status(422, "the server rejected our request due to an error in our request")
            spec["template"] = replace["value"]
        else:
            raise _status(415, f"the body of the request was in an unknown format: {kind}")
        found.changed(spec)
        self.orders.append(f"{'scale' if sub else 'patch'} {found.name}")
        return Said(200, self._scale(found) if sub else self._object(found))

    def _object(self, found: Workload) -> dict[str, Any]:
        told = copy.deepcopy(found.told)
        told["metadata"]["resourceVersion"] = str(found.version)
        return told

    def _scale(self, found: Workload) -> dict[str, Any]:
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {"name": found.name, "resourceVersion": str(found.version)},
            "spec": {"replicas": found.wanted} if found.wanted else {},
            "status": {"replicas": len(found.pods)},
        }


def _pod(pod: Pod) -> dict[str, Any]:
    metadata: dict[str, Any] = {"uid": pod.uid, "name": pod.uid, "labels": pod.labels}
    if pod.leaving:
        metadata["deletionTimestamp"] = "2026-01-05T08:00:00Z"
    return {"metadata": metadata}


def _replica_set(workload: Workload, one: dict[str, Any]) -> dict[str, Any]:
    template = copy.deepcopy(one["spec"])
    template["metadata"]["labels"][HASH] = f"r{one['revision']}"
    owner = {"kind": "Deployment", "uid": workload.told["metadata"]["uid"], "controller": True}
    annotations = {REVISION: str(one["revision"])}
    return {
        "metadata": {"annotations": annotations, "ownerReferences": [owner]},
        "spec": {"template": template},
    }


def _status(code: int, message: str) -> Refused:
    return Refused(code, {"kind": "Status", "status": "Failure", "message": message, "code": code})
