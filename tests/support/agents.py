"""A pod for tests whose SSH server is a real one, with a home of its own, and its agent ended with it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.openssh import OpenSshServer, openssh_server


@contextmanager
def pod_with_agent(
    folder: Path, *, python: str = sys.executable, path: str = "/usr/bin:/bin"
) -> Iterator[OpenSshServer]:
    """Run a server whose logins have their home in the folder, and this Python."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    mark = f"PRIMEPODS_TEST_POD={home}"
    with openssh_server(
        folder / "server", f"SetEnv HOME={home} PATH={Path(python).parent}:{path} {mark}"
    ) as server:
        try:
            yield server
        finally:
            kill_marked(mark)


def kill_marked(mark: str) -> None:
    """Kill every process that has this in its environment."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
