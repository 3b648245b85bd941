"""Spread what lines cost over periods: every part of every line into the period that it lies in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "CostLines", "spread"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# So many lines, and so many parts of lines, are at work at once: memory stays bounded, and in the cache.
_AT_ONCE = 1 << 15
# With more cells than this most would be empty, and those that are not are looked up.
_DENSE = 1 << 17
# Lines over fewer periods than this are spread part by part; longer ones as runs of periods that are alike,
# for so many cells at most: each takes some memory.
_SHORTEST_RUN = 32
_MAX_RUN_CELLS = 1 << 22

_USD = 2.0**-20
_GPU_US = 2.0**20
_US_PER_HOUR = 3_600_000_000


@dataclass(frozen=True)
class CostLines:
    """Lines of a ledger as arrays of one length.

    Parameters
    ----------
    begin, end : array of int64
        Microseconds since 1970, UTC; `end` is greater.
    cost_usd, gpus : array of float64
        What the whole line cost; how many GPUs it had all the time.
    group : array of int64
        From 0.
    estimated, is_pod : array of bool
    """

    begin: Ints
    end: Ints
    cost_usd: Floats
    gpus: Floats
    group: Ints
    estimated: Bools
    is_pod: Bools

    def __getitem__(self, which: slice | Ints | Bools) -> CostLines:
        return CostLines(*(getattr(self, field.name)[which] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.begin)


@dataclass(frozen=True)
class Cells:
    """Sums for each period and group in which something lies, by period and then by group.

    Parameters
    ----------
    period, group : array of int64
        The place of the period among the periods, and the group.
    cost_usd, gpu_hours : array of float64
    pods : array of int64
        How many pods have a part in it.
    estimated : array of bool
        Whether one of those is an estimate.
    total_usd : array of float64
        The cost of the whole period, all groups together.
    """

    period: Ints
    group: Ints
    cost_usd: Floats
    gpu_hours: Floats
    pods: Ints
    estimated: Bools
    total_usd: Floats


def spread(lines: CostLines, edges: Ints, groups: int, within: tuple[int, int] | None = None) -> Cells:
    """Spread lines evenly over their lives, and add up by period and group.

    Parameters
    ----------
    lines : Lines
        What is spread.
    edges : array of int64
        Where periods begin, rising, and where the last one ends; microseconds. They cover what is counted.
    groups : int
        How many groups there are.
    within : tuple of int, optional
        Count only what lies from the first instant up to the second.

    Notes
    -----
    The sums are exact. What a line has cost up to an edge is taken as a whole number of 2⁻²⁰ USD and a rest,
    a whole number of something so much smaller that no sum of as many lines needs more than the 53 bits of
    a float. The part between two edges is a difference of those, so the parts add up to the line, and the
    lines to the same sum in any order.

    Of a line over many periods of one length, such as hours, each of those inside costs the same whole
    number, and what rounding leaves is in the last part. A run of them is added where it begins and taken
    away where it stops, so that years of hours take no longer than a day.
    """
    if within is not None:
        lines = lines[(lines.begin < within[1]) & (lines.end > within[0])]
    usd, gpu_us = _Exact(_USD, len(lines)), _Exact(_GPU_US, len(lines))
    # What hardly any line is need not be counted where none is.
    any_estimated, any_other = bool(lines.estimated.any()), not lines.is_pod.all()
    tally = _Tally(len(edges) - 1, groups)
    find = _Finder(edges)
    for start in range(0, len(lines), _AT_ONCE):
        for part in _parts(lines[start : start + _AT_ONCE], edges, find, within, tally.can_add_runs):
            weights = [*part.cost(usd), *gpu_us.split(part.gpu_us)]
            weights += [part.estimated.astype(np.float64)] * any_estimated
            weights += [(~part.is_pod).astype(np.float64)] * any_other
            cells = part.period * groups + part.group
            if part.stop is None:
                tally.add(cells, weights)
            else:
                tally.add_runs(cells, part.stop * groups + part.group, weights)
    keys, lines_in, sums = tally.result(4 + any_estimated + any_other)
    period, group = np.divmod(keys, groups) if groups > 1 else (keys, np.zeros_like(keys))
    by_period: list[Floats] = [
        np.bincount(period, sums[place], len(edges) - 1).astype(np.float64, copy=False) for place in (0, 1)
    ]
    return Cells(
        period,
        group,
        usd.joined(sums[0], sums[1]),
        gpu_us.joined(sums[2], sums[3]) / _US_PER_HOUR,
        lines_in - sums[-1].astype(np.int64) if any_other else lines_in,
        sums[4] > 0 if any_estimated else np.zeros(len(keys), dtype=bool),
        usd.joined(by_period[0], by_period[1])[period],
    )


class _Exact:
    """Splits numbers into two whole numbers each, which add up exactly for as many numbers as it is for."""

    def __init__(self, coarse: float, count: int) -> None:
        self._coarse = coarse
        # A part is a difference of two, less a third in the last one of a run.
        self._shift = max(51 - max(count, 1).bit_length(), 1)
        self._fine = coarse * 2.0**-self._shift

    def split(self, values: Floats) -> tuple[Floats, Floats]:
        coarse = np.rint(values * (1 / self._coarse))
        fine = values - coarse * self._coarse
        fine *= 1 / self._fine
        return coarse, np.rint(fine, out=fine)

    def multiplied(self, values: Floats, times: Ints) -> tuple[Floats, Floats]:
        """Split numbers, and return so many times the two, as two of their size again."""
        coarse, fine = self.split(values)
        carried = np.rint(fine * times * 2.0**-self._shift)
        # What is left is small, and so it is right although the products before it may overflow.
        rest = fine.astype(np.int64) * times - (carried.astype(np.int64) << self._shift)
        return coarse * times + carried, rest.astype(np.float64)

    def joined(self, coarse: Floats, fine: Floats) -> Floats:
        joined: Floats = coarse * self._coarse + fine * self._fine
        return joined


@dataclass(frozen=True)
class _PeriodParts:
    """Parts of lines, none of which reaches over an edge; or, with a `stop`, runs of periods in each of
    which a line has such a part. A last part says what is `inside` of the run before it."""

    period: Ints
    group: Ints
    estimated: Bools
    is_pod: Bools
    gpu_us: Floats
    upto_stop: Floats
    upto_start: Floats | None = None
    stop: Ints | None = None
    inside_usd: Floats | None = None
    inside: Ints | None = None

    def cost(self, usd: _Exact) -> tuple[Floats, Floats]:
        coarse, fine = usd.split(self.upto_stop)
        if self.upto_start is None:
            return coarse, fine
        less_coarse, less_fine = usd.split(self.upto_start)
        coarse, fine = coarse - less_coarse, fine - less_fine
        if self.inside_usd is not None and self.inside is not None:
            less_coarse, less_fine = usd.multiplied(self.inside_usd, self.inside)
            coarse, fine = coarse - less_coarse, fine - less_fine
        return coarse, fine


class _Finder:
    """Finds the period of an instant."""

    def __init__(self, edges: Ints) -> None:
        steps = np.diff(edges)
        self._edges = edges
        lengths, counts = np.unique(steps, return_counts=True)
        self.usual_us = int(lengths[counts.argmax()])
        self._unusual = np.concatenate([[0], np.cumsum(steps != self.usual_us)])
        # Most calendars are even, and there a division is faster than a search.
        self._step = int(steps[0]) if len(steps) > 1 and (steps == steps[0]).all() else 0

    def is_usual(self, first: Ints, stop: Ints) -> Bools:
        """Return where all periods from the first up to the stop have the usual length."""
        usual: Bools = self._unusual[first] == self._unusual[stop]
        return usual

    def __call__(self, instants: Ints) -> Ints:
        if self._step:
            found: Ints = (instants - self._edges[0]) // self._step
            return found
        return np.searchsorted(self._edges, instants, "right") - 1


def _parts(
    lines: CostLines, edges: Ints, find: _Finder, within: tuple[int, int] | None, has_runs: bool
) -> Iterator[_PeriodParts]:
    begin, end = lines.begin, lines.end
    if within is not None:
        begin, end = np.maximum(begin, within[0]), np.minimum(end, within[1])
    first = find(begin)
    # The last instant of a life is the one before its end.
    count = find(end - 1) - first + 1
    cut = count > 1
    if within is not None:
        cut |= (begin != lines.begin) | (end != lines.end)
    if not cut.all():
        yield _uncut(lines, first, cut)
    is_run = np.zeros(len(lines), dtype=bool)
    if has_runs:
        is_run = count >= _SHORTEST_RUN
        is_run[is_run] = find.is_usual(first[is_run] + 1, (first + count - 1)[is_run])
    for spread_them, chosen in ((_cut, cut & ~is_run), (_run, is_run)):
        which = np.flatnonzero(chosen)
        if len(which):
            yield from spread_them(lines[which], begin[which], end[which], first[which], count[which], edges)


def _uncut(lines: CostLines, first: Ints, cut: Bools) -> _PeriodParts:
    whole = np.flatnonzero(~cut)
    lines, first = lines[whole], first[whole]
    gpu_us = lines.gpus * (lines.end - lines.begin)
    return _PeriodParts(first, lines.group, lines.estimated, lines.is_pod, gpu_us, lines.cost_usd)


def _cut(
    lines: CostLines, begin: Ints, end: Ints, first: Ints, count: Ints, edges: Ints
) -> Iterator[_PeriodParts]:
    """Lines that edges cut, or of which only some counts, part by part."""
    done = np.cumsum(count)
    usd_us = lines.cost_usd / (lines.end - lines.begin)
    for start in range(0, int(done[-1]), _AT_ONCE):
        stop = min(start + _AT_ONCE, int(done[-1]))
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
            lines.gpus[line] * (until - since),
            np.where(until == life_end, cost, usd_us[line] * (until - life_begin)),
            usd_us[line] * (since - life_begin),
        )


def _run(
    lines: CostLines, begin: Ints, end: Ints, first: Ints, count: Ints, edges: Ints
) -> Iterator[_PeriodParts]:
    """Lines over many periods of one length: the first part, the run of periods inside, the last part."""
    usd_us = lines.cost_usd / (lines.end - lines.begin)
    second, last = first + 1, first + count - 1
    length_us = edges[second + 1] - edges[second]
    inside_usd = usd_us * length_us
    upto_second = usd_us * (edges[second] - lines.begin)
    upto_end = np.where(end == lines.end, lines.cost_usd, usd_us * (end - lines.begin))
    told = (lines.group, lines.estimated, lines.is_pod)
    first_us, last_us = edges[second] - begin, end - edges[last]
    yield _PeriodParts(first, *told, lines.gpus * first_us, upto_second, usd_us * (begin - lines.begin))
    yield _PeriodParts(second, *told, lines.gpus * length_us, inside_usd, stop=last)
    yield _PeriodParts(
        last,
        *told,
        lines.gpus * last_us,
        upto_end,
        upto_second,
        inside_usd=inside_usd,
        inside=count - 2,
    )


_Sums = tuple[Ints, Ints, list[Floats]]
"""Cells, rising; how many parts lie in each; sums of what lies there."""


class _Tally:
    """Sums by cell, for few cells or for many."""

    def __init__(self, periods: int, groups: int) -> None:
        self._size, self._groups = periods * groups, groups
        self._changes: list[Floats] = []
        self.can_add_runs = self._size <= _MAX_RUN_CELLS
        self._found: list[_Sums] = []
        self._pending = self._room = 0

    def add(self, cells: Ints, weights: list[Floats]) -> None:
        if self._size <= _DENSE:
            found = _sums(cells, weights, self._size)
            self._found = [_plus(self._found[0], found)] if self._found else [found]
            return
        self._found.append(_compact(cells, weights))
        self._pending += len(self._found[-1][0])
        if self._pending > self._room:
            self._merge()

    def add_runs(self, cells: Ints, stops: Ints, weights: list[Floats]) -> None:
        """Add the same to every period from a cell up to a stop."""
        size = self._size + self._groups
        weights = [np.ones(len(cells)), *weights]
        self._changes = self._changes or [np.zeros(size) for _ in weights]
        for changes, each in zip(self._changes, weights, strict=True):
            np.add(changes, np.bincount(cells, each, size), out=changes)
            np.subtract(changes, np.bincount(stops, each, size), out=changes)

    def _sum_runs(self) -> _Sums:
        # Whole numbers, and never more than all lines together: every sum on the way is exact.
        for changes in self._changes:
            by_period = changes.reshape(-1, self._groups)
            np.cumsum(by_period, axis=0, out=by_period)
        counts, *sums = (each[: self._size] for each in self._changes)
        keys = np.arange(self._size) if self._size <= _DENSE else np.flatnonzero(counts)
        return keys, counts[keys].astype(np.int64), [each[keys] for each in sums]

    def result(self, width: int) -> _Sums:
        """The cells in which something lies."""
        if self._changes:
            runs = self._sum_runs()
            is_dense = self._size <= _DENSE and self._found
            self._found = [_plus(self._found[0], runs)] if is_dense else [*self._found, runs]
        if not self._found:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), [np.zeros(0)] * width
        self._merge()
        keys, counts, sums = self._found[0]
        there = np.flatnonzero(counts)
        return keys[there], counts[there], [each[there] for each in sums]

    def _merge(self) -> None:
        """Of every cell once; rarely enough that it takes no longer for more parts."""
        if len(self._found) > 1:
            keys = np.concatenate([found[0] for found in self._found])
            counts = np.concatenate([found[1] for found in self._found]).astype(np.float64)
            sums = [np.concatenate(each) for each in zip(*(found[2] for found in self._found), strict=True)]
            keys, _, (counts, *sums) = _compact(keys, [counts, *sums])
            self._found = [(keys, counts.astype(np.int64), sums)]
        self._pending = len(self._found[0][0])
        self._room = 2 * self._pending + 16 * _AT_ONCE


def _sums(cells: Ints, weights: list[Floats], size: int) -> _Sums:
    counts = np.bincount(cells, minlength=size)
    sums: list[Floats] = [np.bincount(cells, each, size).astype(np.float64, copy=False) for each in weights]
    return np.arange(size), counts, sums


def _plus(one: _Sums, other: _Sums) -> _Sums:
    return one[0], one[1] + other[1], [a + b for a, b in zip(one[2], other[2], strict=True)]


def _compact(cells: Ints, weights: list[Floats]) -> _Sums:
    keys, codes = np.unique(cells, return_inverse=True)
    return (keys, *_sums(codes.reshape(-1), weights, len(keys))[1:])
