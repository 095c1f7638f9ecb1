"""A recovery that takes long to be proved is proved: what was seen is kept for as long as the longest hold asks."""

from __future__ import annotations

from daemon.incidents.model import IncidentState
from tests.fakes.parts import Parts, config, rung

MINUTE, HOUR = 60.0, 3600.0


def test_a_hold_of_an_hour_is_seen_to_its_end() -> None:
    patient = rung("mend", verify={"within": "3h", "hold": "1h"})
    story = Parts(config([patient], poll=MINUTE), mends=lambda _, __: True)
    story.run(5 * MINUTE)
    story.broken.add("p0")
    story.until(10 * MINUTE, lambda: bool(story.calls))
    waited = story.until(3 * HOUR, lambda: story.incident().ended)
    incident = story.incident()
    assert (incident.state, incident.resolved_by) == (IncidentState.RESOLVED, "mend"), story.told()
    assert HOUR <= waited < HOUR + 10 * MINUTE
    assert story.pages == []
