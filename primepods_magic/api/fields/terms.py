"""The terms of an offer: hours charged up front, and whether the machine may be reclaimed."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from primepods_magic.api.text.sanitize import replace_surrogates
from primepods_magic.api.validation.bounds import plain_number

from .lenient_types import ApiModel, Text, flag_in, fold_word, is_no_value, number_in

__all__ = ["OfferTerms", "Spot", "hours_in", "spot_in"]

_MAX_UNREAD_CHARS = 60
_TIME = re.compile(r"([0-9.]+)\s*([A-Za-z]+)")
# A lone M may be minutes or months.
_HOURS = {
    **dict.fromkeys(("MIN", "MINS", "MINUTE", "MINUTES"), 1 / 60),
    **dict.fromkeys(("H", "HR", "HRS", "HOUR", "HOURS"), 1.0),
    **dict.fromkeys(("D", "DAY", "DAYS"), 24.0),
    **dict.fromkeys(("W", "WEEK", "WEEKS"), 7 * 24.0),
}
_SPOT_WORDS = {"SPOT": True, "ON_DEMAND": False, "ONDEMAND": False, "NON_SPOT": False, "NOT_SPOT": False}


def hours_in(value: object) -> float | None:
    """Read a duration in hours from a number, text such as "30 days", or ``{"hours": 720}``.

    >>> hours_in(720), hours_in("720h"), hours_in("30 days"), hours_in({"hours": 720}), hours_in("a month")
    (720.0, 720.0, 720.0, 720.0, None)
    """
    unit: object = "HOURS"
    if isinstance(value, dict) and len(value) == 1:
        ((unit, value),) = value.items()
    elif isinstance(value, str) and (match := _TIME.fullmatch(value.strip())):
        value, unit = plain_number(match[1]), match[2]
    number, hours = number_in(value), _HOURS.get(fold_word(str(unit)))
    return None if number is None or hours is None or number < 0 else number * hours


def spot_in(value: object) -> bool | None:
    """Read whether a machine may be reclaimed at any time.

    >>> spot_in("SPOT"), spot_in("y"), spot_in("on-demand"), spot_in("perhaps")
    (True, True, False, None)
    """
    flag = flag_in(value)
    return _SPOT_WORDS.get(fold_word(value)) if flag is None and isinstance(value, str) else flag


def _describe_value(value: object) -> str | None:
    is_nothing = is_no_value(value) or value in ({}, [], False) or value != value
    return None if is_nothing else replace_surrogates(str(value)[:_MAX_UNREAD_CHARS])


Hours = Annotated[float | None, BeforeValidator(hours_in)]
Spot = Annotated[bool | None, BeforeValidator(spot_in)]


class OfferTerms(ApiModel):
    """Terms of an offer, ``prepaid_time`` in hours; ``unread_*`` hold the text of unreadable terms."""

    is_spot: Spot = None
    unread_spot: Text = None
    prepaid_time: Hours = None
    unread_prepaid: Text = None

    @model_validator(mode="before")
    @classmethod
    def _keep_unread(cls, offer: Any) -> Any:
        if not isinstance(offer, dict):
            return offer
        prepaid = offer.get("prepaidTime", offer.get("prepaid_time"))
        spot = offer.get("isSpot", offer.get("is_spot"))
        # A negative number is a placeholder, as for amounts.
        is_read = hours_in(prepaid) is not None or (number_in(prepaid) or 0.0) < 0
        unread_prepaid = None if is_read else _describe_value(prepaid)
        unread_spot = None if spot_in(spot) is not None else _describe_value(spot)
        return {**offer, "unreadPrepaid": unread_prepaid, "unreadSpot": unread_spot}
