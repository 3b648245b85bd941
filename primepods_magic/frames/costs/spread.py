"""Spread what lines cost over periods: every part of every line into the period that it lies in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "Lines", "spread"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# So many lines, and so many parts of lines, are at work at once: memory stays bounded, and in the cache.
_AT_ONCE = 1 << 15
# With more cells than this most would be empty, and those that are not are looked up.
_DENSE = 1 << 17

_USD = 2.0**-20
_GPU_US = 2.0**20
_US_PER_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Lines:
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

    def __getitem__(self, which: slice | Ints | Bools) -> Lines:
        return Lines(*(getattr(self, field.name)[which] for field in fields(self)))

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


def spread(lines: Lines, edges: Ints, groups: int, within: tuple[int, int] | None = None) -> Cells:
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
    """
    if within is not None:
        lines = lines[(lines.begin < within[1]) & (lines.end > within[0])]
    usd, gpu_us = _Exact(_USD, len(lines)), _Exact(_GPU_US, len(lines))
    # What hardly any line is need not be counted where none is.
    any_estimated, any_other = bool(lines.estimated.any()), not lines.is_pod.all()
    tally = _Tally((len(edges) - 1) * groups)
    find = _Finder(edges)
    for start in range(0, len(lines), _AT_ONCE):
        for part in _parts(lines[start : start + _AT_ONCE], edges, find, within):
            weights = [*part.cost(usd), *gpu_us.split(part.gpu_us)]
            weights += [part.estimated.astype(np.float64)] * any_estimated
            weights += [(~part.is_pod).astype(np.float64)] * any_other
            tally.add(part.period * groups + part.group, weights)
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
        self._fine = coarse * 2.0 ** (max(count, 1).bit_length() - 53)

    def split(self, values: Floats) -> tuple[Floats, Floats]:
        coarse = np.rint(values * (1 / self._coarse))
        fine = values - coarse * self._coarse
        fine *= 1 / self._fine
        return coarse, np.rint(fine, out=fine)

    def joined(self, coarse: Floats, fine: Floats) -> Floats:
        joined: Floats = coarse * self._coarse + fine * self._fine
        return joined


@dataclass(frozen=True)
class _Parts:
    """Parts of lines, none of which reaches over an edge."""

    period: Ints
    group: Ints
    estimated: Bools
    is_pod: Bools
    gpu_us: Floats
    upto_stop: Floats
    upto_start: Floats | None = None

    def cost(self, usd: _Exact) -> tuple[Floats, Floats]:
        coarse, fine = usd.split(self.upto_stop)
        if self.upto_start is None:
            return coarse, fine
        less_coarse, less_fine = usd.split(self.upto_start)
        return coarse - less_coarse, fine - less_fine


class _Finder:
    """Finds the period of an instant."""

    def __init__(self, edges: Ints) -> None:
        steps = np.diff(edges)
        self._edges = edges
        # Most calendars are even, and there a division is faster than a search.
        self._step = int(steps[0]) if len(steps) > 1 and (steps == steps[0]).all() else 0

    def __call__(self, instants: Ints) -> Ints:
        if self._step:
            found: Ints = (instants - self._edges[0]) // self._step
            return found
        return np.searchsorted(self._edges, instants, "right") - 1


def _parts(lines: Lines, edges: Ints, find: _Finder, within: tuple[int, int] | None) -> Iterator[_Parts]:
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
    which = np.flatnonzero(cut)
    if len(which):
        yield from _cut(lines[which], begin[which], end[which], first[which], count[which], edges)


def _uncut(lines: Lines, first: Ints, cut: Bools) -> _Parts:
    whole = np.flatnonzero(~cut)
    lines, first = lines[whole], first[whole]
    gpu_us = lines.gpus * (lines.end - lines.begin)
    return _Parts(first, lines.group, lines.estimated, lines.is_pod, gpu_us, lines.cost_usd)


def _cut(lines: Lines, begin: Ints, end: Ints, first: Ints, count: Ints, edges: Ints) -> Iterator[_Parts]:
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
        yield _Parts(
            period,
            lines.group[line],
            lines.estimated[line],
            lines.is_pod[line],
            lines.gpus[line] * (until - since),
            np.where(until == life_end, cost, usd_us[line] * (until - life_begin)),
            usd_us[line] * (since - life_begin),
        )


_Sums = tuple[Ints, Ints, list[Floats]]
"""Cells, rising; how many parts lie in each; sums of what lies there."""


class _Tally:
    """Sums by cell, for few cells or for many."""

    def __init__(self, size: int) -> None:
        self._size = size
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

    def result(self, width: int) -> _Sums:
        """The cells in which something lies."""
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
