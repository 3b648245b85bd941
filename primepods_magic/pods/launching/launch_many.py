"""Launch several pods: plan together, ask for consent once, create concurrently, and report each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from itertools import zip_longest
from queue import SimpleQueue

from primepods_magic.api.errors import InvalidRequest, LaunchIncomplete, PodsError, WaitInterrupted
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.bounds import check_flags
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import current
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.spec.spec import PodSpec, specs_from_mapping, with_own_names
from primepods_magic.pods.support.background import run_concurrently

from .create import PodCreation
from .existing import list_notices, return_existing
from .launch import require_consent, tell_all, warn
from .limits import Limits, check_total_limit
from .name_matching import fold_name
from .plan import LaunchPlan, check_call, plan_launch
from .recovery import SETTLE_S

__all__ = ["carry_out_many", "launch_many", "plan_many"]

_HEAR_S = 0.1
_FORM = "a list with the fields of each pod, such as [{'gpu': 'L4_24GB', 'name': 'a'}]"


def launch_many(
    specs: Iterable[PodSpec | Mapping[str, object]] | PodSpec | Mapping[str, object],
    *,
    yes: bool = False,
    new: bool = False,
    replace_existing: bool = False,
    confirm: Callable[[], bool] | None = None,
    limits: Limits | None = None,
    settle_s: float = SETTLE_S,
    tell: Callable[[str], object] | None = None,
    connection: Connection | None = None,
) -> list[Pod]:
    r"""Rent several pods at once, each as `primepods_magic.launch` does, or return those that exist.

    Nothing is created if one of them does not fit or all together are above a ceiling. If only some are
    created, the error says which.

    Parameters
    ----------
    specs : iterable of PodSpec or mapping
        The pods to rent, or their fields as `primepods_magic.launch` takes them, with ``pods`` for how many;
        names must differ. A single one needs no list.
    yes, new, replace_existing, limits, settle_s, tell, connection
        As for `primepods_magic.launch`, for all of them.
    confirm : callable, optional
        Called once if consent is needed.

    Returns
    -------
    list of Pod
        In the order of the specs.

    Raises
    ------
    LaunchIncomplete
        Some pods exist and some do not; the message lists each.
    PodsError
        As for `primepods_magic.launch`. Nothing was created.

    Examples
    --------
    >>> launch_many(parse_specs("name: worker\ngpu: L4_24GB\npods: 4"))      # doctest: +SKIP
    """
    check_flags(yes=yes)
    check_call(connection=connection, limits=limits, confirm=confirm, tell=tell)
    connection = connection or current()
    tell = tell or warn
    plans = plan_many(
        connection,
        specs,
        new=new,
        replace_existing=replace_existing,
        limits=limits,
        settle_s=settle_s,
        tell=tell,
    )
    return carry_out_many(connection, plans, yes=yes, confirm=confirm, tell=tell)


def plan_many(
    connection: Connection,
    specs: Iterable[PodSpec | Mapping[str, object]] | PodSpec | Mapping[str, object],
    *,
    new: bool = False,
    replace_existing: bool = False,
    limits: Limits | None = None,
    settle_s: float = SETTLE_S,
    tell: Callable[[str], object] | None = None,
) -> list[LaunchPlan]:
    """Plan several launches without carrying them out. Parameters and errors as `launch_many`."""
    check_call(connection=connection, limits=limits, tell=tell)
    tell = tell or warn
    notices: SimpleQueue[str] = SimpleQueue()

    def planned(spec: PodSpec) -> Callable[[], LaunchPlan]:
        return lambda: plan_launch(
            connection,
            spec,
            new=new,
            replace_existing=replace_existing,
            limits=limits,
            settle_s=settle_s,
            tell=notices.put,
        )

    wanted = _as_specs(specs)
    if not new:
        _check_spellings(wanted)
    try:
        under_way = run_concurrently(connection, map(planned, wanted))
        # Notices are shown by this thread, to which the cell belongs.
        while wait(under_way, timeout=_HEAR_S).not_done or not notices.empty():
            while not notices.empty():
                tell(notices.get())
        plans = [future.result() for future in under_way]
        if limits is not None and limits.max_burn_usd_hr is not None and len(plans) > 1:
            ended = {pod.id for plan in plans for pod in plan.replaces}
            others = [pod for pod in connection.client.list_all_pods() if pod.id not in ended]
            quotes = [plan.quote for plan in plans if plan.quote]
            check_total_limit(limits, quotes, filter(connection.may_be_mine, others))
    except KeyboardInterrupt:
        raise WaitInterrupted("Interrupted before any pod was ordered. Nothing was created") from None
    return plans


def carry_out_many(
    connection: Connection,
    plans: Sequence[LaunchPlan],
    *,
    yes: bool = False,
    confirm: Callable[[], bool] | None = None,
    tell: Callable[[str], object] | None = None,
) -> list[Pod]:
    """Carry out plans. Parameters and errors as `launch_many`."""
    tell = tell or warn
    connection.agreements.tell_unsaid(tell)
    for notice in dict.fromkeys(notice for plan in plans for notice in plan.notices):
        tell(notice)
    require_consent(connection, plans, yes, confirm)
    creations = {
        index: PodCreation(connection, plan) for index, plan in enumerate(plans) if not plan.existing
    }
    begun: list[Future[PodDetails]] = []
    with contextlib.suppress(KeyboardInterrupt):
        wait(run_concurrently(connection, [creation.run for creation in creations.values()], begun=begun))
    results = {
        index: _read_outcome(creation, future)
        for (index, creation), future in zip_longest(creations.items(), begun)
    }
    tell_all(tell, (notice for creation in creations.values() for notice in creation.notices))
    outcomes = [_hold_or_report(connection, plan) or results[index] for index, plan in enumerate(plans)]
    for plan, outcome in zip(plans, outcomes, strict=True):
        if plan.existing is not None and isinstance(outcome, PodDetails):
            tell_all(tell, list_notices(plan, outcome))
    pods = [
        Pod(connection, outcome, is_new=index in creations and creations[index].has_ordered)
        for index, outcome in enumerate(outcomes)
        if isinstance(outcome, PodDetails)
    ]
    if len(pods) == len(outcomes):
        return pods
    if len(outcomes) == 1 and isinstance(outcomes[0], PodsError):
        raise outcomes[0]
    raise _describe_outcomes(plans, outcomes, pods)


def _as_specs(
    specs: Iterable[PodSpec | Mapping[str, object]] | PodSpec | Mapping[str, object],
) -> list[PodSpec]:
    # A mapping is iterable, and so is a spec: one of them is one pod.
    given = [specs] if isinstance(specs, (PodSpec, Mapping)) else specs
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InvalidRequest(f"'specs' must be {_FORM}, not a {type(specs).__name__}. Nothing was sent")
    wanted: list[PodSpec] = []
    for spec in given:
        if not isinstance(spec, (PodSpec, Mapping)):
            raise InvalidRequest(f"'specs' must be {_FORM}; one is a {type(spec).__name__}. Nothing was sent")
        wanted += [spec] if isinstance(spec, PodSpec) else specs_from_mapping(spec)
    return with_own_names(wanted)


def _check_spellings(specs: Iterable[PodSpec]) -> None:
    """Refuse names that differ only in spelling, as a single launch does beside a live pod."""
    names: dict[str, str] = {}
    for spec in specs:
        other = names.setdefault(fold_name(spec.pod_name), spec.pod_name)
        if other != spec.pod_name:
            raise InvalidRequest(
                f"'{sanitize(other)}' and '{sanitize(spec.pod_name)}' differ only in spelling. Use other "
                "names, or '--new' to rent both. Nothing was sent"
            )


def _hold_or_report(connection: Connection, plan: LaunchPlan) -> PodDetails | PodsError | None:
    """Return the pod that already existed, or the error if it does not stay."""
    try:
        return return_existing(connection, plan)
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
