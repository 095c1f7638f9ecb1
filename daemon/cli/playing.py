"""Everything a scenario needs, brought up together and ended together: the pipeline, the daemon, the runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.cli.local import LocalFace, local_user
from daemon.cli.pipeline import Watched, watched
from daemon.cli.scenario import DISTURBANCES, Judged, Scenario, Tell
from daemon.cli.setup import setup_of
from daemon.clock import SystemClock
from daemon.http.door import HttpDoor


@dataclass(frozen=True, slots=True)
class Playing:
    """`must_run` raises when a process of it has ended, or the reader wants it to end."""

    told: Scenario
    found: Watched
    must_run: Callable[[], None]

    def play(self, mode: str, variant: str, by_hand: Callable[[], None] | None = None) -> Judged:
        """One variant from break to quiet; `by_hand` breaks it where it is given."""
        return self.told.play(mode, variant, self.must_run, by_hand)

    def quiet(self, lasts: float) -> list[Judged]:
        """Everything that looks like trouble and is none, each for its share of the seconds."""
        prometheus = self.found.prometheus
        more = {} if prometheus is None else {"prometheus-restart": prometheus.restart}
        each = lasts / (len(DISTURBANCES) + len(more))
        reread = {"new-provider": self.found.reread}
        judged = [
            self.told.disturb(what, each, self.must_run, also=reread.get(what)) for what in DISTURBANCES
        ]
        return judged + [self.told.disturb(what, each, self.must_run, do) for what, do in more.items()]


@contextmanager
def playing(
    state: Path,
    environment: Mapping[str, str],
    tell: Tell,
    *,
    source: str = "scrape",
    configs: tuple[Path, ...] = (),
    ends: Callable[[], bool] = lambda: False,
) -> Iterator[Playing]:
    """Bring everything up in `state`. `ends`: whether the reader wants it to end (raises KeyboardInterrupt then)."""
    clock = SystemClock()
    http = HttpDoor(clock)
    with watched(state, environment, http, clock, source=source, configs=configs) as found:

        def must_run() -> None:
            found.must_run()
            if ends():
                raise KeyboardInterrupt

        setup = setup_of(found.configs, environment)
        face = LocalFace(setup, http, clock, token=None, who=local_user(environment))
        told = Scenario(found.pipeline, setup.state, face, clock, tell)
        yield Playing(told, found, must_run)
