"""What spreading costs over days takes, for many lines, against a plain loop over them."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd

from primepods_magic.api.enums import GPU_TYPES
from primepods_magic.costs import breakdown, ledger
from primepods_magic.frames.tables.schema import STRING

ROWS = 100_000
SIZES = (10_000, 100_000, 1_000_000)
ROUNDS = 9

_PROMISED = 50
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_NOW = datetime(2026, 11, 24, tzinfo=timezone.utc)


def allocate() -> str:
    """Costs by day and GPU type: against a loop, and for more and more lines."""
    history = invented(ROWS)
    lines = ledger(history, now=_NOW)
    looped, swift, whole = _turns(
        [lambda: loop(lines), lambda: breakdown(lines, "gpu", freq="D"), lambda: from_history(history)]
    )
    worst_usd = _difference(loop(lines), breakdown(lines, "gpu", freq="D"))
    if worst_usd > 1e-9:
        raise RuntimeError(f"the loop and the breakdown differ by {worst_usd} USD")
    text = [
        f"allocate  ({ROWS:,} lines by day and GPU type, median of {ROUNDS})",
        f"  {'a loop over the ledger':<34}  {looped * 1000:9.2f} ms",
        f"  {'breakdown of the ledger':<34}  {swift * 1000:9.2f} ms  {looped / swift:6.0f} × as fast"
        f"  (at least {_PROMISED} ×; differs by {worst_usd:.0e} USD)",
        f"  {'the same, and the ledger before it':<34}  {whole * 1000:9.2f} ms"
        f"  {looped / whole:6.0f} × as fast",
    ]
    first = None
    for size, seconds in _by_size().items():
        each_ns = seconds / size * 1e9
        first = first or each_ns
        text.append(
            f"  {f'breakdown of {size:,} lines':<34}  {seconds * 1000:9.2f} ms  {each_ns:6.0f} ns a line,"
            f" {each_ns / first:.2f} × the first"
        )
    return "\n".join(text)


def invented(rows: int) -> pd.DataFrame:
    """A history as the sandbox invents one: lives of 0.1 to 90 hours within 120 days, 15 GPU types."""
    rng = np.random.default_rng(0)
    hours = rng.choice([0.1, 0.7, 3.0, 11.0, 40.0], rows, p=np.array([2, 4, 5, 3, 1]) / 15)
    hours = np.clip(hours * rng.uniform(0.4, 2.2, rows), 0.1, 90.0)
    end = np.datetime64(_NOW.replace(tzinfo=None), "us") - rng.integers(
        60_000_000, 120 * 86_400_000_000, rows
    )
    begin = end - (hours * 3_600_000_000).astype("m8[us]")
    gpus = rng.choice([1, 2, 4, 8], rows)
    return pd.DataFrame(
        {
            "name": pd.array([f"pod-{number}" for number in range(rows)], dtype=STRING),
            "gpu": pd.array(rng.choice(GPU_TYPES[:15], rows), dtype=STRING),
            "gpu_count": pd.array(gpus, dtype="Int64"),
            "created_at": pd.DatetimeIndex(begin).tz_localize("UTC"),
            "terminated_at": pd.DatetimeIndex(end).tz_localize("UTC"),
            "billed_usd": pd.array(np.round(hours * gpus * rng.uniform(0.2, 4.0, rows), 4), dtype="Float64"),
            "id": pd.array([f"{number:032x}" for number in range(rows)], dtype=STRING),
        }
    )


def loop(lines: pd.DataFrame) -> dict[tuple[datetime, str], float]:
    """The same sums as a person would write them first, without anything that needs not be there."""
    sums: dict[tuple[datetime, str], float] = defaultdict(float)
    columns = lines[["gpu", "begin_at", "end_at", "cost_usd"]]
    for gpu, begin, end, cost in columns.itertuples(index=False, name=None):
        day = begin.replace(hour=0, minute=0, second=0, microsecond=0)
        length = end - begin
        while day < end:
            next_day = day + _DAY
            sums[day, gpu] += cost * ((min(end, next_day) - max(begin, day)) / length)
            day = next_day
    return sums


def from_history(history: pd.DataFrame) -> pd.DataFrame:
    return breakdown(ledger(history, now=_NOW), "gpu", freq="D")


def _difference(looped: dict[tuple[datetime, str], float], frame: pd.DataFrame) -> float:
    swift = {(row.period, row.gpu): row.cost_usd for row in frame.itertuples()}
    if swift.keys() != looped.keys():
        raise RuntimeError("the loop and the breakdown have other cells")
    return max(abs(swift[cell] - looped[cell]) for cell in swift)


def _by_size() -> dict[int, float]:
    frames = {size: ledger(invented(size), now=_NOW) for size in SIZES}
    works = [lambda frame=frame: breakdown(frame, "gpu", freq="D") for frame in frames.values()]
    return dict(zip(frames, _turns(works), strict=True))


def _turns(works: list[Callable[[], object]]) -> list[float]:
    """Medians of work that takes turns."""
    seconds: list[list[float]] = [[] for _ in works]
    order = list(range(len(works)))
    shuffle = random.Random(0).shuffle
    for work in works:
        work()
    for _ in range(ROUNDS):
        shuffle(order)
        for place in order:
            gc.collect()
            begin = time.perf_counter()
            works[place]()
            seconds[place].append(time.perf_counter() - begin)
    return [statistics.median(each) for each in seconds]
