"""The calls to a Kubernetes API server: who asks, where, and what its refusals mean."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from config.problems import Wrong
from config.secrets import Redactor
from remediations.actions.action import Reveal
from remediations.actions.managers.answers import ONE_CALL, at, decoded, exchange, listed
from remediations.actions.managers.manager import ManagerFault
from remediations.ports import Clock, Http, Request, Response
from remediations.spec_managers import KubernetesSpec

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Of a list only what the objects are called: a pod in full is tens of kilobytes."""
SERVER_ERRORS = 500
WORD = re.compile(r"[\x21-\x7e]+")


class Cluster:
    """One namespace. What is refused raises `ManagerFault`; an order whose fate is open raises `Ambiguous`."""

    def __init__(self, http: Http, clock: Clock, spec: KubernetesSpec, reveal: Reveal) -> None:
        self._http = http
        self._clock = clock
        self._spec = spec
        self._reveal = reveal

    def get(self, path: str, *, deadline: float, accept: str = "application/json") -> Any:
        """`path`: below the namespace's `apps/v1`, or `/api/…` for the core."""
        return decoded(self._send("GET", path, deadline, {"Accept": accept}))

    def patch(self, path: str, body: Any, kind: str, *, deadline: float) -> Any:
        """`kind`: which of the three ways to patch."""
        return decoded(self._send("PATCH", path, deadline, {"Content-Type": kind}, json.dumps(body).encode()))

    def pods(self, selector: str, *, deadline: float) -> frozenset[str]:
        """Ids of the pods that fit and are not on their way out."""
        path = f"/api/v1/namespaces/{self._spec.namespace}/pods?labelSelector={quote(selector, safe='')}"
        found = listed(at(self.get(path, deadline=deadline, accept=NAMES_ONLY), "items"))
        staying = (pod for pod in found if at(pod, "metadata", "deletionTimestamp") is None)
        return frozenset(str(at(pod, "metadata", "uid")) for pod in staying)

    def _send(
        self, method: str, path: str, deadline: float, headers: dict[str, str], body: bytes | None = None
    ) -> Response:
        below = (
            path if path.startswith("/api/") else f"/apis/apps/v1/namespaces/{self._spec.namespace}/{path}"
        )
        token = self._token()
        if token:
            headers = {**headers, "Authorization": f"Bearer {token}"}
        request = Request(
            method,
            f"{self._spec.url.rstrip('/')}{below}",
            headers=headers,
            body=body,
            tls=self._spec.trusted,
        )
        return exchange(
            self._http,
            request,
            deadline=min(deadline, self._clock.monotonic() + ONE_CALL),
            fine=(200,),
            unclear=lambda status: status >= SERVER_ERRORS,
            hide=Redactor([token] if token else ()).text,
        )

    def _token(self) -> str:
        """From its file each time: it is renewed under our feet. Raises `ManagerFault`.

        What could not stand in a header is refused here: the door's complaint would repeat it.
        """
        if self._spec.token is None and self._spec.token_from is None:
            return ""
        try:
            token = (
                self._reveal({"file": str(self._spec.token_from)})
                if self._spec.token is None
                else self._spec.token.reveal()
            ).strip()
        except Wrong as wrong:
            raise ManagerFault(f"no token to ask Kubernetes with: {wrong}") from None
        if not WORD.fullmatch(token):
            raise ManagerFault(
                "what should be a token to ask Kubernetes with is none: it has more than one word"
            )
        return token


def selector_of(workload: Any) -> str:
    """A workload's selector as a query spells it."""
    labels = at(workload, "spec", "selector", "matchLabels")
    words = [f"{name}={value}" for name, value in labels.items()] if isinstance(labels, dict) else []
    for rule in listed(at(workload, "spec", "selector", "matchExpressions")):
        key, values = at(rule, "key"), ",".join(listed(at(rule, "values")))
        spelt = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": f"{key}",
            "DoesNotExist": f"!{key}",
        }
        words.append(spelt.get(str(at(rule, "operator")), ""))
    if not words or not all(words):
        raise ManagerFault("it has no selector that is understood: its pods cannot be told from others")
    return ",".join(words)
