"""The command of a user that runs on the pod before it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

__all__ = ["GPUS", "run_on_end"]

GPUS = "CUDA_VISIBLE_DEVICES"
"""The variable that keeps the guard off the GPUs of the sandbox, where whatever runs uses one."""

_LIMIT_S = 900.0
# The command arrives on stdin, so that no process list shows it.
_SHELL = 'umask "${POD_LOGIN_UMASK#0o}"; c=$(cat); exec </dev/null; eval "$c"'


def run_on_end(command: str, gpus: str | None) -> str:
    """Run a shell command in the user's home, for at most 15 minutes; return what failed."""
    environment = {**os.environ, "POD_LOGIN_UMASK": os.environ.get("POD_LOGIN_UMASK", "0o22")}
    environment.pop(GPUS, None)
    if gpus is not None:
        environment[GPUS] = gpus
    try:
        process = subprocess.Popen(  # noqa: S603 - fixed words
            ["/bin/sh", "-c", _SHELL],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=os.path.expanduser("~"),
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        return type(error).__name__
    try:
        process.communicate(command.encode("utf-8", "replace"), _LIMIT_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"not done within {_LIMIT_S / 60:.0f} min"
    return f"exit code {process.returncode}" if process.returncode else ""
