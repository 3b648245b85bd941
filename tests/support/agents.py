"""A pod for tests whose SSH server is a real one, with a home of its own, and its agent ended with it."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from zipfile import ZipFile

from primepods_magic.remote.agent_archive import AgentArchive, build_archive
from tests.support.openssh import OpenSshServer, openssh_server
from tests.support.waiting import eventually


@contextmanager
def pod_with_agent(
    folder: Path,
    *settings: str,
    python: str = sys.executable,
    path: str = "/usr/bin:/bin",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[OpenSshServer]:
    """Run a server whose logins have their home in the folder, and this Python; `settings` are sshd's."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    mark = make_mark(folder)
    environment = {"HOME": str(home), "PATH": f"{Path(python).parent}:{path}", **variables}
    pairs = " ".join(f'"{name}={value}"' for name, value in environment.items())
    with openssh_server(folder / "server", f'SetEnv {pairs} "{mark}"', *settings) as server:
        try:
            yield server
        finally:
            kill_marked(mark)


def make_mark(folder: Path) -> str:
    """What every process of the pod in a folder has in its environment."""
    return f"PRIMEPODS_TEST_POD={folder / 'home'}"


def find_marked(mark: str, *words: str) -> list[int]:
    """The processes with this in their environment and all of these words among their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            arguments = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            is_marked = mark.encode() in (process / "environ").read_bytes().split(b"\0")
            if is_marked and all(any(word in argument for argument in arguments) for word in words):
                found.append(int(process.name))
    return found


def kill_marked(mark: str, *words: str) -> None:
    """Kill these processes; without words all of them, also those that they start meanwhile."""

    def kill_found() -> bool:
        found = find_marked(mark, *words)
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return not found or bool(words)

    eventually(kill_found, "the pod's processes are gone")


def alter_archive(name: str, before: str, after: str) -> AgentArchive:
    """The agent with another text in one of its files: another version of it."""
    altered = io.BytesIO()
    with ZipFile(io.BytesIO(build_archive().data)) as source, ZipFile(altered, "w") as target:
        for info in source.infolist():
            text = source.read(info).decode()
            if info.filename.endswith(f"/{name}"):
                assert before in text
                text = text.replace(before, after)
            target.writestr(info, text)
    data = altered.getvalue()
    return AgentArchive(data, hashlib.sha256(data).hexdigest()[:16])
