r"""Spellings: how a text may look after others have escaped it for an address, for JSON, for a page or for a shell.

What a program escapes is up to it: Go writes `<` as `\u003c`, PHP `/` as `\/`, a browser leaves `!` alone and Python does
not. So each character that anybody escapes may stand in any of its forms, also where it was escaped twice.
"""

from __future__ import annotations

import re
import string

_ALWAYS_PLAIN = frozenset(string.ascii_letters + string.digits)
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "\u00a0": "nbsp"}
_LETTERS = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_ESCAPED = r"\\{1,8}"
"""One backslash or, where a text was escaped more than once, several."""


def spelled(text: str) -> str:
    """A pattern that finds `text` in every spelling."""
    return "".join(char if char in _ALWAYS_PLAIN else _any_form(char) for char in text)


def _any_form(char: str) -> str:
    code = ord(char)
    forms = [rf"\\{{0,8}}{re.escape(char)}" if char != "\\" else _ESCAPED, _percent(char), _utf16(char)]
    forms += [rf"&(?:amp;){{0,4}}#0{{0,8}}{code};", rf"&(?:amp;){{0,4}}#[xX]0{{0,8}}{_hex(f'{code:x}')};"]
    if code < 256:
        forms.append(rf"{_ESCAPED}x{_hex(f'{code:02x}')}")
    if char in _NAMED:
        forms.append(rf"&(?:amp;){{0,4}}{_NAMED[char]};")
    if char in _LETTERS:
        forms.append(rf"{_ESCAPED}{_LETTERS[char]}")
    if char == " ":
        forms.append(r"\+")
    before = rf"(?:\r|{_ESCAPED}r|%(?:25){{0,4}}0[Dd])?" if char == "\n" else ""
    return f"{before}(?:{'|'.join(forms)})"


def _percent(char: str) -> str:
    return "".join(rf"%(?:25){{0,4}}{_hex(f'{byte:02x}')}" for byte in char.encode("utf-8", "surrogatepass"))


def _utf16(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(
        rf"{_ESCAPED}u{_hex(f'{units[at]:02x}{units[at + 1]:02x}')}" for at in range(0, len(units), 2)
    )


def _hex(digits: str) -> str:
    """In small or in capital letters."""
    return "".join(digit if digit.isdecimal() else f"[{digit}{digit.upper()}]" for digit in digits)
