"""Estimates of what rows of the history cost until the service bills them."""

from __future__ import annotations

import pandas as pd

from primepods_magic.pods.history.reader import FINAL_AFTER

__all__ = ["estimate_unbilled"]

_HOUR = pd.Timedelta(hours=1)


def estimate_unbilled(
    billed_usd: pd.Series,
    price_usd_hr: pd.Series,
    begin: pd.Series,
    end: pd.Series,
    is_open: pd.Series,
    now: pd.Timestamp,
) -> tuple[pd.Series, pd.Series]:
    """Return which rows are not billed yet, and what each of them cost by its price and duration.

    A row of 0 may be billed late: it counts as not billed for 48 hours after its end, if it has a price. The
    cost is missing if the price, the beginning or the end is not known, and for all other rows.
    """
    end = end.mask(is_open & end.isna(), now)
    has_lasted = (end > begin).fillna(False)
    is_late = price_usd_hr.gt(0.0).fillna(False) & has_lasted & (end > now - FINAL_AFTER)
    is_blank = billed_usd.fillna(0.0).eq(0.0)
    is_unbilled = (is_blank & (is_open | billed_usd.isna() | is_late)).astype(bool)
    usd = price_usd_hr * ((end - begin) / _HOUR).clip(lower=0.0).astype("Float64")
    return is_unbilled, usd.where(is_unbilled)
