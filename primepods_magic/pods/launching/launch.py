"""From a spec to exactly one pod: plan, consent, creation."""

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
    """Rent a pod, or answer with the one that has this name already.

    The create is sent once. Where the service may have acted on it without a good answer, the pod is looked
    for, in the list and in the history. A note on this computer lets a launch that was cut off, even by the
    end of the process, go on when it is run again.

    Parameters
    ----------
    spec : PodSpec or mapping, optional
        What is wanted, or its fields; or give its fields by name.
    yes : bool
        Consent to the price, to what is charged up front, and to ending what is replaced. A ``max_price`` in
        the spec is consent to the price as well, and the sandbox needs none.
    new : bool
        Rent another one, although a pod of this name is live.
    replace_existing : bool
        Where my pod of this name has failed or differs from the spec, end it first. One that is what was
        asked for is answered with all the same.
    confirm : callable, optional
        Asked for consent where it is needed.
    limits : Limits, optional
        Ceilings.
    settle_s : float
        How long the pod of a create that may have been acted on can take to appear, by the service's clock.
    tell : callable, optional
        Is given what a person should know, in words; else it is a warning.
    connection : Connection, optional
        Where; else the current connection.
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
        An argument is of another kind, or the spec is not valid. Nothing was sent.
    LaunchRefused
        Nobody consented. Nothing was created.
    OutOfStock
        No offer fits, or the one chosen was sold out. Nothing was created.
    BudgetExceeded
        It is above a ceiling, and nothing was created; or it turned out to be, and was ended.
    ServiceUnavailable
        The service does not answer, and nothing was created; or a create was sent and no pod of it was seen,
        which `may_be_billed` says.
    OutcomeUnknown
        Whether there is a pod could not be found out. Running the launch again goes on looking.

    Examples
    --------
    >>> launch(gpu="H100_80GB", name="train", max_price=3)                   # doctest: +SKIP
    Pod train: 1 × H100_80GB · $2.39/h · created 08:00:00 UTC
    """
    if spec is not None and fields:
        raise InvalidRequest(f"a spec is given, and {', '.join(fields)} beside it; give one of them")
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
    """Do what a plan says. Parameters and errors as `launch`."""
    tell = tell or warn
    if plan.existing is not None:
        return_existing(connection, plan)
        tell_all(tell, list_notices(plan, plan.existing))
        return Pod(connection, plan.existing)
    for notice in plan.notices:
        tell(notice)
    require_consent(connection, [plan], yes, confirm and (lambda: confirm(plan)))
    creation = PodCreation(connection, plan)
    details = None
    # Raised after the block: what breaks a create off would stay attached, with all that was sent.
    with contextlib.suppress(KeyboardInterrupt):
        details = run_in_background(connection, creation.run).result()
    if details is None:
        raise creation.interrupt()
    tell_all(tell, creation.notices)
    return Pod(connection, details, is_new=creation.has_ordered)


def require_consent(
    connection: Connection, plans: Sequence[LaunchPlan], yes: bool, confirm: Callable[[], bool] | None
) -> None:
    """Make sure that somebody agrees to what the plans cost and end.

    Raises
    ------
    LaunchRefused
        Nobody does.
    """
    check_flags(yes=yes)
    asking = [plan for plan in plans if plan.existing is None and not plan.is_consented]
    if yes or connection.is_sandbox or not asking:
        return
    if confirm is None:
        said_already = all(plan.spec.max_price is not None for plan in asking)
        ways = "say -y (in Python: yes=True)"
        ways = ways if said_already else f"put max_price into the spec, or {ways}"
        raise LaunchRefused(
            f"nobody is here to agree to {'; and '.join(plan.consequences for plan in asking)}; nothing was "
            f"created. To agree beforehand, {ways}"
        )
    # Any text is true, also "n": only True itself agrees.
    if confirm() is not True:
        names = ", ".join(f"'{sanitize(plan.name)}'" for plan in asking)
        raise LaunchRefused(
            f"{names} {'was' if len(asking) == 1 else 'were'} not agreed to; nothing was created"
        )


def tell_all(tell: Callable[[str], object], notices: Iterable[str]) -> None:
    """Tell what came of a launch; a failure to tell, such as a warning turned into an error or a closed
    terminal, must not hide a pod that is billed."""
    for notice in notices:
        with contextlib.suppress(Exception):
            tell(notice)


def warn(text: str) -> None:
    """Tell a person of something where nobody else does."""
    notices.warn(text, stacklevel=3)
