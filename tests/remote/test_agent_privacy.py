"""What other users and processes of a pod, and of this computer, can see of a cell: nothing."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest

from primepods_magic.pods.pod import Pod
from tests.support.agents import find_marked, make_mark
from tests.support.waiting import eventually

MARKER = "hf_" + "verysecret" * 3


@pytest.fixture(autouse=True)
def account_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that ssh is not to pass on."""
    monkeypatch.setenv("PRIME_API_KEY", MARKER)


def list_listeners() -> set[str]:
    """Inodes of the sockets that listen on TCP."""
    rows = [
        row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()
    ]
    return {row[9] for row in rows if row[3] == "0A"}


def list_sockets(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    return found


def list_names(home: Path) -> list[str]:
    """What is readable for more than its user."""
    open_to_others = []
    for path in [home / ".primepods", *(home / ".primepods").rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        # IPython copies that one with the mode it has in its package.
        if mode & 0o077 and path.name != "README":
            open_to_others.append(f"{path} {mode:o}")
    return open_to_others


def test_nothing_of_a_cell_is_seen(agent_pod: Pod, pod_folder: Path, tmp_path: Path) -> None:
    home, made, gate = pod_folder / "home", tmp_path / "made", tmp_path / "go"
    code = (
        f"token = '{MARKER}'\nimport os, time\nopen({str(made)!r}, 'w').close()\nprint('on', flush=True)\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    )
    before = list_listeners()
    job = agent_pod.run(code)
    eventually(lambda: job.output, "runs")
    pids = find_marked(make_mark(pod_folder))
    assert len(pids) >= 4, "agent, bridge, host and kernel"
    mine = list_listeners() - before
    assert not [pid for pid in pids if list_sockets(pid) & mine]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            assert MARKER.encode() not in (process / "cmdline").read_bytes()
    for pid in pids:
        assert MARKER.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert list_names(home) == []
    gate.touch()
    job.result(30)
    assert list_names(home) == []
    for path in home.rglob("*"):
        if path.is_file():
            assert MARKER.encode() not in path.read_bytes(), path
    forked = (
        "import multiprocessing as m; p = m.get_context('fork').Process(target=print, args=('forked',)); "
    )
    job = agent_pod.run(forked + "p.start(); p.join()")
    job.result(30)
    eventually(lambda: "forked" in job.output, "a forked process prints")
    # Files that a cell makes are as they are for any login there.
    assert stat.S_IMODE(made.stat().st_mode) == 0o666 & ~current_umask()


def current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
