"""What a pod costs an hour, under whichever name its service says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from primepods_magic.api.text.sanitize import replace_surrogates

from .lenient_types import balance_in, fold_word, is_no_value, price_in

__all__ = ["is_price_name", "told_prices", "with_price"]

_LONGEST_UNREAD = 60

# The whole pod's price now. "basePriceHr" is in the provider's currency, "onDemandPriceHr" another offer's.
_NAMES = tuple(
    """
    pricehr costperhr costhr priceperhr priceperhour costperhour hourlyprice hourlycost hourlyrate
    priceperhrusd pricehourly costhourly rateperhour ratehr totalpricehr totalcosthr totalcostperhr
    totalpriceperhr pricehrusd priceusdhr priceusdperhr priceusdperhour usdhr usdperhr usdperhour
    currentpricehr effectivepricehr costperhrusd costusdhr
    """.split()
)


def is_price_name(name: str) -> bool:
    """Return whether a field is called what some services call the price of a whole pod per hour.

    >>> is_price_name("costPerHr"), is_price_name("hourly_price"), is_price_name("basePriceHr")
    (True, True, False)
    """
    return fold_word(name).replace("_", "").lower() in _NAMES


def told_prices(said: Mapping[str, Any]) -> list[float]:
    """Every price of the whole pod that an answer tells; placeholders are none."""
    prices = (price_in(value) for name, value in said.items() if is_price_name(name))
    return [price for price in prices if price is not None]


def with_price(said: dict[str, Any]) -> dict[str, Any]:
    """An answer whose ``priceHr`` is another of its prices, the highest, where it has none itself. A price
    that cannot be read is its ``unreadPrice``, as text."""
    unread = next((text for name, value in said.items() if (text := _find_unread(name, value))), None)
    if unread is not None:
        said = {**said, "unreadPrice": unread}
    if price_in(said.get("priceHr", said.get("price_hr"))) is not None:
        return said
    others = told_prices(said)
    return {**said, "priceHr": max(others)} if others else said


def _find_unread(name: str, value: object) -> str | None:
    """Return the text of a price that is there and cannot be read; 0 and below are placeholders."""
    if not isinstance(name, str) or not (is_price_name(name) or fold_word(name) == "PROVISIONING_PRICE_HR"):
        return None
    is_nan = isinstance(value, float) and value != value
    if is_nan or is_no_value(value) or value in ({}, []) or balance_in(value) is not None:
        return None
    return replace_surrogates(str(value)[:_LONGEST_UNREAD])
