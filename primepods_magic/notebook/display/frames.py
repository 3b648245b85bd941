"""Marks of our frames, which the formatters show in our way; the frames stay plain ``pandas.DataFrame``."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from primepods_magic.frames.rendering import DisplayTable

__all__ = ["mark_for_display", "read_marked"]


@dataclass(frozen=True)
class _FrameInfo:
    """Everything known about one of our frames."""

    frame: weakref.ref[pd.DataFrame]
    kind: str
    caption: str | None
    total: int | None
    columns: tuple[str, ...]
    is_unfolded: bool


_marks: dict[int, _FrameInfo] = {}
_lock = threading.RLock()


def mark_for_display(
    frame: pd.DataFrame,
    *,
    kind: str,
    caption: str | None = None,
    total: int | None = None,
    is_unfolded: bool = False,
) -> pd.DataFrame:
    """Mark a frame as ours and return it; the frame, its ``attrs``, and copies and parts of it do not change.

    ``kind`` is the plural noun of its rows, ``total`` their number if the frame has only some of them.
    Of kinds that fold what matters less, it shows everything if ``is_unfolded``.

    >>> from primepods_magic.frames import pods_frame
    >>> df = mark_for_display(pods_frame([]), kind="pods", caption="sandbox · no pods")
    """
    key = id(frame)

    def forget(gone: weakref.ref[pd.DataFrame]) -> None:
        # Another frame may live at this address by now.
        with _lock:
            mark = _marks.get(key)
            if mark is not None and mark.frame is gone:
                del _marks[key]

    columns = tuple(map(str, frame.columns))
    mark = _FrameInfo(weakref.ref(frame, forget), kind, caption, total, columns, is_unfolded)
    with _lock:
        _marks[key] = mark
    return frame


def read_marked(frame: pd.DataFrame, max_rows: int | None = None) -> DisplayTable | None:
    """Prepare a marked frame for showing; ``None`` if it is not marked, or was reshaped in place."""
    mark = _marks.get(id(frame))
    if mark is None or mark.frame() is not frame:
        return None
    from primepods_magic.frames.rendering import can_be_shown, read_sheet

    if not can_be_shown(frame):
        return None
    return read_sheet(
        frame, mark.kind, mark.caption, mark.total, mark.columns, max_rows, is_unfolded=mark.is_unfolded
    )
