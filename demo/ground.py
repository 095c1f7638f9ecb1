"""What a stack stands on: its folders, an ordinary user or dropped rights, and the warm tier's small filesystem."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from demo import clock
from demo.settings import Stack

SEED = Path(__file__).with_name("seed")
NOBODY = 65534
FOLDERS = ("effects", "faults", "log", "providers", "credentials", "dlq", "spool", "spill", "archive", "cold", "hot", "warm", "api",
           "mapping", "rules", "ingestion")  # fmt: skip
ROOT = Path(__file__).parents[1]
DAY_S = 86_400.0
DEPLOYED = {"v001": 30.0, "v002": 7.0}
"""Versions at the start, and how many days ago they went live."""
IN_USE = "v002"
VERSIONED = {"mapping": SEED / "mapping", "rules": SEED / "rules", "ingestion": SEED}
"""What has versions, and where the content of the first two comes from."""
ENTER = ("unshare", "--user", "--map-root-user", "--mount")
PROBE = "import demo.programs.transformation, os, sys; os.listdir(sys.argv[1]); os.access(sys.executable, os.X_OK) or sys.exit(1)"
NO_OVERRIDE = ("--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all")


def lay_folders(state: Path) -> None:
    """Folders, and versions v001 (older) and v002 (in use) of mapping, rules and consumer configuration.

    What an earlier stack left in the same folder goes, but for its effect logs.
    """
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o755)
    if (state / "stack.json").exists():
        for name in FOLDERS:
            if name != "effects":
                shutil.rmtree(state / name, ignore_errors=True)
    for name in FOLDERS:
        (state / name).mkdir(exist_ok=True)
    lay_versions(state)
    date_links(state)
    shutil.copyfile(SEED / "code" / "render.py", state / "api" / "render.py")


def lay_versions(state: Path) -> set[str]:
    """v001 and v002 of everything versioned, with the seed's content, as if deployed some days ago.

    Returns the names of those in which a file had another content, or was missing.
    """
    changed = set()
    for parent, source in VERSIONED.items():
        for version, days in DEPLOYED.items():
            folder, at = state / parent / version, clock.now() - days * DAY_S
            folder.mkdir(exist_ok=True)
            for file in sorted(source.glob("*.toml" if parent == "ingestion" else "*.yaml")):
                copied, text = folder / file.name, file.read_bytes()
                if not copied.exists() or copied.read_bytes() != text:
                    copied.write_bytes(text)
                    changed.add(parent)
                os.utime(copied, (at, at))
            os.utime(folder, (at, at))
        if not (state / parent / "current").is_symlink():
            (state / parent / "current").symlink_to(IN_USE)
    return changed


def date_links(state: Path) -> None:
    """As if each had been switched when its version was deployed."""
    at = clock.now() - DEPLOYED[IN_USE] * DAY_S
    for parent in VERSIONED:
        os.utime(state / parent / "current", (at, at), follow_symlinks=False)


def stand(warm: Path, size_mb: int) -> str:
    """Give the warm tier a small filesystem: `mounted` here, `namespace` when it needs one of its own, or `none`."""
    if mount_warm(warm, size_mb):
        return "mounted"
    return "namespace" if can_enter_namespace() else "none"


def rights(state: Path, ground: str) -> tuple[tuple[str, ...], str]:
    """The command prefix that makes file modes count, and why there is none where there is none.

    root ignores chmod: as root the programs run as `nobody` where that user can reach the code and the state, else,
    as in a namespace whose only user is root, without the two capabilities that override file modes.
    """
    if os.geteuid() != 0 and ground != "namespace":
        return (), ""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return (), "root ignores chmod, and setpriv (util-linux) is not installed"
    nobody = (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    choices = [(setpriv, *NO_OVERRIDE)] if ground == "namespace" else [nobody, (setpriv, *NO_OVERRIDE)]
    within = ENTER if ground == "namespace" else ()
    for prefix in choices:
        argv = [*within, *prefix, sys.executable, "-c", PROBE, str(state)]
        tried = subprocess.run(argv, cwd=ROOT, capture_output=True, check=False, timeout=30)
        if tried.returncode == 0:
            return prefix, ""
    return (), "root ignores chmod, and its rights could not be dropped"


def hand_over(stack: Stack) -> None:
    """The programs' own folders belong to the user they run as."""
    if not any(word.startswith("--reuid") for word in stack.prefix):
        return
    for name in FOLDERS:
        for path in (stack.state / name, *(stack.state / name).rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def mount_warm(warm: Path, size_mb: int) -> bool:
    """A small tmpfs; False where this user may not mount."""
    if os.geteuid() != 0:
        return False
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0755", "fleetmend-demo-warm", str(warm)]
    return warm.is_mount() or subprocess.run(argv, capture_output=True, check=False).returncode == 0


def unmount_warm(state: Path) -> None:
    if (state / "warm").is_mount():
        subprocess.run(["umount", "--lazy", str(state / "warm")], capture_output=True, check=False)


def can_enter_namespace() -> bool:
    """Whether an ordinary user may have a user and mount namespace of its own here."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*ENTER, "true"], capture_output=True, check=False).returncode == 0
