"""Levels that cannot do what they are for: nobody new is told, nobody surely, or no paging service is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from config.escalation import EXTERNAL, LevelSpec, Target
from config.problems import Gravity
from config.schedules import ScheduleSpec
from daemon.escalate.channels.registry import BY_KIND
from daemon.escalate.rota import DAY, on_call, shifts
from daemon.escalate.wallclock import instant
from daemon.settings.lint.check import Check, Found, View
from daemon.settings.model import Settings

LOOKED_AT = 372 * DAY
"""A year, both clock changes included; from when the last rotation begins, for no clock is read."""
UNSURE = frozenset({"alertmanager", "console", "teams"})
"""Kinds that take a message without anybody having to see it: nothing there rings, and what was taken may be lost."""


def _external(view: View) -> Iterator[Found]:
    settings = view.settings
    default = settings.escalation.get("default")
    without = _without_service(settings, default[0]) if default else []
    if not without:
        return
    named = ", ".join(without)
    for name, book in settings.playbooks.items():
        if book.escalation == EXTERNAL and book.enabled:
            text = f"{named} at L1 of escalation.default has no paging service, so nobody's policy decides"
            yield Found(("playbooks", name, "escalation"), text, "give them a pagerduty or opsgenie channel")


def _without_service(settings: Settings, level: LevelSpec) -> list[str]:
    """Who of a level may be the one that is told, and has no channel that keeps an incident; none where one always has."""
    always = [
        name for target in level.notify if target.kind != "schedule" for name in _people(settings, target)
    ]
    if any(_kinds(settings, name) & _SERVICES for name in always):
        return []
    turns = [
        name for target in level.notify if target.kind == "schedule" for name in _people(settings, target)
    ]
    return [name for name in dict.fromkeys([*turns, *always]) if not _kinds(settings, name) & _SERVICES]


_SERVICES = frozenset(kind for kind, channel in BY_KIND.items() if channel.tracks)


def _unsure(view: View) -> Iterator[Found]:
    settings = view.settings
    if not any(_kinds(settings, name) - UNSURE for name in settings.people):
        return  # a trial: whoever looks at it has it open
    for name, policy in settings.escalation.items():
        for place, level in enumerate(policy):
            people = {one for target in level.notify for one in _people(settings, target)}
            if people and not any(_kinds(settings, one) - UNSURE for one in people):
                text = f"everyone at {level.level} ({', '.join(sorted(people))}) has only {_listed(settings, people)}"
                yield Found(
                    ("escalation", name, place, "notify"), text, "add a channel that rings or is answered"
                )


def _listed(settings: Settings, people: set[str]) -> str:
    return " and ".join(sorted({kind for one in people for kind in _kinds(settings, one)}))


def _same(view: View) -> Iterator[Found]:
    settings = view.settings
    for name, policy in settings.escalation.items():
        for place in range(1, len(policy)):
            pair = (policy[place - 1], policy[place])
            share = _share_alike(settings, pair)
            if share > 0:
                lower, higher = pair[0].level, pair[1].level
                text = (
                    f"{higher} tells nobody new {share:.0%} of the time: everyone of it was told at {lower}"
                )
                hint = "turn one of the rotations by a person, or name somebody else"
                yield Found(("escalation", name, place, "notify"), text, hint)


def _share_alike(settings: Settings, pair: Sequence[LevelSpec]) -> float:
    """Share of a year in which the second of two levels means nobody whom the first does not mean."""
    specs = {target.name: settings.schedules.get(target.name) for level in pair for target in level.notify
             if target.kind == "schedule"}  # fmt: skip
    known = {name: spec for name, spec in specs.items() if spec is not None}
    if len(known) != len(specs) or any(spec.calendar is not None for spec in known.values()):
        return 0.0
    begins = max((_begins(spec) for spec in known.values()), default=0.0)
    edges = {begins, begins + LOOKED_AT}
    for spec in known.values():
        edges |= {shift.start for shift in shifts(spec, begins, begins + LOOKED_AT)}
    alike, marks = 0.0, sorted(edges)
    for one, two in pairwise(marks):
        lower, higher = ({who for t in level.notify for who in _at(settings, t, one)} for level in pair)
        alike += two - one if higher and higher <= lower else 0.0
    return alike / LOOKED_AT


def _begins(spec: ScheduleSpec) -> float:
    return max(instant(spec.zone(layer), layer.rotation.starts) for layer in spec.turns)


def _at(settings: Settings, target: Target, at: float) -> list[str]:
    if target.kind != "schedule":
        return _people(settings, target)
    person = on_call(settings.schedules[target.name], at)
    return [person] if person is not None else []


def _people(settings: Settings, target: Target) -> list[str]:
    """Everyone whom a target may mean. Of a calendar only what stands beside it is known."""
    if target.kind == "team":
        return list(settings.teams.get(target.name, ()))
    if target.kind == "person":
        return [target.name] if target.name in settings.people else []
    spec = settings.schedules.get(target.name)
    if spec is None:
        return []
    turns = [person for layer in spec.turns for person in layer.rotation.people]
    return [
        *turns,
        *(one.person for one in spec.overrides),
        *(spec.calendar.people.values() if spec.calendar else ()),
    ]


def _kinds(settings: Settings, person: str) -> set[str]:
    spec = settings.people.get(person)
    return {kind for kind, _ in spec.ways} if spec is not None else set()


_ANA = "  ana: {name: Ana, channels: [{email: ana@example.org}, {console: {}}]}\n"
_BEN = "  ben: {name: Ben, channels: [{email: ben@example.org}]}\n"
_BOOK = "playbooks:\n  page-for-storage: {failure_mode: storage_failure, ladder: [], escalation: external}"
_ROTA = 'rotation: {every: 1w, starts: "2026-01-05 09:00", people: '

EXTERNAL_NOWHERE = Check(
    code="external-nowhere",
    title="An external escalation without a paging service",
    gravity=Gravity.WARNING,
    why="""`escalation: external` sends one event to the first paging service (PagerDuty, Opsgenie) that somebody at L1 of
`escalation.default` has, and leaves levels and reminders to that service's own policy. Where whoever is on call has none,
the page goes to their first channel, once, and nothing follows it: no reminder, no next level.""",
    fix="Give everyone who may be on call at L1 a `pagerduty` or `opsgenie` channel, or let the playbook use a policy of yours.",
    example=f"""people:
{_ANA}escalation:
  default: [{{level: L1, notify: [person:ana]}}]
{_BOOK}   # <--
""",
    better=f"""people:
  ana: {{name: Ana, channels: [{{pagerduty: {{routing_key: {{env: SIGNING_KEY}}}}}}]}}
escalation:
  default: [{{level: L1, notify: [person:ana]}}]
{_BOOK}
""",
    find=_external,
)

LEVEL_UNSURE = Check(
    code="level-unsure",
    title="A level that may be told without anybody noticing",
    gravity=Gravity.WARNING,
    why="""The console rings nowhere, Teams takes a message before its own flow has posted it, and whom an Alertmanager tells is
decided by its own routes: what is lost there is told to nobody. A level whose people have nothing else counts as told while they may know nothing, and the next one follows only
after its time.""",
    fix="Give somebody of the level another channel as well: one that rings, or says that it delivered.",
    example=f"""people:
{_ANA}  ben: {{name: Ben, channels: [{{console: {{}}}}]}}
escalation:
  default:
    - {{level: L1, notify: [person:ana]}}
    - {{level: L2, notify: [person:ben], after: {{high: 30m}}}}   # <--
""",
    better=f"""people:
{_ANA}{_BEN}escalation:
  default:
    - {{level: L1, notify: [person:ana]}}
    - {{level: L2, notify: [person:ben], after: {{high: 30m}}}}
""",
    find=_unsure,
)

LEVEL_REPEATS = Check(
    code="level-repeats",
    title="A level that tells nobody new",
    gravity=Gravity.WARNING,
    why="""An escalation is for somebody else to look. Where two levels are rotations of the same people, in step, the one who
did not answer at L1 is asked again at L2, and nobody else knows until L3. A year is looked at, both clock changes included.""",
    fix="Start one of the two rotations with another person, so that the two are never in step, or name a team above.",
    example=f"""people:
{_ANA}{_BEN}schedules:
  primary: {{{_ROTA}[ana, ben]}}}}
  second: {{{_ROTA}[ana, ben]}}}}
escalation:
  default:
    - {{level: L1, notify: ["schedule:primary"]}}
    - {{level: L2, notify: ["schedule:second"], after: {{high: 30m}}}}   # <--
""",
    better=f"""people:
{_ANA}{_BEN}schedules:
  primary: {{{_ROTA}[ana, ben]}}}}
  second: {{{_ROTA}[ben, ana]}}}}
escalation:
  default:
    - {{level: L1, notify: ["schedule:primary"]}}
    - {{level: L2, notify: ["schedule:second"], after: {{high: 30m}}}}
""",
    find=_same,
)
