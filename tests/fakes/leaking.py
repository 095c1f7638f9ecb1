"""How others spell a secret when they repeat it, and where a spelling is found again.

What a secret looks like after a program, a proxy or a provider has escaped it is written down here by hand and by the
standard library, not by the product's own idea of it.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

ECHO = """
import base64, html, json, os, sys
from urllib.parse import quote, quote_plus
secret = os.environ["TOKEN"]
raw = secret.encode()
half = len(secret) // 2
sys.stdout.write("kept token is " + secret[:half]); sys.stdout.flush()
sys.stdout.write(secret[half:] + "\\n"); sys.stdout.flush()
print(base64.b64encode(raw).decode(), base64.urlsafe_b64encode(b"me:" + raw).decode())
print(base64.encodebytes(b"{\\"user\\": \\"a-long-name-before-the-password\\", \\"password\\": \\"" + raw + b"\\"}").decode())
print("Authorization: Basic " + base64.b64encode(b"fleetmend:" + raw).decode())
print(quote(secret, safe=""), quote_plus(secret), quote(quote(secret, safe=""), safe=""))
print(quote(base64.b64encode(raw).decode(), safe=""))
print(json.dumps(secret), json.dumps(json.dumps(secret)), html.escape(secret), repr(secret))
print(*sys.argv[1:])
raise RuntimeError(f"cannot log in with {secret}")
"""
"""A program that gives its secret away in every spelling, in two pieces, in its arguments' place and in a traceback."""


def spellings(secret: str) -> dict[str, str]:
    """Name of the form -> the secret in it."""
    raw = secret.encode()
    return {
        "plain": secret,
        "base64": base64.b64encode(raw).decode(),
        "base64 for addresses": base64.urlsafe_b64encode(raw).decode(),
        "Basic auth": base64.b64encode(b"fleetmend:" + raw).decode(),
        "base64 in an address": quote(base64.b64encode(raw).decode(), safe=""),
        "URL-encoded": quote(secret, safe=""),
        "URL-encoded as a browser does": quote(secret, safe="!'()*"),
        "URL-encoded in a form": quote_plus(secret),
        "URL-encoded in small letters": _small(quote(secret, safe="")),
        "URL-encoded twice": quote(quote(secret, safe=""), safe=""),
        "JSON": json.dumps(secret)[1:-1],
        "JSON in UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1],
        "JSON as Go writes it": _go(secret),
        "JSON as PHP writes it": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "JSON in JSON": json.dumps(json.dumps(secret)[1:-1])[1:-1],
        "HTML": html.escape(secret),
        "HTML by numbers": "".join(char if char.isalnum() else f"&#{ord(char)};" for char in secret),
        "repr": repr(secret)[1:-1],
    }


def in_lines(secret: str) -> str:
    """Base64 of a longer text with the secret in it, broken into lines as MIME has it."""
    return base64.encodebytes(b"x" * 30 + secret.encode() + b"y" * 30).decode()


def all_of(secret: str) -> str:
    """Every spelling, one after the other, as a debugging answer would have them."""
    return " | ".join([*spellings(secret).values(), in_lines(secret)])


def leaks(where: str, text: str, secrets: Mapping[str, str]) -> list[str]:
    """What of these secrets stands in a text, and in which form."""
    found = []
    for name, secret in secrets.items():
        forms = {form: spelt.rstrip("=") for form, spelt in spellings(secret).items()}
        forms |= {"a line of base64": in_lines(secret).split("\n")[0]}
        forms |= {"its beginning": secret[:14]} if secret[:14].replace("-", "").isalnum() else {}
        found += [f"{name} in {where}, {form}" for form, spelt in forms.items() if spelt in text]
    return found


def _small(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def _go(secret: str) -> str:
    text = json.dumps(secret, ensure_ascii=False)[1:-1]
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
