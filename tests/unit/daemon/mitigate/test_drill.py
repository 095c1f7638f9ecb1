"""What no probe can change is told from what one says."""

from __future__ import annotations

import pytest

from daemon.mitigate.drill import never

NAMES = {"scope": {"provider": "navixy"}, "vars": {}, "facts": {"api": {"ok": True}}}


@pytest.mark.parametrize(
    ("text", "is_never"),
    [
        ("vars.status_page is defined", True),
        ("facts.api.ok and scope.field is defined", True),  # one part of it is enough
        ("facts.api.ok and scope.provider is defined", False),
        ("facts.api.ok == false", False),  # a probe may say so one day
        ("facts.api.ok or scope.field is defined", False),  # the other part may hold
        ("(facts.api.ok or true) and scope.field is defined", True),
        (
            "facts.api.name != 'a and b' and scope.provider == 'navixy'",
            False,
        ),  # a word in quotes joins nothing
        ("scope.provider in ['navixy' if facts.api.ok else 'x']", False),
        ("scope.nothing == 1", False),  # unknown, which is no "no"
    ],
)
def test_a_condition_that_can_never_hold_here(text: str, is_never: bool) -> None:
    assert never(text, NAMES) is is_never
