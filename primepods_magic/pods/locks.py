"""One launch of a name at a time, among all kernels on this computer."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["launching"]

_POLL_S = 0.05


@contextlib.contextmanager
def launching(account: str, name: str) -> Iterator[None]:
    """Hold the name of a pod while it is being launched; whoever else launches it waits meanwhile.

    The lock is a file's, which the system lets go of when a kernel is killed. Where none can be had (a
    read-only home, a system without ``flock``) the launch goes on without it.

    Parameters
    ----------
    account : str
        Whose name it is.
    name : str
        The name.
    """
    with _lock_file(f"{account}\n{name}") as file:
        locked = file is not None and _wait_for(file)
        try:
            yield
        finally:
            if file is not None and locked:
                _unlock(file)


@contextlib.contextmanager
def _lock_file(key: str) -> Iterator[IO[bytes] | None]:
    import platformdirs

    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]
    with contextlib.ExitStack() as stack:
        try:
            folder = Path(platformdirs.user_state_dir("primepods_magic")) / "launching"
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / f"{digest}.lock").open("ab"))
        except OSError:
            file = None
        yield file


def _wait_for(file: IO[bytes]) -> bool:
    try:
        import fcntl
    except ImportError:
        return False
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Not one long wait: Ctrl-C must get through.
            pause.wait(_POLL_S)
        except OSError:
            return False
        else:
            return True


def _unlock(file: IO[bytes]) -> None:
    import fcntl

    fcntl.flock(file, fcntl.LOCK_UN)
