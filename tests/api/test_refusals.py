"""What a refusal means, by its status and by the words of the service."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest

from primepods_magic.api import errors
from primepods_magic.api.client import Client
from primepods_magic.api.http.session import HttpSession
from primepods_magic.api.requests import create_request
from primepods_magic.api.settings import Settings

KEY = "pit_0123456789abcdef_secret"
REQUEST = create_request(
    {"pod": {"cloudId": "c", "gpuType": "g", "socket": "s", "gpuCount": 1}, "provider": {"type": "p"}}
)

CAPACITY = [
    "no longer any instances available",
    "There are no longer any instances available with the requested specifications. Please refresh.",
    "provider has no capacity",
    "GPU capacity temporarily unavailable",
    "We currently do not have sufficient p4d.24xlarge capacity in the zone you requested",
    "There isn’t enough capacity",
    "InsufficientInstanceCapacity",
    "ZONE_RESOURCE_POOL_EXHAUSTED",
    "The zone does not have enough resources available to fulfill the request",
    "Insufficient resources in this zone",
    "Not enough GPUs",
    "No available GPUs",
    "no machines available in this region",
    "No hosts left",
    "All nodes are occupied",
    "OUT_OF_STOCK",
    "Sold out",
    "The selected GPU is unavailable",
    "Instance type gpu_8x_h100 is unavailable in us-west",
    "H100_80GB is not available",
    "Cloud id c1 is currently not available",
    "This offer is no longer available",
    "Offer has already been taken",
    "Requested GPU type is not available right now, please try another GPU type",
    "Sold-out",
    "H100_80GB is out-of-stock",
    "out of machines",
    "We're out of H100s",
    "All machines are busy",
    "All H100_80GB GPUs are rented",
    "No offers match",
    "No machines match your filters",
    "The provider has run out",
    "We have run out of H100s",
    "The host is full",
    "Region us-east is at capacity",
    "The GPU is no longer offered",
    "This machine does not have the resources to deploy your pod. Please try a different machine",
    "There are no longer any instances available with enough disk space.",
    "No capacity available. Please contact support.",
    "0/5 nodes are available: 5 Insufficient nvidia.com/gpu.",
]
REFUSED_FOR_CAPACITY = [
    "quota exceeded",
    "Quota exceeded.",
    "QUOTA_EXCEEDED",
    "GPU quota exceeded in region",
    "GPUs quota has been exceeded",
    "Resource exhausted",
    "RESOURCE_EXHAUSTED",
    "ResourceExhausted: no more of these",
    "No longer available",
    "This is no longer available",
    "no longer available, please refresh",
]
OTHERS = [
    "Your quota is exceeded",
    "Quota exceeded for your account",
    "Account quota exceeded",
    "API quota exceeded",
    "Disk quota exceeded",
    "You have exceeded your quota",
    "Resource exhausted: your plan has a limit of 2 pods",
    "The image is no longer available",
    "This template is no longer offered",
    "Instance limit exceeded",
    "You have reached the maximum number of instances",
    "Your plan does not allow this: no instances available to it",
    "Insufficient balance",
    "insufficient permissions",
    "A pod with this name already exists",
    "Image ubuntu_22 is not available",
    "template not available",
    "Disk is not available in this region",
    "Missing field: max_price not specified",
    "Input should be greater than 0",
    "disk size must be at least 20 GB",
    "Not authenticated",
    "Instance name is already taken",
    "Host name already in use",
    "hostname 'gpu-1' is taken",
    "Machine name has been taken",
    "Name is in use by an instance that is not available",
    "Device is in use by another pod",
    "Idempotency slot in use",
    "GPU reserved; extend your reservation first",
    "Disk d1 is in EU-1; select a different data center or detach the disk",
    "Disk disk_1 is attached to another instance already in use",
    "Not enough disk capacity: diskSize must be at least 100",
    "The disk capacity exceeded",
    "Storage capacity is full in this region",
    "Image ubuntu_22 is not available in this region. Choose another region or image",
    "No stock image named foo",
    "GPU memory is not available for this image",
    "The template requires 2 GPUs; use another instance type",
    "pod.gpuCount: no more than 8 gpus are available per pod",
    "gpuCount: no available configuration",
    "No such gpu type is available",
    "maxPrice 2.0 is below the price of 2.5; choose a different offer",
    "maxPrice too low: no available offers below $2.00",
    "Your wallet has insufficient resources",
    "Team does not have enough units",
    "This region is not available in your country",
    "Invalid request: the specified zone is not available for your account",
    "connection pool exhausted",
    "Resource temporarily unavailable",
    "You did not specify the gpu",
    "2 out of 8 GPUs failed validation",
]


def refuse(
    status: int, body: Any, method: str = "POST", path: str = "/api/v1/pods/", **headers: str
) -> errors.PodsError:
    """The error that a refusal becomes."""
    answer = httpx.Response(status, json=body, headers={"retry-after": "3600", **headers})
    transport = HttpSession(
        Settings("https://pods.test", KEY), transport=httpx.MockTransport(lambda _: answer)
    )
    with pytest.raises(errors.PodsError) as caught:
        transport.request(method, path, body={} if method in ("POST", "PATCH") else None)
    transport.close()
    return caught.value


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422, 503])
@pytest.mark.parametrize("words", CAPACITY)
def test_words_of_capacity_are_out_of_stock_with_each_status(words: str, status: int) -> None:
    error = refuse(status, {"detail": words})
    assert type(error) is errors.OutOfStock
    assert "’" in words or words in str(error)


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
@pytest.mark.parametrize("words", REFUSED_FOR_CAPACITY)
def test_maps_refusal_for_quota_or_exhaustion_to_out_of_stock(words: str, status: int) -> None:
    assert type(refuse(status, {"detail": words})) is errors.OutOfStock


@pytest.mark.parametrize("words", REFUSED_FOR_CAPACITY)
def test_keeps_create_unknown_if_failing_service_names_its_own_resources(words: str) -> None:
    assert type(refuse(503, {"detail": words})) is errors.OutcomeUnknown


@pytest.mark.parametrize("words", OTHERS)
def test_other_words_leave_a_create_unknown_if_the_service_failed(words: str) -> None:
    assert type(refuse(503, {"detail": words})) is errors.OutcomeUnknown


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
@pytest.mark.parametrize("words", OTHERS)
def test_other_words_are_not_out_of_stock_and_are_shown(words: str, status: int) -> None:
    error = refuse(status, {"detail": words})
    refusals = (errors.RequestRefused, errors.InvalidRequest)
    assert isinstance(error, errors.OutcomeUnknown if status == 409 else refusals)
    assert not isinstance(error, errors.OutOfStock)
    assert words in str(error)
    assert error.detail == words


def test_a_create_in_conflict_with_a_pod_may_be_in_conflict_with_its_own() -> None:
    error = refuse(409, {"detail": "A pod with this name already exists"})
    assert type(error) is errors.OutcomeUnknown
    assert "It may have been acted on" in str(error)
    assert "othing was done" not in str(error)
    other = refuse(409, {"detail": "This key is already there"}, path="/api/v1/ssh_keys/")
    assert type(other) is errors.RequestRefused


@pytest.mark.parametrize("words", CAPACITY)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/v1/pods/a"),
        ("GET", "/api/v1/pods/"),
        ("GET", "/api/v1/pods"),
        ("GET", "/api/v1/availability/gpus"),
        ("PATCH", "/api/v1/ssh_keys/k"),
    ],
)
def test_only_a_create_is_out_of_stock(method: str, path: str, words: str) -> None:
    error = refuse(503, {"detail": words}, method, path)
    assert isinstance(error, errors.ServiceUnavailable)
    assert error.may_have_acted
    assert type(refuse(409, {"detail": words}, method, path)) is errors.RequestRefused


@pytest.mark.parametrize("method", ["DELETE", "GET"])
def test_an_overloaded_service_is_asked_again_whatever_its_words(method: str) -> None:
    answers = [
        httpx.Response(503, json={"detail": "The service is over capacity"}),
        httpx.Response(200, json={}),
    ]
    http = httpx.MockTransport(lambda _: answers.pop(0))
    transport = HttpSession(Settings("https://pods.test", KEY), transport=http, sleep=lambda _: None)
    assert transport.request(method, "/api/v1/pods/a") == {}
    transport.close()


@pytest.mark.parametrize(
    "words",
    [
        "Service Unavailable",
        "Service temporarily unavailable",
        "upstream unavailable",
        "API not available",
        "The service is over capacity",
        "Server is over capacity",
        "The request was aborted because there was no available instance.",
        "No available server",
        "no healthy hosts available",
        "All nodes in the cluster are unavailable",
        "Resource temporarily unavailable",
        "Backend instance unavailable",
        "worker pool full",
        "Maintenance: instances are unavailable",
        "",
    ],
)
def test_a_service_that_is_unavailable_itself_leaves_a_create_unknown(words: str) -> None:
    assert type(refuse(503, {"detail": words})) is errors.OutcomeUnknown


def test_a_create_that_fails_in_words_of_capacity_is_out_of_stock() -> None:
    error = refuse(500, {"detail": "no longer any instances available"})
    assert type(error) is errors.OutOfStock
    assert error.status_code == 500


@pytest.mark.parametrize("status", [502, 504, 408, 499])
def test_an_ambiguous_status_stays_ambiguous_and_carries_the_words(status: int) -> None:
    error = refuse(status, {"detail": "no longer any instances available"})
    assert type(error) is errors.OutcomeUnknown
    assert error.detail == "no longer any instances available"


@pytest.mark.parametrize("body", [None, {}, {"detail": "Conflict"}])
def test_a_create_refused_with_409_and_no_words_is_out_of_stock(body: object) -> None:
    assert type(refuse(409, body)) is errors.OutOfStock


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v1/ssh_keys/"), ("DELETE", "/api/v1/pods/a")])
@pytest.mark.parametrize("status", [404, 409])
def test_what_rents_nothing_is_not_out_of_stock(method: str, path: str, status: int) -> None:
    assert not isinstance(refuse(status, {"detail": "Conflict"}, method, path), errors.OutOfStock)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
@pytest.mark.parametrize("location", ["", "https://elsewhere.test/", "/login", "x" * 70_000, "//[", "\\\\x"])
def test_a_redirect_after_a_create_that_leads_nowhere_is_ambiguous(status: int, location: str) -> None:
    if status in (307, 308) and location in ("/login", "\\\\x"):
        location = "https://pods.test:444/"
    error = refuse(status, None, location=location)
    assert type(error) is errors.OutcomeUnknown
    assert "not sent again" in str(error)


def test_a_second_hop_that_cannot_be_reached_is_ambiguous() -> None:
    asked: list[str] = []

    def carry(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if len(asked) > 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(307, headers={"location": "/elsewhere"})

    transport = HttpSession(Settings("https://pods.test", KEY), transport=httpx.MockTransport(carry))
    with pytest.raises(errors.OutcomeUnknown):
        transport.request("POST", "/api/v1/pods/", body={})
    transport.close()
    assert asked == ["/api/v1/pods/", "/elsewhere"]


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("/api/v1/ssh_keys/", "SSH Keys"),
        ("/api/v1/ssh_keys/k1", "SSH Keys"),
        ("/api/v1/billing/wallet", "Billing"),
    ],
)
@pytest.mark.parametrize(("method", "right"), [("GET", "Read"), ("PATCH", "Read and Write")])
def test_names_the_permission_for_keys_and_billing(
    path: str, permission: str, method: str, right: str
) -> None:
    assert f"It needs the permission {permission} -> {right}" in str(
        refuse(403, {"detail": "no"}, method, path)
    )


def test_a_wallet_that_cannot_pay_points_at_the_balance() -> None:
    error = refuse(402, {"detail": "Insufficient balance"})
    assert type(error) is errors.PaymentRequired
    assert "Nothing was done" in str(error)
    assert "%pods wallet" in str(error)


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("0000000000007", 7.0),
        ("7", 7.0),
        ("0", 0.0),
        ("999999999999999999", 365 * 24 * 3600.0),
        ("9" * 5000, 365 * 24 * 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 365 * 24 * 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0.0),
        ("-5", None),
        ("٣", None),
        ("nan", None),
        ("1e9", None),
        (" ", None),
        (",", None),
        ("Mon, 99 Foo 99999 99:99:99 +999999999", None),
    ],
)
def test_a_time_to_wait_is_read_in_bounds(text: str, wait_s: float | None) -> None:
    answer = httpx.Response(429, headers=[(b"retry-after", text.encode())])
    transport = HttpSession(
        Settings("https://pods.test", KEY), transport=httpx.MockTransport(lambda _: answer)
    )
    with pytest.raises(errors.RateLimited) as caught:
        transport.request("GET", "/x", budget_s=0)
    transport.close()
    assert caught.value.retry_after_s == wait_s


@pytest.mark.parametrize(
    "page",
    [
        httpx.Response(502, text="bad gateway"),
        httpx.Response(502, json={"detail": "bad gateway"}),
        httpx.Response(404, json={"detail": "no"}),
        httpx.Response(200, html="<html>log in</html>"),
        httpx.Response(200, text="starting"),
    ],
    ids=["error page", "error in JSON", "refusal", "login page", "text"],
)
def test_only_a_successful_answer_in_json_tells_the_time(page: httpx.Response) -> None:
    fast = "Sat, 19 Sep 2026 08:00:00 GMT"
    page.headers["Date"] = fast
    answers = iter([page, httpx.Response(200, json={}, headers={"Date": fast})])
    transport = HttpSession(
        Settings("https://pods.test", KEY), transport=httpx.MockTransport(lambda _: next(answers))
    )
    with contextlib.suppress(errors.PodsError):
        transport.request("GET", "/x", budget_s=0, is_log=True)
    assert transport.service_time is None
    transport.request("GET", "/x")
    assert transport.service_time is not None
    transport.close()


@pytest.mark.parametrize(
    "date",
    ["", "now", "Fri, 31 Dec 9999 23:59:59 -2359", "x" * 5000, "0 " * 99],
)
def test_a_date_that_is_none_changes_nothing(date: str) -> None:
    answer = httpx.Response(200, json={}, headers={"date": date})
    transport = HttpSession(
        Settings("https://pods.test", KEY), transport=httpx.MockTransport(lambda _: answer)
    )
    assert transport.request("GET", "/x") == {}
    assert transport.service_time is None
    transport.close()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"detail": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"detail": [{"loc": ' + b"[" * 900 + b"]" * 900 + b', "msg": "x"}]}',
        b'{"errors": [{"param": ' + b"9" * 5000 + b', "details": {"input": "typed"}}]}',
        b'{"detail": "' + b"\\ud800" * 1000 + b'"}',
        b'{"detail": "x", "input": "typed"',
        b'{"detail": "' + b"x" * 900_000 + b'"}',
        b'{"' + b"k" * 900_000 + b'": 1}',
        b'{"detail": [{"loc": ["' + b"k" * 900_000 + b'"], "msg": "x", "input": "typed"}]}',
        "{'detail': 'typed'}".encode("utf-16"),
        b"\x1b[2J" * 1000,
        b"\xff\xfe" * 1000,
    ],
)
def test_an_odd_error_body_is_a_short_line(body: bytes) -> None:
    answer = httpx.Response(400, content=body, headers={"content-type": "application/json"})
    transport = HttpSession(
        Settings("https://pods.test", KEY), transport=httpx.MockTransport(lambda _: answer)
    )
    with pytest.raises(errors.RequestRefused) as caught:
        transport.request("GET", "/x")
    transport.close()
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
    assert "typed" not in str(caught.value)


def test_a_key_is_made_primary_by_the_path_that_the_service_has() -> None:
    asked: list[tuple[str, bytes]] = []

    def carry(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, request.read()))
        return httpx.Response(
            200 if request.url.path.endswith("/primary") else 404, json={"detail": "Not Found"}
        )

    with Client(Settings("https://pods.test", KEY), http=httpx.MockTransport(carry)) as client:
        client.make_ssh_key_primary("k/1")
    assert asked == [("/api/v1/ssh_keys/k/1", b'{"isPrimary": true}'), ("/api/v1/ssh_keys/k/1/primary", b"")]


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [(404, 405, "NotFound"), (405, 403, "PermissionDenied"), (403, 200, "PermissionDenied")],
)
def test_a_key_that_cannot_be_made_primary_says_why(first: int, second: int, kind: str) -> None:
    def carry(request: httpx.Request) -> httpx.Response:
        return httpx.Response(second if request.url.path.endswith("/primary") else first, json={})

    with (
        Client(Settings("https://pods.test", KEY), http=httpx.MockTransport(carry)) as client,
        pytest.raises(errors.PodsError) as caught,
    ):
        client.make_ssh_key_primary("k1")
    assert type(caught.value).__name__ == kind


@pytest.mark.parametrize("pod_id", ["", ".", "..", "...", "x" * 1_000_000])
@pytest.mark.parametrize(
    "call", ["get_pod", "delete_pod", "pod_logs", "make_ssh_key_primary", "list_team_members"]
)
def test_an_id_that_leads_elsewhere_is_not_sent(call: str, pod_id: str) -> None:
    asked: list[str] = []

    def carry(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={})

    with Client(Settings("https://pods.test", KEY), http=httpx.MockTransport(carry)) as client:
        with pytest.raises(errors.InvalidRequest, match="Nothing was sent"):
            getattr(client, call)(pod_id)
        client.delete_pod("a/../b?c#d\ud800")
    assert asked == ["/api/v1/pods/a/../b?c#d\ufffd\ufffd\ufffd"]


@pytest.mark.parametrize("seconds", [float("nan"), -1, "5", True, -(10**400)])
def test_a_time_that_is_none_is_refused_before_anything_is_sent(seconds: float) -> None:
    http = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    transport = HttpSession(Settings("https://pods.test", KEY), transport=http)
    for name in ("budget_s", "read_timeout_s"):
        with pytest.raises(errors.InvalidRequest, match=name):
            transport.request("GET", "/x", **{name: seconds})
    transport.close()
    with pytest.raises(errors.InvalidRequest, match="read_timeout_s"):
        Client(Settings("https://pods.test", KEY), read_timeout_s=seconds)


@pytest.mark.parametrize("seconds", [float("inf"), 1e300, 10**400], ids=["inf", "huge", "huger"])
def test_a_time_without_end_is_refused(seconds: float) -> None:
    http = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    with pytest.raises(errors.InvalidRequest, match="30 days"):
        HttpSession(Settings("https://pods.test", KEY), transport=http, read_timeout_s=seconds)
    transport = HttpSession(Settings("https://pods.test", KEY), transport=http)
    for name in ("budget_s", "read_timeout_s"):
        with pytest.raises(errors.InvalidRequest, match="30 days"):
            transport.request("GET", "/x", **{name: seconds})
    transport.close()


def test_a_list_of_very_many_rows_is_refused() -> None:
    http = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": [{}] * 50_001}))
    client = Client(Settings("https://pods.test", KEY), http=http)
    with client, pytest.raises(errors.UnexpectedAnswer, match="more than 50,000 rows"):
        client.list_pods()


def test_a_create_refused_for_capacity_is_sent_once() -> None:
    asked: list[str] = []

    def carry(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(400, json={"detail": CAPACITY[0]})

    with (
        Client(Settings("https://pods.test", KEY), http=httpx.MockTransport(carry)) as client,
        pytest.raises(errors.OutOfStock),
    ):
        client.create_pod(REQUEST)
    assert asked == ["POST"]
