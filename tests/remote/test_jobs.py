"""Cells on a pod from Python, over a real OpenSSH server: output, errors, state, and what ends them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from primepods_magic.api.errors import (
    InvalidRequest,
    PodsError,
    RemoteError,
    SshFailed,
    WaitInterrupted,
    WaitTimedOut,
)
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.job import Job, start_job
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.links import open_link
from primepods_magic.remote.ssh.client import SshRoute
from tests.remote.conftest import describe_pod, pin_host
from tests.support.waiting import eventually


def test_output_and_results_come_back(agent_pod: Pod) -> None:
    job = agent_pod.run("print('one')\nimport sys; print('two', file=sys.stderr)\n6 * 7")
    assert job.result(60).state == "ok"
    assert job.output == "one\ntwo\n42\n"


def test_variables_live_from_one_cell_to_the_next(agent_pod: Pod) -> None:
    agent_pod.run("x = 5").result(60)
    job = agent_pod.run("print(x)")
    assert asyncio.run(job.wait_async()).state == "ok"
    assert job.output == "5\n"


def test_giving_up_waiting_does_not_wait_for_the_end(agent_pod: Pod) -> None:
    job = agent_pod.run("import time; time.sleep(600)")

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(job.wait_async(), 0.05)

    began = time.monotonic()
    asyncio.run(give_up())
    assert time.monotonic() - began < 5
    assert not job.is_done
    job.cancel()


def test_waiting_for_a_lost_pod_ends(agent_pod: Pod) -> None:
    job = agent_pod.run("import time; time.sleep(600)")
    # Its end must not arrive before the connection is closed.
    open_link(agent_pod.connection, agent_pod.details).close()
    with pytest.raises(PodsError, match="was closed"):
        asyncio.run(job.wait_async())
    Job(open_link(agent_pod.connection, agent_pod.details), job.id, "main").cancel()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_a_connection_of_its_own(agent_pod: Pod, tmp_path: Path) -> None:
    job = agent_pod.run("import time\nprint('before', flush=True)\ntime.sleep(0.3)\nprint('after')")
    said = tmp_path / "said"
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(20)
            with pytest.raises(PodsError, match="is another process's") as refused:
                job.result()
            inner = agent_pod.run("print('child')")
            said.write_text(f"{inner.result(15).state} {inner.output}{refused.value}")
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert said.read_text().startswith("ok child")
    assert job.result(20).state == "ok"
    assert job.output == "before\nafter\n"
    # Ending the child has not ended the connection here.
    assert open_link(agent_pod.connection, agent_pod.details).connects == 1


def test_sessions_have_variables_of_their_own(agent_pod: Pod) -> None:
    agent_pod.run("y = 5").result(60)
    with pytest.raises(RemoteError, match="NameError on 'train': name 'y' is not defined"):
        agent_pod.run("y", session="other").result(60)
    with pytest.raises(InvalidRequest, match="is not a valid session name"):
        agent_pod.run("y", session="../up")


def test_an_exception_there_is_an_error_here(agent_pod: Pod) -> None:
    with pytest.raises(RemoteError) as caught:
        agent_pod.run("def f():\n    return 1 / 0\nf()").result(60)
    assert (caught.value.ename, caught.value.evalue) == ("ZeroDivisionError", "division by zero")
    assert str(caught.value) == "ZeroDivisionError on 'train': division by zero (line 2)"
    assert "return" in "\n".join(caught.value.traceback)


def test_the_same_code_does_not_run_twice_at_once(agent_pod: Pod, tmp_path: Path) -> None:
    code = f"import time\nwhile not __import__('os').path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)"
    first, same, again = agent_pod.run(code), agent_pod.run(code), agent_pod.run(code, again=True)
    assert first.id == same.id != again.id
    with pytest.raises(WaitTimedOut, match="is still running on 'train'"):
        first.result(0.1)
    (tmp_path / "go").touch()
    assert [job.result(60).state for job in (first, same, again)] == ["ok"] * 3


def test_a_cell_is_interrupted_or_cancelled(agent_pod: Pod) -> None:
    job = agent_pod.run("import time\nprint('runs', flush=True)\ntime.sleep(600)")
    while "runs" not in job.output:
        assert not job.is_done
    job.interrupt()
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        job.result(30)
    running, waiting = agent_pod.run("time.sleep(600)"), agent_pod.run("1")
    waiting.cancel()
    with pytest.raises(RemoteError, match="Cancelled"):
        waiting.result(30)
    running.cancel()
    with pytest.raises(RemoteError, match=r"KeyboardInterrupt|Cancelled"):
        running.result(30)


def test_an_interrupt_is_not_lost_before_the_cell_begins(agent_pod: Pod) -> None:
    agent_pod.run("import time").result(60)
    for _ in range(10):
        job = agent_pod.run("time.sleep(600)", again=True)
        job.interrupt()
        with pytest.raises(RemoteError, match="KeyboardInterrupt"):
            job.result(10)


def test_ctrl_c_just_after_the_pod_has_the_cell_interrupts_it(agent_pod: Pod) -> None:
    agent_pod.run("import time").result(60)

    def interrupt(link: PodLink) -> None:
        eventually(lambda: not link._requests._waiting, "the pod has confirmed the cell")
        raise KeyboardInterrupt

    for code in ("time.sleep(600)", "print(1)\ntime.sleep(600)"):
        with pytest.raises(WaitInterrupted, match="It may have begun, and is interrupted there"):
            start_job(agent_pod.connection, agent_pod.details, code, on_wait=interrupt)
    assert agent_pod.run("2").result(10).state == "ok"


def test_only_a_request_that_waits_can_be_taken_back(agent_pod: Pod) -> None:
    link = PodLink(SshRoute(("sh", "-c", "sleep 600"), "train", "ssh"), lambda: None, is_fresh=True)
    try:
        link.request("jobs", id="waits")
        assert link.withdraw("waits")
        assert not link.withdraw("waits")
    finally:
        link.close()
    link = open_link(agent_pod.connection, agent_pod.details)
    link.request("jobs", id="answered").result(60)
    assert not link.withdraw("answered")


def test_a_cell_without_a_stream_does_not_end_the_next_ones(agent_pod: Pod) -> None:
    agent_pod.run("import sys\nsys.stdout = sys.stderr = None", session="mute").result(60)
    job = agent_pod.run("print('heard', file=sys.stderr)\nprint('again')\n1 / 0", session="mute")
    with pytest.raises(RemoteError, match="ZeroDivisionError"):
        job.result(10)
    assert sorted(job.output.split()) == ["again", "heard"]


def test_a_kernel_that_dies_is_said_and_the_next_cell_has_a_new_one(agent_pod: Pod) -> None:
    with pytest.raises(RemoteError, match="KernelDied on 'train': its kernel ended"):
        agent_pod.run("import os; os._exit(3)", session="mortal").result(60)
    assert agent_pod.run("1", session="mortal").result(60).state == "ok"


def test_without_a_connection_it_says_why(connection: Connection) -> None:
    pin_host()
    with pytest.raises(SshFailed, match="'train' refuses SSH connections"):
        Pod(connection, describe_pod("root@127.0.0.1 -p 1")).run("1")
