"""The same mail for eyes: headline, what to press, then the paragraphs. It says nothing that the plain text does not.

No script, no picture, nothing fetched: a mail that asks for a picture tells its sender that it was opened, and one that
shows nothing without them is no page. Light and dark by the reader's wish; readable on a phone and where styles are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from daemon.escalate.graphemes import clean, line
from daemon.escalate.message import Message
from daemon.incidents.records import PageEvent

HEADLINE = 500
"""Characters: one of ours has 120; nobody reads more as a title."""
_STYLE = """
:root{color-scheme:light dark}
body{margin:0;padding:16px;background:#f6f6f4;color:#1a1c1f;font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
main{max-width:640px;margin:0 auto}
h1{font-size:20px;line-height:28px;margin:0 0 16px;padding-left:12px;border-left:4px solid #565b61}
h1.page{border-color:#b3261e}
h1.over{border-color:#2c6b3b}
h2{font-size:14px;line-height:20px;margin:16px 0 0;color:#565b61}
p{margin:0 0 12px}
h2+p{margin-top:0}
a{color:inherit}
.press a{display:block;padding:12px;margin-bottom:8px;border:1px solid #b9bbb7;border-radius:4px;text-decoration:none}
.press a.first{background:#1a1c1f;color:#fff;border-color:#1a1c1f;font-weight:600}
@media (prefers-color-scheme:dark){
body{background:#101214;color:#e8e9ea}
h2{color:#a4aab0}
h1{border-color:#a4aab0}
h1.page{border-color:#ff9b90}
h1.over{border-color:#8fce9d}
.press a{border-color:#4a4f55}
.press a.first{background:#e8e9ea;color:#101214;border-color:#e8e9ea}}
""".strip()
_CALM = frozenset({PageEvent.STATUS, PageEvent.HEADS_UP, PageEvent.DIGEST, PageEvent.TEST})


def page(message: Message, body: str) -> str:
    """The mail as HTML. `body`: the paragraphs as the plain text has them, empty for the short form."""
    headline = _safe(line(message.headline, HEADLINE))
    look = "over" if message.event is PageEvent.RESOLVE else "" if message.event in _CALM else "page"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{headline}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
            f'<h1 class="{look}">{headline}</h1>',
            *_press(message),
            *_paragraphs(body),
            "</main>\n</body>\n</html>\n",
        ]
    )


def _press(message: Message) -> Iterator[str]:
    """The links as something to press, the acknowledgement first. Opening one changes nothing."""
    web = [(text, href) for text, href in message.links if href.startswith(("https://", "http://"))]
    web.sort(key=lambda link: link[1] != message.ack_link)
    if web:
        yield '<p class="press">'
        for text, href in web:
            first = ' class="first"' if href == message.ack_link else ""
            yield f'<a{first} href="{_safe(href)}">{_safe(text)}</a>'
        yield "</p>"


def _paragraphs(body: str) -> Iterator[str]:
    """A paragraph whose first line ends in a colon has it as its heading."""
    for part in filter(None, body.split("\n\n")):
        head, _, rest = part.partition("\n")
        titled = bool(rest) and head.endswith(":")
        if titled:
            yield f"<h2>{_safe(head.removesuffix(':'))}</h2>"
        lines = (rest if titled else part).split("\n")
        yield f"<p>{'<br>'.join(map(_safe, lines))}</p>"


def _safe(text: str) -> str:
    return escape(clean(text))
