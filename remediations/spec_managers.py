"""The section `managers`: the process managers that units are restarted, scaled and rolled back through."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from config.addresses import WebAddress
from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from config.units import Duration

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts what a pod needs to talk to it."""

Timeout = Annotated[Duration, Field(gt=0, le=3600)]


def _socket_or_web(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme == "tcp":
        raise Wrong(f"tcp is not spoken here: {text}", f"write https://{parts.netloc}, and tls for its files")
    return text


SocketOrWeb = Annotated[
    str, Field(pattern=r"^(unix:///|https?://|tcp://)\S+$", max_length=500), AfterValidator(_socket_or_web)
]
"""`unix:///run/x.sock`, `http://…` or `https://…`."""


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise Wrong(f"not an absolute path: {path}", "write one such as /usr/bin/systemctl")
    return path


class _Watched(Section):
    """What is looked at after its start, all within `timeout`."""

    steady: Annotated[Duration, Field(ge=0, le=60)] = 1.0
    """So long a new process has to have lasted before it counts as started."""
    timeout: Timeout = 60.0
    """Of one action, where the action itself gives none."""

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.steady >= self.timeout:
            raise Wrong("timeout leaves no room for steady", "make timeout longer than steady")
        return self


class ClientTls(Section):
    """Paths of PEM files; without `ca` the system's trust store is asked. `cert` and `key` go together."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise Wrong("cert and key go together", "give both or none")
        return self

    @property
    def files(self) -> dict[str, str]:
        """As `remediations.ports.Request.tls` takes them."""
        return {name: str(path) for name, path in self if path is not None}


class SupervisorSpec(Section):
    """supervisord. `url`: `unix:///run/supervisor.sock` or http(s)."""

    type: Literal["supervisor"]
    url: Annotated[str, Field(pattern=r"^(unix:///|https?://)\S+$", max_length=500)]
    username: str | None = None
    password: Secret | None = None
    timeout: Timeout = 60.0
    """Of one action, where the action itself gives none."""

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise Wrong("username and password go together", "give both or none")
        return self


class SystemdSpec(_Watched):
    """systemd on this machine, by its `systemctl`."""

    type: Literal["systemd"]
    user: bool = False
    """The units of the daemon's own user (`systemctl --user`), not the system's."""
    program: Annotated[Path, AfterValidator(_absolute)] = Path("/usr/bin/systemctl")


class DockerSpec(_Watched):
    """A Docker Engine: containers, and the services of a swarm (written `service/NAME`).

    A container with a health check counts as started once it is healthy.
    """

    type: Literal["docker"]
    url: SocketOrWeb = "unix:///var/run/docker.sock"
    tls: ClientTls = ClientTls()
    stop_timeout: Annotated[Duration, Field(ge=0, le=3600)] | None = None
    """So long a container may take to stop before it is killed; left out: its own setting."""

    @model_validator(mode="after")
    def _room_to_stop(self) -> Self:
        if self.stop_timeout is not None and self.stop_timeout + self.steady >= self.timeout:
            raise Wrong(
                "timeout leaves no room for stop_timeout and steady", "make timeout longer than the two"
            )
        return self


class KubernetesSpec(Section):
    """One namespace of a Kubernetes cluster: `deployment/NAME` (or `NAME`), `statefulset/NAME`, `daemonset/NAME`.

    Who it is: `token`, `token_file` or a client certificate; none of them: the pod's own service account, with its CA.
    """

    type: Literal["kubernetes"]
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    url: WebAddress = "https://kubernetes.default.svc"
    token: Secret | None = None
    token_file: Path | None = None
    """Read anew for every call: the tokens of service accounts are short-lived."""
    tls: ClientTls = ClientTls()
    timeout: Timeout = 300.0
    """Of one action, where the action itself gives none: a rollout takes as long as its slowest pod."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [self.token, self.token_file, self.tls.cert]
        if sum(way is not None for way in given) > 1:
            raise Wrong("more than one way to authenticate", "give one of token, token_file and tls.cert")
        return self

    @property
    def token_from(self) -> Path | None:
        """The file of the token; the service account's where nothing else says who the daemon is."""
        if self.token is None and self.token_file is None and self.tls.cert is None:
            return SERVICE_ACCOUNT / "token"
        return self.token_file

    @property
    def trusted(self) -> dict[str, str]:
        """TLS files; inside a pod, the cluster's own CA."""
        own = {"ca": str(SERVICE_ACCOUNT / "ca.crt")} if self.token_from == SERVICE_ACCOUNT / "token" else {}
        return {**own, **self.tls.files}


ManagerSpec = Annotated[
    SupervisorSpec | SystemdSpec | DockerSpec | KubernetesSpec, Field(discriminator="type")
]
