"""Carry out the plans of launches: ask for consent once, create concurrently, and report each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from datetime import datetime, timedelta
from itertools import zip_longest

from primepods_magic.api.errors import (
    GuardNotArmed,
    LaunchIncomplete,
    LaunchRefused,
    PodsError,
    WaitInterrupted,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.bounds import check_flags
from primepods_magic.pods.account.budgets import Order, check_budgets, has_budgets
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards.launches import arm_launched
from primepods_magic.pods.guards.stock_waits import end_stock_wait
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.support.background import run_concurrently

from .create import PodCreation
from .existing import return_existing
from .journal.name_lock import launching
from .limits import Limits
from .naming import team_of
from .plan import LaunchPlan, describe_interrupted_plan

__all__ = ["carry_out", "check_plan_budgets"]

# The lock for what is left of budgets; no name is empty.
_BUDGETS = "\0budgets"


def carry_out(
    connection: Connection,
    plans: Sequence[LaunchPlan],
    *,
    yes: bool = False,
    confirm: Callable[[], bool] | None = None,
    tell: Callable[[str], object],
) -> list[Pod]:
    """Carry out plans. Parameters and errors as `launch_many`."""
    for notice in dict.fromkeys(notice for plan in plans for notice in plan.notices):
        tell(notice)
    _require_consent(connection, plans, yes, confirm)
    creations = {
        index: PodCreation(connection, plan) for index, plan in enumerate(plans) if not plan.existing
    }
    begun: list[Future[PodDetails]] = []
    with _hold_budgets(connection, plans, tell), contextlib.suppress(KeyboardInterrupt):
        wait(run_concurrently(connection, [creation.run for creation in creations.values()], begun=begun))
    results = {
        index: _read_outcome(creation, future)
        for (index, creation), future in zip_longest(creations.items(), begun)
    }
    notices = [notice for creation in creations.values() for notice in creation.notices]
    outcomes = [
        results[index] if index in results else _hold_or_report(connection, plan, notices.append)
        for index, plan in enumerate(plans)
    ]
    _tell_all(tell, dict.fromkeys(notices))
    pods, unguarded = [], []
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, PodDetails):
            is_new = index in creations and creations[index].is_create_sent
            pods.append(Pod(connection, outcome, is_new=is_new))
            end_stock_wait(connection, plans[index].spec, lambda text: _tell_all(tell, [text]))
            unguarded += _arm_guard(connection, plans[index], outcome, tell)
    if unguarded and len(pods) == len(outcomes):
        raise _join_failures(unguarded)
    _tell_all(tell, map(str, unguarded))
    if len(pods) == len(outcomes):
        return pods
    if len(outcomes) == 1 and isinstance(outcomes[0], PodsError):
        raise outcomes[0]
    raise _describe_outcomes(plans, outcomes, pods)


def check_plan_budgets(
    connection: Connection,
    plans: Iterable[LaunchPlan],
    limits: Limits | None,
    tell: Callable[[str], object],
) -> None:
    """Refuse launches that pass a budget of this month."""
    now = connection.now()
    orders = [
        Order(plan.name, plan.quote.price_usd_hr, team_of(connection, plan.spec), _count_hours(plan, now))
        for plan in plans
        if plan.quote is not None
    ]
    check_budgets(connection, orders, limits.max_month_usd if limits else None, tell)


def _count_hours(plan: LaunchPlan, now: datetime) -> float | None:
    ends_at = plan.guard.ends_at if plan.guard else None
    return None if ends_at is None else max(0.0, (ends_at - now) / timedelta(hours=1))


@contextlib.contextmanager
def _hold_budgets(
    connection: Connection, plans: Sequence[LaunchPlan], tell: Callable[[str], object]
) -> Iterator[None]:
    """Check the budgets once more, and let no other launch use what is left of them meanwhile."""
    new = [plan for plan in plans if plan.existing is None]
    if not new or not has_budgets(new[0].limits.max_month_usd):
        yield
        return
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(launching(connection, _BUDGETS))
            check_plan_budgets(connection, new, new[0].limits, tell)
        except KeyboardInterrupt:
            raise describe_interrupted_plan(_list_names(new), ()) from None
        yield


def _arm_guard(
    connection: Connection, plan: LaunchPlan, pod: PodDetails, tell: Callable[[str], object]
) -> list[GuardNotArmed]:
    """Arm the guard of a launched pod; return the failure: the other pods need theirs all the same."""
    try:
        if plan.guard is not None:
            arm_launched(connection, plan.spec, plan.guard, pod, lambda text: _tell_all(tell, [text]))
    except GuardNotArmed as error:
        return [error]
    return []


def _join_failures(failures: Sequence[GuardNotArmed]) -> GuardNotArmed:
    if len(failures) == 1:
        return failures[0]
    joined = GuardNotArmed("\n".join(map(str, failures)))
    joined.may_be_billed = True
    return joined


def _require_consent(
    connection: Connection, plans: Sequence[LaunchPlan], yes: bool, confirm: Callable[[], bool] | None
) -> None:
    """Raise LaunchRefused unless a person agrees to the price and the terminations of the plans."""
    check_flags(yes=yes)
    asking = [plan for plan in plans if plan.existing is None and not plan.is_consented]
    if yes or connection.is_sandbox or not asking:
        return
    if confirm is None:
        has_max_price = all(plan.spec.max_price is not None for plan in asking)
        ways = "pass -y (in Python: yes=True)"
        ways = ways if has_max_price else f"set max_price in the spec, or {ways}"
        consequences = "; and ".join(plan.consequences for plan in asking)
        raise LaunchRefused(
            f"No one can confirm this here (not interactive): {consequences}. Nothing was created. "
            f"To confirm in advance, {ways}"
        )
    # Any text is true, also "n": only True itself agrees.
    if confirm() is not True:
        raise LaunchRefused(f"The launch of {_list_names(asking)} was not confirmed. Nothing was created")


def _list_names(plans: Iterable[LaunchPlan]) -> str:
    return ", ".join(f"'{sanitize(plan.name)}'" for plan in plans)


def _tell_all(tell: Callable[[str], object], notices: Iterable[str]) -> None:
    """Show notices, and ignore failures to do so.

    A warning turned into an error, or a closed terminal, must not hide a pod that is billed.
    """
    for notice in notices:
        with contextlib.suppress(Exception):
            tell(notice)


def _hold_or_report(
    connection: Connection, plan: LaunchPlan, tell: Callable[[str], object]
) -> PodDetails | PodsError:
    """Return the pod that already existed, or the error if it does not stay."""
    try:
        return return_existing(connection, plan, tell)
    except PodsError as error:
        return error
    except KeyboardInterrupt:
        return WaitInterrupted(
            f"Interrupted while the price of '{sanitize(plan.name)}' was being checked. The pod exists and "
            "may be billed"
        )


def _read_outcome(creation: PodCreation, future: Future[PodDetails] | None) -> PodDetails | PodsError:
    """Return the result of a creation. Without a future, Ctrl-C came before or just after its start."""
    if future is None or not future.done():
        return creation.interrupt(future)
    error = future.exception()
    if error is None:
        return future.result()
    return (
        error if isinstance(error, PodsError) else PodsError(f"the launch failed with {type(error).__name__}")
    )


def _describe_rate(pods: Sequence[Pod], together: str) -> str:
    """Describe the hourly price of pods, as far as it is known."""
    prices = [pod.price_usd_hr for pod in pods]
    known_usd_hr = sum(price for price in prices if price is not None)
    if None not in prices:
        return f" {format_usd_hr(known_usd_hr)}{together}"
    return (
        f" at least {format_usd_hr(known_usd_hr)}{together}; not every price is known yet"
        if known_usd_hr
        else "; no price is known yet"
    )


def _describe_outcomes(
    plans: Sequence[LaunchPlan], outcomes: Sequence[PodDetails | PodsError], pods: list[Pod]
) -> LaunchIncomplete:
    """Build the error that reports each pod on a line."""
    lines = []
    for plan, outcome in zip(plans, outcomes, strict=True):
        if isinstance(outcome, PodDetails):
            price = "" if outcome.price_hr is None else f", {format_usd_hr(outcome.price_hr)}"
            text = f"exists ({sanitize(outcome.id)}{price})"
        else:
            text = f"{type(outcome).__name__}: {outcome}"
        lines.append(f"  {sanitize(plan.name)}: {text}")
    is_open = any(isinstance(outcome, PodsError) and outcome.may_be_billed for outcome in outcomes)
    head = f"None of {len(plans)} pods {'is known to exist' if is_open else 'exists'}"
    if pods:
        verbs, together = ("exists and is", "") if len(pods) == 1 else ("exist and are", " together")
        head = f"{len(pods)} of {len(plans)} pods {verbs} billed{_describe_rate(pods, together)}"
    again = (
        "With --new, running this again rents the existing ones once more"
        if any(plan.new for plan in plans)
        else "Run this again to launch the rest; none is rented twice"
    )
    report = "\n".join([f"{head}. {again}:", *lines])
    failures = {
        plan.name: outcome
        for plan, outcome in zip(plans, outcomes, strict=True)
        if isinstance(outcome, PodsError)
    }
    return LaunchIncomplete(report, pods=pods, failures=failures)
