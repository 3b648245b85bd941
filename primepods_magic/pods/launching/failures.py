"""The errors of a launch that was interrupted, or whose pod was not seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from primepods_magic.api.errors import (
    LaunchRefused,
    OutcomeUnknown,
    OutOfStock,
    PodsError,
    RequestRefused,
    ServiceUnavailable,
    WaitInterrupted,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.pods.choose_offer import alternatives
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.offers import Quote

from .plan import LaunchPlan, describe_interrupted_plan

__all__ = [
    "LaunchStage",
    "describe_interrupt",
    "describe_not_created",
    "describe_sold_out",
    "describe_twins",
    "describe_unwritten",
    "is_refusal",
]

LaunchStage = Literal["preparing", "searching", "ending", "creating", "done"]


def describe_interrupt(stage: LaunchStage, name: str) -> PodsError:
    """Return the error that reports an interrupted launch."""
    if stage in ("preparing", "searching"):
        return describe_interrupted_plan(f"'{name}'", [name] if stage == "searching" else [])
    if stage == "ending":
        return WaitInterrupted(
            f"Interrupted while the old '{name}' was being terminated. No new one was created. '%pods ls' "
            "shows what is left"
        )
    if stage == "done":
        return WaitInterrupted(
            f"Interrupted, but '{name}' was launched and is billed. Running this again returns it"
        )
    return OutcomeUnknown(
        f"Interrupted while '{name}' was being created. It may exist and be billed. The search for it goes "
        "on in the background. Run this again to wait for the pod"
    )


def describe_unwritten(name: str) -> LaunchRefused:
    """Return the error of a launch that could not be recorded."""
    return LaunchRefused(
        f"The launch record of '{name}' could not be written, so a launch that is cut off would not be found "
        "again. Nothing was created. Run this again to launch without a record"
    )


# What a proxy answers if the service takes long: it is not a refusal.
_BY_PROXIES = frozenset({408, 499})
_MAY_APPEAR = (
    "It may still appear and be billed. '%pods ls' shows your pods. Run this again to look for it before "
    "another one is launched"
)


def is_refusal(status: int | None) -> bool:
    """Return whether a status means that the service itself has refused a create."""
    return status is not None and 400 <= status < 500 and status not in _BY_PROXIES


def describe_not_created(plan: LaunchPlan, unknown: OutcomeUnknown, settle_s: float) -> PodsError:
    """Return the error for an ambiguous create whose pod was not seen within ``settle_s`` seconds."""
    status = unknown.status_code
    is_refused = is_refusal(status)
    kind: type[PodsError] = RequestRefused if is_refused else ServiceUnavailable
    verb = "refused it" if is_refused else "failed"
    reason = f"the service {verb} (HTTP {status})" if status else "the response was lost"
    detail = f" with: {unknown.detail}" if unknown.detail else ""
    error = kind(
        f"{'' if is_refused else 'It appears that '}'{sanitize(plan.name)}' was not created: {reason}"
        f"{detail}. No such pod appeared within {settle_s:g} s. {_MAY_APPEAR}",
        status_code=status,
        request_id=unknown.request_id,
        detail=unknown.detail,
    )
    error.may_be_billed = True
    return error


def describe_sold_out(
    connection: Connection, plan: LaunchPlan, quote: Quote, sold_out: OutOfStock
) -> OutOfStock:
    """Return the error for a create that was refused for lack of machines, with alternatives."""
    try:
        near = alternatives(connection.client, plan.spec, quote.offer)
    except PodsError:
        near = ""
    # A service that has failed may have acted all the same.
    is_failure = sold_out.status_code is not None and sold_out.status_code >= 500
    later = f" {_MAY_APPEAR}" if is_failure else ""
    error = OutOfStock(
        f"{sold_out}; '{sanitize(plan.name)}' was not created.{near}{later}",
        status_code=sold_out.status_code,
        request_id=sold_out.request_id,
        detail=sold_out.detail,
    )
    error.may_be_billed = is_failure
    return error


def describe_twins(name: str, pod: PodDetails, twins: Iterable[str]) -> str:
    """Describe several live pods of one name after a launch, of which it returns one."""
    others = list(twins)
    return (
        f"{len(others) + 1} live pods are called '{name}' now: {sanitize(pod.id)}, which this launch "
        f"returns, and {join_sanitized(others)}. One create was sent: the service made more than one pod, "
        "or the name was launched elsewhere at the same moment. All are billed. '%pods rm ID' terminates "
        "the extra one"
    )
