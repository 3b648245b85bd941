"""Functions and classes that are no longer as their source defines them.

The source of a definition is what is sent. Nothing in it that calls something runs here a second time.
"""

from __future__ import annotations

import ast
import dis
import inspect
from abc import ABCMeta
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, MemberDescriptorType
from typing import Any

from primepods_magic.remote.agent.values.codec import encode_value, pack_encoded
from primepods_magic.remote.agent.values.coding import CannotEncode

__all__ = ["describe_code", "find_change", "list_codes"]

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_CALLS = (
    ast.Call, ast.Await, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr,
    ast.Yield, ast.YieldFrom,
)  # fmt: skip


def find_change(source: str, value: Any, namespace: Mapping[str, Any]) -> str:
    """Return what of a function or class is not as its source defines it; empty if nothing is.

    >>> def f(x, rate=1): ...
    >>> find_change("def f(x, rate=2): ...", f, {})
    'its default rate'
    """
    try:
        node = ast.parse(source).body[0]
    except SyntaxError:
        return ""
    if isinstance(node, ast.ClassDef):
        return next(_list_class_changes(source, node, value, namespace), "")
    return next(_list_function_changes(node, value, namespace), "")


def describe_code(code: CodeType) -> tuple[Any, ...]:
    """Return what code does, without its lines and its file."""
    constants = [describe_code(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, constants


def list_codes(source: str) -> list[CodeType]:
    """Return the code of the functions and classes that source defines."""
    code = compile(source, "<source>", "exec", dont_inherit=True)
    return [each for each in code.co_consts if isinstance(each, CodeType)]


# Functions


def _list_function_changes(node: ast.stmt, value: Any, namespace: Mapping[str, Any]) -> Iterator[str]:
    definition = node.value if isinstance(node, ast.Assign) else node
    if not isinstance(definition, _Function | ast.Lambda):
        return
    decorators = getattr(definition, "decorator_list", [])
    depth = 0
    while hasattr(value, "__wrapped__"):
        value, depth = value.__wrapped__, depth + 1
    if depth > len(decorators):
        yield "the function that wraps it"
    if not isinstance(value, FunctionType):
        return
    args = definition.args
    names = [each.arg for each in (*args.posonlyargs, *args.args)][::-1]
    actual = dict(zip(names, (value.__defaults__ or ())[::-1], strict=False)) | (value.__kwdefaults__ or {})
    wanted = dict(zip(names, args.defaults[::-1], strict=False))
    wanted |= {arg.arg: each for arg, each in zip(args.kwonlyargs, args.kw_defaults, strict=True) if each}
    for name in {**wanted, **actual}:
        if name not in wanted or name not in actual or not _is_made(wanted[name], actual[name], namespace):
            yield f"its default {name}"
    if not decorators:
        yield from (f"its attribute {name}" for name in vars(value))


def _is_made(node: ast.expr, value: Any, namespace: Mapping[str, Any]) -> bool:
    """Return whether an expression gives a value; True if that is not known, because it calls something."""
    if any(isinstance(each, _CALLS) for each in ast.walk(node)):
        return True
    try:
        code = compile(ast.Expression(node), "<source>", "eval", dont_inherit=True)
        made = eval(code, {}, namespace)  # noqa: S307 - the user's own code, which calls nothing
    except Exception:  # noqa: BLE001 - objects of any class
        return False
    return _is_same(made, value)


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


# Classes


def _list_class_changes(
    source: str, node: ast.ClassDef, value: type, namespace: Mapping[str, Any]
) -> Iterator[str]:
    if type(value) not in (type, ABCMeta) or issubclass(value, tuple):
        # A metaclass makes of a body what it wants.
        return
    bases = vars(value).get("__orig_bases__", value.__bases__)
    for each, base in zip(node.bases, bases, strict=False):
        if isinstance(each, ast.Name | ast.Attribute) and not _is_made(each, base, namespace):
            yield f"its base {ast.unparse(each)}"
    code = next((each for each in list_codes(source) if each.co_name == node.name), None)
    if code is None:
        return
    stored = [each.argval for each in dis.get_instructions(code) if each.opname == "STORE_NAME"]
    scope = {**namespace, **vars(value)}
    for statement in node.body:
        for name, made in _list_bindings(statement):
            if stored.count(name) == 1:
                yield from _compare_attribute(node, code, name, statement, made, scope, vars(value))
    annotations = inspect.get_annotations(value)
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            kind = annotations.get(statement.target.id)
            text = ast.unparse(statement.annotation)
            if isinstance(kind, str):
                is_same = text in (kind, repr(kind))
            else:
                is_same = _is_made(statement.annotation, kind, scope)
            if not is_same:
                yield f"its annotation {statement.target.id}"
    if not node.decorator_list and not any("__init_subclass__" in vars(each) for each in value.__mro__[:-1]):
        for name, each in vars(value).items():
            if not (name.startswith("_") or name in stored or isinstance(each, MemberDescriptorType)):
                yield f"its attribute {name}"


def _list_bindings(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield a name that a statement of a class binds, and its expression; None for a method."""
    if isinstance(statement, _Function) and not statement.decorator_list:
        yield statement.name, None
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        yield from ((each.id, statement.value) for each in targets if isinstance(each, ast.Name))


def _compare_attribute(
    node: ast.ClassDef,
    code: CodeType,
    name: str,
    statement: ast.stmt,
    made: ast.expr | None,
    scope: Mapping[str, Any],
    found: Mapping[str, Any],
) -> Iterator[str]:
    value = found.get(name)
    if name not in found or isinstance(value, MemberDescriptorType):
        if not node.decorator_list:
            yield f"its attribute {name}"
    elif made is not None:
        if not _is_made(made, value, scope):
            yield f"its attribute {name}"
    else:
        value = getattr(value, "__func__", value)
        codes = [describe_code(each) for each in code.co_consts if isinstance(each, CodeType)]
        if not isinstance(value, FunctionType) or describe_code(value.__code__) not in codes:
            yield f"its method {name}"
        yield from (f"{change} of {name}" for change in _list_function_changes(statement, value, scope))
