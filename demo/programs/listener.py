"""Supervisor's event listener: writes down every start and stop, and every switch of a link, whoever ordered it."""

import argparse
import sys
import threading
from pathlib import Path

from demo import clock, versions
from demo.effects import LISTENER, EffectLog
from demo.settings import Stack

LOOK_S = 0.05
"""How often the links are looked at: between two switches of one link lies at least a verification."""


def fields(line: str) -> dict[str, str]:
    """`key:value key:value …` as supervisor words it."""
    return dict(pair.split(":", 1) for pair in line.split())


def watch_links(stack: Stack, log: EffectLog) -> None:
    """Write down what each link is switched from and to; does not return."""
    known = versions.links(stack.versioned)
    while True:
        clock.pause(LOOK_S)
        seen = versions.links(stack.versioned)
        for link in sorted(seen.keys() & known.keys()):
            if seen[link] != known[link]:
                log.switched(link, known[link], seen[link])
        known |= seen


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    stack = Stack.load(parser.parse_args().state)
    log = EffectLog(stack.effects, LISTENER)
    threading.Thread(target=watch_links, args=(stack, log), daemon=True).start()
    while True:
        print("READY", flush=True)
        header = sys.stdin.readline()
        if not header:
            return
        head = fields(header)
        event = fields(sys.stdin.read(int(head["len"])))
        log.append(
            {
                "program": event["processname"],
                "event": head["eventname"],
                "pid": int(event.get("pid", 0)),
                "from": event["from_state"],
            }
        )
        print("RESULT 2\nOK", end="", flush=True)


if __name__ == "__main__":
    main()
