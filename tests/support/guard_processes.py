"""The guard processes that a test has started: found by the state folder of its home, and ended."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from primepods_magic.api.errors import PodsError
from primepods_magic.pods.guards import process
from primepods_magic.pods.guards.process import PROCESS_FILE, GuardProcess, ProcessFile
from tests.support.waiting import eventually


def guard_files(home: Path) -> list[Path]:
    """All files that guards and alerts keep below a home."""
    return [path for path in home.rglob("*") if "guards" in path.parts and path.is_file()]


def running_guards(home: Path) -> list[int]:
    """The ids of the guard processes whose folder is below a home; Linux only."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text(errors="replace").split("\0")
        except OSError:
            continue
        if process.MODULE in words and any(word.startswith(f"{home}/") for word in words):
            found.append(int(folder.name))
    return found


def list_processes(home: Path) -> list[ProcessFile]:
    """The guard processes below a home, which may have ended."""
    folders = [path.parent for path in home.rglob(PROCESS_FILE)]
    return [file for file in map(ProcessFile.read, folders) if file is not None]


def end_guard_processes(home: Path) -> None:
    """Stop the guard processes below a home, and prove that none is left."""
    # Looking through all processes takes longer than most tests.
    if next(home.rglob("guards"), None) is None:
        return
    for file in list_processes(home):
        with suppress(PodsError):
            GuardProcess(file).ask("stop")
        eventually(lambda pid=file.pid: not is_running(pid), "the guard process ends")
        # One that was killed has left it.
        shutil.rmtree(Path(file.address).parent, ignore_errors=True)
    for pid in running_guards(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not running_guards(home), "no guard process is left")


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and whose parent has not asked for it does not."""
    with suppress(OSError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
