"""`Pod`: what a launch returns says where it is, what it has cost, and lets itself be waited for."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from primepods_magic import launch
from primepods_magic.api.errors import ConnectionClosed, InvalidRequest, UnexpectedAnswer, WaitTimedOut
from primepods_magic.api.models import PodDetails
from primepods_magic.notebook.display.pod import card_text
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.support.notices import redirect_warnings
from tests.support.sandbox_control import SandboxControl
from tests.support.watching import Service, as_json, connected


def test_ports_and_the_command_of_each_node(connection: Connection) -> None:
    details = PodDetails.model_validate(
        {
            "status": "ACTIVE",
            "sshConnection": ["root@203.0.113.7 -p 2200", None],
            "primePortMapping": [
                {"internal": "22", "external": "2200", "usedBy": "SSH"},
                {
                    "internal": "8888",
                    "external": "https://pod.example/?token=x",
                    "usedBy": "JUPYTER_NOTEBOOK",
                },
                {"internal": None, "external": "1"},
            ],
        }
    )
    pod = Pod(connection, details)
    assert pod.connections == ("ssh root@203.0.113.7 -p 2200", None)
    assert pod.ports == {22: "2200", 8888: "https://pod.example/"}
    assert pod.jupyter_url == "https://pod.example/"


def test_the_cost_so_far_is_its_life_at_its_rate(connection: Connection, sandbox: SandboxControl) -> None:
    pod = launch(gpu="H100_80GB", name="train").wait()
    sandbox.advance(3600)
    assert pod.refresh().cost_usd == pytest.approx(2.39, rel=0.01)
    assert pod.terminate().billed_usd == pytest.approx(pod.cost_usd, rel=0.01)
    assert Pod(connection, PodDetails(status="ACTIVE")).cost_usd is None


def test_the_cost_so_far_of_a_pod_that_was_stopped_is_that_of_both_its_states(
    connection: Connection, sandbox: SandboxControl
) -> None:
    pod = launch(gpu="H100_80GB", name="train").wait()
    sandbox.advance(36_000)
    sandbox.api.post(f"/sandbox/pods/{pod.id}/events", json={"event": "stop"}).raise_for_status()
    sandbox.advance(3600)
    pod.refresh()
    assert pod.status == "STOPPED"
    assert pod.cost_usd == pytest.approx(10 * 2.39 + 0.12, rel=0.01)
    assert Pod(connection, pod.details.model_copy(update={"status": "TERMINATED"})).cost_usd is None


def test_a_pod_that_only_tells_what_it_costs_now_shows_that(connection: Connection) -> None:
    created_at = connection.now() - timedelta(hours=10)
    told = {"name": "train", "gpuName": "CPU_NODE", "gpuCount": 0, "priceHr": 0, "createdAt": created_at}
    fresh = Pod(
        connection,
        PodDetails.model_validate({**told, "status": "PROVISIONING", "provisioningPriceHr": 0.5}),
    )
    text = card_text(fresh)
    assert fresh.cost_usd == pytest.approx(5.0, rel=0.01)
    assert "$0.50/h while starting" in text
    assert "cost so far" in text
    assert "None" not in text
    assert "CPU_NODE" in text
    stopped = Pod(connection, PodDetails.model_validate({**told, "status": "STOPPED", "stoppedPriceHr": 0.1}))
    assert "$0.10/h while stopped" in card_text(stopped)
    unpriced = Pod(connection, PodDetails.model_validate({**told, "status": "ACTIVE"}))
    assert unpriced.cost_usd is None


def test_other_tasks_go_on_while_a_pod_is_awaited(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def both() -> None:
        other = asyncio.create_task(tick())
        await pod.wait_async(timeout_s=120)
        other.cancel()

    asyncio.run(both())
    assert pod.is_ready
    assert ticks > 10


def test_awaiting_ends_with_its_time_and_with_a_cancel(connection: Connection, no_leaks: None) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    with pytest.raises(WaitTimedOut, match="train is still billed"):
        asyncio.run(pod.wait_async(timeout_s=1))

    async def cut_off() -> None:
        task = asyncio.create_task(pod.wait_async("terminated", timeout_s=1e6))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cut_off())


def test_looking_again_never_makes_it_another_pod() -> None:
    service = Service("a", "b")
    with connected(service) as connection:
        pod = Pod(connection, service.put("a"))
        service.answer = lambda _: as_json(service.pods["b"])
        with pytest.raises(UnexpectedAnswer, match="returned the pod b instead of a"):
            pod.refresh()
        assert (pod.id, pod.name) == ("a", "a")


def test_looking_again_keeps_the_id_that_the_service_leaves_out() -> None:
    service = Service("a")
    with connected(service) as connection:
        pod = Pod(connection, service.put("a"))
        service.answer = lambda _: as_json({"name": "a", "status": "ACTIVE"})
        assert (pod.refresh().id, pod.status) == ("a", "ACTIVE")


@pytest.mark.parametrize("details", [None, {"id": "a1"}, "a1"])
def test_update_rejects_what_is_not_details(connection: Connection, details: object) -> None:
    pod = Pod(connection, PodDetails(id="a1", name="train"))
    with pytest.raises(InvalidRequest, match=r"'details' must be PodDetails, not a .*Nothing was changed"):
        pod.update(details)  # type: ignore[arg-type]
    assert (pod.id, pod.name) == ("a1", "train")


def test_a_block_terminates_its_pod_also_after_an_error(connection: Connection) -> None:
    with launch(gpu="L4_24GB", name="train") as pod:
        assert pod.status != "TERMINATED"
    assert pod.status == "TERMINATED"
    with pytest.raises(ZeroDivisionError), launch(gpu="L4_24GB", name="eval"):
        raise ZeroDivisionError
    with launch(gpu="L4_24GB", name="early") as pod:
        pod.terminate()
    assert [pod for pod in connection.client.list_all_pods() if pod.is_live] == []


def test_a_block_says_what_its_pod_has_cost_and_may_keep_it(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    with launch(gpu="L4_24GB", name="train"):
        pass
    assert re.search(r"'train' was terminated: (not billed yet|< \$0.01 billed)", capsys.readouterr().err)
    with launch(gpu="L4_24GB", name="kept", keep=True) as pod:
        pass
    assert pod.refresh().status != "TERMINATED"
    with pytest.raises(KeyboardInterrupt), pod, launch(gpu="L4_24GB", name="other") as other:
        raise KeyboardInterrupt
    assert other.status == "TERMINATED"
    assert pod.refresh().status != "TERMINATED"


def test_a_failure_to_terminate_does_not_hide_the_error_of_a_block(connection: Connection) -> None:
    with pytest.raises(ConnectionClosed), launch(gpu="L4_24GB", name="train"):
        connection.close()
    connect(sandbox=True)
    said: list[str] = []
    with redirect_warnings(said.append), pytest.raises(ZeroDivisionError):  # noqa: PT012, SIM117
        with launch(gpu="L4_24GB", name="eval") as pod:
            pod.connection.close()
            raise ZeroDivisionError
    assert "Pod 'eval' may not be terminated, and may be billed" in said[-1]
