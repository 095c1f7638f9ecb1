"""Bring a pipeline up in a folder, and end every process of it."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo import ground, targets
from demo.service import wait_for
from demo.settings import NEWCOMER, Settings, Stack, free_ports, port_names
from demo.supervise import Manager, ManagerFault, configuration, programs
from demo.wire import Peer, WireError

NO_FILESYSTEM = "no small filesystem: this user may neither mount nor have a mount namespace"


class NotUp(Exception):
    """The pipeline did not come up, or is not up."""


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    """In one rename: a reader sees the old file or the new one."""
    from ruamel.yaml import YAML

    fresh = path.with_suffix(".new")
    yaml = YAML()
    yaml.default_flow_style = False
    with fresh.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    fresh.replace(path)


def prepare(state: Path, settings: Settings, *, prometheus: bool) -> Stack:
    """Folders, ports and configuration files; no process yet."""
    state = state.resolve()
    if (state / "stack.json").exists() and alive(state):
        raise NotUp(f"{state}: a pipeline is up here already")
    ground.lay_folders(state)
    standing = ground.stand(state / "warm", settings.storage.warm_fs_mb)
    prefix, chmod_left_out = ground.rights(state, standing)
    ports = free_ports(port_names(settings.api.max_workers))
    warm_left_out = NO_FILESYSTEM if standing == "none" else ""
    stack = Stack(state, settings, ports, prefix, warm_left_out, chmod_left_out)
    ground.hand_over(stack)
    stack.save()
    text = configuration(stack, as_root=os.geteuid() == 0)
    (state / "supervisord.conf").write_text(text, encoding="utf-8")
    write_yaml(state / "ports.yaml", targets.daemon_config(stack))
    if prometheus:
        write_yaml(state / "prometheus.yml", targets.prometheus_config(stack))
    return stack


def launch(stack: Stack) -> subprocess.Popen[bytes]:
    """Start supervisord, in a namespace of its own where the small filesystem needs one."""
    argv = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(stack.state / "supervisord.conf")]
    if not stack.warm_left_out and not (stack.state / "warm").is_mount():
        argv = [*ground.ENTER, sys.executable, "-m", "demo.enclave", "--state", str(stack.state), "--", *argv]
    with (stack.state / "log" / "supervisord.out").open("ab") as out:
        return subprocess.Popen(
            argv, cwd=ground.ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )


def start(stack: Stack) -> subprocess.Popen[bytes]:
    """Launch and wait until everything serves. Raises NotUp, with nothing left running."""
    child = launch(stack)
    problem = _problem(stack, child)
    if problem:
        down(stack.state)
        raise NotUp(problem)
    return child


def _problem(stack: Stack, child: subprocess.Popen[bytes]) -> str:
    """Wait for the manager, for every program, for the first addresses; what did not come, or nothing."""
    manager, within = Manager(stack.socket), stack.settings.manage.serve_within_s

    def managed() -> bool:
        try:
            return child.poll() is not None or bool(manager.call("getState")["statename"] == "RUNNING")
        except OSError:
            return False

    if not wait_for(managed, within) or child.poll() is not None:
        return f"the process manager does not run; see {stack.state}/log/supervisord.out"
    for number in range(stack.settings.api.workers):
        manager.start(f"api-worker:api-worker-{number}", wait=False)
    if not wait_for(lambda: not unserved(stack), within, 0.1):
        return f"not serving: {', '.join(unserved(stack))}; see {stack.state}/log"
    return "" if wait_for(lambda: settled(stack), within, 0.2) else "the API does not answer customers"


def unserved(stack: Stack) -> list[str]:
    """Programs that should run and whose health does not answer."""
    names = [one.name for one in programs(stack) if one.numprocs == 1 and one.autostart]
    names += [f"api-worker-{number}" for number in range(stack.settings.api.workers)]
    return [
        name
        for name in names
        if not answers(stack.port(name), "/status" if name.startswith("provider-") else "/health")
    ]


def answers(port: int, path: str) -> bool:
    try:
        return Peer(port, 1.0).get(path)[0] == 200
    except WireError:
        return False


def settled(stack: Stack) -> bool:
    """Addresses are known, so that the first requests of a cold start are over."""
    try:
        health = Peer(stack.port("api"), 1.0).get("/health")[1]
    except WireError:
        return False
    return bool(health["cache_hit_share"] > 0.9)


def owned(state: Path) -> dict[int, list[str]]:
    """Processes of this stack, by their command line: pid -> argv. Not the commands that people gave (`demo up`, …)."""
    found: dict[int, list[str]] = {}
    marks = {str(state), str(state / "supervisord.conf")}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            continue
        module = argv[argv.index("-m") + 1] if "-m" in argv[:-1] else ""
        ours = module.startswith(("demo.", "supervisor.")) or any(
            word.endswith("demo/converter.py") for word in argv
        )
        if ours and marks & set(argv):
            found[int(entry.name)] = argv
    return found


def alive(state: Path) -> bool:
    return bool(owned(state))


def down(state: Path) -> None:
    """Ask the manager to end everything, then end by its own id whatever is left. Effect logs stay."""
    state = state.resolve()
    try:
        Manager(state / "supervisor.sock").call("shutdown")
    except (OSError, ManagerFault):
        pass
    else:
        wait_for(lambda: not any("supervisor.supervisord" in argv for argv in owned(state).values()), 10)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in owned(state):
            try:
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue
        if wait_for(lambda: not alive(state), 2):
            break
    ground.unmount_warm(state)
    for name in ("supervisor.sock", "supervisord.pid"):
        (state / name).unlink(missing_ok=True)


def newcomer(stack: Stack, *, on: bool) -> None:
    """Add the fourth provider and its consumer to the running manager, or take them away; so say the targets' files."""
    manager = Manager(stack.socket)
    units = (f"provider-{NEWCOMER}", f"ingestion-{NEWCOMER}")
    known = set(manager.processes())
    text = configuration(stack, as_root=os.geteuid() == 0, newcomer=on)
    (stack.state / "supervisord.conf").write_text(text, encoding="utf-8")
    manager.call("reloadConfig")
    for unit in units:
        if on and unit not in known:
            manager.call("addProcessGroup", unit)
        elif unit in known and not on:
            with contextlib.suppress(ManagerFault):  # it may be dead already
                manager.stop(unit)
            manager.call("removeProcessGroup", unit)
    write_yaml(stack.state / "ports.yaml", targets.daemon_config(stack, newcomer=on))
    if (stack.state / "prometheus.yml").exists():
        write_yaml(stack.state / "prometheus.yml", targets.prometheus_config(stack, newcomer=on))
    wait_for(lambda: not on or all(answers(stack.port(unit), "/metrics") for unit in units), 5.0)
