"""The rules of a guard: when a pod ends by itself, and what happens then."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.instants import duration
from primepods_magic.api.text.money import format_usd
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.api.validation.bounds import check_kind, check_price

from .times import END_FORMS, describe_end, parse_end, parse_seconds

__all__ = [
    "DEFAULT_HOLD_S",
    "PLACES",
    "GuardRules",
    "Place",
    "RuleName",
    "check_command",
    "check_span",
    "make_rules",
]

RuleName = Literal["deadline", "idle", "sum", "budget"]
Place = Literal["here", "pod"]
PLACES: Mapping[Place, str] = {
    "here": "works while this computer is on",
    "pod": "runs on the pod and works while the pod's network works, also while this computer is off",
}
"""When a guard works, by where it runs."""
DEFAULT_HOLD_S = 7200.0
"""How long a pod is kept once if saving fails."""
_MAX_COMMAND_CHARS = 10_000


class GuardRules(ShortRepr, BaseModel):
    """The rules by which a pod ends by itself, and what is done before.

    ``ends_at`` and ``max_total_usd`` end it unconditionally. ``idle_s`` ends it once everything on it has
    been idle for that long. ``on_end`` is a shell command on the pod, ``get`` are paths there to fetch into
    ``folder`` first; if that fails, the pod is kept once for ``hold_s``. ``notify`` is a shell command here.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    ends_at: AwareDatetime | None = None
    idle_s: float | None = None
    max_total_usd: float | None = None
    max_month_usd: float | None = None
    on_end: str = ""
    get: tuple[str, ...] = ()
    folder: str = ""
    hold_s: float = DEFAULT_HOLD_S
    notify: str = ""
    asked: str = ""
    """What the spec of the pod has asked for, in its own words."""

    __repr__ = ShortRepr.__repr__

    @property
    def is_empty(self) -> bool:
        """True if nothing ends the pod."""
        return not self.list_rules()

    def list_rules(self) -> list[RuleName]:
        """Return the rules that are set."""
        values: dict[RuleName, object] = {
            "deadline": self.ends_at,
            "idle": self.idle_s,
            "sum": self.max_total_usd,
            "budget": self.max_month_usd,
        }
        return [rule for rule, value in values.items() if value is not None]

    def describe(self) -> str:
        """Return the rules in words.

        >>> GuardRules(idle_s=1800, max_total_usd=25).describe()
        'after 30 min of idleness, or at $25.00'
        """
        parts = []
        if self.ends_at is not None:
            parts.append(f"at {describe_end(self.ends_at)}")
        if self.idle_s is not None:
            parts.append(f"after {duration(timedelta(seconds=self.idle_s))} of idleness")
        if self.max_total_usd is not None:
            parts.append(f"at {format_usd(self.max_total_usd)}")
        if self.max_month_usd is not None:
            parts.append(f"when this month's spending reaches {format_usd(self.max_month_usd)}")
        return ", or ".join(parts)


def make_rules(
    *,
    now: datetime,
    since: datetime | None = None,
    lasts: object = None,
    until: str | None = None,
    idle: object = None,
    max_total_usd: float | None = None,
    max_month_usd: float | None = None,
    names: Mapping[str, str] | None = None,
    **others: Any,
) -> GuardRules:
    """Resolve the rules as they are typed.

    Parameters
    ----------
    now : datetime
        The service's time.
    since : datetime, optional
        The time that ``lasts`` counts from; by default now.
    lasts, idle : str, timedelta or float, optional
        A length of time, such as ``"4h"``; a number is in seconds.
    until : str, optional
        A time, such as ``"18:00"``.
    max_total_usd : float, optional
        The amount of USD at which the pod ends.
    max_month_usd : float, optional
        The spending of a month in USD at which it ends.
    names : mapping of str to str, optional
        The names of these in messages.
    **others
        Other fields of `GuardRules`.

    Raises
    ------
    InvalidRequest
        A value has no sense, or the end is in the past. Nothing was done.

    Examples
    --------
    >>> from datetime import timezone
    >>> now = datetime(2026, 9, 14, 8, 0, tzinfo=timezone.utc)
    >>> make_rules(now=now, lasts="4h", idle="30m").describe()
    'at 2026-09-14 12:00 UTC, or after 30 min of idleness'
    """
    names = {"lasts": "for", "until": "until", "idle": "idle", **(names or {})}
    check_kind(names["until"], until, is_right=isinstance(until, str), form=END_FORMS)
    for name in ("on_end", "notify"):
        check_command(name, others.get(name, ""))
    if lasts is not None and until is not None:
        raise InvalidRequest(f"Use either {names['lasts']} or {names['until']}. Nothing was done")
    ends_at = None
    if lasts is not None:
        ends_at = (since or now) + timedelta(seconds=check_span(lasts, names["lasts"]))
        if ends_at <= now:
            raise InvalidRequest(
                f"{names['lasts']}: the pod was created so long ago that it would end at once. "
                "Nothing was done"
            )
    elif until is not None:
        try:
            ends_at = parse_end(until, now)
        except ValueError as error:
            raise InvalidRequest(
                f"{names['until']}: '{_shorten_word(until)}' is {error}. Nothing was done"
            ) from None
    return GuardRules(
        ends_at=ends_at,
        idle_s=None if idle is None else check_span(idle, names["idle"]),
        max_total_usd=check_price("max_total_usd", max_total_usd),
        max_month_usd=check_price("max_month_usd", max_month_usd),
        **others,
    )


def check_command(name: str, command: str) -> None:
    """Raise InvalidRequest unless a command is text that a shell can run, or empty."""
    check_kind(name, command, is_right=isinstance(command, str), form="a shell command")
    if len(command) > _MAX_COMMAND_CHARS or "\0" in command:
        raise InvalidRequest(f"'{name}' is too long or has a null character. Nothing was done")


def check_span(given: object, name: str = "") -> float:
    """Return a length of time in seconds, or raise InvalidRequest, which starts with the name."""
    try:
        return parse_seconds(given)
    except ValueError as error:
        prefix = f"{name}: " if name else ""
        raise InvalidRequest(f"{prefix}'{_shorten_word(given)}' is {error}. Nothing was done") from None


def _shorten_word(given: object) -> str:
    return shorten(sanitize(given), 40)
