"""Definitions of a notebook: source, with values in place of what ran there when it was defined.

A default, an annotation or an attribute of a class is not computed a second time: it is the value that the
notebook has.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import hashlib
import importlib
import itertools
import json
import linecache
import sys
from typing import Any, Callable, Dict, List, Mapping, Tuple

__all__ = ["DefinedNames", "build_value", "fill_places", "import_part", "make_digest", "parse_definition"]

Position = Tuple[int, int]
_numbers = itertools.count()


def parse_definition(text: str) -> Any:
    """Return the statement of source, which may be indented; its lines begin at 1."""
    if text[:1] not in (" ", "\t"):
        return ast.parse(text).body[0]
    block: Any = ast.increment_lineno(ast.parse(f"if 1:\n{text}"), -1).body[0]
    return block.body[0]


class _Filler(ast.NodeTransformer):
    def __init__(self, names: Mapping[Position, str]) -> None:
        self._names = names

    def visit(self, node: ast.AST) -> Any:
        place = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
        if isinstance(node, ast.expr) and place in self._names:
            return ast.copy_location(ast.Name(self._names[place], ast.Load()), node)
        return self.generic_visit(node)


def fill_places(statement: Any, names: Mapping[Position, str]) -> Any:
    """Put names in place of the expressions that begin at lines and columns."""
    return _Filler(names).visit(statement)


def import_part(module: str, part: str) -> Any:
    """Return a module, or a part such as ``Class.method``; ImportError or AttributeError if there is none."""
    value = importlib.import_module(module)
    for name in part.split(".") if part else []:
        value = getattr(value, name)
    return value


def build_value(reference: List[Any], find: Callable[[str], Any], values: Mapping[str, Any]) -> Any:
    """Return what a reference means: a value, an import, a name, or a call or tuple of such."""
    kind, rest = reference[0], reference[1:]
    if kind == "value":
        return values[rest[0]]
    if kind == "import":
        return import_part(*rest)
    if kind == "name":
        return find(rest[0])
    parts = [build_value(each, find, values) for each in rest]
    if kind == "call":
        return parts[0](*parts[1:])
    return tuple(parts) if kind == "tuple" else parts


class DefinedNames:
    """The functions and classes of notebooks that a session has, as they were defined."""

    def __init__(self) -> None:
        self._known: Dict[str, Tuple[bytes, Any, Dict[str, Any]]] = {}

    def has_same(self, name: str, value: Any, digest: bytes) -> bool:
        """Return whether a name still is what such a definition has made of it."""
        known, before, parts = self._known.get(name, (b"", None, {}))
        return known == digest and before is value and _is_same_dict(_read_parts(value), parts)

    def define(self, namespace: Dict[str, Any], facts: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Define a function or class; tracebacks show its lines. Whatever that raises is passed on."""
        name, text = facts["name"], facts["text"]
        file = f"<{name} of your notebook>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        held, places = {}, {}
        for line, column, reference in facts["places"]:
            # No name of a program, and so in the way of none.
            key = f"value {next(_numbers)}"
            places[line, column] = key
            held[key] = build_value(reference, namespace.__getitem__, values)
        tree = ast.Module([fill_places(parse_definition(text), places)], [])
        flags = 0
        for each in facts["futures"]:
            flags |= getattr(__future__, each).compiler_flag
        made: Dict[str, Any] = {}
        try:
            vars(builtins).update(held)
            exec(compile(tree, file, "exec", flags, dont_inherit=True), namespace, made)  # noqa: S102
        finally:
            # Since Python 3.14, annotations are read when someone asks for them.
            for key in held if sys.version_info < (3, 14) else ():
                vars(builtins).pop(key, None)
        # Its definition may have another name, which stays as it is.
        (namespace[name],) = made.values()

    def note(self, name: str, value: Any, digest: bytes) -> None:
        """Remember what a name was defined as."""
        self._known[name] = digest, value, _read_parts(value)


def make_digest(
    facts: Mapping[str, Any], digest_value: Callable[[Any], Any], values: Mapping[str, Any]
) -> bytes:
    """Return a digest of a definition and of all the values in it."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for label in facts["held"]:
        digest.update(digest_value(values[label]) or b"")
    return digest.digest()


def _read_parts(value: Any) -> Dict[str, Any]:
    return dict(vars(value)) if isinstance(value, type) else {}


def _is_same_dict(parts: Dict[str, Any], others: Dict[str, Any]) -> bool:
    return parts.keys() == others.keys() and all(parts[name] is others[name] for name in parts)
