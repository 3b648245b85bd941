"""Functions and classes of a notebook as source, with everything that they need.

Code objects differ from one version of Python to the next; source is the same. It is run on the pod alone.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import linecache
import sys
import sysconfig
import textwrap
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize, shorten

from .class_checks import find_change
from .remote_value import SHELL_NAMES
from .source_checks import describe_code, list_codes

__all__ = ["Needed", "find_needed", "is_code"]

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_CELL_MAGIC = "get_ipython().run_cell_magic("
_MAX_NEEDED = 500


@dataclass
class Needed:
    """Everything that values need on the other side, in the order in which it is defined there.

    Attributes
    ----------
    wanted : dict
        Values that were asked for, by name.
    values : dict
        Values to send as data.
    imports : list
        Name, module, and the name in the module or ``""``.
    code : list
        Name and source.
    """

    wanted: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    imports: list[tuple[str, str, str]] = field(default_factory=list)
    code: list[tuple[str, str]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    """For each name that was not asked for, what needs it."""
    _done: set[str] = field(default_factory=set)


def is_code(value: object) -> bool:
    """Return whether a value is a function, a class or a module, and so crosses as source or by its name."""
    return (
        isinstance(value, (type, FunctionType, ModuleType)) or inspect.isroutine(value) or _is_wrapper(value)
    )


def _is_wrapper(value: object) -> bool:
    return callable(value) and isinstance(getattr(value, "__wrapped__", None), FunctionType)


def find_needed(wanted: Mapping[str, Any], *, main: str = "__main__") -> Needed:
    """Return what the values need; raise InvalidRequest if a function or class cannot be sent.

    Parameters
    ----------
    wanted : mapping
        Values by name.
    main : str
        The module of the notebook.
    """
    needed = Needed(wanted=dict(wanted))
    for name, value in wanted.items():
        _add_needed(needed, name, value, main)
    return needed


def _add_needed(needed: Needed, name: str, value: Any, main: str) -> None:
    if name in needed._done:
        return
    needed._done.add(name)
    if len(needed._done) > _MAX_NEEDED:
        raise InvalidRequest(f"They need more than {_MAX_NEEDED} names. Nothing was sent")
    if not is_code(value):
        needed.values[name] = value
        return
    if isinstance(value, ModuleType):
        _check_module(name, value.__name__)
        needed.imports.append((name, value.__name__, ""))
        return
    module = getattr(value, "__module__", None)
    own = inspect.unwrap(value) if _is_wrapper(value) else value
    if getattr(own, "__module__", None) != main:
        part = str(getattr(value, "__qualname__", ""))
        if module is None or not part or getattr(sys.modules.get(module), part, None) is not value:
            raise _refuse(name, f"is a {type(value).__name__} that is not of this notebook")
        _check_module(name, module)
        needed.imports.append((name, module, part))
        return
    own_globals = vars(sys.modules[main]) if main in sys.modules else {}
    namespace = ChainMap(needed.wanted, getattr(own, "__globals__", own_globals))
    if name != own.__name__ and namespace.get(own.__name__) is value:
        # One object with two names. Its code may use the other one.
        _add_reason(needed, own.__name__, name)
        _add_needed(needed, own.__name__, value, main)
        needed.code.append((name, f"{name} = {own.__name__}\n"))
        return
    source = _find_source(name, value, main, namespace)
    for need in _list_names(source):
        if need != name and need in namespace and not _is_of_shell(need, namespace[need]):
            _add_reason(needed, need, name)
            _add_needed(needed, need, namespace[need], main)
    needed.code.append((name, source))


def _add_reason(needed: Needed, need: str, name: str) -> None:
    if need not in needed._done:
        needed.reasons[need] = name


def _is_of_shell(name: str, value: Any) -> bool:
    is_internal = name.startswith("__") or (name.startswith("_") and name[1:].lstrip("_i").isdigit())
    return (
        name in SHELL_NAMES or is_internal or (hasattr(builtins, name) and getattr(builtins, name) is value)
    )


def _refuse(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"'{sanitize(name)}' {reason}. Nothing was sent")


def _check_module(name: str, module: str) -> None:
    """Refuse a module of the project: its file must be there first."""
    file = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None)
    if file is None or module.partition(".")[0] in sys.stdlib_module_names:
        return
    paths = sysconfig.get_paths()
    roots = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    if not any(file.startswith(root) for root in roots) and "-packages" not in file:
        raise _refuse(
            name,
            f"is of '{module}', a module of your project: send its file with '%pods put' or '%pods sync', "
            "and import it on the pod",
        )


# Source


def _find_source(name: str, wrapper: Any, main: str, namespace: Mapping[str, Any]) -> str:
    """Return the source of a definition, which may have another name in it; refuse if it is not known."""
    value = inspect.unwrap(wrapper) if _is_wrapper(wrapper) else wrapper
    if isinstance(value, FunctionType):
        if value.__code__.co_freevars:
            names = ", ".join(value.__code__.co_freevars)
            raise _refuse(
                name, f"is a function that was made in another one, and uses its {names}. Make it on the pod"
            )
        source = _read_source(value) or _find_function(value, main)
        if source is None:
            raise _refuse(name, "is a function whose source is not known")
        if value.__name__ == "<lambda>":
            source = _cut_lambda(name, source)
        return _choose_unchanged(name, [source], wrapper, namespace)
    if value.__qualname__ != value.__name__:
        raise _refuse(name, "is a class that was made in a function. Make it on the pod")
    return _choose_unchanged(name, _list_class_sources(value, main), value, namespace)


def _choose_unchanged(name: str, sources: Iterable[str], value: Any, namespace: Mapping[str, Any]) -> str:
    reason = "is a class whose source is not known"
    for number, source in enumerate(sources):
        change = find_change(source, value, namespace)
        if not change:
            return source
        if number == 0:
            what = sanitize(shorten(change.what, 80))
            reason = (
                f"is not as its cell defines it: {what} differs. Run its cell again, or change it on the pod"
                if change.is_known
                else f"may have changed since its cell ran: {what} cannot be checked without running it. "
                "Write a literal there, pass it as an argument, or run the cell on the pod"
            )
    raise _refuse(name, reason)


def _read_source(value: Any) -> str | None:
    try:
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        return None


def _cut_lambda(name: str, source: str) -> str:
    try:
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Lambda)]
    except SyntaxError:
        nodes = []
    text = ast.get_source_segment(source, nodes[0]) if len(nodes) == 1 else None
    if text is None:
        raise _refuse(name, "is a lambda whose source cannot be told from what is around it. Use def")
    return f"{name} = {text}\n"


def _list_class_sources(value: type, main: str) -> Iterator[str]:
    """Yield what may be the source of a class, the likeliest first: the cell of one of its methods."""
    functions = [each for each in vars(value).values() if isinstance(each, FunctionType)]
    files = sorted({each.__code__.co_filename for each in functions})
    line = getattr(value, "__firstlineno__", None)
    for cell in [*("".join(linecache.getlines(file)) for file in files), *_list_cells(main)]:
        found = list(_list_definitions(cell, value.__name__, ast.ClassDef))
        yield from (source for begin, source in found if begin == line)
        yield from (source for begin, source in reversed(found) if begin != line)
    source = _read_source(value)
    if source is not None:
        yield source


def _list_cells(main: str) -> Iterator[str]:
    """Yield the cells of a notebook that ran, the last one first."""
    history = vars(sys.modules[main]).get("In") if main in sys.modules else None
    for cell in reversed(history if isinstance(history, list) else []):
        yield _strip_magic(str(cell))
    # What is in no file, in the order in which it was new.
    for entry in reversed(list(linecache.cache.values())):
        if len(entry) == 4 and entry[1] is None:
            yield "".join(entry[2])


def _strip_magic(cell: str) -> str:
    """Return the body of a cell magic, as IPython writes it, and any other cell as it is."""
    if not cell.startswith(_CELL_MAGIC):
        return cell
    try:
        words = ast.literal_eval(cell.strip().removeprefix(_CELL_MAGIC[:-1]))
    except (SyntaxError, ValueError):
        return ""
    return words[-1] if isinstance(words, tuple) and isinstance(words[-1], str) else ""


def _find_function(value: FunctionType, main: str) -> str | None:
    """Return the source of a function that a magic such as ``%%time`` ran: that of the same code."""
    for cell in _list_cells(main):
        for _, source in _list_definitions(cell, value.__name__, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(
                code.co_name == value.__name__ and describe_code(code) == describe_code(value.__code__)
                for code in list_codes(source, value.__code__, value.__globals__)
            ):
                return source
    return None


def _list_definitions(cell: str, name: str, kind: Any) -> Iterator[tuple[int, str]]:
    """Yield the first line and the source of each definition of a name in a cell."""
    if name not in cell:
        return
    try:
        tree = ast.parse(cell)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, kind) and node.name == name:
            begin = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            lines = cell.splitlines(keepends=True)[begin - 1 : node.end_lineno]
            yield begin, textwrap.dedent("".join(lines))


# Names


def _list_names(source: str) -> list[str]:
    """Return the global names that source uses when it is defined or called, in order."""
    try:
        code = compile(source, "<source>", "exec", dont_inherit=True)
    except SyntaxError:
        return []
    return list(dict.fromkeys(_walk_names(code)))


def _walk_names(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in _LOADS and isinstance(instruction.argval, str):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _walk_names(constant)
