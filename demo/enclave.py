"""Started inside a user and mount namespace: mounts the warm tier's filesystem there, then becomes supervisord."""

import argparse
import os
import sys
from pathlib import Path

from demo.ground import mount_warm
from demo.settings import Stack


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if not mount_warm(given.state / "warm", Stack.load(given.state).settings.storage.warm_fs_mb):
        sys.exit("the warm tier's filesystem could not be mounted")
    os.execvp(given.command[0], given.command)


if __name__ == "__main__":
    main()
