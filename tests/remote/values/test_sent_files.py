"""The private files in which values cross."""

from __future__ import annotations

from pathlib import Path

import pytest

from primepods_magic.api.errors import WaitInterrupted
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.files.streams import StreamWatch
from primepods_magic.remote.links import open_link
from primepods_magic.remote.values import transfer
from primepods_magic.remote.values.calls import run_call
from tests.support.waiting import eventually

from .test_push_and_pull import find_files


def test_values_whose_sending_was_interrupted_are_removed(agent_pod: Pod, pod_folder: Path) -> None:
    agent_pod.push(other=1)

    def interrupt(done_bytes: int, total_bytes: int) -> None:
        if done_bytes == total_bytes:
            raise KeyboardInterrupt

    link = open_link(agent_pod.connection, agent_pod.details)
    terms = transfer.Terms(watch=StreamWatch(on_progress=interrupt))
    with pytest.raises(WaitInterrupted, match="sending values; no variable was changed"):
        transfer.send_values(link, "main", transfer.prepare_values({"sent": 7}), terms)
    eventually(lambda: not find_files(pod_folder), "nothing is left")


def test_values_that_wait_for_their_turn_are_not_removed_by_others(agent_pod: Pod) -> None:
    agent_pod.push(other=1)
    link = open_link(agent_pod.connection, agent_pod.details)
    put = transfer.send_values(link, "main", transfer.prepare_values({"sent": 7}), transfer.Terms())
    assert agent_pod.pull("other") == 1
    run_call(link, "main", put)
    assert agent_pod.pull("sent") == 7
