"""Times and numbers in CSV files of FOCUS, which prescribes how they are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from primepods_magic.frames.tables.costs import FOCUS
from primepods_magic.frames.tables.schema import STRING

__all__ = ["spell_focus"]

_NAMES = {column.name for column in FOCUS}


def spell_focus(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the times and numbers of FOCUS as text; others stay as they are."""
    spelled: pd.DataFrame = frame.assign(
        **{name: _spell_column(frame[name]) for name in frame.columns if name in _NAMES}
    )
    return spelled


def _spell_column(column: pd.Series[Any]) -> Any:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ").astype(STRING)
    if pd.api.types.is_float_dtype(column.dtype):
        # Exponents may not have a "+", and many readers take "3" for a whole number.
        return column.map(_spell_number, na_action="ignore").astype(STRING)
    return column


def _spell_number(number: float) -> str:
    return np.format_float_positional(number, trim="0")
