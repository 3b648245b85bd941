"""The launch of a pod that has waited for stock, within what was agreed when it began to wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from primepods_magic.api.errors import (
    GuardNotArmed,
    LaunchRefused,
    OutOfStock,
    PodsError,
    RateLimited,
    ServiceUnavailable,
)
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.current import open_connection
from primepods_magic.pods.guards.alert_records import StockOrder
from primepods_magic.pods.launching.carry_out import carry_out
from primepods_magic.pods.launching.launch import plan_many
from primepods_magic.pods.launching.limits import Limits
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.spec.spec import PodSpec

from .notices import log_exception

__all__ = ["Attempt", "launch_waiting"]

# Nothing was created, and a later attempt may succeed.
_PASSING: tuple[type[PodsError], ...] = (OutOfStock, LaunchRefused, ServiceUnavailable, GuardNotArmed)


_CUT_OFF = (
    "its last attempt was cut off, and no pod of it is live. Nothing else was rented. Run it again to "
    "launch it"
)


@dataclass(frozen=True)
class Attempt:
    """The result of one attempt: a pod, or why there is none, and whether another one may succeed."""

    pod: Pod | None = None
    why: str = ""
    is_over: bool = False


def launch_waiting(
    settings: Settings,
    order: StockOrder,
    spec: PodSpec,
    tell: Callable[[str], object],
    *,
    is_late: bool = False,
) -> Attempt:
    """Launch a pod once, as `launch` does: its launch record finds it again, whatever happens here.

    If it ``is_late``, only the pod of an attempt that was cut off is looked for.
    """
    # Other kernels may choose another team for this process meanwhile.
    own = Settings(
        settings.base_url,
        settings.api_key,
        order.team_id,
        shares_with_team=order.shares_with_team,
    )
    limits = Limits(order.max_price_usd_hr, order.max_burn_usd_hr, order.max_month_usd)
    passing = (*_PASSING, RateLimited)
    try:
        connection = open_connection(own)
        try:
            plans = plan_many(
                connection, [spec], limits=limits, settle_s=order.settle_s, tell=tell, is_dry_run=is_late
            )
            if is_late and plans[0].existing is None:
                return Attempt(None, _CUT_OFF, True)
            # Some services act on a create that they then call too much, so it is not sent again.
            passing = _PASSING
            (pod,) = carry_out(connection, plans, yes=order.is_agreed, tell=tell)
        finally:
            connection.close()
    except PodsError as error:
        # If there may be a pod, a person decides.
        return Attempt(None, str(error), error.may_be_billed or not isinstance(error, passing))
    except Exception as error:  # noqa: BLE001 - the list of alerts says it
        log_exception()
        return Attempt(None, f"the launch failed with {type(error).__name__}", True)
    return Attempt(pod)
