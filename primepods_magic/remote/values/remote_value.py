"""Values that stay on a pod, and how parts of them are named."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.remote.files.results import format_bytes

__all__ = ["SHELL_NAMES", "RemoteValue", "check_name", "find_name_problem", "parse_part", "read_remote_value"]

_STEP = re.compile(
    r"""
    \.?(?P<attribute>[^\W\d]\w*)
    | \[(?P<item>-?\d{1,18}|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]
    | (?P<call>\(\))
    """,
    re.VERBOSE,
)
_MAX_STEPS = 30
_MAX_TEXT_CHARS = 300


# Every kernel has its own of these.
SHELL_NAMES = frozenset("In Out get_ipython exit quit open display".split())
_RESULT = re.compile(r"_+|_(?:oh|dh|ih|i+|i?\d+|exit_code)", re.ASCII)


def check_name(name: str, *, is_set: bool = True) -> str:
    """Return a name of a variable; raise InvalidRequest if it cannot be one, or if it cannot be set.

    >>> check_name("x")
    'x'
    """
    if not isinstance(name, str):
        raise InvalidRequest(f"A name must be text. It is of type {type(name).__name__}. Nothing was sent")
    problem = find_name_problem(name, is_set=is_set)
    if problem:
        raise InvalidRequest(f"{sanitize(shorten(name, 80))!r} {problem}. Nothing was sent")
    return name


def find_name_problem(name: str, *, is_set: bool = True) -> str:
    """Return why a name cannot be a variable's, or cannot be set without breaking the notebook; else ""."""
    if is_set and (name in SHELL_NAMES or _RESULT.fullmatch(name)):
        return "is a name that every notebook has of its own"
    is_name = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")
    return "" if is_name else "is not a name of a variable"


def parse_part(text: str) -> list[list[Any]]:
    """Return the steps to a part of a value: attributes, items and calls without arguments.

    >>> parse_part(".layers[0]['weight'].numpy()")
    [['attribute', 'layers'], ['item', 0], ['item', 'weight'], ['attribute', 'numpy'], ['call', None]]
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"A part must be text. It is of type {type(text).__name__}. Nothing was fetched")
    steps: list[list[Any]] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or len(steps) >= _MAX_STEPS or (position and match[0][0] not in ".[("):
            raise InvalidRequest(
                f"{sanitize(shorten(text, 80))!r} does not name a part: use .name, ['key'], [3] and (). "
                "Nothing was fetched"
            )
        kind = str(match.lastgroup)
        step = match[kind]
        steps.append([kind, ast.literal_eval(step) if kind == "item" else None if kind == "call" else step])
        position = match.end()
    return steps


@dataclass(frozen=True, repr=False)
class RemoteValue:
    """A value that stays on a pod, because it cannot be sent.

    Attributes
    ----------
    name : str
        The variable, and the part of it.
    pod : str
    type : str
    reason : str
        Why it stays there.
    shape : tuple of int or None
    dtype : str or None
    size_bytes : int or None
    text : str
        The beginning of its ``repr``.

    Examples
    --------
    >>> model = pod.pull("model")                                            # doctest: +SKIP
    >>> model                                                                # doctest: +SKIP
    <'model' on 'train': Net · 240 kB · Net((fc): Linear(…))>
    >>> weights = model.fetch(".state_dict()")                               # doctest: +SKIP
    """

    name: str
    pod: str
    type: str
    reason: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    size_bytes: int | None = None
    text: str = ""
    _fetch: Callable[[str, bool], Any] | None = field(default=None, compare=False)

    def fetch(self, part: str = "", *, yes: bool = False) -> Any:
        """Fetch a part of it, as it is now; a part that cannot be sent is a description again.

        Parameters
        ----------
        part : str
            Attributes, items, and calls without arguments: ``".state_dict()"``, ``"['loss'][-1]"``.
        yes : bool
            Fetch more than 100 MB.

        Raises
        ------
        RemoteNameError
            The variable is not there any more.
        PodsError
            There is no such part, or it was not fetched.
        """
        parse_part(part)
        if self._fetch is None:
            raise InvalidRequest("This description has no connection. Nothing was fetched")
        prefix = "." if part[:1].isidentifier() else ""
        return self._fetch(f"{self.name}{prefix}{part}", yes)

    def __repr__(self) -> str:
        kind = self.type.rpartition(".")[2]
        shape = "×".join(map(str, self.shape)) if self.shape else ""
        size = "" if self.size_bytes is None else format_bytes(self.size_bytes)
        parts = [kind, shape, self.dtype, size, shorten(self.text, 60)]
        return f"<'{self.name}' on '{self.pod}': {' · '.join(part for part in parts if part)}>"


def read_remote_value(
    facts: Mapping[str, Any], pod_name: str, fetch: Callable[[str, bool], Any]
) -> RemoteValue:
    """Return the description of a value from what a pod says about it."""
    shape, size = facts.get("shape"), facts.get("size_bytes")
    is_shape = isinstance(shape, list) and all(type(length) is int for length in shape)
    return RemoteValue(
        name=str(facts.get("name")),
        pod=pod_name,
        type=_read_text(facts, "type") or "object",
        reason=_read_text(facts, "reason"),
        shape=tuple(shape[:32]) if is_shape and shape is not None else None,
        dtype=_read_text(facts, "dtype") or None,
        size_bytes=size if type(size) is int and 0 <= size < 1 << 62 else None,
        text=_read_text(facts, "text"),
        _fetch=fetch,
    )


def _read_text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return sanitize(shorten(value, _MAX_TEXT_CHARS)) if isinstance(value, str) else ""
