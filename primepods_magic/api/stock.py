"""Is there a machine? The word of a list of offers, in whichever spelling."""

from __future__ import annotations

from enum import IntEnum

from .tolerant import fold_word, is_no_value, number_in

__all__ = ["Stock", "read_stock", "stock_text_in"]

_LONGEST = 40
_THERE = frozenset(
    "AVAILABLE LOW MEDIUM HIGH INSTOCK LOWSTOCK MEDIUMSTOCK HIGHSTOCK VERYLOW VERYHIGH LIMITED LIMITEDSTOCK "
    "TRUE YES PLENTY MANY FEW".split()
)
# Words any of which says that there is nothing, whatever stands beside it: "Currently unavailable".
_OUT = frozenset(
    "UNAVAILABLE UNAVAIL OUT OOS SOLD SOLDOUT NO NOT NOTHING NONE NIL ZERO FALSE EMPTY EXHAUSTED DEPLETED "
    "INSUFFICIENT LACKING GONE DISCONTINUED DISABLED OFFLINE INACTIVE BACKORDER BACKORDERED NOSTOCK "
    "OUTOFSTOCK OUTOFCAPACITY NOCAPACITY NOTAVAILABLE NOTINSTOCK WAITLIST PREORDER WITHDRAWN".split()
)


class Stock(IntEnum):
    """What a stock status says, best first: there is a machine, nobody can tell, there is none."""

    THERE = 0
    UNKNOWN = 1
    OUT = 2


def stock_text_in(value: object) -> str | None:
    """Return a stock status as text; also one that is no text is something that was said."""
    if value is None or isinstance(value, str):
        return value
    return str(value)[:_LONGEST]


def read_stock(text: str | None) -> Stock:
    """Read a stock status. One that is left out means that there is a machine, as is published.

    >>> read_stock("Low").name, read_stock("Out of Stock").name, read_stock("Reserved").name
    ('THERE', 'OUT', 'UNKNOWN')
    """
    number = number_in(text)
    if number is not None:
        return Stock.THERE if number > 0 else Stock.OUT
    folded = fold_word(text or "")
    joined = folded.replace("_", "")
    if joined in _OUT or not _OUT.isdisjoint(folded.split("_")):
        return Stock.OUT
    return Stock.THERE if is_no_value(text) or joined in _THERE else Stock.UNKNOWN
