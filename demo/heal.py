"""Undo every fault, restart what is dead, and put the pipeline back to how it came up."""

import contextlib
import os
import shutil
import signal
from pathlib import Path

from demo import ground, versions
from demo.faults import FILL
from demo.hands import CannotBreak, Hands
from demo.service import wait_for
from demo.settings import PROVIDERS, TIERS
from demo.stack import NotUp, newcomer, owned, unserved
from demo.supervise import RUNNING, ManagerFault

GOOD = ground.IN_USE


def heal(hands: Hands) -> None:
    """Raises NotUp when something still fails afterwards."""
    hands.end_detached()
    edited = ground.lay_versions(hands.stack.state)
    undo_faults(hands)
    _restart(hands, edited)
    _reset(hands)
    within = hands.stack.settings.manage.serve_within_s
    if not wait_for(lambda: not unwell(hands), within, 0.2):
        raise NotUp(f"not healed: {'; '.join(unwell(hands))}")


def undo_faults(hands: Hands) -> None:
    """Everything a variant can have done, without restarting or reconfiguring anything."""
    state = hands.stack.state
    for flag in hands.stack.faults.iterdir():
        flag.unlink(missing_ok=True)
    for pid in owned(state):
        if _stopped(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    primary = state / "hot" / "primary"
    primary.chmod(0o755)
    (primary / "hot.db").chmod(0o644)
    with contextlib.suppress(CannotBreak, OSError):
        (hands.warm_folder() / FILL).unlink(missing_ok=True)
    (state / "archive" / FILL).unlink(missing_ok=True)
    (state / "api" / "cache.json").unlink(missing_ok=True)
    shutil.copyfile(ground.SEED / "code" / "render.py", state / "api" / "render.py")
    for parent in hands.stack.versioned:
        if versions.current(parent) not in ("v001", GOOD):
            hands.switch(parent, GOOD)
    for provider in PROVIDERS:
        with contextlib.suppress(CannotBreak):
            hands.control(f"provider-{provider}", "/control/heal", {})
    with contextlib.suppress(CannotBreak):
        hands.control("traffic", "/control/fault", {"bulk": False})


def unwell(hands: Hands) -> list[str]:
    """What a healthy pipeline would not show."""
    wrong = [f"{name} does not serve" for name in unserved(hands.stack)]
    for provider in PROVIDERS:
        health = hands.health(f"ingestion-{provider}") or {}
        if (health.get("status"), health.get("breaker"), health.get("endpoint")) != (
            "ok",
            "closed",
            "primary",
        ):
            wrong.append(
                f"ingestion-{provider}: {health.get('status')}, breaker {health.get('breaker')}, {health.get('endpoint')}"
            )
    for tier in TIERS:
        health = hands.health(f"storage-writer-{tier}") or {}
        if health.get("reason") != "ok" or health.get("active") != "primary":
            wrong.append(f"storage-writer-{tier}: {health.get('reason')}, {health.get('active')}")
    health = hands.health("transformation") or {}
    if (health.get("mapping_version"), health.get("rules_version"), health.get("stuck")) != (
        GOOD,
        GOOD,
        False,
    ):
        wrong.append(
            f"transformation: mapping {health.get('mapping_version')}, rules {health.get('rules_version')}"
        )
    health = hands.health("api") or {}
    usual = health.get("workers") == hands.stack.settings.api.workers and health.get("waiting", 99) < 10
    if not usual or health.get("cache_hit_share", 0) < 0.9 or health.get("slow_backend") != "none":
        wrong.append(f"api: {health}")
    return wrong


def _restart(hands: Hands, edited: set[str]) -> None:
    """What is dead, hung or holds what only a restart frees; workers beyond the usual number stop.

    `edited`: the versioned folders whose content was put back: what read it before has to read it again.
    """
    processes, api = hands.manager.processes(), hands.stack.settings.api
    silent = set(unserved(hands.stack))
    if "ingestion" in edited:
        silent.update(hands.consumers())
    if edited & {"mapping", "rules"}:
        silent.add("transformation")
    usual = [f"api-worker:api-worker-{number}" for number in range(api.workers)]
    for unit, facts in processes.items():
        name = unit.rpartition(":")[2]
        running = facts["statename"] in RUNNING
        if unit.startswith("api-worker:") and unit not in usual:
            if running:
                hands.manager.stop(unit)
        elif name in silent or (name != "listener" and not running):
            with contextlib.suppress(ManagerFault):
                hands.manager.restart(unit)
    hot = hands.health("storage-writer-hot") or {}
    if (
        hot.get("maintenance")
        or hot.get("sessions")
        or hot.get("pool", {}).get("size") != hands.stack.settings.storage.pool_size
    ):
        hands.manager.restart("storage-writer-hot")
    if (hands.health("transformation") or {}).get("stuck"):
        hands.manager.restart("transformation")


def _reset(hands: Hands) -> None:
    """Take back what was ordered meanwhile; an answer of 409 says that nothing was."""
    _reset_versions(hands)
    for provider in PROVIDERS:
        _reset_consumer(hands, f"ingestion-{provider}")
    for tier in TIERS:
        health = hands.health(f"storage-writer-{tier}") or {}
        if health.get("active") == "replica":
            hands.admin(f"storage-writer-{tier}", f"/tiers/{tier}/failback", {})
        if health.get("read_only") or health.get("spooling") or health.get("spooled"):
            hands.admin(f"storage-writer-{tier}", f"/tiers/{tier}/drain", {})
    for name in (hands.health("transformation") or {}).get("quarantined", []):
        provider, _, field = name.partition("/")
        order = {"provider": provider, "fields": [field] if field else None, "on": False}
        hands.admin("transformation", "/admin/quarantine", order)
    with contextlib.suppress(CannotBreak):
        hands.control("transformation", "/control/forget", {})
    for client in (hands.health("api") or {}).get("rate_limits", {}):
        hands.admin("api", "/admin/rate-limit", {"client": client, "per_s": 0})
    newcomer(hands.stack, on=False)


def _reset_versions(hands: Hands) -> None:
    """The links on the version of the start, and dated so: no variant may find what the one before it changed."""
    for parent in hands.stack.versioned:
        hands.switch(parent, GOOD)
        for name in versions.versions(parent):
            if name > GOOD:
                shutil.rmtree(parent / name)
    ground.date_links(hands.stack.state)


def _reset_consumer(hands: Hands, consumer: str) -> None:
    health = hands.health(consumer) or {}
    if health.get("endpoint") == "secondary":
        hands.admin(consumer, "/admin/endpoint", {"use": "primary"})
    if health.get("rate_factor") != 1:
        hands.admin(consumer, "/admin/rate", {"factor": 1})
    if health.get("credentials") == "expired" or health.get("dominant_error") == "auth":
        hands.admin(consumer, "/admin/credentials/rotate", {})
    if health.get("breaker") != "closed":
        hands.admin(consumer, "/admin/breaker", {"state": "closed"})


def _stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False
