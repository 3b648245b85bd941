"""Pods with other Pythons, with none, without ipykernel, and with a disk that takes nothing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import PodsError, SshFailed
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.pod import Pod
from primepods_magic.remote import agent
from primepods_magic.remote.job import start_job
from primepods_magic.remote.links import open_link
from tests.package.environments import interpreter, made, network_variables
from tests.remote.conftest import describe_pod, pin_host
from tests.support.agents import pod_with_agent
from tests.support.questions import await_question

VERSIONS = ("3.8", "3.10", "3.12", "3.13")
# Logins whose commands find no Python that this computer has.
HIDE = 'ForceCommand eval "$(printf %s "$SSH_ORIGINAL_COMMAND" | /bin/sed \'s#/[a-z/]*/bin/python3*##g\')"'


PYTHONS = {version: python for version in VERSIONS if (python := interpreter(version))} or {
    "this": sys.executable
}
"""Those that this computer has."""
SOURCES = sorted(Path(agent.__path__[0]).rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_oldest_python_can_read_the_agent(source: Path) -> None:
    ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.fixture
def start(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Pod]]:
    """Start a pod."""
    with ExitStack() as stack:

        def start_pod(*settings: str, **options: Any) -> Pod:
            server = stack.enter_context(pod_with_agent(tmp_path, *settings, **options))
            monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(server.key))
            pin_host(server.host_key)
            return Pod(connection, describe_pod(server.target))

        yield start_pod


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_every_python_runs_the_agent(start: Callable[..., Pod], python: str) -> None:
    code = "import sys; [compile(open(p, encoding='utf-8').read(), p, 'exec') for p in sys.argv[1:]]"
    subprocess.run([python, "-W", "error", "-c", code, *map(str, SOURCES)], check=True)
    pod = start(python=python)
    link = open_link(pod.connection, pod.details)
    assert link.request("jobs").result(30)["jobs"] == []
    [log] = (Path(pod_home(pod))).glob(".primepods/*/agent.log")
    assert log.read_text() == ""


def pod_home(pod: Pod) -> Path:
    """The home of a pod: that of its server's folder."""
    return Path(os.environ["PRIME_SSH_KEY_PATH"]).parents[1] / "home"


@pytest.mark.parametrize("old", [[], ["3.6.15", "2.7.18"]], ids=["none", "old"])
def test_without_a_python_it_says_how_to_install_one(
    start: Callable[..., Pod], tmp_path: Path, old: list[str]
) -> None:
    (tmp_path / "bin").mkdir()
    for version, name in zip(old, ("python3", "python"), strict=False):
        real = Path(os.environ.get("PYENV_ROOT", "/root/.pyenv")) / "versions" / version / "bin/python"
        # Otherwise one that fails as an old one does.
        (tmp_path / "bin" / name).symlink_to(real if real.exists() else "/bin/false")
    pod = start(HIDE, python=str(tmp_path / "bin/python"), path="/nowhere")
    with pytest.raises(
        SshFailed, match=r"'train' has no Python 3.8 or newer. Nothing was run. .*apt-get"
    ) as e:
        pod.run("1")
    assert e.value.reason == "setup"


def test_a_home_that_takes_no_folder_is_said(start: Callable[..., Pod]) -> None:
    pod = start()
    (pod_home(pod) / ".primepods").write_text("")
    with pytest.raises(SshFailed, match=r"Cannot set up cells .* Nothing was run. '%pods exec train -- ls"):
        pod.run("1")


@pytest.mark.parametrize("blocks", [0, 1])
def test_a_full_disk_is_said(start: Callable[..., Pod], blocks: int) -> None:
    pod = start(f'ForceCommand ulimit -f {blocks}; eval "$SSH_ORIGINAL_COMMAND"')
    with pytest.raises(SshFailed, match=r"Cannot set up cells .*File too large.*Nothing was run.* df -h ~"):
        pod.run("1")


def test_output_is_kept_while_the_disk_is_full(start: Callable[..., Pod]) -> None:
    """The agent is written, and what a cell prints is more than a file may have."""
    pod = start('ForceCommand ulimit -f 120; eval "$SSH_ORIGINAL_COMMAND"')
    job = pod.run("for n in range(3000): print(n, 'x' * 90)")
    assert job.result(30).state == "ok"
    assert [line.split()[0] for line in job.output.splitlines()] == [str(n) for n in range(3000)]


LATE = """
import threading, zmq
bind = zmq.Socket.bind
def bind_late(socket, address):
    if address.endswith("kernel-3"):
        threading.Timer(1.0, bind, (socket, address)).start()
    else:
        return bind(socket, address)
zmq.Socket.bind = bind_late
"""
"""A kernel that can answer before it can ask, as on a machine that is busy."""


def test_a_question_of_the_first_cell_is_not_lost(start: Callable[..., Pod], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(LATE)
    pod = start(variables={"PYTHONPATH": str(tmp_path)})
    job, _ = start_job(pod.connection, pod.details, "print(len(input()))", allow_stdin=True)
    frames = job.take_frames()
    number = await_question(frames)
    job.link.ask("input", job=job.id, n=number, value="ada")
    assert job.result(30).state == "ok"
    assert job.output == "3\n"


def test_without_pip_and_uv_it_says_how_to_install_them(start: Callable[..., Pod], tmp_path: Path) -> None:
    environment = made(tmp_path / "bare", next(iter(PYTHONS.values())), with_pip=False)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "ensurepip.py").write_text("raise ImportError")
    pod = start(python=environment.python, path="/bin", variables={"PYTHONPATH": str(tmp_path / "hidden")})
    with pytest.raises(
        PodsError, match=r"not run on 'train'.*so are pip and uv.*apt-get install -y python3-pip"
    ):
        pod.run("1").result(30)


@pytest.mark.soak
@pytest.mark.parametrize("tool", ["pip", "uv"])
@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_ipykernel_is_installed(start: Callable[..., Pod], tmp_path: Path, python: str, tool: str) -> None:
    environment = made(tmp_path / "plain", python)
    if tool == "uv":
        # As on a pod, and not as in a test: it comes from an index.
        subprocess.run(
            [environment.python, "-m", "pip", "install", "--quiet", "uv"], check=True, env=network_variables()
        )
    pod = start(python=environment.python, variables=network_variables())
    began = time.monotonic()
    job = pod.run("import sys, ipykernel\nprint(sys.version_info[:2])")
    assert job.result(600).state == "ok"
    print(f"Python {job.output.strip()}, {tool}: first cell after {time.monotonic() - began:.1f} s")
    assert job.output.startswith("(3, ")
    began = time.monotonic()
    assert pod.run("1").result(60).state == "ok"
    print(f"second cell {time.monotonic() - began:.2f} s")
