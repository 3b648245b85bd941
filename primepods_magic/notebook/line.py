"""A magic's line, before its command reads it: variables filled in, and cut into words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any, NoReturn

from IPython.utils.text import DollarFormatter

__all__ = ["filled_in", "words_of"]

_BRACED = re.compile(r"\$\{([^{}]*)\}")


def filled_in(line: str, names: Mapping[str, Any], *, keeps_braced: bool = False) -> str:
    """Fill ``$name`` and ``{expr}`` in, as IPython does for every magic; ``$$``, ``{{`` and ``}}``
    are the characters themselves. A pod, or a list of pods, becomes ids.

    Parameters
    ----------
    line : str
        What follows the magic's name.
    names : mapping
        The variables.
    keeps_braced : bool
        ``${name}`` is left as it is, for a spec that takes it later, and keeps it out of what is shown.

    Raises
    ------
    InvalidRequest
        A name is unknown, or an expression cannot be evaluated. IPython's own way, which is to leave all of
        the line as it is, would ask for a pod called ``{name}``.

    Examples
    --------
    >>> filled_in("show $name --tail {2 * n}", {"name": "train", "n": 5})
    'show train --tail 10'
    """
    braces = r"${{\1}}" if keeps_braced else r"{\1}"
    formatter = DollarFormatter()
    filled = []
    try:
        pieces = list(formatter.parse(_BRACED.sub(braces, line)))
    except ValueError:
        _refuse(f"the braces do not match in: {line.strip()}. '{{{{' and '}}}}' are braces themselves")
    for text, field, rest, conversion in pieces:
        filled.append(text)
        if field is not None:
            # A colon in an expression is a slice.
            value = _value_of(f"{field}:{rest}" if rest else field, names)
            filled.append(formatter.format_field(formatter.convert_field(_said(value), conversion), ""))
    return "".join(filled)


def _value_of(expression: str, names: Mapping[str, Any]) -> Any:
    reason = ""
    try:
        return eval(expression, dict(names))  # noqa: S307 - the user's own code, as everywhere in a cell
    except NameError as error:
        reason = f"there is no variable '{error.name}'"
    except Exception as error:  # noqa: BLE001 - whatever the expression raises
        # What the error says may hold a value.
        reason = f"it raises {type(error).__name__}"
    return _refuse(f"'{expression}' cannot be filled in: {reason}. Nothing was done")


def _said(value: Any) -> Any:
    """What stands for a value in a line: a pod is its id, several are their ids."""
    if isinstance(value, (list, tuple)) and value and all(map(_is_pod, value)):
        return " ".join(pod.id for pod in value)
    return value.id if _is_pod(value) else value


def _is_pod(value: object) -> bool:
    kind = type(value)
    # Whose module need not be loaded for this.
    return (kind.__module__, kind.__name__) == ("primepods_magic.pods.handle", "Pod")


def words_of(line: str) -> list[str]:
    """Split a line into words as a POSIX shell does, on every system; ``# …`` is a comment and a last ``;``
    is not a word.

    Raises
    ------
    InvalidRequest
        A quotation is not closed.

    Examples
    --------
    >>> words_of("show 'my pod' ;  # the one")
    ['show', 'my pod']
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    # Only after white space: an id or a name may hold a '#'.
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        _refuse(f"a quotation is not closed in: {line.strip()}")
    for number, word in enumerate(words):
        if word.startswith("#"):
            del words[number:]
            break
    if words and words[-1].endswith(";"):
        words[-1] = words[-1].removesuffix(";")
        if not words[-1]:
            del words[-1]
    return words


def _refuse(message: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(message)
