"""The line below a cell that ran on a pod: how long it took, what it cost, and how busy the GPUs were."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.instants import duration
from primepods_magic.api.text.money import format_about
from primepods_magic.api.text.sanitize import safe_html, sanitize, shorten
from primepods_magic.notebook.shell.kernel import in_kernel
from primepods_magic.notebook.shell.output import say
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.cells import CellRecord, record_cell
from primepods_magic.remote.job import Job, JobEnd

__all__ = ["CostRecorder", "cost_recorder", "format_cost_line", "format_seconds"]

_DOT = " · "
_MIN_IDLE_S = 5.0
_FEW_S = 10
_MAX_NAME_CHARS = 60
# Muted, with a contrast above 4.5:1 on both backgrounds.
_STYLE = "padding-left:8px;font-size:12px;line-height:1.5;color:var(--jp-ui-font-color1,inherit);opacity:.75"


class CostRecorder(Protocol):
    """A callback for the end of a cell; `publish` shows the line elsewhere than below the running cell."""

    def __call__(self, end: JobEnd, publish: Callable[[dict[str, str]], object] | None = None) -> None: ...


def cost_recorder(
    shell: Any,
    connection: Connection,
    pod: PodDetails,
    job: Job,
    *,
    is_shown: bool,
    is_attached: bool = False,
) -> CostRecorder:
    """Return a function that records how a cell ended, and shows the line about it if `is_shown`.

    If `is_attached`, the cell may have ended long ago.
    """

    def note_end(end: JobEnd, publish: Callable[[dict[str, str]], object] | None = None) -> None:
        if not end.seconds:
            # It was cancelled before its turn.
            return
        record = record_cell(connection, pod, job, end, may_be_past=is_attached)
        if is_shown:
            line = format_cost_line(record, nodes=pod.nodes or 1, is_sandbox=connection.is_sandbox)
            _show_line(shell, line, publish)

    return note_end


def format_cost_line(record: CellRecord, *, nodes: int = 1, is_sandbox: bool = False) -> str:
    """Format a record as one line, without what is unknown and without idle times below 5 s.

    >>> from datetime import datetime, timezone
    >>> moment = datetime(2026, 9, 14, tzinfo=timezone.utc)
    >>> cell = CellRecord(moment, "train", "p1", "main", "k3f9xq", "fit()", "ok", 131.0,
    ...     estimated_usd=0.7, idle_s=840.0, idle_usd=4.48)
    >>> format_cost_line(cell)
    'train · 2 min 11 s · about $0.70 · idle before 14 min, about $4.48'
    """
    parts = [
        shorten(sanitize(record.pod), _MAX_NAME_CHARS),
        _format_gpus(record),
        # Cells run on the first node, and all are billed.
        f"node 1 of {nodes}" if nodes > 1 else "",
        format_seconds(record.seconds),
        *_format_costs(record.estimated_usd),
        _format_use(record),
    ]
    if record.idle_s is not None and record.idle_s >= _MIN_IDLE_S:
        idle = f"idle before {duration(timedelta(seconds=round(record.idle_s)))}"
        parts.append(", ".join([idle, *_format_costs(record.idle_usd)]))
    parts += ["sandbox"] if is_sandbox else []
    return _DOT.join(filter(None, parts))


def _format_gpus(record: CellRecord) -> str:
    gpu = shorten(sanitize(record.gpu or ""), _MAX_NAME_CHARS)
    return f"{record.gpu_count} × {gpu}" if gpu and record.gpu_count is not None else gpu


def format_seconds(seconds: float) -> str:
    """Format a number of seconds as `duration` does, but with tenths below ten seconds.

    >>> [format_seconds(seconds) for seconds in (0.3, 131, 11_520)]
    ['0.3 s', '2 min 11 s', '3 h 12 min']
    """
    if seconds < _FEW_S - 0.05:
        return f"{seconds:.1f} s" if seconds >= 0.1 else "< 0.1 s"
    return duration(timedelta(seconds=round(seconds)))


def _format_costs(usd: float | None) -> list[str]:
    return [] if usd is None else [format_about(usd)]


def _format_use(record: CellRecord) -> str:
    uses = (("mean", record.gpu_mean_pct), ("peak", record.gpu_peak_pct))
    texts = [f"{word} {percent:.0f} %" for word, percent in uses if percent is not None]
    return f"GPU {', '.join(texts)}" if texts else ""


def _show_line(shell: Any, line: str, publish: Callable[[dict[str, str]], object] | None) -> None:
    if publish is None and not in_kernel(shell):
        say(line)
        return
    # Each part wraps as a whole, unless it is wider than the page.
    parts = (f'<span style="display:inline-block">{safe_html(part)}</span>' for part in line.split(_DOT))
    html = f'<div style="{_STYLE}">{_DOT.join(parts)}</div>'
    (publish or shell.display_pub.publish)({"text/plain": line, "text/html": html})
