"""Return a pod that was launched before, held to the price that was agreed to then."""

from __future__ import annotations

from dataclasses import replace

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.journal.journal import LaunchJournal, LaunchRecord
from primepods_magic.pods.launching.journal.lookup import hold_name
from primepods_magic.pods.launching.journal.recorded_prices import hold_pod

from .agreed_prices import describe_dearer, describe_unread, is_above, is_kept
from .naming import name_scope
from .plan import LaunchPlan
from .recovery import ResumedLaunch

__all__ = ["list_notices", "return_earlier", "return_existing"]


def return_existing(connection: Connection, plan: LaunchPlan) -> PodDetails | None:
    """Return the pod that a plan has found, if it has found one.

    Raises
    ------
    BudgetExceeded
        It costs more than was agreed to when it was launched, which may not have been known then; the message
        says whether it was terminated.
    """
    pod, earlier = plan.existing, plan.earlier
    if pod is None or earlier is None or earlier.pod.id != pod.id:
        return pod
    if _is_news(earlier.intent, plan):
        with hold_name(connection, plan.spec) as note:
            return_earlier(connection, plan, earlier, note)
    else:
        return_earlier(connection, plan, earlier, LaunchJournal(name_scope(connection, plan.spec), plan.name))
    return pod


def return_earlier(
    connection: Connection, plan: LaunchPlan, earlier: ResumedLaunch, note: LaunchJournal
) -> None:
    """Note that an earlier launch's pod is returned and what is agreed to now; terminate it if it is above.

    If the pod comes up still, it is held to its price from now on. The name's lock is held, unless there is
    nothing to note. Errors as `return_existing`.
    """
    pod, intent = earlier.pod, earlier.intent
    record = note.read()
    if record is not None and record.pod_id == pod.id:
        intent = record
        if _is_news(record, plan):
            agreed_usd_hr = _raise_agreed(record, plan)
            is_price_kept = record.is_price_kept or is_kept(pod, agreed_usd_hr or 0.0)
            # From now on '--new' means another pod.
            intent = replace(
                record, is_delivered=True, agreed_usd_hr=agreed_usd_hr, is_price_kept=is_price_kept
            )
            note.write(intent)
    agreed_usd_hr = _raise_agreed(intent, plan)
    if agreed_usd_hr is None or intent.is_price_kept:
        return
    hold_pod(connection, note, replace(intent, pod_id=pod.id, agreed_usd_hr=agreed_usd_hr))
    # What is only reported is among the notices.
    connection.agreements.check([pod], tell=lambda _: None)


def list_notices(plan: LaunchPlan, pod: PodDetails) -> list[str]:
    """Return what a person should know about a pod that `return_existing` has returned: its price cannot be
    read, or is above what was agreed to and did not end it."""
    earlier = plan.earlier
    is_recorded = earlier is not None and earlier.pod.id == pod.id
    agreed_usd_hr = _raise_agreed(earlier.intent, plan) if earlier is not None and is_recorded else None
    notice = describe_unread(pod, agreed_usd_hr or plan.stated_usd_hr or None)
    if notice is None and agreed_usd_hr is not None and is_above(pod, agreed_usd_hr):
        notice = describe_dearer(pod, agreed_usd_hr)
    return [] if notice is None else [notice]


def _raise_agreed(intent: LaunchRecord, plan: LaunchPlan) -> float | None:
    """Return what is agreed to for a recorded pod when its launch is run again."""
    agreed_usd_hr = intent.agreed_usd_hr
    return None if agreed_usd_hr is None else max(agreed_usd_hr, plan.stated_usd_hr)


def _is_news(intent: LaunchRecord, plan: LaunchPlan) -> bool:
    """Return whether returning a pod changes its launch record."""
    return not intent.is_delivered or _raise_agreed(intent, plan) != intent.agreed_usd_hr
