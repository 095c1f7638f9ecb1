"""Only regular files are read: a pipe or a device never keeps anyone waiting."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from config.problems import ConfigError
from config.regular import NotRegular, read_regular
from tests.unit.config.small import lines_of, load_small, write


@pytest.mark.parametrize(("path", "kind"), [("/dev/zero", "a device"), ("/dev", "a folder")])
def test_what_is_no_file_is_named(path: str, kind: str) -> None:
    with pytest.raises(NotRegular, match=kind):
        read_regular(Path(path), 10)


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegular, match="a named pipe"):
        read_regular(tmp_path / "pipe", 10)


def test_a_socket_cannot_be_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as here:
        here.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match="No such device"):
            read_regular(tmp_path / "s", 10)


def test_of_a_long_file_one_byte_over_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 100)
    assert read_regular(tmp_path / "long", 10) == b"x" * 11


def test_a_pipe_as_secret_is_a_problem_at_its_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError) as raised:
        load_small(tmp_path, main=f"version: 1\ntoken: {{file: {tmp_path / 'pipe'}}}\n")
    assert "main.yaml:2: token" in str(raised.value)
    assert "it is a named pipe" in str(raised.value)


def test_the_line_of_a_byte_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (file,) = write(tmp_path, main="")
    file.write_bytes(b"\xef\xbb\xbfversion: 1\nvars:\n  a: \xff\n")
    from config.loader import load
    from tests.unit.config.small import Root

    with pytest.raises(ConfigError) as raised:
        load([file], Root, environment={}, pack=False)
    assert lines_of(raised.value) == [
        "main.yaml:3: cannot be read: not UTF-8 text, the byte 0xff; name a readable YAML file in UTF-8"
    ]


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"main.yaml:2: vars.a: half a character"):
        load_small(tmp_path, main='version: 1\nvars: {a: "\\ud800"}\n')
