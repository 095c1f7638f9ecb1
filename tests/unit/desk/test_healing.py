"""Did it help? Counted from the record: what was left alone, what was tried, and nothing where it is not asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.scope import scope_of
from daemon.desk.healing import helped, helped_here
from daemon.desk.known import Known
from daemon.desk.reports import Helped
from daemon.incidents.change import Change
from daemon.incidents.model import IncidentState
from daemon.store.store import Store
from remediations.counterfactual import Counterfactual
from tests.fakes import rows

DAY = 86_400.0
NOW = 100 * DAY
ASKED = Known(version="0", counterfactual=Counterfactual())


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store.open("sqlite://")
    yield made
    made.close()


def left_alone(
    store: Store, number: int, lasted: float, *, by: str = "self", ago: float = DAY, now: float = NOW
) -> None:
    """A provider's outage on which nothing was begun."""
    began = now - ago - number
    with store.write() as uow:
        uow.apply(
            Change(
                incident=rows.incident(
                    f"po-alone-{number}",
                    scope=scope_of({"provider": f"p{number}"}),
                    state=IncidentState.RESOLVED,
                    detected_at=began,
                    resolved_at=began + lasted,
                    resolved_by=by,
                )
            )
        )


def restarted(store: Store, number: int, verdict: str = "recovered", *, now: float = NOW) -> None:
    """One that was restarted after a minute; its verdict came 200 s later."""
    began, name = now - DAY - number, f"po-{number}"
    with store.write() as uow:
        uow.apply(
            Change(
                incident=rows.incident(
                    name,
                    scope=scope_of({"provider": f"q{number}"}),
                    state=IncidentState.RESOLVED,
                    detected_at=began,
                    resolved_at=began + 400,
                    resolved_by="restart",
                    recovered_by="restart",
                    playbook="provider-outage",
                ),
                attempts=(
                    rows.attempt(
                        f"{name}/1/restart/do/1",
                        incident=name,
                        started_at=began + 60,
                        ended_at=began + 60 + 5,
                        outcome="done",
                        verdict=verdict,
                        verdict_at=began + 60 + 200,
                    ),
                ),
            )
        )


def told(store: Store, known: Known = ASKED) -> list[Helped]:
    with store.read() as uow:
        return list(helped(uow, known, NOW))


def test_a_restart_of_what_stays_ill_by_itself_is_effective_with_its_numbers(store: Store) -> None:
    for number in range(8):
        restarted(store, number)
        left_alone(store, number, 3_600.0)
    (found,) = told(store)
    assert (found.judgement, found.recovered, found.tried) == ("effective", 8, 8)
    assert (found.healed, found.left, found.after_s, found.within_s) == (0, 8, 60.0, 200.0)
    assert (found.failure_mode, found.labels, found.alone_s) == ("provider_outage", ["provider"], 3_600.0)
    assert found.text == (
        "recovered 8 of 8; of 8 left alone for as long 0 healed by themselves within 3m20s: "
        "effective, at least 54% more often"
    )


def test_a_restart_of_what_heals_as_soon_by_itself_is_coincident(store: Store) -> None:
    for number in range(8):
        restarted(store, number)
        left_alone(store, number, 180.0)
    (found,) = told(store)
    assert (found.judgement, found.healed, found.left) == ("coincident", 8, 8)


def test_what_a_person_closed_and_what_is_older_than_the_window_says_nothing(store: Store) -> None:
    for number in range(8):
        restarted(store, number)
        left_alone(store, number, 180.0, by="Ana")
        left_alone(store, 100 + number, 180.0, ago=2 * DAY)
    known = Known(version="0", counterfactual=Counterfactual.model_validate({"window": "36h"}))
    (found,) = told(store, known)
    assert (found.judgement, found.healed, found.left) == ("too_little_known", 0, 0)
    assert found.gain is None


def test_what_a_rung_did_in_vain_counts_as_tried(store: Store) -> None:
    for number in range(6):
        restarted(store, number, "not_recovered" if number % 2 else "recovered")
        left_alone(store, number, 3_600.0)
    (found,) = told(store)
    assert (found.recovered, found.tried, found.left) == (3, 6, 6)


def test_an_incident_tells_of_the_rung_it_was_recovered_by(store: Store) -> None:
    for number in range(8):
        restarted(store, number)
        left_alone(store, number, 3_600.0)
    with store.read() as uow:
        mended, alone = uow.incidents.get("po-3"), uow.incidents.get("po-alone-3")
        assert mended is not None
        assert alone is not None
        found = helped_here(uow, ASKED, mended, NOW)
        assert helped_here(uow, ASKED, alone, NOW) is None
    assert found is not None
    assert (found.rung, found.judgement) == ("restart", "effective")


def test_where_it_is_not_asked_for_nothing_is_said(store: Store) -> None:
    restarted(store, 1)
    assert told(store, Known(version="0")) == []
