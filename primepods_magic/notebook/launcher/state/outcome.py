"""The outcome of a launch: what was created and what is billed."""

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

__all__ = ["LaunchOutcome", "failed_launch", "successful_launch"]

# After these nothing was created, unless the error says that a pod may be billed.
_NOTHING_CREATED = (InvalidRequest, LaunchRefused, NameInUse, RequestRefused, ServiceUnavailable)
_SAYS_WHAT_IS_BILLED = (BudgetExceeded, PodFailed)


@dataclass(frozen=True)
class LaunchOutcome:
    """The outcome of the last launch; one that `may_be_billed` stays visible until it is resolved."""

    text: str
    is_failure: bool = False
    may_be_billed: bool = False
    pod_id: str = ""


def successful_launch(pod: Pod) -> LaunchOutcome:
    """Build the outcome of a launch that returned a pod."""
    name = sanitize(pod.name)
    if not pod.is_new:
        return LaunchOutcome(f"'{name}' already exists. Nothing was created.", pod_id=pod.id)
    price = "" if pod.price_usd_hr is None else f" at {format_usd_hr(pod.price_usd_hr)}"
    return LaunchOutcome(f"Launched '{name}'{price}. It is listed under Your pods.", pod_id=pod.id)


def failed_launch(error: BaseException, *, was_sent: bool) -> LaunchOutcome:
    """Build the outcome of a launch that failed or whose result is unknown.

    `was_sent` says that a create request may have been sent.
    """
    # Messages of other errors may repeat what was sent.
    text = str(error) if isinstance(error, PodsError) else f"{type(error).__name__} interrupted the launch"
    text = text.rstrip(".")
    may_be_billed = isinstance(error, PodsError) and error.may_be_billed
    if not was_sent or (isinstance(error, _NOTHING_CREATED) and not may_be_billed):
        created = "" if "created" in text else "Nothing was created. "
        return LaunchOutcome(f"{text}. {created}Nothing is billed.", is_failure=True)
    if may_be_billed or isinstance(error, _SAYS_WHAT_IS_BILLED):
        return LaunchOutcome(f"{text}.", is_failure=True, may_be_billed=True)
    return LaunchOutcome(
        f"{text}. A pod may exist and be billed. Check your pods below, or run '%pods ls'.",
        is_failure=True,
        may_be_billed=True,
    )
