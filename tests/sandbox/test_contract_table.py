"""Every field of every answer, and of the create, against a table of what the service and its client say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from primepods_magic.sandbox import start

from .conftest import Caller
from .contract_table import CREATE, ENUMS, LISTS, OBJECTS

Samples = dict[str, list[dict[str, Any]]]
DIALECTS = ("spec", "published")
SPEC_WORDS = set(ENUMS["SpecInstallation"].split())
PUBLISHED_WORDS = set(ENUMS["PublishedInstallation"].split())


@dataclass(frozen=True)
class Field:
    """A line of the table."""

    name: str
    kind: str
    remarks: frozenset[str]

    def is_in(self, dialect: str) -> bool:
        return not self.remarks & {"spec", "published"} or dialect in self.remarks


def fields(name: str) -> list[Field]:
    rows = [line.split() for line in OBJECTS[name].strip().splitlines()]
    return [Field(row[0], row[1], frozenset(row[2:])) for row in rows]


def fits(kind: str, value: Any) -> bool:
    """Whether a value is of a kind of the table."""
    if kind.endswith("?"):
        return value is None or fits(kind[:-1], value)
    if "|" in kind:
        return any(fits(part, value) for part in kind.split("|"))
    if kind.startswith("["):
        return isinstance(value, list) and all(fits(kind[1:-1], item) for item in value)
    if kind in ENUMS:
        return value in ENUMS[kind].split()
    if kind in OBJECTS:
        return isinstance(value, dict)
    if kind == "date-time":
        return datetime.fromisoformat(value.replace("Z", "+00:00")).utcoffset() is not None
    types: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    return isinstance(value, types[kind]) and (kind == "boolean" or not isinstance(value, bool))


@pytest.fixture(scope="module", params=DIALECTS)
def world(request: pytest.FixtureRequest) -> Iterator[tuple[str, Samples]]:
    """A sandbox in which much has happened, and everything that it says about it."""
    with start(clock="stepped", dialect=request.param) as sandbox, Caller(sandbox.url) as caller:
        yield request.param, collected(caller)


def collected(caller: Caller) -> Samples:
    caller.put("/sandbox/wallet", json={"balance_usd": 1e6})
    failing = caller.order("td-RTX4090x1", name="failing")
    stopped, erring, lost = (caller.order(name=name) for name in ("stopped", "erring", "lost"))
    cluster = caller.order("pc-H200x16", name="cluster")
    caller.order("NVIDIA RTX4090", name="container", image="cuda_12_4_pytorch_2_6")
    with_disk = {"cloudId": "n3-H100x1", "gpuType": "H100_80GB", "socket": "PCIe", "gpuCount": 1}
    body = {"pod": with_disk, "provider": {"type": "hyperstack"}, "disks": ["disk_id_1"]}
    caller.call("POST", "pods", json={**body, "team": {"teamId": "team_id"}})
    ended = [caller.order(name=f"ended-{number}")["id"] for number in range(3)]
    everything = [failing["id"], stopped["id"], erring["id"], lost["id"], cluster["id"], *ended]
    samples: Samples = defaultdict(list)
    look(caller, everything, samples)
    caller.advance(3)
    look(caller, everything, samples)
    caller.advance(3)
    caller.call("DELETE", f"pods/{ended[0]}")
    look(caller, everything, samples)
    caller.advance(60)
    for pod, event in ((stopped, "stop"), (erring, "error"), (lost, "lose")):
        caller.happen(pod["id"], event)
    look(caller, everything, samples)
    return samples


def look(caller: Caller, pod_ids: list[str], samples: Samples) -> None:
    for path, name in LISTS.items():
        samples[name] += caller.call("GET", path)["data"]
    samples["PodStatusRow"] += caller.status(*pod_ids)
    for path in ("gpus", "gpus?page=2", "multi-node"):
        samples["Offer"] += caller.call("GET", f"availability/{path}")["items"]
    samples["DiskOffer"] += caller.call("GET", "availability/disks")["items"]
    for by_count in caller.call("GET", "availability/gpu-summary").values():
        for prices in by_count.values():
            samples["SummaryPrices"] += [price for price in prices.values() if price is not None]
    samples["Whoami"].append(caller.call("GET", "user/whoami")["data"])
    samples["Wallet"].append(caller.call("GET", "billing/wallet"))
    samples["Credentials"] += caller.call("GET", "template/registry-credentials")["credentials"]
    for name in (
        "Pod",
        "PodStatusRow",
        "AttachedResource",
        "Offer",
        "DiskOffer",
        "Disk",
        "Whoami",
        "Scope",
        "Wallet",
    ):
        for sample in list(samples[name]):
            unfold(name, sample, samples)


def unfold(name: str, sample: dict[str, Any], samples: Samples) -> None:
    """What is inside an object is looked at, too."""
    for field in fields(name):
        kind = field.kind.strip("[]?")
        if kind in OBJECTS and sample.get(field.name) is not None:
            inside = sample[field.name]
            samples[kind] += inside if isinstance(inside, list) else [inside]


@pytest.mark.parametrize(
    ("name", "field"),
    [pytest.param(name, field, id=f"{name}.{field.name}") for name in OBJECTS for field in fields(name)],
)
def test_a_field_is_there_and_of_its_kind(world: tuple[str, Samples], name: str, field: Field) -> None:
    dialect, samples = world
    assert samples[name], f"nothing of kind {name} was seen"
    if not field.is_in(dialect):
        assert not [sample for sample in samples[name] if field.name in sample]
        return
    for sample in samples[name]:
        assert field.name in sample
        assert fits(field.kind, sample[field.name]), sample[field.name]


@pytest.mark.parametrize("name", list(OBJECTS))
def test_nothing_is_said_that_the_table_does_not_know(world: tuple[str, Samples], name: str) -> None:
    dialect, samples = world
    known = {field.name for field in fields(name) if field.is_in(dialect)}
    assert {key for sample in samples[name] for key in sample} == known


def test_every_state_occurs(world: tuple[str, Samples]) -> None:
    dialect, samples = world
    rows = samples["PodStatusRow"]
    assert {row["status"] for row in rows} == set(ENUMS["PodStatus"].split())
    words = SPEC_WORDS if dialect == "spec" else PUBLISHED_WORDS
    assert {row["installationStatus"] for row in rows} == words
    assert {type(row["sshConnection"]) for row in rows} == {str, list, type(None)}
    assert {row["stockStatus"] for row in samples["Offer"]} == set(ENUMS["Stock"].split())
    assert {row["usedBy"] for row in samples["PortMapping"]} == {"SSH", "JUPYTER_NOTEBOOK"}
    assert {row["status"] for row in samples["AttachedResource"]} == {"ATTACHED", "MOUNTED"}
    assert {row["type"] for row in samples["HistoryRow"]} >= {"Instance", "Disk"}


def test_resources_are_text_or_numbers_by_the_dialect(world: tuple[str, Samples]) -> None:
    dialect, samples = world
    kinds = {type(row[key]) for row in samples["Resources"] for key in ("memory", "disk", "vcpus")}
    assert kinds == ({str} if dialect == "spec" else {int})


@pytest.fixture(scope="module")
def orders() -> Iterator[Caller]:
    """A sandbox that takes orders."""
    with start(clock="stepped") as sandbox, Caller(sandbox.url) as caller:
        yield caller


COMPLETE: dict[str, Any] = {
    "cloudId": "n3-H100x1",
    "gpuType": "H100_80GB",
    "socket": "PCIe",
    "gpuCount": 1,
    "name": "My pod",
    "diskSize": 200,
    "vcpus": 16,
    "memory": 128,
    "maxPrice": 3.0,
    "image": "ubuntu_22_cuda_12",
    "dataCenterId": "CANADA-1",
    "country": "CA",
    "security": "secure_cloud",
    "envVars": [{"key": "FOO", "value": "bar"}],
    "jupyterPassword": "secret",
    "sshKeyId": "cmkey00000000000000000001",
    "autoRestart": False,
}
WRONG: dict[str, list[Any]] = {
    "string": [1, True, ["x"]],
    "positive": [0, -1, 1.5, "1", True],
    "positive-number": [0, -1, "1"],
    "number": ["1", [1]],
    "boolean": ["true", 1],
    "envVars": [{"FOO": "bar"}, [{"key": "FOO"}], [{"key": "FOO", "value": 1}]],
    **{name: ["no such word", 1] for name in ENUMS},
}
CREATE_ROWS = [tuple(line.split()) for line in CREATE.strip().splitlines()]


def order(caller: Caller, **changes: Any) -> int:
    pod = {key: value for key, value in {**COMPLETE, **changes}.items() if value is not ...}
    answer = caller.post("/api/v1/pods", json={"pod": pod, "provider": {"type": "hyperstack"}})
    assert "secret" not in answer.text
    return answer.status_code


@pytest.mark.parametrize(("name", "need", "kind"), CREATE_ROWS, ids=[row[0] for row in CREATE_ROWS])
def test_a_create_takes_what_it_should_and_nothing_else(
    orders: Caller, name: str, need: str, kind: str
) -> None:
    assert order(orders) == 200
    assert order(orders, **{name: ...}) == (422 if need == "required" else 200)
    assert order(orders, **{name: None}) == (200 if need == "nullable" else 422)
    for wrong in WRONG[kind]:
        assert order(orders, **{name: wrong}) == 422, wrong


def test_unknown_keys_are_refused_inside_pod_and_taken_beside_it(orders: Caller) -> None:
    assert order(orders, colour="red") == 422
    body = {"pod": COMPLETE, "provider": {"type": "hyperstack"}, "colour": "red"}
    assert orders.post("/api/v1/pods", json=body).status_code == 200
    for names in (("shared_with_team", "team_member_ids"), ("sharedWithTeam", "teamMemberIds")):
        sharing = {names[0]: False, names[1]: None}
        assert orders.post("/api/v1/pods", json={**body, **sharing}).status_code == 200
        assert orders.post("/api/v1/pods", json={**body, names[0]: "yes"}).status_code == 422


@pytest.mark.parametrize("path", list(LISTS))
def test_a_list_has_the_published_envelope_and_pages(orders: Caller, path: str) -> None:
    plain = orders.call("GET", path)
    assert {key: type(value) for key, value in plain.items()} == {
        "total_count": int,
        "offset": int,
        "limit": int,
        "data": list,
        "status": type(None),
    }
    assert (plain["offset"], plain["limit"]) == (0, 100)
    assert orders.call("GET", f"{path}/") == plain
    page = orders.call("GET", path, params={"offset": 1, "limit": 1})
    assert (page["offset"], page["limit"], page["data"]) == (1, 1, plain["data"][1:2])
    for bad in ({"offset": -1}, {"limit": -1}, {"limit": "x"}, {"offset": 1.5}):
        assert orders.get(f"/api/v1/{path}", params=bad).status_code == 422


@pytest.mark.parametrize("path", ["gpus", "multi-node", "disks"])
def test_what_is_available_has_pages_with_numbers(orders: Caller, path: str) -> None:
    plain = orders.call("GET", f"availability/{path}")
    assert set(plain) == {"items", "totalCount"}
    assert orders.call("GET", f"availability/{path}/") == plain
    assert orders.call("GET", f"availability/{path}", params={"page": 1000})["items"] == []
    for bad in ({"page": 0}, {"page_size": 0}, {"page_size": 101}, {"regions": "europe_west"}):
        assert orders.get(f"/api/v1/availability/{path}", params=bad).status_code == 422


def test_the_older_availability_is_by_gpu_type(orders: Caller) -> None:
    for path, newer in (("", "gpus"), ("clusters", "multi-node")):
        by_type = orders.call("GET", f"availability/{path}")
        total = orders.call("GET", f"availability/{newer}")["totalCount"]
        assert sum(map(len, by_type.values())) == total
        assert all(row["gpuType"] == gpu for gpu, rows in by_type.items() for row in rows)
    assert orders.get("/api/v1/availability", params={"page_size": 501}).status_code == 422


@pytest.mark.parametrize(("limit", "status"), [(0, 422), (1, 200), (100, 200), (101, 422)], ids=str)
def test_the_wallet_has_pages_of_its_own(orders: Caller, limit: int, status: int) -> None:
    assert orders.get("/api/v1/billing/wallet", params={"limit": limit}).status_code == status
    assert len(orders.call("GET", "billing/wallet")["recent_billings"]) == 20
