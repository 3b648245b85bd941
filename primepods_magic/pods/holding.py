"""Return a pod that was launched before, held to the price that was agreed to then."""

from __future__ import annotations

from dataclasses import replace

from primepods_magic.api.models import PodDetails
from primepods_magic.api.vocabulary import PodStatus

from .agreements import is_above
from .connection import Connection
from .guards import end_above_agreement
from .identity import name_space
from .intents import IntentFile
from .locks import launching
from .plan import LaunchPlan
from .resolve import Earlier
from .spec import PodSpec

__all__ = ["hold_earlier", "note_delivery", "return_existing"]

# On a pod that has been ready for longer there is work, and its price may have changed by itself.
_HELD_WHEN_READY_S = 300.0


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
    if not earlier.intent.is_delivered:
        with launching(name_space(connection, plan.spec), plan.name) as note:
            note_delivery(note, pod)
    hold_earlier(connection, earlier, plan.spec)
    return pod


def note_delivery(note: IntentFile, pod: PodDetails) -> None:
    """Note that the launch of a pod has returned it: from now on ``--new`` means another one."""
    intent = note.read()
    if intent is not None and intent.pod_id == pod.id and not intent.is_delivered:
        note.write(replace(intent, is_delivered=True))


def hold_earlier(connection: Connection, earlier: Earlier, spec: PodSpec) -> None:
    """Terminate a pod of an earlier launch that is above what was agreed to then, or is agreed to now; if it
    comes up still, hold it to that price from now on. Errors as `return_existing`."""
    pod, intent = earlier.pod, earlier.intent
    if intent.agreed_usd_hr is None:
        return
    agreed_usd_hr = max(intent.agreed_usd_hr, spec.max_price or 0.0)
    _, at_most_s = connection.clock.ages_s(intent.sent_at, intent.noted_at_s)
    if at_most_s > _HELD_WHEN_READY_S and (pod.is_ready or pod.status == PodStatus.STOPPED):
        return
    if is_above(pod, agreed_usd_hr):
        raise end_above_agreement(connection, pod, agreed_usd_hr)
    connection.agreements.add(
        str(pod.id), agreed_usd_hr, lambda dearer: end_above_agreement(connection, dearer, agreed_usd_hr)
    )
