"""Cells on a sandbox's machine whose connections are cut, and one that is ended with its pod."""

from __future__ import annotations

import pytest

from primepods_magic import connect, launch
from primepods_magic.api.errors import PodsError
from primepods_magic.pods.pod import Pod
from primepods_magic.remote import links
from primepods_magic.remote.links import open_link
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually


def test_cuts_lose_nothing_and_the_end_of_the_pod_is_said(
    machines: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "_ASK_INTERVAL_S", 0.0)
    connection = connect(sandbox=True)
    started = launch(gpu="L4_24GB", name="train", tell=lambda _: None)
    machines.advance(120)
    pod = Pod(connection, connection.client.get_pod(started.id))
    link = open_link(connection, pod.details)
    job = pod.run("import time\nfor n in range(300):\n    print(n, flush=True)\n    time.sleep(0.002)")
    for count in (1, 2):
        eventually(lambda count=count: link.connects >= count, "is connected")
        machines.api.put(f"/sandbox/pods/{pod.id}/machine", json={"cut": True}).raise_for_status()
    assert job.result(30).state == "ok"
    assert job.output.split() == [str(n) for n in range(300)]
    endless = pod.run("time.sleep(600)")
    machines.api.delete(f"/api/v1/pods/{pod.id}").raise_for_status()
    machines.advance(300)
    with pytest.raises(PodsError, match=r"'train' has ended, and everything on it is gone"):
        endless.result(30)
