"""Build: from loaded settings to a loop and its workers. The same for the live and the virtual driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from config.escalation import EXTERNAL
from config.loader import Loaded
from daemon.app.workers import Tools, Workers
from daemon.desk.loopback import is_loopback
from daemon.detect.fetching import Fetcher
from daemon.detect.plan import Sections
from daemon.detect.probes import Prober
from daemon.detect.sources.registry import build_sources
from daemon.detect.stage import Detection
from daemon.escalate.channels.registry import KINDS, address_book
from daemon.escalate.pacing import Pacing
from daemon.escalate.proving import plan_of
from daemon.escalate.rules import Policy, external, policy_of
from daemon.escalate.schedules import directory_of
from daemon.escalate.setup import AckToken, Setup
from daemon.escalate.stage import Escalate
from daemon.incidents.change import Job
from daemon.loop import calendars
from daemon.loop.control import Lead, SwitchBoard
from daemon.loop.core import Loop
from daemon.loop.ground import Host, Pools, Rehearsals, Stages
from daemon.loop.inbox import Alerts
from daemon.loop.messages import Message
from daemon.loop.pools import Pool
from daemon.metrics import Metrics
from daemon.mitigate.facts import Rules
from daemon.mitigate.stage import Mitigate
from daemon.settings.model import Settings
from daemon.store.store import Store
from daemon.web.sessions import Sessions
from detectors.modes import MODES
from remediations.actions.looks import Looker
from remediations.actions.managers.registry import built
from remediations.actions.registry import Actions
from remediations.ports import Ports

SLOTS = 8
"""Threads of each pool; the pools never share one."""

MakePool = Callable[[str, int, Callable[[Job], Message]], Pool]
"""(name, slots, work) -> pool: threads for the live driver, instant answers for the virtual one."""


Pause = Callable[[float], object] | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What `build` puts together."""

    loop: Loop
    workers: Workers


def build(
    loaded: Loaded[Settings],
    *,
    store: Store,
    ports: Ports,
    host: Host,
    metrics: Metrics,
    make_pool: MakePool,
    lead: Lead,
    now: float,
    pause: Pause = None,
) -> Parts:
    """Everything that decides, wired. `lead` holds the epoch that was claimed in `store`."""
    control = SwitchBoard(loaded.model.kill_switch, lead)
    tools = tools_of(loaded, ports, pause)
    workers = Workers(tools, ports, control)
    detection = Detection(sections_of(loaded.model), now)
    stages = stages_of(loaded.model, detection, tools.actions, control)
    with store.read() as uow:
        rows, hours = uow.checkpoints.load(), uow.rollups.load()
        booked = calendars.kept(uow.checkpoints.calendars())
    detection.restore(rows, hours)
    stages.alerts.restore(rows)
    pools = Pools(
        sources=make_pool("sources", SLOTS, workers.work),
        hands=make_pool("hands", SLOTS, workers.work),
        posts=make_pool("posts", SLOTS, workers.work),
    )
    loop = Loop(store, stages, pools, control, host, metrics)
    calendars.take(loop, booked)
    return Parts(loop, workers)


def rebuild(parts: Parts, loaded: Loaded[Settings], ports: Ports, now: float, pause: Pause = None) -> None:
    """Take a reloaded configuration: new rules, the same states, incidents, cooldowns, pages and clocks."""
    loop = parts.loop
    tools = tools_of(loaded, ports, pause)
    detection = loop.stages.detection
    detection.reload(sections_of(loaded.model), now)
    stages = stages_of(loaded.model, detection, tools.actions, loop.control)
    stages.alerts = loop.stages.alerts
    stages.alerts.remap(loaded.model.inbox.alertmanager.map)
    booked = loop.stages.escalate.setup.directory.booked
    loop.stages = stages
    calendars.take(loop, booked)
    loop.calendars.clear()  # each is read anew: whom it means, or where it is, may have changed
    loop.control.reconfigure(loaded.model.kill_switch)
    parts.workers.adopt(tools)


def tools_of(loaded: Loaded[Settings], ports: Ports, pause: Pause = None) -> Tools:
    """What workers use, for one configuration. `pause`: how an action waits between two polls; None: really."""
    settings = loaded.model
    prober = Prober(settings.probes, ports.http, ports.clock, ports.files, settings.vars)
    sources = build_sources(settings.telemetry, ports.http, ports.clock, max_bytes=settings.limits.response)
    book, _ = address_book(settings.people, settings.channels, loaded.environment.context)
    redactor = loaded.redactor
    environment = loaded.environment
    actions = Actions(settings.managers, environment.take, environment.context, redactor.text, pause)
    managers = {name: built(spec, ports, environment.take) for name, spec in settings.managers.items()}
    fetcher = Fetcher(sources, prober, managers, ports.clock)
    looker = Looker(actions, environment.take, redactor.text)
    return Tools(fetcher, prober, actions, looker, book, redactor, _outside(settings))


def _outside(settings: Settings) -> str:
    """Where services outside reach our own web server; empty where only this machine does."""
    url = settings.public_url or ""
    return "" if is_loopback(urlsplit(url).hostname or "") else url


def stages_of(settings: Settings, detection: Detection, actions: Actions, control: SwitchBoard) -> Stages:
    """The stages, each handed its own sections."""
    return Stages(
        detection=detection,
        mitigate=Mitigate(rules_of(settings, actions), detection, control),
        escalate=Escalate(setup_of(settings)),
        topology=settings.topology,
        holds={name: spec.fire.for_ for name, spec in settings.detectors.items() if spec.enabled},
        alerts=Alerts(settings.inbox.alertmanager.map),
        storm=settings.storm,
        drills=Rehearsals(settings.drills, {name: label_sets(settings, name) for name in settings.playbooks}),
    )


def rules_of(settings: Settings, actions: Actions) -> Rules:
    """Mitigation's part of the settings."""
    enabled = {name: book for name, book in settings.playbooks.items() if book.enabled}
    leave_after = settings.storm.leave_after
    return Rules(
        settings.autonomy,
        enabled,
        settings.limits,
        settings.vars,
        actions,
        leave_after,
        settings.earned_autonomy,
    )


def label_sets(settings: Settings, playbook: str) -> tuple[tuple[str, ...], ...]:
    """The labels that incidents of a playbook may have: those of its failure mode, and those its probes ask about.

    The last: what its probes need at the least, for where no value of the others is known.
    """
    book = settings.playbooks[playbook]
    usual = MODES[book.failure_mode].scope
    asked = [settings.probes[one.probe] for one in book.diagnose.values() if one.probe in settings.probes]
    more = sorted({probe.labels for probe in asked if not set(probe.labels) <= set(usual)})
    least = tuple(sorted({label for probe in asked for label in probe.labels}))
    return (usual, *more, least)


def sections_of(settings: Settings) -> Sections:
    """Detection's part of the settings."""
    return Sections(
        telemetry=settings.telemetry,
        detectors=settings.detectors,
        inventory=settings.inventory,
        probes=settings.probes,
        limits=settings.limits,
        poll_interval=settings.poll_interval,
        variables=settings.vars,
        proof=max((r.verify.hold for book in settings.playbooks.values() for r in book.ladder), default=0.0),
    )


def setup_of(settings: Settings) -> Setup:
    """Escalation's part of the settings."""
    policies = {
        name: policy_of(
            levels,
            remind={str(severity): after for severity, after in settings.remind.items()},
            heads_up=settings.heads_up,
            digest=settings.digest,
            hours=settings.working_hours,
        )
        for name, levels in settings.escalation.items()
    }
    default = policies.setdefault("default", Policy(()))
    policies[EXTERNAL] = external(default) if default.levels else default
    return Setup(
        policies=policies,
        directory=directory_of(settings.people, settings.teams, settings.schedules, KINDS),
        by_playbook={name: book.escalation for name, book in settings.playbooks.items()},
        public_url=settings.public_url or f"http://{settings.listen}",
        environment=settings.environment,
        ack_token=_ack_token(settings),
        page_test=plan_of(settings.page_test, settings.working_hours.timezone),
        pacing=Pacing(settings.paging.burst, settings.paging.every, frozenset(settings.paging.alone)),
    )


def _ack_token(settings: Settings) -> AckToken | None:
    """Signs the links in pages. Without a configured key nothing could check them after a restart: no links then."""
    keys = [key.reveal().encode() for key in settings.signing_keys]
    return Sessions(lambda: keys).link if keys else None
