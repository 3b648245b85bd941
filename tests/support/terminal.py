"""Terminal IPython in a pseudo-terminal: what a person without a browser sees and types."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pexpect

_PROMPT = r"In \[\d+\]: "
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


class Terminal:
    """`run` a cell and read what it printed; `type` and `until` for whatever asks a question."""

    def __init__(self, child: pexpect.spawn[str], timeout: float) -> None:
        self._child = child
        self._timeout = timeout

    def run(self, code: str, timeout: float | None = None) -> str:
        """Type one line and answer with what it printed, up to the next prompt."""
        self.type(code)
        return self.until(_PROMPT, timeout).partition("\n")[2].strip()

    def type(self, line: str) -> None:
        self._child.sendline(line)

    def until(self, pattern: str, timeout: float | None = None) -> str:
        """Everything printed before `pattern`, without colours and with plain line ends."""
        try:
            self._child.expect(pattern, timeout=self._timeout if timeout is None else timeout)
        except (pexpect.TIMEOUT, pexpect.EOF) as why:
            raise AssertionError(f"{pattern!r} was not seen, but: {self._child.before!r}") from why
        return _ESCAPE.sub("", self._child.before or "").replace("\r\n", "\n")

    def until_prompt(self, timeout: float | None = None) -> str:
        return self.until(_PROMPT, timeout).strip()

    def resize(self, columns: int) -> None:
        """Make the window as wide as that."""
        self._child.setwinsize(40, columns)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._child.sendintr()


@contextmanager
def ipython(
    environment: Mapping[str, str], folder: Path, *, columns: int = 100, timeout: float = 30
) -> Iterator[Terminal]:
    """An IPython at its first prompt."""
    arguments = ["-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit", "--colors=nocolor"]
    command = [sys.executable, *arguments, "--HistoryManager.enabled=False"]
    with started(command, environment, folder, columns=columns, timeout=timeout) as terminal:
        yield terminal


@contextmanager
def started(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    columns: int = 100,
    timeout: float = 30,
) -> Iterator[Terminal]:
    """A program with IPython's prompts, at its first one."""
    child = pexpect.spawn(
        command[0],
        list(command[1:]),
        env=dict(environment),
        cwd=str(folder),
        dimensions=(40, columns),
        encoding="utf-8",
        timeout=timeout,
    )
    try:
        terminal = Terminal(child, timeout)
        terminal.until_prompt()
        yield terminal
    finally:
        child.close(force=True)
