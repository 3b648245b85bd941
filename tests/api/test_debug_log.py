"""The debug log: one line a request, without anything that may be secret."""

from __future__ import annotations

import logging

import httpx
import pytest

from primepods_magic.api import errors
from primepods_magic.api.http.session import HttpSession
from primepods_magic.api.settings import Settings

KEY = "pit_0123456789abcdef_secret"
PASSWORD = "hunter2-long-enough"
LOGGER = "primepods_magic.api"


def make_session(*results: httpx.Response | Exception) -> HttpSession:
    """Return a session whose requests get these results in turn."""
    remaining = list(results)

    def carry(request: httpx.Request) -> httpx.Response:
        result = remaining.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    settings = Settings("https://pods.test", KEY)
    return HttpSession(settings, transport=httpx.MockTransport(carry), sleep=lambda _: None)


def read_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("primepods_magic")]


def test_logs_one_line_per_attempt(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    session = make_session(
        httpx.ConnectTimeout("slow"),
        httpx.Response(503, headers={"x-request-id": "r-1"}),
        httpx.Response(200, json={"data": []}, headers={"x-request-id": "r-2"}),
    )
    session.request("GET", "/api/v1/pods/")
    session.close()
    first, second, third = read_lines(caplog)
    assert first.startswith("GET /api/v1/pods/ ConnectTimeout in ")
    assert first.endswith(" ms (attempt 1, request -)")
    assert second.startswith("GET /api/v1/pods/ 503 in ")
    assert second.endswith(" ms (attempt 2, request r-1)")
    assert third.startswith("GET /api/v1/pods/ 200 in ")
    assert third.endswith(" ms (attempt 3, request r-2)")


def test_logs_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    headers = {"x-request-id": f"{KEY} {PASSWORD}"}
    session = make_session(
        httpx.Response(400, json={"detail": f"no {PASSWORD}"}, headers=headers),
        httpx.Response(200, json={}, headers=headers),
        httpx.ReadError(f"{KEY} {PASSWORD}"),
    )
    body = {"pod": {"name": "visible", "jupyterPassword": PASSWORD}}
    with pytest.raises(errors.RequestRefused):
        session.request("POST", "/api/v1/pods/", body=body)
    session.request("GET", f"/api/v1/pods/{PASSWORD}/{KEY}", params={"team": "query-value"})
    with pytest.raises(errors.OutcomeUnknown):
        session.request("POST", "/api/v1/pods/", params={"team": "query-value"}, body=body)
    session.close()
    lines = read_lines(caplog)
    assert len(lines) == 3
    for secret in (KEY, PASSWORD, "query-value", "visible", "hunter2", "0123456789abcdef"):
        assert secret not in "".join(lines)


def test_sanitizes_and_shortens_logged_path(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    session = make_session(httpx.Response(200, json={}))
    session.request("GET", "/api/v1/pods/\u202e" + "x" * 1_000)
    session.close()
    (line,) = read_lines(caplog)
    assert "\u202e" not in line
    assert len(line) < 300


def test_logs_nothing_by_default(caplog: pytest.LogCaptureFixture) -> None:
    session = make_session(httpx.Response(200, json={}))
    session.request("GET", "/api/v1/pods/")
    session.close()
    assert read_lines(caplog) == []
