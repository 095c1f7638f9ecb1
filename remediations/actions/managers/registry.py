"""One literal table of the types of process managers: what each can be told, how it names units, how it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from remediations.actions.action import Reveal
from remediations.actions.managers import docker, kubernetes, supervisor, systemd
from remediations.actions.managers.manager import Manager
from remediations.ports import Ports
from remediations.spec_managers import ManagerSpec

EVERY_OPERATION = ("restart", "stop", "start", "scale", "undo")


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table. `named`: the unit in its full name, `Wrong` where it is none or cannot be told that."""

    title: str
    operations: tuple[str, ...]
    named: Callable[[str, str], str]
    build: Callable[[Any, Ports, Reveal], Manager]


KINDS: Mapping[str, Kind] = {
    "supervisor": Kind(
        "supervisord",
        supervisor.OPERATIONS,
        supervisor.named,
        lambda spec, ports, _: supervisor.Supervisor(ports.http, spec),
    ),
    "systemd": Kind(
        "systemd",
        systemd.OPERATIONS,
        systemd.named,
        lambda spec, ports, _: systemd.Systemd(ports.processes, spec),
    ),
    "docker": Kind(
        "Docker", docker.OPERATIONS, docker.named, lambda spec, ports, _: docker.Docker(ports.http, spec)
    ),
    "kubernetes": Kind(
        "Kubernetes",
        kubernetes.OPERATIONS,
        kubernetes.named,
        lambda spec, ports, reveal: kubernetes.Kubernetes(ports.http, ports.clock, spec, reveal),
    ),
}


def built(spec: ManagerSpec, ports: Ports, reveal: Reveal) -> Manager:
    """The manager that a configuration names. `reveal`: finds a token that is read anew for every call."""
    return KINDS[spec.type].build(spec, ports, reveal)
