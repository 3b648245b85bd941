"""Is there a machine? The word of a list of offers, in whichever spelling."""

from __future__ import annotations

from enum import IntEnum

from .lenient_types import fold_word, is_no_value, number_in

__all__ = ["Stock", "read_stock", "stock_text_in"]

_LONGEST = 40
_THERE = frozenset(
    "AVAILABLE LOW MEDIUM HIGH INSTOCK LOWSTOCK MEDIUMSTOCK HIGHSTOCK VERYLOW VERYHIGH LIMITED LIMITEDSTOCK "
    "TRUE YES PLENTY MANY FEW".split()
)
# Words any of which says that there is nothing unless it is negated: "Currently unavailable".
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
# What a machine that is there may be without: "No limit".
_CONDITIONS = frozenset(
    "LIMIT LIMITS LIMITED WAIT WAITING QUEUE QUEUES RESERVATION RESERVATIONS CONTRACT CONTRACTS COMMITMENT "
    "COMMITMENTS MINIMUM MAXIMUM RESTRICTION RESTRICTIONS RESTRICTED SHORTAGE DELAY DELAYS".split()
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
    said, words = _split_negations(folded.split("_"))
    joined = "".join(said)
    if folded.replace("_", "") in _OUT or not _OUT.isdisjoint(words):
        return Stock.OUT
    return Stock.THERE if is_no_value(text) or joined in _THERE else Stock.UNKNOWN


def _split_negations(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the words before the first negation, and all words that remain after what is negated is left
    out, with "NOTHING" for each negation of stock."""
    first = next((place for place, word in enumerate(words) if word in _NEGATIONS), len(words))
    said, remaining = words[:first], words[:first]
    is_there = "".join(said) in _THERE
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
        # Of something else that is there, such as "Low (not recommended)", it is a remark.
        if negated not in _OUT | _CONDITIONS and (negated in _STOCK or not is_there):
            remaining.append("NOTHING")
    return said, remaining
