"""What came of a launch, in words that are exact about what was created and is billed."""

from __future__ import annotations

from dataclasses import dataclass

from primepods_magic.api.errors import (
    BudgetExceeded,
    InvalidRequest,
    LaunchRefused,
    NameInUse,
    PodFailed,
    PodsError,
    RequestRefused,
    ServiceUnavailable,
)
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.pod import Pod

__all__ = ["LaunchOutcome", "failure", "success"]

# After these nothing was created, unless they say that a pod may be billed.
_NOTHING_CREATED = (InvalidRequest, LaunchRefused, NameInUse, RequestRefused, ServiceUnavailable)
_SAYS_WHAT_IS_BILLED = (BudgetExceeded, PodFailed)


@dataclass(frozen=True)
class LaunchOutcome:
    """What came of the last attempt.

    Parameters
    ----------
    text : str
        In words.
    is_failure : bool
        There is no pod, or nobody knows.
    may_be_billed : bool
        There may be a pod all the same: this has to be read.
    pod_id : str
        Which pod there is.
    """

    text: str
    is_failure: bool = False
    may_be_billed: bool = False
    pod_id: str = ""


def success(pod: Pod) -> LaunchOutcome:
    """There is a pod.

    Parameters
    ----------
    pod : Pod
        The pod.
    """
    name = sanitize(pod.name)
    if not pod.is_new:
        return LaunchOutcome(f"'{name}' is there already; nothing was created", pod_id=pod.id)
    price = "" if pod.price_usd_hr is None else f" at {format_usd_hr(pod.price_usd_hr)}"
    return LaunchOutcome(f"'{name}' is rented{price}; it is below, among your pods", pod_id=pod.id)


def failure(error: BaseException, *, was_sent: bool) -> LaunchOutcome:
    """There is none, or nobody knows.

    Parameters
    ----------
    error : BaseException
        Why.
    was_sent : bool
        A create may have been sent.
    """
    # What others say of their errors may repeat what was sent.
    text = str(error) if isinstance(error, PodsError) else f"{type(error).__name__} broke it off"
    text = text.rstrip(".")
    may_be_billed = isinstance(error, PodsError) and error.may_be_billed
    if not was_sent or (isinstance(error, _NOTHING_CREATED) and not may_be_billed):
        created = "" if "created" in text else "Nothing was created. "
        return LaunchOutcome(f"{text}. {created}Nothing is billed for it.", is_failure=True)
    if may_be_billed or isinstance(error, _SAYS_WHAT_IS_BILLED):
        return LaunchOutcome(f"{text}.", is_failure=True, may_be_billed=True)
    return LaunchOutcome(
        f"{text}. A pod may exist and be billed: look among your pods below, or with '%pods ls'.",
        is_failure=True,
        may_be_billed=True,
    )
