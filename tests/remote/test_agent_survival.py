"""What outlives what: this process, the agent, the kernel and its host are killed, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from primepods_magic.api.errors import RemoteError
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.pod import Pod
from primepods_magic.remote import agent_archive
from primepods_magic.remote.job import Job
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.links import close_links, open_link
from primepods_magic.remote.ssh.routes import find_route
from tests.remote.conftest import describe_pod, pin_host
from tests.support.agents import alter_archive, find_marked, kill_marked, make_mark, pod_with_agent
from tests.support.soak import pick
from tests.support.waiting import eventually


@pytest.fixture
def mark(pod_folder: Path) -> str:
    return make_mark(pod_folder)


def find_agents(mark: str) -> list[int]:
    return find_marked(mark, "agent.pyz", "serve")


def list_agent_folders(mark: str) -> set[str]:
    """The folders of agents; one that starts a program looks like two for a moment."""
    return {os.readlink(f"/proc/{pid}/cwd") for pid in find_agents(mark)}


def count_slowly(lines: int, gate: Path) -> str:
    """Code that prints numbers, and the last of them once a file is there."""
    return (
        f"import os, time\nfor n in range({lines}):\n    print(n, flush=True)\n    time.sleep(0.0005)\n"
        f"    while n == {lines - 10} and not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    )


CLIENT = """
import json, sys, time
from primepods_magic.remote.job import Job
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.ssh.client import SshRoute
words, run = json.loads(sys.argv[1])
link = PodLink(SshRoute(tuple(words), "train", "train"), lambda: None)
link.request("run", **run).result(30)
job = Job(link, run["id"], "main")
while True:
    print(len(job.output), flush=True)
    time.sleep(0.01)
"""


def test_a_new_process_gets_everything_from_the_beginning(
    agent_pod: Pod, connection: Connection, mark: str, tmp_path: Path
) -> None:
    lines = pick(300, 1000)
    route = find_route(connection, agent_pod.details)
    code = count_slowly(lines, tmp_path / "go")
    run = {"id": "abc123", "msg_id": "m", "session": "main", "code": code, "title": "", "digest": "d"}
    arguments = json.dumps([route.words, {**run, "allow_stdin": False, "again": True}])
    # One that is killed leaves the log of its ssh.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", CLIENT, arguments]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    with client:
        assert client.stdout
        while int(client.stdout.readline() or -1) < 50:
            pass
        client.kill()
    eventually(lambda: not find_ssh_clients(route.words[-1]), "its ssh ends with it")
    (tmp_path / "go").touch()
    job = Job(open_link(connection, agent_pod.details), "abc123", "main")
    assert job.result(30).state == "ok"
    assert job.output.split() == [str(n) for n in range(lines)]


def find_ssh_clients(host: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
            if Path(words[0]).name == "ssh" and host in words and str(Path.home()) in "".join(words):
                found.append(path.parent.name)
    return found


def test_a_killed_agent_is_started_again_and_nothing_is_lost(
    agent_pod: Pod, mark: str, tmp_path: Path
) -> None:
    lines, times = pick(500, 3000), pick(2, 10)
    job = agent_pod.run(count_slowly(lines, tmp_path / "go"))
    after = agent_pod.run("print('after')")
    for _ in range(times):
        seen = len(job.output)
        eventually(
            lambda seen=seen: len(job.output) > seen + 50 or job.output.count("\n") > lines - 12, "prints"
        )
        kill_marked(mark, "agent.pyz", "serve")
        eventually(lambda: find_agents(mark), "there is an agent again")
    (tmp_path / "go").touch()
    assert job.result(30).state == "ok"
    assert job.output.split() == [str(n) for n in range(lines)]
    # What was waiting has run, and once.
    assert after.result(30).state == "ok"
    assert after.output == "after\n"
    eventually(lambda: len(find_agents(mark)) == 1, "there is one agent")


def test_variables_survive_an_agent_that_was_killed(agent_pod: Pod, mark: str) -> None:
    agent_pod.run("kept = 7").result(30)
    kill_marked(mark, "agent.pyz", "serve")
    # It is sent as soon as there is a connection, and the kernel connects at about the same time.
    job = agent_pod.run("print(kept)")
    job.result(30)
    assert job.output == "7\n"


def test_output_is_kept_by_an_agent_that_nobody_is_connected_to(
    agent_pod: Pod, connection: Connection, mark: str, tmp_path: Path
) -> None:
    # The kernel's host, which starts the agent again, must be there.
    agent_pod.run("1").result(60)
    job = agent_pod.run(count_slowly(200, tmp_path / "go"))
    close_links(connection)
    kill_marked(mark, "agent.pyz", "serve")
    (tmp_path / "go").touch()
    eventually(lambda: find_agents(mark), "the kernel's host starts an agent")
    again = Job(open_link(connection, agent_pod.details), job.id, "main")
    assert again.result(30).state == "ok"
    assert again.output.split() == [str(n) for n in range(200)]


def test_a_killed_kernel_is_said(agent_pod: Pod) -> None:
    job = agent_pod.run("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)", session="k")
    pid = int(eventually(lambda: job.output, "runs"))
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(RemoteError, match="KernelDied on 'train'"):
        job.result(30)
    print(f"said after {time.monotonic() - began:.2f} s")


def test_a_killed_host_of_a_kernel_is_said_too(agent_pod: Pod, mark: str) -> None:
    job = agent_pod.run("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)", session="h")
    pid = int(eventually(lambda: job.output, "runs"))
    waiting = agent_pod.run("print('next')", session="h")
    kill_marked(mark, "agent.pyz", "kernel", "h")
    with pytest.raises(RemoteError, match="KernelDied on 'train'"):
        job.result(30)
    waiting.result(30)
    assert waiting.output == "next\n"
    eventually(lambda: not Path(f"/proc/{pid}").exists() or is_zombie(pid), "its kernel is gone")


def is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_a_cancelled_kernel_does_not_take_the_next_one_with_it(
    agent_pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = alter_archive("session.py", "_CANCEL_GRACE_S = 5.0", "_CANCEL_GRACE_S = 0.1")
    monkeypatch.setattr(agent_archive, "build_archive", lambda: hasty)
    stubborn = agent_pod.run(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('on', flush=True)\n"
        "while True: time.sleep(1)",
        session="c",
    )
    eventually(lambda: stubborn.output, "runs")
    waiting = agent_pod.run("import time; time.sleep(0.5); print('next')", session="c")
    stubborn.cancel()
    with pytest.raises(RemoteError, match="Cancelled"):
        stubborn.result(30)
    assert waiting.result(30).state == "ok"
    assert waiting.output == "next\n"


def test_two_connections_at_once_start_one_agent(
    tmp_path: Path, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pod_with_agent(tmp_path) as server:
        monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(server.key))
        pin_host(server.host_key)
        route = find_route(connection, describe_pod(server.target))
        links = [PodLink(route, lambda: None) for _ in range(4)]
        answers = [link.request("jobs").result(30) for link in links]
        assert all(answer["jobs"] == [] for answer in answers)
        eventually(lambda: len(find_agents(make_mark(tmp_path))) == 1, "there is one agent")
        for link in links:
            link.close()


def test_versions_work_side_by_side(
    agent_pod: Pod, connection: Connection, mark: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = agent_pod.run(count_slowly(50, tmp_path / "go"))
    before = len(list_agent_folders(mark))
    older = alter_archive("main.py", "def find", 'VERSION = "older"\n\n\ndef find')
    monkeypatch.setattr(agent_archive, "build_archive", lambda: older)
    link = PodLink(find_route(connection, agent_pod.details), lambda: None)
    assert link.request("jobs").result(30)["jobs"] == []
    assert len(list_agent_folders(mark)) == before + 1
    (tmp_path / "go").touch()
    assert job.result(30).state == "ok"
    link.close()
