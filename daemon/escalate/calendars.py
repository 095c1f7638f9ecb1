"""Fetches a schedule's calendar through the doors, for the daemon and for `check`."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from config.schedules import CalendarSpec
from daemon.escalate.ical import MAX_BYTES, BadCalendar
from remediations.ports import Files, Http, PortError, Request

BACK = 60 * 86_400.0
"""Seconds before now from which on a calendar is looked at: turns that began then may still last."""
AHEAD = 400 * 86_400.0
"""A year with both its clock changes, and a month."""


def content_of(spec: CalendarSpec, http: Http, files: Files, deadline: float) -> bytes:
    """The calendar as it is now. `deadline`: monotonic seconds. Raises `BadCalendar`, with no address in its message."""
    if spec.url is None:
        assert spec.file is not None
        try:
            return files.read(spec.file, MAX_BYTES)
        except PortError as error:
            raise BadCalendar(str(error)) from error
    try:
        answer = http.send(
            Request("GET", _address(spec.url.reveal())), deadline=deadline, max_bytes=MAX_BYTES
        )
    except PortError as error:
        why = str(error).rpartition(": ")[2]  # what stands before it is the address, which is a secret
        raise BadCalendar(f"it cannot be fetched: {why}") from None
    if answer.status != HTTPStatus.OK:
        raise BadCalendar(f"it cannot be fetched: the server answered {answer.status}")
    return answer.body


def _address(written: str) -> str:
    """Calendar programs write webcal:// for what is fetched like any page."""
    scheme = urlsplit(written).scheme.lower()
    if scheme == "webcal":
        return "https" + written[len(scheme) :]
    if scheme not in {"http", "https"}:
        raise BadCalendar("its address is not one of http, https or webcal")
    return written
