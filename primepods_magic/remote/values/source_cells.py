"""The cells in which the definition of a function or class may be, and their code."""

from __future__ import annotations
import __future__

import ast
import functools
import inspect
import linecache
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from primepods_magic.remote.agent.values.definitions import parse_definition

__all__ = [
    "FUTURES",
    "Found",
    "describe_code",
    "find_function",
    "list_definitions",
    "list_functions",
    "list_history",
    "walk_codes",
]

FUTURES = functools.reduce(
    int.__or__, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
"""The flags that a cell gives to its code with ``from __future__ import``."""
_LAYERS = {
    FunctionType: "__wrapped__", functools._lru_cache_wrapper: "__wrapped__", property: "fget",
    functools.cached_property: "func", staticmethod: "__func__", classmethod: "__func__",
}  # fmt: skip
_MAX_LAYERS = 50
_RUN_CELL = "get_ipython().run_cell_magic("
_MAGICS_THAT_RUN_HERE = ("capture", "prun", "time")


class Found(NamedTuple):
    """A definition in a cell."""

    text: str
    node: Any
    codes: list[tuple[int, CodeType]]
    """All code of the cell, and the line of the text at which it begins."""
    line: int
    """The line of the cell before the text."""


def describe_code(code: CodeType) -> tuple[Any, ...]:
    """Return what code does, without its lines and its file."""
    constants = tuple(
        describe_code(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts
    )
    names = code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    arguments = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
    handlers = getattr(code, "co_exceptiontable", b"")
    return code.co_code, handlers, code.co_flags & ~(FUTURES | inspect.CO_NESTED), names, arguments, constants


def walk_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield all code that is in other code."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from walk_codes(each)


def find_function(value: Any) -> FunctionType | None:
    """Return the function in a method, property or other layer of the standard library."""
    for _ in range(_MAX_LAYERS):
        kind = type(value)
        if kind is FunctionType and type(vars(value).get("__wrapped__")) not in _LAYERS:
            return value  # type: ignore[no-any-return]
        if kind not in _LAYERS:
            return None
        value = getattr(value, _LAYERS[kind])
    return None


def list_functions(value: Any, main: str) -> list[FunctionType]:
    """Return a function, or those of the methods of a class, of the cells of a notebook."""
    parts = vars(value).values() if issubclass(type(value), type) else [value]
    found = [function for each in parts if (function := find_function(each))]
    return [each for each in found if each.__module__ == main and each.__code__.co_filename != "<string>"]


def list_history(main: str) -> Iterator[str]:
    """Yield the cells of a notebook that ran here, the last one first."""
    history = vars(sys.modules[main]).get("In") if main in sys.modules else None
    for cell in reversed(history if isinstance(history, list) else []):
        yield _strip_magic(str(cell))
    # What is in no file, in the order in which it was new.
    for entry in reversed(list(linecache.cache.values())):
        if len(entry) == 4 and entry[1] is None:
            yield "".join(entry[2])


def _strip_magic(cell: str) -> str:
    """Return the body of a cell magic that runs it here; any other cell as it is."""
    if not cell.startswith(_RUN_CELL):
        return cell
    try:
        words = ast.literal_eval(cell.strip().removeprefix(_RUN_CELL[:-1]))
    except (SyntaxError, ValueError):
        return ""
    return str(words[-1]) if words[0] in _MAGICS_THAT_RUN_HERE else ""


def list_definitions(cell: str, name: str, alias: str, flags: int) -> Iterator[Found]:
    """Yield each definition of a name in a cell, the last one first; a lambda has the name of its alias."""
    try:
        tree = ast.parse(cell)
    except (SyntaxError, ValueError):
        return
    nodes = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        and getattr(node, "name", "<lambda>") == name
    ]
    codes = list(_list_codes(tree, flags)) if nodes else []
    lines = cell.split("\n")
    for node in reversed(nodes):
        begin = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        if isinstance(node, ast.Lambda):
            segment = ast.get_source_segment(cell, node) or ""
            text = f"{alias} = ({segment})\n" if "\n" in segment else f"{alias} = {segment}\n"
        else:
            text = "\n".join(lines[begin - 1 : node.end_lineno]).rstrip("\n") + "\n"
        try:
            statement = parse_definition(text)
        except (SyntaxError, ValueError):
            continue
        numbered = [(code.co_firstlineno - begin + 1, code) for code in codes]
        yield Found(text, statement, numbered, begin - 1)


def _list_codes(tree: ast.Module, flags: int) -> Iterator[CodeType]:
    # Python compiles a call of ``numpy.sum`` in another way if the same unit imports numpy, and a notebook
    # compiles each statement on its own.
    alone = [ast.Module([each], []) for each in tree.body]
    for unit in [tree, *alone]:
        try:
            code = compile(
                unit, "<source>", "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
            )
        except (SyntaxError, ValueError):
            continue
        yield from walk_codes(code)
