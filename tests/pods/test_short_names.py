"""Short names in a spec: one match is taken and shown, several are listed, and none names what is near."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from primepods_magic import launch, launch_many, list_offers
from primepods_magic.api.enums import GPU_TYPES, IMAGES, PROVIDERS, REGIONS
from primepods_magic.api.errors import InvalidRequest, NameInUse, OutOfStock, PodsError
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import plan_many
from primepods_magic.pods.support.part_matching import match_part
from tests.pods.conftest import Changing, Through


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("H100", "H100_80GB"),
        ("h100", "H100_80GB"),
        ("h100-80gb", "H100_80GB"),
        ("H100 80GB", "H100_80GB"),
        ("NVIDIA H100", "H100_80GB"),
        ("4090", "RTX4090_24GB"),
        ("RTX 4090", "RTX4090_24GB"),
        ("NVIDIA GeForce RTX 4090", "RTX4090_24GB"),
        ("3090", "RTX3090_24GB"),
        ("4080ti", "RTX4080Ti_16GB"),
        ("L4", "L4_24GB"),
        ("L40", "L40_48GB"),
        ("l40s", "L40S_48GB"),
        ("A10", "A10_24GB"),
        ("B200", "B200_180GB"),
        ("rtx 6000 ada", "RTX6000Ada_48GB"),
        ("pro 6000", "RTX_PRO_6000B_96GB"),
        ("A100", "A100_40GB A100_80GB"),
        ("A100 80GB", "A100_80GB"),
        ("V100", "V100_16GB V100_32GB"),
        ("H200", "H200_96GB H200_141GB"),
        ("80GB", "A100_80GB H100_80GB"),
        ("A1", ""),
        ("A2", ""),
        ("H1", ""),
        ("4", ""),
        ("", ""),
        ("_", ""),
    ],
)
def test_matches_a_gpu_by_its_model_and_never_by_part_of_a_number(part: str, names: str) -> None:
    assert match_part(part, GPU_TYPES) == names.split()


@pytest.mark.parametrize(
    ("part", "known", "names"),
    [
        ("lambda", PROVIDERS, "lambdalabs"),
        ("crusoe", PROVIDERS, "crusoecloud"),
        ("prime", PROVIDERS, "primecompute primeintellect"),
        ("runpodd", PROVIDERS, ""),
        ("north", REGIONS, "eu_north"),
        ("US", REGIONS, "united_states"),
        ("usa", REGIONS, "united_states"),
        ("america", REGIONS, "united_states south_america"),
        ("europe", REGIONS, "eu_east eu_north eu_west"),
        ("ubuntu", IMAGES, "ubuntu_22_cuda_12"),
        ("pytorch 2.7", IMAGES, "cuda_12_6_pytorch_2_7"),
        ("torch 2.4", IMAGES, "cuda_12_1_pytorch_2_4 cuda_12_4_pytorch_2_4"),
        ("pytorch_2_4", IMAGES, "cuda_12_1_pytorch_2_4 cuda_12_4_pytorch_2_4"),
        ("oslo", ["NO-OSLO-1", "US-EAST-1"], "NO-OSLO-1"),
        ("us", ["NO-OSLO-1", "US-EAST-1"], "US-EAST-1"),
    ],
)
def test_matches_words_of_other_names(part: str, known: Any, names: str) -> None:
    assert match_part(part, known) == names.split()


@pytest.mark.parametrize("gpu", GPU_TYPES)
def test_every_whole_name_means_itself(gpu: str) -> None:
    assert match_part(gpu, GPU_TYPES) == [gpu]


@pytest.mark.parametrize("fields", [{"name": "a"}, {}], ids=["named", "unnamed"])
def test_a_short_name_is_the_whole_one_in_the_request_and_finds_its_pod_again(
    connection: Connection, fields: dict[str, Any]
) -> None:
    spec = {"gpu": "4090", "provider": "masse", "region": "us", **fields}
    told: list[str] = []
    (plan,) = plan_many(connection, spec, tell=told.append)
    assert told == ["4090 → RTX4090_24GB", "masse → massedcompute", "us → united_states"]
    assert (plan.spec.gpu_type, plan.spec.provider) == ("RTX4090_24GB", "massedcompute")
    assert plan.request is not None
    sent = plan.request.wire()
    assert (sent["pod"]["gpuType"], sent["provider"]["type"]) == ("RTX4090_24GB", "massedcompute")
    pod = launch(spec, tell=told.append)
    assert pod.is_new
    assert pod.details.gpu_name == "RTX4090_24GB"
    again = launch(spec, tell=told.append)
    assert (again.id, again.is_new) == (pod.id, False)
    if "name" in fields:
        assert launch({**spec, "gpu": "RTX4090_24GB"}, tell=told.append).id == pod.id
        with pytest.raises(NameInUse, match="gpu is RTX4090_24GB, not L4_24GB"):
            launch({**spec, "gpu": "L4"}, tell=told.append)


def test_an_image_is_compared_by_its_whole_name(connection: Connection) -> None:
    told: list[str] = []
    pod = launch(gpu="H100", name="a", image="pytorch_2_7", tell=told.append)
    assert told[1] == "pytorch_2_7 → cuda_12_6_pytorch_2_7"
    assert launch(gpu="H100_80GB", name="a", image="cuda_12_6_pytorch_2_7").id == pod.id
    with pytest.raises(NameInUse, match="image is cuda_12_6_pytorch_2_7, not ubuntu_22_cuda_12"):
        launch(gpu="H100_80GB", name="a", image="ubuntu", tell=told.append)


def test_several_pods_say_a_name_once(connection: Connection) -> None:
    told: list[str] = []
    pods = launch_many([{"gpu": "L4", "name": name} for name in "abc"], tell=told.append)
    assert told == ["L4 → L4_24GB"]
    assert {pod.details.gpu_name for pod in pods} == {"L4_24GB"}


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"gpu": "A100"}, "'A100' matches A100_40GB, A100_80GB: name one"),
        ({"gpu": "V100"}, "'V100' matches V100_16GB, V100_32GB: name one"),
        ({"gpu": "H200"}, "'H200' matches H200_96GB, H200_141GB: name one"),
        ({"gpu": "L4_24GB", "provider": "prime"}, "'prime' matches primecompute, primeintellect: name one"),
        ({"gpu": "L4_24GB", "region": "eu"}, "'eu' matches eu_east, eu_north, eu_west: name one"),
        ({"gpu": "L4_24GB", "socket": "SXM"}, "'SXM' matches SXM2, SXM3, SXM4, SXM5, SXM6: name one"),
        (
            {"gpu": "L4_24GB", "image": "vllm"},
            "matches vllm_llama_8b, vllm_llama_70b, vllm_llama_405b: name one",
        ),
        ({"gpu": "L4_24GB", "data_center_id": "us"}, "'us' matches us-east-1, us-west-2: name one"),
        ({"gpu": "H1000"}, "There is no GPU type 'H1000' (did you mean 'H100_80GB'?)"),
        ({"gpu": "8xH100"}, "There is no GPU type '8xH100' (did you mean 'H100_80GB'?)"),
        ({"gpu": "A100-SXM4-80GB"}, "(did you mean 'A100_80GB' or"),
        ({"gpu": "xyz"}, "There is no GPU type 'xyz'. Known: A10_24GB, A100_80GB, "),
        (
            {"gpu": "L4_24GB", "provider": "runpodd"},
            "There is no provider 'runpodd' (did you mean 'runpod'?)",
        ),
        ({"gpu": "L4_24GB", "provider": "aws"}, "There is no provider 'aws'. Known: runpod, "),
        (
            {"gpu": "L4_24GB", "region": "eu_norht"},
            "There is no region 'eu_norht' (did you mean 'eu_north'?)",
        ),
        ({"gpu": "L4_24GB", "country": "Norway"}, "No offer is in the country 'Norway'. Known: AE, AU, "),
        ({"gpu": "L4_24GB", "country": "XX"}, "No offer is in the country 'XX'. Known: AE, AU, "),
        ({"gpu": "L4_24GB", "data_center_id": "eu-ro-2"}, "data center 'eu-ro-2' (did you mean 'EU-RO-1'"),
        ({"gpu": "L4_24GB", "socket": "SXM9"}, "There is no socket 'SXM9' (did you mean 'SXM"),
        (
            {"gpu": "L4_24GB", "image": "pytorhc"},
            "There is no image 'pytorhc'. Known: cuda_12_4_pytorch_2_5, ",
        ),
        ({"gpu": "L4_24GB", "image": "cuda_12_6_pytorch_2_8"}, "(did you mean 'cuda_12_6_pytorch_2_7' or"),
        (
            {"gpu": "L4_24GB", "image": "petals_llama"},
            "L4_24GB has the image 'petals_llama'. Images: ",
        ),
    ],
)
def test_what_is_not_one_name_is_refused(connection: Connection, fields: dict[str, Any], answer: str) -> None:
    for call in (launch, list_offers):
        with pytest.raises(InvalidRequest) as caught:
            call(**fields, **({"tell": str} if call is launch else {}))  # type: ignore[operator]
        assert answer in str(caught.value)
        assert ("Nothing was created" in str(caught.value)) is (call is launch)
    assert connection.client.list_all_pods() == []


def test_an_image_that_some_offer_has_is_out_of_stock(connection: Connection) -> None:
    with pytest.raises(OutOfStock, match="no image cuda_12_6_pytorch_2_7"):
        launch(gpu="L4_24GB", image="cuda_12_6_pytorch_2_7")


class Recording(Changing):
    """The network, with the availability requests that went through it, and offers put in."""

    def __init__(self, *extra: dict[str, Any]) -> None:
        super().__init__(self._record)
        self.asked: list[str] = []
        self.extra = list(extra)

    def _record(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if "/availability/" not in request.url.path:
            return response
        if request.url.params["page"] == "1":
            self.asked.append(request.url.params.get("gpu_type", "all"))
        # The sandbox refuses types that it does not have.
        body = response.json() if response.status_code == 200 else {"items": [], "totalCount": 0}
        wanted = request.url.params.get("gpu_type")
        more = [offer for offer in self.extra if wanted in (None, offer["gpuType"])]
        is_last = int(request.url.params["page"]) * 100 >= body["totalCount"]
        body["items"] += more if is_last else []
        return httpx.Response(200, json={**body, "totalCount": body["totalCount"] + len(more)})


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.mark.parametrize(
    "fields",
    [
        {"gpu": "H100_80GB"},
        {"gpu": "h100_80gb"},
        {"gpu": "H100-80GB"},
        {"gpu": "H100_80GB", "region": "north"},
        {"gpu": "H100_80GB", "region": "eu_north", "country": "FI", "provider": "datacrunch"},
        {"gpu": "H100_80GB", "socket": "pcie", "image": "ubuntu_22_cuda_12", "provider": "Hyperstack"},
    ],
    ids=str,
)
def test_a_known_name_costs_no_request(through: Through, recording: Recording, fields: Any) -> None:
    there = through(recording)
    plan_many(there, {**fields, "name": "a"}, tell=str)
    assert recording.asked == ["H100_80GB"]
    pod = launch({**fields, "name": "a"}, tell=str, connection=there)
    assert launch({**fields, "name": "a"}, tell=str, connection=there).id == pod.id
    assert set(recording.asked) == {"H100_80GB"}


def test_a_part_costs_one_listing_for_all_pods_and_what_was_seen_none(
    through: Through, recording: Recording
) -> None:
    there = through(recording)
    plan_many(there, [{"gpu": "L4", "name": "a"}, {"gpu": "L4", "name": "b"}], tell=str)
    assert recording.asked == ["all", "L4_24GB", "L4_24GB"]
    plan_many(there, {"gpu": "L4_24GB", "data_center_id": "ap-northeast-1", "name": "a"}, tell=str)
    assert recording.asked[3:] == ["L4_24GB"]


NEW = {
    "cloudId": "c",
    "gpuType": "H100_94GB",
    "gpuCount": 1,
    "socket": "PCIe",
    "provider": "newcomer",
    "dataCenter": "moon-1",
    "security": "secure_cloud",
    "prices": {"onDemand": 1.0, "currency": "USD"},
}


def test_memory_sizes_that_only_the_service_knows_are_not_chosen_among(through: Through) -> None:
    there = through(Recording(NEW))
    with pytest.raises(InvalidRequest, match="'H100' matches H100_80GB, H100_94GB: name one"):
        launch(gpu="H100", connection=there)
    (plan,) = plan_many(there, {"gpu": "H100_94GB", "provider": "newcom", "name": "a"}, tell=str)
    assert (plan.spec.gpu_type, plan.spec.provider) == ("H100_94GB", "newcomer")


def test_an_unnamed_pod_is_found_again_after_a_short_name_means_another_thing(through: Through) -> None:
    recording = Recording({**NEW, "gpuType": "X9_10GB"})
    there = through(recording)
    (first,) = plan_many(there, {"gpu": "X9"}, tell=str)
    recording.extra = [{**NEW, "gpuType": "X9_20GB"}]
    (second,) = plan_many(there, {"gpu": "X9"}, tell=str)
    assert (first.spec.gpu_type, second.spec.gpu_type) == ("X9_10GB", "X9_20GB")
    # Its pod differs, so it is refused, and no second one is rented.
    assert first.name == second.name


@pytest.mark.parametrize("gpu", ["\x1b[2J_1GB", "X" * 900, "<b>X</b>_1GB"])
def test_names_from_the_service_are_shown_safely(through: Through, gpu: str) -> None:
    there = through(Recording({**NEW, "gpuType": f"Z7{gpu}"}, {**NEW, "gpuType": f"Z7{gpu}2GB"}))
    with pytest.raises(PodsError) as caught:
        launch(gpu="Z7", connection=there, tell=str)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 4_000


@pytest.mark.parametrize(
    ("count", "nearest"),
    [(3, [2, 4, 2]), (5, [4, 8, 4]), (6, [4, 8, 4]), (24, [16, 32, 32]), (100, [32, 32, 1])],
)
def test_the_nearest_offers_have_the_nearest_counts(
    connection: Connection, count: int, nearest: list[int]
) -> None:
    with pytest.raises(OutOfStock) as caught:
        launch(gpu="H100_80GB", count=count)
    lines = str(caught.value).splitlines()[1:]
    assert [int(line.split()[0]) for line in lines] == nearest
    assert all("/h: count is " in line and "$" in line for line in lines)


def test_a_completed_name_is_a_line_on_stderr(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    launch(gpu="L4", name="train")
    assert capsys.readouterr().err == "L4 → L4_24GB\n"
