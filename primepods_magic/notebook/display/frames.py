"""How the frames that we return look: formatters for those frames, and for no others.

The value of a command stays a plain ``pandas.DataFrame``. `mark_for_display` remembers it by a weak
reference; the formatters that `register` adds look there, and pass every other frame on.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.utils.dir2 import get_real_method

from primepods_magic.api.text.stream_output import printable

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.formatters import BaseFormatter, DisplayFormatter

    from primepods_magic.frames.rendering import DisplayTable

__all__ = ["mark_for_display", "register", "unregister"]

_PANDAS = ("pandas", "pandas.core.frame")
"""Where ``DataFrame`` says it is from: in pandas 3, and before."""


@dataclass(frozen=True)
class _FrameInfo:
    """What is known about a frame of ours."""

    frame: weakref.ref[pd.DataFrame]
    kind: str
    caption: str | None
    total: int | None
    columns: tuple[str, ...]


_marks: dict[int, _FrameInfo] = {}
_hooks: weakref.WeakKeyDictionary[DisplayFormatter, list[_Hook]] = weakref.WeakKeyDictionary()
_lock = threading.RLock()


def mark_for_display(
    frame: pd.DataFrame, *, kind: str, caption: str | None = None, total: int | None = None
) -> pd.DataFrame:
    """Mark a frame as ours, so that it is shown in our way; a copy or a part of it is not.

    Parameters
    ----------
    frame : pandas.DataFrame
        The frame; neither it nor its ``attrs`` is changed.
    kind : str
        What its rows are: ``pods``, ``status``, ``offers``, ``history`` or ``removed``, which have a
        list of columns to show, or another plural noun, of which the first columns are shown.
    caption : str, optional
        The line above, such as ``"sandbox · 3 pods · $5.41/h"``.
    total : int, optional
        How many rows there are in all, where the frame has only some of them.

    Returns
    -------
    pandas.DataFrame
        The same frame.

    Examples
    --------
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

    mark = _FrameInfo(weakref.ref(frame, forget), kind, caption, total, tuple(map(str, frame.columns)))
    with _lock:
        _marks[key] = mark
    return frame


def register(formatters: DisplayFormatter) -> None:
    """Show frames of ours in our way, and leave all others to what was there before.

    pandas need not be loaded, and is not loaded by this. Doing it twice changes nothing.

    Parameters
    ----------
    formatters : IPython.core.formatters.DisplayFormatter
        The shell's ``display_formatter``.
    """
    with _lock:
        if formatters in _hooks:
            return
        _hooks[formatters] = [
            hook(formatters.formatters[mimetype], module)
            for mimetype, hook in (("text/html", _HtmlHook), ("text/plain", _TextHook))
            for module in _PANDAS
        ]


def unregister(formatters: DisplayFormatter) -> None:
    """Put back what `register` found. Doing it twice, or without it, changes nothing.

    Parameters
    ----------
    formatters : IPython.core.formatters.DisplayFormatter
        The shell's ``display_formatter``.
    """
    with _lock:
        for hook in _hooks.pop(formatters, []):
            hook.remove()


class _Hook:
    """One printer of ours in one formatter, before the one that was there."""

    def __init__(self, formatter: BaseFormatter, module: str) -> None:
        # The formatter owns the hook; held weakly, a shell that is given up goes away.
        self._formatter = weakref.ref(formatter)
        self._module = module
        self._active = True
        self._previous = self._current()
        self._put(self)

    @property
    def formatter(self) -> Any:
        return self._formatter()

    def remove(self) -> None:
        # Who came after us and passes frames on to us keeps working: from now on we pass them on too.
        self._active = False
        if self._current() is self:
            self._put(self._previous)

    def sheet(self, frame: pd.DataFrame) -> DisplayTable | None:
        """The frame prepared for showing, or ``None`` where it is not ours to show."""
        mark = _marks.get(id(frame))
        if not self._active or mark is None or mark.frame() is not frame:
            return None
        from primepods_magic.frames.rendering import can_be_shown, read_sheet

        if not can_be_shown(frame):
            return None
        return read_sheet(frame, mark.kind, mark.caption, mark.total, mark.columns)

    def _current(self) -> Any:
        return self.formatter.for_type_by_name(self._module, "DataFrame")

    def _put(self, printer: Any) -> None:
        # A printer moves from the list of names to the list of types when it is first used, and that
        # list is asked first: what is there has to leave.
        self.formatter.pop(f"{self._module}.DataFrame", None)
        if printer is not None:
            self.formatter.for_type_by_name(self._module, "DataFrame", printer)


class _HtmlHook(_Hook):
    def __call__(self, frame: pd.DataFrame) -> Any:
        sheet = self.sheet(frame)
        if sheet is not None:
            from primepods_magic.frames.rendering import sheet_html

            return sheet_html(sheet)
        if self._previous is not None:
            return self._previous(frame)
        own = get_real_method(frame, self.formatter.print_method)
        return own() if own is not None else None


class _TextHook(_Hook):
    def __call__(self, frame: pd.DataFrame, printer: Any, cycle: bool) -> None:
        sheet = self.sheet(frame)
        if sheet is not None:
            from primepods_magic.frames.rendering import sheet_text

            _print(sheet_text(sheet), printer)
        elif self._previous is not None:
            self._previous(frame, printer, cycle)
        else:
            _print(repr(frame), printer)


def _print(text: str, printer: Any) -> None:
    first, *others = printable(text).splitlines()
    with printer.group():
        printer.text(first)
        for line in others:
            printer.break_()
            printer.text(line)
