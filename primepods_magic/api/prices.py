"""What a pod costs an hour, under whichever name its service says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .tolerant import fold_word, price_in

__all__ = ["is_price_name", "told_prices", "with_price"]

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
    """An answer whose ``priceHr`` is another of its prices, the highest, where it has none itself."""
    if price_in(said.get("priceHr", said.get("price_hr"))) is not None:
        return said
    others = told_prices(said)
    return {**said, "priceHr": max(others)} if others else said
