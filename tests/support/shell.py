"""An IPython of one's own in the test's process, which raises what a cell raised and keeps what it showed."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@dataclass(frozen=True)
class Shown:
    """One rich output: a result, a display, or the update of a display."""

    data: dict[str, Any]
    metadata: dict[str, Any]
    display_id: str | None = None
    update: bool = False
    is_result: bool = False


@dataclass
class Output:
    """What one cell left on the screen."""

    stdout: str = ""
    stderr: str = ""
    shown: list[Shown] = field(default_factory=list)
    error: str = ""

    @property
    def text(self) -> str:
        """Everything as text, as a terminal or a saved notebook would tell it."""
        plain = [shown.data.get("text/plain", "") for shown in self.shown]
        return "\n".join(part for part in [self.stdout, self.stderr, *plain, self.error] if part)

    @property
    def html(self) -> str:
        return "\n".join(shown.data["text/html"] for shown in self.shown if "text/html" in shown.data)


class _Publisher(DisplayPublisher):
    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        display_id = (transient or {}).get("display_id")
        self.shell.output.shown.append(Shown(data, metadata or {}, display_id, update))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.output.shown.clear()


class _ResultHook(DisplayHook):
    def write_output_prompt(self) -> None:
        """The prompt is no part of the result."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        self.shell.output.shown.append(Shown(format_dict, md_dict or {}, is_result=True))

    def finish_displayhook(self) -> None:
        self._is_active = False


class RecordingShell(InteractiveShell):
    """`run` for a cell's value, `output` for what the last cell showed."""

    display_pub_class = _Publisher
    displayhook_class = _ResultHook

    def __init__(self, **settings: Any) -> None:
        self.output = Output()
        # Python's own display hook leaves its last value there, and then a shell keeps none.
        vars(builtins).pop("_", None)
        super().__init__(**settings)

    def run(self, code: str) -> Any:
        """The value of the cell's last expression. Raises what the cell raised."""
        self.output = Output()
        stdout, stderr = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
                outcome = self.run_cell(code, store_history=True)
        finally:
            self.output.stdout, self.output.stderr = stdout.getvalue(), stderr.getvalue()
        outcome.raise_error()
        return outcome.result

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        self.output.error = "\n".join(stb)


@contextmanager
def recording_shell(ipython_dir: str) -> Iterator[RecordingShell]:
    """A fresh shell, which `get_ipython()` answers with while the block lasts."""
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "nocolor"
    shell = RecordingShell.instance(config=config, ipython_dir=ipython_dir)
    try:
        yield shell
    finally:
        atexit.unregister(shell.atexit_operations)
        # Else IPython looks for garbage, which takes longer than most tests.
        shell.displayhook.do_full_cache = 0
        shell.atexit_operations()
        RecordingShell.clear_instance()
