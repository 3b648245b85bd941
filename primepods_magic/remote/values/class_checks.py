"""Classes that are no longer as their source defines them, and functions too."""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import inspect
from abc import ABCMeta
from collections.abc import Iterator, Mapping
from types import FunctionType, MappingProxyType, MemberDescriptorType
from typing import Any, is_typeddict

from .source_checks import (
    Change,
    Definition,
    FunctionNode,
    compare_function,
    compare_value,
    find_maker,
    has_text_of,
    is_marker,
    list_codes,
    returns_argument,
)
from .source_expressions import is_fixed, resolve_name

__all__ = ["find_change"]

_IMPLICIT = frozenset(
    "__module__ __qualname__ __dict__ __weakref__ __doc__ __annotations__ __annotate__ __annotate_func__ "
    "__annotations_cache__ __firstlineno__ __static_attributes__ __orig_bases__ __parameters__ __hash__ "
    "__abstractmethods__ _abc_impl __slots__ __type_params__ __final__".split()
)
_CLASS_MAKERS = (dataclasses.dataclass, functools.total_ordering, enum.unique)
_OF_DATACLASSES = {"__dataclass_fields__", "__dataclass_params__", "__match_args__"}
_OF_PROTOCOLS = {"_is_protocol", "_is_runtime_protocol"}
_OF_TUPLES = {"_fields", "_field_defaults", "__match_args__"}
_STATIC = ("__new__", "__init_subclass__", "__class_getitem__")
_PLAIN = (ast.AnnAssign, ast.Assign, ast.AsyncFunctionDef, ast.ClassDef, ast.Expr, ast.FunctionDef, ast.Pass)
"""Statements of a body that cannot bind a name depending on something else."""
_MAKERS = ("dataclasses", "functools", "reprlib", "collections", "enum", "typing")
"""Modules whose functions a dataclass, an enum or a named tuple gets."""


def find_change(source: str, value: Any, scope: Mapping[str, Any]) -> Change | None:
    """Return what of a function or class is not as its source defines it, or may not be; None if it is.

    >>> def f(x, rate=1): ...
    >>> find_change("def f(x, rate=2): ...", f, {})
    Change(what='its default rate', is_known=True)
    """
    parts = vars(value).values() if isinstance(value, type) else [inspect.unwrap(value)]
    like = next((each.__code__ for each in parts if isinstance(each, FunctionType)), None)
    try:
        node = ast.parse(source).body[0]
        of = Definition(list_codes(source, like, scope), scope, value.__module__)
    except (SyntaxError, IndexError):
        return Change("its source", is_known=False)
    if isinstance(node, ast.ClassDef):
        return next(_compare_class(node, value, of), None)
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        return next(compare_function(node.value, value, of), None)
    if isinstance(node, FunctionNode):
        return next(compare_function(node, value, of), None)
    return Change("its source", is_known=False)


def _compare_class(node: ast.ClassDef, value: Any, of: Definition) -> Iterator[Change]:
    if not isinstance(value, type) or value.__name__ != node.name:
        yield Change("its definition")
        return
    if type(value) not in (type, ABCMeta, enum.EnumMeta) and not _is_of_typing(value):
        # A metaclass makes of a body what it wants.
        yield Change(f"what {type(value).__name__} made of it", is_known=False)
        return
    yield from _compare_bases(node, value, of)
    makers = [find_maker(each, of) for each in node.decorator_list]
    for each, maker in zip(node.decorator_list, makers, strict=True):
        is_known = is_marker(maker) or any(maker is other for other in _CLASS_MAKERS)
        if not is_known and (isinstance(each, ast.Call) or not returns_argument(maker, of)):
            yield Change(f"its decorator {ast.unparse(each)}", is_known=False)
    for statement in node.body:
        is_bare = isinstance(statement, ast.AnnAssign) and statement.value is None
        has_names = all(isinstance(each, ast.Name) for each, _ in _list_pairs(statement))
        if not (is_bare or (isinstance(statement, _PLAIN) and has_names)):
            yield Change(f"its line '{ast.unparse(statement).splitlines()[0]}'", is_known=False)
    names = [name for each in node.body for name, _ in _list_bindings(node, each)]
    values = _list_values(value)
    body = of._replace(scope=dict(of.scope))
    for statement in node.body:
        yield from _compare_statement(node, statement, names, value, body)
        # What follows sees the names that are bound so far: in 'rate = rate', the second is a global.
        bound = {name: values[name] for name, _ in _list_bindings(node, statement) if name in values}
        body = body._replace(scope={**body.scope, **bound})
    yield from _compare_annotations(node, value, body)
    yield from _list_additions(node, value, names, is_dataclass=dataclasses.dataclass in makers)


def _list_additions(
    node: ast.ClassDef, value: Any, names: list[str], *, is_dataclass: bool
) -> Iterator[Change]:
    """Yield what a class has that its body does not bind."""
    # A dataclass and others without a text are given one.
    is_plain = type(value) is type and not node.decorator_list and not _is_named_tuple(value)
    if (is_plain or ast.get_docstring(node)) and not has_text_of(node, value):
        yield Change("its docstring")
    implicit = {*_IMPLICIT, *(_OF_DATACLASSES if is_dataclass else ())}
    if _is_named_tuple(value):
        implicit |= {*_OF_TUPLES, *vars(value)["_fields"]}
    for name, each in vars(value).items():
        if name in names or (name in implicit and not isinstance(each, FunctionType)):
            continue
        if not _is_generated(name, each, value):
            yield Change(f"its attribute {name}")


def _is_named_tuple(value: Any) -> bool:
    return value.__bases__ == (tuple,) and "_field_defaults" in vars(value)


def _is_of_typing(value: Any) -> bool:
    return type(value).__module__ in ("typing", "typing_extensions")


def _list_values(value: Any) -> dict[str, Any]:
    """Return what the names of a body are in it: the values of an enum, not its members."""
    members: Mapping[str, Any] = value.__members__ if isinstance(value, enum.EnumMeta) else {}
    return {**vars(value), **{name: each._value_ for name, each in members.items()}}


def _is_generated(name: str, part: Any, value: Any) -> bool:
    """Return whether an attribute is one that the standard library gives a class."""
    if isinstance(part, MemberDescriptorType):
        return True
    function = getattr(part, "__func__", part)
    if isinstance(function, FunctionType):
        is_own = function.__qualname__ == f"{value.__qualname__}.{name}"
        is_compiled = function.__code__.co_filename == "<string>" and is_own
        return is_compiled or function.__globals__.get("__name__") in _MAKERS
    is_implicit = name.startswith("_") and name.endswith("_") and isinstance(value, enum.EnumMeta)
    return is_implicit or (_is_of_typing(value) and (name.startswith("__") or name in _OF_PROTOCOLS))


def _compare_bases(node: ast.ClassDef, value: Any, of: Definition) -> Iterator[Change]:
    for keyword in node.keywords:
        if keyword.arg == "metaclass":
            yield from compare_value("its metaclass", keyword.value, type(value), of)
        elif not is_fixed(keyword.value, of.scope, of.main):
            yield Change(f"its argument {keyword.arg}", is_known=False)
    if _is_named_tuple(value) or is_typeddict(value):
        return
    bases = vars(value).get("__orig_bases__", value.__bases__)
    if len(bases) != (len(node.bases) or 1):
        yield Change("its bases", is_known=False)
    for each, base in zip(node.bases, bases, strict=False):
        yield from compare_value(f"its base {ast.unparse(each)}", each, base, of)
    if not node.bases and bases != (object,):
        yield Change("its bases")


def _list_bindings(node: ast.ClassDef, statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield a name that a statement of a class binds, as the class has it, and its expression."""
    pairs = _list_pairs(statement)
    yield from ((_mangle(each.id, node), made) for each, made in pairs if isinstance(each, ast.Name))


def _list_pairs(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr | None]]:
    pairs: list[tuple[ast.expr, ast.expr | None]] = []
    if isinstance(statement, FunctionNode | ast.ClassDef):
        pairs = [(ast.Name(statement.name), None)]
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        pairs = [(statement.target, statement.value)]
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                pairs += zip(target.elts, statement.value.elts, strict=False)
            else:
                pairs.append((target, statement.value))
    return pairs


def _mangle(name: str, node: ast.ClassDef) -> str:
    is_private = name.startswith("__") and not name.endswith("__")
    return f"_{node.name.lstrip('_')}{name}" if is_private else name


def _compare_statement(
    node: ast.ClassDef,
    statement: ast.stmt,
    names: list[str],
    value: Any,
    of: Definition,
) -> Iterator[Change]:
    for name, made in _list_bindings(node, statement):
        found = vars(value).get(name, dataclasses.MISSING)
        if isinstance(found, property):
            parts = (found.fget, found.fset, found.fdel)
            if made is None and len([each for each in parts if each is not None]) != names.count(name):
                yield Change(f"its attribute {name}")
        elif names.count(name) > 1:
            yield Change(f"its attribute {name}", is_known=False)
        if made is not None:
            yield from _compare_attribute(name, made, found, value, of)
        elif isinstance(statement, ast.ClassDef):
            for each in _compare_class(statement, found, of):
                yield Change(f"{each.what} of {name}", each.is_known)
        elif isinstance(statement, FunctionNode):
            if name in _STATIC and not statement.decorator_list:
                found = getattr(found, "__func__", found)
            for each in compare_function(statement, found, of):
                is_code = each.what in ("its code", "the function that wraps it")
                yield Change(f"its method {name}" if is_code else f"{each.what} of {name}", each.is_known)


def _compare_attribute(name: str, made: ast.expr, found: Any, value: Any, of: Definition) -> Iterator[Change]:
    what = f"its attribute {name}"
    if isinstance(value, enum.EnumMeta) and name in value.__members__:
        member: Any = value.__members__[name]
        if any(not (each.startswith("_") and each.endswith("_")) for each in vars(member)):
            yield Change(f"its member {name}", is_known=False)
        found = member._value_
        if isinstance(made, ast.Call) and resolve_name(made.func, of.scope) is enum.auto:
            return
    elif _is_named_tuple(value) and name in value._fields:
        found = value._field_defaults.get(name, dataclasses.MISSING)
    elif name in vars(value).get("__dataclass_fields__", {}):
        field = vars(value)["__dataclass_fields__"][name]
        if found is not field.default and not isinstance(found, MemberDescriptorType):
            yield Change(what)
        found = field.default
        if isinstance(made, ast.Call) and resolve_name(made.func, of.scope) is dataclasses.field:
            for each in made.keywords:
                part = getattr(field, each.arg or "", None)
                part = dict(part) if isinstance(part, MappingProxyType) else part
                yield from compare_value(what, each.value, part, of)
            return
    if found is dataclasses.MISSING:
        yield Change(what)
    else:
        yield from compare_value(what, made, found, of)


def _compare_annotations(node: ast.ClassDef, value: Any, of: Definition) -> Iterator[Change]:
    wanted = {
        _mangle(each.target.id, node): each.annotation
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    actual = inspect.get_annotations(value)
    # A typed dict has those of its bases as well.
    for name in wanted if is_typeddict(value) else {**wanted, **actual}:
        # A named tuple makes an object of text.
        kind = getattr(actual.get(name), "__forward_arg__", actual.get(name))
        text = ast.unparse(wanted[name]) if name in wanted else ""
        if name not in wanted or name not in actual:
            yield Change(f"its annotation {name}")
        elif not (isinstance(kind, str) and text in (kind, repr(kind))):
            yield from compare_value(f"its annotation {name}", wanted[name], kind, of)
    if _is_named_tuple(value):
        defaults = value.__new__.__defaults__ or ()
        if list(map(id, defaults)) != list(map(id, value._field_defaults.values())):
            yield Change("its default")
