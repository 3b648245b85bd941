"""Labels for `breakdown`, read from a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate

from primepods_magic.api.text.short_repr import ShortRepr

__all__ = ["By", "Label", "mapping", "pattern"]


@dataclass(frozen=True, repr=False)
class Label(ShortRepr):
    """A label for every line, made by `pattern` or `mapping`; `read` takes ``None`` for missing values."""

    name: str
    column: str
    read: Callable[[object], str | None] = field(repr=False)


By = str | Label


def pattern(column: str, regex: str, name: str | None = None) -> Label:
    r"""Label lines by a regular expression, for `breakdown`.

    Parameters
    ----------
    column : str
        Column whose text is searched.
    regex : str
        The label is its first group, or the whole match if it has no group.
    name : str, optional
        Name of the labels; the column's name by default.

    Returns
    -------
    Label
        For ``by=``; missing if nothing matches.

    Raises
    ------
    ValueError
        `regex` is not a regular expression.

    Examples
    --------
    >>> pattern("name", r"^(\w+)-", name="project").read("llama-train-3")
    'llama'
    """
    try:
        compiled = re.compile(regex)
    except (re.error, TypeError) as error:
        raise ValueError(f"{regex!r} is not a regular expression: {error}") from None
    group = 1 if compiled.groups else 0

    def read(value: object) -> str | None:
        match = None if value is None else compiled.search(str(value))
        return match[group] if match else None

    return Label(column if name is None else name, column, read)


def mapping(
    column: str, projects: Mapping[str, str], name: str = "project", other: str | None = "other"
) -> Label:
    """Label lines by a mapping from values to labels, for `breakdown`.

    Parameters
    ----------
    column : str
        Column whose values are looked up.
    projects : mapping of str to str
        Labels by exact values, or by patterns with ``*``, ``?`` and ``[…]``. Exact values win over
        patterns, and earlier patterns over later ones.
    name : str, optional
        Name of the labels.
    other : str or None, optional
        Label of the remaining lines; ``None`` leaves it missing.

    Returns
    -------
    Label
        For ``by=``.

    Raises
    ------
    ValueError
        `projects` is not a mapping of strings.

    Examples
    --------
    >>> label = mapping("name", {"llama-*": "language", "llama-whisper": "speech"})
    >>> label.read("llama-train"), label.read("llama-whisper"), label.read("protein")
    ('language', 'speech', 'other')
    """
    if not isinstance(projects, Mapping) or not all(map(_is_text, (*projects, *projects.values()))):
        raise ValueError("projects must be a mapping from strings to strings")
    exact = dict(projects)
    wild = [(re.compile(translate(key)), label) for key, label in exact.items() if set(key) & set("*?[")]

    def read(value: object) -> str | None:
        if value is None:
            return other
        key = str(value)
        if key in exact:
            return exact[key]
        return next((label for compiled, label in wild if compiled.match(key)), other)

    return Label(name, column, read)


def as_list(by: By | Iterable[By]) -> list[By]:
    """Return one item or several as a list."""
    return list(by) if isinstance(by, Iterable) and not isinstance(by, str) else [by]


def _is_text(value: object) -> bool:
    return isinstance(value, str)
