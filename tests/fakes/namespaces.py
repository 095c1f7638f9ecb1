"""A user and mount namespace of its own: small or read-only filesystems without rights on the machine."""

from __future__ import annotations

import subprocess

import pytest


def namespace(what: str) -> list[str]:
    """The words to put before a command; skips the test, saying `what` it wanted, where that is not allowed."""
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        probe = subprocess.run([*command, "true"], check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip(f"{what}: unshare is not installed")
    if probe.returncode != 0:
        pytest.skip(f"{what}: user namespaces are not allowed here")
    return command
