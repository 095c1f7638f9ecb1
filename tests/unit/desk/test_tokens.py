"""Tokens: only digests are kept, and a role is what its name says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.secrets import Environment
from daemon.desk.tokens import Caller, Role, Tokens, TokenSpec, digest_of, new_token


def spec(name: str, token: str, role: str) -> TokenSpec:
    environment = Environment({"DIGEST": digest_of(token).upper()})
    return TokenSpec.model_validate(
        {"name": name, "role": role, "sha256": {"env": "DIGEST"}}, context=environment.context
    )


def test_a_token_names_its_caller_and_no_other_text_does() -> None:
    ci, web = new_token(), new_token()
    tokens = Tokens([spec("ci", ci, "operator"), spec("screen", web, "viewer")])
    assert tokens.check(ci) == Caller("ci", Role.OPERATOR, "api")
    assert tokens.check(web, via="console") == Caller("screen", Role.VIEWER, "console")
    for stranger in ("", ci[:-1], ci + " ", digest_of(ci), "x" * 100_000, "\udc80"):
        assert tokens.check(stranger) is None, stranger[:20]


def test_without_tokens_nobody_is_anybody() -> None:
    assert Tokens([]).check(new_token()) is None


def test_fresh_tokens_are_long_and_never_the_same() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(len(token) >= 40 for token in made)


def test_neither_token_nor_digest_shows_in_a_text_form() -> None:
    token = new_token()
    entry = spec("ci", token, "admin")
    assert digest_of(token) not in repr(entry) + entry.model_dump_json()


def test_a_digest_that_is_none_is_refused_at_load() -> None:
    environment = Environment({"DIGEST": "not-a-digest"})
    with pytest.raises(ValidationError, match="64 hexadecimal digits"):
        TokenSpec.model_validate({"name": "ci", "sha256": {"env": "DIGEST"}}, context=environment.context)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("needed", list(Role))
def test_a_role_may_what_the_ones_before_it_may(role: Role, needed: Role) -> None:
    order = [Role.VIEWER, Role.OPERATOR, Role.ADMIN]
    assert role.may(needed) is (order.index(role) >= order.index(needed))
