"""The Python that people look for: my pods, one pod by its name, offers, and short results."""

from __future__ import annotations

import pytest

from primepods_magic import errors, get_pod, launch, launch_many, list_offers, list_pods
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch as launch_here
from tests.support.sandbox_control import SandboxControl


@pytest.mark.usefixtures("connection")
def test_lists_my_pods_as_objects_that_can_be_terminated() -> None:
    launch_many([{"gpu": "L4_24GB", "name": name} for name in ("a", "b")])
    assert [pod.name for pod in list_pods()] == ["a", "b"]
    assert list_pods(statuses="active") == []
    for pod in list_pods():
        pod.terminate()
    assert list_pods() == []


def test_gets_a_pod_by_its_name_its_id_or_the_beginning_of_its_id(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    assert [get_pod(text).id for text in ("train", pod.id, pod.id[:6])] == [pod.id] * 3
    assert get_pod("train", connection=connection).wait(timeout=900).is_ready
    with pytest.raises(errors.NotFound, match=r"no pod 'trian'.*Did you mean 'train'"):
        get_pod("trian")


@pytest.mark.usefixtures("connection")
def test_lists_offers_as_a_frame() -> None:
    offers = list_offers(gpu="H100_80GB", count=2, max_price=6)
    assert set(offers.gpu) == {"H100_80GB"}
    assert set(offers.gpu_count) == {2}
    assert offers.price_hr.is_monotonic_increasing
    assert set(list_offers(spot=True).is_spot) == {True}


@pytest.mark.usefixtures("connection")
def test_refuses_arguments_of_the_wrong_kind() -> None:
    with pytest.raises(errors.InvalidRequest, match="'name' must be the name or the id of a pod, not a int"):
        get_pod(7)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidRequest, match="'connection' must be a Connection"):
        list_pods(connection="sandbox")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidRequest, match="did you mean 'H100_80GB'"):
        list_offers(gpu="H100_80BG")
    with pytest.raises(errors.InvalidRequest, match="'timeout_s' must be"):
        launch(gpu="L4_24GB", name="train").wait(timeout=-1)


def test_a_terminated_pod_is_described_in_one_line(connection: Connection, sandbox: SandboxControl) -> None:
    pod = launch_here(gpu="L4_24GB", name="train", connection=connection)
    sandbox.advance(3600)
    assert repr(pod.terminate()) == "Pod train: terminated · $0.69 billed"
