"""Launch exactly one pod: plan, consent, creation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from primepods_magic.api.errors import InvalidRequest, LaunchRefused
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.bounds import check_flags, check_kind
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import current
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.spec.spec import PodSpec, spec_from_mapping
from primepods_magic.pods.support import notices
from primepods_magic.pods.support.background import run_in_background

from .create import PodCreation
from .existing import list_notices, return_existing
from .limits import Limits
from .plan import LaunchPlan, check_call, plan_launch
from .recovery import SETTLE_S

__all__ = [
    "LaunchPlan",
    "Limits",
    "carry_out",
    "launch",
    "plan_launch",
    "require_consent",
    "tell_all",
    "warn",
]


def launch(
    spec: PodSpec | Mapping[str, object] | None = None,
    *,
    yes: bool = False,
    new: bool = False,
    replace_existing: bool = False,
    confirm: Callable[[LaunchPlan], bool] | None = None,
    limits: Limits | None = None,
    settle_s: float = SETTLE_S,
    tell: Callable[[str], object] | None = None,
    connection: Connection | None = None,
    **fields: Any,
) -> Pod:
    """Rent a pod, or return the one that already has this name.

    The create is sent once. If its outcome is unclear, the pod is searched for in the list and in the
    history. A record on this computer lets a launch that was cut off, even by the end of the process, resume
    when it runs again.

    Parameters
    ----------
    spec : PodSpec or mapping, optional
        The pod to rent, or its fields; or pass the fields by name.
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
    tell : callable, optional
        Called with each notice; else notices are warnings.
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
    InvalidRequest
        An argument has the wrong type, or the spec is not valid. Nothing was sent.
    LaunchRefused
        No one agreed to the price. Nothing was created.
    OutOfStock
        No offer fits, or the chosen one was sold out. Nothing was created.
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
    >>> launch(gpu="H100_80GB", name="train", max_price=3)                   # doctest: +SKIP
    Pod train: 1 × H100_80GB · $2.39/h · created 08:00:00 UTC
    """
    if spec is not None and fields:
        raise InvalidRequest(f"Pass a spec or fields ({', '.join(fields)}), not both. Nothing was sent")
    check_flags(yes=yes)
    check_call(connection=connection, limits=limits, confirm=confirm, tell=tell)
    check_kind(
        "spec",
        spec,
        is_right=isinstance(spec, (PodSpec, Mapping)),
        form="the fields of one pod, such as launch(gpu='H100_80GB') or launch({'gpu': 'H100_80GB'})",
    )
    wanted = spec if isinstance(spec, PodSpec) else spec_from_mapping(fields if spec is None else spec)
    connection = connection or current()
    tell = tell or warn
    plan = plan_launch(
        connection,
        wanted,
        new=new,
        replace_existing=replace_existing,
        limits=limits,
        settle_s=settle_s,
        tell=tell,
    )
    return carry_out(connection, plan, yes=yes, confirm=confirm, tell=tell)


def carry_out(
    connection: Connection,
    plan: LaunchPlan,
    *,
    yes: bool = False,
    confirm: Callable[[LaunchPlan], bool] | None = None,
    tell: Callable[[str], object] | None = None,
) -> Pod:
    """Carry out a plan. Parameters and errors as `launch`."""
    tell = tell or warn
    connection.agreements.tell_unsaid(tell)
    if plan.existing is not None:
        return_existing(connection, plan)
        tell_all(tell, list_notices(plan, plan.existing))
        return Pod(connection, plan.existing)
    for notice in plan.notices:
        tell(notice)
    require_consent(connection, [plan], yes, confirm and (lambda: confirm(plan)))
    creation = PodCreation(connection, plan)
    work, details = None, None
    # Raised after the block, or the interrupt would stay attached with everything that was sent.
    with contextlib.suppress(KeyboardInterrupt):
        work = run_in_background(connection, creation.run)
        details = work.result()
    if details is None:
        raise creation.interrupt(work)
    tell_all(tell, creation.notices)
    return Pod(connection, details, is_new=creation.has_ordered)


def require_consent(
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
        names = ", ".join(f"'{sanitize(plan.name)}'" for plan in asking)
        raise LaunchRefused(f"The launch of {names} was not confirmed. Nothing was created")


def tell_all(tell: Callable[[str], object], notices: Iterable[str]) -> None:
    """Show notices, and ignore failures to do so.

    A warning turned into an error, or a closed terminal, must not hide a pod that is billed.
    """
    for notice in notices:
        with contextlib.suppress(Exception):
            tell(notice)


def warn(text: str) -> None:
    """Warn, as the default for ``tell``."""
    notices.warn(text, stacklevel=3)
