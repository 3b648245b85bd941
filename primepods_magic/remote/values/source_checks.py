"""Functions that are no longer as their source defines them.

The source of a definition is what is sent. Nothing of the notebook runs here a second time: what cannot be
known without running it counts as changed.
"""

from __future__ import annotations
import __future__

import abc
import ast
import dis
import functools
import inspect
import linecache
import symtable
import typing
from collections.abc import Iterator, Mapping
from itertools import pairwise
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType, NoneType
from typing import Any, NamedTuple

from .source_expressions import UNKNOWN, is_fixed, is_made, resolve_name

__all__ = [
    "Change", "Definition", "FunctionNode", "compare_function", "compare_value", "describe_code",
    "find_maker", "has_text_of", "is_marker", "list_codes", "returns_argument", "walk_codes",
]  # fmt: skip

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_FUTURES = functools.reduce(
    int.__or__, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
_MARKERS = ("final", "no_type_check", "override", "runtime_checkable")
_MARKS = {"__final__", "__isabstractmethod__", "__no_type_check__", "__override__"}
_LOADS = ("LOAD_FAST", "LOAD_FAST_BORROW")
_CONSTANTS = (NoneType, bool, int, float, str, bytes, type, ModuleType, FunctionType, BuiltinFunctionType)
_ACCESSORS = {"setter": "fset", "deleter": "fdel"}


class Change(NamedTuple):
    """Something of a function or class that differs from its source, or may differ."""

    what: str
    is_known: bool = True


class Definition(NamedTuple):
    """The source of a function or class, and the names that it sees now."""

    codes: list[CodeType]
    scope: Mapping[str, Any]
    main: str
    """The module of the notebook."""


def describe_code(code: CodeType) -> tuple[Any, ...]:
    """Return what code does, without its lines and its file."""
    constants = [describe_code(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts]
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    arguments = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
    return code.co_code, code.co_flags & ~(_FUTURES | inspect.CO_NESTED), names, arguments, constants


def walk_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield all code that is in other code."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from walk_codes(each)


def list_codes(source: str, like: CodeType | None, scope: Mapping[str, Any]) -> list[CodeType]:
    """Return the code of all functions and classes in source, compiled with the futures of other code.

    Python compiles a call of ``numpy.sum`` in another way if the same cell imports numpy: both are there.
    """
    flags = like.co_flags & _FUTURES if like else 0
    owners = [each.value for each in ast.walk(ast.parse(source)) if isinstance(each, ast.Attribute)]
    names = {each.id for each in owners if isinstance(each, ast.Name)} & _list_imports(like, scope)
    texts = [source, f"{source}\nimport {', '.join(sorted(names))}"] if names else [source]
    return [
        code
        for text in texts
        for code in walk_codes(compile(text, "<source>", "exec", flags=flags, dont_inherit=True))
    ]


def _list_imports(like: CodeType | None, scope: Mapping[str, Any]) -> set[str]:
    """Return the names that the cell or file of code imports; those of modules if there is no such file."""
    text = "".join(linecache.getlines(like.co_filename)) if like else ""
    if not text:
        return {name for name, each in scope.items() if isinstance(each, ModuleType)}
    try:
        symbols = symtable.symtable(text, "<source>", "exec").get_symbols()
    except SyntaxError:
        return set()
    return {each.get_name() for each in symbols if each.is_imported()}


def compare_function(node: FunctionNode | ast.Lambda, value: Any, of: Definition) -> Iterator[Change]:
    """Yield what of a function, with its decorators, is not as its definition says."""
    decorators = getattr(node, "decorator_list", [])
    for decorator in decorators:
        inner = _unwrap_once(decorator, value, of)
        if inner is UNKNOWN:
            is_known = _is_layer_of_another(find_maker(decorator, of), value)
            yield Change(f"its decorator {ast.unparse(decorator)}", is_known)
            return
        value = inner
    if hasattr(value, "__wrapped__"):
        yield Change("the function that wraps it")
    elif not isinstance(value, FunctionType) or not _has_code_of(node, value, of):
        yield Change("its code")
    else:
        args = node.args
        names = [each.arg for each in (*args.posonlyargs, *args.args)][::-1]
        actual = dict(zip(names, (value.__defaults__ or ())[::-1], strict=False)) | (
            value.__kwdefaults__ or {}
        )
        wanted = dict(zip(names, args.defaults[::-1], strict=False))
        wanted |= {arg.arg: each for arg, each in zip(args.kwonlyargs, args.kw_defaults, strict=True) if each}
        for name in {**wanted, **actual}:
            if name in wanted and name in actual:
                yield from compare_value(f"its default {name}", wanted[name], actual[name], of)
            else:
                yield Change(f"its default {name}")
        if isinstance(node, FunctionNode) and not has_text_of(node, value):
            yield Change("its docstring")
        marks = _MARKS if decorators else set()
        yield from (Change(f"its attribute {name}") for name in vars(value) if name not in marks)


def has_text_of(node: FunctionNode | ast.ClassDef, value: Any) -> bool:
    """Return whether the docstring of a function or class is that of its source."""
    # Which spaces are in it depends on the version of Python.
    return inspect.cleandoc(str(value.__doc__ or "")) == inspect.cleandoc(ast.get_docstring(node) or "")


def _has_code_of(node: FunctionNode | ast.Lambda, value: FunctionType, of: Definition) -> bool:
    begin = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    place = (getattr(node, "name", "<lambda>"), begin)
    actual = describe_code(value.__code__)
    return any(
        (code.co_name, code.co_firstlineno) == place and describe_code(code) == actual for code in of.codes
    )


def compare_value(what: str, node: ast.expr, value: Any, of: Definition) -> Iterator[Change]:
    """Yield a change if a value is not what an expression gives, or may not be."""
    if isinstance(node, ast.Lambda):
        yield from (Change(what, each.is_known) for each in compare_function(node, value, of))
        return
    is_same = is_made(node, value, of.scope)
    if not is_same:
        yield Change(what, is_known=is_same is False)


# Decorators


def find_maker(decorator: ast.expr, of: Definition) -> Any:
    """Return the function of a decorator, called or not; UNKNOWN if its arguments may have changed."""
    if not isinstance(decorator, ast.Call):
        return resolve_name(decorator, of.scope)
    arguments = [*decorator.args, *(each.value for each in decorator.keywords)]
    if not all(is_fixed(each, of.scope, of.main) for each in arguments):
        return UNKNOWN
    maker = resolve_name(decorator.func, of.scope)
    return resolve_name(arguments[0], of.scope) if maker is functools.partial and arguments else maker


def is_marker(maker: Any) -> bool:
    """Return whether a decorator of the standard library returns what it is given."""
    return maker is abc.abstractmethod or any(
        maker is getattr(typing, name, None) for name in _MARKERS if maker is not None
    )


def returns_argument(maker: Any, of: Definition) -> bool:
    """Return whether a function of the notebook returns its only argument whatever happens."""
    if not isinstance(maker, FunctionType) or maker.__module__ != of.main or hasattr(maker, "__wrapped__"):
        return False
    code = maker.__code__
    if code.co_argcount != 1 or code.co_varnames[0] in code.co_cellvars:
        return False
    name = code.co_varnames[0]
    instructions = list(dis.get_instructions(code))
    if any(each.opname == "RETURN_CONST" or (each.opname == "STORE_FAST" and each.argval == name)
           for each in instructions):  # fmt: skip
        return False
    return all(
        before.opname in _LOADS and before.argval == name and not each.is_jump_target
        for before, each in pairwise(instructions)
        if each.opname == "RETURN_VALUE"
    )


def _unwrap_once(decorator: ast.expr, value: Any, of: Definition) -> Any:
    """Return what a decorator was given; UNKNOWN if it cannot be shown that it made the value."""
    if isinstance(decorator, ast.Attribute) and decorator.attr in _ACCESSORS and type(value) is property:
        return getattr(value, _ACCESSORS[decorator.attr])
    maker = find_maker(decorator, of)
    if maker is property and type(value) is property:
        return value.fget
    if maker in (staticmethod, classmethod) and type(value) is maker:
        return value.__func__
    if maker is functools.cached_property and type(value) is maker:
        return value.func
    if is_marker(maker) or (not isinstance(decorator, ast.Call) and returns_argument(maker, of)):
        return value
    inner = getattr(value, "__wrapped__", UNKNOWN)
    if inner is UNKNOWN or maker is UNKNOWN:
        return UNKNOWN
    is_layer = (
        _is_layer_of_notebook if getattr(maker, "__module__", None) == of.main else _is_layer_of_library
    )
    return inner if is_layer(maker, value) else UNKNOWN


def _is_layer_of_notebook(maker: Any, layer: Any) -> bool:
    """Return whether a function of the notebook, as it is now, made a wrapper that keeps nothing."""
    if not isinstance(maker, FunctionType) or not isinstance(layer, FunctionType):
        return False
    own = layer.__code__
    if not any(each is own for each in walk_codes(maker.__code__)):
        return False
    if vars(layer).keys() - _MARKS != {"__wrapped__"} or layer.__defaults__ or layer.__kwdefaults__:
        return False
    stored = {
        each.argval
        for code in (maker.__code__, *walk_codes(maker.__code__))
        for each in dis.get_instructions(code)
        if each.opname == "STORE_DEREF"
    }
    return all(
        isinstance(cell.cell_contents, FunctionType) if name in stored else _is_constant(cell.cell_contents)
        for name, cell in zip(own.co_freevars, layer.__closure__ or (), strict=True)
    )


def _is_constant(value: Any) -> bool:
    return (type(value) is tuple and all(map(_is_constant, value))) or isinstance(value, _CONSTANTS)


def _is_layer_of_another(maker: Any, layer: Any) -> bool:
    """Return whether a decorator makes wrappers, but did not make this one: its cell ran again since."""
    is_wrapper = isinstance(layer, FunctionType) and hasattr(layer, "__wrapped__")
    if not is_wrapper or not isinstance(maker, FunctionType):
        return False
    codes = list(walk_codes(maker.__code__))
    return bool(codes) and not any(each is layer.__code__ for each in codes)


def _is_layer_of_library(maker: Any, layer: Any) -> bool:
    """Return whether a wrapper is of the package of its decorator, with its attributes alone."""
    is_function = isinstance(layer, FunctionType)
    origin = layer.__globals__.get("__name__") if is_function else type(layer).__module__
    if is_function or origin == "functools":
        for name, each in vars(layer).items():
            is_own = isinstance(each, FunctionType) and each.__globals__.get("__name__") == origin
            if not (is_own or each is layer.__wrapped__ or name.startswith("__")):
                return False
    return _find_package(origin) == _find_package(getattr(maker, "__module__", None)) != ""


def _find_package(module: Any) -> str:
    # The functions of jax are objects of jaxlib.
    return module.partition(".")[0].removesuffix("lib") if isinstance(module, str) else ""
