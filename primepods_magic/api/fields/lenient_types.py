"""Field types that accept anything the service sends; one bad field never fails a whole response.

A value that cannot be read as its type becomes ``None``: the page's example sends numbers as text, the
published document as numbers, and both drift. So does a placeholder: a price of 0, a time in the year 1, the
text ``null``. Each kind of value is declared once, here, with its placeholders.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from primepods_magic.api.text.sanitize import replace_surrogates
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.api.validation.bounds import plain_number

__all__ = [
    "Amount",
    "ApiModel",
    "Balance",
    "Count",
    "Currency",
    "Flag",
    "Label",
    "Name",
    "Number",
    "OfferPrice",
    "Price",
    "Size",
    "Tally",
    "Text",
    "Timestamp",
    "Whole",
    "amount_in",
    "balance_in",
    "count_in",
    "currency_in",
    "flag_in",
    "fold_word",
    "is_no_value",
    "moment_in",
    "number_in",
    "offer_price_in",
    "parse_enum",
    "port_in",
    "price_in",
    "rows_of",
    "tally_in",
    "text_in",
    "timestamp_in",
    "whole_in",
]

_datetime = TypeAdapter(datetime)
_INT64 = 2**63
_MAX_WORD = 200
EARLIEST = datetime(2020, 1, 1, tzinfo=timezone.utc)
"""The service has no older records."""
LATEST = datetime(2038, 1, 19, tzinfo=timezone.utc)
"""Times from here on mean "never", such as 2099 and 9999; 32-bit clocks end here."""
MOST = 1_000_000
"""The highest number of GPUs, or rows, that is plausible."""
_MAX_ODD_WORD = 40
_LATEST_S = LATEST.timestamp()
_UNITS = (1, 10**3, 10**6, 10**9)
_MAX_OFFER_PRICE = 1e6
_NO_VALUES = frozenset(["", "-", "--", "null", "none", "nil", "<nil>", "nan", "n/a", "undefined"])
_USD = frozenset(["USD", "US$", "$", "USD$", "$USD", "$US", "USDOLLAR", "USDOLLARS", "U.S.DOLLAR"])
_FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
_USD_TEXT = re.compile(
    r"(?:(?:US ?)?\$|USD)? ?([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[^ ,$/]+) ?(?:USD|\$)?"
    r"(?: ?(?:/|per) ?(?:h|hr|hour))?",
    re.IGNORECASE,
)
_ZONE_NAME = re.compile(r" ?(?:\+0000 ?)?(?:UTC|GMT)$", re.IGNORECASE)
_ZONE_APART = re.compile(r"(?<=\d) (?=[+-]\d{2}:?\d{2}$)")
_COMPACT_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})", re.ASCII)
_HTTP_DATE = re.compile(r"[A-Za-z]{3}, .{1,40}(?:GMT|UTC|[+-][0-9]{4})")
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\W_]+")
_E = TypeVar("_E", bound=Enum)


class ApiModel(ShortRepr, BaseModel):
    """Base of all responses: camelCase on the wire, unknown keys are kept."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # Undocumented fields may hold anything, such as a token.
        known = type(self).model_fields
        return [(name, value) for name, value in super().__repr_args__() if name in known]

    __str__ = ShortRepr.__repr__


def is_no_value(value: object) -> bool:
    """Return whether a value means that there is none, such as ``null``, NaN, "N/A" or "-".

    >>> is_no_value(None), is_no_value(" N/A "), is_no_value("0")
    (True, True, False)
    """
    if isinstance(value, float) and math.isnan(value):
        return True
    return value is None or (isinstance(value, str) and value.strip().casefold() in _NO_VALUES)


def text_in(value: object) -> str | None:
    """Read text, or a number as text, with lone surrogates replaced so that it can be sent back."""
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return None


def _read_label(value: object) -> str | None:
    return None if is_no_value(value) else text_in(value)


def _read_name(value: object) -> str | None:
    text = _read_label(value)
    if text is None and isinstance(value, str) and value.isalpha() and value.istitle():
        return value
    return text


def number_in(value: object) -> float | None:
    """Read a finite number, also from text."""
    if isinstance(value, str):
        value = plain_number(value.strip())
        if value is None:
            return None
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def whole_in(value: object) -> int | None:
    """Read a 64-bit integer, also from text."""
    number = number_in(value)
    if number is None or not number.is_integer() or abs(number) >= _INT64:
        return None
    return int(number)


def amount_in(value: object) -> float | None:
    """Read an amount of at least 0, also from text in USD; stopped pods and included parts may be free.

    >>> amount_in("$2.50/h"), amount_in(0), amount_in(-1)
    (2.5, 0.0, None)
    """
    number = balance_in(value)
    return number if number is not None and number >= 0 else None


def balance_in(value: object) -> float | None:
    """Read an amount of either sign, such as a billing, a refund or a balance.

    >>> balance_in("$12.50"), balance_in("-$3"), balance_in("12,50")
    (12.5, -3.0, None)
    """
    if isinstance(value, str):
        text = value.strip()
        is_negative = text.startswith("-$")
        match = _USD_TEXT.fullmatch(text[1:] if is_negative else text)
        number = number_in(match[1].replace(",", "")) if match else None
        return -number if number is not None and is_negative else number
    return number_in(value)


def price_in(value: object) -> float | None:
    """Read a price or a size that is never 0; 0 and below are placeholders.

    >>> price_in(2.5), price_in(0)
    (2.5, None)
    """
    return amount_in(value) or None


def offer_price_in(value: object) -> float | None:
    """Read the price of an offer; above a million an hour it is a placeholder.

    A live pod keeps such a price, so that a price limit stops it.
    """
    number = price_in(value)
    return number if number is not None and number <= _MAX_OFFER_PRICE else None


def tally_in(value: object) -> int | None:
    """Read a count from 0 to a million."""
    number = whole_in(value)
    return number if number is not None and 0 <= number <= MOST else None


def count_in(value: object) -> int | None:
    """Read a count of at least 1."""
    return tally_in(value) or None


def port_in(value: object) -> int | None:
    """Read a port number from 1 to 65535.

    >>> port_in("2200"), port_in(0), port_in("70000"), port_in("*")
    (2200, None, None, None)
    """
    number = whole_in(value)
    return number if number is not None and 0 < number < 65536 else None


def currency_in(value: object) -> str | None:
    """Read a currency code, with all spellings of USD as one.

    >>> currency_in("usd"), currency_in("US$"), currency_in("EUR"), currency_in("")
    ('USD', 'USD', 'EUR', None)
    """
    text = _read_label(value)
    if text is None:
        return None
    return "USD" if "".join(text.split()).upper() in _USD else text.strip().upper()


def flag_in(value: object) -> bool | None:
    """Read true or false, also from a word or a number."""
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    return bool(value) if isinstance(value, (bool, int, float)) and value in (0, 1) else None


def timestamp_in(value: object) -> datetime | None:
    """Read a time like `moment_in`, but only between `EARLIEST` and `LATEST`; others mean "none".

    >>> timestamp_in("2026-09-01T02:00:00+02:00"), timestamp_in("0001-01-01T00:00:00Z")
    (datetime.datetime(2026, 9, 1, 0, 0, tzinfo=datetime.timezone.utc), None)
    """
    moment = moment_in(value)
    return moment if moment is not None and EARLIEST <= moment < LATEST else None


def moment_in(value: object) -> datetime | None:
    """Read RFC 3339 and similar, HTTP dates, or a Unix time in s, ms, us or ns; UTC without a zone."""
    number = number_in(value)
    if number is not None:
        # Today's time in ms, us or ns would be out of range in any smaller unit.
        unit = next((unit for unit in _UNITS if abs(number) < _LATEST_S * unit), None)
        return None if unit is None else datetime.fromtimestamp(number / unit, timezone.utc)
    if not isinstance(value, (str, datetime)):
        return None
    try:
        moment = _datetime.validate_python(_normalize_time(value) if isinstance(value, str) else value)
    except ValidationError:
        return _http_date_in(value)
    try:
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc)
    except OverflowError:
        return None


def _normalize_time(text: str) -> str:
    """Convert relatives of RFC 3339 to RFC 3339."""
    text = _ZONE_APART.sub("", _ZONE_NAME.sub("Z", text.strip()))
    return _COMPACT_TIME.sub(r"\1-\2-\3T\4:\5:\6", text, count=1)


def _http_date_in(value: object) -> datetime | None:
    if not isinstance(value, str) or not _HTTP_DATE.fullmatch(value):
        return None
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, TypeError, OverflowError):
        return None


Currency = Annotated[str | None, BeforeValidator(currency_in)]
Text = Annotated[str | None, BeforeValidator(text_in)]
Label = Annotated[str | None, BeforeValidator(_read_label)]
"""Text without the words for no value; names and ids stay as they are."""
Name = Annotated[str | None, BeforeValidator(_read_name)]
"""A person's name, which may be Nan or Nil."""
Number = Annotated[float | None, BeforeValidator(number_in)]
Balance = Annotated[float | None, BeforeValidator(balance_in)]
Price = Annotated[float | None, BeforeValidator(price_in)]
Size = Price
OfferPrice = Annotated[float | None, BeforeValidator(offer_price_in)]
Amount = Annotated[float | None, BeforeValidator(amount_in)]
Whole = Annotated[int | None, BeforeValidator(whole_in)]
Count = Annotated[int | None, BeforeValidator(count_in)]
Tally = Annotated[int | None, BeforeValidator(tally_in)]
Flag = Annotated[bool | None, BeforeValidator(flag_in)]
Timestamp = Annotated[datetime | None, BeforeValidator(timestamp_in)]


def fold_word(value: str) -> str:
    """Normalize a word's case, spaces, dashes and camelCase.

    >>> fold_word(" in-progress "), fold_word("SoldOut"), fold_word("SOLD_OUT")
    ('IN_PROGRESS', 'SOLD_OUT', 'SOLD_OUT')
    """
    # No known word is longer, and longer text must not fill the cache.
    return _fold_short(value[:_MAX_WORD])


@lru_cache(maxsize=512)
def _fold_short(value: str) -> str:
    words = _CAMEL_CASE.sub("_", unicodedata.normalize("NFKC", value))
    return _SEPARATORS.sub("_", words).strip("_").upper()


def parse_enum(enum: type[_E], value: object, synonyms: Mapping[str, _E] | None = None) -> _E | str | None:
    """Read a member of an enum; an unknown word stays text.

    >>> from primepods_magic.api.enums import PodStatus
    >>> parse_enum(PodStatus, "active") is PodStatus.ACTIVE, parse_enum(PodStatus, "MIGRATING")
    (True, 'MIGRATING')
    """
    if is_no_value(value):
        return None
    text = text_in(value)
    if text is None:
        # A value of another type is not "none" either.
        return str(value)[:_MAX_ODD_WORD]
    # "inprogress" is the same word as "in progress".
    joined = fold_word(text).replace("_", "")
    for known in (enum.__members__, synonyms or {}):
        for name, member in known.items():
            if name.replace("_", "") == joined:
                return member
    return text


def rows_of(value: object) -> list[Any]:
    """Return the objects in a list, without anything else in it or instead of it."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
