"""Launch one or more pods: plan together, ask for consent once, create concurrently."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import wait
from functools import partial
from queue import SimpleQueue
from typing import Any

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.api.validation.bounds import check_flags
from primepods_magic.pods.account.members import find_members
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import current
from primepods_magic.pods.guards.stock_waits import Span, awaiting_stock
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.short_names import nothing_created, resolve_names
from primepods_magic.pods.spec.given_specs import GivenSpec, read_one_spec, read_specs
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.background import run_concurrently
from primepods_magic.pods.support.name_matching import fold_name
from primepods_magic.pods.support.notices import note, warn

from .carry_out import carry_out, check_plan_budgets
from .limits import Limits, check_total_limit
from .naming import team_of
from .plan import LaunchPlan, check_call, describe_interrupted_plan, plan_launch
from .recovery import SETTLE_S

__all__ = ["launch", "launch_many", "plan_many"]

_HEAR_S = 0.1


@shorten_tracebacks
def launch(
    spec: GivenSpec | None = None,
    *,
    yes: bool = False,
    new: bool = False,
    replace_existing: bool = False,
    confirm: Callable[[LaunchPlan], bool] | None = None,
    limits: Limits | None = None,
    settle_s: float = SETTLE_S,
    wait_for_stock: Span | None = None,
    tell: Callable[[str], object] | None = None,
    keep: bool = False,
    connection: Connection | None = None,
    **fields: Any,
) -> Pod:
    r"""Rent a pod, or return the one that already has this name.

    The create is sent once. If its outcome is unclear, the pod is searched for in the list and in the
    history. A record on this computer lets a launch that was cut off, even by the end of the process, resume
    when it runs again.

    Parameters
    ----------
    spec : str, PodSpec or mapping, optional
        The GPU type, with other fields by name; or the whole pod as its fields, or as the text of a
        ``%%pod_create`` cell. Part of the name of a GPU type, image, provider or place is enough if it
        matches only one. Of several GPU types, regions, countries or providers, any will do.
        ``min_vram_gb`` instead of a GPU type takes any GPU with at least that much memory.
    yes : bool
        Agree to the price, to prepaid hours, and to the termination of replaced pods. A ``max_price`` in the
        spec agrees to the price as well; the sandbox needs no consent.
    new : bool
        Rent another pod even if one of this name is live.
    replace_existing : bool
        Terminate my pod of this name first if it has failed or differs from the spec. One that matches is
        returned all the same.
    confirm : callable, optional
        Called with the plan if consent is needed; only ``True`` agrees.
    limits : Limits, optional
        Price ceilings.
    settle_s : float
        Seconds by the service's clock that the pod of an unclear create may take to appear.
    wait_for_stock : str, timedelta or float, optional
        If no offer fits now, let this computer launch the pod once as soon as one does, within this time,
        such as ``"2h"``, even if this process ends; a number is in seconds. It needs a ``max_price``, or
        ``yes`` with ``limits.max_price_usd_hr``: no one is asked then.
    tell : callable, optional
        Called with each notice; else notices are warnings, and lines on stderr for names that it completes.
    keep : bool
        Do not terminate the pod at the end of a ``with`` block.
    connection : Connection, optional
        The account to use; else the current connection.
    **fields
        Fields of the spec in short names, snake_case or camelCase.

    Returns
    -------
    Pod

    Raises
    ------
    NameInUse
        A live pod has this name and differs from the spec. Nothing was created.
    PodFailed
        The pod of this name has failed, or ended as soon as it was created.
    GuardNotArmed
        The spec asks for an end, and no guard could end the pod. Nothing was created, unless `may_be_billed`.
    InvalidRequest
        An argument has the wrong type, or the spec is not valid. Nothing was sent.
    LaunchRefused
        No one agreed to the price. Nothing was created.
    OutOfStock
        No offer fits, or the chosen one was sold out. Nothing was created.
    StockAwaited
        The same, and the launch waits for an offer. Running it again returns the pod, once there is one.
    BudgetExceeded
        The price is above a ceiling, and nothing was created; or it turned out to be, and the pod was
        terminated.
    ServiceUnavailable
        The service does not respond, and nothing was created; or a create was sent and no pod was seen, as
        `may_be_billed` says.
    OutcomeUnknown
        Could not determine whether there is a pod. Running the launch again resumes the search.

    Examples
    --------
    >>> launch("H100_80GB", name="train", max_price=3)                       # doctest: +SKIP
    Pod train: 1 × H100_80GB · $2.39/h · created 08:00:00 UTC

    The same pod in other forms:

    >>> launch(gpu="H100_80GB", name="train", max_price=3)                   # doctest: +SKIP
    >>> launch({"gpu": "H100_80GB", "name": "train", "max_price": 3})        # doctest: +SKIP
    >>> launch("gpu: H100_80GB\nname: train\nmax_price: 3")                  # doctest: +SKIP
    """
    check_flags(yes=yes, keep=keep)
    check_call(connection=connection, limits=limits, confirm=confirm, tell=tell)
    wanted = read_one_spec(spec, fields)
    connection = connection or current()
    with awaiting_stock(
        connection,
        [wanted],
        wait_for_stock,
        yes=yes,
        is_plain=not (new or replace_existing),
        limits=limits,
        settle_s=settle_s,
    ):
        (plan,) = plan_many(
            connection,
            [wanted],
            new=new,
            replace_existing=replace_existing,
            limits=limits,
            settle_s=settle_s,
            tell=tell,
        )
        (pod,) = carry_out(
            connection, [plan], yes=yes, confirm=confirm and (lambda: confirm(plan)), tell=tell or warn
        )
    pod.ends_with_block = not keep
    return pod


@shorten_tracebacks
def launch_many(
    specs: Iterable[GivenSpec] | GivenSpec,
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
    specs : str, PodSpec or mapping, or an iterable of these
        The pods to rent, in the forms that `primepods_magic.launch` takes, with ``pods`` for how many; names
        must differ. A single one needs no list.
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
    >>> launch_many("name: worker\ngpu: L4_24GB\npods: 4")                   # doctest: +SKIP
    >>> launch_many([{"gpu": "L4_24GB", "name": name} for name in "ab"])     # doctest: +SKIP
    """
    check_flags(yes=yes)
    check_call(connection=connection, limits=limits, confirm=confirm, tell=tell)
    connection = connection or current()
    plans = plan_many(
        connection,
        specs,
        new=new,
        replace_existing=replace_existing,
        limits=limits,
        settle_s=settle_s,
        tell=tell,
    )
    return carry_out(connection, plans, yes=yes, confirm=confirm, tell=tell or warn)


def plan_many(
    connection: Connection,
    specs: Iterable[GivenSpec] | GivenSpec,
    *,
    new: bool = False,
    replace_existing: bool = False,
    limits: Limits | None = None,
    settle_s: float = SETTLE_S,
    tell: Callable[[str], object] | None = None,
    is_dry_run: bool = False,
) -> list[LaunchPlan]:
    """Plan launches without carrying them out. Parameters and errors as `launch_many`."""
    check_call(connection=connection, limits=limits, tell=tell)
    show = _show_once(tell or warn)
    unresolved: set[str] = set()
    plan = partial(
        plan_launch,
        connection,
        new=new,
        replace_existing=replace_existing,
        limits=limits,
        settle_s=settle_s,
        is_dry_run=is_dry_run,
        unresolved=unresolved,
    )
    try:
        wanted = read_specs(specs)
        with nothing_created():
            wanted = resolve_names(connection, wanted, _show_once(tell or note))
            wanted = [_find_members(connection, spec, _show_once(tell or note)) for spec in wanted]
    except KeyboardInterrupt:
        raise describe_interrupted_plan("any pod", unresolved) from None
    if len(wanted) == 1:
        only = [plan(wanted[0], tell=show)]
        check_plan_budgets(connection, only, limits, show)
        return only
    if not new:
        _check_spellings(wanted)
    notices: SimpleQueue[str] = SimpleQueue()
    try:
        under_way = run_concurrently(connection, [partial(plan, spec, tell=notices.put) for spec in wanted])
        # Notices are shown by this thread, to which the cell belongs.
        while wait(under_way, timeout=_HEAR_S).not_done or not notices.empty():
            while not notices.empty():
                show(notices.get())
        plans = [future.result() for future in under_way]
        if limits is not None and limits.max_burn_usd_hr is not None:
            ended = {pod.id for plan in plans for pod in plan.replaces}
            others = [pod for pod in connection.client.list_all_pods() if pod.id not in ended]
            quotes = [plan.quote for plan in plans if plan.quote]
            check_total_limit(limits, quotes, filter(connection.may_be_mine, others))
        check_plan_budgets(connection, plans, limits, show)
    except KeyboardInterrupt:
        raise describe_interrupted_plan("any pod", unresolved) from None
    return plans


def _find_members(connection: Connection, spec: PodSpec, tell: Callable[[str], object]) -> PodSpec:
    if not spec.team_member_ids:
        return spec
    ids = find_members(connection, team_of(connection, spec), spec.team_member_ids, tell)
    return spec.model_copy(update={"team_member_ids": ids})


def _show_once(tell: Callable[[str], object]) -> Callable[[str], object]:
    shown: set[str] = set()

    def show(text: str) -> None:
        if text not in shown:
            shown.add(text)
            tell(text)

    return show


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
