"""The one place of the demo pipeline that reads clocks and waits."""

import threading
import time
from datetime import UTC, datetime


def now() -> float:
    """Unix seconds, UTC."""
    return time.time()  # noqa: TID251 - the pipeline's only clock; nothing else here reads one


def monotonic() -> float:
    """Seconds on a clock that never steps."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Wait; a negative length is none."""
    if seconds > 0:
        threading.Event().wait(seconds)


def rfc3339(at: float) -> str:
    """An instant for people, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
