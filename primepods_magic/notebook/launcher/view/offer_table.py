"""Offers as lines of text whose columns stand below each other in a font of one width.

A list of such lines is one control that arrow keys, type-ahead and a screen reader understand; a table of
fifty buttons is none of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from primepods_magic.api.text.money import format_usd
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.notebook.launcher.state.offers import PricedOffer

__all__ = ["Table", "table"]

# Spaces that HTML does not fold into one.
_SPACE = "\N{NO-BREAK SPACE}"
_GAP = _SPACE * 2
_MISSING = "–"
_LONGEST = 22


@dataclass(frozen=True)
class Table:
    """The line above, and a line for each offer."""

    head: str
    lines: tuple[str, ...]


def table(rows: Iterable[PricedOffer]) -> Table:
    """Write offers down, a line for each.

    Parameters
    ----------
    rows : iterable of Listed
        The offers.
    """
    rows = list(rows)
    columns = []
    for title, text_of, is_number in _COLUMNS:
        cells = [text_of(row) for row in rows]
        width = max(map(len, [title, *cells]))
        fit = str.rjust if is_number else str.ljust
        columns.append([fit(text, width) for text in (title, *cells)])
    lines = [_GAP.join(line).rstrip().replace(" ", _SPACE) for line in zip(*columns, strict=True)]
    return Table(lines[0], tuple(lines[1:]))


def _text(text: object) -> str:
    said = sanitize(text) or _MISSING
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"


def _amount(value: float | None) -> str:
    return _MISSING if value is None else f"{value:g}"


def _where(row: PricedOffer) -> str:
    offer = row.offer
    return _text(", ".join(part for part in (offer.data_center, offer.country) if part))


def _kind(row: PricedOffer) -> str:
    words = (row.offer.socket, "spot" if row.offer.is_spot else "", _CLOUD.get(row.offer.security or "", ""))
    return _text(", ".join(filter(None, words)))


def _start(row: PricedOffer) -> str:
    minutes = row.offer.provisioning_time
    return _MISSING if minutes is None else f"{minutes:g} min"


_CLOUD = {"community_cloud": "community"}
_COLUMNS: tuple[tuple[str, Callable[[PricedOffer], str], bool], ...] = (
    ("GPUs", lambda row: f"{row.offer.gpu_count} × {_text(row.offer.gpu_type)}", False),
    ("$/h", lambda row: format_usd(row.price_usd_hr), True),
    ("$/GPU/h", lambda row: format_usd(row.price_gpu_usd_hr), True),
    ("vCPUs", lambda row: _amount(row.offer.vcpu.default_count), True),
    ("mem GB", lambda row: _amount(row.offer.memory.default_count), True),
    ("disk GB", lambda row: _amount(row.offer.disk.default_count), True),
    ("stock", lambda row: _text(row.offer.stock_status), False),
    ("start", _start, True),
    ("provider", lambda row: _text(row.offer.provider), False),
    ("where", _where, False),
    ("kind", _kind, False),
)
