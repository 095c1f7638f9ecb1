"""The face a command talks to, chosen by its options: the local store or a remote daemon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from daemon.cli.questions import Question
from daemon.cli.reach import Reach
from daemon.cli.taken import Taken
from daemon.desk.models import Model

M = TypeVar("M", bound=Model)


class Face(Protocol):
    """Answers questions and takes orders."""

    @property
    def note(self) -> str | None:
        """What the reader has to know about the last answer, such as that the daemon is dead."""
        ...

    def ask(self, question: Question[M]) -> M: ...

    def runs(self) -> bool:
        """Whether a daemon is there that takes orders."""
        ...

    def order(self, kind: str, incident: str | None, args: Mapping[str, Any]) -> Taken: ...


def face_of(reach: Reach) -> Face:
    """Raises `UsageError`, `ConfigError`."""
    from daemon.clock import SystemClock
    from daemon.http.door import HttpDoor

    clock = SystemClock()
    http = HttpDoor(clock)
    if reach.url and reach.remote:
        from daemon.cli.remote import RemoteFace

        return RemoteFace(reach.url, reach.token, http, clock)
    from daemon.cli.files import need_files
    from daemon.cli.local import LocalFace, local_user
    from daemon.cli.setup import setup_of

    files = reach.files()
    need_files(files)
    setup = setup_of(files, reach.environment)
    return LocalFace(setup, http, clock, token=reach.token, who=local_user(reach.environment))
