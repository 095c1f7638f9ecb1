"""Paper: a document of titled sections, as Markdown and as one page of HTML that needs nothing from outside.

Text from outside stays text: nothing in it becomes a mark, a tag or a link. The same paper always reads the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

ROW = "row"
"""First column of a table whose rows can be cited."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One recorded fact. `rows`: numbers of the timeline rows it comes from, from 1; empty: not on the timeline."""

    name: str
    value: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` over `rows` of as many cells. Where the first column is `ROW`, citations lead to its numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """`text` (with the `rows` it comes from) stands above the facts, the table below. `blank`: for people to fill in."""

    title: str
    text: str = ""
    facts: tuple[Fact, ...] = ()
    rows: tuple[int, ...] = ()
    table: Table | None = None
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """`head`: lines under the title, (name, value); an empty value is for people to fill in."""

    title: str
    head: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


FOR_PEOPLE = "For the people who write this."


def markdown(paper: Paper) -> str:
    """The paper as Markdown."""
    lines = [f"# {plain(paper.title)}", ""]
    lines += [f"- {name}: {plain(value)}".rstrip() for name, value in paper.head]
    for section in paper.sections:
        parts = [
            [f"## {section.title}"],
            [f"_{FOR_PEOPLE}_"] if section.blank else [],
            [f"{plain(section.text)}{_cited(section.rows)}"] if section.text else [],
            [f"- {plain(fact.name)}: {plain(fact.value)}{_cited(fact.rows)}" for fact in section.facts],
            [*_table(section.table)] if section.table else [],
        ]
        lines += [line for part in parts if part for line in ("", *part)]
    return "\n".join([*lines, ""])


def _table(table: Table) -> Iterator[str]:
    for cells in (table.columns, ("---",) * len(table.columns), *table.rows):
        shown = cells if cells[0] == "---" else [plain(cell) for cell in cells]
        yield f"| {' | '.join(shown)} |"


def _cited(rows: Iterable[int]) -> str:
    return "".join(f" [{row}]" for row in rows)


_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#~&"})
_BARE_LINK = re.compile(r"(?<=[A-Za-z])(?=:\\?/\\?/)|(?<=www)(?=\.)", re.IGNORECASE)
"""Where an address begins that would be made a link without being asked for."""


_UNSOUND = re.compile(
    r"[\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"
)
"""What no file in UTF-8 can hold, turns the order of reading, or steers a terminal."""


def _line(text: str) -> str:
    return _UNSOUND.sub("\ufffd", " ".join(text.split()))


def plain(text: str) -> str:
    """Text on one line, with nothing in it that Markdown or HTML would take for itself."""
    return _BARE_LINK.sub(r"\\", _line(text).translate(_SPECIAL))


STYLE = """
:root{color-scheme:light dark;--ground:#fff;--ink:#1a1c1f;--muted:#565b61;--line:#dedfdb}
@media (prefers-color-scheme:dark){:root{--ground:#101214;--ink:#e8e9ea;--muted:#a4aab0;--line:#2c3034}}
*{box-sizing:border-box}
body{margin:0 auto;padding:16px;max-width:960px;background:var(--ground);color:var(--ink);overflow-wrap:anywhere;
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:22px;line-height:32px;margin:0 0 8px}
h2{font-size:17px;line-height:24px;margin:24px 0 8px;border-top:1px solid var(--line);padding-top:16px}
p{margin:0 0 8px;max-width:76ch}
dl{display:grid;grid-template-columns:208px minmax(0,1fr);gap:4px 16px;margin:0}
dt,th,.blank{color:var(--muted)}
dl+table{margin-top:12px}
dd{margin:0}
a{color:inherit}
table{border-collapse:collapse;width:100%;font-size:13px;line-height:20px}
th,td{text-align:left;vertical-align:top;padding:4px 8px 4px 0;border-top:1px solid var(--line)}
:target{outline:2px solid currentColor}
@media (max-width:640px){dl{grid-template-columns:minmax(0,1fr);gap:0}dd{margin-bottom:8px}
thead{display:none}tr{display:block;border-top:1px solid var(--line);padding:4px 0}td{display:block;border:0;padding:0}
td:empty{display:none}}
@media print{body{max-width:none}}
""".strip()


def html(paper: Paper) -> str:
    """The paper as one page: no script, no picture, nothing fetched; fits a phone and is fit to be printed."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_safe(paper.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            f"<h1>{_safe(paper.title)}</h1>",
            f"<dl>{''.join(_pair(name, _safe(value)) for name, value in paper.head)}</dl>",
            *(part for section in paper.sections for part in _section(section)),
            "</body>\n</html>\n",
        ]
    )


def _section(section: Section) -> Iterator[str]:
    yield f"<section>\n<h2>{_safe(section.title)}</h2>"
    if section.blank:
        yield f'<p class="blank">{FOR_PEOPLE}</p>'
    if section.text:
        yield f"<p>{_safe(section.text)}{_links(section.rows)}</p>"
    if section.facts:
        facts = (_pair(fact.name, f"{_safe(fact.value)}{_links(fact.rows)}") for fact in section.facts)
        yield f"<dl>{''.join(facts)}</dl>"
    if section.table:
        head = "".join(f'<th scope="col">{_safe(name)}</th>' for name in section.table.columns)
        yield f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>"
        cited = section.table.columns[0] == ROW
        for cells in section.table.rows:
            anchor = f' id="row-{_safe(cells[0])}"' if cited else ""
            yield f"<tr{anchor}>{''.join(f'<td>{_safe(cell)}</td>' for cell in cells)}</tr>"
        yield "</tbody>\n</table>"
    yield "</section>"


def _pair(name: str, shown: str) -> str:
    return f"<dt>{_safe(name)}</dt><dd>{shown}</dd>\n"


def _links(rows: Iterable[int]) -> str:
    return "".join(f' <a href="#row-{row}">[{row}]</a>' for row in rows)


def _safe(text: str) -> str:
    """Escaped, and without characters that no file in UTF-8 can hold or that turn the order of reading."""
    return escape(_line(text))
