"""Formatters for our frames, pods and connections; none loads anything before its first use.

A frame stays a plain ``pandas.DataFrame``. Our hook shows those that `mark_for_display` marked, and passes
every other frame on.
"""

from __future__ import annotations

import sys
import threading
import weakref
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from IPython.utils.dir2 import get_real_method

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.formatters import BaseFormatter, DisplayFormatter

    from primepods_magic.frames.rendering import DisplayTable

__all__ = ["MAX_HTML_ROWS", "register", "unregister"]

_PANDAS = ("pandas", "pandas.core.frame")
"""Modules that ``DataFrame`` names as its own: pandas 3, and earlier."""
_CARDS = {
    ("primepods_magic.pods.pod", "Pod"): "pod",
    ("primepods_magic.pods.connection.connection", "Connection"): "connection",
}
"""The module beside this one that shows a class, with its ``to_text`` and ``to_html``."""

# More do not fit into the size of an output.
MAX_HTML_ROWS = 250

_hooks: weakref.WeakKeyDictionary[DisplayFormatter, list[_Hook]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def register(formatters: DisplayFormatter) -> None:
    """Add our printers to a shell's ``display_formatter``, once."""
    with _lock:
        if formatters in _hooks:
            return
        text, html = formatters.formatters["text/plain"], formatters.formatters["text/html"]
        _hooks[formatters] = [
            hook(formatter, module)
            for formatter, hook in ((html, _HtmlHook), (text, _TextHook))
            for module in _PANDAS
        ]
        for names, card in _CARDS.items():
            text.for_type_by_name(*names, partial(_print_card, card))
            html.for_type_by_name(*names, partial(_render_card, card))


def unregister(formatters: DisplayFormatter) -> None:
    """Restore what `register` replaced; a shell without our printers stays as it is."""
    with _lock:
        for hook in _hooks.pop(formatters, []):
            hook.remove()
        for mimetype in ("text/plain", "text/html"):
            formatter = formatters.formatters[mimetype]
            for module, name in _CARDS:
                formatter.pop(f"{module}.{name}", None)


def _print_card(card: str, shown: Any, printer: Any, _cycle: bool) -> None:
    from primepods_magic.api.text.stream_output import printable

    printer.text(printable(import_module(f".{card}", __package__).to_text(shown)))


def _render_card(card: str, shown: Any) -> str | None:
    html: str | None = import_module(f".{card}", __package__).to_html(shown)
    return html


class _Hook:
    """Our printer in one formatter, in front of the earlier one."""

    def __init__(self, formatter: BaseFormatter, module: str) -> None:
        # The formatter owns the hook; a strong reference would keep a closed shell alive.
        self._formatter = weakref.ref(formatter)
        self._module = module
        self._active = True
        self._previous = self._find_printer()
        self._set_printer(self)

    @property
    def formatter(self) -> Any:
        return self._formatter()

    def remove(self) -> None:
        # A printer that came later may still pass frames on to us: from now on we pass them on too.
        self._active = False
        if self._find_printer() is self:
            self._set_printer(self._previous)

    def read_table(self, frame: pd.DataFrame, max_rows: int | None = None) -> DisplayTable | None:
        """Prepare a frame for showing; ``None`` if it is not ours to show."""
        # Without this module, no frame has been marked.
        frames = sys.modules.get(f"{__package__}.frames")
        table: DisplayTable | None = frames.read_marked(frame, max_rows) if frames and self._active else None
        return table

    def _find_printer(self) -> Any:
        return self.formatter.for_type_by_name(self._module, "DataFrame")

    def _set_printer(self, printer: Any) -> None:
        # A printer moves from the list of names to the list of types when it is first used, and that list
        # is asked first: remove it from both.
        self.formatter.pop(f"{self._module}.DataFrame", None)
        if printer is not None:
            self.formatter.for_type_by_name(self._module, "DataFrame", printer)


class _HtmlHook(_Hook):
    def __call__(self, frame: pd.DataFrame) -> Any:
        table = self.read_table(frame, MAX_HTML_ROWS)
        if table is not None:
            from primepods_magic.frames.rendering import sheet_html

            return sheet_html(table)
        if self._previous is not None:
            return self._previous(frame)
        own = get_real_method(frame, self.formatter.print_method)
        return own() if own is not None else None


class _TextHook(_Hook):
    def __call__(self, frame: pd.DataFrame, printer: Any, cycle: bool) -> None:
        table = self.read_table(frame)
        if table is not None:
            from primepods_magic.frames.rendering import sheet_text
            from primepods_magic.notebook.shell.output import terminal_width

            display_formatter = self.formatter.parent
            shell = display_formatter.parent if display_formatter is not None else None
            _print_lines(sheet_text(table, terminal_width(shell)), printer)
        elif self._previous is not None:
            self._previous(frame, printer, cycle)
        else:
            _print_lines(repr(frame), printer)


def _print_lines(text: str, printer: Any) -> None:
    from primepods_magic.api.text.stream_output import printable

    first, *others = printable(text).splitlines()
    with printer.group():
        printer.text(first)
        for line in others:
            printer.break_()
            printer.text(line)
