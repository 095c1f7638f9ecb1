"""The loader: every mistake at its line and all at once; files merged by name; nothing crashes it."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.loader import MAX_FILES, Loaded, load
from config.problems import ConfigError, Gravity, Problem
from config.yamlfile import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse_yaml
from tests.unit.config.small import Root, lines_of, load_small, write

GOOD = """\
version: 1
detectors:
  writes:
    failure_mode: storage_failure
    fire: {above: 1%, for: 5m}
"""


def test_an_unknown_pack_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, main="version: 1\npack: flet\n"), Root, environment={})
    told = [str(problem) for problem in caught.value.problems if problem.path == "pack"]
    assert told == [
        f"{tmp_path}/main.yaml:2: pack: expected fleet or none, got 'flet'; did you mean 'fleet'?"
    ]


def test_a_good_file_loads(tmp_path: Path) -> None:
    loaded = load_small(tmp_path, main=GOOD)
    assert loaded.model.detectors["writes"].fire.above == 0.01
    assert loaded.model.detectors["writes"].fire.for_ == 300.0
    assert loaded.problems == []


def test_five_mistakes_give_five_located_lines(tmp_path: Path) -> None:
    text = """\
        version: 1
        detectors:
          writes:
            failure_mode: storage_failre
            fire: {above: 1%, for: 5}
          reads:
            failure_mode: storage_failure
            fyre: {above: 1%}
            fire: {}
        token: hunter22
        playbooks:
          hot: {ladder: [{name: a, when: "x ="}]}
        """
    with pytest.raises(ConfigError) as caught:
        load_small(tmp_path, main=dedent(text))
    found = [(problem.line, problem.path) for problem in caught.value.problems]
    assert found == [
        (4, "detectors.writes.failure_mode"),
        (5, "detectors.writes.fire.for"),
        (8, "detectors.reads.fyre"),
        (10, "token"),
        (12, "playbooks.hot.ladder[0].when"),
    ]
    assert all(problem.hint for problem in caught.value.problems)
    assert all(problem.file == str(tmp_path / "main.yaml") for problem in caught.value.problems)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected", "reason"),
    [
        ("versoin: 1", "unknown key; did you mean 'version'?", "a typing slip"),
        ("zzz: 1", "unknown key; known are detectors, escalation, pack", "nothing near: the list"),
        ("pack: flet", "expected 'fleet' or 'none', got 'flet'; did you mean 'fleet'?", "a choice"),
        ("detectors: [a]", "expected a map, got a list; write {key: value}", "the wrong shape"),
        ("detectors: {a: 5}", "detectors.a: expected a map, got 5", "and deeper"),
        ("detectors: {a: {fire: {}}}", "detectors.a.failure_mode: is required", "what is missing"),
        ("detectors: {a: {failure_mode: data_quality, fire: {}, count: x}}", "expected a whole number or a list, got 'x'", "alternatives in one line"),
        ("detectors: {a: {failure_mode: data_quality, fire: {abve: 1}}}", "detectors.a.fire.abve: unknown key; did you mean 'above'?", "a nested slip"),
        ("detectors: {a: {failure_mode: data_quality, fire: {fro: 1m}}}", "did you mean 'for'?", "by the name that is written, not the code's"),
        ("escalation: {default: 5}", "escalation.default: expected a list, got 5", "a list"),
        ("escalation: {default: [5]}", "escalation.default[0]: expected text, got 5; put it in quotes", "an item of a list"),
        ("token: {env: NOPE}", "token: the environment variable NOPE is not set; set NOPE", "a variable"),
        ("version: 1", "the key 'version' stands twice, first on line 1", "a key given twice"),
        ("vars: {a: 1, a: 2, b: 1, b: 3}", "vars.b: the key 'b' stands twice", "every key given twice"),
        ("vars: {a: *gone}", "the alias *gone stands for nothing; define &gone above it", "an alias of nothing"),
        ("vars: {a: !!python/object:os.system x}", "is not understood; leave the tag out", "no tag makes an object"),
        ("vars: {[a]: 1}", "a key is a map or a list", "a key is a text"),
        ("---\nversion: 1", "a second document in one file", "one file, one document"),
        ("vars:\n\ta: 1", "a tab where YAML wants spaces; indent with spaces", "tabs"),
        ("vars: {a: [1", "not YAML: expected ',' or ']'", "an open bracket"),
        ("vars: a: b", "mapping values are not allowed here; quote texts", "a colon in a text"),
        ("vars: {<<: [1]}", "<< merges maps only", "a merge of no map"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_words_with_a_remedy(
    tmp_path: Path, line: str, expected: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_small(tmp_path, main=f"version: 1\n{line}\n")
    assert any(expected in text for text in lines_of(caught.value)), (reason, lines_of(caught.value))
    assert all(problem.line in {2, 3, 4} for problem in caught.value.problems), reason


def test_a_syntax_error_names_its_line_and_the_other_files_are_still_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_small(tmp_path, one="version: 1\nvars:\n  a: 'open\n", two="vars: {x: 1, x: 2}\n")
    assert [(Path(problem.file).name, problem.line) for problem in caught.value.problems] == [
        ("one.yaml", 4),
        ("two.yaml", 1),
    ]


def test_a_file_that_cannot_be_read_is_a_located_problem(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "list.yaml").write_text("- a\n")
    files = [tmp_path / name for name in ("absent.yaml", "binary.yaml", "huge.yaml", "list.yaml")]
    with pytest.raises(ConfigError) as caught:
        load(files, Root, environment={})
    assert [problem.problem for problem in caught.value.problems] == [
        "cannot be read: No such file or directory",
        "cannot be read: not UTF-8 text, the byte 0xff",
        f"larger than {MAX_BYTES} bytes",
        "expected a map, got a list",
    ]


@pytest.mark.parametrize("count", [0, MAX_FILES + 1])
def test_the_number_of_files_is_bounded(tmp_path: Path, count: int) -> None:
    with pytest.raises(ConfigError):
        load([tmp_path / "x.yaml"] * count, Root, environment={})


@pytest.mark.parametrize(
    ("text", "word", "reason"),
    [
        ("a: " + "[" * (MAX_DEPTH + 5) + "]" * (MAX_DEPTH + 5), "nested deeper", "brackets"),
        ("a: " + "[" * 20_000, "nested deeper", "brackets never closed"),
        ("\n".join(" " * i + "a:" for i in range(MAX_DEPTH + 5)), "nested deeper", "indentation"),
        ("a: [" + "1," * (MAX_NODES + 5) + "1]", "more than", "one long list"),
        ("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 9)), "more than", "a billion laughs"),
        ("a0: &a0 [x]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 90)), "nested deeper", "a ladder of aliases"),
    ],
)  # fmt: skip
def test_a_text_made_to_exhaust_memory_is_refused(text: str, word: str, reason: str) -> None:
    tree, problems = parse_yaml(text, "x.yaml")
    assert tree is None
    assert word in problems[-1].problem, reason


def test_scalars_follow_the_core_schema() -> None:
    text = (
        "{on: yes, at: 09:00, n: 12, h: 0x1f, f: 1.5, e: 1e3, i: .inf, t: true, q: '12', z: , s: !!str 12, 5: x, big: 1"
        + "0" * 60
        + "}"
    )
    tree, problems = parse_yaml(text, "x.yaml")
    assert problems == []
    assert tree is not None
    plain = tree.plain()
    assert isinstance(plain, dict)
    assert plain.pop("big") == 10.0**60, "too long for a whole number: a float"
    assert plain == {
        "on": "yes", "at": "09:00", "n": 12, "h": 31, "f": 1.5, "e": 1000.0, "i": float("inf"), "t": True, "q": "12",
        "z": None, "s": "12", "5": "x",
    }  # fmt: skip


def test_anchors_and_merge_keys_work_and_keep_their_places() -> None:
    tree, problems = parse_yaml("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\nc: *x\n", "x.yaml")
    assert problems == []
    assert tree is not None
    assert tree.plain() == {"a": {"p": 1, "q": 2}, "b": {"q": 3, "p": 1}, "c": {"p": 1, "q": 2}}
    places = [tree.at(path) for path in (("b", "q"), ("b", "p"), ("c",), ("b", "none"))]
    assert [place.line if place else None for place in places] == [4, 1, 5, None]


def test_where_gives_the_place_or_the_nearest_one_that_is_written(tmp_path: Path) -> None:
    loaded = load_small(tmp_path, main=GOOD, over="detectors: {writes: {fire:\n  {above: 2%}}}\n")
    name = str(tmp_path / "over.yaml")
    assert loaded.where("detectors.writes.fire.above") == (name, 2)
    assert loaded.where(("detectors", "writes", "failure_mode")) == (str(tmp_path / "main.yaml"), 4)
    assert loaded.where("detectors.writes.clear.above") == (name, 1), "clear is written nowhere: its detector"
    assert loaded.where("nothing.at.all")[0] == name


def test_a_cross_check_adds_located_problems_and_an_error_keeps_the_file_out(tmp_path: Path) -> None:
    def check(loaded: Loaded[Root]) -> None:
        for name, playbook in loaded.model.playbooks.items():
            if playbook.detector not in loaded.model.detectors:
                loaded.unknown(
                    f"playbooks.{name}.detector", "detector", playbook.detector, loaded.names("detectors")
                )
        loaded.problem("version", "is old", "write 2", Gravity.WARNING)

    with pytest.raises(ConfigError) as caught:
        load_small(tmp_path, main=GOOD + "playbooks:\n  hot: {ladder: [], detector: writs}\n", check=check)
    assert lines_of(caught.value) == [
        "main.yaml:1: version: is old; write 2",
        "main.yaml:7: playbooks.hot.detector: no detector is named 'writs'; did you mean 'writes'?",
    ]
    assert [problem.severity for problem in caught.value.errors] == [Gravity.ERROR]
    loaded = load_small(tmp_path, main=GOOD, check=check)
    assert [str(problem) for problem in loaded.problems] == [
        f"{tmp_path}/main.yaml:1: version: is old; write 2"
    ]


def test_cross_checks_run_on_what_is_left_when_something_is_wrong(tmp_path: Path) -> None:
    seen: list[tuple[str, ...]] = []

    def check(loaded: Loaded[Root]) -> None:
        seen.append((*loaded.model.detectors, "|", *loaded.names("detectors"), "|", *loaded.model.playbooks))
        loaded.problem("playbooks.hot", "is odd")
        loaded.unknown("playbooks.hot", "detector", "reads", loaded.model.detectors)

    text = GOOD + "  reads: {failure_mode: nope}\nplaybooks: {hot: {ladder: []}, cold: {ladder: 5}}\nzzz: 1\n"
    with pytest.raises(ConfigError) as caught:
        load_small(tmp_path, main=text, check=check)
    assert seen == [("writes", "|", "writes", "reads", "|", "hot")], "a broken entry is known by name"
    assert [problem.path for problem in caught.value.problems] == [
        "detectors.reads.failure_mode", "detectors.reads.fire", "playbooks.cold.ladder", "playbooks.hot", "zzz",
    ]  # fmt: skip


def test_an_override_with_a_misspelt_name_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_small(tmp_path, main=GOOD, over="detectors: {writs: {fire: {above: 2%}}}\n")
    assert lines_of(caught.value) == [
        "over.yaml:1: detectors.writs.failure_mode: is required; did you mean to change 'writes'?"
    ]


def test_the_digest_sees_content_and_nothing_else(tmp_path: Path) -> None:
    one = load_small(tmp_path, main=GOOD)
    same = load_small(tmp_path, a="# a comment\nversion: 1\n", b=GOOD.removeprefix("version: 1\n"))
    other = load_small(tmp_path, main=GOOD.replace("1%", "2%"))
    assert one.digest == same.digest != other.digest


def test_a_secret_appears_in_no_problem_and_no_data(tmp_path: Path) -> None:
    def check(loaded: Loaded[Root]) -> None:
        loaded.problem("token", f"is wrong: {loaded.model.token.reveal() if loaded.model.token else ''}")

    text = "version: 1\ntoken: {env: TOKEN}\n"
    with pytest.raises(ConfigError) as caught:
        load_small(tmp_path, main=text, environment={"TOKEN": "s3cret-s3cret"}, check=check)
    assert "s3cret" not in str(caught.value)
    loaded = load_small(tmp_path, main=text, environment={"TOKEN": "s3cret-s3cret"})
    assert "s3cret" not in repr(loaded.model) + str(loaded.data)
    assert loaded.redactor.text("got s3cret-s3cret") == "got ***"


def test_a_byte_order_mark_and_an_empty_file_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    files = [tmp_path / "bom.yaml", *write(tmp_path, empty="# nothing yet\n")]
    assert load(files, Root, environment={}, pack=False).model.version == 1


YAMLISH = st.text(alphabet=st.sampled_from(list("ab:- \n\t[]{},&*!|>'\"#%@`?<0.~x")), max_size=80)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*Root.model_fields, "rungs", "ladder", "enabled", "x"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(text=YAMLISH | st.text(max_size=80))
@settings(max_examples=600)
def test_no_text_crashes_the_parser(text: str) -> None:
    tree, problems = parse_yaml(text, "x.yaml")
    assert tree is not None or problems
    assert all(problem.line >= 1 for problem in problems)


@given(data=DATA)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_crashes_the_loader(tmp_path: Path, data: object) -> None:
    body = data if isinstance(data, dict) else {"vars": data}
    path = tmp_path / "any.yaml"
    path.write_text(json.dumps({"version": 1} | body, ensure_ascii=True), encoding="utf-8")
    found: tuple[Problem, ...] = ()
    try:
        load([path], Root, environment={}, pack=False)
    except ConfigError as error:
        found = error.problems
    assert all(problem.file == str(path) and problem.line == 1 for problem in found)
