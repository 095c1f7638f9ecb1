"""Every kind of channel, and the address book: which settings a delivery's address stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from config.people import PersonSpec
from config.problems import Wrong, did_you_mean
from config.section import Section
from daemon.escalate.channels.alertmanager import Alertmanager
from daemon.escalate.channels.console import Console
from daemon.escalate.channels.email import Email
from daemon.escalate.channels.ntfy import Ntfy
from daemon.escalate.channels.opsgenie import Opsgenie
from daemon.escalate.channels.pagerduty import PagerDuty
from daemon.escalate.channels.port import Channel
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.slack import Slack
from daemon.escalate.channels.sms import Sms
from daemon.escalate.channels.teams import Teams
from daemon.escalate.channels.voice import Voice
from daemon.escalate.channels.webhook import Webhook

_KEY = re.compile(r"[a-z][a-z0-9_]*")
"""What a key looks like, and the label of an alternative (`constrained-str`) does not."""


CHANNELS: tuple[Channel, ...] = (
    PagerDuty(),
    Email(),
    Webhook(),
    Console(),
    Slack(),
    Sms(),
    Ntfy(),
    Teams(),
    Opsgenie(),
    Alertmanager(),
    Voice(),
)
BY_KIND: Mapping[str, Channel] = {channel.kind: channel for channel in CHANNELS}
KINDS: Mapping[str, tuple[bool, bool, bool]] = {
    channel.kind: (channel.wakes, channel.available, channel.tracks) for channel in CHANNELS
}
"""What `schedules.directory_of` wants to know of each kind."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One channel of one person, validated."""

    channel: Channel
    spec: Section


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a place of the configuration (`path` from the root). `warning`: it loads all the same."""

    path: tuple[str | int, ...]
    problem: str
    hint: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class AddressBook:
    """`entries`: address (`ana/0`) to channel. Built anew at a reload; secrets never leave it but to be sent."""

    entries: Mapping[str, Entry]
    shared: Shared = field(default_factory=Shared)

    def find(self, address: str, kind: str) -> Entry | None:
        """What stands at the address, if it still is of that kind; else the person's first channel of that kind."""
        entry = self.entries.get(address)
        if entry is not None and entry.channel.kind == kind:
            return entry
        person = address.rpartition("/")[0]
        others = (found for place, found in self.entries.items() if place.rpartition("/")[0] == person)
        return next((found for found in others if found.channel.kind == kind), None)


def address_book(
    people: Mapping[str, PersonSpec], channels: Mapping[str, Any], context: Mapping[str, object]
) -> tuple[AddressBook, tuple[Fault, ...]]:
    """Validate every person's channels. `context`: `loaded.environment.context`, from which secrets are taken.

    What cannot be used is left out of the book and named in the faults.
    """
    faults: list[Fault] = []
    shared = Shared()
    try:
        shared = Shared.model_validate(dict(channels), context=dict(context))
    except ValidationError as error:
        faults += _faults(("channels",), error)
    entries: dict[str, Entry] = {}
    for name, person in people.items():
        mistakes = False
        for position, (kind, settings) in enumerate(person.ways):
            path = ("people", name, "channels", position, kind)
            entry, found = _entry(kind, settings, shared, path, context)
            faults += found
            mistakes = mistakes or any(not fault.warning for fault in found)
            if entry is not None:
                entries[f"{name}/{position}"] = entry
        # A channel with a mistake of its own was told of already.
        if not mistakes and not any(
            entry.channel.available for place, entry in entries.items() if place.rpartition("/")[0] == name
        ):
            faults.append(
                Fault(("people", name, "channels"), f"{person.name} cannot be reached by any channel")
            )
    return AddressBook(entries, shared), tuple(faults)


def _entry(
    kind: str, settings: Any, shared: Shared, path: tuple[str | int, ...], context: Mapping[str, object]
) -> tuple[Entry | None, list[Fault]]:
    channel = BY_KIND.get(kind)
    if channel is None:
        hint = did_you_mean(kind, BY_KIND) or f"known are {', '.join(BY_KIND)}"
        return None, [Fault(path, "unknown kind of channel", hint)]
    try:
        spec = channel.spec.model_validate(channel.normal(settings), context=dict(context))
    except ValidationError as error:
        return None, _faults(path, error)
    return Entry(channel, spec), [Fault(path, doubt, warning=True) for doubt in channel.doubts(spec, shared)]


def _faults(path: tuple[str | int, ...], error: ValidationError) -> list[Fault]:
    """What each key is wrong about; the alternatives of one key are one fault."""
    found: dict[tuple[str | int, ...], dict[str, str]] = {}
    for details in error.errors(include_url=False, include_input=False):
        cause = details.get("ctx", {}).get("error")
        problem, hint = (cause.problem, cause.hint) if isinstance(cause, Wrong) else (details["msg"], "")
        place = tuple(part for part in details["loc"] if isinstance(part, int) or _KEY.fullmatch(part))
        found.setdefault(place, {})[problem[:1].lower() + problem[1:]] = hint
    return [
        Fault((*path, *place), ", or ".join(problems), next(filter(None, problems.values()), ""))
        for place, problems in found.items()
    ]
