"""What guardrails are told. Read in the transaction that writes `intended`, so caps and budgets cannot race.

All instants are unix seconds. Every type is this package's own: the daemon translates its rows into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from config.scope import WHOLE, Scope
from config.section import Autonomy
from config.units import Budget
from remediations.earned import Standing
from remediations.verification import NOTHING_SEEN, Reading


@dataclass(frozen=True, slots=True)
class Muting:
    """One active reason why nothing should be done: `kind` pause | maintenance | silence; `until` None: until lifted."""

    kind: str
    owner: str
    reason: str
    until: float | None


@dataclass(frozen=True, slots=True)
class Storming:
    """The storm that stands, by the id of its incident. `until`: the earliest it can be over."""

    incident: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Cause:
    """A declared cause that is not decided yet: its detector is pending, or nothing is known of it.

    `settles_at`: when its own hold is over at the latest (start of the wait + the cause's `for`).
    """

    failure_mode: str
    scope: Scope
    state: str
    settles_at: float


@dataclass(frozen=True, slots=True)
class Flight:
    """An action of any incident in flight or in verification: what is being repaired counts as unhealthy."""

    incident: str
    playbook: str
    scope: Scope
    action: str
    targets: tuple[str, ...]
    locks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Switched:
    """A target that was switched over and is locked; `incident` did it."""

    target: str
    until: float
    reason: str
    incident: str


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits on what may be in flight at once: in all, per target, per kind of action, per lock, scopes of a playbook."""

    overall: int
    per_target: int
    per_action: int
    per_group: int
    max_scopes: int


@dataclass(frozen=True, slots=True)
class Wheel:
    """Whether a person has the wheel: paged (or stepped back) after they last released it."""

    paged_at: float | None = None
    released_at: float | None = None
    approved_by: str | None = None

    @property
    def held(self) -> bool:
        """A page stops new rungs until `resume` or an approval."""
        return self.paged_at is not None and (self.released_at is None or self.released_at < self.paged_at)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the fifteen guardrails look at, and the names that `when` and `require` see.

    `earned`: what the rung's record says, where records count.
    `returning`: a debt is paid, nothing is mended; `nearby`: incidents that stand open at its place.
    `used`: start times of disruptive actions on the same (action, target) within the budget's window.
    `used_overall`: the same of everything, within the window of `overall`.
    `climb_ended_at`: end of the last climb of the same playbook and scope. `target_error`: why the target set could
    not be resolved (empty, unbounded, hostile label). `mends`: whether the action can mend anything (telling people and
    waiting cannot); `told`: such a rung that must not be repeated was carried out for this incident already.
    """

    incident: str
    playbook: str
    scope: Scope = WHOLE
    kill_switch: str | None = None
    leader: bool = True
    wheel: Wheel = Wheel()
    ceiling: Autonomy = Autonomy.OBSERVE
    disruptive: bool = True
    mends: bool = True
    told: bool = False
    tried: bool = False
    """This climb has begun it before: a reload moved the ladder under it."""
    action: str = ""
    targets: tuple[str, ...] = ()
    target_error: str | None = None
    fault: Reading = NOTHING_SEEN
    fresh_within: float = 60.0
    corroborated: bool = True
    causes: tuple[Cause, ...] = ()
    mutings: tuple[Muting, ...] = ()
    storm: Storming | None = None
    in_flight: tuple[Flight, ...] = ()
    caps: Caps = Caps(2, 1, 2, 2, 1)
    used: tuple[float, ...] = ()
    used_overall: tuple[float, ...] = ()
    overall: Budget | None = None
    climb_started: bool = False
    climb_ended_at: float | None = None
    switched: tuple[Switched, ...] = ()
    returning: bool = False
    nearby: tuple[str, ...] = ()
    earned: Standing | None = None
    names: Mapping[str, Any] = field(default_factory=dict)
