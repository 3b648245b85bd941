"""Rounding that preserves totals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .coerce import numbers, require

__all__ = ["rounded"]


def rounded(frame: pd.DataFrame, digits: int = 2) -> pd.DataFrame:
    """Round ``cost_usd`` so that the column adds up to the rounded total.

    Every amount is rounded down; the missing cents go, one each, to the largest remainders (of equal ones,
    to the first). No amount moves by a cent or more.

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``cost_usd``, such as a result of `breakdown`.
    digits : int, optional
        Number of decimals, from 0 to 9.

    Returns
    -------
    pandas.DataFrame
        The same rows and columns; only ``cost_usd`` (Float64) is changed.

    Raises
    ------
    ValueError
        There is no ``cost_usd``, or `digits` is not such a number.

    Examples
    --------
    >>> rounded(pd.DataFrame({"cost_usd": [1 / 3, 1 / 3, 1 / 3]}))["cost_usd"].tolist()
    [0.34, 0.33, 0.33]
    """
    require(frame, "frame", ("cost_usd",))
    if not isinstance(digits, int) or not 0 <= digits <= 9:
        raise ValueError(f"digits must be a whole number from 0 to 9, not {digits!r}")
    cost = numbers(frame, "cost_usd")
    there = cost.notna().to_numpy()
    values = cost[there].to_numpy(dtype=float)
    whole = cost.copy()
    if len(values):
        whole[there] = _round_units(values, digits) / 10**digits
    answer: pd.DataFrame = frame.assign(cost_usd=whole)
    return answer


def _round_units(values: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Return whole numbers of the smallest unit."""
    # 0.29 × 100 is slightly below 29: drop such noise before rounding down.
    scaled = np.round(values * 10**digits, 6)
    units: NDArray[np.float64] = np.floor(scaled)
    total = round(round(math.fsum(values), digits) * 10**digits)
    everyone, some = divmod(total - round(math.fsum(units)), len(units))
    units += everyone
    units[np.argsort(units - scaled, kind="stable")[:some]] += 1
    return units
