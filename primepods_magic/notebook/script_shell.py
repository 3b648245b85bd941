"""What the commands need of a shell, where there is none: settings, formatters, and the text of a result."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
from IPython.core.formatters import DisplayFormatter
from IPython.paths import get_ipython_dir
from traitlets.config import Config, Configurable
from traitlets.config.loader import load_pyconfig_files

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize

from .display import formatters
from .magics import PodsMagics

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection

    from .input.expansion import ExpandedLine

__all__ = ["ScriptMagics", "open_magics"]


class ScriptShell(Configurable):
    """Stands for IPython's shell: it has no variables, no history and no kernel."""

    def __init__(self, config: Config) -> None:
        super().__init__(config=config)
        self.user_ns: dict[str, Any] = {}
        self.user_ns_hidden: dict[str, Any] = {}
        self.configurables: list[Any] = []
        self.history_manager = SimpleNamespace(input_hist_raw=[""], input_hist_parsed=[""])
        self.display_formatter = DisplayFormatter(parent=self)
        formatters.register(self.display_formatter)

    def push(self, values: dict[str, Any]) -> None:
        """Keep variables, which end with the script."""
        self.user_ns.update(values)

    def render(self, result: Any, form: str) -> str:
        """Return the text of a result: a table or card, JSON or CSV."""
        if result is None:
            return ""
        if form == "table":
            data, _ = self.display_formatter.format(result, include={"text/plain"})  # type: ignore[no-untyped-call]
            return str(data.get("text/plain", result)).replace(": _.columns", ": '-o json'")
        frame = _find_frame(result)
        if form == "json":
            return json.dumps(_list_records(frame) if frame is not None else str(result), ensure_ascii=False)
        if frame is None:
            raise InvalidRequest("This result is no table, so it cannot be CSV. It was done all the same")
        return _write_csv(frame)


class ScriptMagics(PodsMagics):
    """The commands in a script."""

    @property
    def connection(self) -> Connection:
        """The connection in use. Without a key there is none, unless a sandbox runs elsewhere."""
        from primepods_magic.pods.connection.current import SANDBOX_URL_VARIABLE, current

        connection = current(sandbox_without_key=bool(os.environ.get(SANDBOX_URL_VARIABLE)))
        connection.poll_interval_s = self.poll_interval_s
        return connection

    def call(self, name: str, line: ExpandedLine, **extra: Any) -> Any:
        """Run a command, as `%pods` does."""
        return self._call_command(name, line, **extra)

    def call_line(self, line: ExpandedLine) -> Any:
        """Run the command that a line begins with."""
        return self._run_command(line)


@contextlib.contextmanager
def open_magics() -> Iterator[ScriptMagics]:
    """Yield the commands, with the settings of IPython's default profile; connections are closed after."""
    magics = ScriptMagics(ScriptShell(_read_config()))
    try:
        yield magics
    finally:
        magics.live.close()
        connection = sys.modules.get("primepods_magic.pods.connection.current")
        if connection is not None:
            connection.disconnect()


def _read_config() -> Config:
    """Read the settings of the magics, such as price limits, from IPython's default profile."""
    folder = os.path.join(get_ipython_dir(), "profile_default")
    return load_pyconfig_files(["ipython_config.py"], folder)


def _find_frame(result: Any) -> pd.DataFrame | None:
    """Return a result as a frame: one of pods is a row for each."""
    from primepods_magic.frames import pods_frame
    from primepods_magic.pods.pod import Pod

    if isinstance(result, pd.DataFrame):
        return result
    pods = result if isinstance(result, list) else [result]
    if pods and all(isinstance(pod, Pod) for pod in pods):
        return pods_frame(pod.details for pod in pods)
    return None


def _list_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {str(name): [_simplify_value(value) for value in frame[name]] for name in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _simplify_value(value: Any) -> Any:
    """Return a value as JSON has it: null, a number, or text."""
    if isinstance(value, (list, tuple)):
        return [_simplify_value(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _simplify_value(each) for name, each in value.items()}
    if value is None or pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, pd.Timedelta):
        return value.total_seconds()
    if hasattr(value, "item"):
        value = value.item()
    return value if isinstance(value, (bool, int, float)) else sanitize(str(value))


def _write_csv(frame: pd.DataFrame) -> str:
    from primepods_magic.frames.files import write_csv

    file = io.BytesIO()
    write_csv(frame, file)
    return file.getvalue().decode()
