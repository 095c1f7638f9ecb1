"""Who reads a source shows who they are: to a real Prometheus by password and certificate, to others by token and header.

Whoever is not let in is told so by number, sees nothing, and does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.secrets import Environment
from daemon.clock import SystemClock
from daemon.detect.sources.base import Source, Wanted
from daemon.detect.sources.registry import build_sources
from daemon.http.door import HttpDoor
from detectors.samples import Failed
from detectors.spec import PrometheusSource, ScrapeSource
from tests.fakes import certificates, servers
from tests.fakes.guarded import Guarded, guarding

pytestmark = pytest.mark.live

PASSWORD, WRONG = "s3cret-correct-horse", "s3cret-wrong-horse"
HASHED = "$2b$04$abcdefghijklmnopqrstuuOG4hHE5vy8vAKou8JlurHnk3CYmbXm2"
"""`PASSWORD` by bcrypt, at its lowest cost."""
WEB = f"""tls_server_config:
  cert_file: {{cert}}
  key_file: {{key}}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: {{client}}
basic_auth_users: {{{{fleetmend: {HASHED}}}}}
"""
WANTED = Wanted(frozenset({"prometheus_build_info"}), look_back=60.0)


@dataclass(frozen=True)
class Strict:
    """A Prometheus that asks for a certificate and a password; the files that fit, and some that do not."""

    url: str
    ca: str
    cert: str
    key: str
    stranger: tuple[str, str]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    pairs = [certificates.made_in(tmp_path_factory.mktemp(who)) for who in ("server", "client", "stranger")]
    (ca, ca_key), (cert, key), stranger = pairs
    folder: Path = tmp_path_factory.mktemp("strict")
    (folder / "web.yml").write_text(WEB.format(cert=ca, key=ca_key, client=cert))
    with servers.prometheus(folder, f"--web.config.file={folder}/web.yml", scheme="https") as url:
        yield Strict(url, str(ca), str(cert), str(key), (str(stranger[0]), str(stranger[1])))


@pytest.fixture
def door() -> Iterator[HttpDoor]:
    opened = HttpDoor(SystemClock())
    yield opened
    opened.close()


def source(kind: str, url: str, door: HttpDoor, secrets: dict[str, str], **spec: Any) -> Source:
    """Either kind of source at the same server."""
    context = Environment(secrets).context
    section: dict[str, Any] = {"type": kind, **spec}
    section |= {"url": url} if kind == "prometheus" else {"targets": [f"{url}/metrics"]}
    model = PrometheusSource if kind == "prometheus" else ScrapeSource
    spec_of = model.model_validate(section, context=context)
    return build_sources({"guarded": spec_of}, door, SystemClock())["guarded"]


def asked(source: Source, wanted: Wanted = WANTED) -> tuple[bool, str]:
    """Whether it was let in, and else why not."""
    clock = SystemClock()
    got = source.fetch(wanted, None, clock.now(), clock.monotonic() + 5)
    source.close()
    if isinstance(got, Failed):
        return False, got.reason
    up = [float(block.values[-1, 0]) for block in got.blocks]
    return not any(np.array(up) == 0), "; ".join(got.warnings)


def basic(name: str = "PASSWORD") -> dict[str, Any]:
    return {"basic": {"username": "fleetmend", "password": {"env": name}}}


@pytest.mark.parametrize("kind", ["prometheus", "scrape"])
@pytest.mark.parametrize(
    ("shown", "told", "why"),
    [
        ("all", "", "certificate and password fit"),
        ("wrong password", "HTTP 401", "the password is wrong"),
        ("no password", "HTTP 401", "there is no password"),
        ("no certificate", "SSL", "the server wants ours, and gets none"),
        ("stranger", "SSL", "the server does not know who signed ours"),
        ("no ca", "CERTIFICATE_VERIFY_FAILED", "we do not know who signed the server's"),
    ],
)
def test_a_real_prometheus_lets_in_whom_it_knows_and_nobody_else(
    strict: Strict, door: HttpDoor, kind: str, shown: str, told: str, why: str
) -> None:
    tls = {"ca": strict.ca, "cert": strict.cert, "key": strict.key}
    if shown == "no certificate":
        del tls["cert"], tls["key"]
    if shown == "stranger":
        tls["cert"], tls["key"] = strict.stranger
    if shown == "no ca":
        del tls["ca"]
    auth = None if shown == "no password" else basic("WRONG" if shown == "wrong password" else "PASSWORD")
    given = {"PASSWORD": PASSWORD, "WRONG": WRONG}
    let_in, reason = asked(source(kind, strict.url, door, given, auth=auth, tls=tls))
    assert let_in is (shown == "all"), why
    assert told in reason, why
    assert bool(reason) is not let_in
    assert "s3cret" not in reason


def test_who_was_let_in_lends_it_to_nobody(strict: Strict, door: HttpDoor) -> None:
    """Sources share a door and its connections; certificate, trust and password are those of each alone."""
    tls, given = {"ca": strict.ca, "cert": strict.cert, "key": strict.key}, {"PASSWORD": PASSWORD}
    assert asked(source("prometheus", strict.url, door, given, auth=basic(), tls=tls)) == (True, "")
    for less in ({"tls": tls}, {"auth": basic(), "tls": {"ca": strict.ca}}, {"auth": basic()}):
        let_in, reason = asked(source("prometheus", strict.url, door, given, **less))
        assert not let_in, reason


@pytest.mark.parametrize("kind", ["prometheus", "scrape"])
@pytest.mark.parametrize(
    ("token", "tenant", "let_in"),
    [
        ("s3cret-token", "fleet-eu", True),
        ("s3cret-old", "fleet-eu", False),
        ("s3cret-token", "s3cret-other", False),
    ],
)
def test_a_token_and_a_header_open_what_asks_for_them(
    door: HttpDoor, kind: str, token: str, tenant: str, let_in: bool
) -> None:
    """Who is refused is answered with what they showed; none of it gets further than that."""
    with guarding(Guarded("s3cret-token", "fleet-eu")) as guarded:
        spec = {"auth": {"bearer": {"env": "TOKEN"}}, "headers": {"X-Scope-OrgID": {"env": "TENANT"}}}
        one = source(kind, guarded.url, door, {"TOKEN": token, "TENANT": tenant}, **spec)
        found, reason = asked(one, Wanted(frozenset({"guarded_fault"})))
    assert found is let_in
    assert ("HTTP 401" in reason) is not let_in
    assert "s3cret" not in f"{reason}{one}{vars(one)}"


@pytest.mark.parametrize(("name", "let_in"), [("PASSWORD", True), ("WRONG", False)])
def test_a_real_victoriametrics_asks_for_its_password_too(
    tmp_path: Path, door: HttpDoor, name: str, let_in: bool
) -> None:
    flags = ("-httpAuth.username=fleetmend", f"-httpAuth.password={PASSWORD}")
    with servers.victoria_metrics(tmp_path, *flags) as url:
        given = {"PASSWORD": PASSWORD, "WRONG": WRONG}
        found, reason = asked(source("prometheus", url, door, given, auth=basic(name)))
    assert (found, "HTTP 401" in reason) == (let_in, not let_in)
