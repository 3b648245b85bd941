"""The stock status of an offer, in any spelling."""

from __future__ import annotations

from enum import IntEnum

from .lenient_types import fold_word, is_no_value, number_in

__all__ = ["Stock", "read_stock", "stock_text_in"]

_MAX_CHARS = 40
_THERE = frozenset(
    "AVAILABLE LOW MEDIUM HIGH INSTOCK LOWSTOCK MEDIUMSTOCK HIGHSTOCK VERYLOW VERYHIGH LIMITED LIMITEDSTOCK "
    "TRUE YES PLENTY MANY FEW".split()
)
# Words that mean no stock unless negated: "Currently unavailable".
_OUT = frozenset(
    "UNAVAILABLE UNAVAIL OUT OOS SOLD SOLDOUT NOTHING NONE NIL ZERO FALSE EMPTY EXHAUSTED DEPLETED "
    "INSUFFICIENT LACKING GONE DISCONTINUED DISABLED OFFLINE INACTIVE BACKORDER BACKORDERED NOSTOCK "
    "OUTOFSTOCK OUTOFCAPACITY NOCAPACITY NOTAVAILABLE NOTINSTOCK WAITLIST PREORDER WITHDRAWN".split()
)
_NEGATIONS = frozenset({"NO", "NOT", "WITHOUT", "NEVER"})
_FILLERS = frozenset(
    "CURRENTLY PRESENTLY TEMPORARILY NOW YET IN ANY LONGER MORE ENOUGH SUFFICIENT THE".split()
)
_STOCK = frozenset(
    "AVAILABLE AVAILABILITY STOCK STOCKED CAPACITY INVENTORY GPU GPUS MACHINE MACHINES INSTANCE INSTANCES "
    "NODE NODES HOST HOSTS OFFER OFFERS OFFERED UNIT UNITS RESOURCES LEFT REMAINING FREE READY".split()
)
# Conditions that an available machine may lack: "No limit".
_CONDITIONS = frozenset(
    "LIMIT LIMITS LIMITED WAIT WAITING QUEUE QUEUES RESERVATION RESERVATIONS CONTRACT CONTRACTS COMMITMENT "
    "COMMITMENTS MINIMUM MAXIMUM RESTRICTION RESTRICTIONS RESTRICTED SHORTAGE DELAY DELAYS".split()
)


class Stock(IntEnum):
    """The meaning of a stock status, best first."""

    THERE = 0
    UNKNOWN = 1
    OUT = 2


def stock_text_in(value: object) -> str | None:
    """Return a stock status as text, also one of another type."""
    if value is None or isinstance(value, str):
        return value
    return str(value)[:_MAX_CHARS]


def read_stock(text: str | None) -> Stock:
    """Read a stock status; a missing one means that there is a machine, as published.

    >>> read_stock("Low").name, read_stock("Out of Stock").name, read_stock("Reserved").name
    ('THERE', 'OUT', 'UNKNOWN')
    """
    number = number_in(text)
    if number is not None:
        return Stock.THERE if number > 0 else Stock.OUT
    folded = fold_word(text or "")
    before, words = _split_negations(folded.split("_"))
    joined = "".join(before)
    if folded.replace("_", "") in _OUT or not _OUT.isdisjoint(words):
        return Stock.OUT
    return Stock.THERE if is_no_value(text) or joined in _THERE else Stock.UNKNOWN


def _split_negations(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the words before the first negation, and all words with negated stock replaced by "NOTHING"."""
    first = next((index for index, word in enumerate(words) if word in _NEGATIONS), len(words))
    before, remaining = words[:first], words[:first]
    is_there = "".join(before) in _THERE
    rest = words[first:]
    while rest:
        word = rest.pop(0)
        if word not in _NEGATIONS:
            remaining.append(word)
            continue
        while rest and rest[0] in _FILLERS:
            rest.pop(0)
        negated = rest[0] if rest else "STOCK"
        if negated in _OUT | _CONDITIONS:
            del rest[: 2 if rest[:2] == ["SOLD", "OUT"] else 1]
        # A negation of something else is a remark if there is stock: "Low (not recommended)".
        if negated not in _OUT | _CONDITIONS and (negated in _STOCK or not is_there):
            remaining.append("NOTHING")
    return before, remaining
