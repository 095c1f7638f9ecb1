"""`python -m demo`: bring the pipeline up, break it, heal it, look at what happened."""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo import clock, stack
from demo.disturb import DISTURBANCES, undisturb
from demo.effects import merged
from demo.faults import VARIANTS, find
from demo.hands import CannotBreak, Hands
from demo.heal import heal
from demo.settings import Stack, load_settings
from demo.supervise import ManagerFault

PIPELINE = Path(__file__).with_name("pipeline.yaml")


def up(given: argparse.Namespace) -> int:
    """Waits until everything serves; in the foreground also until SIGTERM, SIGINT or the manager's end."""
    os.umask(0o022)  # the programs may run as another user and must be able to read what is written here
    read, write = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(write, b"x") and None)
    made = stack.prepare(given.state, load_settings(given.pipeline), prometheus=given.prometheus)
    child = stack.start(made)
    print(f"the pipeline is up in {made.state}; API {made.url('api')}", flush=True)
    for left_out in filter(None, (made.warm_left_out, made.chmod_left_out)):
        print(f"left out: {left_out}", flush=True)
    if given.foreground:
        _until_signal(read, child)
        stack.down(made.state)
    return 0


def _until_signal(read: int, child: subprocess.Popen[bytes]) -> None:
    os.set_blocking(read, False)
    while child.poll() is None:
        try:
            os.read(read, 1)
        except BlockingIOError:
            clock.pause(0.2)
        else:
            return


def down(given: argparse.Namespace) -> int:
    stack.down(given.state)
    return 0


def break_it(given: argparse.Namespace) -> int:
    variant = find(given.variant)
    variant.break_it(Hands(Stack.load(given.state), given.after))
    print(f"broken: {variant.full_name}: {variant.fault}")
    return 0


def heal_it(given: argparse.Namespace) -> int:
    heal(Hands(Stack.load(given.state)))
    print("healed")
    return 0


def effects(given: argparse.Namespace) -> int:
    for row in merged(given.state / "effects"):
        if given.json:
            print(json.dumps(row))
        else:
            rest = " ".join(
                f"{name}={value}"
                for name, value in row.items()
                if name not in {"at", "program"} and value is not None
            )
            print(f"{clock.rfc3339(row['at'])} {row['program']:22} {rest}")
    return 0


def variants(given: argparse.Namespace) -> int:
    """Every way to break it, and which of them this machine leaves out."""
    made = Stack.load(given.state) if given.state else None
    left_outs = (
        {"warm-disk-full": made.warm_left_out, "primary-refuses-writes": made.chmod_left_out} if made else {}
    )
    rows: list[dict[str, Any]] = []
    for one in VARIANTS:
        left_out = left_outs.get(one.name, "")
        rows.append(
            {
                "failure_mode": one.mode,
                "variant": one.name,
                "mended_by": one.mended_by,
                "fault": one.fault,
                "mends": one.mends,
                "left_out": left_out,
            }
        )
    if given.json:
        print(json.dumps({"variants": rows}))
    else:
        for row in rows:
            print(
                f"{row['failure_mode']}:{row['variant']:24} {row['fault']} — mended by {row['mended_by']}: {row['mends']}"
            )
    return 0


def disturb(given: argparse.Namespace) -> int:
    DISTURBANCES[given.what](Hands(Stack.load(given.state)), given.who)
    return 0


def undisturb_it(given: argparse.Namespace) -> int:
    undisturb(Hands(Stack.load(given.state)))
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = top.add_subparsers(required=True)

    def command(name: str, run: Any, *, state: bool = True) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=run.__doc__)
        one.add_argument("--state", type=Path, required=state, metavar="DIR")
        one.set_defaults(run=run)
        return one

    one = command("up", up)
    one.add_argument("--foreground", action="store_true")
    one.add_argument("--prometheus", action="store_true", help="also write DIR/prometheus.yml")
    one.add_argument("--pipeline", type=Path, default=PIPELINE, help="figures, instead of the shipped ones")
    command("down", down)
    one = command("break", break_it)
    one.add_argument("variant", metavar="MODE[:VARIANT]")
    one.add_argument("--after", type=float, default=0.0, help="seconds until a self-healing variant heals")
    command("heal", heal_it)
    command("effects", effects).add_argument("--json", action="store_true")
    command("variants", variants, state=False).add_argument("--json", action="store_true")
    one = command("disturb", disturb)
    one.add_argument("what", choices=sorted(DISTURBANCES))
    one.add_argument("who", nargs="?", default="", help="the provider or customer")
    command("undisturb", undisturb_it)
    return top


def main() -> int:
    """0 done; 1 the pipeline could not do it; 2 usage."""
    given = parser().parse_args()
    try:
        return int(given.run(given))
    except KeyError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    except (stack.NotUp, CannotBreak, ManagerFault, OSError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
