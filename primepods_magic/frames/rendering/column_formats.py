"""What of a frame is shown, and how: for each kind of answer, its most important columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .formatting import MISSING, is_missing, money, number, percent, words

__all__ = ["Cell", "Look", "Tone", "View", "plain_view", "views_of"]

Tone = Literal["good", "busy", "warn", "bad", "idle"]
Look = Literal["text", "strong", "number", "badge", "bar", "code"]

_MOST_COLUMNS = 12

_TONES: dict[str, Tone] = {
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
class Cell:
    """One value as words, with the colour that goes with them and the length of its bar in percent."""

    text: str
    tone: Tone | None = None
    percent: float | None = None


@dataclass(frozen=True)
class View:
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
    write: Callable[..., Cell]
    look: Look = "text"
    rank: int = 0
    most: int = 24

    @property
    def heading(self) -> str:
        """The name of its column."""
        return self.sources[0]


def _text(value: object) -> Cell:
    return Cell(words(value))


def _number(value: object) -> Cell:
    return Cell(number(value))


def _money(value: object, currency: object = None) -> Cell:
    return Cell(money(value, currency))


def _share(value: object) -> Cell:
    return Cell(percent(value * 100 if isinstance(value, float) else value))


def _period(value: Any) -> Cell:
    """Where a period begins, in its own time zone."""
    if is_missing(value):
        return Cell("no time")
    return Cell(f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M %Z}")


def _badge(value: object) -> Cell:
    text = words(value)
    return Cell(text, _TONES.get(text.upper(), "idle" if text == MISSING else "warn"))


def _installation(status: object, progress: object) -> Cell:
    """The status and, until it is complete, how far it is."""
    said, done = words(status), percent(progress)
    length = float(progress) if isinstance(progress, (int, float)) and not is_missing(progress) else None
    if said == MISSING:
        return Cell(done, "good" if length is not None and length >= 100 else "busy", length)
    tone = _TONES.get(said.upper(), "warn")
    if said == "COMPLETE" or length is None:
        return Cell(said, tone, 100.0 if said == "COMPLETE" else None)
    return Cell(f"{said} {done}", tone, length)


def _one(name: str, rank: int = 0, most: int = 24, look: Look = "text") -> View:
    return View((name,), _text, look, rank, most)


def _count(name: str, rank: int = 0) -> View:
    return View((name,), _number, "number", rank)


_NAME = View(("name",), _text, "strong")
_STATUS = View(("status",), _badge, "badge")
_INSTALLATION = View(("installation_status", "installation_progress"), _installation, "bar")
_PRICE = View(("price_usd_hr",), _money, "number")
_BILLED = View(("billed_usd",), _money, "number")
_DURATION = View(("duration",), _text, "number")
_SSH = View(("ssh",), _text, "code", 1, 60)

_VIEWS: dict[str, tuple[View, ...]] = {
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
        View(("price_usd_hr",), _money, "number", 1),
        _one("provider", 4),
        View(("ssh",), _text, "code", 3, 60),
        _one("installation_failure", 2, 60),
        _one("id", 1, 32, "code"),
    ),
    "offers": (
        _one("gpu"),
        _count("gpu_count"),
        View(("price_hr", "currency"), _money, "number"),
        View(("price_gpu_hr", "currency"), _money, "number"),
        _one("provider"),
        _one("region", 1),
        _one("country", 7),
        _one("data_center", 6),
        _one("socket", 8),
        _one("security", 9),
        _one("is_spot", 2),
        View(("stock",), _badge, "badge"),
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
        View(("price_usd_hr",), _money, "number", 1),
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
        View(("burn_usd_hr",), _money, "number"),
        View(("today_usd",), _money, "number"),
        View(("month_usd",), _money, "number"),
        View(("balance_usd",), _money, "number"),
        _count("hours_left"),
    ),
    "billings": (
        _one("resource_type", 0, 24, "strong"),
        View(("amount_usd",), _money, "number"),
        _one("last_billed_at"),
        _one("created_at", 1),
        _one("resource_id", 2, 34, "code"),
    ),
    "spot": (
        _one("gpu"),
        _count("gpu_hours"),
        View(("cost_usd",), _money, "number"),
        View(("paid_usd_gpu_hr",), _money, "number", 2),
        View(("on_demand_usd_gpu_hr",), _money, "number", 4),
        View(("spot_usd_gpu_hr",), _money, "number", 1),
        View(("spot_cost_usd",), _money, "number", 3),
        View(("saving_usd",), _money, "number"),
    ),
    "checks": (
        _one("check", 0, 24, "strong"),
        View(("result",), _badge, "badge"),
        _one("detail", 0, 110),
        _one("what_to_do", 0, 80),
    ),
}


_LESSER = {"share": 20, "gpu_hours": 21, "pods": 22, "estimated": 23}
"""Of a breakdown of costs, what leaves first where the line is too long."""


def views_of(kind: str, names: Sequence[str]) -> list[View]:
    """What is shown of a kind of answer; of one without a list here, its first columns."""
    if kind in _VIEWS:
        return list(_VIEWS[kind])
    if kind == "costs":
        return [plain_view(name, rank=_LESSER.get(name, place)) for place, name in enumerate(names)]
    return [plain_view(name, rank=place) for place, name in enumerate(names[:_MOST_COLUMNS])]


def plain_view(name: str, rank: int) -> View:
    """A column that no list names, by what its name says."""
    if name in ("status", "stock"):
        return View((name,), _badge, "badge", rank)
    if name in ("share", "change", "difference"):
        return View((name,), _share, "number", rank)
    if name == "period":
        return View((name,), _period, "text", rank)
    if name in ("pods", "gpu_count", "hours_left") or name.endswith("_hours"):
        return _count(name, rank)
    if "_usd" in name:
        return View((name,), _money, "number", rank)
    if name == "id" or name.endswith("_id"):
        return View((name,), _text, "code", rank, 32)
    return View((name,), _text, "text", rank, 40)
