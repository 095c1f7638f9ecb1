"""Cutting texts of others short before their secrets are taken out: never inside a word, for half a secret is not found."""

from __future__ import annotations

import re

LONGEST = 4_096
"""Characters of a word at most: of a longer one, such as one endless line, only so much is left out."""
_WORD = re.compile(r"[^\s,;]*$")


def whole_words(text: str, limit: int) -> str:
    """At most `limit` characters, without the word in which they end; the text itself where it is no longer."""
    if len(text) <= limit:
        return text
    kept = text[:limit]
    word = _WORD.search(kept, max(0, limit - LONGEST))
    return kept if word is None else kept[: word.start()]
