"""Field types that accept whatever the service sends and never fail a whole answer for one field.

A value that cannot be read as its type becomes ``None``: the page's example sends numbers as text,
the published document sends them as numbers, and both drift. So does a placeholder that stands for no
value: a price of 0, a time in the year 1, a text that says ``null``. Each kind of value is declared once,
here, with what counts as missing.
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
_LONGEST_WORD = 200
EARLIEST = datetime(2020, 1, 1, tzinfo=timezone.utc)
"""Nothing that the service tells of is older."""
LATEST = datetime(2038, 1, 19, tzinfo=timezone.utc)
"""Times from here on mean "never": 32-bit clocks end here, and 2099 and 9999 are written as well."""
MOST = 1_000_000
"""The highest number of GPUs, or rows, that is believed."""
_LONGEST_ODD_WORD = 40
_LATEST_S = LATEST.timestamp()
_UNITS = (1, 10**3, 10**6, 10**9)
_HIGHEST_OFFER_PRICE = 1e6
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


class ApiModel(BaseModel):
    """Base of everything the service says: camelCase on the wire, unknown keys are kept."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # Nobody knows what a field beyond the documents holds; it may be a token.
        known = type(self).model_fields
        return [(name, value) for name, value in super().__repr_args__() if name in known]


def is_no_value(value: object) -> bool:
    """Return whether a value says that there is none: ``null``, or a text such as "null", "N/A" or "-".

    >>> is_no_value(None), is_no_value(" N/A "), is_no_value("0")
    (True, True, False)
    """
    return value is None or (isinstance(value, str) and value.strip().casefold() in _NO_VALUES)


def text_in(value: object) -> str | None:
    """A text of whole characters, so that it can be sent back, or a number as text."""
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
    """A finite number, also where it comes as text."""
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
    """A whole number of 64 bits, also where it comes as text."""
    number = number_in(value)
    if number is None or not number.is_integer() or abs(number) >= _INT64:
        return None
    return int(number)


def amount_in(value: object) -> float | None:
    """A number that may be 0 and not below: what is stopped, included or coming up may cost nothing. A text
    may name its currency if that is USD.

    >>> amount_in("$2.50/h"), amount_in(0), amount_in(-1)
    (2.5, 0.0, None)
    """
    number = balance_in(value)
    return number if number is not None and number >= 0 else None


def balance_in(value: object) -> float | None:
    """An amount of either sign: what was billed, or refunded, or is left.

    >>> balance_in("$12.50"), balance_in("-$3"), balance_in("12,50")
    (12.5, -3.0, None)
    """
    if isinstance(value, str):
        text = value.strip()
        is_negative = text.startswith("-$")
        told = _USD_TEXT.fullmatch(text[1:] if is_negative else text)
        number = number_in(told[1].replace(",", "")) if told else None
        return -number if number is not None and is_negative else number
    return number_in(value)


def price_in(value: object) -> float | None:
    """The price, or the size, of something that is never free, or empty: 0 and below are placeholders.

    >>> price_in(2.5), price_in(0)
    (2.5, None)
    """
    return amount_in(value) or None


def offer_price_in(value: object) -> float | None:
    """The price of an offer, which nobody takes above a million an hour: that is a placeholder, too. A live
    pod keeps such a price, so that a ceiling stops it."""
    number = price_in(value)
    return number if number is not None and number <= _HIGHEST_OFFER_PRICE else None


def tally_in(value: object) -> int | None:
    """How many there are, from none to a million."""
    number = whole_in(value)
    return number if number is not None and 0 <= number <= MOST else None


def count_in(value: object) -> int | None:
    """How many there are of what has at least one."""
    return tally_in(value) or None


def port_in(value: object) -> int | None:
    """The number of a port, from 1 to 65535.

    >>> port_in("2200"), port_in(0), port_in("70000"), port_in("*")
    (2200, None, None, None)
    """
    number = whole_in(value)
    return number if number is not None and 0 < number < 65536 else None


def currency_in(value: object) -> str | None:
    """The code of a currency; the ways to write USD are one.

    >>> currency_in("usd"), currency_in("US$"), currency_in("EUR"), currency_in("")
    ('USD', 'USD', 'EUR', None)
    """
    text = _read_label(value)
    if text is None:
        return None
    return "USD" if "".join(text.split()).upper() in _USD else text.strip().upper()


def flag_in(value: object) -> bool | None:
    """Read true or false, also where it comes as a word or as a number."""
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    return bool(value) if isinstance(value, (bool, int, float)) and value in (0, 1) else None


def timestamp_in(value: object) -> datetime | None:
    """Read RFC 3339 and its relatives, dates of HTTP, and seconds (or parts of seconds) since 1970; a time
    without a zone is UTC. A time before `EARLIEST` or from `LATEST` on stands for none.

    >>> timestamp_in("2026-09-01T02:00:00+02:00"), timestamp_in("0001-01-01T00:00:00Z")
    (datetime.datetime(2026, 9, 1, 0, 0, tzinfo=datetime.timezone.utc), None)
    """
    moment = moment_in(value)
    return moment if moment is not None and EARLIEST <= moment < LATEST else None


def moment_in(value: object) -> datetime | None:
    """Read a time as `timestamp_in`, whichever time it is."""
    number = number_in(value)
    if number is not None:
        # Milliseconds, microseconds and nanoseconds of our time are as many seconds of no time at all.
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
    """Return a time in the form of RFC 3339 if it is in one of its relatives."""
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
"""A text that is never the word for no value; names and ids stay as they are."""
Name = Annotated[str | None, BeforeValidator(_read_name)]
"""What a person is called, which may be Nan or Nil."""
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
    """Fold a word, so that case, spaces, dashes and camelCase make no difference.

    >>> fold_word(" in-progress "), fold_word("SoldOut"), fold_word("SOLD_OUT")
    ('IN_PROGRESS', 'SOLD_OUT', 'SOLD_OUT')
    """
    # No word is as long as that; longer text is not kept.
    return _fold_short(value[:_LONGEST_WORD])


@lru_cache(maxsize=512)
def _fold_short(value: str) -> str:
    parted = _CAMEL_CASE.sub("_", unicodedata.normalize("NFKC", value))
    return _SEPARATORS.sub("_", parted).strip("_").upper()


def parse_enum(enum: type[_E], value: object, synonyms: Mapping[str, _E] | None = None) -> _E | str | None:
    """Read one of the API's words; an unknown one is kept as the text it is.

    >>> from primepods_magic.api.enums import PodStatus
    >>> parse_enum(PodStatus, "active") is PodStatus.ACTIVE, parse_enum(PodStatus, "MIGRATING")
    (True, 'MIGRATING')
    """
    if is_no_value(value):
        return None
    text = text_in(value)
    if text is None:
        # Also what is no text is something that was said, and not nothing.
        return str(value)[:_LONGEST_ODD_WORD]
    # "inprogress" is the same word as "in progress".
    joined = fold_word(text).replace("_", "")
    for known in (enum.__members__, synonyms or {}):
        for name, member in known.items():
            if name.replace("_", "") == joined:
                return member
    return text


def rows_of(value: object) -> list[Any]:
    """The objects in a list; anything else in it, or instead of it, is passed over."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
