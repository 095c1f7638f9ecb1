"""The process manager: its configuration, and a client for its XML-RPC over the unix socket."""

import http.client
import shlex
import socket
import sys
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.settings import NEWCOMER, PROVIDERS, TIERS, Stack

RUNNING = ("STARTING", "RUNNING")


@dataclass(frozen=True, slots=True)
class Program:
    """One section of the configuration. `numprocs` above 1 makes a group of members NAME:NAME-0, …"""

    name: str
    module: str
    arg: str = ""
    numprocs: int = 1
    autostart: bool = True


def programs(stack: Stack, *, newcomer: bool = False) -> list[Program]:
    """In the order of their start: storage before those who write to it, customers last."""
    wanted = [Program(f"storage-writer-{tier}", "storage", tier) for tier in TIERS]
    wanted.append(Program("transformation", "transformation"))
    for provider in (*PROVIDERS, NEWCOMER) if newcomer else PROVIDERS:
        wanted.append(Program(f"provider-{provider}", "provider", provider))
        wanted.append(Program(f"ingestion-{provider}", "ingestion", provider))
    wanted.append(
        Program("api-worker", "worker", "%(process_num)d", stack.settings.api.max_workers, autostart=False)
    )
    return [*wanted, Program("api", "api"), Program("traffic", "traffic")]


def unit_names(stack: Stack) -> list[str]:
    """What supervisor calls each process."""
    names: list[str] = []
    for program in programs(stack):
        members = [f"{program.name}:{program.name}-{number}" for number in range(program.numprocs)]
        names += members if program.numprocs > 1 else [program.name]
    return names


def _quoted(*words: str) -> str:
    return " ".join(shlex.quote(word).replace("%", "%%") for word in words)


def _section(stack: Stack, program: Program) -> list[str]:
    command = _quoted(
        *stack.prefix, sys.executable, "-m", f"demo.programs.{program.module}", "--state", str(stack.state)
    )
    if program.arg:
        command += f" --name {program.arg}"
    manage = stack.settings.manage
    log = str(stack.state / "log" / f"{program.name}.log").replace("%", "%%")
    lines = [f"[program:{program.name}]", f"command={command}", f"directory={Path(__file__).parents[1]}"]
    if program.numprocs > 1:
        lines += [f"numprocs={program.numprocs}", "process_name=%(program_name)s-%(process_num)d"]
    return [
        *lines,
        f"autostart={'true' if program.autostart else 'false'}",
        "autorestart=false",
        "startretries=0",
        f"startsecs={manage.start_s}",
        f"stopwaitsecs={manage.stop_wait_s}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={log}",
        "stdout_logfile_maxbytes=1MB",
        "stdout_logfile_backups=0",
    ]


def configuration(stack: Stack, *, as_root: bool, newcomer: bool = False) -> str:
    """The whole supervisord.conf."""
    state = str(stack.state).replace("%", "%%")
    command = _quoted(
        *stack.prefix, sys.executable, "-m", "demo.programs.listener", "--state", str(stack.state)
    )
    lines = [
        "[unix_http_server]",
        f"file={stack.socket}".replace("%", "%%"),
        "chmod=0700",
        "[supervisord]",
        "nodaemon=true",
        f"logfile={state}/log/supervisord.log",
        "logfile_maxbytes=1MB",
        "logfile_backups=0",
        f"pidfile={state}/supervisord.pid",
        f"childlogdir={state}/log",
        *(["user=root"] if as_root else []),
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "[eventlistener:listener]",
        f"command={command}",
        f"directory={Path(__file__).parents[1]}",
        "events=PROCESS_STATE",
        "buffer_size=200",
        "autorestart=false",
        f"stderr_logfile={state}/log/listener.log",
        f"stopwaitsecs={stack.settings.manage.stop_wait_s}",
    ]
    for program in programs(stack, newcomer=newcomer):
        lines += _section(stack, program)
    return "\n".join(lines) + "\n"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """One connection a proxy; remembered, so that the proxy's end closes it."""
        connection = _UnixConnection(self.path)
        self._connection = host, connection
        return connection


class Manager:
    """One call a connection. Raises OSError when no manager listens, ManagerFault when it refuses."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def call(self, method: str, *args: Any) -> Any:
        transport = _UnixTransport(self.path)
        try:
            with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*args)
        except xmlrpc.client.Fault as fault:
            raise ManagerFault(fault.faultString) from fault

    def processes(self) -> dict[str, dict[str, Any]]:
        """Unit name -> supervisor's own facts (statename, pid, …)."""
        found = {}
        for info in self.call("getAllProcessInfo"):
            group, name = info["group"], info["name"]
            found[name if group == name else f"{group}:{name}"] = info
        return found

    def start(self, unit: str, *, wait: bool = True) -> None:
        self.call("startProcess", unit, wait)

    def stop(self, unit: str) -> None:
        self.call("stopProcess", unit, True)

    def restart(self, unit: str) -> None:
        if self.processes()[unit]["statename"] in RUNNING:
            self.stop(unit)
        self.start(unit)


class ManagerFault(Exception):
    """Supervisor refused, or a process did not come up."""
