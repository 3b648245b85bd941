"""Timings that mean something on any computer: contestants take turns in one run, and ratios are told.

A benchmark is a context manager that prepares what it needs and yields its contestants, the yardstick
first. A contestant does the work once and answers with the seconds it took.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

Contestant = Callable[[], float]
Benchmark = Callable[[], AbstractContextManager[dict[str, Contestant]]]


@dataclass(frozen=True)
class Result:
    name: str
    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        first, _, third = statistics.quantiles(self.seconds, n=4)
        return (third - first) / 2 / self.median


@contextmanager
def warmed(contestants: dict[str, Contestant]) -> Iterator[dict[str, Contestant]]:
    """Each contestant once, uncounted: files read and connections opened are nobody's merit."""
    for contestant in contestants.values():
        contestant()
    yield contestants


def timed(work: Callable[[], object]) -> Contestant:
    """A contestant whose time is the time of `work`."""

    def once() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return once


def run(benchmark: Benchmark, rounds: int) -> list[Result]:
    """So many rounds, each contestant once a round, in an order that changes."""
    shuffle = random.Random(0).shuffle
    with benchmark() as contestants, warmed(contestants):
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(rounds):
            order = list(contestants)
            shuffle(order)
            for name in order:
                seconds[name].append(contestants[name]())
    return [Result(name, taken) for name, taken in seconds.items()]


def report(title: str, results: list[Result]) -> str:
    yardstick = results[0].median
    width = max(len(result.name) for result in results)
    lines = [
        f"  {result.name:<{width}}  {result.median * 1000:9.2f} ms  ± {result.spread:4.0%}"
        f"  {result.median / yardstick:6.2f} ×"
        for result in results
    ]
    return "\n".join([f"{title}  (median of {len(results[0].seconds)})", *lines])
