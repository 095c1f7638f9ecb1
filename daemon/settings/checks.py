"""Cross-checks: every name refers to something, every action and channel is one that exists. Errors only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from config.addresses import passwords_in
from config.escalation import CALM_INTERVAL, EXTERNAL, Target
from config.loader import Loaded
from config.problems import Gravity, Wrong
from config.scope import scope_of
from config.section import Section
from config.units import format_duration
from daemon.desk.loopback import is_loopback
from daemon.escalate.channels.registry import BY_KIND, address_book
from daemon.escalate.channels.shared import Shared
from daemon.settings.managed import check_reruns, check_service, check_witness
from daemon.settings.model import Settings
from daemon.settings.names import check_names
from detectors.spec import DetectorSpec
from remediations.actions.registry import brought, entry_of, managers_of, validate_action
from remediations.spec import Playbook

Path = tuple[str | int, ...]

PLACED = "pack/"
"""Files of the shipped pack: what they refer to may be missing in a first configuration."""


def cross_check(loaded: Loaded[Settings]) -> None:
    """Record problems on `loaded`."""
    for name, detector in loaded.model.detectors.items():
        _detector(loaded, name, detector)
    for name, playbook in loaded.model.playbooks.items():
        _playbook(loaded, name, playbook)
    _plugins(loaded)
    _ties(loaded)
    _inbox(loaded)
    _drills(loaded)
    _people(loaded)
    _local_operator(loaded)
    _floods(loaded)
    _addresses(loaded)
    check_names(loaded)


def _detector(loaded: Loaded[Settings], name: str, detector: DetectorSpec) -> None:
    settings, path = loaded.model, ("detectors", name)
    if detector.source is not None and detector.source not in settings.telemetry:
        loaded.unknown((*path, "source"), "telemetry source", detector.source, settings.telemetry)
    if (
        detector.source is None
        and not settings.telemetry
        and detector.signal.probe is None
        and detector.enabled
    ):
        _once(
            loaded,
            ("telemetry",),
            "no telemetry source is configured",
            "add telemetry: {main: {type: prometheus, …}}",
        )
    if detector.signal.probe is not None and detector.signal.probe not in settings.probes:
        loaded.unknown((*path, "signal", "probe"), "probe", detector.signal.probe, settings.probes)
    for index, witness in enumerate(detector.corroborate.witnesses if detector.corroborate else ()):
        kind = "any" if detector.corroborate and detector.corroborate.any_ else "all"
        place = (*path, "corroborate", kind, index)
        if witness.probe is not None and witness.probe not in settings.probes:
            loaded.unknown((*place, "probe"), "probe", witness.probe, settings.probes)
        if witness.detector == name:
            text = "a detector is no witness of itself"
            loaded.problem((*place, "detector"), text, "name another detector, or a probe")
        elif witness.detector is not None and witness.detector not in settings.detectors:
            loaded.unknown((*place, "detector"), "detector", witness.detector, settings.detectors)
        if (
            witness.manager is not None
            and witness.manager not in settings.managers
            and not _from_pack(loaded, place)
        ):
            loaded.unknown((*place, "manager"), "manager", witness.manager, settings.managers)
        check_witness(loaded, place, witness.manager, witness.unit)


def _playbook(loaded: Loaded[Settings], name: str, playbook: Playbook) -> None:
    settings, path = loaded.model, ("playbooks", name)
    for fact, question in playbook.diagnose.items():
        if question.probe not in settings.probes:
            loaded.unknown((*path, "diagnose", fact, "probe"), "probe", question.probe, settings.probes)
    for place, check in playbook.checks():
        if check.probe is not None and check.probe not in settings.probes:
            where = (*path, *_parts(place), "probe")
            loaded.unknown(where, "probe", check.probe, settings.probes)
    for place, do in playbook.actions():
        _action(loaded, (*path, *_parts(place)), do)
    check_reruns(loaded, path, playbook)
    if playbook.escalation not in settings.escalation and playbook.escalation != EXTERNAL:
        loaded.unknown((*path, "escalation"), "escalation", playbook.escalation, settings.escalation)


def _action(loaded: Loaded[Settings], path: Path, do: Mapping[str, object]) -> None:
    kind = next(iter(do), "")
    managers: frozenset[str] = frozenset()
    gravity = Gravity.WARNING if _from_pack(loaded, path) else Gravity.ERROR
    entry = entry_of(kind)
    with _recording(loaded, (*path, kind), Section if entry is None else entry.args):
        _, args = validate_action(do, loaded.environment.context)
        managers = managers_of(args)
        check_service(loaded, (*path, kind), args, gravity)
    for manager in managers - loaded.model.managers.keys():
        loaded.problem(
            (*path, kind, "manager"),
            f"no manager is named {manager!r}",
            "add it under managers; without it this rung is refused",
            gravity,
        )


def _plugins(loaded: Loaded[Settings]) -> None:
    """A kind of another package that is left out: told where it is used; where it is not, it keeps nobody from starting."""
    used: dict[str, Path] = {}
    for name, playbook in loaded.model.playbooks.items():
        for place, do in playbook.actions():
            used.setdefault(next(iter(do), ""), ("playbooks", name, *_parts(place)))
    for one in brought().refused:
        if one.shadows or one.kind not in used:
            text = f"the action '{one.kind}' of {one.package} is left out: {one.reason}"
            path = (*used[one.kind], one.kind) if one.kind in used else ()
            loaded.problem(path, text, "mend or remove that package", Gravity.WARNING)


def _ties(loaded: Loaded[Settings]) -> None:
    """Of several matching playbooks the one with most labels wins; two that tie cannot be told apart."""
    enabled = [(name, p) for name, p in loaded.model.playbooks.items() if p.enabled]
    for (one, a), (other, b) in combinations(enabled, 2):
        if a.failure_mode == b.failure_mode and a.specificity == b.specificity and _overlap(a, b):
            text = f"matches the same incidents as playbook {one!r}, with as many labels"
            loaded.problem(("playbooks", other, "match"), text, "give one of them another label to match")


def _overlap(a: Playbook, b: Playbook) -> bool:
    shared = a.match.keys() & b.match.keys()
    if a.match.keys() != b.match.keys() and a.match and b.match:
        return all(_values(a.match[label]) & _values(b.match[label]) for label in shared)
    return all(_values(a.match[label]) & _values(b.match[label]) for label in shared)


def _values(wanted: str | tuple[str, ...]) -> set[str]:
    return {wanted} if isinstance(wanted, str) else set(wanted)


def _inbox(loaded: Loaded[Settings]) -> None:
    settings = loaded.model
    for index, entry in enumerate(settings.inbox.alertmanager.map):
        if entry.verify_with is not None and entry.verify_with not in settings.detectors:
            path = ("inbox", "alertmanager", "map", index, "verify_with")
            loaded.unknown(path, "detector", entry.verify_with, settings.detectors)


def _drills(loaded: Loaded[Settings]) -> None:
    settings, seen = loaded.model, set[str]()
    if settings.drills.for_real and settings.environment == "production":
        text = "drills may be carried out for real in an environment called production"
        hint = "leave it out where people depend on the pipeline, or name the environment"
        loaded.problem(("drills", "for_real"), text, hint, Gravity.WARNING)
    for index, plan in enumerate(settings.drills.schedule):
        path: Path = ("drills", "schedule", index)
        book = settings.playbooks.get(plan.playbook)
        if book is None:
            loaded.unknown((*path, "playbook"), "playbook", plan.playbook, settings.playbooks)
        elif plan.scope and not book.matches(book.failure_mode, scope_of(plan.scope)):
            loaded.problem(
                (*path, "scope"), f"{plan.playbook} is not for this scope", "name labels that it matches"
            )
        written = f"{plan.playbook} {sorted(plan.scope.items())} {plan.at}"
        if written in seen:
            loaded.problem(path, "this drill stands here twice", "leave one of them out")
        seen.add(written)


def _people(loaded: Loaded[Settings]) -> None:
    settings = loaded.model
    told = _channels(loaded)
    _, faults = address_book(settings.people, settings.channels, loaded.environment.context)
    for fault in faults:
        if any(fault.path[: len(place)] == place for place in told):
            continue
        if fault.warning and ("channels",) in told:
            continue  # a doubt about what is shared, which has its own problem
        gravity = Gravity.WARNING if fault.warning else Gravity.ERROR
        loaded.problem(fault.path, fault.problem, fault.hint, gravity)
    for path, member in _members(settings):
        if member not in settings.people:
            loaded.unknown(path, "person", member, settings.people)
    for path, target in _targets(settings):
        _target(loaded, path, target)
    for place, kind in enumerate(settings.page_test.skip if settings.page_test is not None else ()):
        if kind not in BY_KIND:
            loaded.unknown(("page_test", "skip", place), "kind of channel", kind, BY_KIND)


def _channels(loaded: Loaded[Settings]) -> list[Path]:
    """Record what is wrong with the settings of channels; the places that have been told of."""
    settings, context = loaded.model, loaded.environment.context
    parts: list[tuple[Path, type[BaseModel], Any]] = [(("channels",), Shared, dict(settings.channels))]
    for name, person in settings.people.items():
        for position, (kind, written) in enumerate(person.ways):
            channel = BY_KIND.get(kind)
            if channel is not None:
                place: Path = ("people", name, "channels", position, kind)
                parts.append((place, channel.spec, channel.normal(written)))
    told: list[Path] = []
    for path, model, data in parts:
        try:
            model.model_validate(data, context=context)
        except ValidationError as error:
            loaded.invalid(path, error, model)
            told.append(path)
    return told


def _members(settings: Settings) -> Iterator[tuple[Path, str]]:
    for team, members in settings.teams.items():
        for index, member in enumerate(members):
            yield ("teams", team, index), member
    for schedule, spec in settings.schedules.items():
        for place, layer in enumerate(spec.turns):
            within = ("layers", place) if spec.layers else ()
            for index, member in enumerate(layer.rotation.people):
                yield ("schedules", schedule, *within, "rotation", "people", index), member
        for written, member in spec.calendar.people.items() if spec.calendar is not None else ():
            yield ("schedules", schedule, "calendar", "people", written), member
        for index, override in enumerate(spec.overrides):
            yield ("schedules", schedule, "overrides", index, "person"), override.person
        for index, swap in enumerate(spec.swaps):
            for side, member in enumerate(swap.between):
                yield ("schedules", schedule, "swaps", index, "between", side), member


def _local_operator(loaded: Loaded[Settings]) -> None:
    """Ordering without a token is for people at the machine; what others can reach must not offer it."""
    settings = loaded.model
    if not settings.local_operator:
        return
    for key, address in (("listen", f"//{settings.listen}"), ("public_url", settings.public_url)):
        if address is not None and not is_loopback(urlsplit(address).hostname or ""):
            text = f"everyone who reaches {getattr(settings, key)} could try to order without a token"
            loaded.problem(
                ("local_operator",), text, f"keep {key} on 127.0.0.1, or give people tokens instead"
            )


def _floods(loaded: Loaded[Settings]) -> None:
    """A message that repeats faster than people can act is told of; faster than a second it is an error."""
    every: dict[Path, float] = {
        ("remind", severity.value): interval for severity, interval in loaded.model.remind.items()
    }
    for name, policy in loaded.model.escalation.items():
        for index, level in enumerate(policy):
            for severity, interval in level.repeat.items():
                every["escalation", name, index, "repeat", severity.value] = interval
    for path, interval in every.items():
        if interval < CALM_INTERVAL:
            text = f"repeats a message every {format_duration(interval)}, faster than people can act"
            loaded.problem(path, text, "write 1m or longer", Gravity.WARNING)


def _addresses(loaded: Loaded[Settings]) -> None:
    """No password stands in any address; and what is written for replicas is told not to be there yet."""
    for path in passwords_in(loaded.data):
        if path != ("state",):
            text = "a user's name or password stands in the address, which is shown to people"
            loaded.problem(path, text, "leave it out, and give it apart as {env: NAME} or {file: PATH}")
    if loaded.model.state.startswith("postgresql"):
        text = "replicas on PostgreSQL come with a later release"
        loaded.problem(("state",), text, "run one daemon on it, and no second", Gravity.WARNING)


@contextmanager
def _recording(loaded: Loaded[Settings], path: Path, model: type[BaseModel]) -> Iterator[None]:
    try:
        yield
    except Wrong as wrong:
        loaded.problem(path, wrong.problem, wrong.hint)
    except ValidationError as error:
        loaded.invalid(path, error, model)


def _targets(settings: Settings) -> Iterator[tuple[Path, Target]]:
    for name, policy in settings.escalation.items():
        for index, level in enumerate(policy):
            for place, target in enumerate(level.notify):
                yield ("escalation", name, index, "notify", place), target
    told = (("heads_up", settings.heads_up), ("digest", settings.digest), ("page_test", settings.page_test))
    for key, spec in told:
        for place, target in enumerate(spec.notify if spec is not None else ()):
            yield (key, "notify", place), target


def _target(loaded: Loaded[Settings], path: Path, target: Target) -> None:
    known = {
        "schedule": loaded.model.schedules.keys(),
        "team": loaded.model.teams.keys(),
        "person": loaded.model.people.keys(),
    }[target.kind]
    if target.name in known:
        return
    if _from_pack(loaded, path):
        text = f"{target} is not configured: this level is skipped, and pages are shown in the console only"
        loaded.problem(
            path, text, f"add {target.kind}s.{target.name}, or your own escalation", Gravity.WARNING
        )
        return
    loaded.unknown(path, target.kind, target.name, known)


def _once(loaded: Loaded[Settings], path: tuple[str, ...], text: str, hint: str) -> None:
    if all(problem.problem != text for problem in loaded.problems):
        loaded.problem(path, text, hint)


def _from_pack(loaded: Loaded[Settings], path: Path) -> bool:
    return loaded.where(path)[0].startswith(PLACED)


def _parts(dotted: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in dotted.split("."))
