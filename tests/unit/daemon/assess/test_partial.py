"""Parts of a provider: however many fail, one incident that nobody acts upon, with a text that stays short."""

from __future__ import annotations

from dataclasses import replace

from config.scope import Scope, covers, scope_of
from daemon.assess.grouping import wanted
from daemon.assess.topology import Partial, Topology
from detectors.board import Board, Finding
from tests.unit.daemon.assess.test_reconcile import NAVIXY, NOW, board, finding

PO = "provider_outage"
TOPOLOGY = Topology(partial=Partial(label="customer", by="provider"))
PARTS = scope_of({"provider": "navixy", "customer": "*"})


def customer(number: int, provider: str = "navixy") -> Scope:
    return scope_of({"provider": provider, "customer": f"c{number:04d}"})


def silent(scope: Scope, since: float = NOW - 4000) -> Finding:
    return replace(finding(PO, scope, severity="low", detector="customer-silent", since=since), advises=True)


def crowd(failed: int, of: int = 5_000) -> Board:
    everybody = [customer(number) for number in range(of)]
    found = board(*(silent(scope) for scope in everybody[:failed]))
    return replace(found, populations={PO: frozenset([*everybody, NAVIXY])})


def test_however_many_customers_fail_their_provider_has_one_incident() -> None:
    for failed in (1, 2, 3_000):
        (want,) = wanted(crowd(failed), [], (), TOPOLOGY).values()
        assert (want.key, want.advises, want.severity) == ((PO, PARTS), True, "low")
        assert (want.impact.scopes, want.impact.of) == (failed, 5_000)
        assert len(want.impact.text) < 200, "it goes into a line of the digest"


def test_each_provider_has_its_own() -> None:
    found = board(silent(customer(1)), silent(customer(2, "teltonika")))
    assert {key[1] for key in wanted(found, [], (), TOPOLOGY)} == {
        PARTS,
        scope_of({"provider": "teltonika", "customer": "*"}),
    }


def test_customers_are_no_providers_of_which_half_may_be_out() -> None:
    """3 000 silent customers beside one provider that is out make no shared cause of it."""
    found = crowd(3_000)
    findings = {**found.findings, **board(finding(PO, NAVIXY)).findings}
    keys = wanted(replace(found, findings=findings), [], (), TOPOLOGY)
    assert {(key[1], want.shared) for key, want in keys.items()} == {(NAVIXY, False), (PARTS, False)}


def test_a_star_agrees_with_any_value_and_nothing_else_does() -> None:
    assert covers(PARTS, customer(7))
    assert not covers(PARTS, customer(7, "teltonika"))
    assert not covers(PARTS, NAVIXY), "a provider is no customer"
    assert covers(NAVIXY, PARTS)


def test_a_hostile_name_is_cut_short() -> None:
    (want,) = wanted(
        board(silent(scope_of({"provider": "p" * 5_000, "customer": "x" * 10_000}))), [], (), TOPOLOGY
    ).values()
    assert len(want.impact.text) < 200
