"""The hourly price of a pod, under any of the names that services use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from primepods_magic.api.text.sanitize import replace_surrogates

from .lenient_types import balance_in, fold_word, is_no_value, price_in

__all__ = ["is_price_name", "list_prices", "with_price"]

_MAX_UNREAD_CHARS = 60

# Names for the whole pod's price. "basePriceHr" has another currency, "onDemandPriceHr" is another offer's.
_NAMES = tuple(
    """
    pricehr costperhr costhr priceperhr priceperhour costperhour hourlyprice hourlycost hourlyrate
    priceperhrusd pricehourly costhourly rateperhour ratehr totalpricehr totalcosthr totalcostperhr
    totalpriceperhr pricehrusd priceusdhr priceusdperhr priceusdperhour usdhr usdperhr usdperhour
    currentpricehr effectivepricehr costperhrusd costusdhr
    """.split()
)


@lru_cache(maxsize=512)
def is_price_name(name: str) -> bool:
    """Return whether a field name means the hourly price of a whole pod at some service.

    >>> is_price_name("costPerHr"), is_price_name("hourly_price"), is_price_name("basePriceHr")
    (True, True, False)
    """
    return fold_word(name).replace("_", "").lower() in _NAMES


def list_prices(pod: Mapping[str, Any]) -> list[float]:
    """Return every price of the whole pod in a response, without placeholders."""
    prices = (price_in(value) for name, value in pod.items() if is_price_name(name))
    return [price for price in prices if price is not None]


def with_price(pod: dict[str, Any]) -> dict[str, Any]:
    """Fill a missing ``priceHr`` with the highest other price, and ``unreadPrice`` with an unreadable one."""
    unread = next((text for name, value in pod.items() if (text := _find_unread(name, value))), None)
    if unread is not None:
        pod = {**pod, "unreadPrice": unread}
    if price_in(pod.get("priceHr", pod.get("price_hr"))) is not None:
        return pod
    others = list_prices(pod)
    return {**pod, "priceHr": max(others)} if others else pod


@lru_cache(maxsize=512)
def _is_any_price(name: str) -> bool:
    return is_price_name(name) or fold_word(name) == "PROVISIONING_PRICE_HR"


def _find_unread(name: str, value: object) -> str | None:
    """Return the text of a price that is there and cannot be read; 0 and below are placeholders."""
    if not isinstance(name, str) or not _is_any_price(name):
        return None
    is_nan = isinstance(value, float) and value != value
    if is_nan or is_no_value(value) or value in ({}, []) or balance_in(value) is not None:
        return None
    return replace_surrogates(str(value)[:_MAX_UNREAD_CHARS])
