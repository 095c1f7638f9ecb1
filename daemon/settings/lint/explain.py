"""A check in words: one section, the same in the documentation and on the command line."""

from __future__ import annotations

from config.problems import Gravity
from daemon.settings.lint.check import MARK, Topic
from daemon.settings.lint.live.seen import LiveCheck


def section(topic: Topic) -> str:
    """Markdown: what, why, an example that triggers it, how to mend and how to silence it."""
    parts = [f"## {topic.code}", f"**{topic.title}.** {_weight(topic)}", topic.why]
    parts += [f"{_before(topic)}\n\n```yaml\n{topic.example.replace(MARK, '# here')}```"]
    parts += [f"{topic.fix} For example:\n\n```yaml\n{topic.better}```", _silencing(topic)]
    return "\n\n".join(parts) + "\n"


def _weight(topic: Topic) -> str:
    if isinstance(topic, LiveCheck):
        answer = "the answer is no (exit 1)" if topic.gravity is Gravity.ERROR else "a warning"
        return f"Asked by `--live`; {answer}."
    return "An error: the configuration is refused." if topic.gravity is Gravity.ERROR else "A warning."


def _before(topic: Topic) -> str:
    if isinstance(topic, LiveCheck):
        return f"It is found where {topic.asked} gives {topic.sees}:"
    return "It is found in:"


def _silencing(topic: Topic) -> str:
    if topic.gravity is Gravity.ERROR and not isinstance(topic, LiveCheck):
        return "It cannot be silenced: it cannot work."
    return f"To silence it, write `# lint: ignore {topic.code}` and the reason on the line, or beside the entry's name."
