"""Values of variables in a magic's line: what each stands for, and which must not be shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set, ValuesView
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, NoReturn

from primepods_magic.api.secrets import names as secret_names
from primepods_magic.api.validation.bounds import plain_number

from .tokenizer import Field

if TYPE_CHECKING:
    from primepods_magic.api.errors import PodsError

__all__ = ["Value", "evaluate_field", "forms_of_secret", "hide_secrets", "is_ordinary", "sounds_secret"]

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_CONVERSIONS: Mapping[str, Callable[[object], str]] = {"r": repr, "s": str, "a": ascii}
_MIN_PART = 6
# Words of a sentence, in a text that is shorter than a part of a secret that is letters alone.
_WORDS = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]+)(?:[ ._/-](?:[A-Z]?[a-z]+|[A-Z]+))*")
_MAX_WORDS, _MAX_DIGITS = 15, 12
_LISTS = (list, tuple, range, Set, ValuesView)


@dataclass(frozen=True)
class Value:
    """What a variable stands for in a word.

    Parameters
    ----------
    text : str
        Its text.
    typed : str
        What the line has in its place, such as ``$name``.
    is_secret : bool
        It must not be shown.
    """

    text: str = field(repr=False)
    typed: str
    is_secret: bool = False


def evaluate_field(place: Field, names: Mapping[str, Any]) -> Value | tuple[Value, ...]:
    """Evaluate the expression of a place: one value, or of a list each of its values.

    Raises
    ------
    InvalidRequest
        A name is unknown, the expression fails, or its value is nothing that can stand in a line. The message
        holds no value.
    """
    reason = ""
    try:
        value = eval(place.expression, dict(names))  # noqa: S307 - the user's own code, as everywhere in a cell
        if place.conversion:
            value = _CONVERSIONS[place.conversion](value)
        if place.format_spec:
            value = format(value, place.format_spec)
    except NameError as error:
        reason = f"there is no variable '{error.name}'"
        sign = "braces" if place.typed.endswith("}") else "$"
        reason += f"; double the {sign} of text that is not a variable"
    except Exception as error:  # noqa: BLE001 - whatever the expression raises
        # The error's own words may hold a value.
        reason = f"it raises {type(error).__name__}"
    if reason:
        _refuse_field(place, reason)
    is_secret = _is_secret_text(value) or sounds_secret(place.expression)
    if not _is_list(value):
        return Value(_text_of(place, value), place.typed, is_secret)
    return tuple(
        Value(_text_of(place, item), place.typed, is_secret or _is_secret_text(item)) for item in value
    )


def sounds_secret(text: str) -> bool:
    """Whether a name in a text sounds like a secret's.

    >>> sounds_secret("settings.db_pw"), sounds_secret("name")
    (True, False)
    """
    return any(map(secret_names.sounds_secret, _IDENTIFIER.findall(text)))


def is_ordinary(text: str) -> bool:
    """Return whether a text is a number or a word or two, such as any sentence has.

    Hidden, it would make our own sentences unreadable. It is not a secret, unless it is called one.

    >>> is_ordinary("terminated"), is_ordinary("12.500"), is_ordinary("hunter2"), is_ordinary("xKdRtQwLp")
    (True, True, False, False)
    """
    if len(text) < _MIN_PART or (len(text) <= _MAX_DIGITS and plain_number(text) is not None):
        return True
    return len(text) <= _MAX_WORDS and _WORDS.fullmatch(text) is not None


def forms_of_secret(secret: str) -> Iterator[str]:
    """Yield the forms in which a message may repeat a secret or a part of it, the longest first."""
    from primepods_magic.api.text.sanitize import sanitize

    # A flag such as '--by' takes several, between commas.
    parts = [secret, *(part for part in re.split(r"[\s,;=]+", secret) if not is_ordinary(part))]
    forms = {form for part in parts for form in (part, sanitize(part), escape(part), repr(part)[1:-1])}
    forms |= {json.dumps(part, ensure_ascii=is_ascii)[1:-1] for part in parts for is_ascii in (True, False)}
    # A letter or two is in every sentence, and no secret.
    yield from sorted((form for form in forms if len(form) > 2), key=len, reverse=True)


def hide_secrets(error: PodsError, secrets: Mapping[str, str]) -> None:
    """Put what stands in the line in the place of secrets; the longest first, for one may hold another."""
    error.hide(dict(sorted(secrets.items(), key=lambda pair: len(pair[0]), reverse=True)))


def _is_list(value: Any) -> bool:
    """A list, or an array, an Index or a Series of one dimension; pandas need not be loaded to know."""
    return isinstance(value, _LISTS) or (hasattr(value, "tolist") and getattr(value, "ndim", None) == 1)


def _is_secret_text(value: Any) -> bool:
    return hasattr(value, "get_secret_value")


def _text_of(place: Field, value: Any) -> str:
    kind: Any = type(value)
    # Whose module need not be loaded for this.
    if (kind.__module__, kind.__name__) == ("primepods_magic.pods.pod", "Pod"):
        value = value.id
    if _is_secret_text(value):
        value = value.get_secret_value()
    if _is_missing(value):
        _refuse_field(place, "it has no value (None, or a missing value)")
    if isinstance(value, str):
        return str(value)
    has_no_text = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
    is_several = isinstance(value, (Mapping, Sequence, Iterator, Set)) or getattr(value, "ndim", 0) > 0
    if has_no_text or is_several or callable(value) or isinstance(value, (bytes, bytearray)):
        _refuse_field(place, f"it is a {kind.__name__}, not a text, a number, a Pod or a list of these")
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - whatever a class of the user's own raises
        reason = f"its text raises {type(error).__name__}"
    return _refuse_field(place, reason)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _refuse_field(place: Field, reason: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(f"'{place.typed}' cannot be filled in: {reason}. Nothing was done")
