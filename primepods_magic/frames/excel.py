"""Excel files of frames."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any, BinaryIO

import pandas as pd

from primepods_magic.frames.tables.schema import STRING

__all__ = ["write_excel"]

_SHEET = "primepods"
# XML cannot hold these.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARK = "\ufffd"
_MAX_CHARACTERS = 32_767
_MAX_ROWS = 1_048_575
_MIN_WIDTH = 20


def write_excel(frame: pd.DataFrame, file: BinaryIO) -> None:
    """Write a frame as an Excel file of one sheet; text stays text, also if it looks like a formula.

    A sheet holds 1,048,575 rows; ValueError if there are more.
    """
    # pandas would only notice after minutes.
    if len(frame) > _MAX_ROWS:
        raise ValueError(f"it has {len(frame):,} rows, and a sheet at most {_MAX_ROWS:,}")
    plain = pd.DataFrame({_clean_text(name): _simplify_column(frame[name]) for name in frame.columns})
    content = BytesIO()
    with pd.ExcelWriter(content, engine="openpyxl", datetime_format="yyyy-mm-dd hh:mm:ss") as writer:
        plain.to_excel(writer, sheet_name=_SHEET, index=False, freeze_panes=(1, 0))
        _finish_sheet(writer.sheets[_SHEET], plain)
    file.write(content.getvalue())


def _simplify_column(column: pd.Series[Any]) -> Any:
    """Return a column as Excel can hold it: times without a zone, and text without control characters."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_localize(None)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(STRING)
    if isinstance(column.dtype, pd.StringDtype):
        return column.map(_clean_text, na_action="ignore")
    return column


def _clean_text(text: str) -> str:
    return _ILLEGAL.sub(_MARK, text[:_MAX_CHARACTERS])


def _finish_sheet(sheet: Any, frame: pd.DataFrame) -> None:
    is_duration = [pd.api.types.is_timedelta64_dtype(dtype) for dtype in frame.dtypes]
    for cells in sheet.iter_rows():
        for cell, lasts in zip(cells, is_duration, strict=False):
            if cell.data_type in ("f", "e"):
                # A name of a pod that begins with "=" must not act.
                cell.data_type = "s"
            elif cell.value == "":
                cell.value = None
            elif lasts and cell.data_type == "n":
                cell.number_format = "[h]:mm:ss"
    for heading in next(sheet.iter_rows(max_row=1), ()):
        width = max(_MIN_WIDTH, len(str(heading.value)) + 2)
        sheet.column_dimensions[heading.column_letter].width = width
