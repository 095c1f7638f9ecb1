"""A `systemctl` that answers as systemctl(1) says, over units in a file: in memory, or as a program of its own.

    python -S tests/fakes/systemctl.py UNITS.json [--user] [--no-ask-password] [--no-pager] COMMAND [--] UNIT

It imports nothing but the standard library, and never talks to a systemd.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OPTIONS = frozenset({"--user", "--no-ask-password", "--no-pager"})
ORDERS = ("restart", "stop", "start")


class FakeSystemd:
    """`units`: by their full name. `orders`: what was told to change, in order."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self.units: dict[str, dict[str, Any]] = state.get("units", {})
        self.orders: list[str] = state.get("orders", [])

    def add(self, name: str, *, running: bool = True, **more: Any) -> dict[str, Any]:
        """`liar`: orders do nothing; `wont_start`; `dies`: it ends so many looks after a start; `user`: whose it is."""
        unit: dict[str, Any] = {"starts": 1, "seen": 0, "active": "active" if running else "inactive", **more}
        unit["sub"] = more.get("sub", "running" if running else "dead")
        return self.units.setdefault(name, unit)

    @property
    def state(self) -> dict[str, Any]:
        return {"units": self.units, "orders": self.orders}

    def run(self, words: list[str]) -> tuple[int, str]:
        """(exit code, output) of `systemctl WORDS`."""
        names, command, properties, user, only_names = [], "", "", False, False
        for word in words:
            if word == "--" and not only_names:
                only_names = True
            elif word.startswith("--property=") and not only_names:
                properties = word.partition("=")[2]
            elif word.startswith("-") and not only_names:
                if word not in OPTIONS:
                    return 1, f"systemctl: unrecognized option '{word}'\n"
                user = user or word == "--user"
            elif not command:
                command = word
            else:
                names.append(word)
        if command not in {"show", *ORDERS} or len(names) != 1:
            return 1, f"Unknown command verb {command}, or not one unit.\n"
        unit = self.units.get(names[0])
        unit = unit if unit is not None and bool(unit.get("user")) == user else None
        if command == "show":
            return 0, _shown(unit, properties.split(","))
        return self._order(command, names[0], unit)

    def _order(self, command: str, name: str, unit: dict[str, Any] | None) -> tuple[int, str]:
        if unit is None:
            return 5, f"Failed to {command} {name}: Unit {name} not found.\n"
        self.orders.append(f"{command} {name}")
        if unit.get("refused"):
            return 1, f"Failed to {command} {name}: Interactive authentication required.\n"
        if unit.get("liar"):
            return 0, ""
        if command == "stop":
            unit.update(active="inactive", sub="dead")
        elif unit.get("wont_start"):
            unit.update(active="failed", sub="failed")
            return 1, f"Job for {name} failed because the control process exited with error code.\n"
        elif command == "restart" or unit["active"] != "active":
            unit.update(active="active", sub="running", starts=unit["starts"] + 1, seen=0)
        return 0, ""


def _shown(unit: dict[str, Any] | None, wanted: list[str]) -> str:
    said = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "MainPID": "0"}
    said |= {"NRestarts": str((unit or {}).get("restarts", 0)), "InvocationID": ""}
    if unit is not None:
        unit["seen"] += 1
        if unit["starts"] > 1 and unit["seen"] > unit.get("dies", 99):
            unit.update(active="activating", sub="auto-restart")
        runs = unit["active"] == "active"
        said |= {"LoadState": "loaded", "ActiveState": unit["active"], "SubState": unit["sub"]}
        said |= {
            "MainPID": str(700 + unit["starts"] if runs else 0),
            "InvocationID": f"{unit['starts']:032x}",
        }
    return "".join(f"{name}={said[name]}\n" for name in wanted if name in said)


def installed(folder: Path, systemd: FakeSystemd) -> Path:
    """A program of its own over these units; `reread` takes back what it did to them."""
    (folder / "units.json").write_text(json.dumps(systemd.state), encoding="utf-8")
    program = folder / "systemctl"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -S {Path(__file__)} {folder / "units.json"} "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


def reread(folder: Path) -> FakeSystemd:
    return FakeSystemd(json.loads((folder / "units.json").read_text(encoding="utf-8")))


if __name__ == "__main__":
    file = Path(sys.argv[1])
    fake = FakeSystemd(json.loads(file.read_text(encoding="utf-8")))
    code, output = fake.run(sys.argv[2:])
    file.write_text(json.dumps(fake.state), encoding="utf-8")
    sys.stdout.write(output)
    sys.exit(code)
