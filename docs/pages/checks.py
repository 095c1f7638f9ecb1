"""`reference/checks.md`: every check of `fleetmend check`, from the checks themselves."""

from __future__ import annotations

from config.problems import Gravity
from daemon.settings.lint.check import Topic
from daemon.settings.lint.explain import section
from daemon.settings.lint.live.registry import LIVE_CHECKS
from daemon.settings.lint.registry import TOPICS
from pages.text import code, table

INTRO = """# Checks

`fleetmend check FILE` loads a configuration and looks for what loads and works, but will surprise somebody. Each
finding ends in the code of its check: `file:line: path: problem [code]; hint`, and `--json` has it as `code`.
`fleetmend check --explain CODE` prints a section of this page; `--explain all` lists the codes.

A warning leaves the exit code at 0. An error refuses the configuration (exit 2): it stands only where something cannot
work. `--live` asks the sources and the process managers as well; there an error means that the answer is no (exit 1).

## Silencing

A comment in the YAML, with the reason after the code:

```yaml
detectors:
  storage-writes:          # lint: ignore minimum-one-failure, window-over-hold (writes come once an hour)
    fire: {above: 1%, for: 5m}
```

It counts on the line of the finding and on the line of any key above it: beside `storage-writes:` for that detector,
beside `detectors:` for all of them. It may also stand alone on the line before. Where files are laid over one another
the line is the one that the finding names; a finding in the pack is silenced beside an entry of that name in a file of
one's own (`total-errors: {}   # lint: ignore no-playbook`). A code that no check has is told (`ignore-unknown`). What
cannot work cannot be silenced.
"""


def page() -> str:
    """The whole page."""
    rows = [(f"[{one.code}](#{one.code})", _weight(one), one.title) for one in TOPICS.values()]
    listed = table(("code", "weight", "found"), rows)
    return "\n".join([INTRO, listed, *(section(one) for one in TOPICS.values())])


def _weight(topic: Topic) -> str:
    live = any(topic is one for one in LIVE_CHECKS)
    weight = ("no" if live else "error") if topic.gravity is Gravity.ERROR else "warning"
    return f"{code('--live')}, {weight}" if live else weight
