"""Values of variables in a magic's line, and the secrets among them."""

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
    """The text of a variable in a word, and the field, such as ``$name``, to show in place of a secret."""

    text: str = field(repr=False)
    typed: str
    is_secret: bool = False


def evaluate_field(field: Field, names: Mapping[str, Any]) -> Value | tuple[Value, ...]:
    """Evaluate a field: return one value, or each value of a list.

    An unknown name, an expression that fails and a value without a text raise InvalidRequest, without values.
    """
    reason = ""
    try:
        value = eval(field.expression, dict(names))  # noqa: S307 - the user's own code, as everywhere in a cell
        if field.conversion:
            value = _CONVERSIONS[field.conversion](value)
        if field.format_spec:
            value = format(value, field.format_spec)
    except NameError as error:
        reason = f"there is no variable '{error.name}'"
        sign = "braces" if field.typed.endswith("}") else "$"
        reason += f"; double the {sign} in text that is not a variable"
    except Exception as error:  # noqa: BLE001 - whatever the expression raises
        # The error's own message may hold a value.
        reason = f"it raises {type(error).__name__}"
    if reason:
        _refuse_field(field, reason)
    is_secret = _is_secret_text(value) or sounds_secret(field.expression)
    if not _is_list(value):
        return Value(_read_text(field, value), field.typed, is_secret)
    return tuple(
        Value(_read_text(field, item), field.typed, is_secret or _is_secret_text(item)) for item in value
    )


def sounds_secret(text: str) -> bool:
    """Return whether a name in a text sounds like a secret's.

    >>> sounds_secret("settings.db_pw"), sounds_secret("name")
    (True, False)
    """
    return any(map(secret_names.sounds_secret, _IDENTIFIER.findall(text)))


def is_ordinary(text: str) -> bool:
    """Return whether a text is a number, a documented name, or a word or two as in any sentence.

    Hiding it would make our own messages unreadable. It is a secret only if its name says so.

    >>> is_ordinary("terminated"), is_ordinary("12.500"), is_ordinary("hunter2"), is_ordinary("xKdRtQwLp")
    (True, True, False, False)
    """
    from primepods_magic.api.enums import KNOWN_WORDS

    if (
        text in KNOWN_WORDS
        or len(text) < _MIN_PART
        or (len(text) <= _MAX_DIGITS and plain_number(text) is not None)
    ):
        return True
    return len(text) <= _MAX_WORDS and _WORDS.fullmatch(text) is not None


def forms_of_secret(secret: str) -> Iterator[str]:
    """Yield the forms in which a message may repeat a secret or a part of it, longest first."""
    from primepods_magic.api.text.sanitize import sanitize

    # A flag such as '--by' takes several values, separated by commas.
    parts = [secret, *(part for part in re.split(r"[\s,;=]+", secret) if not is_ordinary(part))]
    forms = {form for part in parts for form in (part, sanitize(part), escape(part), repr(part)[1:-1])}
    forms |= {json.dumps(part, ensure_ascii=is_ascii)[1:-1] for part in parts for is_ascii in (True, False)}
    # One or two letters are in every sentence, and are not a secret.
    yield from sorted((form for form in forms if len(form) > 2), key=len, reverse=True)


def hide_secrets(error: PodsError, secrets: Mapping[str, str]) -> None:
    """Replace secrets in an error with the words for them, longest first, for one may contain another."""
    error.hide(dict(sorted(secrets.items(), key=lambda pair: len(pair[0]), reverse=True)))


def _is_list(value: Any) -> bool:
    """Return whether this is a list, or a one-dimensional array, Index or Series, without loading pandas."""
    return isinstance(value, _LISTS) or (hasattr(value, "tolist") and getattr(value, "ndim", None) == 1)


def _is_secret_text(value: Any) -> bool:
    return hasattr(value, "get_secret_value")


def _read_text(field: Field, value: Any) -> str:
    kind: Any = type(value)
    # The module need not be loaded for this.
    if (kind.__module__, kind.__name__) == ("primepods_magic.pods.pod", "Pod"):
        value = value.id
    if _is_secret_text(value):
        value = value.get_secret_value()
    if _is_missing(value):
        _refuse_field(field, "its value is missing (None or NA)")
    if isinstance(value, str):
        return str(value)
    has_no_text = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
    is_several = isinstance(value, (Mapping, Sequence, Iterator, Set)) or getattr(value, "ndim", 0) > 0
    if has_no_text or is_several or callable(value) or isinstance(value, (bytes, bytearray)):
        _refuse_field(field, f"it is a {kind.__name__}, not text, a number, a Pod or a list of these")
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a user's class may raise anything
        reason = f"converting it to text raises {type(error).__name__}"
    return _refuse_field(field, reason)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _refuse_field(field: Field, reason: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(f"Cannot expand '{field.typed}': {reason}. Nothing was done")
