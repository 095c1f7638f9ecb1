"""Secrets: taken by reference only, shown nowhere, hidden in every spelling."""

from __future__ import annotations

import base64
import copy
import html
import json
import pickle
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.problems import Wrong
from config.secrets import HIDDEN, MIN_LENGTH, Environment, Redactor, Secret
from config.section import Section

VALUE = 'p&"ä/ss wörd+1'


class Door(Section):
    key: Secret
    others: tuple[Secret, ...] = ()


def door(key: object, **variables: str) -> Door:
    return Door.model_validate({"key": key}, context=Environment(variables).context)


def test_a_secret_comes_from_the_environment() -> None:
    environment = Environment({"KEY": VALUE})
    loaded = Door.model_validate({"key": {"env": "KEY"}}, context=environment.context)
    assert loaded.key.reveal() == VALUE
    assert environment.secrets == {VALUE}


def test_a_secret_comes_from_a_file_without_its_last_line_end(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("abcdef-123\n")
    assert door({"file": str(path)}).key.reveal() == "abcdef-123"


@pytest.mark.parametrize(
    ("key", "word", "reason"),
    [
        ("hunter22", "in plain", "a secret in the file is a leak already"),
        ({"env": "MISSING"}, "MISSING is not set", "which variable to set"),
        ({"file": "/nowhere/key"}, "/nowhere/key", "which file to make"),
        ({"env": "SHORT"}, "shorter", "what cannot be hidden is refused"),
        ({"env": "EMPTY"}, "empty", "set but empty is a slip"),
        ({"env": "KEY", "file": "x"}, "expected a secret", "one place, not two"),
        ({"vault": "x"}, "expected a secret", "no other place is known"),
        ({"env": 5}, "expected the name", "a name is a text"),
        ({}, "expected a secret", "nothing"),
        (None, "expected a secret", "nothing at all"),
    ],
)
def test_anything_but_a_good_reference_is_refused_with_a_remedy(key: object, word: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        door(key, KEY=VALUE, SHORT="a" * (MIN_LENGTH - 1), EMPTY="")
    cause = caught.value.errors()[0]["ctx"]["error"]
    assert isinstance(cause, Wrong)
    assert word in cause.problem, reason
    assert cause.hint, reason
    assert "hunter22" not in str(caught.value), "the refusal does not repeat the secret"


def test_a_secret_needs_an_environment_to_come_from() -> None:
    with pytest.raises(ValidationError, match="no environment"):
        Door.model_validate({"key": {"env": "KEY"}})


def test_a_huge_or_binary_file_is_no_secret(tmp_path: Path) -> None:
    for content in (b"x" * 70_000, b"\xff\xfe\x00"):
        path = tmp_path / "key"
        path.write_bytes(content)
        with pytest.raises(ValidationError, match="is not text"):
            door({"file": str(path)})


def test_a_secret_shows_itself_in_no_text_form_and_no_dump() -> None:
    loaded = door({"env": "KEY"}, KEY=VALUE)
    forms = [
        repr(loaded),
        str(loaded.key),
        f"{loaded.key:>40}",
        f"{loaded.key!r}",
        str(loaded.model_dump()),
        loaded.model_dump_json(),
    ]
    assert not any(VALUE in form or "wörd" in form for form in forms)
    assert json.loads(loaded.model_dump_json()) == {"key": {"env": "KEY"}, "others": []}, (
        "a dump says where it comes from"
    )
    with pytest.raises(TypeError):
        pickle.dumps(loaded.key)
    assert copy.deepcopy(loaded.key).reveal() == VALUE


def test_secrets_compare_by_value_so_that_a_reload_sees_a_change() -> None:
    assert Secret("abcdef") == Secret("abcdef")
    assert Secret("abcdef") != Secret("abcdeg")
    assert Secret("abcdef") != "abcdef"
    assert len({Secret("abcdef"), Secret("abcdef")}) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (VALUE, "plain"),
        (quote(VALUE), "in a path"),
        (quote(VALUE, safe=""), "in a query"),
        (quote(VALUE, safe="").lower(), "with small hex digits"),
        (quote_plus(VALUE), "in a form"),
        (json.dumps({"key": VALUE}), "in JSON, escaped to ASCII"),
        (json.dumps({"key": VALUE}, ensure_ascii=False), "in JSON"),
        (repr({"key": VALUE}), "in a printed map"),
        (html.escape(VALUE), "on a page"),
        (base64.b64encode(VALUE.encode()).decode(), "base64"),
        (base64.urlsafe_b64encode(VALUE.encode()).decode(), "base64 for addresses"),
        ("Authorization: Basic " + base64.b64encode(f"user:{VALUE}".encode()).decode(), "basic auth"),
        (
            "Authorization: Basic " + base64.b64encode(f"me:{VALUE}".encode()).decode(),
            "basic auth, other alignment",
        ),
        (
            "Authorization: Basic " + base64.b64encode(f"a:{VALUE}!".encode()).decode(),
            "basic auth, more behind it",
        ),
    ],
)
def test_the_redactor_hides_every_spelling(text: str, reason: str) -> None:
    shown = Redactor([VALUE]).text(f"before {text} after")
    assert HIDDEN in shown, reason
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    for form in (VALUE, quote(VALUE, safe=""), base64.b64encode(VALUE.encode()).decode().rstrip("=")[:-1]):
        assert form not in shown, reason


@given(st.binary(max_size=20), st.binary(max_size=20), st.text(min_size=MIN_LENGTH, max_size=40))
def test_base64_around_a_secret_hides_it_at_every_alignment(before: bytes, after: bytes, secret: str) -> None:
    try:
        encoded = base64.b64encode(before + secret.encode() + after).decode()
    except UnicodeEncodeError:
        return  # a lone surrogate is no text anyone sends
    assert Redactor([secret]).text(f"<{encoded}>") == f"<{HIDDEN}>"


@given(st.text(max_size=200))
def test_a_text_without_the_secret_is_left_alone(text: str) -> None:
    if "zq9" not in text:
        assert Redactor(["zq9-unlikely-zq9"]).text(text) == text


def test_data_is_redacted_at_every_depth_and_keys_too() -> None:
    data = {"a": [VALUE, {"b": (f"x{VALUE}", 5, None)}], VALUE: True, "raw": VALUE.encode()}
    assert Redactor([VALUE]).data(data) == {
        "a": [HIDDEN, {"b": (f"x{HIDDEN}", 5, None)}],
        HIDDEN: True,
        "raw": HIDDEN.encode(),
    }


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert Redactor(["abcdef", "abcdef-and-more"]).text("abcdef-and-more abcdef") == f"{HIDDEN} {HIDDEN}"


def test_lines_of_a_key_file_are_hidden_one_by_one() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQE\nFAASCBKcwggSjAgEAAoIBAQC7VJ\n-----END PRIVATE KEY-----"
    redactor = Redactor([key])
    assert redactor.text("got FAASCBKcwggSjAgEAAoIBAQC7VJ") == f"got {HIDDEN}"
    assert redactor.text("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_a_long_text_of_base64_is_redacted_in_linear_time() -> None:
    text = "A" * 500_000
    assert Redactor([VALUE]).text(text) == text


def test_a_redactor_without_secrets_changes_nothing() -> None:
    assert Redactor([]).text("anything") == "anything"


def test_of_a_secret_address_its_path_and_tokens_are_hidden_too_and_its_words_are_not() -> None:
    """A client's error tells the path without the host; a server's 404 may tell one token of it."""
    address = "https://hooks.example.org/services/T0A1/B2C3/kL9mN8oP7qR6sT5u?key=aA1bB2cC3dD4eE5"
    redactor = Redactor([address, "https://ana:hunter-2-pass@push.example.org/notifications"])
    for text in (
        address,
        "Max retries exceeded with url: /services/T0A1/B2C3/kL9mN8oP7qR6sT5u?key=aA1bB2cC3dD4eE5",
        "404 no hook kL9mN8oP7qR6sT5u",
        "key aA1bB2cC3dD4eE5 was revoked",
        "login ana:hunter-2-pass failed",
    ):
        hidden = redactor.text(text)
        assert not any(token in hidden for token in ("kL9mN8oP7qR6sT5u", "aA1bB2cC3dD4eE5", "hunter-2-pass"))
    assert redactor.text("the services of hooks.example.org send notifications") == (
        "the services of hooks.example.org send notifications"
    )
