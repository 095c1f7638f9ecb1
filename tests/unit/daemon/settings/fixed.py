"""An environment in which every variable is set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Given(Mapping[str, str]):
    """Long enough to pass for any secret; `H` is a webhook's key."""

    def __getitem__(self, name: str) -> str:
        return f"whsec_{'QUJD' * 8}" if name == "H" else "ab" * 32

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
