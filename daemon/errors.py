"""What can stop the daemon or one of its commands, and the exit code each ends with.

    Exception
    ├── config.problems.ConfigError   the configuration cannot be used                 2
    └── FleetmendError                the answer is no                                 1
        ├── UsageError                the command line makes no sense                  2
        ├── AlreadyRunning            another daemon holds this store                  2
        ├── NotFound                  no incident, page or debt of that name           1
        ├── DaemonUnreachable         a remote daemon did not answer                   1
        └── StoreError                the store could not do what was asked            1
            ├── Stale                 a row changed since it was read: read again      1
            ├── StoreBusy             locked for longer than the wait: try again       1
            ├── StoreSick             full, corrupt or gone: do nothing, page          1
            └── LeaseLost             another replica leads: stop acting at once       1

Errors of the doors are `remediations.ports.PortError` and its kin: they say whether something was sent, and become
outcomes or samples that are missing, never an exit.
"""

from __future__ import annotations

from config.problems import ConfigError

GOOD = 0
ANSWER_IS_NO = 1
USAGE = 2


class FleetmendError(Exception):
    """The root of the daemon's own errors; its message is a sentence for people."""


class UsageError(FleetmendError):
    """The command line makes no sense."""


class AlreadyRunning(FleetmendError):
    """Another daemon holds this store."""


class NotFound(FleetmendError):
    """No incident, page or debt of that name."""


class DaemonUnreachable(FleetmendError):
    """A remote daemon did not answer."""


class StoreError(FleetmendError):
    """The store could not do what was asked; nothing of the change is kept."""


class Stale(StoreError):
    """A row changed since it was read: read again and decide again."""


class StoreBusy(StoreError):
    """Locked for longer than the wait: try again."""


class StoreSick(StoreError):
    """Full, corrupt or gone: do nothing to the world, and page."""


class LeaseLost(StoreError):
    """Another replica leads: stop acting at once."""


EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (ConfigError, USAGE),
    (UsageError, USAGE),
    (AlreadyRunning, USAGE),
    (FleetmendError, ANSWER_IS_NO),
)
"""The first matching row counts."""


def exit_code(error: Exception) -> int:
    """The exit code an error ends a command with; one that nobody foresaw counts as "no"."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), ANSWER_IS_NO)
