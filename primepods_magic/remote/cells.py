"""Cells that ran on pods, as this computer recorded them: how long, at what price, and how idle the pod was.

There is a file of JSON lines for each account. It holds no code and no output, only a title without the
strings of the code. Problems with the file are never errors: a cell that cannot be stored has still run.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from primepods_magic.api.errors import PodsError
from primepods_magic.api.local.atomic_files import append_line, read_plain_file, write_atomically
from primepods_magic.api.local.folders import find_folder, make_folder
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.pods.connection.connection import Connection

from .frame_checks import read_number
from .job import Job, JobEnd
from .limits.figures import MAX_SECONDS, MAX_USD, bound_seconds, estimate_usd, find_rate_usd_hr

__all__ = ["CellRecord", "read_cells", "record_cell"]

_MAX_ROWS = 10_000
_MAX_BYTES = 4 * 2**20
"""Room for about as many rows; the older half of a larger file is removed."""
_MAX_TEXT_CHARS = 200
_ANSWER_S = 2.0
_MAX_COUNT = 2**31
_MAX_TIME_S = 1e10

_Amount = Annotated[float, Field(ge=0, le=MAX_USD, allow_inf_nan=False)]
_Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
_Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]


@dataclass(frozen=True, repr=False)
class CellRecord(ShortRepr):
    """A cell that ended on a pod.

    Attributes
    ----------
    started_at : datetime
        By the service's clock (UTC).
    pod, pod_id, session, job, title, state : str
        `title` is its first line of code, without strings.
    seconds : float
        How long it ran.
    gpu : str or None
    gpu_count : int or None
    price_usd_hr : float or None
        The pod's cost per hour at that time; both estimates are based on it.
    estimated_usd : float or None
    gpu_mean_pct, gpu_peak_pct : float or None
    idle_s, idle_usd : float or None
        How long the pod had been idle before; for its first cell, since it was created.
    """

    started_at: AwareDatetime
    pod: str
    pod_id: str
    session: str
    job: str
    title: str
    state: str
    seconds: _Seconds
    gpu: str | None = None
    gpu_count: _Count | None = None
    price_usd_hr: _Amount | None = None
    estimated_usd: _Amount | None = None
    gpu_mean_pct: _Percent | None = None
    gpu_peak_pct: _Percent | None = None
    idle_s: _Seconds | None = None
    idle_usd: _Amount | None = None


def record_cell(
    connection: Connection, pod: PodDetails, job: Job, end: JobEnd, *, may_be_past: bool = False
) -> CellRecord:
    """Record a cell that has ended on a pod, and return the record, even if it cannot be stored.

    The cell has just ended, unless it `may_be_past`: then the agent is asked when it ended.
    """
    ended_at, idle_s = connection.now(), end.idle_s
    timing = _ask_agent(job) if idle_s is None or may_be_past else None
    if timing:
        ended_at -= timedelta(seconds=timing.ended_ago_s)
    seconds = bound_seconds(connection, pod, end.seconds) or 0.0
    started_at = ended_at - timedelta(seconds=seconds)
    if timing and idle_s is None:
        idle_s = timing.idle_s if timing.has_others else _measure_age(connection, pod, job, started_at)
    idle_s = None if idle_s is None or idle_s > MAX_SECONDS else bound_seconds(connection, pod, idle_s)
    record = CellRecord(
        started_at=started_at,
        pod=_shorten_text(pod.name),
        pod_id=_shorten_text(pod.id),
        session=_shorten_text(job.session),
        job=_shorten_text(job.id),
        title=_shorten_text(job.title),
        state=_shorten_text(end.state),
        seconds=seconds,
        gpu=_shorten_text(pod.gpu_name) or None,
        gpu_count=pod.total_gpus if pod.total_gpus and 0 < pod.total_gpus <= _MAX_COUNT else None,
        price_usd_hr=find_rate_usd_hr(pod),
        estimated_usd=estimate_usd(pod, seconds),
        gpu_mean_pct=end.gpu_mean_pct,
        gpu_peak_pct=end.gpu_peak_pct,
        idle_s=idle_s,
        idle_usd=estimate_usd(pod, idle_s),
    )
    # Finding out whose account this is may need a request to the service.
    with suppress(PodsError, OSError):
        _store_record(connection, record)
    return record


def read_cells(connection: Connection) -> list[CellRecord]:
    """Return the recorded cells of an account, at most 10,000, in the order in which they were recorded.

    Lines that cannot be read are left out. Raises PodsError if finding out whose account this is needs a
    request to the service, and it fails.
    """
    # A cell that was attached to has a second line.
    records: dict[tuple[str, str], CellRecord] = {}
    for record in _read_lines(_find_file(connection)):
        records.setdefault((record.pod_id, record.job), record)
    return list(records.values())[-_MAX_ROWS:]


@dataclass(frozen=True)
class _Timing:
    """The timing of a job, from the agent: how long ago it ended, and how long the pod was idle before it."""

    ended_ago_s: float
    has_others: bool
    idle_s: float


def _measure_age(connection: Connection, pod: PodDetails, job: Job, started_at: datetime) -> float | None:
    """Return how long the pod was idle before the first job that its agent knows of; None if unknown."""
    since = pod.created_at
    # An earlier version of the agent may have run some.
    with suppress(PodsError):
        for record in _read_lines(_find_file(connection)):
            if record.pod_id == _shorten_text(pod.id) and record.job != job.id:
                end = record.started_at + timedelta(seconds=record.seconds)
                since = max(since or end, end)
    return None if since is None else max(0.0, (started_at - since).total_seconds())


def _ask_agent(job: Job) -> _Timing | None:
    """Ask the agent for its jobs, and compare the times of one with those of the earlier ones."""
    try:
        answer = job.link.request("jobs").result(_ANSWER_S)
    except (PodsError, FutureTimeoutError, CancelledError):
        return None
    jobs = answer.get("jobs")
    listed = [facts for facts in jobs if isinstance(facts, Mapping)] if isinstance(jobs, list) else []
    this = next((facts for facts in listed if facts.get("id") == job.id), {})
    now, started = _read_time(answer, "now"), _read_time(this, "started_at")
    ended = _read_time(this, "ended_at")
    if now is None or started is None or ended is None:
        return None
    idle_s = []
    for facts in listed:
        begin, end = _read_time(facts, "started_at"), _read_time(facts, "ended_at")
        if facts.get("id") != job.id and begin is not None and begin <= started:
            idle_s.append(0.0 if end is None else max(0.0, started - end))
    return _Timing(max(0.0, now - ended), bool(idle_s), min(idle_s, default=0.0))


def _read_time(facts: Mapping[Any, Any], name: str) -> float | None:
    return read_number(facts, name, lowest=0.0, highest=_MAX_TIME_S)


def _shorten_text(text: str | None) -> str:
    return shorten(sanitize(text or ""), _MAX_TEXT_CHARS)


def _find_file(connection: Connection) -> Path | None:
    digest = sha256(connection.account.encode("utf-8", "replace")).hexdigest()[:16]
    folder = find_folder("state")
    return folder / "cells" / f"{digest}.jsonl" if folder else None


def _store_record(connection: Connection, record: CellRecord) -> None:
    path = _find_file(connection)
    if path is None:
        return
    make_folder(path.parent)
    if append_line(path, _make_adapter().dump_json(record, exclude_none=True)) > _MAX_BYTES:
        lines = read_plain_file(path).splitlines()
        # A line that another kernel appends right now may be lost, once in thousands of cells.
        write_atomically(path, b"\n".join(lines[len(lines) // 2 :]))


def _read_lines(path: Path | None) -> list[CellRecord]:
    adapter = _make_adapter()
    try:
        lines = read_plain_file(path).splitlines() if path else []
    except OSError:
        return []
    records = []
    for line in lines:
        with suppress(ValidationError):
            records.append(adapter.validate_json(line))
    return records


@cache
def _make_adapter() -> TypeAdapter[CellRecord]:
    return TypeAdapter(CellRecord)
