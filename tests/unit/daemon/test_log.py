from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from config.secrets import Redactor
from daemon import log
from daemon.clock import rfc3339
from tests.fakes.ports import FakeClock

CANARY = "canary-5f2c9e"

CLOCK = FakeClock()


def stamp() -> str:
    return rfc3339(CLOCK.now())


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Logging set up as in the daemon, into memory; restored afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    log.configure(stamp, Redactor([CANARY]), level="debug", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_line_has_the_agreed_fields_first(lines: Lines) -> None:
    log.get().info(log.SOURCE_FAILED, provider="navixy", error="timed out")
    (line,) = lines()
    assert list(line)[:5] == ["timestamp", "level", "service", "correlation_id", "message"]
    assert line == {
        "timestamp": "2026-01-05T08:00:00.000Z",
        "level": "info",
        "service": "fleetmend",
        "correlation_id": "-",
        "message": "source failed",
        "provider": "navixy",
        "error": "timed out",
    }


def test_lines_of_one_incident_share_its_correlation_id(lines: Lines) -> None:
    with log.correlated("sf-4k7q2m", tier="hot"):
        log.get().info(log.ACTION_STARTED)
        logging.getLogger("some.library").warning("slow: %s", 3)
    log.get().info(log.CONFIG_LOADED)
    assert [(line["correlation_id"], line.get("tier")) for line in lines()] == [
        ("sf-4k7q2m", "hot"),
        ("sf-4k7q2m", "hot"),
        ("-", None),
    ]


def test_lines_of_libraries_look_the_same(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").warning("started on %s", "127.0.0.1")
    (line,) = lines()
    assert (line["level"], line["message"], line["service"]) == (
        "warning",
        "started on 127.0.0.1",
        "fleetmend",
    )


def test_chatty_libraries_are_heard_from_warnings_on(lines: Lines) -> None:
    for name in ("urllib3.connectionpool", "apscheduler.scheduler"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble")
    assert [line["message"] for line in lines()] == ["trouble", "trouble"]


CYCLE: list[object] = []
CYCLE.append(CYCLE)


class Revealing:
    def __repr__(self) -> str:
        return f"<request with {CANARY}>"


def fail() -> None:
    raise ValueError(f"refused {CANARY}")


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda: log.get().info(log.ACTION_ENDED, output=f"token={CANARY}"), id="a field"),
        pytest.param(
            lambda: log.get().info(log.ACTION_ENDED, args={"env": [{CANARY: CANARY}]}), id="nested data"
        ),
        pytest.param(lambda: log.get().info(log.ACTION_ENDED, what=Revealing()), id="an object's own text"),
        pytest.param(lambda: log.get().info(f"event with {CANARY}"), id="the message"),
        pytest.param(lambda: log.get().info(log.ACTION_ENDED, body=CANARY.encode()), id="bytes"),
        pytest.param(lambda: logging.getLogger("lib").error("GET /?token=%s", CANARY), id="a library's line"),
        pytest.param(lambda: log.get(f"name-{CANARY}").info(log.CONFIG_LOADED), id="a logger's name"),
    ],
)
def test_a_secret_is_in_no_line(lines: Lines, write: Callable[[], None]) -> None:
    write()
    assert len(lines()) == 1
    assert CANARY not in json.dumps(lines())


@pytest.mark.parametrize("logger", [log.get, logging.getLogger])
def test_a_traceback_is_kept_and_redacted(lines: Lines, logger: Callable[[], Any]) -> None:
    try:
        fail()
    except ValueError:
        logger().exception("went wrong")
    (line,) = lines()
    assert "in fail" in line["exception"]
    assert "refused ***" in line["exception"]
    assert CANARY not in json.dumps(line)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("\ud800", id="half a surrogate pair"),
        pytest.param(2**80, id="a number beyond 64 bits"),
        pytest.param({(1, 2): float("nan")}, id="keys and numbers JSON has not"),
        pytest.param(object, id="a class"),
        pytest.param(CYCLE, id="a list that holds itself"),
    ],
)
def test_nothing_that_is_logged_can_raise(lines: Lines, value: object) -> None:
    log.get().info(log.ACTION_ENDED, value=value)
    assert len(lines()) == 1


def test_a_line_that_cannot_be_written_is_reported_without_its_values(lines: Lines) -> None:
    record = logging.LogRecord("lib", logging.ERROR, "lib.py", 7, "one place %d", (CANARY,), None)
    logging.getLogger().handlers[0].handle(record)  # past pytest's own handlers, which raise
    (line,) = lines()
    assert (line["message"], line["logger"]) == ("log line lost", "lib")


def test_a_reload_brings_the_new_secrets() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    held = log.get()
    try:
        log.configure(stamp, Redactor([]), stream=stream)
        log.configure(stamp, Redactor([CANARY]), stream=stream)
        held.info(log.CONFIG_LOADED, token=CANARY)
    finally:
        root.handlers[:], root.level = before
        structlog.reset_defaults()
    assert len(stream.getvalue().splitlines()) == 1
    assert CANARY not in stream.getvalue()


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="loud"):
        log.configure(stamp, Redactor([]), level="loud")


def test_what_is_silenced_logs_nothing_and_what_follows_logs_as_before(lines: Lines) -> None:
    with log.silenced():
        log.get().info(log.ACTION_ENDED)
        log.get().error(log.ITEM_PARKED)
    log.get().info(log.CONFIG_LOADED)
    (line,) = lines()
    assert line["message"] == "configuration loaded"
