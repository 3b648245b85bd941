"""Several GPU types, places or providers in a spec: any will do, the cheapest is taken, and it is one pod."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import InvalidRequest, NameInUse, OutOfStock
from primepods_magic.frames.listing import list_offers
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.launching.plan import plan_launch
from primepods_magic.pods.spec.spec import parse_spec, spec_from_mapping
from tests.pods.conftest import Through
from tests.pods.test_launch import names
from tests.support.sandbox_control import SandboxControl

BOTH = ("A100_80GB", "H100_80GB")


def sell_out(sandbox: SandboxControl, gpu_type: str, stock: str = "Unavailable") -> None:
    offers = sandbox.api.get("/api/v1/availability/gpus", params={"gpu_type": gpu_type}).json()["items"]
    for cloud_id in {offer["cloudId"] for offer in offers}:
        answer = sandbox.api.put("/sandbox/offers", json={"cloud_id": cloud_id, "stock": stock})
        assert answer.is_success, answer.text


@pytest.mark.parametrize(
    "given",
    [
        "gpu: [H100_80GB, A100_80GB]",
        "gpu: [a100_80gb, H100_80GB, A100_80GB]",
        "gpu: H100_80GB, A100_80GB",
        "gpu:\n  - A100_80GB\n  - H100_80GB",
    ],
)
def test_the_order_and_the_form_of_several_do_not_matter(connection: Connection, given: str) -> None:
    spec, same = parse_spec(given), spec_from_mapping({"gpu": BOTH})
    assert spec == same
    assert spec.pod_name == same.pod_name
    digests = {plan_launch(connection, each, is_dry_run=True).digest for each in (spec, same)}
    assert len(digests) == 1


def test_a_single_value_stays_what_it_was() -> None:
    for given in ("H100_80GB", ["H100_80GB"], ("H100_80GB", "h100_80gb"), {"H100_80GB"}):
        spec = spec_from_mapping({"gpu": given, "region": given and ["eu_north"]})
        assert (spec.gpu_type, spec.region) == ("H100_80GB", "eu_north")
    # Names of pods that are rented already.
    assert parse_spec("gpu: H100_80GB").pod_name == "h100-80gb-1-dac7c2"
    assert parse_spec("gpu: L4_24GB\nregion: eu_north").pod_name == "l4-24gb-1-ad3da6"


def test_a_launch_takes_the_cheapest_of_all_and_a_rerun_returns_it(
    connection: Connection, sandbox: SandboxControl
) -> None:
    first = launch(gpu=list(BOTH))
    assert first.details.gpu_name == "A100_80GB"
    assert launch(gpu=BOTH[::-1]).id == first.id
    sell_out(sandbox, "A100_80GB")
    # What it got is sold out now, and it stays the pod of the cell.
    assert launch(gpu=list(BOTH)).id == first.id
    assert launch(gpu=list(BOTH), name="other").details.gpu_name == "H100_80GB"
    assert launch(gpu=list(BOTH), name="other", max_price=9).details.gpu_name == "H100_80GB"
    with pytest.raises(NameInUse, match="gpu is H100_80GB, not A100_80GB or L4_24GB"):
        launch(gpu=["A100_80GB", "L4_24GB"], name="other")
    assert len(names(connection)) == 2


def test_one_type_is_one_request_and_several_are_one_each(connection: Connection, through: Through) -> None:
    asked: list[str] = []

    class Noting(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if "availability" in request.url.path:
                asked.append(request.url.params.get("gpu_type", "all"))
            return super().handle_request(request)

    noting = through(Noting())
    plan_launch(noting, spec_from_mapping({"gpu": "H100_80GB"}), is_dry_run=True)
    assert asked == ["H100_80GB"]
    asked.clear()
    plan_launch(noting, spec_from_mapping({"gpu": BOTH}), is_dry_run=True)
    assert asked == list(BOTH)


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"gpu": ["H100_80GB", "H900_80GB"]}, InvalidRequest, "no GPU type 'H900_80GB'"),
        ({"gpu": BOTH, "region": ["eu_north", "eu_nirth"]}, InvalidRequest, "no region 'eu_nirth'"),
        ({"gpu": BOTH, "provider": ["nobody1", "vultr"]}, InvalidRequest, "no provider 'nobody1'"),
        ({"gpu": ["H100_80GB", ""]}, InvalidRequest, "each item must be a text that is not empty"),
        ({"gpu": []}, InvalidRequest, "gpu is empty"),
        ({"gpu": BOTH, "socket": ["PCIe", "SXM5"]}, InvalidRequest, "socket must be one text, not a list"),
        ({"gpu": BOTH, "max_price": 0.01}, OutOfStock, r"over \$0\.01/h"),
        (
            {"gpu": BOTH, "country": ["CL", "UA"]},
            (OutOfStock, InvalidRequest),
            "country is [A-Z]+, not CL or UA|No offer is in the country",
        ),
    ],
)
def test_a_refusal_names_what_is_wrong(
    connection: Connection, fields: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        launch(name="t", **fields)
    assert names(connection) == []


def test_nothing_on_offer_names_all(connection: Connection, through: Through) -> None:
    nothing = through(httpx.MockTransport(_offer_nothing))
    with pytest.raises(OutOfStock, match="no offers of A100_80GB or H100_80GB now"):
        launch(gpu=BOTH, connection=nothing)


def _offer_nothing(request: httpx.Request) -> httpx.Response:
    if "availability" in request.url.path:
        return httpx.Response(200, json={"items": [], "totalCount": 0})
    if "whoami" in request.url.path:
        return httpx.Response(200, json={"data": {"id": "u"}})
    return httpx.Response(200, json={"data": [], "total_count": 0})


def test_a_listing_takes_several(connection: Connection) -> None:
    both = list_offers(gpu="H100_80GB,A100_80GB", region=["eu_north", "united_states"])
    assert set(both["gpu"]) == set(BOTH)
    assert set(both["region"]) <= {"eu_north", "united_states"}
    in_stock = both[both["stock"] != "Unavailable"]["price_hr"]
    assert list(in_stock) == sorted(in_stock)
