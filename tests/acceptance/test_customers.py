"""Customers that fail while their provider delivers: one incident of the provider, one line of the digest, no hand moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import PageEvent
from tests.fakes.programs import Consumer, Count
from tests.fakes.story import HOUR, MINUTE, Story, scope

CUSTOMERS = 300
FAILED = 40
QUICK = """
detectors:
  customer-silent: {fire: {for: 10m}, expected: {at_least: 10, per: 5m}}
"""
"""Shorter than the shipped hour; what is told does not hang on it."""
WATCHING = ("customer-silent", "provider-silent", "provider-errors")
PARTS = scope(provider="navixy", customer="*")


@dataclass
class Crowd(Consumer):
    """A provider whose packets are those of many customers, one as many as the other."""

    customers: tuple[str, ...] = tuple(f"c{number:04d}" for number in range(CUSTOMERS))
    silent: frozenset[str] = field(default_factory=frozenset)

    def flow(self, seconds: float) -> tuple[float, list[Count]]:
        packets, counts = super().flow(seconds)
        name, each = "telemetry_ingestion_packets_received_total", packets / len(self.customers)
        counts += [
            (name, 0.0 if one in self.silent else each, {"provider": self.provider, "customer": one})
            for one in self.customers
        ]
        return packets, counts


def crowd(silent: Iterable[str] = ()) -> tuple[Story, Crowd]:
    story = Story(QUICK, only=WATCHING, warm=0.0)
    navixy = Crowd("navixy", rate=60.0)
    story.world.consumers["navixy"] = navixy
    story.run(15 * MINUTE)
    story.world.change(navixy, silent=frozenset(silent))
    return story, navixy


def test_forty_silent_customers_of_three_hundred_are_one_line_in_the_digest() -> None:
    story, navixy = crowd(f"c{number:04d}" for number in range(FAILED))
    story.until(HOUR, lambda: bool(story.incidents()))
    story.run(HOUR)
    incident = story.incident("provider_outage")
    assert (incident.scope, incident.severity, incident.advises) == (PARTS, "low", True)
    everybody = CUSTOMERS + len(("acme", "globex"))
    assert (incident.impact.scopes, incident.impact.of) == (FAILED, everybody)
    assert incident.impact.text == (
        "40 of 302 customers of navixy (40 customer-silent), the longest: c0000, c0001, c0002, c0003, c0004, and 35 more"
    )
    assert (story.attempts(incident), story.world.effects, story.all_paged()) == ([], [], [])
    assert {row.event for row in story.deliveries(incident)} == {PageEvent.DIGEST}
    told = len(story.events(incident))
    story.world.change(navixy, silent=frozenset([*navixy.silent, "c0200", "c0201"]))
    story.run(HOUR)
    assert len(story.incidents()) == 1
    assert len(story.events(story.incident())) <= told + 1, "who joins is no news by itself"
    story.world.change(navixy, silent=frozenset())
    story.until(HOUR, lambda: story.incident().state is IncidentState.RESOLVED)
    assert story.incident().resolved_by == "self"


def test_a_provider_that_fails_wholly_suppresses_its_customers_and_is_mended() -> None:
    story, navixy = crowd(f"c{number:04d}" for number in range(FAILED))
    story.until(HOUR, lambda: bool(story.incidents()))
    story.world.change(navixy, primary="no-answer")
    story.until(HOUR, lambda: any(not one.advises for one in story.incidents()))
    story.run(MINUTE)
    parts = next(one for one in story.incidents() if one.advises)
    whole = next(one for one in story.incidents() if not one.advises)
    assert whole.scope == scope(provider="navixy")
    assert (parts.state, parts.explained_by) == (IncidentState.SUPPRESSED, whole.id)
    assert whole.id in story.said(parts, Kind.SUPPRESSED)[0]
    story.until(HOUR, lambda: bool(story.tried(whole)))
    assert story.attempts(parts) == []


def test_a_provider_that_falls_silent_for_all_its_customers_is_no_failure_of_theirs() -> None:
    story, navixy = crowd()
    story.world.change(navixy, primary="no-answer")
    story.run(HOUR)
    assert {one.scope for one in story.incidents("provider_outage")} == {scope(provider="navixy")}, (
        story.told()
    )
