"""Offers as lines of text, aligned in columns for a monospaced font.

A list of such lines is one control that arrow keys, type-ahead, and a screen reader understand; a table of
fifty buttons is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from primepods_magic.api.text.money import format_usd
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.notebook.launcher.state.offers import PricedOffer

__all__ = ["OfferTable", "format_table"]

# Spaces that HTML does not collapse.
_SPACE = "\N{NO-BREAK SPACE}"
_GAP = _SPACE * 2
_MISSING = "–"
_MAX_CELL_LENGTH = 22


@dataclass(frozen=True)
class OfferTable:
    """A line of headings, and a line for each offer."""

    head: str
    lines: tuple[str, ...]


def format_table(rows: Iterable[PricedOffer]) -> OfferTable:
    """Return the offers as aligned lines."""
    rows = list(rows)
    columns = []
    for title, format_cell, is_number in _COLUMNS:
        cells = [format_cell(row) for row in rows]
        width = max(map(len, [title, *cells]))
        align = str.rjust if is_number else str.ljust
        columns.append([align(text, width) for text in (title, *cells)])
    lines = [_GAP.join(line).rstrip().replace(" ", _SPACE) for line in zip(*columns, strict=True)]
    return OfferTable(lines[0], tuple(lines[1:]))


def _format_text(value: object) -> str:
    text = sanitize(value) or _MISSING
    return text if len(text) <= _MAX_CELL_LENGTH else f"{text[: _MAX_CELL_LENGTH - 1]}…"


def _format_amount(value: float | None) -> str:
    return _MISSING if value is None else f"{value:g}"


def _format_location(row: PricedOffer) -> str:
    return _format_text(", ".join(part for part in (row.offer.data_center, row.offer.country) if part))


def _format_kind(row: PricedOffer) -> str:
    cloud = "community" if row.offer.security == "community_cloud" else ""
    return _format_text(
        ", ".join(filter(None, (row.offer.socket, "spot" if row.offer.is_spot else "", cloud)))
    )


def _format_start(row: PricedOffer) -> str:
    minutes = row.offer.provisioning_time
    return _MISSING if minutes is None else f"{minutes:g} min"


_COLUMNS: tuple[tuple[str, Callable[[PricedOffer], str], bool], ...] = (
    ("GPUs", lambda row: f"{row.offer.gpu_count} × {_format_text(row.offer.gpu_type)}", False),
    ("$/h", lambda row: format_usd(row.price_usd_hr), True),
    ("$/GPU/h", lambda row: format_usd(row.price_gpu_usd_hr), True),
    ("vCPUs", lambda row: _format_amount(row.offer.vcpu.default_count), True),
    ("mem GB", lambda row: _format_amount(row.offer.memory.default_count), True),
    ("disk GB", lambda row: _format_amount(row.offer.disk.default_count), True),
    ("stock", lambda row: _format_text(row.offer.stock_status), False),
    ("start", _format_start, True),
    ("provider", lambda row: _format_text(row.offer.provider), False),
    ("location", _format_location, False),
    ("kind", _format_kind, False),
)
