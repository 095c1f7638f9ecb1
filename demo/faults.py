"""The ways the pipeline breaks: one row a variant, each done as a person would do it at a terminal."""

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass

from demo import clock, versions
from demo.hands import CannotBreak, Hands
from demo.service import wait_for

Break = Callable[[Hands], None]
FIRST, LATER, NOTHING, LIAR, SELF = "first rung", "later rung", "nothing", "nothing (it lies)", "itself"
FILL = "fill.bin"


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table; `fault` says what is broken and how, `mends` what undoes it."""

    mode: str
    name: str
    mended_by: str
    fault: str
    mends: str
    break_it: Break

    @property
    def full_name(self) -> str:
        return f"{self.mode}:{self.name}"


def _provider(**fault: object) -> Break:
    return lambda hands: hands.control("provider-navixy", "/control/fault", fault)


def _rate_limited(hands: Hands) -> None:
    _provider(rate_limit_per_s=hands.stack.settings.provider.rate_limit_per_s)(hands)


def _provider_liar(hands: Hands) -> None:
    hands.flag("ingestion-navixy", "liar")
    _provider(primary="no-answer")(hands)


def _killed(hands: Hands) -> None:
    units = hands.consumers()
    hands.send(units, signal.SIGKILL)
    hands.ended(units)


def _hung(hands: Hands) -> None:
    hands.send(hands.consumers(), signal.SIGSTOP)


def _bad_config(hands: Hands) -> None:
    """Somebody deploys a version with a misspelt key and restarts the consumers."""
    parent, units = hands.stack.ingestion_config, hands.consumers()
    text = (parent / versions.current(parent) / "ingestion.toml").read_text(encoding="utf-8")
    hands.switch(parent, versions.publish(parent, {"ingestion.toml": text.replace("batch =", "bacth =")}))
    _killed(hands)
    hands.start(units)


def _wont_start(hands: Hands) -> None:
    units = hands.consumers()
    _killed(hands)
    ports = [str(hands.stack.port(unit)) for unit in units]
    child = hands.detach("demo.programs.stranger", "--state", str(hands.stack.state), *ports)
    assert child.stdout is not None
    if child.stdout.readline() != b"listening\n":
        raise CannotBreak("the stranger could not take the ports")


def _consumers_impostor(hands: Hands) -> None:
    units = hands.consumers()
    for unit in units:
        hands.flag(unit, "impostor")
    _killed(hands)
    hands.start(units)


def _edited(hands: Hands, what: str, *edits: tuple[str, str]) -> str:
    """A new version of mapping or rules with a few words changed for Navixy, and the link on it; its name."""
    parent = hands.stack.mapping if what == "mapping" else hands.stack.rules
    folder = parent / versions.current(parent)
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")}
    for old, new in edits:
        if old not in files["navixy.yaml"]:
            raise CannotBreak(f"{folder}/navixy.yaml has no {old!r}")
        files["navixy.yaml"] = files["navixy.yaml"].replace(old, new)
    version = versions.publish(parent, files)
    hands.switch(parent, version)
    return version


WRONG_SOURCES = (("from: gps.speed_mph", "from: gps"), ("from: inputs.fuel", "from: inputs"))
WRONG_SCALE = ("from: gps.speed_mph,", "from: gps.speed_mph, scale: 100,")


def _bad_mapping(hands: Hands) -> None:
    _edited(hands, "mapping", *WRONG_SOURCES)


def _bad_mapping_liar(hands: Hands) -> None:
    hands.flag("transformation", "liar", json.dumps({"mapping": _edited(hands, "mapping", *WRONG_SOURCES)}))


def _stuck(hands: Hands) -> None:
    """Stop the converter, the transformer's child process."""
    for pid in hands.children_of("transformation"):
        hands.kill(pid, signal.SIGSTOP)


def _pool_exhausted(hands: Hands) -> None:
    """A client opens sessions and never gives one back."""
    for _ in range(hands.stack.settings.storage.pool_size):
        wait_for(lambda: _session(hands), 5.0)


def _session(hands: Hands) -> bool:
    try:
        hands.control("storage-writer-hot", "/tiers/hot/sessions", {"count": 1})
    except CannotBreak:
        return False
    return True


def _disk_full(hands: Hands) -> None:
    with (hands.warm_folder() / FILL).open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            return


def _primary_refuses(hands: Hands) -> None:
    if hands.stack.chmod_left_out:
        raise CannotBreak(hands.stack.chmod_left_out)
    folder = hands.stack.state / "hot" / "primary"
    (folder / "hot.db").chmod(0o444)
    folder.chmod(0o555)


def _primary_refuses_liar(hands: Hands) -> None:
    hands.flag("storage-writer-hot", "liar")
    _primary_refuses(hands)


def _cold_down(hands: Hands) -> None:
    hands.send(["storage-writer-cold"], signal.SIGKILL)
    hands.ended(["storage-writer-cold"])


def _overload(hands: Hands) -> None:
    hands.control("traffic", "/control/fault", {"bulk": True})


def _overload_liar(hands: Hands) -> None:
    hands.flag("api", "liar")
    for number in range(hands.stack.settings.api.max_workers):
        hands.flag(f"api-worker-{number}", "impostor")
    _overload(hands)


def _slow_storage(hands: Hands) -> None:
    hands.control("storage-writer-hot", "/tiers/hot/maintenance", {})


def _cold_cache(hands: Hands) -> None:
    hands.overwrite(hands.stack.state / "api" / "cache.json", json.dumps({"on": False}))


def _slow_code(hands: Hands) -> None:
    """Somebody deploys code that takes its time."""
    path = hands.stack.state / "api" / "render.py"
    hands.overwrite(path, path.read_text(encoding="utf-8").replace("COMPOSE_S = 0.03", "COMPOSE_S = 0.8"))


def _bad_values(hands: Hands) -> None:
    _edited(hands, "mapping", WRONG_SCALE)


def _strict_rule(hands: Hands) -> None:
    _edited(hands, "rules", ("max: 220", "max: 5"))


def _values_liar(hands: Hands) -> None:
    hands.flag("transformation", "liar", json.dumps({"mapping": _edited(hands, "mapping", WRONG_SCALE)}))


def _later(break_it: Break) -> Break:
    """Break, and have a timer undo it: `demo.self_heal`."""

    def broken_for_a_while(hands: Hands) -> None:
        break_it(hands)
        mode = next(one.mode for one in VARIANTS if one.break_it is broken_for_a_while)
        after = hands.heals_after or hands.stack.settings.manage.self_heals_after_s[mode]
        hands.detach("demo.self_heal", "--state", str(hands.stack.state), "--at", str(clock.now() + after))

    return broken_for_a_while


P, N, T, S, A, Q = (
    "provider_outage",
    "ingestion_stopped",
    "transformation_failure",
    "storage_failure",
    "api_degradation",
    "data_quality",
)

VARIANTS = (
    Variant(P, "rate-limited", FIRST, "Navixy allows fewer requests than the consumer makes (429)", "POST /admin/rate", _rate_limited),
    Variant(P, "no-answer", LATER, "Navixy's primary endpoint takes calls and answers none", "POST /admin/endpoint secondary; the breaker contains", _provider(primary="no-answer")),
    Variant(P, "auth", LATER, "Navixy's token has expired (401)", "POST /admin/credentials/rotate; the breaker contains", _provider(expire_token=True)),
    Variant(P, "both-down", NOTHING, "neither endpoint of Navixy answers", "nothing; the breaker contains", _provider(primary="no-answer", secondary="no-answer")),
    Variant(P, "liar", LIAR, "as no-answer, and the consumer answers admin calls 200 and does nothing", "nothing", _provider_liar),
    Variant(P, "self-heals", SELF, "as no-answer, for some seconds", "time", _later(_provider(primary="no-answer"))),
    Variant(N, "killed", FIRST, "kill -9 of every consumer", "start or restart", _killed),
    Variant(N, "hung", FIRST, "kill -STOP of every consumer", "restart", _hung),
    Variant(N, "bad-config", LATER, "a configuration version with an unknown key, consumers restarted on it", "link back to the version before; a restart is in vain", _bad_config),
    Variant(N, "wont-start", NOTHING, "kill -9 of every consumer, a stranger listens on their ports", "nothing", _wont_start),
    Variant(N, "liar", LIAR, "consumers run (so the manager says) and serve nothing, after every restart too", "nothing", _consumers_impostor),
    Variant(N, "self-heals", SELF, "kill -STOP of every consumer, kill -CONT some seconds later", "time", _later(_hung)),
    Variant(T, "bad-mapping", FIRST, "a mapping version with wrong sources for speed and fuel of Navixy", "link back to the version before", _bad_mapping),
    Variant(T, "stuck-transformer", LATER, "kill -STOP of the transformer's converter child", "restart; a roll-back is in vain", _stuck),
    Variant(T, "payload-changed", NOTHING, "Navixy sends objects where numbers were", "nothing; quarantine contains", _provider(payload="changed-types")),
    Variant(T, "liar", LIAR, "as bad-mapping, and the transformer keeps that version and ignores admin calls", "nothing", _bad_mapping_liar),
    Variant(T, "self-heals", SELF, "as payload-changed, for some seconds", "time", _later(_provider(payload="changed-types"))),
    Variant(S, "pool-exhausted", FIRST, "a client holds every session of the hot tier", "POST /tiers/hot/pool with a larger size (or a restart)", _pool_exhausted),
    Variant(S, "warm-disk-full", FIRST, "the warm tier's small filesystem is full", "POST /tiers/warm/archive; spool contains", _disk_full),
    Variant(S, "primary-refuses-writes", LATER, "chmod of the hot primary's file and folder", "POST /tiers/hot/failover; a restart is in vain", _primary_refuses),
    Variant(S, "cold-down", NOTHING, "kill -9 of the cold writer", "a start; its runbook pages at once", _cold_down),
    Variant(S, "liar", LIAR, "as primary-refuses-writes, and the writer answers admin calls 200 and does nothing", "nothing", _primary_refuses_liar),
    Variant(S, "self-heals", SELF, "as primary-refuses-writes, for some seconds", "time", _later(_primary_refuses)),
    Variant(A, "overload", FIRST, "one client asks three times as much as all others", "more workers; a rate limit contains", _overload),
    Variant(A, "slow-storage", FIRST, "a maintenance job locks the hot tier again and again", "restart of storage-writer-hot; scaling is in vain", _slow_storage),
    Variant(A, "cold-cache", LATER, "the address cache is switched off", "POST /admin/cache; scaling is in vain", _cold_cache),
    Variant(A, "slow-code", NOTHING, "the deployed code of an answer takes 0.8 s", "nothing", _slow_code),
    Variant(A, "liar", LIAR, "as overload; new workers run and serve nothing, the front ignores admin calls", "nothing", _overload_liar),
    Variant(A, "self-heals", SELF, "as overload, for some seconds", "time", _later(_overload)),
    Variant(Q, "bad-mapping-values", FIRST, "a mapping version with a wrong scale for Navixy's speed", "link back to the version before", _bad_values),
    Variant(Q, "rule-too-strict", LATER, "a rules version that finds Navixy's usual speeds implausible", "rules link back; a mapping roll-back is in vain", _strict_rule),
    Variant(Q, "field-renamed", NOTHING, "Navixy renames the fuel field", "nothing; quarantine of the field contains", _provider(payload="fuel-renamed")),
    Variant(Q, "out-of-range", NOTHING, "Navixy sends an impossible speed", "nothing; quarantine of the field contains", _provider(payload="speed-out-of-range")),
    Variant(Q, "liar", LIAR, "as bad-mapping-values, and the transformer keeps that version and ignores admin calls", "nothing", _values_liar),
    Variant(Q, "self-heals", SELF, "as out-of-range, for some seconds", "time", _later(_provider(payload="speed-out-of-range"))),
)  # fmt: skip


def find(name: str) -> Variant:
    """`MODE:VARIANT`, or `MODE` for the first of its variants. Raises KeyError with what there is."""
    mode, _, variant = name.partition(":")
    for one in VARIANTS:
        if one.mode == mode and variant in {"", one.name}:
            return one
    known = ", ".join(one.full_name for one in VARIANTS)
    raise KeyError(f"no variant {name!r}; there are {known}")
