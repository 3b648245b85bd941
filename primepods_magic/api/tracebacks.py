"""Short tracebacks: a PodsError ends at the call that the user wrote, without the frames below it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from primepods_magic.api.errors import PodsError, is_debugging

__all__ = ["drop_frames", "shorten_tracebacks"]

C = TypeVar("C", bound=Callable[..., Any])


def drop_frames(error: BaseException) -> BaseException:
    """Return an error without its frames and its causes, to be raised again at the edge of the package."""
    error.__cause__ = error.__context__ = None
    # Assigning the cause suppresses also the context that raising it again gives.
    error.__suppress_context__ = False
    return error.with_traceback(None)


def shorten_tracebacks(public: C) -> C:
    """Decorate a public function, or a class for all its public methods, so that PodsErrors are short.

    A traceback then shows the caller's frames and one of this package. Other errors keep all their frames,
    and so do PodsErrors if ``PRIMEPODS_DEBUG`` is set.
    """
    if inspect.isclass(public):
        for name, member in list(vars(public).items()):
            if inspect.isfunction(member) and (name == "__init__" or not name.startswith("_")):
                setattr(public, name, shorten_tracebacks(member))
        return public
    return cast(C, _wrap_async(public) if inspect.iscoroutinefunction(public) else _wrap_call(public))


# Raised outside the handler, an error gets the context that its caller is handling. Arguments may be secrets.
def _wrap_call(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except PodsError as error:
            if is_debugging():
                raise
            failure = drop_frames(error)
        args, named = (), {}
        raise failure

    return call


def _wrap_async(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **named: Any) -> Any:
        try:
            return await function(*args, **named)
        except PodsError as error:
            if is_debugging():
                raise
            failure = drop_frames(error)
        args, named = (), {}
        raise failure

    return call
