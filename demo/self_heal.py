"""A timer that undoes what was broken, as a fault that heals by itself. Started by a variant, ended by `heal` and `down`."""

import argparse
from pathlib import Path

from demo import clock
from demo.hands import Hands
from demo.heal import undo_faults
from demo.settings import Stack


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--at", type=float, required=True, help="unix seconds")
    given = parser.parse_args()
    clock.pause(given.at - clock.now())
    undo_faults(Hands(Stack.load(given.state)))


if __name__ == "__main__":
    main()
