"""People, teams and channels (`people:`, `teams:`, `channels:`), knowing no kind of channel.

What stands under the name of a channel kind stays generic here, secrets as their references; the channel's own
package validates it with `context=loaded.environment.context`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from config.problems import Wrong, did_you_mean
from config.section import Section
from config.units import shown


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise Wrong(
            f"no time zone is named {shown(name)}",
            did_you_mean(name, available_timezones()) or "write one such as Europe/Paris",
        )
    ZoneInfo(name)
    return name


def _one_key(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(entry) != 1:
        raise Wrong(
            f"expected one kind of channel, got {len(entry)}",
            "begin each with a dash: - email: ana@example.org",
        )
    return entry


TimeZone = Annotated[str, AfterValidator(_known_zone)]
"""An IANA name such as `Europe/Paris`."""
ChannelEntry = Annotated[dict[str, Any], AfterValidator(_one_key)]
"""`{KIND: settings}`, for example `{email: ana@example.org}`."""


class PersonSpec(Section):
    """Someone who can be paged. `channels` in the order in which they are tried."""

    name: str
    timezone: TimeZone = "UTC"
    channels: Annotated[tuple[ChannelEntry, ...], Field(min_length=1)]

    @property
    def ways(self) -> tuple[tuple[str, Any], ...]:
        """The channels as (kind, settings), in order."""
        return tuple(next(iter(entry.items())) for entry in self.channels)


Teams = dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]
"""Team name to names of people."""
Channels = dict[str, dict[str, Any]]
"""Channel kind to the settings all its uses share (`smtp: {host: …}`); generic, see the module."""
