"""Overlay: files change the pack and one another by name, and only what they mean to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.overlay import overlay, settle
from config.problems import ConfigError
from config.yamlfile import Node, parse_yaml
from tests.unit.config.small import lines_of, load_small


def tree(text: str) -> Node:
    node, problems = parse_yaml(text, "x.yaml")
    assert node is not None
    assert problems == []
    return node


def merged(base: str, over: str) -> Any:
    problems: list[str] = []
    result = settle(
        overlay(tree(base), tree(over)),
        lambda path, _, text, hint: problems.append(f"{path}: {text}; {hint}"),
    )
    assert problems == []
    return result.plain()


@pytest.mark.parametrize(
    ("base", "over", "result", "reason"),
    [
        ("{detectors: {a: {x: 1, y: 2}}}", "{detectors: {a: {y: 3}}}", {"detectors": {"a": {"x": 1, "y": 3}}}, "maps merge deeply"),
        ("{vars: {l: [1, 2]}}", "{vars: {l: [3]}}", {"vars": {"l": [3]}}, "lists replace"),
        ("{detectors: {a: {x: 1}}}", "{detectors: {a: {enabled: false}}}", {"detectors": {}}, "a disabled entry goes"),
        ("{detectors: {a: {x: 1, enabled: false}}}", "{detectors: {a: {enabled: true}}}", {"detectors": {"a": {"x": 1}}}, "and comes back"),
        ("{escalation: {default: [1]}}", "{escalation: {default: {enabled: false}}}", {"escalation": {}}, "entries that are lists too"),
        ("{storm: {enabled: false}}", "{}", {"storm": {"enabled": False}}, "only entries of named maps"),
        ("{detectors: {a: {expected: {per: 1m}}}}", "{detectors: {a: {expected: }}}", {"detectors": {"a": {}}}, "nothing unsets"),
        ("{detectors: {a: {x: 1}}}", "detectors:\n", {"detectors": {"a": {"x": 1}}}, "an empty section changes nothing"),
        ("{poll: 1}", "{poll: }", {}, "an empty scalar is unset"),
        ("{detectors: {a: {signal: {ratio: {of: x}}}}}", "{detectors: {a: {signal: {rate: {of: y}}}}}", {"detectors": {"a": {"signal": {"rate": {"of": "y"}}}}}, "another kind of signal replaces the first"),
        ("{detectors: {a: {signal: {ratio: {of: x, to: z}}}}}", "{detectors: {a: {signal: {ratio: {of: y}}}}}", {"detectors": {"a": {"signal": {"ratio": {"of": "y", "to": "z"}}}}}, "the same kind merges"),
        ("{detectors: {a: {fire: {above: 1, for: 5m}}}}", "{detectors: {a: {fire: {equals: 0}}}}", {"detectors": {"a": {"fire": {"for": "5m", "equals": 0}}}}, "another comparison too, beside what is shared"),
        ("{detectors: {a: {corroborate: {any: [1]}}}}", "{detectors: {a: {corroborate: {all: [2]}}}}", {"detectors": {"a": {"corroborate": {"all": [2]}}}}, "any and all exclude each other"),
        ("{probes: {a: {http: {url: x}, ok: y}}}", "{probes: {a: {tcp: {port: 1}}}}", {"probes": {"a": {"ok": "y", "tcp": {"port": 1}}}}, "a probe of another kind"),
        ("{probes: {http: {http: {url: x}}}}", "{probes: {dns: {dns: {name: y}}}}", {"probes": {"http": {"http": {"url": "x"}}, "dns": {"dns": {"name": "y"}}}}, "names that look like kinds are names"),
        ("{token: {env: A}}", "{token: {file: /b}}", {"token": {"file": "/b"}}, "a secret from another place"),
        ("{vars: {a: 1}}", "{vars: {b: 2}}", {"vars": {"a": 1, "b": 2}}, "free maps merge"),
        ("{playbooks: {p: {do: {http: {json: {a: null, b: 1}}}}}}", "{}", {"playbooks": {"p": {"do": {"http": {"json": {"a": None, "b": 1}}}}}}, "null in what is sent is a value"),
        ("{playbooks: {p: {do: {http: {url: x}}}}}", "{playbooks: {p: {do: {reboot: {host: y}}}}}", {"playbooks": {"p": {"do": {"reboot": {"host": "y"}}}}}, "an action of another package too"),
        ("{playbooks: {p: {do: {notify: {webhook: {url: x}, timeout: 5s}}}}}", "{playbooks: {p: {do: {notify: {slack: {text: y}}}}}}", {"playbooks": {"p": {"do": {"notify": {"slack": {"text": "y"}, "timeout": "5s"}}}}}, "another way to tell people"),
        ("{playbooks: {p: {do: {http: {json: {do: {a: 1}}}}}}}", "{playbooks: {p: {do: {http: {json: {do: {b: 2}}}}}}}", {"playbooks": {"p": {"do": {"http": {"json": {"do": {"a": 1, "b": 2}}}}}}}, "what is sent is no action"),
    ],
)  # fmt: skip
def test_one_file_changes_another(base: str, over: str, result: object, reason: str) -> None:
    assert merged(base, over) == result, reason


LADDER = """\
version: 1
playbooks:
  hot:
    ladder:
      - {name: restart, do: {http: {url: x}}, autonomy: auto}
      - {name: fail-over, autonomy: propose}
"""


def test_one_rung_is_changed_without_copying_the_ladder(tmp_path: Path) -> None:
    over = "playbooks:\n  hot:\n    rungs:\n      fail-over: {autonomy: auto}\n      restart:\n        do: {command: {argv: [a]}}\n"
    loaded = load_small(tmp_path, base=LADDER, over=over)
    ladder = loaded.model.playbooks["hot"].ladder
    assert [(rung.name, rung.autonomy, rung.do) for rung in ladder] == [
        ("restart", "auto", {"command": {"argv": ["a"]}}),
        ("fail-over", "auto", {}),
    ]
    assert loaded.where("playbooks.hot.ladder[1].autonomy") == (str(tmp_path / "over.yaml"), 4)
    assert loaded.where("playbooks.hot.ladder[1].name") == (str(tmp_path / "base.yaml"), 6)


def test_a_rung_is_removed_by_name(tmp_path: Path) -> None:
    loaded = load_small(
        tmp_path, base=LADDER, over="playbooks: {hot: {rungs: {restart: {enabled: false}}}}\n"
    )
    assert [rung.name for rung in loaded.model.playbooks["hot"].ladder] == ["fail-over"]


def test_rungs_apply_to_the_ladder_that_is_left_after_all_files(tmp_path: Path) -> None:
    new = "playbooks: {hot: {ladder: [{name: only}]}}\n"
    loaded = load_small(
        tmp_path, base=LADDER, over="playbooks: {hot: {rungs: {only: {autonomy: auto}}}}\n", last=new
    )
    assert [(rung.name, rung.autonomy) for rung in loaded.model.playbooks["hot"].ladder] == [("only", "auto")]


@pytest.mark.parametrize(
    ("over", "expected", "reason"),
    [
        ("{hot: {rungs: {restrat: {autonomy: auto}}}}", "playbooks.hot.rungs.restrat: no rung is named 'restrat'; did you mean 'restart'?", "a slip"),
        ("{hot: {rungs: {zzz: {autonomy: auto}}}}", "playbooks.hot.rungs.zzz: no rung is named 'zzz'; its rungs are restart, fail-over", "nothing near"),
        ("{hot: {rungs: [restart]}}", "playbooks.hot.rungs: expected a map from rung names", "the wrong shape"),
        ("{cold: {rungs: {restart: {}}}}", "playbooks.cold.rungs: this playbook has no ladder to change", "no such playbook"),
        ("{hot: {rungs: {restart: {enabled: maybe}}}}", "playbooks.hot.ladder.restart.enabled: expected true or false", "a flag"),
        ("{hot: {rungs: {restart: {autonomy: full}}}}", "playbooks.hot.ladder[0].autonomy: expected 'observe', 'propose' or 'auto', got 'full'", "what it says is checked"),
    ],
)  # fmt: skip
def test_a_change_to_a_rung_that_makes_no_sense_is_located(
    tmp_path: Path, over: str, expected: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_small(tmp_path, base=LADDER, over=f"playbooks: {over}\n")
    assert any(line.startswith(f"over.yaml:1: {expected}") for line in lines_of(caught.value)), (
        reason,
        lines_of(caught.value),
    )


def test_rungs_without_a_name_do_not_confuse_the_merge() -> None:
    base = "{playbooks: {p: {ladder: [{a: 1}, {name: x}, {name: x, b: 2}, 5]}}}"
    assert merged(base, "{playbooks: {p: {rungs: {x: {c: 3}}}}}") == {
        "playbooks": {"p": {"ladder": [{"a": 1}, {"name": "x", "c": 3}, {"name": "x", "b": 2}, 5]}}
    }
