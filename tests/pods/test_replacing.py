"""``--replace`` ends the old pod after all that can refuse the launch, and says so whatever follows."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import httpx
import pytest

from primepods_magic.api import errors
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.assess import assess
from primepods_magic.pods.launching.create import PodCreation
from primepods_magic.pods.launching.differences import list_changes
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.launching.limits import Limits
from primepods_magic.pods.launching.plan import LaunchPlan, plan_launch
from primepods_magic.pods.spec.spec import spec_from_mapping
from tests.pods.conftest import Changing, Through
from tests.pods.test_one_pod import is_create
from tests.pods.test_order_changes import ORDERED


def replace_train(connection: Connection, **more: Any) -> None:
    launch(gpu="L4_24GB", name="train", replace_existing=True, settle_s=0, connection=connection, **more)


def names(connection: Connection) -> list[str]:
    return sorted(f"{pod.name} {pod.gpu_name}" for pod in connection.client.list_all_pods())


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (httpx.Response(402, json={"detail": "Insufficient funds"}), errors.PaymentRequired),
        (httpx.Response(400, json={"detail": "No GPUs available"}), errors.OutOfStock),
        (httpx.Response(500), errors.ServiceUnavailable),
    ],
)
def test_a_launch_that_fails_after_the_end_of_the_old_pod_says_that_it_was_ended(
    connection: Connection, through: Through, refusal: httpx.Response, kind: type[errors.PodsError]
) -> None:
    pod = launch(gpu="H100_80GB", name="train", connection=connection)

    class Refusing(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if is_create(request):
                return httpx.Response(refusal.status_code, content=refusal.content)
            return super().handle_request(request)

    with pytest.raises(kind) as caught:
        replace_train(through(Refusing()))
    assert str(caught.value).startswith(f"The old 'train' ({pod.id}) was terminated before this: ")
    assert "othing was done" not in str(caught.value)
    assert names(connection) == []


def test_the_old_pod_stays_if_the_history_cannot_be_read(connection: Connection, through: Through) -> None:
    launch(gpu="H100_80GB", name="train", connection=connection)

    def refuse(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(403) if request.url.path.endswith("/history") else response

    with pytest.raises(errors.PermissionDenied):
        replace_train(through(Changing(refuse)))
    assert names(connection) == ["train H100_80GB"]


def test_the_old_pod_stays_if_a_pod_above_the_ceiling_has_come_meanwhile(
    connection: Connection, through: Through
) -> None:
    launch(gpu="H100_80GB", name="train", connection=connection)

    def agree(_: LaunchPlan) -> bool:
        launch(gpu="H100_80GB", name="other", connection=connection)
        return True

    there = through(httpx.HTTPTransport(verify=False), live=True)
    with pytest.raises(errors.BudgetExceeded):
        replace_train(there, confirm=agree, limits=Limits(max_burn_usd_hr=2.5))
    assert names(connection) == ["other H100_80GB", "train H100_80GB"]


def test_an_interrupt_after_the_end_of_the_old_pod_says_that_it_was_ended(
    connection: Connection, through: Through
) -> None:
    pod = launch(gpu="H100_80GB", name="train", connection=connection)
    said: list[str] = []

    class Interrupting(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if is_create(request):
                said.append(str(creation.interrupt()))
            return super().handle_request(request)

    there = through(Interrupting())
    spec = spec_from_mapping({"gpu": "L4_24GB", "name": "train"})
    creation = PodCreation(there, plan_launch(there, spec, replace_existing=True))
    with contextlib.suppress(errors.PodsError):
        creation.run()
    assert said[0].startswith(f"The old 'train' ({pod.id}) was terminated before this: Interrupted while")


SPELLED = [
    {"gpuName": "H100 80GB"},
    {"socket": "PCI-e"},
    {"environmentType": "Ubuntu 22 CUDA 12"},
    {"resources": {"disk": "200.0"}},
    {"gpuName": "", "socket": None, "gpuCount": None},
]
"""What a service says of what was ordered, in its own spelling."""
OTHERS = [
    {"gpuName": "H200_141GB"},
    {"gpuCount": 8},
    {"socket": "SXM5"},
    {"environmentType": "axolotl"},
    {"resources": {"disk": 20}},
]


@pytest.mark.parametrize("said", [*SPELLED, *OTHERS], ids=json.dumps)
def test_a_pod_differs_from_a_spec_as_it_differs_from_an_order(
    connection: Connection, said: dict[str, Any]
) -> None:
    fields = {
        "gpu": "H100_80GB",
        "count": 1,
        "socket": "PCIe",
        "image": "ubuntu_22_cuda_12",
        "disk": 200,
        "name": "train",
    }
    pod = PodDetails.model_validate(
        {"id": "p", "name": "train", "status": "ACTIVE", "userId": connection.user_id, **said}
    )
    found = assess(connection, [pod], spec_from_mapping(fields))
    assert (found.pod is not None) is (said in SPELLED) is (list_changes(pod, ORDERED) == [])
