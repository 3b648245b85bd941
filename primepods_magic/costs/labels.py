"""What lines are grouped by: columns, and labels that are read from a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate

__all__ = ["By", "Label", "mapping", "pattern"]


@dataclass(frozen=True)
class Label:
    """A label for every line, read from one column; made by `pattern` and `mapping`.

    Parameters
    ----------
    name : str
        What the column of labels is called.
    column : str
        From which column they are read.
    read : callable
        Takes a value of the column, ``None`` where it is missing; answers with a label, or ``None``.
    """

    name: str
    column: str
    read: Callable[[object], str | None] = field(repr=False)


By = str | Label


def pattern(column: str, regex: str, name: str | None = None) -> Label:
    """Label lines by a regular expression, for `breakdown`.

    Parameters
    ----------
    column : str
        Whose text is searched.
    regex : str
        What is searched for. The label is its first group, or the whole match where it has none.
    name : str, optional
        What the labels are called; the column's name if left out.

    Returns
    -------
    Label
        For ``by=``; missing where nothing is found.

    Raises
    ------
    ValueError
        Where `regex` is not a regular expression.

    Examples
    --------
    >>> pattern("name", r"^(\\w+)-", name="project").read("llama-train-3")
    'llama'
    """
    try:
        compiled = re.compile(regex)
    except (re.error, TypeError) as error:
        raise ValueError(f"{regex!r} is not a regular expression: {error}") from None
    group = 1 if compiled.groups else 0

    def read(value: object) -> str | None:
        found = None if value is None else compiled.search(str(value))
        return found[group] if found else None

    return Label(column if name is None else name, column, read)


def mapping(
    column: str, projects: Mapping[str, str], name: str = "project", other: str | None = "other"
) -> Label:
    """Label lines by a table from values to labels, for `breakdown`.

    Parameters
    ----------
    column : str
        Whose values are looked up.
    projects : mapping of str to str
        From exact values, or patterns with ``*``, ``?`` and ``[…]``, to labels. An exact value goes before
        all patterns; among those the first that fits is taken.
    name : str, optional
        What the labels are called.
    other : str or None, optional
        The label of lines that nothing fits; with ``None`` theirs is missing.

    Returns
    -------
    Label
        For ``by=``.

    Raises
    ------
    ValueError
        Where `projects` is not a mapping of texts.

    Examples
    --------
    >>> label = mapping("name", {"llama-*": "language", "llama-whisper": "speech"})
    >>> label.read("llama-train"), label.read("llama-whisper"), label.read("protein")
    ('language', 'speech', 'other')
    """
    if not isinstance(projects, Mapping) or not all(map(_is_text, (*projects, *projects.values()))):
        raise ValueError("projects is not a mapping from texts to texts")
    exact = dict(projects)
    wild = [(re.compile(translate(key)), label) for key, label in exact.items() if set(key) & set("*?[")]

    def read(value: object) -> str | None:
        if value is None:
            return other
        said = str(value)
        if said in exact:
            return exact[said]
        return next((label for compiled, label in wild if compiled.match(said)), other)

    return Label(name, column, read)


def listed(by: By | Iterable[By]) -> list[By]:
    """One thing or several, as a list."""
    return list(by) if isinstance(by, Iterable) and not isinstance(by, str) else [by]


def _is_text(value: object) -> bool:
    return isinstance(value, str)
