"""Proration: spread the costs of lines over periods, and sum them by period and group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "CostLines", "spread"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Lines, and parts of lines, that are processed at once: memory stays bounded, and in the cache.
_CHUNK_SIZE = 1 << 15
# With more cells than this most would be empty, so sums are stored sparsely.
_MAX_DENSE_CELLS = 1 << 17
# Lines over fewer periods than this are spread part by part, longer ones as runs of equal periods; runs need
# memory for every cell, so there is a maximum of cells.
_MIN_RUN_PERIODS = 32
_MAX_RUN_CELLS = 1 << 22

_USD = 2.0**-20
_GPU_US = 2.0**20
_US_PER_HOUR = 3_600_000_000


@dataclass(frozen=True)
class CostLines:
    """Lines of a ledger as arrays of one length.

    `begin` and `end` are microseconds since 1970 (UTC), `end` greater; `cost_usd` is that of the whole
    line, 0 if it `is_unknown`, `gpus` its constant number of GPUs; groups count from 0.
    """

    begin: Ints
    end: Ints
    cost_usd: Floats
    gpus: Floats
    group: Ints
    estimated: Bools
    is_pod: Bools
    is_unknown: Bools

    def __getitem__(self, which: slice | Ints | Bools) -> CostLines:
        return CostLines(*(getattr(self, field.name)[which] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.begin)


@dataclass(frozen=True)
class Cells:
    """Sums for each period and group that has lines, by period and then by group.

    `period` and `group` are indices, `pods` counts the pods with a part in the cell, `estimated` says
    whether one of the parts is an estimate, and `estimated_usd` how much those are. `is_unknown` says whether
    no part has a known cost, and `total_usd` is the cost of the whole period over all groups.
    """

    period: Ints
    group: Ints
    cost_usd: Floats
    gpu_hours: Floats
    pods: Ints
    estimated: Bools
    estimated_usd: Floats
    is_unknown: Bools
    total_usd: Floats


def spread(lines: CostLines, edges: Ints, groups: int, within: tuple[int, int] | None = None) -> Cells:
    """Spread lines evenly over their lives, and sum them by period and group.

    `edges` are where periods begin, rising, and where the last one ends, in microseconds; they cover what
    counts. With `within`, only what lies from the first instant up to the second counts.

    Notes
    -----
    The sums are exact. The cost of a line up to an edge is split into a whole number of 2⁻²⁰ USD and a
    remainder, a whole number of a unit so small that a sum over all lines still fits into the 53 bits of a
    float. The part between two edges is the difference of two such costs, so the parts add up to the line,
    and the lines to the same sum in any order.

    A line over many periods of one length, such as hours, costs the same whole number in each of those
    inside; the last part takes the rounding remainder. Such a run is added at its start and subtracted
    at its end, so that years of hours take no longer than a day.
    """
    # 1. Leave out lines that do not overlap the range.
    if within is not None:
        lines = lines[(lines.begin < within[1]) & (lines.end > within[0])]
    usd, gpu_us = _ExactSplitter(_USD, len(lines)), _ExactSplitter(_GPU_US, len(lines))
    # Most ledgers have no estimates, or only pods: skip sums that would be constant.
    any_estimated, any_other = bool(lines.estimated.any()), not lines.is_pod.all()
    any_unknown = bool(lines.is_unknown.any())
    tally = _CellSums(len(edges) - 1, groups)
    find = _PeriodFinder(edges)
    # 2. Split lines at edges, chunk by chunk, and add their parts to the sums of the cells.
    for start in range(0, len(lines), _CHUNK_SIZE):
        for part in _split_lines(lines[start : start + _CHUNK_SIZE], edges, find, within, tally.can_add_runs):
            cost = part.cost(usd)
            weights = [*cost, *gpu_us.split(part.gpu_us)]
            if any_estimated:
                flags = part.estimated.astype(np.float64)
                weights += [flags, *(flags * half for half in cost)]
            weights += [part.is_unknown.astype(np.float64)] * any_unknown
            weights += [(~part.is_pod).astype(np.float64)] * any_other
            cells = part.period * groups + part.group
            if part.stop is None:
                tally.add(cells, weights)
            else:
                tally.add_runs(cells, part.stop * groups + part.group, weights)
    # 3. Join the exact halves of each sum, and sum up periods over all groups.
    keys, lines_in, sums = tally.result(4 + 3 * any_estimated + any_unknown + any_other)
    period, group = np.divmod(keys, groups) if groups > 1 else (keys, np.zeros_like(keys))
    by_period: list[Floats] = [
        np.bincount(period, sums[half], len(edges) - 1).astype(np.float64, copy=False) for half in (0, 1)
    ]
    return Cells(
        period,
        group,
        usd.joined(sums[0], sums[1]),
        gpu_us.joined(sums[2], sums[3]) / _US_PER_HOUR,
        lines_in - sums[-1].astype(np.int64) if any_other else lines_in,
        sums[4] > 0 if any_estimated else np.zeros(len(keys), dtype=bool),
        usd.joined(sums[5], sums[6]) if any_estimated else np.zeros(len(keys)),
        sums[4 + 3 * any_estimated] == lines_in if any_unknown else np.zeros(len(keys), dtype=bool),
        usd.joined(by_period[0], by_period[1])[period],
    )


class _ExactSplitter:
    """Splits floats into coarse and fine whole numbers, whose sums over `count` numbers are exact."""

    def __init__(self, coarse: float, count: int) -> None:
        self._coarse = coarse
        # A part is a difference of two costs; the last part of a run subtracts a third one.
        self._shift = max(51 - max(count, 1).bit_length(), 1)
        self._fine = coarse * 2.0**-self._shift

    def split(self, values: Floats) -> tuple[Floats, Floats]:
        coarse = np.rint(values * (1 / self._coarse))
        fine = values - coarse * self._coarse
        fine *= 1 / self._fine
        return coarse, np.rint(fine, out=fine)

    def multiplied(self, values: Floats, times: Ints) -> tuple[Floats, Floats]:
        """Split numbers and multiply them by counts; return a coarse and a fine part again."""
        coarse, fine = self.split(values)
        carried = np.rint(fine * times * 2.0**-self._shift)
        # The remainder is small, so it is correct although the products may overflow.
        rest = fine.astype(np.int64) * times - (carried.astype(np.int64) << self._shift)
        return coarse * times + carried, rest.astype(np.float64)

    def joined(self, coarse: Floats, fine: Floats) -> Floats:
        joined: Floats = coarse * self._coarse + fine * self._fine
        return joined


@dataclass(frozen=True)
class _PeriodParts:
    """Parts of lines between edges or, with a `stop`, runs of periods that each have such a part.

    A last part states the `inside` of the run before it, to subtract it from the cost up to the end.
    """

    period: Ints
    group: Ints
    estimated: Bools
    is_pod: Bools
    is_unknown: Bools
    gpu_us: Floats
    upto_stop: Floats
    upto_start: Floats | None = None
    stop: Ints | None = None
    inside_usd: Floats | None = None
    inside: Ints | None = None

    def cost(self, usd: _ExactSplitter) -> tuple[Floats, Floats]:
        coarse, fine = usd.split(self.upto_stop)
        if self.upto_start is None:
            return coarse, fine
        less_coarse, less_fine = usd.split(self.upto_start)
        coarse, fine = coarse - less_coarse, fine - less_fine
        if self.inside_usd is not None and self.inside is not None:
            less_coarse, less_fine = usd.multiplied(self.inside_usd, self.inside)
            coarse, fine = coarse - less_coarse, fine - less_fine
        return coarse, fine


class _PeriodFinder:
    """Finds the period of an instant."""

    def __init__(self, edges: Ints) -> None:
        steps = np.diff(edges)
        self._edges = edges
        lengths, counts = np.unique(steps, return_counts=True)
        self.usual_us = int(lengths[counts.argmax()])
        self._unusual = np.concatenate([[0], np.cumsum(steps != self.usual_us)])
        # Most calendars have equal periods, for which a division is faster than a search.
        self._step = int(steps[0]) if len(steps) > 1 and (steps == steps[0]).all() else 0

    def is_usual(self, first: Ints, stop: Ints) -> Bools:
        """Return for which lines all periods from the first up to the stop have the usual length."""
        usual: Bools = self._unusual[first] == self._unusual[stop]
        return usual

    def __call__(self, instants: Ints) -> Ints:
        if self._step:
            periods: Ints = (instants - self._edges[0]) // self._step
            return periods
        return np.searchsorted(self._edges, instants, "right") - 1


def _split_lines(
    lines: CostLines, edges: Ints, find: _PeriodFinder, within: tuple[int, int] | None, has_runs: bool
) -> Iterator[_PeriodParts]:
    begin, end = lines.begin, lines.end
    if within is not None:
        begin, end = np.maximum(begin, within[0]), np.minimum(end, within[1])
    first = find(begin)
    # The end is exclusive: the last instant is one microsecond before it.
    count = find(end - 1) - first + 1
    cut = count > 1
    if within is not None:
        cut |= (begin != lines.begin) | (end != lines.end)
    if not cut.all():
        yield _keep_whole(lines, first, cut)
    is_run = np.zeros(len(lines), dtype=bool)
    if has_runs:
        is_run = count >= _MIN_RUN_PERIODS
        is_run[is_run] = find.is_usual(first[is_run] + 1, (first + count - 1)[is_run])
    for spread_them, chosen in ((_split_at_edges, cut & ~is_run), (_split_into_runs, is_run)):
        which = np.flatnonzero(chosen)
        if len(which):
            yield from spread_them(lines[which], begin[which], end[which], first[which], count[which], edges)


def _keep_whole(lines: CostLines, first: Ints, cut: Bools) -> _PeriodParts:
    whole = np.flatnonzero(~cut)
    lines, first = lines[whole], first[whole]
    gpu_us = lines.gpus * (lines.end - lines.begin)
    flags = (lines.estimated, lines.is_pod, lines.is_unknown)
    return _PeriodParts(first, lines.group, *flags, gpu_us, lines.cost_usd)


def _split_at_edges(
    lines: CostLines, begin: Ints, end: Ints, first: Ints, count: Ints, edges: Ints
) -> Iterator[_PeriodParts]:
    """Split lines at edges, or at the limits of what counts, part by part."""
    done = np.cumsum(count)
    usd_us = lines.cost_usd / (lines.end - lines.begin)
    for start in range(0, int(done[-1]), _CHUNK_SIZE):
        stop = min(start + _CHUNK_SIZE, int(done[-1]))
        of = slice(int(np.searchsorted(done, start, "right")), int(np.searchsorted(done, stop, "left")) + 1)
        parts = np.minimum(done[of], stop) - np.maximum(done[of] - count[of], start)
        line = np.repeat(np.arange(of.start, of.stop), parts)
        period = np.arange(start, stop) + (first + count - done)[line]
        since, until = np.maximum(edges[period], begin[line]), np.minimum(edges[period + 1], end[line])
        cost, life_begin, life_end = lines.cost_usd[line], lines.begin[line], lines.end[line]
        yield _PeriodParts(
            period,
            lines.group[line],
            lines.estimated[line],
            lines.is_pod[line],
            lines.is_unknown[line],
            lines.gpus[line] * (until - since),
            np.where(until == life_end, cost, usd_us[line] * (until - life_begin)),
            usd_us[line] * (since - life_begin),
        )


def _split_into_runs(
    lines: CostLines, begin: Ints, end: Ints, first: Ints, count: Ints, edges: Ints
) -> Iterator[_PeriodParts]:
    """Split lines over many equal periods into a first part, the run inside, and a last part."""
    usd_us = lines.cost_usd / (lines.end - lines.begin)
    second, last = first + 1, first + count - 1
    length_us = edges[second + 1] - edges[second]
    inside_usd = usd_us * length_us
    upto_second = usd_us * (edges[second] - lines.begin)
    upto_end = np.where(end == lines.end, lines.cost_usd, usd_us * (end - lines.begin))
    flags = (lines.group, lines.estimated, lines.is_pod, lines.is_unknown)
    first_us, last_us = edges[second] - begin, end - edges[last]
    yield _PeriodParts(first, *flags, lines.gpus * first_us, upto_second, usd_us * (begin - lines.begin))
    yield _PeriodParts(second, *flags, lines.gpus * length_us, inside_usd, stop=last)
    yield _PeriodParts(
        last,
        *flags,
        lines.gpus * last_us,
        upto_end,
        upto_second,
        inside_usd=inside_usd,
        inside=count - 2,
    )


_Sums = tuple[Ints, Ints, list[Floats]]
"""Sorted cells, the number of parts in each, and the sums over these."""


class _CellSums:
    """Sums by cell, dense for few cells and sparse for many."""

    def __init__(self, periods: int, groups: int) -> None:
        self._size, self._groups = periods * groups, groups
        self._changes: list[Floats] = []
        self.can_add_runs = self._size <= _MAX_RUN_CELLS
        self._sums: list[_Sums] = []
        self._pending = self._room = 0

    def add(self, cells: Ints, weights: list[Floats]) -> None:
        if self._size <= _MAX_DENSE_CELLS:
            sums = _sum_cells(cells, weights, self._size)
            self._sums = [_add_sums(self._sums[0], sums)] if self._sums else [sums]
            return
        self._sums.append(_compact_cells(cells, weights))
        self._pending += len(self._sums[-1][0])
        if self._pending > self._room:
            self._merge_sums()

    def add_runs(self, cells: Ints, stops: Ints, weights: list[Floats]) -> None:
        """Add weights to every period from a cell up to a stop."""
        size = self._size + self._groups
        weights = [np.ones(len(cells)), *weights]
        self._changes = self._changes or [np.zeros(size) for _ in weights]
        for changes, each in zip(self._changes, weights, strict=True):
            np.add(changes, np.bincount(cells, each, size), out=changes)
            np.subtract(changes, np.bincount(stops, each, size), out=changes)

    def _sum_runs(self) -> _Sums:
        # Whole numbers, never above the sum of all lines, so every partial sum is exact.
        for changes in self._changes:
            by_period = changes.reshape(-1, self._groups)
            np.cumsum(by_period, axis=0, out=by_period)
        counts, *sums = (each[: self._size] for each in self._changes)
        keys = np.arange(self._size) if self._size <= _MAX_DENSE_CELLS else np.flatnonzero(counts)
        return keys, counts[keys].astype(np.int64), [each[keys] for each in sums]

    def result(self, width: int) -> _Sums:
        """Return the sums of the cells that have parts."""
        if self._changes:
            runs = self._sum_runs()
            is_dense = self._size <= _MAX_DENSE_CELLS and self._sums
            self._sums = [_add_sums(self._sums[0], runs)] if is_dense else [*self._sums, runs]
        if not self._sums:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), [np.zeros(0)] * width
        self._merge_sums()
        keys, counts, sums = self._sums[0]
        there = np.flatnonzero(counts)
        return keys[there], counts[there], [each[there] for each in sums]

    def _merge_sums(self) -> None:
        """Merge partial sums into one; rarely enough that the time per part stays constant."""
        if len(self._sums) > 1:
            keys = np.concatenate([part[0] for part in self._sums])
            counts = np.concatenate([part[1] for part in self._sums]).astype(np.float64)
            sums = [np.concatenate(each) for each in zip(*(part[2] for part in self._sums), strict=True)]
            keys, _, (counts, *sums) = _compact_cells(keys, [counts, *sums])
            self._sums = [(keys, counts.astype(np.int64), sums)]
        self._pending = len(self._sums[0][0])
        self._room = 2 * self._pending + 16 * _CHUNK_SIZE


def _sum_cells(cells: Ints, weights: list[Floats], size: int) -> _Sums:
    counts = np.bincount(cells, minlength=size)
    sums: list[Floats] = [np.bincount(cells, each, size).astype(np.float64, copy=False) for each in weights]
    return np.arange(size), counts, sums


def _add_sums(one: _Sums, other: _Sums) -> _Sums:
    return one[0], one[1] + other[1], [a + b for a, b in zip(one[2], other[2], strict=True)]


def _compact_cells(cells: Ints, weights: list[Floats]) -> _Sums:
    keys, codes = np.unique(cells, return_inverse=True)
    return (keys, *_sum_cells(codes.reshape(-1), weights, len(keys))[1:])
