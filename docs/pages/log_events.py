"""`reference/log-events.md`: the messages of log lines and the kinds of timeline rows."""

from __future__ import annotations

from daemon import log
from daemon.incidents.events import Event, Kind
from pages.text import code, doc, member_docs, table

INTRO = """# Log lines and timeline rows

## Log

One JSON object a line on standard error. Every line has `timestamp` (ISO 8601, UTC), `level`, `service`,
`correlation_id` (the incident's id, or `-`) and `message`; values are fields beside them, never part of the message,
so a message can be searched for as it stands. Secrets are hidden in every line, tracebacks included.
"""

TIMELINE = """## Timeline

What happened to an incident, append-only; `incident ID`, `explain`, the post-mortem and the audit read nothing else.
{event} `data` holds the facts behind the text:
"""


def page() -> str:
    """The whole page."""
    messages = [
        (code(value),)
        for name, value in vars(log).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("NO_")
    ]
    said = member_docs(Kind)
    kinds = [
        (
            code(kind.value),
            ", ".join(code(key.strip()) for key in said.get(kind.name, "").split(",") if key.strip()),
        )
        for kind in Kind
    ]
    return "\n".join(
        [
            INTRO,
            table(("message",), messages),
            TIMELINE.format(event=doc(Event)),
            table(("kind", "data"), kinds),
        ]
    )
