"""What is sent again and what never is, what never leaves, and how a refusal reads."""

from __future__ import annotations

import json
import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api import errors
from primepods_magic.api.client import Client
from primepods_magic.api.http.session import HttpSession
from primepods_magic.api.requests import create_request
from primepods_magic.api.settings import Settings
from tests.support.waiting import eventually

CASES = json.loads((Path(__file__).parents[1] / "data" / "20-errors.json").read_text(encoding="utf-8"))
KEY = "pit_0123456789abcdef_secret"
REQUEST = create_request(
    {"pod": {"cloudId": "c", "gpuType": "g", "socket": "s", "gpuCount": 1}, "provider": {"type": "p"}}
)


class Counting(httpx.BaseTransport):
    """Answers with what it is told, one after the other, the last one for ever; remembers the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def sent() -> Iterator[Callable[..., tuple[Counting, HttpSession, list[float]]]]:
    opened: list[HttpSession] = []

    def make(*answers: httpx.Response | Exception) -> tuple[Counting, HttpSession, list[float]]:
        http, slept = Counting(*answers), []
        transport = HttpSession(Settings("https://api.example.test", KEY), transport=http, sleep=slept.append)
        opened.append(transport)
        return http, transport, slept

    yield make
    for transport in opened:
        transport.close()


OK = httpx.Response(200, json={"data": []})
REFUSED = httpx.ConnectError("refused")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("failure", [429, 500, 502, 503, 504, httpx.ReadTimeout("slow"), REFUSED], ids=str)
def test_a_read_and_a_delete_are_sent_again(sent: Any, method: str, failure: int | Exception) -> None:
    answer = httpx.Response(failure) if isinstance(failure, int) else failure
    http, transport, slept = sent(answer, OK)
    assert transport.request(method, "/api/v1/pods/x") == {"data": []}
    assert len(http.requests) == 2
    assert len(slept) == 1


@pytest.mark.parametrize(
    "failure",
    [
        408,
        499,
        500,
        502,
        503,
        504,
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("broken"),
    ],
    ids=str,
)
def test_a_create_that_may_have_been_acted_on_is_sent_once_and_its_outcome_is_unknown(
    sent: Any, failure: int | Exception
) -> None:
    answer = httpx.Response(failure) if isinstance(failure, int) else failure
    http, transport, _ = sent(answer, OK)
    with pytest.raises(errors.OutcomeUnknown, match="not sent again"):
        transport.request("POST", "/api/v1/pods/", body=REQUEST.wire())
    assert len(http.requests) == 1


@pytest.mark.parametrize(
    "failure", [REFUSED, httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full")], ids=str
)
def test_a_create_that_never_left_is_sent_again(sent: Any, failure: Exception) -> None:
    http, transport, _ = sent(failure, OK)
    transport.request("POST", "/api/v1/pods/", body={})
    assert len(http.requests) == 2


def test_a_create_that_is_too_much_is_not_sent_again(sent: Any) -> None:
    http, transport, slept = sent(httpx.Response(429, headers={"Retry-After": "3"}), OK)
    with pytest.raises(errors.RateLimited):
        transport.request("POST", "/api/v1/pods/", body={})
    assert (len(http.requests), slept) == (1, [])


def test_the_documented_keys_of_the_sandbox_are_no_secrets() -> None:
    said = {"detail": "fill the wallet of this sandbox"}
    for key, told in (("sandbox", "of this sandbox"), ("fill the wallet", r"\*\*\* of this sandbox")):
        settings = Settings("http://127.0.0.1", key)
        transport = HttpSession(
            settings, transport=httpx.MockTransport(lambda _: httpx.Response(402, json=said))
        )
        with pytest.raises(errors.PaymentRequired, match=told):
            transport.request("GET", "/pods")
        transport.close()


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422])
def test_a_refusal_is_never_sent_again(sent: Any, status: int) -> None:
    for method in ("GET", "POST", "DELETE"):
        http, transport, _ = sent(httpx.Response(status), OK)
        with pytest.raises(errors.PodsError):
            transport.request(method, "/api/v1/pods/x")
        assert len(http.requests) == 1


def test_a_create_with_no_capacity_is_out_of_stock_and_not_unknown(sent: Any) -> None:
    _, transport, _ = sent(httpx.Response(503, json={"detail": "provider has no capacity"}))
    with pytest.raises(errors.OutOfStock):
        transport.request("POST", "/api/v1/pods/", body={})


def test_retry_after_is_honoured_and_one_beyond_the_budget_is_told_instead_of_slept(sent: Any) -> None:
    _, transport, slept = sent(httpx.Response(429, headers={"Retry-After": "7"}), OK)
    transport.request("GET", "/x")
    assert slept == [7.0]
    _, transport, slept = sent(httpx.Response(429, headers={"Retry-After": "3600"}), OK)
    with pytest.raises(errors.RateLimited, match="Try again in 3600 s"):
        transport.request("GET", "/x")
    assert slept == []


def test_a_redirect_is_followed_on_the_same_host_with_method_and_body(sent: Any) -> None:
    http, transport, _ = sent(httpx.Response(307, headers={"Location": "/api/v1/pods/"}), OK)
    transport.request("POST", "/api/v1/pods", body={"pod": 1})
    first, second = http.requests
    assert (second.method, second.url.path) == ("POST", "/api/v1/pods/")
    assert first.read() == second.read() == b'{"pod": 1}'


@pytest.mark.parametrize(
    ("status", "location"),
    [
        (307, "https://elsewhere.test/api/v1/pods/"),
        (307, "http://api.example.test/api/v1/pods/"),
        (302, "/api/v1/pods/"),
        (301, "/api/v1/pods/"),
        (307, "https://[bad"),
    ],
)
def test_neither_key_nor_body_follows_a_redirect_elsewhere(sent: Any, status: int, location: str) -> None:
    http, transport, _ = sent(httpx.Response(status, headers={"Location": location}), OK)
    with pytest.raises(errors.PodsError, match="was not followed"):
        transport.request("POST", "/api/v1/pods", body={"pod": 1})
    assert len(http.requests) == 1


@pytest.mark.parametrize(
    ("case", "kind"),
    list(
        zip(
            CASES[:18],
            (
                "RequestRefused RequestRefused AuthenticationError AuthenticationError PaymentRequired "
                "PermissionDenied NotFound RequestRefused RequestRefused InvalidRequest InvalidRequest "
                "InvalidRequest RateLimited " + "ServiceUnavailable " * 4 + "RequestRefused"
            ).split(),
            strict=True,
        )
    ),
    ids=lambda x: str(x)[:24],
)
def test_a_refusal_has_its_own_type_and_one_line(sent: Any, case: dict[str, Any], kind: str) -> None:
    body = case["body"]
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"content-type": case.get("content_type", "application/json"), "x-request-id": "r-1"}
    # Longer than anybody waits, so that the first answer is the last.
    headers["retry-after"] = "3600"
    _, transport, _ = sent(httpx.Response(case["status"], content=content, headers=headers))
    with pytest.raises(errors.PodsError) as caught:
        transport.request("GET", "/api/v1/pods/x")
    assert type(caught.value).__name__ == kind
    assert caught.value.status_code == case["status"]
    assert caught.value.request_id == "r-1"
    assert "\n" not in str(caught.value)
    assert "<html" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_missing_word_of_capacity_leaves_a_create_unknown(sent: Any) -> None:
    _, transport, _ = sent(httpx.Response(503, json={"detail": "Service temporarily not available"}))
    with pytest.raises(errors.OutcomeUnknown):
        transport.request("POST", "/api/v1/pods/", body={})


def test_a_refusal_that_repeats_a_secret_is_passed_on_without_it(sent: Any) -> None:
    body = {"pod": {"jupyterPassword": "hunter2", "envVars": [{"key": "A", "value": "hunter3"}]}}
    said = f"bad key {KEY}, bad password hunter2, bad value hunter3"
    _, transport, _ = sent(httpx.Response(400, json={"detail": said}))
    with pytest.raises(errors.RequestRefused) as caught:
        transport.request("POST", "/api/v1/pods/", body=body)
    assert "bad key ***, bad password ***, bad value ***" in str(caught.value)
    assert "Nothing was done" in str(caught.value)
    assert "hunter" not in str(caught.value.detail)


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, html="<html>"), httpx.Response(200, json=[]), httpx.Response(200, json={})],
    ids=["a page", "a list", "no id"],
)
def test_a_create_whose_answer_cannot_be_read_has_an_unknown_outcome(answer: httpx.Response) -> None:
    http = Counting(answer)
    client = Client(Settings("https://api.example.test", KEY), http=http)
    with pytest.raises(errors.OutcomeUnknown):
        client.create_pod(REQUEST)
    client.close()
    assert len(http.requests) == 1


def test_a_closed_connection_says_so(sent: Any) -> None:
    _, transport, _ = sent(OK)
    transport.close()
    with pytest.raises(errors.ConnectionClosed, match="%pods show NAME"):
        transport.request("GET", "/x")


def test_closing_wakes_whoever_waits_to_try_again() -> None:
    http = Counting(httpx.Response(503, headers={"Retry-After": "15"}))
    transport = HttpSession(Settings("https://api.example.test", KEY), transport=http)
    done: list[BaseException] = []

    def ask() -> None:
        try:
            transport.request("GET", "/x")
        except errors.PodsError as error:
            done.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    eventually(lambda: len(http.requests) == 1, "the first try")
    transport.close()
    thread.join(5)
    assert [type(error) for error in done] == [errors.ConnectionClosed]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, content="[" * 10_000),
        httpx.Response(200, content="[" * 10_000),
        httpx.Response(429, headers={"Retry-After": "9" * 400}),
        httpx.Response(404, headers={"Date": "Fri, 31 Dec 9999 23:59:59 -2300"}),
        httpx.Response(404, headers={"Date": "yesterday"}),
    ],
    ids=["nested error", "nested answer", "endless Retry-After", "late Date", "no Date"],
)
def test_a_hostile_answer_is_an_error_of_ours(sent: Any, answer: httpx.Response) -> None:
    _, transport, _ = sent(answer)
    with pytest.raises(errors.PodsError) as caught:
        transport.request("GET", "/x")
    assert "inf" not in str(caught.value)


def test_an_answer_that_drips_is_given_up() -> None:
    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" "

    class Dripping(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Endless())

    transport = HttpSession(
        Settings("https://api.example.test", KEY), transport=Dripping(), total_timeout_s=0.1
    )
    with pytest.raises(errors.OutcomeUnknown):
        transport.request("POST", "/x", body={})
    transport.close()


def test_a_page_that_comes_again_is_the_last() -> None:
    http = Counting(httpx.Response(200, json={"data": [{"id": "a"}], "total_count": 10**9}))
    with Client(Settings("https://api.example.test", KEY), http=http) as client:
        assert len(client.all_history()[0]) == 1
        assert len(client.list_offers()) == 1
    assert len(http.requests) == 4


def test_settings_are_not_pickled_with_their_key() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Settings("https://api.example.test", KEY))


def test_a_login_page_is_no_answer(sent: Any) -> None:
    _, transport, _ = sent(httpx.Response(200, html="<html>login</html>"))
    with pytest.raises(errors.UnexpectedAnswer, match="text/html"):
        transport.request("GET", "/api/v1/pods/")


def test_without_a_key_nothing_is_sent() -> None:
    http = Counting(OK)
    transport = HttpSession(Settings("https://api.example.test"), transport=http)
    with pytest.raises(errors.NotConfigured, match="Nothing was sent"):
        transport.request("GET", "/api/v1/pods/")
    transport.close()
    assert http.requests == []


def test_the_key_goes_into_the_header_and_nowhere_else(sent: Any) -> None:
    http, transport, _ = sent(OK)
    transport.request("GET", "/api/v1/pods/", params={"limit": 1, "none": None})
    (request,) = http.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert str(request.url) == "https://api.example.test/api/v1/pods/?limit=1"


def test_hides_a_key_that_a_response_repeats() -> None:
    pod = {"id": "a1", "installationFailure": f"token {KEY} expired"}

    def repeat_key(request: httpx.Request) -> httpx.Response:
        is_log = "log" in request.url.path
        return httpx.Response(200, json=f"Authorization: Bearer {KEY}" if is_log else pod)

    http = httpx.MockTransport(repeat_key)
    with Client(Settings("https://pods.test", KEY), http=http) as client:
        assert client.get_pod("a1").installation_failure == "token *** expired"
        assert KEY not in client.pod_logs("a1")


def test_many_ids_are_one_request_with_repeated_parameters() -> None:
    http = Counting(OK)
    with Client(Settings("https://api.example.test", KEY), http=http) as client:
        client.pod_status(["a", "b"])
    (request,) = http.requests
    assert (request.url.path, request.url.query) == ("/api/v1/pods/status", b"pod_ids=a&pod_ids=b")


def test_very_many_ids_are_asked_for_in_addresses_that_servers_take() -> None:
    ids = [f"{number:032x}" for number in range(250)]

    def states(request: httpx.Request) -> httpx.Response:
        asked = request.url.params.get_list("pod_ids")
        return httpx.Response(200, json={"data": [{"podId": pod_id, "status": "ACTIVE"} for pod_id in asked]})

    with Client(Settings("https://api.example.test", KEY), http=httpx.MockTransport(states)) as client:
        assert [row.pod_id for row in client.pod_status(ids)] == ids
    http = Counting(OK)
    with Client(Settings("https://api.example.test", KEY), http=http) as client:
        client.pod_status(ids)
    assert len(http.requests) == 3
    assert max(len(request.url.raw_path) for request in http.requests) < 8000


def test_a_service_that_is_not_there_is_one_line_after_a_few_tries() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        slept: list[float] = []
        transport = HttpSession(Settings(url, KEY), sleep=slept.append)
        with pytest.raises(errors.ServiceUnavailable, match="Nothing was done"):
            transport.request("POST", "/api/v1/pods/", body={})
        transport.close()
    assert len(slept) == 2


def test_a_proxy_is_not_asked_for_this_computer(sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert "NO_PROXY" not in os.environ
    with Client(Settings(sandbox.url, sandbox.key)) as client:
        assert client.list_all_pods() == []


@pytest.mark.parametrize(
    "spoilt",
    [httpx.Response(200, html="<html>"), httpx.Response(200, text="busy"), httpx.Response(200, text="{")],
    ids=["a page", "text", "half"],
)
def test_a_spoilt_answer_is_asked_for_again_and_a_page_that_stays_is_told(
    sent: Any, spoilt: httpx.Response
) -> None:
    _, transport, _ = sent(spoilt, spoilt, OK)
    assert transport.request("GET", "/api/v1/pods/") == {"data": []}
    http, transport, _ = sent(spoilt)
    with pytest.raises(errors.UnexpectedAnswer, match="a login page may be in between"):
        transport.request("GET", "/api/v1/pods/")
    assert len(http.requests) == 4


def test_a_budget_of_nothing_is_one_attempt(sent: Any) -> None:
    http, transport, _ = sent(httpx.Response(502))
    with pytest.raises(errors.ServiceUnavailable):
        transport.request("GET", "/api/v1/pods/", budget_s=0)
    assert len(http.requests) == 1


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"X-Request-Id": "req-1", "CF-Ray": "ray"}, "req-1"),
        ({"CF-Ray": "ray-2"}, "ray-2"),
        ({"X-Request-Id": "x" * 5000}, "x" * 100),
        ({}, None),
    ],
    ids=["its own", "the edge's", "long", "none"],
)
def test_an_error_carries_the_id_of_its_request_and_shows_it_where_the_service_failed(
    sent: Any, headers: dict[str, str], request_id: str | None
) -> None:
    _, transport, _ = sent(httpx.Response(502, headers=headers), httpx.Response(404, headers=headers))
    with pytest.raises(errors.ServiceUnavailable) as failed:
        transport.request("GET", "/api/v1/pods/", budget_s=0)
    assert failed.value.request_id == request_id
    assert ("(request " in str(failed.value)) == (request_id is not None)
    with pytest.raises(errors.NotFound) as refused:
        transport.request("GET", "/api/v1/pods/x")
    assert refused.value.request_id == request_id


def test_a_date_to_retry_after_is_read_by_the_services_own_clock(sent: Any) -> None:
    headers = {"Date": "Mon, 14 Sep 2026 08:00:00 GMT", "Retry-After": "Mon, 14 Sep 2026 08:00:07 GMT"}
    _, transport, slept = sent(httpx.Response(429, headers=headers), OK)
    transport.request("GET", "/api/v1/pods/")
    assert slept == [7.0]


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_longer_than_the_budget_is_told_and_not_slept(sent: Any, status: int) -> None:
    _, transport, slept = sent(httpx.Response(status, headers={"Retry-After": "300"}))
    with pytest.raises(errors.PodsError, match="Try again in 300 s"):
        transport.request("GET", "/api/v1/pods/")
    assert slept == []


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/api/v1/pods/", "Instances -> Read$"),
        ("GET", "/api/v1/pods/x/log", "Instances -> Read$"),
        ("DELETE", "/api/v1/pods/x", "Instances -> Read and Write$"),
        ("POST", "/api/v1/pods/", "Instances -> Read and Write$"),
        ("GET", "/api/v1/availability/gpus", "Availability -> Read$"),
        ("GET", "/api/v1/disks/", "Disks -> Read$"),
        ("GET", "/api/v1/user/whoami", "%pods doctor"),
    ],
)
def test_the_permission_that_a_request_needs_is_named(sent: Any, method: str, path: str, needed: str) -> None:
    _, transport, _ = sent(httpx.Response(403, json={"detail": "Not authenticated"}))
    with pytest.raises(errors.PermissionDenied, match=needed):
        transport.request(method, path)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "its certificate is not trusted here"),
        ("[Errno -2] Name or service not known", "unknown host name"),
        ("[Errno 111] Connection refused", "connection refused or no route"),
    ],
)
def test_what_keeps_the_service_from_being_reached_is_said(sent: Any, said: str, told: str) -> None:
    _, transport, _ = sent(httpx.ConnectError(said))
    with pytest.raises(errors.ServiceUnavailable, match=told):
        transport.request("GET", "/api/v1/pods/", budget_s=0)
