"""Guard processes that tests have started."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from primepods_magic.api.errors import PodsError
from primepods_magic.pods.guards.process import PROCESS_FILE, GuardProcess, ProcessFile

PATIENCE_S = 10.0


def list_processes(home: Path) -> list[ProcessFile]:
    """The guard processes below a home, which may have ended."""
    folders = [path.parent for path in home.rglob(PROCESS_FILE)]
    return [file for file in map(ProcessFile.read, folders) if file is not None]


def stop_guards(home: Path) -> None:
    """Stop the guard processes below a home, and wait until they have ended."""
    for file in list_processes(home):
        with suppress(PodsError):
            GuardProcess(file).ask("stop")
        give_up = time.monotonic() + PATIENCE_S
        while is_running(file.pid) and time.monotonic() < give_up:
            time.sleep(0.01)
        assert not is_running(file.pid), f"the guard process {file.pid} does not end"


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and whose parent has not asked for it does not."""
    with suppress(OSError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
