"""What an expression of a source gives here, without running anything of the notebook."""

from __future__ import annotations

import ast
import builtins
import collections
import datetime
import decimal
import fractions
import logging
import pathlib
import re
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from primepods_magic.remote.agent.values.codec import encode_value, pack_encoded
from primepods_magic.remote.agent.values.coding import CannotEncode

__all__ = ["UNKNOWN", "is_fixed", "is_made", "resolve_name"]

UNKNOWN = object()
"""The object of a name that is not known."""
_RUNS = (ast.Await, ast.Lambda, ast.NamedExpr, ast.Yield, ast.YieldFrom)
_PURE = (
    bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, range, set, slice, str, tuple,
    abs, len, max, min, pow, reversed, round, sorted, sum, zip, collections.Counter, collections.OrderedDict,
    collections.defaultdict, collections.deque, datetime.date, datetime.datetime, datetime.timedelta,
    decimal.Decimal, fractions.Fraction, pathlib.Path, pathlib.PurePosixPath, re.compile,
    logging.getLogger,
)  # fmt: skip
_PURE_NAMES = {
    "numpy": ("arange", "array", "dtype", "float32", "float64", "full", "int64", "linspace", "ones", "zeros"),
    "torch": ("device", "tensor"),
}
"""Of packages that may not be installed here."""


def resolve_name(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    """Return the object of a dotted name of modules and classes; UNKNOWN if it is anything else."""
    if isinstance(node, ast.Name):
        return scope.get(node.id, getattr(builtins, node.id, UNKNOWN))
    if isinstance(node, ast.Attribute):
        owner = resolve_name(node.value, scope)
        if isinstance(owner, ModuleType | type):
            return getattr(owner, node.attr, UNKNOWN)
    return UNKNOWN


def is_fixed(node: ast.expr, scope: Mapping[str, Any], main: str) -> bool:
    """Return whether an expression has literals and the names of libraries alone, and so cannot change."""
    if not _is_pure(node, scope):
        return False
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            value = resolve_name(each, scope)
            is_named = isinstance(value, ModuleType | type | FunctionType | BuiltinFunctionType)
            if not is_named or getattr(value, "__module__", None) == main:
                return False
    return True


def is_made(node: ast.expr, value: Any, scope: Mapping[str, Any]) -> bool | None:
    """Return whether an expression gives a value; None if that cannot be known without running it.

    >>> call = ast.parse("float('0.1')", mode="eval").body
    >>> is_made(call, 0.1, {}), is_made(call, 0.5, {}), is_made(ast.parse("f()", mode="eval").body, 1, {})
    (True, False, None)
    """
    if not _is_pure(node, scope):
        return None
    try:
        code = compile(ast.Expression(node), "<source>", "eval", dont_inherit=True)
        made = eval(code, dict(scope))  # noqa: S307 - the user's own code, which calls what is pure alone
    except Exception:  # noqa: BLE001 - objects of any class
        return None
    return _is_same(made, value)


def _is_pure(node: ast.expr, scope: Mapping[str, Any]) -> bool:
    for each in ast.walk(node):
        if isinstance(each, _RUNS):
            return False
        if isinstance(each, ast.Call) and not _is_pure_function(resolve_name(each.func, scope)):
            return False
    return True


def _is_pure_function(function: Any) -> bool:
    if any(function is each for each in _PURE):
        return True
    name = getattr(function, "__name__", None)
    module = getattr(function, "__module__", None)
    return isinstance(module, str) and name in _PURE_NAMES.get(module, ())


def _is_same(value: Any, other: Any) -> bool:
    if value is other or type(value) is not type(other):
        return value is other
    try:
        return pack_encoded([encode_value(value, "")]) == pack_encoded([encode_value(other, "")])
    except CannotEncode:
        pass
    try:
        return bool(value == other)
    except Exception:  # noqa: BLE001 - objects of any class
        return False
