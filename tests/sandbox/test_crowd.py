"""Many clients at once, over several sandboxes on one file: nobody is refused, and nothing is lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.support import soak

from .conftest import Caller, Spawn
from .test_killed import pages

CLIENTS = 32
LASTS_S = soak.pick(1.5, 30.0)


@pytest.mark.parametrize("sandboxes", [1, 2])
@pytest.mark.timeout(300)
def test_a_crowd_is_served(spawn: Spawn, tmp_path: Path, sandboxes: int) -> None:
    db = str(tmp_path / "pods.sqlite")
    urls = [spawn("--db", db).url for _ in range(sandboxes)]
    with Caller(urls[0]) as caller:
        caller.put("/sandbox/wallet", json={"balance_usd": 1e9})
    end = time.monotonic() + LASTS_S
    bought: list[str] = []
    ended: list[str] = []
    mistakes: list[str] = []
    requests = [0] * CLIENTS

    def use(number: int) -> None:
        try:
            with Caller(urls[number % sandboxes]) as caller:
                while time.monotonic() < end:
                    pod_id = caller.order("n3-CPUx1", name=f"pod-{number}")["id"]
                    bought.append(pod_id)
                    caller.call("GET", "pods", params={"limit": 20})
                    caller.status(pod_id)
                    caller.call("GET", "pods/history", params={"limit": 20})
                    if len(bought) % 2:
                        caller.call("DELETE", f"pods/{pod_id}")
                        ended.append(pod_id)
                        requests[number] += 1
                    requests[number] += 5
        except Exception as error:  # noqa: BLE001 - every failure is one of the sandbox
            mistakes.append(repr(error))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not mistakes
    assert len(set(bought)) == len(bought)
    with Caller(urls[-1]) as caller:
        caller.advance(5)
        live = {pod["id"] for pod in pages(caller, "pods")}
        over = {row["id"] for row in pages(caller, "pods/history")}
        assert live == set(bought) - set(ended)
        assert set(ended) <= over
    print(
        f"{sandboxes} sandboxes, {CLIENTS} clients, {LASTS_S:.0f} s: "
        f"{sum(requests)} requests, {len(bought)} pods"
    )
