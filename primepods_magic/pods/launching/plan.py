"""The plan of a launch: return an existing pod, or rent an offer at a price."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from pydantic import ValidationError

from primepods_magic.api.errors import (
    BudgetExceeded,
    InvalidRequest,
    OutcomeUnknown,
    PodsError,
    WaitInterrupted,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.requests import (
    CreateRequest,
    PodRequest,
    ProviderRequest,
    TeamRequest,
    describe_problems,
    join_problems,
)
from primepods_magic.api.text.sanitize import join_sanitized, sanitize, shorten
from primepods_magic.api.text.short_repr import shorten_repr
from primepods_magic.api.validation.bounds import check_flags, check_kind, check_seconds
from primepods_magic.pods.choose_offer import choose_offer
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import check_connection
from primepods_magic.pods.guards.arming import refuse_idle
from primepods_magic.pods.guards.launches import plan_guard
from primepods_magic.pods.guards.rules import GuardRules
from primepods_magic.pods.launching.journal.lookup import hold_name
from primepods_magic.pods.offers import Quote, image_for
from primepods_magic.pods.spec.fields import GUARD_FIELDS, SECRET_FIELDS
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.notices import warn
from primepods_magic.pods.unlisted import list_for_launch

from .agreed_prices import describe_spared
from .assess import Assessment, assess
from .differences import is_billed_to
from .limits import Limits, check_limits, missing_ssh_key
from .naming import shares_by_default, team_of
from .recovery import SETTLE_S, ResumedLaunch, resume_launch

__all__ = ["LaunchPlan", "check_call", "hold_to_prices", "plan_launch", "read_pods"]

NO_LIMITS = Limits()
_UNRECORDED = (
    "No record of this launch can be kept on this computer, or the last one cannot be read. Look for the pod "
    "with '%pods ls' before you launch again. '%pods doctor' shows the reason"
)
_UNLOCKED = (
    "Launches of one name cannot wait for each other on this computer, because the files in its state folder "
    "cannot be locked. Launch this name in one notebook at a time, or two pods may be rented. '%pods doctor' "
    "shows the folder"
)
_SHARED = (
    "The pod is shared with the team that is billed, as ~/.prime/config.json says "
    "(share_resources_with_team). 'shared_with_team: false' in the spec keeps it to yourself"
)


@dataclass(frozen=True, repr=False)
class LaunchPlan:
    """The plan of a launch.

    With ``existing``, nothing is created. ``replaces`` are pods to terminate first, and ``earlier`` is the
    live pod that this computer has launched under the name. Without ``is_recorded``, a launch that is cut off
    cannot be resumed; without ``is_locked``, other kernels do not wait for this one. With ``is_dry_run``, no
    pod is terminated either. ``guard`` ends the pod by itself.
    """

    spec: PodSpec
    name: str
    existing: PodDetails | None = None
    quote: Quote | None = None
    request: CreateRequest | None = None
    new: bool = False
    replaces: tuple[PodDetails, ...] = ()
    limits: Limits = NO_LIMITS
    settle_s: float = SETTLE_S
    notices: tuple[str, ...] = ()
    earlier: ResumedLaunch | None = None
    is_recorded: bool = True
    is_locked: bool = True
    is_dry_run: bool = False
    guard: GuardRules | None = None

    def __repr__(self) -> str:
        what = f"already exists ({self.existing.status})" if self.existing else self.quote or "no offer"
        return shorten_repr(f"LaunchPlan '{shorten(self.name, 30)}': {what}")

    @property
    def is_consented(self) -> bool:
        """The spec has a price limit, and nothing `goes_further`."""
        return self.spec.max_price is not None and not self.goes_further

    @property
    def goes_further(self) -> bool:
        """The launch also takes prepaid hours, a termination, or going without a record or a lock."""
        prepaid = self.quote is not None and self.quote.prepaid_hr > 0
        return prepaid or bool(self.replaces) or not (self.is_recorded and self.is_locked)

    @property
    def agreed_usd_hr(self) -> float:
        """The agreed maximum in USD per hour, which is also sent as the limit."""
        return (self.request and self.request.pod.max_price) or 0.0

    @property
    def stated_usd_hr(self) -> float:
        """The price limit in the spec, within the ceiling for one pod; 0 if there is none."""
        ceiling = self.limits.max_price_usd_hr
        return min(self.spec.max_price or 0.0, math.inf if ceiling is None else ceiling)

    @property
    def consequences(self) -> str:
        """The text that a person agrees to."""
        ended = "".join(
            f"; first, the current '{sanitize(pod.name)}' ({sanitize(pod.id)}) is terminated"
            for pod in self.replaces
        )
        return f"{self.quote}{ended}"

    @property
    def digest(self) -> str:
        """A digest of the spec without its price limit and secrets."""
        fields = self.spec.model_dump(exclude={*SECRET_FIELDS, *GUARD_FIELDS, "max_price"}, exclude_none=True)
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def check_call(
    *, connection: object = None, limits: object = None, confirm: object = None, tell: object = None
) -> None:
    """Raise InvalidRequest for arguments of the wrong type, before any request."""
    check_connection(connection)
    check_kind(
        "limits",
        limits,
        is_right=isinstance(limits, Limits),
        form="Limits, such as Limits(max_price_usd_hr=4)",
    )
    check_kind("confirm", confirm, is_right=callable(confirm), form="a function that returns True or False")
    check_kind("tell", tell, is_right=callable(tell), form="a function of one text, such as print")


def plan_launch(
    connection: Connection,
    spec: PodSpec,
    *,
    new: bool = False,
    replace_existing: bool = False,
    limits: Limits | None = None,
    settle_s: float = SETTLE_S,
    tell: Callable[[str], object] = warn,
    is_dry_run: bool = False,
    unresolved: set[str] | None = None,
) -> LaunchPlan:
    """Plan a launch without carrying it out. Parameters and errors as `launch`.

    The name is in ``unresolved`` while an earlier launch of it may have a pod.
    """
    unresolved = set() if unresolved is None else unresolved
    check_flags(new=new, replace_existing=replace_existing)
    check_call(connection=connection, limits=limits, tell=tell)
    settle_s = check_seconds("settle_s", settle_s, may_be_zero=True)
    connection.settle_s = max(connection.settle_s, settle_s)
    try:
        plan = LaunchPlan(
            spec,
            spec.pod_name,
            new=new,
            limits=limits or NO_LIMITS,
            settle_s=settle_s,
            is_dry_run=is_dry_run,
        )
        return _complete_plan(connection, plan, replace_existing, tell, unresolved)
    except KeyboardInterrupt:
        raise describe_interrupted_plan(f"'{sanitize(spec.pod_name)}'", unresolved) from None


def describe_interrupted_plan(what: str, unresolved: Collection[str]) -> PodsError:
    """Return the error for a Ctrl-C before anything was ordered: pods of earlier launches may exist."""
    if not unresolved:
        return WaitInterrupted(f"Interrupted before {what} was ordered. Nothing was created")
    names = ", ".join(f"'{sanitize(name)}'" for name in sorted(unresolved))
    return OutcomeUnknown(
        f"Interrupted while looking for the pod of an earlier launch of {names}, which may exist and be "
        "billed. No other was created. Run this again to look again, or '%pods ls' to see your pods"
    )


def _complete_plan(
    connection: Connection,
    plan: LaunchPlan,
    replace_existing: bool,
    tell: Callable[[str], object],
    unresolved: set[str],
) -> LaunchPlan:
    plan = _recall_earlier(connection, plan, tell, unresolved)
    pods, found = read_pods(connection, plan, lambda _: replace_existing, tell)
    if found.pod is not None:
        guard = plan_guard(connection, plan.spec, found.pod, is_dry_run=plan.is_dry_run)
        return replace(plan, existing=found.pod, guard=guard)
    guard = plan_guard(connection, plan.spec, is_dry_run=plan.is_dry_run)
    quote = choose_offer(connection.client, plan.spec)
    if plan.spec.idle is not None and quote.offer.is_multinode:
        raise refuse_idle("this offer", "Nothing was created")
    others = [pod for pod in pods if connection.may_be_mine(pod) and pod not in found.replaceable]
    check_limits(plan.limits, quote, plan.name, others)
    notices = [
        missing_ssh_key(connection, plan.spec),
        None if plan.is_recorded else _UNRECORDED,
        _describe_namesakes(connection, plan, pods),
        # Without a record there is no lock either.
        None if plan.is_locked or not plan.is_recorded else _UNLOCKED,
        _SHARED if shares_by_default(connection, plan.spec) else None,
    ]
    return replace(
        plan,
        quote=quote,
        request=_build_request(connection, plan, quote),
        replaces=found.replaceable,
        guard=guard,
        notices=tuple(notice for notice in notices if notice),
    )


def read_pods(
    connection: Connection,
    plan: LaunchPlan,
    may_replace: Callable[[PodDetails], bool],
    tell: Callable[[str], object],
) -> tuple[list[PodDetails], Assessment]:
    """Read the pods, hold them to their agreed prices, and return them with what they mean for the plan.

    Raise the error if they refuse it. Used before consent, and again under the lock.
    """
    earlier = plan.earlier
    pods = list(earlier.listed) if earlier else list_for_launch(connection, plan.name, is_new=plan.new)
    found = assess(connection, pods, plan.spec, earlier=earlier, digest=plan.digest, is_new=plan.new)
    refusal = found.refusal
    if found.replaceable and all(map(may_replace, found.replaceable)):
        refusal = None
    # A pod to return is held to the price in this spec, and one to replace is terminated anyway.
    spared = {pod.id for pod in (found.pod, *(() if refusal else found.replaceable)) if pod is not None}
    # The list may leave out the earlier pod, which may have failed and be billed.
    known = {pod.id: pod for pod in (*pods, *([earlier.pod] if earlier else []))}
    hold_to_prices(connection, plan, [pod for pod in known.values() if pod.id not in spared], tell)
    if refusal is not None:
        raise refusal
    return pods, found


def hold_to_prices(
    connection: Connection, plan: LaunchPlan, pods: list[PodDetails], tell: Callable[[str], object]
) -> None:
    """Terminate pods above their agreed prices and raise BudgetExceeded; a dry run only describes them."""
    if plan.is_dry_run:
        for pod, agreed_usd_hr in connection.agreements.list_dearer(pods):
            tell(describe_spared(pod, agreed_usd_hr))
        return
    try:
        connection.agreements.check(pods, tell)
    except BudgetExceeded as error:
        ended = str(error)
    else:
        return
    raise BudgetExceeded(f"{ended}. Nothing was created. Run this again to launch '{sanitize(plan.name)}'")


def _describe_namesakes(connection: Connection, plan: LaunchPlan, pods: list[PodDetails]) -> str | None:
    """Describe live pods of the same name that are billed elsewhere: a team may have been forgotten."""
    team_id = team_of(connection, plan.spec)
    matches = [
        f"{pod.id} ({f'team {pod.team_id}' if pod.team_id else 'no team'})"
        for pod in pods
        if pod.name == plan.name
        and pod.is_live
        and connection.is_mine(pod)
        and not is_billed_to(pod, team_id)
    ]
    if plan.new or not matches:
        return None
    return (
        f"You have a live pod called '{sanitize(plan.name)}' that is billed elsewhere: "
        f"{join_sanitized(matches)}. "
        f"This launch rents another one, billed to {f'team {sanitize(team_id)}' if team_id else 'you'}"
    )


def _recall_earlier(
    connection: Connection, plan: LaunchPlan, tell: Callable[[str], object], unresolved: set[str]
) -> LaunchPlan:
    """Find an earlier pod of the name, and check whether this launch can be recorded and locked."""
    name = sanitize(plan.name)

    def tell_wait() -> None:
        unresolved.add(plan.name)
        tell(f"'{name}' is already being launched; waiting for the result")

    with hold_name(connection, plan.spec, on_wait=tell_wait) as journal:
        record = journal.read()
        if record is not None:
            unresolved.add(plan.name)
        if record is not None and record.pod_id is None and not record.is_search_over:
            tell(f"The outcome of the last launch of '{name}' is unknown; looking for its pod first")
        earlier = resume_launch(connection, journal, plan.digest, plan.settle_s, is_new=plan.new)
        if earlier is None:
            unresolved.discard(plan.name)
        return replace(plan, earlier=earlier, is_recorded=journal.is_usable(), is_locked=journal.is_locked)


def _build_request(connection: Connection, plan: LaunchPlan, quote: Quote) -> CreateRequest:
    offer, spec = quote.offer, plan.spec
    ceiling = plan.limits.max_price_usd_hr
    chosen = {
        "name": plan.name,
        "cloud_id": offer.cloud_id,
        "gpu_type": offer.gpu_type,
        "socket": offer.socket or spec.socket,
        "gpu_count": offer.gpu_count,
        "image": image_for(offer, spec),
        "data_center_id": offer.data_center,
        "country": offer.country,
        "security": offer.security,
        "max_price": min(spec.max_price or quote.price_usd_hr, ceiling or math.inf),
    }
    asked = {name: getattr(spec, name) for name in PodRequest.model_fields}
    # An offer says nothing where it says "" or 0.
    fields = {**asked, **{key: value for key, value in chosen.items() if value}}
    team_id = team_of(connection, spec)
    is_shared = True if shares_by_default(connection, spec) else spec.shared_with_team
    try:
        return CreateRequest(
            pod=PodRequest.model_validate(fields),
            provider=ProviderRequest(type=str(offer.provider)),
            disks=spec.disks,
            team=TeamRequest(team_id=team_id) if team_id else None,
            team_member_ids=spec.team_member_ids,
            shared_with_team=is_shared,
        )
    except ValidationError as error:
        # Settings, numbered names and the offer were not part of the spec that was checked.
        problems = describe_problems(error, PodRequest)
    raise InvalidRequest(f"This cannot be ordered: {join_problems(problems)}. Nothing was sent")
