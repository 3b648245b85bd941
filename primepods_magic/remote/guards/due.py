"""The time at which a pod ends by its rules, as things are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.instants import duration
from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.pods.guards.records import GuardRecord
from primepods_magic.pods.guards.rules import RuleName
from primepods_magic.pods.guards.times import describe_end
from primepods_magic.pods.support.rates import accrued_usd, get_rate_usd_hr
from primepods_magic.remote.guards.activity import Activity

__all__ = ["Due", "Month", "Reading", "find_due"]

_MAX_DAYS = 366


@dataclass(frozen=True)
class Reading:
    """The activity on a pod as last read, or why it cannot be read."""

    activity: Activity | None = None
    trouble: str = ""
    speed: float = 1.0
    """That of the sandbox's clock."""


@dataclass(frozen=True)
class Due:
    """The rule that ends a pod first, and when; without a time, none does as things are."""

    rule: RuleName | None
    at: datetime | None
    why: str
    trouble: str = ""


@dataclass(frozen=True)
class Month:
    """My spending in this month, so far and per hour; or why that is not known."""

    spent_usd: float = 0.0
    burn_usd_hr: float = 0.0
    trouble: str = ""


def find_due(
    record: GuardRecord, pod: PodDetails, now: datetime, reading: Reading, month: Month | None = None
) -> Due:
    """Return which rule ends the pod first, and when; ``month`` is needed for a budget."""
    found = [
        _find_deadline(record),
        _find_sum(record, pod, now),
        _find_budget(record, now, month),
        _find_idle(record, pod, now, reading),
    ]
    set_rules = [due for due in found if due is not None]
    timed = [due for due in set_rules if due.at is not None]
    trouble = "; ".join(due.trouble for due in set_rules if due.trouble)
    if not timed:
        why = "; ".join(due.why for due in set_rules)
        return Due(None, None, why, trouble)
    first = min(timed, key=lambda due: due.at or now)
    at = first.at
    if at is not None and record.unsaved_until is not None:
        at = max(at, record.unsaved_until)
    return Due(first.rule, at, first.why, trouble)


def _hold(record: GuardRecord, at: datetime) -> datetime:
    return max(at, record.held_until) if record.held_until else at


def _find_deadline(record: GuardRecord) -> Due | None:
    ends_at = record.rules.ends_at
    if ends_at is None:
        return None
    at = _hold(record, ends_at)
    why = f"deadline {describe_end(ends_at)}" + (f", held until {describe_end(at)}" if at > ends_at else "")
    return Due("deadline", at, why)


def _find_sum(record: GuardRecord, pod: PodDetails, now: datetime) -> Due | None:
    most_usd = record.rules.max_total_usd
    if most_usd is None:
        return None
    rate_usd_hr, so_far_usd = get_rate_usd_hr(pod), accrued_usd(pod, now)
    if rate_usd_hr is None or so_far_usd is None:
        text = f"the price is not known, so {format_usd(most_usd)} cannot be compared with it"
        return Due("sum", None, text, text)
    if so_far_usd >= most_usd:
        return Due("sum", now, f"it has cost about {format_usd(so_far_usd)} of {format_usd(most_usd)}")
    why = f"about {format_usd(so_far_usd)} of {format_usd(most_usd)} at {format_usd_hr(rate_usd_hr)}"
    left_hr = (most_usd - so_far_usd) / rate_usd_hr if rate_usd_hr > 0 else _MAX_DAYS * 24.0
    return Due("sum", now + timedelta(hours=min(left_hr, _MAX_DAYS * 24.0)), why)


def _find_budget(record: GuardRecord, now: datetime, month: Month | None) -> Due | None:
    most_usd = record.rules.max_month_usd
    if most_usd is None:
        return None
    if month is None or month.trouble:
        text = f"this month's spending is not known: {month.trouble if month else 'not read yet'}"
        return Due("budget", None, text, text if month else "")
    why = f"{format_usd(month.spent_usd)} of {format_usd(most_usd)} spent this month"
    left_usd = most_usd - month.spent_usd
    if left_usd <= 0:
        return Due("budget", now, why)
    left_hr = left_usd / month.burn_usd_hr if month.burn_usd_hr > 0 else _MAX_DAYS * 24.0
    return Due("budget", now + timedelta(hours=min(left_hr, _MAX_DAYS * 24.0)), why)


def _find_idle(record: GuardRecord, pod: PodDetails, now: datetime, reading: Reading) -> Due | None:
    window_s = record.rules.idle_s
    if window_s is None:
        return None
    if not pod.is_ready:
        return Due("idle", None, "it is not ready, which counts as busy")
    activity = reading.activity
    if activity is None:
        text = f"its activity cannot be read, which counts as busy: {reading.trouble or 'not read yet'}"
        return Due("idle", None, text, reading.trouble and text)
    idle_s = activity.idle_s * reading.speed
    left_s = max(0.0, window_s - idle_s)
    if activity.why_busy:
        return Due("idle", None, activity.why_busy)
    text = f"idle for {_format_span(idle_s)} of {_format_span(window_s)}"
    return Due("idle", _hold(record, now + timedelta(seconds=left_s)), text)


def _format_span(seconds: float) -> str:
    return duration(timedelta(seconds=seconds))
