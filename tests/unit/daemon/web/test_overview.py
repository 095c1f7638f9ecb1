"""The overview in words: what is said on top, how rows are summed up, what the stream tells and leaves out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from config.scope import scope_of
from config.section import FailureMode
from daemon.desk import models
from daemon.desk.snapshot import Cell, Snapshot
from daemon.document.dossier import Dossier
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import IncidentState
from daemon.web.views import frame, overview
from daemon.web.views.reader import Reader
from remediations.run import RunState
from tests.fakes import rows, scene, scene_live

READER = Reader(scene.NOW)
QUIET = replace(
    scene_live.snapshot(),
    cells={
        str(mode): tuple(
            Cell("some-detector", scope_of({"tier": tier}), "ok", 0.0, "> 1%", 0.01)
            for tier in ("hot", "warm")
        )
        for mode in FailureMode
    },
)
UNSEEN = replace(QUIET, cells={**QUIET.cells, "data_quality": (), "ingestion_stopped": ()})


def status(count: int = 0, blind: int = 0) -> models.Status:
    return models.Status(
        version="0.1.0",
        autonomy="auto",
        paused=[],
        leader="x",
        sources=[],
        detectors=models.DetectorCounts(total=22, firing=0, blind=blind),
        incidents=models.IncidentCounts(open=count, worst=None),
        last_cycle=models.LastCycle(at=None, ms=None),
    )


def dossier(**fields: Any) -> Dossier:
    """An open incident of navixy; `run`: its state, `paging`: whether L1 waits."""
    run = fields.pop("run", None)
    paging = fields.pop("paging", False)
    return Dossier(
        rows.incident(**fields),
        run=rows.run(state=run) if run else None,
        escalation=rows.escalation(level=1, state=EscalationState.PAGING) if paging else rows.escalation(),
    )


@pytest.mark.parametrize(
    ("live", "blind", "said"),
    [
        (
            QUIET,
            0,
            "All quiet: no incident is open, 12 scopes are watched by 22 detectors. You need do nothing.",
        ),
        (UNSEEN, 0, "No incident is open, but nothing is known of Ingestion stopped, Data quality."),
        (
            replace(QUIET, cells={}),
            0,
            "No incident is open, but nothing is known of 6 of the six failure modes.",
        ),
        (QUIET, 1, "No incident is open, but 1 detector sees nothing, of 22."),
        (QUIET, 3, "No incident is open, but 3 detectors see nothing, of 22."),
        (replace(QUIET, rounds_done=False), 0, "Starting: nothing is judged"),
        (
            replace(QUIET, at=scene.NOW - 300),
            0,
            "No incident was open when the loop last reported, at 03:09Z.",
        ),
        (None, 0, "No incident is open in the store."),
    ],
)
def test_quiet_is_said_only_where_it_is_known(live: Snapshot | None, blind: int, said: str) -> None:
    assert overview.headline(status(blind=blind), live, [], READER).startswith(said)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            [dossier(run=RunState.ACTING)],
            "1 incident is open. Fleetmend is working on 1. You need do nothing yet.",
        ),
        (
            [dossier(run=RunState.GAVE_UP, paging=True)],
            "1 incident is open. 1 waits for a person: Provider navixy sends nothing.",
        ),
        (
            [dossier(run=RunState.PROPOSED)],
            "1 incident is open. 1 waits for a person: Provider navixy sends nothing.",
        ),
        (
            [dossier(paging=True), dossier(paging=True), dossier(run=RunState.VERIFYING)],
            (
                "3 incidents are open. 2 wait for a person: Provider navixy sends nothing, first of all. "
                "Fleetmend is working on 1."
            ),
        ),
        (
            [dossier(paging=True), dossier(run=RunState.DIAGNOSING, state=IncidentState.SUPPRESSED)],
            "2 incidents are open. 1 waits for a person: Provider navixy sends nothing. The other needs nothing yet.",
        ),
        ([dossier()], "1 incident is open. You need do nothing yet."),
    ],
)
def test_the_sentence_says_who_has_to_do_something(found: list[Dossier], said: str) -> None:
    assert overview.headline(status(count=len(found)), QUIET, found, READER) == said


def test_the_worst_scope_comes_first_and_decides_the_row() -> None:
    storage = next(row for row in overview.rows(scene_live.snapshot()) if row.mode == "storage_failure")
    assert [square.name for square in storage.squares] == ["hot", "cold", "warm"]
    assert (storage.look.word, storage.summary) == ("firing", "1 firing, 2 healthy")
    assert storage.squares[0].value == "21.4 %"


def test_a_scope_with_several_detectors_shows_the_worst_and_counts_the_others() -> None:
    provider = overview.rows(scene_live.snapshot())[0]
    assert (provider.squares[0].detector, provider.squares[0].others) == ("provider-errors", 1)


def test_many_scopes_are_counted_and_not_drawn() -> None:
    cells = tuple(
        Cell("values-missing", scope_of({"customer": f"c{number}"}), "ok", 0.0, "above 5%", 0.05)
        for number in range(500)
    )
    row = overview.rows(replace(QUIET, cells={"data_quality": cells}))[-1]
    assert (len(row.squares), row.hidden, row.summary) == (overview.CELLS, 488, "all 500 healthy")


def test_without_a_snapshot_every_row_is_unknown_and_none_is_healthy() -> None:
    assert {row.look.tone for row in overview.rows(None)} == {"unknown"}


@pytest.mark.parametrize(
    ("state", "blind", "tone"),
    [
        ("firing", False, "firing"),
        ("clearing", False, "firing"),
        ("firing", True, "unknown"),
        ("no_data", False, "unknown"),
        ("unknown", False, "unknown"),
        ("a state of tomorrow", False, "unknown"),
        ("ok", False, "healthy"),
    ],
)
def test_what_nobody_knows_is_neither_green_nor_red(state: str, blind: bool, tone: str) -> None:
    cell = Cell("x", scope_of({}), state, None, "above 1", 1.0, blind=blind)
    row = overview.rows(replace(QUIET, cells={"ingestion_stopped": (cell,)}))[1]
    assert row.squares[0].look.tone == tone


def test_a_sparkline_keeps_its_peaks_and_its_gaps() -> None:
    values = [0.0] * 100
    values[50] = 9.0
    values[80] = math.nan
    kept = overview.thinned(values, 36)
    assert len(kept) == 36
    assert 9.0 in kept
    assert sum(math.isnan(value) for value in kept) == 1
    assert overview.thinned(values[:10], 36) == values[:10]


def test_the_stream_tells_refusals_and_is_silent_about_a_guardrail_s_yes() -> None:
    no = Event("po-1", 10.0, Kind.GATES, "refused by budget", {"allowed": False})
    events = [
        Event("po-1", 5.0, Kind.STARTED, "restart started"),
        Event("po-1", 6.0, Kind.GATES, "allowed", {"allowed": True}),
        no,
        replace(no, at=11.0),
        Event("-", 12.0, Kind.DAEMON, "reloaded"),
        Event("po-1", 13.0, Kind.FINDING, "still firing"),
    ]
    told = overview.stream(events)
    assert [(line.at, line.word, line.incident) for line in told] == [
        (12.0, "fleetmend", ""),
        (11.0, "refused", "po-1"),
        (5.0, "started", "po-1"),
    ]


@pytest.mark.parametrize(
    ("live", "tones"),
    [
        (QUIET, []),
        (None, ["firing"]),
        (replace(QUIET, at=scene.NOW - 31), ["firing"]),
        (replace(QUIET, at=scene.NOW - 29), []),
        (replace(QUIET, at=scene.NOW - 4, poll_interval=1.0), []),
        (replace(QUIET, at=scene.NOW - 6, poll_interval=1.0), ["firing"]),
        (replace(QUIET, rounds_done=False), ["unknown"]),
        (replace(QUIET, refused=("x",)), ["pending"]),
        (replace(QUIET, at=scene.NOW - 31, refused=("x",)), ["firing", "pending"]),
    ],
)
def test_what_makes_a_page_worth_less_is_a_banner(live: Snapshot | None, tones: list[str]) -> None:
    assert [tone for tone, _ in frame.banners(live, READER)] == tones


def test_pauses_say_who_why_and_until_when_and_a_silence_is_none() -> None:
    mutes = models.Mutes(
        mutes=[
            models.Mute(id="p", kind="pause", owner="ben", reason="deploy", starts_at=0.0, ends_at=scene.NOW + 60, matchers={"tier": "hot"}),
            models.Mute(id="q", kind="pause", owner="ana", reason="", starts_at=0.0, ends_at=None, matchers={}),
            models.Mute(id="s", kind="silence", owner="ana", reason="x", starts_at=0.0, ends_at=scene.NOW + 9, matchers={}),
            models.Mute(id="l", kind="maintenance", owner="ana", reason="later", starts_at=scene.NOW + 5, ends_at=None, matchers={}),
        ]
    )  # fmt: skip
    held = frame.pauses(mutes, replace(QUIET, paused=("the kill switch exists",)), READER)
    assert held == (
        "the kill switch exists",
        "pause of everything by ana until lifted",
        "pause of tier=hot by ben until 03:15Z: deploy",
    )
