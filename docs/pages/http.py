"""`reference/http.md`: every address of the HTTP face, from its own OpenAPI description."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from daemon.web.app import build_app
from pages.text import code, table

INTRO = """# HTTP

The console is at `/`; below are the addresses for programs. The OpenAPI document itself is served at
`/api/v1/openapi.json`. What changes state wants a named token with a role (`Authorization: Bearer …`, made by
`fleetmend token NAME`), or a session of the console with its form token. Errors are RFC 9457 problem documents
(`application/problem+json`); answers have the [shapes](json.md) of the command line's `--json`.

`viewer` reads, `operator` orders, pauses and silences, `admin` also reloads. The intakes of alerts have a token of
their own (`inbox.alertmanager.token`) and answer 200 only when the alerts are on disk.
"""


def page() -> str:
    """The whole page."""
    rows = sorted(_rows(_described()["paths"]))
    return f"{INTRO}\n{table(('path', 'method', 'what', 'answers'), rows)}"


def _described() -> dict[str, Any]:
    """The description needs routes only: nothing that is handed in is called but for the version."""
    nothing: Any = SimpleNamespace()
    app = build_app(
        reader=nothing,
        known=lambda: SimpleNamespace(version="0"),  # type: ignore[arg-type, return-value]  # only the version is read
        snapshot=lambda: None,
        record=nothing,
        reload=lambda: (),
        registry=CollectorRegistry(),
        tokens=lambda: nothing,
        signing_keys=lambda: (),
        chart=nothing,
        clock=nothing,
        ready=lambda: (True, ""),
    )
    described: dict[str, Any] = app.openapi()
    return described


def _rows(paths: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            said = operation.get("description") or operation.get("summary") or ""
            answers = ", ".join(sorted(operation.get("responses", {})))
            yield code(path), method.upper(), said, answers
