"""Return a pod that was launched before, held to the price that was agreed to then."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.journal.journal import LaunchJournal, LaunchRecord
from primepods_magic.pods.launching.journal.lookup import hold_name
from primepods_magic.pods.launching.journal.recorded_prices import hold_pod

from .agreed_prices import describe_dearer, describe_spared, describe_unread, is_above, is_kept
from .naming import name_scope
from .plan import LaunchPlan
from .recovery import ResumedLaunch

__all__ = ["list_notices", "return_earlier", "return_existing"]


def return_existing(connection: Connection, plan: LaunchPlan, tell: Callable[[str], object]) -> PodDetails:
    """Return the pod that a plan has found, and warn about its price by ``tell``.

    Raise BudgetExceeded if it costs more than was agreed to when it was launched; it was terminated if
    possible.
    """
    pod, earlier = plan.existing, plan.earlier
    if pod is None:
        raise ValueError("the plan has no existing pod")
    is_news = earlier is not None and earlier.pod.id == pod.id and _is_news(earlier.record, plan)
    journal = LaunchJournal(name_scope(connection, plan.spec), plan.name)
    with hold_name(connection, plan.spec) if is_news else contextlib.nullcontext(journal) as held:
        return_earlier(connection, plan, pod, held, tell)
    return pod


def return_earlier(
    connection: Connection,
    plan: LaunchPlan,
    pod: PodDetails,
    journal: LaunchJournal,
    tell: Callable[[str], object],
) -> None:
    """Mark a pod as delivered if the plan's earlier launch created it, and hold it to its price.

    The caller holds the name's lock, unless nothing in the record changes. Errors as `return_existing`.
    """
    if plan.earlier is not None and plan.earlier.pod.id == pod.id:
        _deliver_earlier(connection, plan, plan.earlier, journal, tell)
    for notice in list_notices(plan, pod):
        tell(notice)


def _deliver_earlier(
    connection: Connection,
    plan: LaunchPlan,
    earlier: ResumedLaunch,
    journal: LaunchJournal,
    tell: Callable[[str], object],
) -> None:
    pod, record = earlier.pod, earlier.record
    newest = journal.read()
    if newest is not None and newest.pod_id == pod.id:
        record = newest
        if _is_news(newest, plan):
            agreed_usd_hr = _raise_agreed(newest, plan)
            is_price_kept = newest.is_price_kept or is_kept(pod, agreed_usd_hr or 0.0)
            # From now on '--new' means another pod.
            record = replace(
                newest, is_delivered=True, agreed_usd_hr=agreed_usd_hr, is_price_kept=is_price_kept
            )
            journal.write(record)
    agreed_usd_hr = _raise_agreed(record, plan)
    if agreed_usd_hr is None or record.is_price_kept:
        return
    hold_pod(connection, journal, replace(record, pod_id=pod.id, agreed_usd_hr=agreed_usd_hr))
    connection.agreements.check([pod], tell)


def list_notices(plan: LaunchPlan, pod: PodDetails) -> list[str]:
    """Return warnings about the price of a pod that `return_existing` has returned."""
    earlier = plan.earlier
    is_recorded = earlier is not None and earlier.pod.id == pod.id
    agreed_usd_hr = _raise_agreed(earlier.record, plan) if earlier is not None and is_recorded else None
    notice = describe_unread(pod, agreed_usd_hr or plan.stated_usd_hr or None)
    if notice is None and agreed_usd_hr is not None and is_above(pod, agreed_usd_hr):
        notice = (describe_spared if plan.is_dry_run else describe_dearer)(pod, agreed_usd_hr)
    return [] if notice is None else [notice]


def _raise_agreed(record: LaunchRecord, plan: LaunchPlan) -> float | None:
    """Return the agreed price of a recorded pod when its launch runs again."""
    agreed_usd_hr = record.agreed_usd_hr
    return None if agreed_usd_hr is None else max(agreed_usd_hr, plan.stated_usd_hr)


def _is_news(record: LaunchRecord, plan: LaunchPlan) -> bool:
    """Return whether returning a pod changes its launch record."""
    return not record.is_delivered or _raise_agreed(record, plan) != record.agreed_usd_hr
