"""What is cut short ends before the word in which it was cut."""

from __future__ import annotations

import pytest

from config.cutting import LONGEST, whole_words


@pytest.mark.parametrize(
    ("text", "limit", "gives", "why"),
    [
        ("as it is", 8, "as it is", "short enough"),
        ("user ana, password hunter-2", 22, "user ana, password ", "in the middle of a word"),
        ('{"a":1,"token":"hunter-2"}', 20, '{"a":1,', "JSON has no white space"),
        ("hunter-2-and-no-end", 10, "", "one word is none"),
    ],
)
def test_it_ends_before_the_word(text: str, limit: int, gives: str, why: str) -> None:
    assert whole_words(text, limit) == gives, why


def test_of_one_endless_line_only_so_much_is_left_out() -> None:
    assert whole_words("x" * 100_000, 50_000) == "x" * (50_000 - LONGEST)
