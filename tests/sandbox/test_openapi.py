"""The OpenAPI document says what is served: every route, every key of every answer, in both dialects."""

from __future__ import annotations

import copy
import json
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from primepods_magic.sandbox import routes, start
from primepods_magic.sandbox.docs.openapi import EXAMPLES
from primepods_magic.sandbox.schemas.enums import DIALECTS

from .conftest import Caller

OWN = {"about", "admin", "documents"}
KEYS = ("no-such-key", "sandbox-read", "sandbox-pods", "sandbox-teammate")

Document = dict[str, Any]


class Witness(Caller):
    """A caller that holds every answer against the document."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.answered: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.document: Document = httpx.get(f"{url}/openapi.json", trust_env=False).json()
        self._closed = _closed(self.document)
        self._checked: set[tuple[str, str, int, str]] = set()
        self._known = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path)
            for path in sorted(self.document["paths"], key=lambda path: path.count("{"))
        ]
        self.event_hooks = {"response": [self._check]}

    def _check(self, answer: httpx.Response) -> None:
        answer.read()
        method, sent = answer.request.method.lower(), answer.request.url.path
        path = next(path for fits, path in self._known if fits.fullmatch(sent))
        self.answered[method, path].add(answer.status_code)
        if (method, path, answer.status_code, answer.text) in self._checked:
            return
        self._checked.add((method, path, answer.status_code, answer.text))
        promised = self._closed["paths"][path][method]["responses"]
        assert str(answer.status_code) in promised, (method, path, answer.status_code, answer.text)
        media, _, _ = answer.headers["content-type"].partition(";")
        schema = promised[str(answer.status_code)]["content"][media]["schema"]
        body = answer.json() if media == "application/json" else answer.text
        validator = Draft202012Validator({**schema, "components": self._closed["components"]})
        problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
        assert not problems, (method, path, problems)


def _closed(document: Document) -> Document:
    """The same document in which an object has the keys that are declared, and no others."""

    def close(part: Any) -> None:
        for value in part.values() if isinstance(part, dict) else part:
            if isinstance(value, dict | list):
                close(value)
        if isinstance(part, dict) and isinstance(part.get("properties"), dict):
            part.setdefault("additionalProperties", False)

    closed = copy.deepcopy(document)
    for schema in closed["components"]["schemas"].values():
        close({"": schema})
    return closed


@pytest.fixture(params=DIALECTS)
def witness(request: pytest.FixtureRequest) -> Iterator[Witness]:
    settings = {"clock": "stepped", "machines": True, "dialect": request.param}
    with start(**settings) as sandbox, Witness(sandbox.url) as caller:
        yield caller


def _operations(document: Document) -> list[tuple[str, str, Document]]:
    return [
        (method, path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def test_the_document_is_valid_openapi(witness: Witness) -> None:
    assert witness.document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(witness.document).validate()


def test_no_key_is_needed_to_read_it() -> None:
    with start(clock="stepped") as sandbox, Caller(sandbox.url, key=None) as caller:
        assert caller.get("/openapi.json").status_code == 200
        assert caller.get("/docs").status_code == 200


def test_it_names_every_route_that_is_served_and_no_other(witness: Witness) -> None:
    # A method that a path does not have is answered with 405 and those that it has.
    for path in witness.document["paths"]:
        sent = re.sub(r"\{\w+\}", "0", path)
        answer = httpx.request("TRACE", witness.base_url.join(sent), headers=witness.headers, trust_env=False)
        assert answer.status_code == 405, path
    assert _served() == {(method.upper(), path) for method, path, _ in _operations(witness.document)}


def _served() -> set[tuple[str, str]]:
    """The routes as the modules hold them, not as FastAPI documents them."""
    return {
        (method, ("" if name in OWN else "/api/v1") + route.path)
        for name in (module.name for module in pkgutil.iter_modules(routes.__path__))
        for route in getattr(import_module(f"{routes.__name__}.{name}"), "router", APIRouter()).routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }


def test_every_operation_says_what_it_is_for(witness: Witness) -> None:
    tags = {tag["name"] for tag in witness.document["tags"]}
    for method, path, operation in _operations(witness.document):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert set(operation["tags"]) <= tags, (method, path)
        assert len(operation["tags"]) == 1, (method, path)
        assert ("security" in operation) == path.startswith("/api/v1"), (method, path)


def test_every_answer_has_a_shape(witness: Witness) -> None:
    for method, path, operation in _operations(witness.document):
        for status, answer in operation["responses"].items():
            for content in answer["content"].values():
                assert content["schema"], (method, path, status)


def test_no_name_of_the_other_dialect_is_left(witness: Witness) -> None:
    names = list(witness.document["components"]["schemas"])
    assert len(names) == len(set(names))
    assert not [name for name in names if name.startswith(("Spec", "Published"))]
    assert not re.search(r"schemas/(Spec|Published)", json.dumps(witness.document))
    statuses = witness.document["components"]["schemas"]["Pod"]["properties"]["installationStatus"]["enum"]
    assert ("COMPLETE" in statuses) == (witness.get("/sandbox").json()["dialect"] == "spec")
    assert ("FINISHED" in statuses) == (witness.get("/sandbox").json()["dialect"] == "published")


def test_every_body_has_an_example_and_no_example_is_left_over(witness: Witness) -> None:
    with_body = {
        (method, path)
        for method, path, operation in _operations(witness.document)
        if "requestBody" in operation
    }
    assert with_body == set(EXAMPLES)


def test_a_walk_through_everything_meets_nothing_undeclared(witness: Witness) -> None:
    pods = _inhabit(witness)
    for seconds in (0, 3, 20, 300):
        witness.advance(seconds)
        _look_at_everything(witness, pods)
    machine = "/sandbox/pods/{pod_id}/machine"
    witness.put(machine.format(pod_id=pods[0]), json=EXAMPLES["put", machine])
    _be_refused(witness, pods)
    for pod_id, event in zip(pods, ("stop", "error", "reclaim", "lose"), strict=False):
        witness.happen(pod_id, event)
    _look_at_everything(witness, pods)
    _change_everything(witness)
    _look_at_everything(witness, pods)
    never = {
        (method, path)
        for method, path, _ in _operations(witness.document)
        if 200 not in witness.answered[method, path]
    }
    assert not never


def _inhabit(witness: Witness) -> list[str]:
    """Pods of every kind: with a disk and Jupyter, of several machines, on spot, and failing."""
    offers = ("n3-H100x1", "n3-H100x1", "pc-H200x16", "td-RTX4090x1", "NVIDIA H100 spot")
    pods = [witness.order(name, maxPrice=1000)["id"] for name in offers]
    order = EXAMPLES["post", "/api/v1/pods"]
    with_disk = {
        "pod": {**order["pod"], "image": "cuda_12_6_pytorch_2_7"},
        "provider": order["provider"],
        "disks": ["disk_id_1"],
        "team": {"teamId": "team_id"},
    }
    return [*pods, witness.call("POST", "pods", json=with_disk)["id"]]


def _ids(witness: Witness) -> dict[str, list[str]]:
    """What the ids in paths may be."""
    rows = {
        name: witness.call("GET", path)["data"]
        for name, path in {
            "pod_id": "pods",
            "disk_id": "disks",
            "key_id": "ssh_keys",
            "team_id": "user/teams",
        }.items()
    }
    return {name: [row.get("id") or row["teamId"] for row in found] for name, found in rows.items()}


def _filled(path: str, ids: dict[str, list[str]]) -> list[str]:
    """A path once with each id that it can have."""
    named = re.search(r"\{(\w+)\}", path)
    return [path.replace(named[0], one) for one in ids[named[1]]] if named else [path]


def _look_at_everything(witness: Witness, pods: list[str]) -> None:
    """Every GET, with every id that there is."""
    ids = _ids(witness)
    for method, path, _ in _operations(witness.document):
        if method == "get":
            for sent in _filled(path, ids):
                assert witness.get(sent).status_code == 200
    assert len(witness.status(*pods)) == len(pods)
    for pod_id in pods:
        witness.status(pod_id)


def _change_everything(witness: Witness) -> None:
    """Every other method, with the document's own examples.

    What befalls all pods comes before new ones are bought, and deletions come last.
    """
    changing = [row for row in _operations(witness.document) if row[0] != "get"]
    for method, path, operation in sorted(
        changing, key=lambda row: (row[0] == "delete", row[1].startswith("/api"), row[1])
    ):
        body = {"json": EXAMPLES[method, path]} if "requestBody" in operation else {}
        for sent in _filled(path, _ids(witness)):
            witness.request(method.upper(), sent, **body)
        witness.put("/sandbox/faults", json="none")
        witness.advance(5)


def _be_refused(witness: Witness, pods: list[str]) -> None:
    """Refusals of every kind: none of them is undeclared either."""
    for method, path, operation in _operations(witness.document):
        sent = re.sub(r"\{\w+\}", "no-such-thing", path)
        body = {"json": EXAMPLES[method, path]} if "requestBody" in operation else {}
        if not path.startswith("/sandbox"):
            witness.request(method.upper(), sent, **body)
        witness.request(method.upper(), sent, **body, headers={"Origin": "http://example.org"})
        if "requestBody" in operation:
            for wrong in (b"{", b"\xff", b"null", b'{"pod": 1e999}', b'{"pod": {"name": "\\ud800"}}'):
                witness.request(method.upper(), sent, content=wrong)
        if "security" in operation:
            for key in ("Basic c2FuZGJveDo=", *(f"Bearer {key}" for key in KEYS)):
                witness.request(method.upper(), sent, **body, headers={"Authorization": key})
    witness.get("/api/v1/pods", params={"limit": "many"})
    witness.get("/api/v1/pods", headers={"X-Sandbox-Fault": "no-such-fault"})
    order = EXAMPLES["post", "/api/v1/pods"]
    witness.post("/api/v1/pods", json={**order, "disks": ["no-such-disk"]})
    witness.post("/api/v1/pods", json={**order, "pod": {**order["pod"], "image": "custom_template"}})
    witness.happen(pods[0], "start")
    statuses = {status for answers in witness.answered.values() for status in answers}
    assert {400, 401, 403, 404, 409, 422} <= statuses
