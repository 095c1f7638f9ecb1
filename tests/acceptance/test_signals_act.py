"""A budget that burns, a tier unlike its peers and a queue that grows lead to action, and prove it from fresh samples."""

from __future__ import annotations

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState
from tests.acceptance.variants import REFUSES
from tests.fakes.story import HOUR, MINUTE, Story

MODE, FAIL_OVER = "storage_failure", "fail-over-to-replica"
SIGNALS = {
    # 14.4 x 1 % of 20 min are 2.9 min of total failure. An action is proved over the shortest window, 2 min.
    "burn rate": """
    signal:
      burn_rate:
        of: telemetry_storage_write_errors_total
        to: telemetry_storage_writes_total
        by: [tier]
        objective: 99%
        windows: [{long: 20m, short: 2m, burn: 14.4}, {long: 1h, short: 5m, burn: 6}]
    fire: {above: 1, for: 0s}
    clear:
    minimum: {events: 200, widen_to: }""",
    "peers": """
    signal:
      peers:
        signal: {ratio: {of: telemetry_storage_write_errors_total, to: telemetry_storage_writes_total, by: [tier]}}
        direction: above
        at_least: 2
        min_absolute: 5%
    fire: {above: 5, for: 5m}
    clear: {below: 3, for: 2m}""",
    # Nothing in the plant queues up; the count of failed writes does what a queue does: it grows until it is mended.
    "growth": """
    signal: {growth: {of: telemetry_storage_write_errors_total, by: [tier], window: 2m}}
    fire: {above: 0.5, for: 5m}
    clear: {below: 0.1, for: 2m}
    minimum:""",
}


def refusing(signal: str) -> Story:
    """The hot primary refuses writes; a fail-over mends it. The detector of writes looks at them in another way."""
    changed = f"detectors:\n  storage-writes:{SIGNALS[signal]}\n"
    story = Story(changed, warm=21 * MINUTE, only=("storage-writes",))
    REFUSES(story.world)
    return story


@pytest.mark.parametrize("signal", SIGNALS)
def test_it_is_found_mended_and_proved_from_samples_after_the_action(signal: str) -> None:
    story = refusing(signal)
    story.ended(HOUR)
    incident = story.incident(MODE, tier="hot")
    assert incident.state is IncidentState.RESOLVED, story.told()
    assert story.verdicts(incident) == [(FAIL_OVER, "recovered")], story.told()
    assert story.paged(incident) == [], story.told()
    found = incident.detected_at - story.began
    assert 2.5 * MINUTE < found < 8 * MINUTE
    acted = story.events(incident, Kind.STARTED)[0].at
    proved = story.events(incident, Kind.RECOVERED)[0].at - acted
    assert proved < 6 * MINUTE, "within what the pack gives the rung, whatever the windows looked back at"


@pytest.mark.parametrize("signal", SIGNALS)
def test_an_action_that_changed_nothing_is_not_taken_for_a_recovery(signal: str) -> None:
    story = refusing(signal)
    story.world.liar = True
    story.until(HOUR, lambda: story.incident(MODE).stepped_back if story.incidents(MODE) else False)
    incident = story.incident(MODE, tier="hot")
    assert "recovered" not in {verdict for _, verdict in story.verdicts(incident)}, story.told()
    assert story.paged(incident)[:1] == [1]


@pytest.mark.parametrize("signal", SIGNALS)
def test_health_is_nobodys_business(signal: str) -> None:
    covered = 62 * MINUTE if signal == "burn rate" else 10 * MINUTE
    changed = f"detectors:\n  storage-writes:{SIGNALS[signal]}\n"
    story = Story(changed, warm=covered, only=("storage-writes",))
    assert story.incidents() == [], story.told()
