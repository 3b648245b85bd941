"""How many GPUs ran at each moment."""

from __future__ import annotations

import numpy as np

__all__ = ["averaged", "even_times", "gpus_running"]

_MOST_TIMES = 250
_STEPS = (
    ("each hour", 1 / 24),
    ("6 hours", 0.25),
    ("each day", 1.0),
    ("each week", 7.0),
    ("4 weeks", 28.0),
    ("each year", 365.25),
)


def gpus_running(
    begins: np.ndarray, ends: np.ndarray, gpu_counts: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count what runs between each two moments at which something began or ended.

    Parameters
    ----------
    begins, ends : numpy.ndarray
        When each pod began and ended, as numbers.
    gpu_counts : numpy.ndarray
        How many GPUs each pod has.
    groups : numpy.ndarray
        To which group each pod belongs, counted from 0.

    Returns
    -------
    edges : numpy.ndarray
        The moments, sorted.
    counts : numpy.ndarray
        GPUs of each group (rows) between each two of them (columns).

    Examples
    --------
    >>> edges, counts = gpus_running(np.array([0, 1]), np.array([2, 3]), np.array([8, 1]), np.array([0, 0]))
    >>> edges.tolist(), counts.tolist()
    ([0, 1, 2, 3], [[8.0, 9.0, 1.0]])
    """
    edges, at = np.unique(np.concatenate([begins, ends]), return_inverse=True)
    changes = np.zeros((int(groups.max(initial=0)) + 1, len(edges)))
    np.add.at(changes, (groups, at[: len(begins)]), gpu_counts)
    np.subtract.at(changes, (groups, at[len(begins) :]), gpu_counts)
    return edges, np.cumsum(changes, axis=1)[:, :-1]


def averaged(edges: np.ndarray, counts: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """The mean of each row between marks; outside of the edges it is 0.

    >>> averaged(np.array([0.0, 1.0, 4.0]), np.array([[8.0, 2.0]]), np.array([0.0, 2.0, 4.0])).tolist()
    [[5.0, 2.0]]
    """
    areas = np.cumsum(counts * np.diff(edges), axis=1)
    areas = np.concatenate([np.zeros((len(counts), 1)), areas], axis=1)
    up_to = np.array([np.interp(marks, edges, row) for row in areas])
    means: np.ndarray = np.diff(up_to, axis=1) / np.diff(marks)
    return means


def even_times(begin: float, end: float) -> tuple[str, np.ndarray]:
    """Days, or other equal stretches of time, that cover a time and are wide enough to be seen.

    >>> unit, marks = even_times(0.3, 200.0)
    >>> unit, marks[[0, 1, -1]].tolist()
    ('each day', [0.0, 1.0, 200.0])
    """
    unit, step = next((each for each in _STEPS if (end - begin) / each[1] <= _MOST_TIMES), _STEPS[-1])
    first, last = np.floor(begin / step), np.ceil(end / step)
    return unit, np.arange(first, last + 1) * step
