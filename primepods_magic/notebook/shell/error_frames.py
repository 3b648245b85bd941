"""Errors of magics: their frames hold no values."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from traceback import clear_frames
from typing import Any

from .interrupts import load_modules

__all__ = ["without_values"]


def without_values(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a magic so that the frames of its errors hold no values: verbose tracebacks would show secrets.

    Our own errors and Ctrl-C lose their frames. Other errors keep the lines, without the variables.
    """

    @wraps(magic)
    def call(self: Any, *args: Any, **named: Any) -> Any:
        load_modules("primepods_magic.api.tracebacks")
        from primepods_magic.api.errors import PodsError, is_debugging
        from primepods_magic.api.tracebacks import drop_frames

        handled = sys.exc_info()[1]
        try:
            return magic(self, *args, **named)
        except BaseException as error:  # noqa: BLE001 - it is raised below
            if isinstance(error, (PodsError, KeyboardInterrupt)) and not is_debugging():
                drop_frames(error)
            else:
                _clear_frames(error, handled)
            failure = error
        args, named = (), {}
        raise failure

    return call


def _clear_frames(error: BaseException, handled: BaseException | None) -> None:
    """Clear the variables in the frames of an error and its causes, but not of one already being handled."""
    seen = {id(handled)}
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            clear_frames(each.__traceback__)
            waiting += [each.__cause__, each.__context__]
