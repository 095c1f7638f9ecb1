"""Templates and expressions: what they may do, what they refuse, and that neither can run away."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from config.section import Section
from config.templates import (
    MAX_OUTPUT,
    Expression,
    ExpressionText,
    Template,
    TemplateError,
    TemplateText,
    Undefined,
    render_data,
)

NAMES: Mapping[str, object] = {
    "scope": {"tier": "hot", "provider": "navixy"},
    "status": 200,
    "body": {"state": "up", "items": 3, "list": [1, 2], "pool": {"size": 6}},
    "vars": {"admin": {"navixy": "http://n:1"}},
}


@pytest.mark.parametrize(
    ("text", "result", "reason"),
    [
        ("storage-writer-{{ scope.tier }}", "storage-writer-hot", "a label"),
        ("{{ body.items }}", "3", "an entry wins over a method of the same name"),
        ("{{ body['state'] }}", "up", "by subscript"),
        ("{{ vars.admin[scope.provider] | default('x') }}/h", "http://n:1/h", "an address by label"),
        ("{{ vars.admin['other'] | default('http://' ~ 'other') }}", "http://other", "and its default"),
        ("{% for i in body.list %}{{ i }},{% endfor %}", "1,2,", "a short loop"),
        ("{{ body.list | join('+') }}", "1+2", "a filter"),
        ("{{ 'a' if scope.field is defined else 'b' }}", "b", "asking whether it is there"),
        ("{{ body.pool | tojson }}", '{"size": 6}', "JSON without markup escapes"),
        ("plain", "plain", "no template at all"),
    ],
)
def test_a_template_is_filled_in(text: str, result: str, reason: str) -> None:
    assert Template(text).render(NAMES) == result, reason


@pytest.mark.parametrize(
    ("text", "result", "reason"),
    [
        ("status == 200 and body.state == 'up'", True, "the usual condition"),
        ("body.pool.size * 2", 12, "a number stays a number"),
        ("body.missing is defined", False, "asking is no error"),
        ("status < 300 or body.missing", True, "what is not needed is not asked"),
        ("scope.tier in ['hot', 'warm']", True, "membership"),
        ("not body.list", False, "negation"),
        ("true", True, "a constant"),
    ],
)
def test_an_expression_gives_its_value(text: str, result: object, reason: str) -> None:
    assert Expression(text).evaluate(NAMES) == result, reason


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("body.reason == 'x'", "reason"),
        ("nothing", "nothing"),
        ("body.reason", "reason"),
        ("nothing.at.all > 3", "nothing"),
        ("body['gone'] == 1", "gone"),
    ],
)
def test_an_undefined_name_is_unknown_and_says_which(text: str, name: str) -> None:
    with pytest.raises(Undefined) as caught:
        Expression(text).evaluate(NAMES)
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ ''.__class__ }}", "no way to a class"),
        ("{{ body.__class__.__mro__ }}", "nor from a map"),
        ("{{ body['__class__'] }}", "nor by subscript"),
        ("{{ body | attr('keys') }}", "nor by filter"),
        ("{{ status.__add__(1) }}", "nor from a number"),
        ("{{ 'x'.format(1) }}", "no format strings"),
        ("{{ '%1000000000d' % 1 }}", "no printf, which grows without bound"),
        ("{{ 'a' * 1000000000 }}", "no repetition"),
        ("{{ [0] * 1000000000 }}", "of lists neither"),
        ("{{ 9 ** 9 ** 9 }}", "no towers of powers"),
        ("{{ range(1000000000) | list }}", "no long ranges"),
        (
            "{% for i in range(1000) %}{% for j in range(1000) %}{{ 1 }}{% endfor %}{% endfor %}",
            "rounds are counted over all loops",
        ),
        ("{{ ('a,' ~ 'b') | replace('a', big) | replace('x', big) }}", "no growth by replacing"),
        ("{{ range(1000) | join(big) }}", "no growth by joining"),
        ("{{ big ~ big }}", "no output beyond its bound"),
        ("{{ none }}", "an empty value in an address or command is a mistake"),
        ("{{ 1 / 0 }}", "an error of arithmetic is an error of the template"),
        ("{{ body.state + 1 }}", "and so is one of types"),
    ],
)
def test_a_template_cannot_reach_out_or_run_away(text: str, reason: str) -> None:
    with pytest.raises(TemplateError):
        Template(text).render({**NAMES, "big": "x" * (MAX_OUTPUT - 1)})
    assert reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ scope.tier", "not closed"),
        ("{% for %}", "not a loop"),
        ("{{ x | nosuch }}", "an unknown filter"),
        ("{% set a = 1 %}", "assignment"),
        ("{% include 'x' %}", "inclusion"),
        ("{% import 'x' as y %}", "import"),
        ("{% macro m() %}{% endmacro %}", "definition"),
        ("{% extends 'x' %}", "inheritance"),
        (
            "{% for a in b %}{% for c in d %}{% for e in f %}{% endfor %}{% endfor %}{% endfor %}",
            "three loops deep",
        ),
        ("{{" + "(" * 3000 + "1" + ")" * 3000 + "}}", "nested without end"),
        ("x" * 9000, "longer than any template"),
    ],
)
def test_a_template_is_refused_when_it_is_loaded(text: str, reason: str) -> None:
    with pytest.raises(TemplateError):
        Template(text)
    assert reason


@pytest.mark.parametrize("text", ["", "a b", "1 +", "[x for x in y]", "a = 1", "(" * 3000, "lambda: 1"])
def test_an_expression_is_refused_when_it_is_loaded(text: str) -> None:
    with pytest.raises(TemplateError):
        Expression(text)


class _Rung(Section):
    when: ExpressionText | None = None
    url: TemplateText = ""


def test_the_annotated_types_check_syntax_and_keep_the_text() -> None:
    rung = _Rung.model_validate({"when": "body.ok", "url": "http://{{ scope.tier }}"})
    assert (rung.when, rung.url) == ("body.ok", "http://{{ scope.tier }}")
    assert _Rung.model_validate({"when": True}).when == "true"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({"when": "a ="}, "not a valid expression"),
        ({"when": "{{ a }}"}, "without braces"),
        ({"url": "{{ a"}, "not a valid template"),
    ],
)
def test_the_annotated_types_refuse_wrong_syntax(data: dict[str, str], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        _Rung.model_validate(data)


def test_data_is_rendered_at_every_depth_and_numbers_stay_numbers() -> None:
    data = {
        "size": "{{ body.pool.size * 2 }}",
        "tier": ["{{ scope.tier }}", "x{{ status }}"],
        "on": True,
        "n": None,
        "two": "{{ status }}{{ status }}",
    }
    assert render_data(data, NAMES) == {
        "size": 12,
        "tier": ["hot", "x200"],
        "on": True,
        "n": None,
        "two": "200200",
    }


def test_a_part_of_a_command_stays_one_part_whatever_it_renders_to() -> None:
    assert render_data(["ls", "{{ x }}"], {"x": "a b; rm -rf / $(id)"}) == ["ls", "a b; rm -rf / $(id)"]


@pytest.mark.parametrize("text", ["{{ range(3) }}", "{{ big }}", "{{ nan }}", "{{ none }}"])
def test_data_takes_only_small_json_values(text: str) -> None:
    names = {"big": ["x" * MAX_OUTPUT], "nan": object()}
    with pytest.raises(TemplateError):
        render_data({"a": text}, names)


def test_a_template_says_which_names_and_labels_it_reads() -> None:
    template = Template("{{ vars.admin[scope.provider] }}/{{ scope['tier'] }}/{{ range(2) }}")
    assert template.names == {"vars", "scope"}
    assert template.labels == {"provider", "tier"}


def test_each_rendering_has_its_own_allowance_of_loops() -> None:
    template = Template("{% for i in range(900) %}.{% endfor %}")
    assert [len(template.render({})) for _ in range(20)] == [900] * 20


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_no_text_crashes_the_compiler_or_the_rendering(text: str) -> None:
    for run in (lambda: Template(text).render(NAMES), lambda: Expression(text).evaluate(NAMES)):
        try:
            run()
        except TemplateError:
            continue
