from __future__ import annotations

import pytest

from daemon.http.retry import get_with_retry
from remediations.ports import Ambiguous, Request, Response, Unreachable
from tests.fakes.ports import FakeHttp, answer


def test_a_question_is_repeated_until_it_is_answered() -> None:
    http = FakeHttp().on("GET", "http://there", Ambiguous("lost"), answer(503), answer(200, "up"))
    response = get_with_retry(
        http, http.clock, Request("GET", "http://there/"), deadline=http.clock.monotonic() + 60
    )
    assert (response.status, len(http.requests)) == (200, 3)


def test_the_last_failure_is_told_as_it_was() -> None:
    http = FakeHttp().on("GET", "http://there", Ambiguous("lost"), answer(503))
    deadline = http.clock.monotonic() + 60
    assert (
        get_with_retry(http, http.clock, Request("GET", "http://there/"), deadline=deadline, tries=2).status
        == 503
    )
    http.on("GET", "http://there", answer(503), Unreachable("gone"))
    with pytest.raises(Unreachable, match="gone"):
        get_with_retry(http, http.clock, Request("GET", "http://there/"), deadline=deadline, tries=2)


def test_a_permanent_answer_is_not_asked_for_again() -> None:
    http = FakeHttp().on("GET", "http://there", answer(404))
    get_with_retry(http, http.clock, Request("GET", "http://there/"), deadline=http.clock.monotonic() + 60)
    assert len(http.requests) == 1


def test_no_try_starts_after_a_pause_that_outlasts_the_deadline() -> None:
    http = FakeHttp()

    def slowly(_request: Request) -> Response:
        http.clock.advance(1.0)
        return answer(503)

    http.on("GET", "http://there", slowly)
    deadline = http.clock.monotonic() + 1.0
    assert get_with_retry(http, http.clock, Request("GET", "http://there/"), deadline=deadline).status == 503
    assert len(http.requests) == 1


def test_an_order_is_never_repeated() -> None:
    http = FakeHttp().on("POST", "http://there", answer(503))
    with pytest.raises(ValueError, match="not safe"):
        get_with_retry(
            http, http.clock, Request("POST", "http://there/"), deadline=http.clock.monotonic() + 60
        )
    assert http.requests == []
