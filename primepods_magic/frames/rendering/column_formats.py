"""What of a frame is shown, and how: for each kind of answer, its most important columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from primepods_magic.api.text.money import format_money

from .formatting import MISSING, is_missing, number, percent, words

__all__ = ["CellStyle", "ColumnFormat", "DisplayCell", "Severity", "plain_view", "views_of"]

Severity = Literal["good", "busy", "warn", "bad", "idle"]
CellStyle = Literal["text", "strong", "number", "badge", "bar", "code"]

_MOST_COLUMNS = 12

_TONES: dict[str, Severity] = {
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
    """One value as words, with the colour that goes with them and the length of its bar in percent."""

    text: str
    tone: Severity | None = None
    percent: float | None = None


@dataclass(frozen=True)
class ColumnFormat:
    """One shown column.

    Parameters
    ----------
    sources : tuple of str
        The columns of the frame that it is written from. The first is its heading, so that what is read is
        what can be typed; without it the view is not shown.
    write : callable
        Takes a value of each of these columns.
    look : str
        How its cells look; numbers are to the right.
    rank : int
        0 is always shown; of the others the highest leaves first where the line is too long.
    most : int
        How many characters are shown at most.
    """

    sources: tuple[str, ...]
    write: Callable[..., DisplayCell]
    look: CellStyle = "text"
    rank: int = 0
    most: int = 24

    @property
    def heading(self) -> str:
        """The name of its column."""
        return self.sources[0]


def _text(value: object) -> DisplayCell:
    return DisplayCell(words(value))


def _number(value: object) -> DisplayCell:
    return DisplayCell(number(value))


def _money(value: object, currency: object = None) -> DisplayCell:
    text = format_money(value, currency)
    return DisplayCell(words(value) if text == MISSING else text)


def _unit_price(value: object) -> DisplayCell:
    """A price of one GB, which is far below a cent."""
    return DisplayCell(f"{value:.3g}" if isinstance(value, float) and not is_missing(value) else words(value))


def _share(value: object) -> DisplayCell:
    return DisplayCell(percent(value * 100 if isinstance(value, float) else value))


def _period(value: Any) -> DisplayCell:
    """Where a period begins, in its own time zone."""
    if is_missing(value):
        return DisplayCell("no time")
    return DisplayCell(f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M %Z}")


def _badge(value: object) -> DisplayCell:
    text = words(value)
    return DisplayCell(text, _TONES.get(text.upper(), "idle" if text == MISSING else "warn"))


def _installation(status: object, progress: object) -> DisplayCell:
    """The status and, until it is complete, how far it is."""
    said, done = words(status), percent(progress)
    length = float(progress) if isinstance(progress, (int, float)) and not is_missing(progress) else None
    if said == MISSING:
        return DisplayCell(done, "good" if length is not None and length >= 100 else "busy", length)
    tone = _TONES.get(said.upper(), "warn")
    if said == "COMPLETE" or length is None:
        return DisplayCell(said, tone, 100.0 if said == "COMPLETE" else None)
    return DisplayCell(f"{said} {done}", tone, length)


def _one(name: str, rank: int = 0, most: int = 24, look: CellStyle = "text") -> ColumnFormat:
    return ColumnFormat((name,), _text, look, rank, most)


def _count(name: str, rank: int = 0) -> ColumnFormat:
    return ColumnFormat((name,), _number, "number", rank)


_NAME = ColumnFormat(("name",), _text, "strong")
_STATUS = ColumnFormat(("status",), _badge, "badge")
_INSTALLATION = ColumnFormat(("installation_status", "installation_progress"), _installation, "bar")
_PRICE = ColumnFormat(("price_usd_hr",), _money, "number")
_BILLED = ColumnFormat(("billed_usd",), _money, "number")
_DURATION = ColumnFormat(("duration",), _text, "number")
_SSH = ColumnFormat(("ssh",), _text, "code", 1, 60)

_VIEWS: dict[str, tuple[ColumnFormat, ...]] = {
    "pods": (
        _NAME,
        _STATUS,
        _INSTALLATION,
        _one("gpu"),
        _count("gpu_count"),
        _PRICE,
        _one("created_at", 4),
        _one("provider", 3),
        _SSH,
        _one("id", 5, 10, "code"),
    ),
    "status": (
        _NAME,
        _STATUS,
        _INSTALLATION,
        ColumnFormat(("price_usd_hr",), _money, "number", 1),
        _one("provider", 4),
        ColumnFormat(("ssh",), _text, "code", 3, 60),
        _one("installation_failure", 2, 60),
        _one("id", 1, 32, "code"),
    ),
    "offers": (
        _one("gpu"),
        _count("gpu_count"),
        ColumnFormat(("price_hr", "currency"), _money, "number"),
        ColumnFormat(("price_gpu_hr", "currency"), _money, "number"),
        _one("provider"),
        _one("region", 1),
        _one("country", 7),
        _one("data_center", 6),
        _one("socket", 8),
        _one("security", 9),
        _one("is_spot", 2),
        ColumnFormat(("stock",), _badge, "badge"),
        _count("vcpus", 3),
        _count("memory_gb", 4),
        _count("disk_gb", 5),
        _one("cloud_id", 10, 16, "code"),
    ),
    "history": (
        _NAME,
        _one("gpu"),
        _count("gpu_count"),
        _one("created_at", 4),
        _one("terminated_at", 6),
        _DURATION,
        _count("gpu_hours", 3),
        ColumnFormat(("price_usd_hr",), _money, "number", 1),
        _BILLED,
        _one("provider", 2),
        _one("provisioned_by", 5),
        _one("remarks", 7, 40),
    ),
    "removed": (
        _NAME,
        _one("outcome", 0, 60),
        _BILLED,
        _DURATION,
        _one("id", 1, 32, "code"),
    ),
    "disks": (
        _NAME,
        _STATUS,
        _count("size_gb"),
        _PRICE,
        _one("provider", 2),
        _one("country", 3),
        _one("data_center", 4),
        _one("pods", 1, 34, "code"),
        _one("created_at", 5),
        _one("id", 6, 34, "code"),
    ),
    "keys": (
        _NAME,
        _one("is_primary"),
        _one("type", 2),
        _one("fingerprint", 1, 52, "code"),
        _one("created_at", 4),
        _one("id", 3, 34, "code"),
    ),
    "wallets": (
        _one("wallet", 0, 24, "strong"),
        _count("pods"),
        _count("disks"),
        ColumnFormat(("burn_usd_hr",), _money, "number"),
        ColumnFormat(("today_usd",), _money, "number"),
        ColumnFormat(("month_usd",), _money, "number"),
        ColumnFormat(("balance_usd",), _money, "number"),
        _count("hours_left"),
    ),
    "billings": (
        _one("resource_type", 0, 24, "strong"),
        ColumnFormat(("amount_usd",), _money, "number"),
        _one("last_billed_at"),
        _one("created_at", 1),
        _one("resource_id", 2, 34, "code"),
    ),
    "spot": (
        _one("gpu"),
        _count("gpu_hours"),
        ColumnFormat(("cost_usd",), _money, "number"),
        ColumnFormat(("paid_usd_gpu_hr",), _money, "number", 2),
        ColumnFormat(("on_demand_usd_gpu_hr",), _money, "number", 4),
        ColumnFormat(("spot_usd_gpu_hr",), _money, "number", 1),
        ColumnFormat(("spot_cost_usd",), _money, "number", 3),
        ColumnFormat(("saving_usd",), _money, "number"),
    ),
    "checks": (
        _one("check", 0, 24, "strong"),
        ColumnFormat(("result",), _badge, "badge"),
        _one("detail", 0, 110),
        _one("what_to_do", 0, 80),
    ),
}


_LESSER = {"share": 20, "gpu_hours": 21, "pods": 22, "estimated": 23}
"""Of a breakdown of costs, what leaves first where the line is too long."""


def views_of(kind: str, names: Sequence[str]) -> list[ColumnFormat]:
    """What is shown of a kind of answer; of one without a list here, its first columns."""
    if kind in _VIEWS:
        return list(_VIEWS[kind])
    if kind == "costs":
        return [plain_view(name, rank=_LESSER.get(name, place)) for place, name in enumerate(names)]
    return [plain_view(name, rank=place) for place, name in enumerate(names[:_MOST_COLUMNS])]


def plain_view(name: str, rank: int) -> ColumnFormat:
    """A column that no list names, by what its name says."""
    if name in ("status", "stock"):
        return ColumnFormat((name,), _badge, "badge", rank)
    if name in ("share", "change", "difference"):
        return ColumnFormat((name,), _share, "number", rank)
    if name == "period":
        return ColumnFormat((name,), _period, "text", rank)
    if name in ("pods", "gpu_count", "hours_left") or name.endswith("_hours"):
        return _count(name, rank)
    if "_usd_gb_" in name:
        return ColumnFormat((name,), _unit_price, "number", rank)
    if "_usd" in name:
        return ColumnFormat((name,), _money, "number", rank)
    if name == "id" or name.endswith("_id"):
        return ColumnFormat((name,), _text, "code", rank, 32)
    return ColumnFormat((name,), _text, "text", rank, 40)
