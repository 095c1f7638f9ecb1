from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations.actions.action import HostileLabel, Unrenderable
from remediations.actions.rendering import PLAIN, Renderer

NAMES: dict[str, Any] = {
    "scope": {"provider": "oem-a", "customer": "Müller & Söhne", "field": "../../etc"},
    "facts": {
        "health": {"ok": True, "body": {"reason": "pool_exhausted", "size": 4, "hosts": ["a1", "b;2"]}}
    },
    "vars": {"admin": {"oem-a": "http://ingestion:8080"}, "unit": "ingestion worker"},
    "incident": {"id": "sf-4k7q2m", "detectors": ["--force"]},
    "changes": [{"what": "deploy; rm -rf /", "who": "ci", "ref": "../../etc"}],
}


@pytest.mark.parametrize(
    ("template", "gives", "why"),
    [
        ("consumer-{{ scope.provider }}", "consumer-oem-a", "an ordinary label"),
        ("{{ scope['provider'] }}", "oem-a", "the other way to write it"),
        (
            "{{ vars.admin[scope.provider] }}/x",
            "http://ingestion:8080/x",
            "the operator's own text may hold anything",
        ),
        (
            "{{ vars.admin[scope.tier | default('oem-a')] }}",
            "http://ingestion:8080",
            "a label that is not there",
        ),
        ("{{ facts.health.body.reason }}", "pool_exhausted", "a plain word of a probe"),
        ("{{ facts.health.body.size + 1 }}", "5", "numbers are harmless"),
        ("{{ facts.health.body.hosts[0] }}", "a1", "an item of a list"),
        ("{{ incident.id }}", "sf-4k7q2m", "our own"),
        ("{{ changes[0].who }}", "ci", "a plain word of what others posted"),
        ("{% if 'provider' in scope %}yes{% endif %}", "yes", "asking for presence reads no value"),
        ("nothing to fill", "nothing to fill", "no template at all"),
    ],
)
def test_a_place_takes_plain_words(template: str, gives: str, why: str) -> None:
    assert Renderer(NAMES).place(template) == gives, why


@pytest.mark.parametrize(
    "template",
    [
        "{{ scope.customer }}",
        "{{ scope.field }}",
        "{{ scope.customer | default('x') }}",
        "{{ scope.get('field') }}",
        "{{ scope.values() | join('-') }}",
        "{% for name, value in scope.items() %}{{ value }}{% endfor %}",
        "{{ scope.field | urlencode }}",
        "{{ scope.field | upper }}",
        "{{ scope }}",
        "{{ scope | string }}",
        "{{ facts.health.body.hosts[1] }}",
        "{{ facts.health.body.hosts | last }}",
        "{{ facts.health.body.hosts | join(',') }}",
        "{{ facts.health.body.hosts }}",
        "{{ facts.health.body }}",
        "{{ vars.unit if scope.field else '' }}",
        "{{ changes[0].what }}",
        "{{ changes[0]['ref'] }}",
        "{{ changes }}",
        "{{ incident.detectors | first }}",
    ],
)
def test_a_place_takes_nothing_from_outside_that_could_leave_it(template: str) -> None:
    with pytest.raises(HostileLabel):
        Renderer(NAMES).place(template)


def test_a_hostile_label_that_is_not_used_does_no_harm() -> None:
    assert Renderer(NAMES).place("{{ scope.provider }}") == "oem-a"


def test_a_refusal_names_the_label_and_never_its_value() -> None:
    with pytest.raises(HostileLabel) as caught:
        Renderer(NAMES).place("{{ scope.field }}")
    assert "scope.field" in str(caught.value)
    assert "etc" not in str(caught.value)


@given(st.text(max_size=30))
def test_whatever_a_label_holds_it_stays_in_its_place(value: str) -> None:
    renderer = Renderer({"scope": {"x": value}, "facts": {"x": [value, {value: value}]}})
    for template in ("a/{{ scope.x }}/b", "a/{{ facts.x[0] }}/b", "a/{{ facts.x[1].values() | first }}/b"):
        try:
            middle = renderer.place(template).removeprefix("a/").removesuffix("/b")
        except (HostileLabel, Unrenderable):
            continue
        assert PLAIN.fullmatch(middle)
        assert middle == value


@pytest.mark.parametrize(
    "value", ["", ".", "..", "-rf", "a b", "a/b", "a\nb", "a%2fb", "a?b", "a#b", "a'b", "é", "a\n", "x" * 201]
)
def test_what_is_no_plain_word(value: str) -> None:
    assert not PLAIN.fullmatch(value)


@pytest.mark.parametrize(
    "template", ["{{ scope.tier }}", "{{ nothing }}", "{{ facts.health.body.size / 0 }}", "{{ '' }}"]
)
def test_what_gives_no_text_is_unrenderable(template: str) -> None:
    with pytest.raises(Unrenderable):
        Renderer(NAMES).place(template)


def test_data_takes_any_value_as_a_text_inside_its_quotes() -> None:
    written = {
        "provider": "{{ scope.provider }}",
        "fields": ["{{ scope.field }}"],
        "factor": 0.25,
        "on": True,
    }
    assert Renderer(NAMES).data(written) == {
        "provider": "oem-a",
        "fields": ["../../etc"],
        "factor": 0.25,
        "on": True,
    }


@pytest.mark.parametrize(
    "written",
    [
        {"{{ scope.field }}": True},
        {"deep": [{"{{ scope.customer }}": 1}]},
        {"{{ scope.provider }}": True, "oem-a": False},
    ],
)
def test_a_name_in_data_takes_nothing_from_outside_that_could_be_another(written: dict[str, Any]) -> None:
    with pytest.raises(HostileLabel):
        Renderer(NAMES).data(written)


def test_data_with_an_unknown_name_is_unrenderable() -> None:
    with pytest.raises(Unrenderable, match="tier"):
        Renderer(NAMES).data({"tier": "{{ scope.tier }}"})
