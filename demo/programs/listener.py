"""Supervisor's event listener: writes down every start and stop, independent of whoever ordered it."""

import argparse
import sys
from pathlib import Path

from demo.effects import EffectLog
from demo.settings import Stack


def fields(line: str) -> dict[str, str]:
    """`key:value key:value …` as supervisor words it."""
    return dict(pair.split(":", 1) for pair in line.split())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    log = EffectLog(Stack.load(parser.parse_args().state).effects, "listener")
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
