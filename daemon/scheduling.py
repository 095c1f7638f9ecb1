"""The only module that knows APScheduler. A job's whole body is to put a message into the loop's inbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger


class Schedule:
    """Named intervals, each calling `put(name)`. One thread; a tick that comes late is put once, not made up for."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._every: dict[str, float] = {}

    def start(self, every: Mapping[str, float]) -> None:
        """`every`: name -> seconds."""
        self.reschedule(every)
        self._scheduler.start()

    def reschedule(self, every: Mapping[str, float]) -> None:
        """Replace the intervals; those that stay as they are keep their phase."""
        for name in self._every.keys() - every.keys():
            self._scheduler.remove_job(name)
        for name, seconds in every.items():
            if self._every.get(name) != seconds:
                self._add(name, seconds)
        self._every = dict(every)

    def reanchor(self) -> None:
        """The wall clock stepped: an interval anchored in the future would stop ticking."""
        for name, seconds in self._every.items():
            self._add(name, seconds)

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _add(self, name: str, seconds: float) -> None:
        trigger = IntervalTrigger(seconds=1) if seconds < 1 else IntervalTrigger(seconds=round(seconds))
        self._scheduler.add_job(self._put, trigger, args=[name], id=name, replace_existing=True)
