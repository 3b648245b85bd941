"""Hold a pod that an earlier run launched to the price that was agreed to then."""

from __future__ import annotations

from .agreements import is_above
from .connection import Connection
from .guards import end_above_agreement
from .plan import LaunchPlan

__all__ = ["hold_existing"]

# A pod that has run for longer has work on it, and its price may have changed by itself.
_HELD_S = 3600.0


def hold_existing(connection: Connection, plan: LaunchPlan) -> None:
    """Terminate the pod that a plan has found if it was launched a short while ago and costs more than was
    agreed to, or is agreed to now: its price may have been told only after the launch.

    Raises
    ------
    BudgetExceeded
        It does; the message says whether it was terminated.
    """
    pod, earlier = plan.existing, plan.earlier
    if pod is None or earlier is None or earlier.pod.id != pod.id or earlier.intent.agreed_usd_hr is None:
        return
    intent = earlier.intent
    agreed_usd_hr = max(intent.agreed_usd_hr or 0.0, plan.spec.max_price or 0.0)
    if connection.clock.age_s(intent.sent_at, intent.noted_at_s) < _HELD_S and is_above(pod, agreed_usd_hr):
        raise end_above_agreement(connection, pod, agreed_usd_hr)
