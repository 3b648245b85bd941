"""The check that a definition makes the same function or class.

It is made here, of its source and the values that the object holds: no code of the notebook runs. Then all of
both is compared, except for the caches of Python.
"""

from __future__ import annotations

import ast
import gc
import inspect
from types import CellType, CodeType, FunctionType
from typing import Any

from primepods_magic.remote.agent.values.definitions import fill_places, parse_definition

from .source_cells import describe_code
from .source_places import CONSTANTS, Draft, Mismatch

__all__ = ["check_definition", "fill_draft"]

_PARTS: dict[type, tuple[str, ...]] = {
    property: ("fget", "fset", "fdel", "__doc__"),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    FunctionType: (
        "__code__", "__defaults__", "__kwdefaults__", "__annotations__", "__dict__",
        "__closure__", "__doc__",
    ),
    CellType: ("cell_contents",),
}  # fmt: skip
_CACHES = {"__firstlineno__", "__annotations_cache__", "_abc_impl"}


def fill_draft(draft: Draft) -> Any:
    """Return a definition with a name in each place of a value."""
    names = {(each.line, each.column): f"value {number}" for number, each in enumerate(draft.places)}
    # Not a copy of its node: libraries that show tracebacks tie the nodes of all code together.
    return fill_places(parse_definition(draft.found.text), names)


def check_definition(draft: Draft, value: Any, name: str) -> None:
    """Raise Mismatch if a definition, with its values, does not make the same."""
    space = {**draft.scope, "__name__": draft.main}
    space.update((f"value {number}", each.value) for number, each in enumerate(draft.places))
    made: dict[str, Any] = {}
    try:
        code = compile(
            ast.Module([fill_draft(draft)], []), "<source>", "exec", draft.flags, dont_inherit=True
        )
        exec(code, space, made)  # noqa: S102 - what a class of the standard library does with values
    except Exception as error:  # noqa: BLE001 - whatever these raise
        raise Mismatch(f"its definition raises {type(error).__name__}: {error}") from None
    try:
        _Comparison(draft).compare(value, next(iter(made.values())), name)
    finally:
        made.clear()
        space.clear()
        if isinstance(value, type):
            # Its bases are to forget the class that was made here.
            gc.collect(1)


class _Comparison:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._pairs: dict[int, tuple[Any, Any]] = {}

    def compare(self, value: Any, other: Any, label: str) -> None:
        if value is other or self._is_pair(value, other):
            return
        kind = type(value)
        is_kind = kind is type(other) and kind.__module__ != self._draft.main
        if not (is_kind or self._is_pair(kind, type(other))):
            raise Mismatch(f"{label} is not as its cell defines it")
        self._pairs[id(value)] = value, other
        if kind is CodeType:
            is_same = self._is_same_code(value, other)
        elif kind in CONSTANTS:
            # Which spaces are in a docstring depends on the version of Python.
            is_text = label.endswith(".__doc__") and kind is str
            is_same = (
                inspect.cleandoc(value) == inspect.cleandoc(other) if is_text else repr(value) == repr(other)
            )
        elif kind in (set, frozenset):
            is_same = value == other
        elif issubclass(kind, dict):
            is_same = list(value) == list(other)
            for name in value if is_same else ():
                self.compare(value[name], other[name], f"{label}.{name}")
        elif kind in (tuple, list):
            is_same = len(value) == len(other)
            for number, pair in enumerate(zip(value, other, strict=False)):
                self.compare(*pair, f"{label}[{number}]")
        elif issubclass(kind, type):
            is_same = _read_name(value) == _read_name(other) and value.__bases__ == other.__bases__
            self.compare(_read_class(value), _read_class(other), label)
        else:
            is_same = kind is not FunctionType or _read_name(value) == _read_name(other)
            for name in (*_PARTS.get(kind, ()), *_list_slots(kind)):
                self.compare(getattr(value, name, None), getattr(other, name, None), f"{label}.{name}")
            if kind not in _PARTS and hasattr(value, "__dict__"):
                self.compare(vars(value), vars(other), label)
        if not is_same:
            raise Mismatch(f"{label} is not as its cell defines it")

    def _is_pair(self, value: Any, other: Any) -> bool:
        return id(value) in self._pairs and self._pairs[id(value)][1] is other

    def _is_same_code(self, code: CodeType, other: CodeType) -> bool:
        begin, found = other.co_firstlineno, self._draft.found
        if code.co_filename == self._draft.file and code.co_firstlineno != begin + found.line:
            return False
        if describe_code(code) == describe_code(other):
            return True
        same = [each for line, each in found.codes if (line, each.co_name) == (begin, other.co_name)]
        # Of several lambdas in a line, it is the one that was made here.
        is_one = other.co_name != "<lambda>" or len(same) == 1
        return is_one and any(describe_code(each) == describe_code(code) for each in same)


def _read_name(value: Any) -> tuple[str, str]:
    return value.__name__, value.__qualname__.rpartition("<locals>.")[2]


def _read_class(value: type) -> dict[str, Any]:
    parts = {name: each for name, each in vars(value).items() if name not in _CACHES}
    if not parts.get("__annotations__", True):
        # Python adds them when someone asks.
        del parts["__annotations__"]
    return parts


def _list_slots(kind: type) -> list[str]:
    slots = [vars(each).get("__slots__", ()) for each in kind.__mro__] if kind not in _PARTS else []
    return [
        name for each in slots for name in ([each] if isinstance(each, str) else each) if name[:2] != "__"
    ]
