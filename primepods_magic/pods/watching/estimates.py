"""Estimates for watched pods: remaining installation time and cost so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from primepods_magic.api.enums import InstallationStatus, PodStatus
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.pods.support.rates import accrued_usd, burn_usd_hr, end_of, row_cost_usd

from .snapshot import Estimate

__all__ = ["Estimator"]

_HOUR = timedelta(hours=1)


@dataclass
class _PodHistory:
    """Observations of one pod so far."""

    at: datetime
    cost_usd: float | None
    rate_usd_hr: float
    percent: float | None = None
    percent_at_first: float | None = None
    first_at: datetime | None = None
    ended_at: datetime | None = None


class Estimator:
    """Estimates from the observed progress of pods.

    >>> from datetime import timezone
    >>> estimator, start = Estimator(), datetime(2026, 11, 24, tzinfo=timezone.utc)
    >>> def installing(percent):
    ...     return PodDetails(id="a", status="ACTIVE", installation_status="IN_PROGRESS",
    ...                       installation_progress=percent, price_hr=36.0, created_at=start)
    >>> _ = estimator.update([installing(20)], start + timedelta(seconds=100))
    >>> estimator.update([installing(40)], start + timedelta(seconds=200))["a"]
    Estimate(left_s=300.0, cost_usd=2.0)
    """

    def __init__(self) -> None:
        self._seen: dict[str, _PodHistory] = {}
        self._rows: dict[str, HistoryRow] = {}

    def note_row(self, row: HistoryRow) -> None:
        """Take the cost of an ended pod from its row of the history, from now on."""
        if row.id:
            self._rows[row.id] = row

    def update(self, pods: Iterable[PodDetails], at: datetime) -> Mapping[str, Estimate]:
        """Record all watched pods as of ``at`` (UTC), and return estimates by pod id.

        Pods that are not among them are forgotten.
        """
        seen, estimates = {}, {}
        for pod in pods:
            if pod.id:
                note = seen[pod.id] = self._update_history(pod, at)
                estimate = Estimate(_estimate_left_s(pod, note), note.cost_usd, note.ended_at)
                estimates[pod.id] = _correct_estimate(estimate, self._rows.get(pod.id))
        self._seen = seen
        self._rows = {pod_id: row for pod_id, row in self._rows.items() if pod_id in seen}
        return estimates

    def _update_history(self, pod: PodDetails, at: datetime) -> _PodHistory:
        note = self._seen.get(pod.id or "")
        rate_usd_hr, end = burn_usd_hr([pod]), end_of(pod)
        is_first = note is None
        if note is None:
            # Before the watch began, only the current rate is known; for these states it was another one.
            begun = pod.created_at
            had_another = pod.status in (PodStatus.TERMINATED, PodStatus.STOPPED)
            known = begun is not None and pod.price_hr is not None and not had_another
            cost_usd = accrued_usd(pod, at) if pod.status == PodStatus.TERMINATED else None
            note = _PodHistory(
                begun if begun is not None and begun < at else at, 0.0 if known else cost_usd, rate_usd_hr
            )
        if note.cost_usd is not None:
            # The time of the change is unknown, so assume the more expensive state.
            until = min(at, end or at)
            max_usd_hr = max(note.rate_usd_hr, rate_usd_hr)
            note.cost_usd += max_usd_hr * max((until - note.at) / _HOUR, 0.0)
        if end is not None:
            note.ended_at = end if end <= at else None
        elif pod.status == PodStatus.TERMINATED and note.ended_at is None and not is_first:
            note.ended_at = at
        note.rate_usd_hr = rate_usd_hr
        note.at = max(at, note.at)
        percent = pod.installation_progress if _is_installing(pod) else None
        if percent is None:
            note.percent_at_first = note.first_at = None
        elif note.percent is None or percent < note.percent:
            # The installation starts or restarts.
            note.percent_at_first, note.first_at = percent, at
        note.percent = percent
        return note


def _correct_estimate(estimate: Estimate, row: HistoryRow | None) -> Estimate:
    """Return an estimate with the cost in a row of the history, if there is one."""
    if row is None:
        return estimate
    if row.total_billed_price:
        return replace(estimate, cost_usd=row.total_billed_price, is_billed=True)
    cost_usd = row_cost_usd(row)
    return estimate if cost_usd is None else replace(estimate, cost_usd=cost_usd)


def _is_installing(pod: PodDetails) -> bool:
    under_way = (InstallationStatus.PENDING, InstallationStatus.IN_PROGRESS, None)
    return pod.status == PodStatus.ACTIVE and pod.installation_status in under_way and not pod.is_installed


def _estimate_left_s(pod: PodDetails, note: _PodHistory) -> float | None:
    """Return the remaining time at the observed speed, or None before there is one."""
    if note.percent_at_first is None or note.first_at is None or pod.installation_progress is None:
        return None
    done = pod.installation_progress - note.percent_at_first
    took_s = (note.at - note.first_at).total_seconds()
    # The service's clock has whole seconds, so two polls may see the same time.
    if done <= 0 or took_s <= 0:
        return None
    return took_s / done * max(100.0 - pod.installation_progress, 0.0)
