"""Secrets: taken by reference only, shown nowhere, hidden in every spelling."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.problems import Wrong
from config.secrets import HIDDEN, MIN_LENGTH, MOST_FORMER, Environment, Redactor, Secret
from config.section import Section
from tests.fakes.leaking import in_lines, leaks, spellings

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


BASIC = [f"Authorization: Basic {base64.b64encode(f'{user}:{VALUE}{more}'.encode()).decode()}"
         for user, more in (("user", ""), ("me", ""), ("a", "!"))]  # fmt: skip
MIXED = [json.dumps({"key": VALUE}), json.dumps([json.dumps({"key": VALUE})]), repr({"key": VALUE}), *BASIC]


@pytest.mark.parametrize("secret", [VALUE, "p<w>&\"/\\'x", "two\nlines of it\t!", "plain-letters-09"])
def test_the_redactor_hides_every_spelling(secret: str) -> None:
    redactor = Redactor([secret])
    for form, text in spellings(secret).items():
        shown = redactor.text(f"before {text} after")
        assert HIDDEN in shown, form
        assert shown.startswith("before "), form
        assert shown.endswith(" after"), form
        assert leaks("it", shown, {"secret": secret}) == [], form


@pytest.mark.parametrize("text", MIXED)
def test_it_hides_it_inside_of_what_holds_more(text: str) -> None:
    shown = Redactor([VALUE]).text(f"before {text} after")
    assert HIDDEN in shown
    assert leaks("it", shown, {"secret": VALUE}) == []


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\\n", "\\\\n"])
def test_base64_in_lines_is_hidden_as_a_whole_and_other_base64_is_left(newline: str) -> None:
    """As `base64` prints it, as MIME has it, and as JSON quotes either."""
    text = in_lines(VALUE * 3).replace("\n", newline)
    shown = Redactor([VALUE]).text(f"before {text}after")
    assert HIDDEN in shown
    assert not any(line in shown for line in text.split(newline) if len(line) > 8)
    other = in_lines("nothing that matters " * 5).replace("\n", newline)
    assert Redactor([VALUE]).text(other) == other


def test_what_was_secret_before_a_reload_stays_secret_and_no_more_than_so_much_of_it() -> None:
    earliest = Environment({"KEY": "the-first-key"})
    earliest.take({"env": "KEY"})
    now = earliest
    for number in range(MOST_FORMER + 5):
        later = Environment({"KEY": f"key-number-{number}"})
        later.take({"env": "KEY"})
        later.succeed(now)
        now = later
        if number < 10:
            assert "the-first-key" in now.secrets
    assert len(now.secrets) == MOST_FORMER + 1
    assert "the-first-key" not in now.secrets
    assert f"key-number-{MOST_FORMER}" in now.secrets


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


@pytest.mark.parametrize(
    "text", ["A" * 500_000, ("QUJD" * 19 + "\n") * 5_000, "\\" * 200_000, "%25" * 100_000]
)
def test_a_long_text_of_base64_or_of_escapes_is_redacted_in_linear_time(text: str) -> None:
    assert Redactor([VALUE, "/starts/with/an-odd-one"]).text(text) == text


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


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://fleet:canary%400f3a9c@hot-a:5432/fleet_telemetry_2026",
        "host=hot-a dbname=fleet_telemetry_2026 user=fleet password=canary@0f3a9c",
        r"password = 'canary@0f3a9c' host=hot-a dbname=fleet_telemetry_2026",
        r"password='canary\@0f3a9c'",
    ],
)
def test_of_a_database_s_connection_string_the_password_is_hidden_alone_and_its_names_are_not(
    dsn: str,
) -> None:
    said = f'hot-a/fleet_telemetry_2026: password authentication failed with "canary@0f3a9c" ({dsn})'
    assert Redactor([dsn]).text(said) == (
        'hot-a/fleet_telemetry_2026: password authentication failed with "***" (***)'
    )
