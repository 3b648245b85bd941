"""The values that a function or class holds, and the places of its definition that computed them.

What is left of a definition runs nothing of the notebook. It makes functions and classes, with decorators and
metaclasses of the standard library alone; anything else is a mismatch.
"""

from __future__ import annotations
import __future__

import abc
import ast
import builtins
import contextlib
import dataclasses
import enum
import functools
import sys
import typing
from collections.abc import Mapping
from types import MemberDescriptorType, ModuleType
from typing import Any, NamedTuple

from .source_cells import Found, find_function

__all__ = ["CONSTANTS", "Draft", "Mismatch", "Place", "collect_definition"]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_UNKNOWN = object()
CONSTANTS = (bool, int, float, complex, str, bytes, type(None), type(...))
_DECORATORS = (
    property, staticmethod, classmethod, functools.cached_property, functools.lru_cache, functools.cache,
    functools.total_ordering, contextlib.contextmanager, contextlib.asynccontextmanager,
    dataclasses.dataclass, abc.abstractmethod, enum.unique, typing.final, typing.no_type_check,
    typing.runtime_checkable, getattr(typing, "override", property),
)  # fmt: skip
"""Those that do nothing but to make something of what they are given."""
_ACCESSORS = {"getter": "fget", "setter": "fset", "deleter": "fdel"}
_METACLASSES = (type, abc.ABCMeta, enum.EnumMeta)
_MAKES_MEMBERS = ("__new__", "__init__", "__new_member__", "_new_member_")
_HAS_ANNOTATIONS = sys.version_info < (3, 14)
"""Whether annotations are values; later they are code."""


class Mismatch(Exception):
    """Why a definition is not that of an object, or cannot run on the pod alone."""


class Place(NamedTuple):
    """A part of a definition that a value takes the place of."""

    line: int
    column: int
    label: str
    value: Any
    is_written: bool
    """Whether the source has the value itself there, as a literal."""
    is_likely: bool
    """Whether what the source has there is the value, as names are now."""


@dataclasses.dataclass
class Draft:
    """A definition that may be that of an object; `scope` has the names that it sees, `flags` its futures."""

    found: Found
    scope: Mapping[str, Any]
    main: str
    flags: int
    file: str = ""
    places: list[Place] = dataclasses.field(default_factory=list)
    texts: list[str] = dataclasses.field(default_factory=list)
    """Annotations that are text, of classes."""

    def hold(self, node: ast.expr, label: str, value: Any) -> None:
        """Put a value in place of an expression."""
        if type(value).__module__ == self.main and not issubclass(type(value), enum.Enum):
            raise Mismatch(f"{label} is an object of {type(value).__name__}, a class of the notebook")
        written = node.value if isinstance(node, ast.Constant) else _UNKNOWN
        is_written = type(value) is type(written) in CONSTANTS and repr(value) == repr(written)
        is_likely = is_written or (isinstance(node, ast.Name) and _find_maker(self, node) is value)
        self.places.append(Place(node.lineno, node.col_offset, label, value, is_written, is_likely))

    def hold_annotations(
        self, nodes: Mapping[str, ast.expr], values: Mapping[str, Any], label: str
    ) -> list[str]:
        """Put annotations in place, if they are no text by themselves; return those that are text."""
        is_text = self.flags & __future__.annotations.compiler_flag
        for name, node in nodes.items() if _HAS_ANNOTATIONS else ():
            if name not in values:
                raise Mismatch(f"the annotation {name} of {label} is gone")
            if not is_text:
                self.hold(node, f"{label}({name}: …)", values[name])
        return [each for each in values.values() if isinstance(each, str)]


def collect_definition(
    draft: Draft, node: Any, value: Any, label: str, owner: str = "", hidden: Any = ()
) -> None:
    """Collect what an object holds, at the places of a definition; Mismatch if it is not its own."""
    _check_decorators(draft, node, hidden)
    if isinstance(node, ast.ClassDef):
        _collect_of_class(draft, node, value, label)
    else:
        _collect_of_function(draft, node, value, label, owner)


def _check_decorators(draft: Draft, node: Any, hidden: Any = ()) -> None:
    for each in getattr(node, "decorator_list", []):
        maker = _find_maker(draft, each, hidden)
        is_accessor = isinstance(each, ast.Attribute) and each.attr in _ACCESSORS
        is_own = (
            is_accessor
            and isinstance(each.value, ast.Name)
            and each.value.id == node.name
            and node.name in hidden
        )
        if not (is_own or any(maker is other for other in _DECORATORS)):
            raise Mismatch(f"its decorator '{ast.unparse(each)}' may do more than to make it")


def _find_maker(draft: Draft, node: ast.expr, hidden: Any = ()) -> Any:
    """Return what is called with literals, or the object of a name or of a name in a module."""
    if isinstance(node, ast.Call):
        try:
            for each in [*node.args, *(keyword.value for keyword in node.keywords)]:
                ast.literal_eval(each)
        except (ValueError, TypeError):
            return _UNKNOWN
        node = node.func
    if isinstance(node, ast.Name) and node.id not in hidden:
        return draft.scope.get(node.id, vars(builtins).get(node.id, _UNKNOWN))
    owner = _find_maker(draft, node.value, hidden) if isinstance(node, ast.Attribute) else None
    return vars(owner).get(node.attr, _UNKNOWN) if type(owner) is ModuleType else _UNKNOWN  # type: ignore[attr-defined]


def _collect_of_function(draft: Draft, node: Any, value: Any, label: str, owner: str) -> None:
    for each in getattr(node, "decorator_list", []):
        if isinstance(each, ast.Attribute) and type(value) is property:
            value = getattr(value, _ACCESSORS.get(each.attr, "fget"))
    function = find_function(value)
    if function is None:
        raise Mismatch(f"{label} is not as its cell defines it")
    free = [each for each in function.__code__.co_freevars if each != "__class__"]
    if free:
        raise Mismatch(f"{label} was made in another function, and uses its {', '.join(free)}")
    args = node.args
    every = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    names = [each.arg for each in (*args.posonlyargs, *args.args)]
    defaults, named = function.__defaults__ or (), function.__kwdefaults__ or {}
    pairs = [
        (mangle_name(arg.arg, owner), each)
        for arg, each in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if each
    ]
    if len(defaults) != len(args.defaults) or named.keys() != dict(pairs).keys():
        raise Mismatch(f"the defaults of {label} are not those of its cell")
    held = list(zip(names[len(names) - len(defaults) :], args.defaults, defaults, strict=True))
    for name, each, default in [*held, *((name, each, named[name]) for name, each in pairs)]:
        if isinstance(each, ast.Lambda):
            _collect_of_function(draft, each, default, f"the default {name} of {label}", owner)
        else:
            draft.hold(each, f"{label}({name}=…)", default)
    if isinstance(node, FunctionNode) and _HAS_ANNOTATIONS:
        nodes = {mangle_name(each.arg, owner): each.annotation for each in every if each and each.annotation}
        nodes.update({"return": node.returns} if node.returns else {})
        draft.hold_annotations(nodes, function.__annotations__, label)


def mangle_name(name: str, owner: str) -> str:
    """Return a name as code of a class has it."""
    is_private = owner.strip("_") and name.startswith("__") and not name.endswith("__")
    return f"_{owner.lstrip('_')}{name}" if is_private else name


# Classes


def _collect_of_class(draft: Draft, node: ast.ClassDef, value: Any, label: str) -> None:
    kind = type(value)
    if not issubclass(kind, type):
        raise Mismatch(f"{label} is not as its cell defines it")
    if kind not in _METACLASSES and not kind.__module__.startswith("typing"):
        raise Mismatch(f"{kind.__name__}, which makes {label}, may do more than that")
    for base in value.__mro__[1:]:
        is_standard = (
            base.__module__.partition(".")[0] in sys.stdlib_module_names and base.__module__ != draft.main
        )
        if "__init_subclass__" in vars(base) and not is_standard:
            raise Mismatch(f"__init_subclass__ of {base.__name__} may do more than to make {label}")
    for base in value.__mro__ if kind is enum.EnumMeta else ():
        made_by = [find_function(vars(base).get(each)) for each in _MAKES_MEMBERS]
        if any(each and each.__module__ == draft.main for each in made_by):
            raise Mismatch(f"a function of {base.__name__} makes the members of {label}")
    if isinstance(value, abc.ABCMeta) and abc._get_dump(value)[0]:  # type: ignore[attr-defined]
        raise Mismatch(f"other classes were registered with {label}")
    parts = vars(value)
    bases = parts.get("__orig_bases__", value.__bases__)
    if typing.is_typeddict(value) and "__orig_bases__" not in parts:
        # It knows no more what it was made of, but what that gave it.
        bases = tuple(_find_maker(draft, each) for each in node.bases)
    if node.bases and len(bases) != len(node.bases):
        raise Mismatch(f"the bases of {label} are not those of its cell")
    for each, base in zip(node.bases, bases, strict=False):
        draft.hold(each, f"{label}({ast.unparse(each)})", base)
    for keyword in node.keywords:
        found = _find_maker(draft, keyword.value)
        if not isinstance(keyword.value, ast.Constant) and draft.main in (
            getattr(found, "__module__", draft.main),
        ):
            raise Mismatch(f"the argument {keyword.arg} of {label} may have changed")
    bound: dict[str, str] = {}
    for statement in node.body:
        _collect_of_statement(draft, statement, node, value, label, bound)
    nodes = {
        mangle_name(each.target.id, node.name): each.annotation
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    if _HAS_ANNOTATIONS:
        draft.texts += draft.hold_annotations(nodes, parts.get("__annotations__", {}), label)


def _collect_of_statement(
    draft: Draft, statement: ast.stmt, node: ast.ClassDef, value: Any, label: str, bound: dict[str, str]
) -> None:
    targets: Any = []
    if isinstance(statement, FunctionNode | ast.ClassDef):
        name = mangle_name(statement.name, node.name)
        part = vars(value).get(name)
        collect_definition(draft, statement, part, f"{label}.{statement.name}", node.name, bound)
        bound[statement.name] = name
        return
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        is_tuple = isinstance(targets[0], ast.Tuple) and len(targets) == 1
        targets = targets[0].elts if is_tuple else targets
    names = [mangle_name(each.id, node.name) for each in targets if isinstance(each, ast.Name)]
    made = getattr(statement, "value", None)
    is_plain = isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(made, ast.Constant)
    )
    if len(names) != len(targets) or not (names or is_plain):
        raise Mismatch(f"the line '{ast.unparse(statement).splitlines()[0]}' of {label} runs code")
    if names and made is not None:
        if isinstance(made, ast.Name) and made.id in bound:
            pass
        elif (
            isinstance(made, ast.Call)
            and names[0] in vars(value).get("__dataclass_fields__", {})
            and (
                _find_maker(draft, ast.copy_location(ast.Call(made.func, [], []), made), bound)
                is dataclasses.field
            )
        ):
            _collect_of_field(
                draft, made, vars(value)["__dataclass_fields__"][names[0]], f"{label}.{names[0]}", node.name
            )
        else:
            values = [_find_value(value, name) for name in names]
            if any(each is _UNKNOWN for each in values):
                raise Mismatch(f"{' or '.join(names)} of {label} is not as its cell defines it")
            if isinstance(made, ast.Lambda):
                _collect_of_function(draft, made, values[0], f"{label}.{names[0]}", node.name)
            else:
                draft.hold(made, f"{label}.{names[0]}", tuple(values) if is_tuple else values[0])
        bound.update({each.id: name for each, name in zip(targets, names, strict=True)})


def _collect_of_field(draft: Draft, made: ast.Call, field: Any, label: str, owner: str) -> None:
    for each in made.keywords:
        part: Any = getattr(field, each.arg or "", _UNKNOWN)
        part = dict(part) if each.arg == "metadata" else part
        if isinstance(each.value, ast.Lambda):
            _collect_of_function(draft, each.value, part, label, owner)
        else:
            draft.hold(each.value, label if each.arg == "default" else f"{label} ({each.arg})", part)


def _find_value(value: Any, name: str) -> Any:
    """Return what a body gives a name: the value of an enum, not its member, and the default of a field."""
    parts = vars(value)
    found = parts.get(name, _UNKNOWN)
    if isinstance(value, enum.EnumMeta) and name in value.__members__:
        return value.__members__[name]._value_
    if value.__bases__ == (tuple,) and name in parts.get("_fields", ()):
        return parts["_field_defaults"].get(name, _UNKNOWN)
    if name in parts.get("__dataclass_fields__", {}):
        found = parts["__dataclass_fields__"][name].default
    return _UNKNOWN if found is dataclasses.MISSING or type(found) is MemberDescriptorType else found
