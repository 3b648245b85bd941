"""Price ceilings, checked before and after a create."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from primepods_magic.api.errors import BudgetExceeded, InvalidRequest, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import as_word, brief, join_sanitized, sanitize
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.pods.offers import Quote
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.rates import highest_burn_usd_hr
from primepods_magic.pods.terminate import GONE, terminate_pods

from .agreed_prices import describe_price, is_above, name_agreed

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = [
    "Limits",
    "check_limits",
    "check_total_limit",
    "limit_violation",
    "missing_ssh_key",
    "terminate_above_agreement",
    "terminate_if_over_limit",
]

# Services round; a pod is not ended for a millionth of its price.
_ROUNDING = 1 + 1e-6
_WHOSE_PODS = "'%pods ls' lists these pods, also those of other notebooks"


@shorten_tracebacks
@dataclass(frozen=True, repr=False)
class Limits(ShortRepr):
    """Ceilings for every launch; ``None`` means no ceiling.

    Parameters
    ----------
    max_price_usd_hr : float, optional
        For one pod, its disk included, in USD per hour.
    max_burn_usd_hr : float, optional
        For all my live pods and the one to be launched together, in USD per hour.
    max_month_usd : float, optional
        For all that my pods and disks cost in this month (UTC), until the deadline of the pod to be launched,
        or for one more day, in USD.

    Raises
    ------
    InvalidRequest
        A ceiling is not a finite number, or is below 0.

    Examples
    --------
    >>> launch(gpu="H100_80GB", limits=Limits(max_price_usd_hr=4))           # doctest: +SKIP
    """

    max_price_usd_hr: float | None = None
    max_burn_usd_hr: float | None = None
    max_month_usd: float | None = None

    def __post_init__(self) -> None:
        for name in (limit.name for limit in fields(self)):
            ceiling = getattr(self, name)
            is_number = isinstance(ceiling, (int, float)) and not isinstance(ceiling, bool)
            # Nothing is above NaN, so it would be no ceiling at all.
            if ceiling is not None and not (is_number and 0 <= ceiling < math.inf):
                unit = "USD per hour" if name.endswith("_hr") else "USD"
                raise InvalidRequest(
                    f"{name} must be a number of {unit}, such as 4, or None. Nothing was sent"
                )


def check_limits(limits: Limits, quote: Quote, name: str, others: Iterable[PodDetails]) -> None:
    """Raise BudgetExceeded if the upper estimate of a launch is above a ceiling."""
    why = limit_violation(limits, quote, name, others)
    if why:
        raise BudgetExceeded(f"{why}. Nothing was created")


def limit_violation(limits: Limits, quote: Quote, name: str, others: Iterable[PodDetails]) -> str:
    """Describe the ceiling that the upper estimate of a launch exceeds, or return ""."""
    name = sanitize(name)
    ceiling = limits.max_price_usd_hr
    if ceiling is not None and quote.price_usd_hr > ceiling * _ROUNDING:
        bound = format_usd_hr(ceiling)
        return f"'{name}' is {quote}: above the ceiling of {bound} for one pod (max_price_usd_hr)"
    ceiling = limits.max_burn_usd_hr
    if ceiling is None:
        return ""
    others = list(others)
    unpriced = [
        pod for pod in others if pod.is_live and (pod.highest_usd_hr is None or pod.unread_price is not None)
    ]
    if unpriced:
        text = unpriced[0].unread_price
        has = "has no price" if text is None else f"has a price that cannot be read ('{brief(text)}')"
        return (
            f"Cannot compare '{name}' with the ceiling of {format_usd_hr(ceiling)} for all pods "
            "(max_burn_usd_hr): "
            f"'{sanitize(unpriced[0].name)}' {has}"
        )
    burn = highest_burn_usd_hr(others)
    if burn + quote.price_usd_hr <= ceiling * _ROUNDING:
        return ""
    cut_off = join_sanitized(f"'{pod.name}'" for pod in others if not pod.id)
    counted = f" (including {cut_off}, whose launch was cut off and may have made a pod)" if cut_off else ""
    return (
        f"'{name}' is {quote}. With the {format_usd_hr(burn)} of your live pods{counted}, this is above the "
        f"ceiling of {format_usd_hr(ceiling)} for all pods (max_burn_usd_hr). {_WHOSE_PODS}"
    )


def check_total_limit(limits: Limits, quotes: Iterable[Quote], others: Iterable[PodDetails]) -> None:
    """Raise BudgetExceeded if several launches together are above the ceiling for all pods."""
    prices = [quote.price_usd_hr for quote in quotes]
    ceiling, burn = limits.max_burn_usd_hr, highest_burn_usd_hr(others)
    if ceiling is not None and prices and burn + sum(prices) > ceiling * _ROUNDING:
        raise BudgetExceeded(
            f"{len(prices)} pods cost {format_usd_hr(sum(prices))} together. With the "
            f"{format_usd_hr(burn)} of your live pods, this is above the ceiling of "
            f"{format_usd_hr(ceiling)} for all pods (max_burn_usd_hr). {_WHOSE_PODS}. Nothing was created"
        )


def terminate_if_over_limit(
    connection: BaseConnection,
    pod: PodDetails,
    spec: PodSpec,
    limits: Limits,
    others: Iterable[PodDetails],
    agreed_usd_hr: float,
    doubts: Sequence[str] = (),
) -> None:
    """Terminate a pod that costs more than a ceiling allows or than was agreed to, and raise BudgetExceeded.

    A pod with ``doubts``, which may have been launched elsewhere, is only reported.
    """
    price_usd_hr = pod.highest_usd_hr
    if price_usd_hr is None:
        return
    burn = highest_burn_usd_hr(others)
    # It is what was agreed to, and held to the cent as that is.
    if spec.max_price is not None and is_above(pod, spec.max_price):
        raise _terminate_above_bound(
            connection, pod, doubts, "", f"its max_price of {format_usd_hr(spec.max_price)}"
        )
    bounds = (
        (limits.max_price_usd_hr, price_usd_hr, "the ceiling for one pod (max_price_usd_hr)"),
        (limits.max_burn_usd_hr, burn + price_usd_hr, "the ceiling for all pods (max_burn_usd_hr)"),
    )
    for ceiling, rate_usd_hr, what in bounds:
        if ceiling is not None and rate_usd_hr > ceiling * _ROUNDING:
            together = (
                "" if rate_usd_hr == price_usd_hr else f", with your other pods {format_usd_hr(rate_usd_hr)}"
            )
            raise _terminate_above_bound(
                connection, pod, doubts, together, f"{what} of {format_usd_hr(ceiling)}"
            )
    if is_above(pod, agreed_usd_hr):
        raise terminate_above_agreement(connection, pod, agreed_usd_hr, doubts)


def terminate_above_agreement(
    connection: BaseConnection, pod: PodDetails, agreed_usd_hr: float, doubts: Sequence[str] = ()
) -> BudgetExceeded:
    """Terminate a pod that costs more than was agreed to, and return the error that reports it.

    A pod of another user, or one that may have been launched elsewhere, is only reported.
    """
    return _terminate_above_bound(connection, pod, doubts, "", name_agreed(agreed_usd_hr))


def _terminate_above_bound(
    connection: BaseConnection, pod: PodDetails, doubts: Sequence[str], together: str, bound: str
) -> BudgetExceeded:
    billed = f"It is billed until '%pods rm {as_word(pod.id)}' terminates it"
    try:
        if doubts:
            ended = (
                "was not terminated. It may have been launched elsewhere: the response to the create was "
                f"lost, and {'; '.join(doubts)}. {billed}"
            )
        elif not connection.may_be_mine(pod):
            ended = "was not terminated: it belongs to another user. '%pods ls' shows your pods"
        else:
            outcome = terminate_pods(connection, [pod], cause="above its limit")[0].outcome
            ended = "was terminated" if outcome == GONE else f"its termination was requested: {outcome}"
    except PodsError as error:
        ended = f"could not be terminated ({error}). {billed}"
    return BudgetExceeded(f"{describe_price(pod, bound, together)}, and {ended}")


def missing_ssh_key(connection: BaseConnection, spec: PodSpec) -> str | None:
    """Return a warning if the account has no SSH key; ``None`` if it has one or this key may not ask."""
    if spec.ssh_key_id is not None:
        return None
    try:
        keys = connection.client.list_ssh_keys()
    except PodsError:
        return None
    if keys:
        return None
    return "Your account has no SSH key, so no one can log in to this pod by ssh. '%pods keys add' adds yours"
