"""`drill` as people and scripts use it: exit codes, JSON, and words for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.scope import WHOLE
from daemon.desk.drills import Drill, Drills
from daemon.incidents.drills import Check, DrillState, Grade, ScopeDrill
from daemon.incidents.drills import Drill as Drilled
from daemon.store.store import Store
from tests.unit.cli.conftest import Run

CONFIG = """
version: 1
autonomy: auto
pack: none
state: "sqlite:///{folder}/state.db"
telemetry: {{main: {{type: prometheus, url: "http://127.0.0.1:9"}}}}
inventory: {{provider: [navixy, oem-a]}}
probes:
  mapping: {{link: {{path: "{folder}/mapping/current"}}}}
playbooks:
  roll-back:
    failure_mode: transformation_failure
    diagnose: {{mapping: {{probe: mapping}}}}
    ladder:
      - name: previous-mapping
        when: "facts.mapping.body.version != 'v001'"
        do: {{file_link: {{link: "{folder}/mapping/current", to: previous}}}}
        undo: {{file_link: {{link: "{folder}/mapping/current", to: "{{{{ facts.mapping.body.version }}}}"}}}}
        autonomy: auto
  retired: {{failure_mode: api_degradation, enabled: false}}
people: {{ana: {{name: Ana, channels: [{{console: {{}}}}]}}}}
escalation: {{default: [{{level: L1, notify: ["person:ana"]}}]}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for version in ("v001", "v002"):
        (tmp_path / "mapping" / version).mkdir(parents=True)
    (tmp_path / "mapping" / "current").symlink_to("v002")
    file = tmp_path / "fleetmend.yaml"
    file.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    return file


def test_a_playbook_that_would_work_passes_and_nothing_is_changed(fleetmend: Run, config: Path) -> None:
    said = fleetmend("drill", "roll-back", "--config", config)
    assert said.code == 0, said.err
    assert "roll-back: passed" in said.out
    assert (config.parent / "mapping" / "current").readlink() == Path("v002")
    assert not (config.parent / "state.db").exists()
    assert "no daemon has used this store yet" in said.err


def test_json_is_the_model_and_nothing_else(fleetmend: Run, config: Path) -> None:
    said = fleetmend("drill", "roll-back", "--config", config, "--json")
    drill = Drill.model_validate_json(said.out)
    assert [part.scope for part in drill.scopes] == [{"provider": "navixy"}, {"provider": "oem-a"}]
    assert drill.score.passed == drill.score.asked > 0
    assert {gate.name for gate in drill.scopes[0].rungs[0].gates} >= {"kill_switch", "budget", "require"}


def test_what_would_not_work_is_an_answer_of_no(fleetmend: Run, config: Path) -> None:
    (config.parent / "mapping" / "v001").rmdir()
    said = fleetmend("drill", "roll-back", "--config", config, "--scope", "provider=navixy")
    assert said.code == 1
    assert "nothing is older than v002" in said.out.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("roll-bak",), "did you mean"),  # a slip of the fingers
        (("retired",), "known are roll-back"),  # switched off is not there
        (("roll-back", "--scope", "navixy"), "--scope"),
    ],
)
def test_a_mistake_in_the_call_is_told_as_one(
    arguments: tuple[str, ...], said: str, fleetmend: Run, config: Path
) -> None:
    answer = fleetmend("drill", *arguments, "--config", config)
    assert answer.code == 2
    assert said in answer.err


def kept(config: Path, *rows: Drilled) -> None:
    with Store.open(f"sqlite:///{config.parent / 'state.db'}") as store:
        store.migrate()
        for row in rows:
            with store.write() as uow:
                uow.drills.save(row)


def drilled(at: float, grade: Grade) -> Drilled:
    part = ScopeDrill(WHOLE, (Check("probe mapping", grade, "mapping: gone"),))
    return Drilled(f"dr-{at:.0f}", "roll-back", at, "ana", DrillState.ASKED, scopes=(part,)).over(at + 1)


def test_the_newest_drills_are_shown_and_the_newest_decides(fleetmend: Run, config: Path) -> None:
    kept(config, drilled(10.0, Grade.FAILED), drilled(20.0, Grade.PASSED))
    said = fleetmend("drill", "--last", "--config", config)
    assert said.code == 0
    assert "mapping: gone" in said.out.replace("\n", " ")
    kept(config, drilled(30.0, Grade.FAILED))
    said = fleetmend("drill", "roll-back", "--last", "--config", config, "--json")
    assert said.code == 1
    assert [row.id for row in Drills.model_validate_json(said.out).drills] == ["dr-30", "dr-20", "dr-10"]


def test_for_real_takes_a_running_daemon(fleetmend: Run, config: Path) -> None:
    said = fleetmend("drill", "roll-back", "--config", config, "--for-real", "--yes")
    assert said.code == 2
    assert "takes a running daemon" in said.err
