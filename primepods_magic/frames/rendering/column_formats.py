"""Shown columns of each kind of frame, and their formats, from the declarations of the columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Literal

from primepods_magic.api.text.instants import format_instant
from primepods_magic.api.text.money import format_money
from primepods_magic.frames.tables.catalog import SHOWN, TABLES
from primepods_magic.frames.tables.schema import Column, Format

from .formatting import DISK, MISSING, fixed_number, is_missing, long_time, percent, words

__all__ = ["CellStyle", "ColumnFormat", "DisplayCell", "Severity", "plain_view", "views_of"]

Severity = Literal["good", "busy", "warn", "bad", "idle"]
CellStyle = Literal["text", "strong", "number", "badge", "bar", "code"]

_MAX_COLUMNS = 12
_MAX_LENGTH = 24

_BREAKDOWNS = ("costs", "last-month")
_LAST_OF_COSTS = ("share", "gpu_hours", "pods", "estimated_usd")
"""Columns of breakdowns that are less important than those after them in the frame."""

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
    "SAME": "good",
    "MISSING": "bad",
    "ARMED": "good",
    "UNPROVEN": "bad",
    "ENDING": "busy",
    "BUSY": "busy",
    "IDLE": "idle",
    "WATCHING": "busy",
    "WAITING": "busy",
    "OFFERED": "good",
    "LAUNCHED": "good",
    "LOST": "bad",
}


@dataclass(frozen=True)
class DisplayCell:
    """One value as text, with its severity and the length of its bar in percent.

    A `unit` belongs to the text, or to the heading if all rows have it. `hint` says it in other words.
    """

    text: str
    severity: Severity | None = None
    percent: float | None = None
    unit: str = ""
    hint: str = ""


@dataclass(frozen=True)
class ColumnFormat:
    """Format of one shown column.

    `sources` are the columns of the frame that `format_value` takes; the first is the heading, so that
    users can type what they read. Of the columns that do not fit, the one with the highest `rank` is dropped
    first. A column that `may_hide` is not shown while it is empty, nor one whose every value is the `usual`
    one. With `decimals`, the maximum and a scale, `format_value` also takes the number of decimals that the
    column needs.
    """

    sources: tuple[str, ...]
    format_value: Callable[..., DisplayCell]
    style: CellStyle
    rank: int
    max_length: int
    may_hide: bool = True
    usual: str | None = None
    decimals: tuple[int, int] | None = None

    @property
    def heading(self) -> str:
        """The name of its first source column."""
        return self.sources[0]


def _format_text(value: object) -> DisplayCell:
    if isinstance(value, datetime) and value.tzinfo is not None and not is_missing(value):
        return _format_time(value)
    return DisplayCell(words(value))


def _format_time(value: datetime) -> DisplayCell:
    """Format a time in the user's zone; the hint has it in UTC."""
    text, _, unit = format_instant(value).rpartition(" ")
    hint = "" if unit == "UTC" else format_instant(value, timezone.utc)
    return DisplayCell(text, unit=unit, hint=hint)


def _format_number(value: object, decimals: int = 0) -> DisplayCell:
    return DisplayCell(fixed_number(value, decimals))


def _format_long_time(value: object) -> DisplayCell:
    return DisplayCell(long_time(value))


def _format_group(value: object, pods: object) -> DisplayCell:
    """Format a GPU type that costs are grouped by; what has no pods is a disk."""
    return DisplayCell(DISK if is_missing(value) and pods == 0 else words(value))


def _format_amount(value: object, currency: object = None) -> DisplayCell:
    text = format_money(value, currency)
    return DisplayCell(words(value) if text == MISSING else text)


def _mark_estimate(amount: object) -> str:
    text = format_money(amount)
    return text if text.startswith("<") else f"≈ {text}"


def _format_billed(value: object, estimate: object) -> DisplayCell:
    """Format an amount that was billed or, until then, its estimate."""
    return _format_amount(value) if is_missing(estimate) else DisplayCell(_mark_estimate(estimate))


def _format_cost(value: object, is_estimate: object) -> DisplayCell:
    """Format a cost that may be an estimate as a whole."""
    is_marked = not is_missing(value) and not is_missing(is_estimate) and bool(is_estimate)
    return DisplayCell(_mark_estimate(value)) if is_marked else _format_amount(value)


def _format_part(value: object, _: object) -> DisplayCell:
    """Format a part of an amount; a dash stands for none."""
    return DisplayCell(MISSING) if is_missing(value) or value == 0.0 else _format_amount(value)


def _format_unit_price(value: object) -> DisplayCell:
    """Format a price of one GB with its digits: all are far below a cent."""
    return DisplayCell(f"{value:.3g}" if isinstance(value, float) and not is_missing(value) else words(value))


def _format_share(value: object, decimals: int = 0) -> DisplayCell:
    return DisplayCell(
        fixed_number(value * 100, decimals, " %") if isinstance(value, float) else words(value)
    )


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


_DECIMALS: dict[Format, tuple[int, int]] = {"number": (2, 1), "share": (1, 100)}
"""How many decimals are shown at most, and by what the values are multiplied."""
# Columns that say nothing while every row has this.
_USUAL = {"share": "100 %", "is_spot": "no", "nodes": "1"}

# How each format shows a value, its style, and the column that it needs besides its own.
_FORMATS: dict[Format, tuple[Callable[..., DisplayCell], CellStyle, tuple[str, ...]]] = {
    "text": (_format_text, "text", ()),
    "strong": (_format_text, "strong", ()),
    "code": (_format_text, "code", ()),
    "duration": (_format_text, "number", ()),
    "long_time": (_format_long_time, "number", ()),
    "group": (_format_group, "text", ("pods",)),
    "number": (_format_number, "number", ()),
    "amount": (_format_amount, "number", ()),
    "billed": (_format_billed, "number", ("estimated_usd",)),
    "cost": (_format_cost, "number", ("estimated",)),
    "part": (_format_part, "number", ("estimated",)),
    "price": (_format_amount, "number", ("currency",)),
    "unit_price": (_format_unit_price, "number", ()),
    "share": (_format_share, "number", ()),
    "period": (_format_period, "text", ()),
    "badge": (_format_badge, "badge", ()),
    "installation": (_format_installation, "bar", ("installation_progress",)),
}


def views_of(kind: str, names: Sequence[str]) -> list[ColumnFormat]:
    """Return the formats of the shown columns of a kind of frame, the most important first.

    Of kinds that `SHOWN` does not list, these are the first of `names`, and of costs, whose columns depend on
    what they are grouped by, all.
    """
    columns = {column.name: column for column in TABLES.get(kind, ())}
    if kind in SHOWN:
        always, _, others = SHOWN[kind].partition("|")
        needed = always.split()
        shown = [columns[name] for name in (*needed, *others.split())]
        return [
            _build_view(column, rank, may_hide=rank >= len(needed), max_text=_MAX_LENGTH)
            for rank, column in enumerate(shown)
        ]
    if kind in _BREAKDOWNS:
        names = sorted(
            names, key=lambda name: _LAST_OF_COSTS.index(name) + 1 if name in _LAST_OF_COSTS else 0
        )
    else:
        names = names[:_MAX_COLUMNS]
    if kind in _BREAKDOWNS:
        columns["gpu"] = Column("gpu", "string", format="group")
    shown = [columns.get(name) or Column(name, "string") for name in names]
    if "estimated" in names and "cost_usd" in names:
        # An amount shows more than a flag: how much is estimated or, of costs of one pod, which.
        shown = [column for column in shown if column.name != "estimated"]
        if "estimated_usd" not in names:
            shown = [replace(each, format="cost") if each.name == "cost_usd" else each for each in shown]
    return [_build_view(column, rank, may_hide=rank > 0) for rank, column in enumerate(shown)]


def plain_view(name: str, rank: int) -> ColumnFormat:
    """Return the format of a column that no table declares, judged by its name."""
    return _build_view(Column(name, "string"), rank)


def _build_view(column: Column[Any], rank: int, *, may_hide: bool = True, max_text: int = 40) -> ColumnFormat:
    name = column.format or _choose_format(column.name)
    format_value, style, others = _FORMATS[name]
    max_length = column.max_length or {"code": 32, "text": max_text}.get(name, _MAX_LENGTH)
    usual = _USUAL.get(column.name)
    decimals = _DECIMALS.get(name)
    sources = (column.name, *others)
    return ColumnFormat(sources, format_value, style, rank, max_length, may_hide, usual, decimals)


def _choose_format(name: str) -> Format:
    """Choose the format that goes with a name and the unit in it."""
    if name in ("status", "stock"):
        return "badge"
    if name in ("share", "change", "difference"):
        return "share"
    if name == "period":
        return "period"
    if name == "hours_left":
        return "long_time"
    if name in ("pods", "gpu_count", "nodes") or name.endswith("_hours"):
        return "number"
    if name == "estimated_usd":
        return "part"
    if "_usd_gb_" in name:
        return "unit_price"
    if "_usd" in name:
        return "amount"
    return "code" if name == "id" or name.endswith("_id") else "text"
