"""Functions and classes of a notebook as source, with everything that they need.

Code objects differ from one version of Python to the next; source is the same. It is run on the pod
alone, with the values that the notebook has: what ran when something was defined does not run again.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import dis
import inspect
import linecache
import sys
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize, shorten

from .references import References, import_value, is_alias, is_code, is_own, refuse_source
from .remote_value import SHELL_NAMES
from .source_cells import (
    FUTURES,
    Found,
    find_function,
    list_definitions,
    list_functions,
    list_history,
    walk_codes,
)
from .source_checks import check_definition, fill_draft
from .source_places import Draft, Mismatch, collect_definition

__all__ = ["Needed", "find_needed"]

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
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
    held : dict
        Values to send as data that definitions hold, such as defaults, by what they are.
    imports : list
        Name, module, and the name in the module or ``""``.
    code : list
        Definitions: name, text, futures, places of values, the labels of these, and names that must be there.
    """

    wanted: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    held: dict[str, Any] = field(default_factory=dict)
    imports: list[tuple[str, str, str]] = field(default_factory=list)
    code: list[dict[str, Any]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    """For each name that was not asked for, what needs it."""


def find_needed(wanted: Mapping[str, Any], *, main: str = "__main__") -> Needed:
    """Return what the values need; raise InvalidRequest if a function or class cannot be sent.

    Parameters
    ----------
    wanted : mapping
        Values by name.
    main : str
        The module of the notebook.
    """
    finder = _Finder(Needed(dict(wanted)), main)
    for name, value in wanted.items():
        finder.add(name, value)
    finder.finish()
    return finder.needed


class _Finder:
    def __init__(self, needed: Needed, main: str) -> None:
        self.needed = needed
        self._main = main
        self._globals = vars(sys.modules[main]) if main in sys.modules else {}
        self._done: set[str] = set()
        self._later: list[tuple[str, Any, str]] = []
        """What is needed once something is called."""

    def finish(self) -> None:
        """Add what is needed later."""
        while self._later:
            self._need(*self._later.pop(0))
        # A definition holds the variable itself if it holds the same object as one.
        shared = {id(value): name for name, value in self.needed.values.items()}
        held = self.needed.held
        names = {label: shared[id(value)] for label, value in held.items() if id(value) in shared}
        for label in names:
            del held[label]
        for each in self.needed.code:
            each["places"] = _rename_values(each["places"], names)
            each["held"] = [names.get(label, label) for label in each["held"]]

    def add(self, name: str, value: Any) -> None:
        """Add a value and what must be there before it."""
        if name in self._done:
            return
        self._done.add(name)
        if len(self._done) > _MAX_NEEDED:
            raise InvalidRequest(f"They need more than {_MAX_NEEDED} names. Nothing was sent")
        if is_alias(value) and not is_code(value, self._main):
            self._add_alias(name, value)
        elif not is_code(value, self._main):
            self.needed.values[name] = value
        elif issubclass(type(value), ModuleType) or not is_own(value, self._main):
            self.needed.imports.append((name, *import_value(name, value)))
        else:
            self._add_definition(name, value)

    def _need(self, name: str, value: Any, reason: str) -> None:
        if name not in self._done:
            self.needed.reasons[name] = reason
            self.add(name, value)

    def _add_alias(self, name: str, value: Any) -> None:
        namespace = ChainMap(self.needed.wanted, self._globals)
        makers = References(self.needed.held, name, namespace, self._main)
        places = [[1, len(f"{name} = ".encode()), makers.refer(value, name)]]
        for each in makers.names:
            self._need(each, namespace[each], name)
        text = f"{name} = None\n"
        self.needed.code.append(_make_facts(name, text, places, uses=makers.names, held=makers.held))

    def _add_definition(self, name: str, value: Any) -> None:
        functions = list_functions(value, self._main)
        own_globals = functions[0].__globals__ if functions else self._globals
        namespace = ChainMap(self.needed.wanted, own_globals)
        own = find_function(value)
        first = own.__code__.co_name if own else value.__name__
        if name != first and namespace.get(first) is value:
            # One object with two names. Its code may use the other one.
            self._need(first, value, name)
            self.needed.code.append(_make_facts(name, f"{name} = {first}\n", [], uses=[first]))
            return
        draft = self._choose_draft(name, first, value, namespace)
        makers = References(self.needed.held, name, namespace, self._main)
        places = [
            [place.line, place.column, makers.refer(place.value, place.label)]
            for place in draft.places
            if not place.is_written
        ]
        tree = ast.Module([fill_draft(draft)], [])
        code = compile(tree, "<source>", "exec", draft.flags, dont_inherit=True)
        uses = [*makers.names, *_list_names(code), *_list_text_names(draft)]
        uses = [each for each in dict.fromkeys(uses) if self._is_needed(each, name, namespace)]
        for each in uses:
            self._need(each, namespace[each], name)
        futures = _list_futures(draft.flags)
        self.needed.code.append(
            _make_facts(name, draft.found.text, places, uses=uses, held=makers.held, futures=futures)
        )
        later = [each for each in _list_later_names(code) if self._is_needed(each, name, namespace)]
        self._later += [(each, namespace[each], name) for each in later]

    def _is_needed(self, name: str, owner: str, namespace: Mapping[str, Any]) -> bool:
        return name != owner and name in namespace and not _is_of_shell(name, namespace[name])

    def _choose_draft(self, name: str, own_name: str, value: Any, namespace: Mapping[str, Any]) -> Draft:
        drafts: list[Draft] = []
        reasons: list[str] = []
        for found, file, flags in self._list_found(name, own_name, value):
            if file == "" and drafts and drafts[0].file:
                break
            draft = Draft(found, namespace, self._main, flags, file)
            try:
                _complete_draft(draft, value, name)
                drafts.append(draft)
            except Mismatch as error:
                reasons.append(str(error))
        if not drafts:
            reason = shorten(reasons[0], 160) if reasons else "its source is not known"
            raise refuse_source(name, sanitize(reason))
        if len({ast.dump(fill_draft(each)) for each in drafts}) > 1:
            raise refuse_source(name, "several cells define it, and it may be of any of them")
        return max(drafts, key=lambda draft: [each.is_likely for each in draft.places].count(True))

    def _list_found(self, name: str, own_name: str, value: Any) -> Iterator[tuple[Found, str, int]]:
        """Yield what may be a definition, the likeliest first: those in the file of its code."""
        codes = [each.__code__ for each in list_functions(value, self._main)]
        flags = codes[0].co_flags & FUTURES if codes else 0
        for file in dict.fromkeys(code.co_filename for code in codes):
            linecache.checkcache(file)
            text = "".join(linecache.getlines(file))
            yield from ((each, file, flags) for each in list_definitions(text, own_name, name, flags))
        for cell in list_history(self._main):
            if own_name in cell or not own_name.isascii() or own_name == "<lambda>":
                yield from ((each, "", flags) for each in list_definitions(cell, own_name, name, flags))


# Sources


def _complete_draft(draft: Draft, value: Any, name: str) -> None:
    node = draft.found.node
    if value.__module__ != draft.main or (
        "<locals>" in getattr(value, "__qualname__", "") and isinstance(value, type)
    ):
        raise Mismatch("it is a class that was made in a function")
    collect_definition(draft, node.value if isinstance(node, ast.Assign) else node, value, name)
    check_definition(draft, value, name)


def _list_futures(flags: int) -> list[str]:
    return [name for name in __future__.all_feature_names if flags & getattr(__future__, name).compiler_flag]


def _make_facts(
    name: str,
    text: str,
    places: list[Any],
    *,
    uses: list[str],
    held: Iterable[str] = (),
    futures: Iterable[str] = (),
) -> dict[str, Any]:
    return {
        "name": name,
        "text": text,
        "places": places,
        "uses": uses,
        "held": [*held],
        "futures": [*futures],
    }


def _rename_values(part: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(part, list):
        return part
    if part[:1] == ["value"]:
        return ["value", names.get(part[1], part[1])]
    return [_rename_values(each, names) for each in part]


def _list_text_names(draft: Draft) -> list[str]:
    """Return the names in text that a dataclass reads when it is made: modules, and what is of typing."""
    trees = [ast.parse(text) for text in draft.texts]
    names = [each.id for tree in trees for each in ast.walk(tree) if isinstance(each, ast.Name)]
    found = [(name, draft.scope.get(name)) for name in names]
    main = draft.main
    return [
        name for name, each in found if is_alias(each) or (is_code(each, main) and not is_own(each, main))
    ]


# Names


def _is_of_shell(name: str, value: Any) -> bool:
    if name in ("In", "Out") or (name.startswith("__") and name.endswith("__")):
        return True
    is_shown = name in SHELL_NAMES and str(getattr(type(value), "__module__", "")).startswith("IPython")
    return is_shown or vars(builtins).get(name, _is_of_shell) is value


def _list_names(code: CodeType) -> Iterator[str]:
    """Yield the names that are looked up when something is defined, also in the bodies of classes."""
    instructions = list(dis.get_instructions(code))
    own = {each.argval for each in instructions if each.opname == "STORE_NAME"}
    yield from (each.argval for each in instructions if each.opname in _LOADS and each.argval not in own)
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and not constant.co_flags & inspect.CO_OPTIMIZED:
            yield from _list_names(constant)


def _list_later_names(code: CodeType) -> Iterator[str]:
    """Yield the names that are looked up when something is called."""
    for each in walk_codes(code):
        if each.co_flags & inspect.CO_OPTIMIZED:
            yield from (each.argval for each in dis.get_instructions(each) if each.opname in _LOADS)
