"""Field mappings, rules, and how each provider words its packets."""

import pytest
from ruamel.yaml import YAML

from demo.ground import SEED
from demo.programs.mapping import (
    FIELDS,
    FieldMapping,
    Rule,
    Unmappable,
    plausible,
    read_mapping,
    read_rules,
    status_of,
    value_of,
)
from demo.programs.packets import customers, packet
from demo.settings import NEWCOMER, PROVIDERS

EVERYONE = (*PROVIDERS, NEWCOMER)


def mapping(provider: str) -> dict[str, FieldMapping]:
    return read_mapping(
        YAML(typ="safe").load((SEED / "mapping" / f"{provider}.yaml").read_text(encoding="utf-8"))
    )


def rules(provider: str) -> dict[str, Rule]:
    return read_rules(
        YAML(typ="safe").load((SEED / "rules" / f"{provider}.yaml").read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize("provider", EVERYONE)
def test_the_shipped_mapping_of_each_provider_finds_every_field_and_each_value_is_plausible(
    provider: str,
) -> None:
    bounds, fields = rules(provider), mapping(provider)
    for seq in range(2000):
        data = packet(provider, seq, 20, 1.8e9, "usual")["data"]
        for field, one in fields.items():
            value = value_of(data, one)
            assert value is not None
            assert plausible(value, bounds[field]), f"{field} of packet {seq}: {value}"
    assert set(fields) == set(FIELDS) == set(bounds)


@pytest.mark.parametrize(
    ("data", "one", "value", "why"),
    [
        ({"a": {"b": 2}}, FieldMapping(("a", "b"), "number", 10.0), 20.0, "scale multiplies"),
        (
            {"a": {}},
            FieldMapping(("a", "b"), "number"),
            None,
            "an absent source is a missing value, no failure",
        ),
        ({}, FieldMapping(("a", "b"), "number"), None, "so is an absent folder on the way"),
        ({"a": True}, FieldMapping(("a",), "flag"), 1.0, "a flag is 1 or 0"),
        ({"a": 0}, FieldMapping(("a",), "flag"), 0.0, "gateways word flags as numbers"),
    ],
)
def test_a_value_is_found_as_the_mapping_says(
    data: dict[str, object], one: FieldMapping, value: float | None, why: str
) -> None:
    assert value_of(data, one) == value, why


@pytest.mark.parametrize(
    ("data", "one", "why"),
    [
        ({"a": {"b": 1}}, FieldMapping(("a",), "number"), "an object is no number"),
        ({"a": "1"}, FieldMapping(("a",), "number"), "a text is no number"),
        ({"a": True}, FieldMapping(("a",), "number"), "a flag is no number"),
        ({"a": 1.5}, FieldMapping(("a",), "flag"), "a fraction is no flag"),
        ({"a": 1}, FieldMapping(("a", "b"), "number"), "nothing is inside a number"),
    ],
)
def test_a_source_that_is_not_what_the_mapping_says_cannot_be_mapped(
    data: dict[str, object], one: FieldMapping, why: str
) -> None:
    with pytest.raises(Unmappable):
        assert value_of(data, one) is None, why


def test_a_status_needs_the_ignition() -> None:
    assert status_of({"ignition": 0.0, "speed": 50.0}) == "off"
    assert status_of({"ignition": 1.0, "speed": 50.0}) == "moving"
    assert status_of({"ignition": 1.0, "speed": None}) == "idle"
    with pytest.raises(KeyError):
        status_of({"speed": 50.0})


@pytest.mark.parametrize("provider", EVERYONE)
def test_each_payload_variant_spoils_exactly_the_fields_it_is_named_for(provider: str) -> None:
    fields = mapping(provider)

    def outcome(variant: str) -> dict[str, str]:
        found = {}
        for field, one in fields.items():
            try:
                value = value_of(packet(provider, 7, 20, 1.8e9, variant)["data"], one)
            except Unmappable:
                found[field] = "failed"
                continue
            usual = value is not None and plausible(value, rules(provider)[field])
            found[field] = "missing" if value is None else "usual" if usual else "invalid"
        return {field: word for field, word in found.items() if word != "usual"}

    assert outcome("usual") == {}
    assert outcome("changed-types") == {"speed": "failed", "fuel": "failed"}
    assert outcome("fuel-renamed") == {"fuel": "missing"}
    assert outcome("speed-out-of-range") == {"speed": "invalid"}


def test_every_customer_of_a_provider_sends_packets() -> None:
    assert {packet("navixy", seq, 20, 0.0, "usual")["customer"] for seq in range(20)} == set(
        customers("navixy")
    )
