"""Notices of a guard: a command of the user with the facts on its input, and the desktop."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from primepods_magic.api.text.sanitize import sanitize

__all__ = ["log_exception", "reported_errors", "send_notice"]

_COMMAND_S = 60.0


@contextmanager
def reported_errors() -> Iterator[None]:
    """Report that a file cannot be written, and go on."""
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            print(f"cannot write: {error.strerror}", flush=True)


def log_exception() -> None:
    """Print the exception that is being handled into the log, if its disk has room."""
    with suppress(OSError):
        traceback.print_exc()


def send_notice(command: str, text: str, facts: Mapping[str, Any]) -> None:
    """Run the user's command, if there is one, with the facts as JSON on its input, and notify the desktop.

    Neither is waited for, and no failure matters to the guard.
    """
    with suppress(OSError):
        # Into the log, whose disk may be full.
        print(text, flush=True)
    if command:
        data = json.dumps({**facts, "text": text}, default=str).encode()
        threading.Thread(target=_run_command, args=(command, data), daemon=True).start()
    desktop = shutil.which("notify-send")
    if desktop and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        words = [desktop, "--app-name=primepods", "--", "Prime Intellect pods", sanitize(text)]
        threading.Thread(target=_run_words, args=(words,), daemon=True).start()


def _run_command(command: str, data: bytes) -> None:
    with (
        suppress(OSError, subprocess.SubprocessError),
        subprocess.Popen(  # noqa: S602 - the user's own command; nothing is filled in
            command, shell=True, stdin=subprocess.PIPE, start_new_session=True
        ) as process,
    ):
        try:
            process.communicate(data, timeout=_COMMAND_S)
        except subprocess.TimeoutExpired:
            # With what it has started.
            os.killpg(process.pid, signal.SIGKILL)


def _run_words(words: list[str]) -> None:
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(words, timeout=_COMMAND_S, check=False)  # noqa: S603 - text after "--"
