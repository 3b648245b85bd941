"""Whatever the service answers and whatever a user writes: a value of ours, or an error of ours."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from primepods_magic.api.account import SshKey, Team, TeamMember, User, read_summary
from primepods_magic.api.client import Client
from primepods_magic.api.errors import PodsError
from primepods_magic.api.fields.lenient_types import ApiModel
from primepods_magic.api.http import session as transport
from primepods_magic.api.http.parsing import read_error, read_logs, read_model, read_page, read_status
from primepods_magic.api.models import HistoryRow, Offer, PodDetails, PodStatusEntry
from primepods_magic.api.requests import create_request
from primepods_magic.api.settings import Settings
from primepods_magic.frames import history_frame, offers_frame, pods_frame, status_frame
from primepods_magic.pods.spec.spec import parse_spec
from tests.api.test_requests import PAGE_BODY
from tests.support.soak import pick

T = TypeVar("T")
EXAMPLES = settings(max_examples=pick(12, 10_000))

SURPRISES = [
    "ACTIVE",
    "FINISHED",
    "root@203.0.113.9 -p 22",
    "-oProxyCommand=x@203.0.113.9",
    "2026-09-14T08:00:00Z",
    "2026-09-14 08:00:00.123456789+14:00",
    "0000-00-00T00:00:00Z",
    "1e400",
    "NaN",
    "128",
    "\ud800",
    "\x1b[31m\x00\r\n",
    "x" * 10_000,
    10**400,
    -(2**63),
    float("nan"),
    float("inf"),
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(SURPRISES)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
# Flat, for there are thirty of them in one answer.
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


def shaped(model: type[ApiModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the model's own keys, some missing, with any values."""
    keys = [field.alias or to_camel(name) for name, field in model.model_fields.items()]
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, VALUES))


def listed(model: type[ApiModel]) -> st.SearchStrategy[Any]:
    """Lists in every envelope, with rows that are none among them."""
    rows = st.lists(shaped(model) | VALUES, max_size=3)
    totals = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("total_count", "totalCount", "offset"), SCALARS)
    )
    return (
        rows
        | st.builds(lambda data, rest: {**rest, "data": data}, rows | SCALARS, totals)
        | st.builds(lambda items, rest: {**rest, "items": items}, rows | SCALARS, totals)
        | st.dictionaries(st.text(max_size=5), rows | SCALARS, max_size=3)
    )


def survives(read: Callable[[], T]) -> T | None:
    with contextlib.suppress(PodsError):
        return read()
    return None


@EXAMPLES
@given(shaped(PodDetails) | JSON)
def test_any_pod_is_read_and_can_be_shown(payload: Any) -> None:
    pod = survives(lambda: read_model(PodDetails, payload))
    if pod is not None:
        assert pod.is_settled in (True, False)
        assert isinstance(pod.cli_name, str)
        assert len(pods_frame([pod])) == 1


@EXAMPLES
@given(listed(PodDetails))
def test_any_page_of_pods_is_read_and_can_be_shown(payload: Any) -> None:
    page = survives(lambda: read_page(PodDetails, payload))
    if page is not None:
        assert len(pods_frame(page.items)) == len(page.items)
        assert page.total is None or page.total >= len(page.items)


@EXAMPLES
@given(shaped(PodDetails), shaped(PodStatusEntry))
def test_any_status_updates_any_pod(first: dict[str, Any], later: dict[str, Any]) -> None:
    pod = survives(lambda: read_model(PodDetails, first))
    entry = survives(lambda: read_model(PodStatusEntry, later))
    if pod is not None and entry is not None:
        assert len(pods_frame([pod.updated(entry)])) == len(status_frame([entry])) == 1


@EXAMPLES
@given(listed(PodStatusEntry) | shaped(PodStatusEntry) | JSON)
def test_any_status_reply_is_read_and_can_be_shown(payload: Any) -> None:
    entries = survives(lambda: read_status(payload))
    if entries is not None:
        assert len(status_frame(entries)) == len(entries)


@EXAMPLES
@given(listed(Offer))
def test_any_offers_are_read_and_can_be_shown(payload: Any) -> None:
    page = survives(lambda: read_page(Offer, payload))
    if page is not None:
        assert len(offers_frame(page.items)) == len(page.items)


@EXAMPLES
@given(listed(HistoryRow))
def test_any_history_is_read_and_can_be_shown(payload: Any) -> None:
    page = survives(lambda: read_page(HistoryRow, payload))
    if page is not None:
        assert len(history_frame(page.items)) == len(page.items)


@EXAMPLES
@given(JSON)
def test_any_logs_are_text(payload: Any) -> None:
    assert isinstance(read_logs(payload), str)


@EXAMPLES
@given(shaped(User), listed(SshKey), listed(Team), listed(TeamMember), JSON)
def test_any_account_is_read(user: Any, keys: Any, teams: Any, members: Any, prices: Any) -> None:
    survives(lambda: read_model(User, user))
    survives(lambda: read_page(SshKey, keys))
    survives(lambda: read_page(Team, teams))
    survives(lambda: read_page(TeamMember, members))
    assert isinstance(read_summary(prices), dict)


ERRORS = st.fixed_dictionaries(
    {},
    optional={
        "errors": st.lists(st.fixed_dictionaries({}, optional={"param": VALUES, "details": VALUES}) | VALUES),
        "detail": VALUES | st.lists(st.fixed_dictionaries({}, optional={"loc": VALUES, "msg": VALUES})),
        "message": VALUES,
        "error": VALUES,
        "title": VALUES,
    },
)
BODIES = st.text() | (ERRORS | JSON).map(json.dumps)


@EXAMPLES
@given(BODIES, st.sampled_from(["application/json", "text/html", ""]))
def test_any_error_body_is_one_line_or_nothing(text: str, content_type: str) -> None:
    said = read_error(text, content_type)
    assert said is None or len(said.splitlines()) == 1


class Always(httpx.BaseTransport):
    """Answers every request with the same."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._answer = (status, headers, body)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        status, headers, body = self._answer
        return httpx.Response(status, headers=headers, content=body)


CALLS: list[Callable[[Client], object]] = [
    lambda client: client.create_pod(REQUEST),
    lambda client: client.list_pods(),
    lambda client: client.get_pod("x"),
    lambda client: client.pod_status(["x"]),
    lambda client: client.pod_history(),
    lambda client: client.pod_logs("x"),
    lambda client: client.delete_pod("x"),
    lambda client: client.whoami(),
    lambda client: client.gpu_summary(),
]
REQUEST = create_request(PAGE_BODY)
SETTINGS = Settings("http://127.0.0.1:1", "k" * 40)
WIRE = JSON.map(lambda payload: json.dumps(payload).encode()) | st.binary()
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "Retry-After", "Date", "X-Request-Id", "Location"]),
    st.sampled_from(["", "text/plain", "application/json", "9" * 30, "Mon, 99 Foo 2026", "http://[", "/x"]),
)


@EXAMPLES
@given(st.sampled_from(CALLS), st.integers(200, 599), WIRE, HEADERS)
def test_any_answer_to_any_call_is_a_value_or_an_error_of_ours(
    call: Callable[[Client], object], status: int, body: bytes, headers: dict[str, str]
) -> None:
    service = Always(status, body, headers)
    with pytest.MonkeyPatch.context() as patch, Client(SETTINGS, http=service) as client:
        # What is asked for again would be answered with the same.
        patch.setattr(transport, "RETRY_BUDGET_S", 0.0)
        survives(lambda: call(client))


LINES = st.lists(
    st.tuples(st.sampled_from(["gpu", "count", "name", "env", "disks", "memory", "nonsense"]), st.text()),
    max_size=6,
).map(lambda pairs: "\n".join(f"{key}: {value}" for key, value in pairs))


@given(st.text() | LINES)
def test_any_body_is_a_spec_or_one_line(text: str) -> None:
    refusals: list[str] = []
    try:
        spec = parse_spec(text)
    except PodsError as refused:
        refusals = str(refused).splitlines() or [""]
    assert len(refusals) == 1 or spec.gpu_type or spec.cloud_id
