"""References that stand for values in a definition: data, imports, names of the notebook, calls of these."""

from __future__ import annotations

import dataclasses
import enum
import functools
import operator
import sys
import sysconfig
from collections.abc import Mapping
from types import FunctionType, ModuleType, NoneType, UnionType
from typing import Any, ForwardRef

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize, shorten

from .source_cells import find_function

__all__ = ["References", "import_value", "is_alias", "is_code", "is_own", "refuse_source"]

_OF_TYPING = ("typing", "typing_extensions", "types", "collections.abc")
"""Modules whose objects stand in annotations; they say themselves how they are made."""


def is_code(value: object, main: str) -> bool:
    """Return whether a value is a function, a class or a module, and so crosses as source or by its name."""
    kind = type(value)
    if issubclass(kind, (type, ModuleType)) or kind in (FunctionType, functools._lru_cache_wrapper):
        return True
    # An object of the notebook may run code when it is asked for an attribute.
    is_of_library = kind.__module__ != main and getattr(value, "__module__", main) != main
    return is_of_library and _find_part(value) != ""


def is_alias(value: object) -> bool:
    """Return whether a value is one of those that stand in annotations, such as ``list[int]``."""
    return type(value).__module__ in _OF_TYPING and not issubclass(type(value), ModuleType)


def is_own(value: Any, main: str) -> bool:
    """Return whether a function or class is one of the notebook."""
    return getattr(find_function(value) or value, "__module__", None) == main


def _find_part(value: Any) -> str:
    """Return the name by which the module of a value has it; empty if it has not."""
    for name in ("__qualname__", "_name", "__name__"):
        part, module = getattr(value, name, None), sys.modules.get(str(getattr(value, "__module__", None)))
        if module is not None and isinstance(part, str) and part:
            try:
                return part if operator.attrgetter(part)(module) is value else ""
            except AttributeError:
                continue
    return ""


def import_value(name: str, value: Any) -> tuple[str, str]:
    """Return the module of a value and its name there; InvalidRequest if it cannot be imported on the pod."""
    is_module = issubclass(type(value), ModuleType)
    module, part = (value.__name__, "") if is_module else (str(value.__module__), _find_part(value))
    if not is_module and not part:
        raise _refuse(name, f"is a {type(value).__name__} that is not of this notebook")
    file = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None)
    if file is not None and module.partition(".")[0] not in sys.stdlib_module_names:
        paths = sysconfig.get_paths()
        roots = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
        if not any(file.startswith(root) for root in roots) and "-packages" not in file:
            raise _refuse(
                name,
                f"is of '{module}', a module of your project: send its file with '%pods put' or "
                "'%pods sync', and import it on the pod",
            )
    return module, part


def _refuse(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"'{sanitize(name)}' {reason}. Nothing was sent")


def refuse_source(name: str, reason: str) -> InvalidRequest:
    """Return the error of a function or class whose source does not make it."""
    return _refuse(
        name,
        f"cannot be sent: {sanitize(shorten(reason, 200))}. Run the cell that defines it on the pod, with "
        "'%%pod NAME'",
    )


class References:
    """The values that a definition holds.

    Attributes
    ----------
    held : list of str
        Labels of data.
    names : list of str
        Functions and classes of the notebook that must be there first.
    """

    def __init__(self, data: dict[str, Any], owner: str, namespace: Mapping[str, Any], main: str) -> None:
        self.held: list[str] = []
        self.names: list[str] = []
        self._data = data
        self._owner = owner
        self._namespace = namespace
        self._main = main

    def refer(self, value: Any, label: str, *, is_argument: bool = False) -> list[Any]:
        """Return what stands for a value; InvalidRequest if it is a function or class without a name."""
        kind = type(value)
        if value is NoneType:
            return ["call", ["import", "builtins", "type"], self._hold(None, label)]
        if is_code(value, self._main):
            return (
                self._name(value, label)
                if is_own(value, self._main)
                else ["import", *import_value(label, value)]
            )
        if value is getattr(dataclasses, "KW_ONLY", self):
            return ["import", "dataclasses", "KW_ONLY"]
        if issubclass(kind, enum.Enum):
            member = self._hold(value._name_, f"{label} (name)")
            return ["call", ["import", "builtins", "getattr"], self.refer(kind, label), member]
        if kind is ForwardRef:
            return self._hold(value.__forward_arg__, label)
        if kind is UnionType:
            parts = [self.refer(each, label) for each in value.__args__]
            return functools.reduce(lambda one, two: ["call", ["import", "operator", "or_"], one, two], parts)
        reduced = (dataclasses.InitVar, (value.type,)) if kind is dataclasses.InitVar else ()
        if kind.__module__ in _OF_TYPING:
            reduced = value.__reduce__()
        if isinstance(reduced, tuple) and len(reduced) == 2:
            return [
                "call",
                *(self.refer(each, label, is_argument=True) for each in (reduced[0], *reduced[1])),
            ]
        if (kind is tuple and any(map(self._is_reference, value))) or (kind is list and is_argument):
            return [kind.__name__, *(self.refer(each, label, is_argument=is_argument) for each in value)]
        return self._hold(value, label)

    def _is_reference(self, value: Any) -> bool:
        kind = type(value)
        return (
            is_code(value, self._main)
            or kind.__module__ in _OF_TYPING
            or (kind is tuple and any(map(self._is_reference, value)))
        )

    def _name(self, value: Any, label: str) -> list[Any]:
        own_name = (find_function(value) or value).__name__
        names = [own_name, *self._namespace]
        name = next(
            (each for each in names if each != self._owner and self._namespace.get(each) is value), None
        )
        if name is None:
            raise refuse_source(self._owner, f"{label} is a {own_name} that the notebook has no more")
        self.names.append(name)
        return ["name", name]

    def _hold(self, value: Any, label: str) -> list[Any]:
        # The same object, in whatever definitions, is one object there.
        key = next((key for key, each in self._data.items() if each is value), label)
        while key in self._data and self._data[key] is not value:
            key += "'"
        self._data[key] = value
        self.held.append(key)
        return ["value", key]
