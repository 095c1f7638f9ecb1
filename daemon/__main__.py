"""`python -m daemon` is the console script `fleetmend`."""

from __future__ import annotations

from daemon.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
