"""A service may change what was asked for: the same launch, run again, never rents a second pod."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import NameInUse, OutcomeUnknown, ServiceUnavailable
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.launching.plan import plan_launch
from primepods_magic.pods.spec.spec import spec_from_mapping
from primepods_magic.pods.support.name_matching import is_name_of
from tests.pods.conftest import Changing, Through
from tests.pods.test_one_pod import Breaking, is_create, names

Change = Callable[[str], str]
KEY = {"Authorization": "Bearer sandbox"}
# A refusal that is not asked about again: no launch waits for so long.
FINAL = {"Retry-After": "3600"}

CHANGES: dict[str, tuple[str, Change]] = {
    "trims": (" train ", str.strip),
    "lowers": ("Train", str.lower),
    "raises": ("train", str.upper),
    "shortens": ("my-long-training-run-no-1", lambda name: name[:20]),
    "composes": ("cafe\u0301", lambda name: unicodedata.normalize("NFC", name)),
    "decomposes": ("caf\u00e9", lambda name: unicodedata.normalize("NFD", name)),
    "normalizes compatibly": ("ﬁne ｔrain", lambda name: unicodedata.normalize("NFKC", name)),
    "strips accents": (
        "Über",
        lambda name: unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode(),
    ),
    "makes a slug": ("My Run #1", lambda name: name.lower().replace(" ", "-").replace("#", "")),
    "drops spaces": ("my run", lambda name: name.replace(" ", "")),
    "underlines": ("my-run", lambda name: name.replace("-", "_")),
}


class Renaming(httpx.HTTPTransport):
    """The network to a sandbox that stores pods under other names, and may lose the responses of creates."""

    def __init__(self, change: Change, *, loses: bool = False) -> None:
        super().__init__(verify=False)
        self._change = change
        self._loses = loses
        self.creates = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not is_create(request):
            return super().handle_request(request)
        self.creates += 1
        body = json.loads(request.read())
        body["pod"]["name"] = self._change(body["pod"]["name"])
        content = json.dumps(body).encode()
        headers = {**request.headers, "content-length": str(len(content))}
        response = super().handle_request(
            httpx.Request("POST", request.url, headers=headers, content=content)
        )
        response.read()
        if self._loses:
            raise httpx.ReadTimeout("no answer", request=request)
        return response


@pytest.mark.parametrize("loses", [False, True], ids=["answered", "lost"])
@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_name_is_learned_and_not_rented_again(
    connection: Connection, through: Through, case: str, loses: bool
) -> None:
    name, change = CHANGES[case]
    http = Renaming(change, loses=loses)
    there = through(http)
    said: list[str] = []
    pods = [launch(gpu="L4_24GB", name=name, connection=there, tell=said.append) for _ in range(3)]
    assert http.creates == 1
    assert len({pod.id for pod in pods}) == 1
    assert names(connection) == [change(name)]
    assert [text for text in said if "its name is" in text], "the change is reported"


def test_a_new_computer_does_not_rent_what_differs_in_spelling_only(
    connection: Connection, through: Through, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    launch(gpu="L4_24GB", name="Train", connection=through(Renaming(str.lower)), tell=lambda _: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(NameInUse, match=r"'train'.*differs from 'Train' only in spelling.*--new"):
        launch(gpu="L4_24GB", name="Train")
    assert launch(gpu="L4_24GB", name="train", tell=lambda _: None).name == "train"
    launch(gpu="L4_24GB", name="Train", new=True)
    assert sorted(map(str, names(connection))) == ["Train", "train"]


def test_names_that_differ_in_more_than_spelling_are_two_pods(connection: Connection) -> None:
    for name in ("train-1", "train-10", "train-11", "retrain-1"):
        launch(gpu="L4_24GB", name=name)
    assert len(names(connection)) == 4


def altered(**fields: Any) -> Changing:
    """The network to a sandbox that describes its pods with other values."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        path = request.url.path.rstrip("/")
        if path == "/api/v1/pods" and request.method == "GET":
            answer = response.json()
            return httpx.Response(200, json={**answer, "data": [{**row, **fields} for row in answer["data"]]})
        if is_create(request) or (request.method == "GET" and path.count("/") == 4 and "-" not in path):
            body = response.json()
            if response.is_success and "name" in body:
                return httpx.Response(200, json={**body, **fields})
        return response

    return Changing(change)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"teamId": "team-default"}, "it is billed to team team-default, not to you"),
        ({"gpuName": "A10_24GB"}, "its GPU is A10_24GB, not L4_24GB"),
        ({"gpuCount": 8}, "it has 8 GPUs, not 1"),
        ({"gpuName": "L4 24gb"}, None),
    ],
    ids=["another team", "another GPU", "more GPUs", "another spelling"],
)
def test_a_response_that_differs_from_the_request_is_reported_and_not_rented_again(
    connection: Connection, through: Through, fields: dict[str, Any], says: str | None
) -> None:
    there = through(altered(**fields))
    said: list[str] = []
    ids = {launch(gpu="L4_24GB", name="train", connection=there, tell=said.append).id for _ in range(3)}
    assert len(ids) == 1
    assert len(names(connection)) == 1
    if says is None:
        assert said == []
    else:
        assert len(said) == 1
        assert says in said[0]
        assert "'%pods rm train' terminates it" in said[0]


def test_a_pod_that_lists_leave_out_is_asked_for_by_its_id(connection: Connection, through: Through) -> None:
    def hide(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "GET" and request.url.path.rstrip("/") == "/api/v1/pods":
            return httpx.Response(200, json={"data": [], "total_count": 0})
        return response

    hidden = through(Changing(hide))
    ids = {launch(gpu="L4_24GB", name="train", connection=hidden, tell=lambda _: None).id for _ in range(3)}
    assert len(ids) == 1
    assert names(connection) == ["train"]


def test_a_pod_that_can_not_be_asked_for_is_not_rented_again(
    connection: Connection, through: Through
) -> None:
    pod = launch(gpu="L4_24GB", name="train")

    def break_down(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "GET" and request.url.path.rstrip("/") == "/api/v1/pods":
            return httpx.Response(200, json={"data": [], "total_count": 0})
        broken = (
            request.method == "GET" and "/pods/" in request.url.path and "history" not in request.url.path
        )
        return httpx.Response(503, headers=FINAL) if broken else response

    with pytest.raises(OutcomeUnknown, match=r"Could not determine whether 'train' exists"):
        launch(gpu="L4_24GB", name="train", connection=through(Changing(break_down)), settle_s=0)
    assert [pod.id] == [pod.id for pod in connection.client.list_all_pods()]


@pytest.mark.parametrize(
    ("given", "wanted", "is_one"),
    [
        ("train", "Train ", True),
        ("my-long-training-run", "my-long-training-run-no-1", True),
        ("worker-1", "worker-10", False),
        ("worker", "worker-10", False),
        ("worker-10", "worker-1", False),
        ("", "train", False),
        (None, "train", False),
        ("🚀", "🚀", True),
        ("🚀", "🔥", False),
        ("eval", "train", False),
    ],
)
def test_recognizes_a_name_that_a_service_has_changed(given: str | None, wanted: str, is_one: bool) -> None:
    assert is_name_of(given, wanted) is is_one


@pytest.mark.parametrize(
    ("fields", "is_shared"),
    [
        ({"team": "team-a"}, True),
        ({"team": "team-a", "shared_with_team": False}, False),
        ({"team": "team-a", "team_member_ids": ["u2"]}, None),
        ({}, None),
    ],
    ids=["a team", "said otherwise", "members", "no team"],
)
def test_pods_of_a_team_are_shared_as_the_official_command_line_shares_them(
    connection: Connection, fields: dict[str, Any], is_shared: bool | None
) -> None:
    settings = connection.settings
    connection.client.settings = Settings(
        settings.base_url, settings.api_key, settings.team_id, shares_with_team=True
    )
    plan = plan_launch(connection, spec_from_mapping({"gpu": "L4_24GB", **fields}))
    assert plan.request is not None
    assert plan.request.wire().get("shared_with_team") is is_shared
    assert any("share_resources_with_team" in notice for notice in plan.notices) is (is_shared is True)


def test_a_lost_create_whose_pod_has_another_name_is_unknown_until_a_person_decides(
    connection: Connection, through: Through
) -> None:
    http = Renaming(lambda name: f"acme-{name}", loses=True)
    there = through(http)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match=r"your pod 'acme-train' .* is new.*--new"):
            launch(gpu="L4_24GB", name="train", connection=there, tell=lambda _: None)
    assert http.creates == 1
    assert launch(gpu="L4_24GB", name="train", new=True, tell=lambda _: None).name == "train"
    assert sorted(map(str, names(connection))) == ["acme-train", "train"]


@pytest.mark.parametrize("name", ["a", "🚀"])
def test_a_name_of_a_letter_is_not_found_within_every_other_name(
    connection: Connection, through: Through, name: str
) -> None:
    """Another computer launches another machine meanwhile."""

    class Elsewhere(Breaking):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if is_create(request):
                other = {"cloudId": "NVIDIA H100", "gpuType": "H100_80GB", "socket": "PCIe", "gpuCount": 1}
                sandbox = httpx.Client(base_url=connection.settings.base_url, headers=KEY, trust_env=False)
                with sandbox:
                    body = {"pod": {"name": "a-train", **other}, "provider": {"type": "runpod"}}
                    assert sandbox.post("/api/v1/pods/", json=body).is_success
            return super().handle_request(request)

    there = through(Elsewhere(arrives=False))
    with pytest.raises(ServiceUnavailable, match="was not created"):
        launch(gpu="L4_24GB", name=name, connection=there, tell=lambda _: None)


def test_another_pod_that_began_meanwhile_elsewhere_is_not_taken_for_a_lost_create(
    connection: Connection, through: Through
) -> None:
    """Launched from this computer under its own name, it has a record."""

    class Meanwhile(Renaming):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if is_create(request):
                launch(gpu="L4_24GB", name="other")
                raise httpx.ReadTimeout("no answer", request=request)
            return super().handle_request(request)

    with pytest.raises(ServiceUnavailable, match="'train' was not created"):
        launch(gpu="L4_24GB", name="train", connection=through(Meanwhile(str)), tell=lambda _: None)
    assert names(connection) == ["other"]
