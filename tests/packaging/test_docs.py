"""The generated reference shows examples that load, and every shipped playbook has its page."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter
from ruamel.yaml import YAML

from config.secrets import Environment
from daemon.escalate.channels.registry import CHANNELS
from daemon.escalate.channels.shared import Shared
from daemon.settings.model import Settings
from remediations.actions.registry import KINDS
from tests.packaging.conftest import ROOT

sys.path.append(str(ROOT / "docs"))

from pages.examples import example, unshipped
from pages.shapes import hints, key, sections


class AnySecret(dict[str, str]):
    """Every variable is set."""

    def __missing__(self, name: str) -> str:
        if name.endswith("_DSN"):
            return f"postgresql://fleet:of-nobody@{name}/fleet"
        return "0f" * 32 if "SHA256" in name else "whsec_" + "c2VjcmV0" * 4


def models() -> dict[str, type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {}
    waiting: list[type[BaseModel]] = [Settings, Shared, *(entry.args for entry in KINDS.values())]
    waiting += [channel.spec for channel in CHANNELS if channel.available]
    while waiting:
        model = waiting.pop()
        if model.__name__ not in found:
            found[model.__name__] = model
            waiting += [inner for shape in hints(model).values() for inner in sections(shape)]
    return found


KEYS = [
    (model, name, key(name, field))
    for model in models().values()
    for name, field in model.model_fields.items()
]


@pytest.mark.filterwarnings(
    "ignore::pydantic.warnings.UnsupportedFieldAttributeWarning"
)  # an alias is the model's
@pytest.mark.parametrize(("model", "name", "written"), KEYS, ids=[f"{m.__name__}.{w}" for m, _, w in KEYS])
def test_every_key_s_example_is_one_the_key_takes(model: type[BaseModel], name: str, written: str) -> None:
    text = example(model, written)
    assert text, f"{model.__name__}.{written} has no example: add one to docs/pages/examples.yaml"
    value: Any = YAML(typ="safe").load(text)
    context = Environment(AnySecret()).context
    TypeAdapter(hints(model)[name]).validate_python(value, context=context)


def test_no_example_is_for_a_key_that_is_gone() -> None:
    known = {(model.__name__, written) for model, _, written in KEYS}
    gone = [
        f"{section}.{name}"
        for section, keys in unshipped().items()
        for name in keys
        if (section, name) not in known
    ]
    assert gone == []


def test_every_shipped_playbook_has_its_page() -> None:
    pack = YAML(typ="safe").load((ROOT / "config" / "pack" / "playbooks.yaml").read_text(encoding="utf-8"))
    pages = {path.stem for path in (ROOT / "docs" / "playbooks").glob("*.md")}
    assert pages == set(pack["playbooks"])
