"""Results of commands on stdout: tables for people, JSON and CSV for programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.stream_output import is_terminal
from primepods_magic.notebook.shell.output import say, write_result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["has_unknown_end", "write_as"]

_MIN_WIDTH = 20
_MORE_COLUMNS = re.compile(r": _\.columns$")


def write_as(result: Any, form: str | None, stream: Any) -> None:
    """Write the result of a command to stdout as ``json``, as ``csv``, or as a table for ``None``.

    JSON is a list of records. Times are in ISO 8601 and UTC, durations in seconds, and missing values null.
    The caption of a table, which says what its sums leave out, goes to stderr for the other forms.
    """
    if result is None:
        return
    if form is None:
        text = _format_text(result, _find_width(stream))
        write_result(f"{text}\n" if text else "")
        return
    frame = _read_frame(result)
    if caption := _find_caption(result):
        say(caption)
    if form == "csv" and frame is not None:
        from primepods_magic.frames.files import format_csv

        write_result(format_csv(frame))
    elif form == "csv":
        from primepods_magic.api.errors import InvalidRequest

        raise InvalidRequest("This result is not a table, so it has no CSV form. Use '-o json'")
    else:
        records = _list_records(result) if frame is None else _read_records(frame)
        # ASCII alone: a hostile name can do nothing to a terminal.
        write_result("[" + ",\n ".join(json.dumps(record) for record in records) + "]\n")


def has_unknown_end(result: Any) -> bool:
    """Return whether a result lists terminations that are not verified: those pods may be billed."""
    from primepods_magic.notebook.display.frames import read_marked

    table = read_marked(result) if _is_frame(result) else None
    if table is None or table.kind != "removed":
        return False
    from primepods_magic.pods.terminate import GONE

    return bool((result["outcome"] != GONE).any())


def _find_width(stream: Any) -> int | None:
    """Return how many characters fit into a line: of a terminal, or as COLUMNS says; None for no limit."""
    if not is_terminal(stream) and not os.environ.get("COLUMNS", "").isdecimal():
        return None
    return max(_MIN_WIDTH, shutil.get_terminal_size().columns)


def _is_frame(result: object) -> bool:
    # Without this module, nothing is a frame.
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(result, pandas.DataFrame)


def _format_text(result: Any, width: int | None) -> str:
    from primepods_magic.notebook.display import connection, pod
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.pods.pod import Pod

    if isinstance(result, (list, tuple)):
        return "\n".join(_format_text(each, width) for each in result)
    if isinstance(result, Pod):
        return pod.to_text(result)
    if isinstance(result, Connection):
        return connection.to_text(result)
    if isinstance(result, dict):
        return json.dumps(result, indent=2)
    if not _is_frame(result):
        return str(result)
    from primepods_magic.frames.rendering import sheet_text
    from primepods_magic.notebook.display.frames import read_marked

    table = read_marked(result, max_rows=max(len(result), 1))
    if table is None:
        return str(result.to_string(index=False))
    return _MORE_COLUMNS.sub(" with -o csv", sheet_text(table, width))


def _find_caption(result: Any) -> str | None:
    from primepods_magic.notebook.display.frames import read_marked

    table = read_marked(result) if _is_frame(result) else None
    return table.caption if table else None


def _read_frame(result: Any) -> pd.DataFrame | None:
    """Return a result as a frame if it is one, or pods."""
    from primepods_magic.pods.pod import Pod

    pods = list(result) if isinstance(result, (list, tuple)) else [result]
    if pods and all(isinstance(pod, Pod) for pod in pods):
        from primepods_magic.frames import pods_frame

        return pods_frame([pod.details for pod in pods])
    return result if _is_frame(result) else None


def _read_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {str(name): [_read_value(value) for value in frame[name].tolist()] for name in frame.columns}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _read_value(value: Any) -> Any:
    """Return a value of a frame as JSON has it."""
    import pandas as pd

    if isinstance(value, (list, tuple, dict)):
        return value
    # NaN is missing, and JSON has no infinity.
    if pd.isna(value) or value in (float("inf"), float("-inf")):
        return None
    if isinstance(value, datetime):
        instant = value.astimezone(timezone.utc) if value.tzinfo else value
        return instant.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if isinstance(value, (str, bool, int, float)) else str(value)


def _list_records(result: Any) -> list[Any]:
    """Return a result that is not a table as records."""
    from primepods_magic.pods.connection.connection import Connection

    if isinstance(result, (list, tuple)):
        return [record for each in result for record in _list_records(each)]
    if isinstance(result, Connection):
        team = result.settings.team_id
        return [{"service": result.label, "url": result.settings.base_url, "team_id": team}]
    if is_dataclass(result) and not isinstance(result, type):
        return [asdict(result)]
    if isinstance(result, dict):
        return [result]
    return [{"text": line} for line in str(result).splitlines()]
