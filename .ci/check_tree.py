"""Fail on what must not be in the repository: left-over notes, switched-off tests, registry hosts, a uv lock file.

The patterns are put together from pieces, so that this file does not find itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

WHERE = (".", ":!*.lock")
NOTES = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
RULES = (
    ("a left-over note: do it, or open an issue", rf"\b({'|'.join(NOTES)})\b", WHERE),
    (
        "a switched-off test: skip by a condition with a reason",
        r"pytest\.mark\.(sk" + r"ip|xf" + r"ail)\b",
        ("*.py",),
    ),
    (
        "a registry host: lock files and scripts name none",
        "|".join(
            re.escape(host)
            for host in ("pypi" + ".org", "files.python" + "hosted", "registry.npm" + "js", "deb.debi" + "an")
        ),
        (".",),
    ),
)


def main(root: Path) -> int:
    """Print what was found; exit code 1 if anything was."""
    found = [f"{line}: {rule}" for rule, pattern, where in RULES for line in hits(root, pattern, where)]
    if git(root, "ls-files", "uv.lock"):
        found.append("uv.lock: is tracked; the two requirements files are the lock")
    for line in found:
        print(line)
    return 1 if found else 0


def hits(root: Path, pattern: str, where: tuple[str, ...]) -> list[str]:
    """`file:line` of each match in tracked text files."""
    out = git(root, "grep", "-nIP", pattern, "--", *where)
    return [":".join(line.split(":", 2)[:2]) for line in out.splitlines()]


def git(root: Path, *arguments: str) -> str:
    """What git says; `grep` answers 1 for nothing found. Raises `RuntimeError` on any other failure."""
    done = subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True, text=True)
    if done.returncode not in {0, 1}:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parents[1]))
