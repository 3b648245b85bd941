"""Every kind of fault over a real socket: what the client sees, and whether the request was acted on."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from primepods_magic.sandbox import start
from primepods_magic.sandbox.faults.rules import AFTER, BEFORE, FAULT_KINDS, IN_ANSWER
from tests.support import leaks
from tests.support.waiting import eventually

from .conftest import Caller
from .faulty import Faulty, faulty, order

SERVER_ERRORS = [500, 502, 503, 504]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Faulty]:
    with faulty(tmp_path) as handle:
        yield handle


def was_reset(sandbox: Faulty, fault: str) -> bool:
    """Whether the connection of a create ended with a TCP reset, not with the end of a stream."""
    with pytest.raises(httpx.ReadError) as raised:
        sandbox.create(fault)
    cause: BaseException | None = raised.value
    while cause is not None and not isinstance(cause, ConnectionResetError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


@pytest.mark.parametrize(("fault", "acted"), [("reset_before", 0), ("reset_after", 1), ("commits_late", 1)])
def test_a_reset_is_one_of_tcp(sandbox: Faulty, fault: str, acted: int) -> None:
    assert was_reset(sandbox, fault)
    assert sandbox.bought() == acted
    assert sandbox.injected() == {fault: 1}


@pytest.mark.parametrize("status", SERVER_ERRORS)
@pytest.mark.parametrize(("when", "acted"), [("before", 0), ("after", 1)])
def test_a_server_error_before_or_after_the_action(
    sandbox: Faulty, status: int, when: str, acted: int
) -> None:
    answer = sandbox.create(f"{status}_{when}")
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)
    assert "retry-after" not in answer.headers
    assert sandbox.bought() == acted
    assert sandbox.create(f"{status}_{when}; retry_after=7").headers["retry-after"] == "7"


def test_too_many_requests_is_never_acted_on(sandbox: Faulty) -> None:
    plain, told = sandbox.create("429"), sandbox.create("429; retry_after=3")
    assert (plain.status_code, told.status_code) == (429, 429)
    assert "retry-after" not in plain.headers
    assert told.headers["retry-after"] == "3"
    assert sandbox.bought() == 0


@pytest.mark.parametrize(
    ("fault", "status", "acted"), [("html", 502, 0), ("html_after", 504, 1), ("html_ok", 200, 1)]
)
def test_a_page_of_a_proxy(sandbox: Faulty, fault: str, status: int, acted: int) -> None:
    answer = sandbox.create(fault)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<html>")
    assert sandbox.bought() == acted


def test_a_truncated_answer_ends_too_early(sandbox: Faulty) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        sandbox.create("truncated")
    assert sandbox.bought() == 1
    # What was sent is the beginning of the answer, with the length of all of it.
    whole = sandbox.get("user/whoami").content
    head, _, body = raw_answer(sandbox, "/api/v1/user/whoami", "truncated").partition(b"\r\n\r\n")
    assert f"content-length: {len(whole)}".encode() in head.lower()
    assert 0 < len(body) < len(whole)
    assert whole.startswith(body)


def raw_answer(sandbox: Faulty, path: str, fault: str) -> bytes:
    """Everything that comes back until the server closes the connection."""
    url = urlsplit(str(sandbox.caller.base_url))
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sandbox\r\n"
            f"X-Sandbox-Fault: {fault}\r\n\r\n".encode()
        )
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def test_an_answer_of_the_wrong_type_is_still_the_answer(sandbox: Faulty) -> None:
    answers = [sandbox.create("wrong_type") for _ in range(8)]
    assert sandbox.bought() == 8
    assert {answer.headers["content-type"] for answer in answers} == {
        "text/plain; charset=utf-8",
        "application/octet-stream",
    }
    assert all(answer.status_code == 200 and "id" in json.loads(answer.content) for answer in answers)


def test_an_answer_that_is_no_json_is_complete_as_http(sandbox: Faulty) -> None:
    answer = sandbox.create("not_json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError, match=r"."):
        answer.json()
    assert sandbox.bought() == 1


@pytest.mark.parametrize("path", ["gpus", "multi-node"])
def test_availability_can_be_empty_while_there_is_stock(sandbox: Faulty, path: str) -> None:
    empty = sandbox.get(f"availability/{path}", "empty_availability")
    assert (empty.status_code, empty.json()) == (200, {"items": [], "totalCount": 0})
    assert sandbox.get(f"availability/{path}").json()["totalCount"] > 0
    assert sandbox.get("availability/gpu-summary").json()
    # What is wrong with the request is said in any case.
    wrong = sandbox.get(f"availability/{path}?page=0", "empty_availability")
    assert (wrong.status_code, list(wrong.json())) == (422, ["detail"])


@pytest.mark.parametrize("fault", ["latency", "slow_body", "429", "reset_after"])
def test_a_fault_lasts_or_is_held_back_as_long_as_it_says(sandbox: Faulty, fault: str) -> None:
    began = time.monotonic()
    sandbox.outcome("GET", "user/whoami", headers={"X-Sandbox-Fault": f"{fault}; seconds=0.4"})
    assert time.monotonic() - began >= 0.39


def test_a_slow_body_drips(sandbox: Faulty) -> None:
    whole = sandbox.get("availability/gpus").content
    with sandbox.caller.stream(
        "GET", "/api/v1/availability/gpus", headers={"X-Sandbox-Fault": "slow_body; seconds=0.4"}
    ) as answer:
        pieces = list(answer.iter_raw())
    assert b"".join(pieces) == whole
    assert len(pieces) > 3


@pytest.mark.parametrize("fault", ["latency; seconds=2", "500_after; seconds=2"])
def test_a_client_that_gives_up_has_bought_all_the_same(sandbox: Faulty, fault: str) -> None:
    sandbox.caller.timeout = httpx.Timeout(10, read=0.3)
    with pytest.raises(httpx.ReadTimeout):
        sandbox.create(fault)
    eventually(lambda: sandbox.bought() == 1, "the pod is bought")


def test_a_request_that_was_not_sent_to_its_end_is_not_acted_on(sandbox: Faulty) -> None:
    url = urlsplit(str(sandbox.caller.base_url))
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(
            b"POST /api/v1/pods HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sandbox\r\n"
            b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n" + json.dumps(order()).encode()
        )
    assert sandbox.listed() == 0
    assert sandbox.bought() == 0


@pytest.mark.parametrize("fault", ["reset_after", "500_after", "truncated"])
def test_a_delete_can_be_done_without_being_confirmed(sandbox: Faulty, fault: str) -> None:
    pod_id = sandbox.create().json()["id"]
    sandbox.outcome("DELETE", f"pods/{pod_id}", headers={"X-Sandbox-Fault": fault})
    assert sandbox.get(f"pods/{pod_id}").json()["status"] == "DELETING"


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER, *IN_ANSWER])
def test_the_next_request_is_served_as_ever(sandbox: Faulty, fault: str) -> None:
    sandbox.outcome("GET", "pods", headers={"X-Sandbox-Fault": f"{fault}; seconds=0.05"})
    assert sandbox.get("pods").status_code == 200
    assert sandbox.injected() == {fault: 1}


def test_nothing_is_said_and_nothing_is_left(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with leaks.none_left(), caplog.at_level(logging.INFO), faulty(tmp_path) as sandbox:
        for fault in FAULT_KINDS:
            for method, path in (
                ("GET", "pods"),
                ("HEAD", "pods"),
                ("POST", "pods"),
                ("DELETE", "pods/none"),
            ):
                headers = {"X-Sandbox-Fault": f"{fault}; seconds=0.02"}
                sandbox.outcome(method, path, headers=headers, json=order())
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if not record.name.startswith("http")] == []


@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "truncated", "commits_late"])
def test_the_server_knows_that_a_connection_was_ended_on_purpose(tmp_path: Path, fault: str) -> None:
    said: list[logging.LogRecord] = []

    def note(record: logging.LogRecord) -> bool:
        said.append(record)
        return True

    # The sandbox holds back what its server says; a filter that was there before sees it first.
    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(note)
    try:
        with faulty(tmp_path) as sandbox:
            with pytest.raises(httpx.TransportError):
                sandbox.create(fault)
            sandbox.get("pods")
    finally:
        logger.removeFilter(note)
    assert [record.getMessage() for record in said if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("fault", ["latency", "slow_body", "reset_after"])
def test_stopping_does_not_wait_for_a_fault(fault: str) -> None:
    with leaks.none_left():
        sandbox = start(clock="stepped")
        url = urlsplit(sandbox.url)
        with socket.create_connection((url.hostname, url.port)) as connection:
            connection.sendall(
                b"GET /api/v1/pods HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sandbox\r\n"
                + f"X-Sandbox-Fault: {fault}; seconds=600\r\n\r\n".encode()
            )
            with Caller(sandbox.url) as caller:
                eventually(
                    lambda: caller.get("/sandbox/faults").json()["injected"], "the fault has begun to happen"
                )
            began = time.monotonic()
            sandbox.stop()
            assert time.monotonic() - began < 9


def test_every_answer_has_an_id_that_a_repetition_has_too(tmp_path: Path) -> None:
    def ids(folder: str, seed: int) -> list[str]:
        (tmp_path / folder).mkdir()
        with faulty(tmp_path / folder, seed=seed) as sandbox:
            answers = [
                sandbox.get("pods"),
                sandbox.get("pods"),
                sandbox.get("pods/unknown"),
                sandbox.create(),
                sandbox.create("500_before"),
                sandbox.create("html"),
                sandbox.caller.get("/sandbox"),
                httpx.get(f"{sandbox.caller.base_url}/api/v1/pods", trust_env=False),
            ]
            return [answer.headers["x-request-id"] for answer in answers]

    first = ids("first", 7)
    assert len(set(first)) == len(first)
    assert ids("again", 7) == first
    assert not set(ids("other", 8)) & set(first)
