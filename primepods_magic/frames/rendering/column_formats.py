"""Shown columns for each kind of frame, and their formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from primepods_magic.api.text.money import format_money

from .formatting import MISSING, is_missing, number, percent, words

__all__ = ["CellStyle", "ColumnFormat", "DisplayCell", "Severity", "plain_view", "views_of"]

Severity = Literal["good", "busy", "warn", "bad", "idle"]
CellStyle = Literal["text", "strong", "number", "badge", "bar", "code"]

_MAX_COLUMNS = 12

_SEVERITIES: dict[str, Severity] = {
    "ACTIVE": "good",
    "COMPLETE": "good",
    "AVAILABLE": "good",
    "HIGH": "good",
    "MEDIUM": "good",
    "PROVISIONING": "busy",
    "PENDING": "busy",
    "IN_PROGRESS": "busy",
    "DELETING": "busy",
    "LOW": "warn",
    "STOPPED": "warn",
    "UNKNOWN": "warn",
    "ERROR": "bad",
    "FAILED": "bad",
    "TERMINATED": "idle",
    "UNAVAILABLE": "idle",
    "OK": "good",
    "WARNING": "warn",
    "PROBLEM": "bad",
}


@dataclass(frozen=True)
class DisplayCell:
    """One value as text, with its severity and the length of its bar in percent."""

    text: str
    severity: Severity | None = None
    percent: float | None = None


@dataclass(frozen=True)
class ColumnFormat:
    """Format of one shown column.

    `sources` are the columns of the frame that `format_value` takes; the first is the heading, so that
    users can type what they read. A `rank` of 0 is always shown; of the others the highest is dropped first
    on long lines.
    """

    sources: tuple[str, ...]
    format_value: Callable[..., DisplayCell]
    style: CellStyle = "text"
    rank: int = 0
    max_length: int = 24

    @property
    def heading(self) -> str:
        """The name of its first source column."""
        return self.sources[0]


def _format_text(value: object) -> DisplayCell:
    return DisplayCell(words(value))


def _format_number(value: object) -> DisplayCell:
    return DisplayCell(number(value))


def _format_amount(value: object, currency: object = None) -> DisplayCell:
    text = format_money(value, currency)
    return DisplayCell(words(value) if text == MISSING else text)


def _format_unit_price(value: object) -> DisplayCell:
    """Format a price of one GB with its digits: all are far below a cent."""
    return DisplayCell(f"{value:.3g}" if isinstance(value, float) and not is_missing(value) else words(value))


def _format_share(value: object) -> DisplayCell:
    return DisplayCell(percent(value * 100 if isinstance(value, float) else value))


def _format_period(value: Any) -> DisplayCell:
    """Format the start of a period in its own time zone."""
    if is_missing(value):
        return DisplayCell("no time")
    return DisplayCell(f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M %Z}")


def _format_badge(value: object) -> DisplayCell:
    text = words(value)
    return DisplayCell(text, _SEVERITIES.get(text.upper(), "idle" if text == MISSING else "warn"))


def _format_installation(status: object, progress: object) -> DisplayCell:
    """Format the status and, until it is complete, the progress."""
    text, done = words(status), percent(progress)
    length = float(progress) if isinstance(progress, (int, float)) and not is_missing(progress) else None
    if text == MISSING:
        return DisplayCell(done, "good" if length is not None and length >= 100 else "busy", length)
    severity = _SEVERITIES.get(text.upper(), "warn")
    if text == "COMPLETE" or length is None:
        return DisplayCell(text, severity, 100.0 if text == "COMPLETE" else None)
    return DisplayCell(f"{text} {done}", severity, length)


def _text_column(name: str, rank: int = 0, max_length: int = 24, style: CellStyle = "text") -> ColumnFormat:
    return ColumnFormat((name,), _format_text, style, rank, max_length)


def _number_column(name: str, rank: int = 0) -> ColumnFormat:
    return ColumnFormat((name,), _format_number, "number", rank)


_NAME = ColumnFormat(("name",), _format_text, "strong")
_STATUS = ColumnFormat(("status",), _format_badge, "badge")
_INSTALLATION = ColumnFormat(("installation_status", "installation_progress"), _format_installation, "bar")
_PRICE = ColumnFormat(("price_usd_hr",), _format_amount, "number")
_BILLED = ColumnFormat(("billed_usd",), _format_amount, "number")
_DURATION = ColumnFormat(("duration",), _format_text, "number")
_SSH = ColumnFormat(("ssh",), _format_text, "code", 1, 60)

_VIEWS: dict[str, tuple[ColumnFormat, ...]] = {
    "pods": (
        _NAME,
        _STATUS,
        _INSTALLATION,
        _text_column("gpu"),
        _number_column("gpu_count"),
        _PRICE,
        _text_column("created_at", 4),
        _text_column("provider", 3),
        _SSH,
        _text_column("id", 5, 10, "code"),
    ),
    "status": (
        _NAME,
        _STATUS,
        _INSTALLATION,
        ColumnFormat(("price_usd_hr",), _format_amount, "number", 1),
        _text_column("provider", 4),
        ColumnFormat(("ssh",), _format_text, "code", 3, 60),
        _text_column("installation_failure", 2, 60),
        _text_column("id", 1, 32, "code"),
    ),
    "offers": (
        _text_column("gpu"),
        _number_column("gpu_count"),
        ColumnFormat(("price_hr", "currency"), _format_amount, "number"),
        ColumnFormat(("price_gpu_hr", "currency"), _format_amount, "number"),
        _text_column("provider"),
        _text_column("region", 1),
        _text_column("country", 7),
        _text_column("data_center", 6),
        _text_column("socket", 8),
        _text_column("security", 9),
        _text_column("is_spot", 2),
        ColumnFormat(("stock",), _format_badge, "badge"),
        _number_column("vcpus", 3),
        _number_column("memory_gb", 4),
        _number_column("disk_gb", 5),
        _text_column("cloud_id", 10, 16, "code"),
    ),
    "history": (
        _NAME,
        _text_column("gpu"),
        _number_column("gpu_count"),
        _text_column("created_at", 4),
        _text_column("terminated_at", 6),
        _DURATION,
        _number_column("gpu_hours", 3),
        ColumnFormat(("price_usd_hr",), _format_amount, "number", 1),
        _BILLED,
        _text_column("provider", 2),
        _text_column("provisioned_by", 5),
        _text_column("remarks", 7, 40),
    ),
    "removed": (
        _NAME,
        _text_column("outcome", 0, 60),
        _BILLED,
        _DURATION,
        _text_column("id", 1, 32, "code"),
    ),
    "disks": (
        _NAME,
        _STATUS,
        _number_column("size_gb"),
        _PRICE,
        _text_column("provider", 2),
        _text_column("country", 3),
        _text_column("data_center", 4),
        _text_column("pods", 1, 34, "code"),
        _text_column("created_at", 5),
        _text_column("id", 6, 34, "code"),
    ),
    "keys": (
        _NAME,
        _text_column("is_primary"),
        _text_column("type", 2),
        _text_column("fingerprint", 1, 52, "code"),
        _text_column("created_at", 4),
        _text_column("id", 3, 34, "code"),
    ),
    "wallets": (
        _text_column("wallet", 0, 24, "strong"),
        _number_column("pods"),
        _number_column("disks"),
        ColumnFormat(("burn_usd_hr",), _format_amount, "number"),
        ColumnFormat(("today_usd",), _format_amount, "number"),
        ColumnFormat(("month_usd",), _format_amount, "number"),
        ColumnFormat(("balance_usd",), _format_amount, "number"),
        _number_column("hours_left"),
    ),
    "billings": (
        _text_column("resource_type", 0, 24, "strong"),
        ColumnFormat(("amount_usd",), _format_amount, "number"),
        _text_column("last_billed_at"),
        _text_column("created_at", 1),
        _text_column("resource_id", 2, 34, "code"),
    ),
    "spot": (
        _text_column("gpu"),
        _number_column("gpu_hours"),
        ColumnFormat(("cost_usd",), _format_amount, "number"),
        ColumnFormat(("paid_usd_gpu_hr",), _format_amount, "number", 2),
        ColumnFormat(("on_demand_usd_gpu_hr",), _format_amount, "number", 4),
        ColumnFormat(("spot_usd_gpu_hr",), _format_amount, "number", 1),
        ColumnFormat(("spot_cost_usd",), _format_amount, "number", 3),
        ColumnFormat(("saving_usd",), _format_amount, "number"),
    ),
    "checks": (
        _text_column("check", 0, 24, "strong"),
        ColumnFormat(("result",), _format_badge, "badge"),
        _text_column("detail", 0, 110),
        _text_column("what_to_do", 0, 80),
    ),
}


_COST_RANKS = {"share": 20, "gpu_hours": 21, "pods": 22, "estimated": 23}
"""Columns of a breakdown that are dropped first from long lines."""


def views_of(kind: str, names: Sequence[str]) -> list[ColumnFormat]:
    """Return the column formats for a kind of frame, or for its first columns if the kind has no list."""
    if kind in _VIEWS:
        return list(_VIEWS[kind])
    if kind == "costs":
        return [plain_view(name, rank=_COST_RANKS.get(name, index)) for index, name in enumerate(names)]
    return [plain_view(name, rank=index) for index, name in enumerate(names[:_MAX_COLUMNS])]


def plain_view(name: str, rank: int) -> ColumnFormat:
    """Return the format of a column that no list has, judged by its name."""
    if name in ("status", "stock"):
        return ColumnFormat((name,), _format_badge, "badge", rank)
    if name in ("share", "change", "difference"):
        return ColumnFormat((name,), _format_share, "number", rank)
    if name == "period":
        return ColumnFormat((name,), _format_period, "text", rank)
    if name in ("pods", "gpu_count", "hours_left") or name.endswith("_hours"):
        return _number_column(name, rank)
    if "_usd_gb_" in name:
        return ColumnFormat((name,), _format_unit_price, "number", rank)
    if "_usd" in name:
        return ColumnFormat((name,), _format_amount, "number", rank)
    if name == "id" or name.endswith("_id"):
        return ColumnFormat((name,), _format_text, "code", rank, 32)
    return ColumnFormat((name,), _format_text, "text", rank, 40)
