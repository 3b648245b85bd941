"""From a spec to exactly one pod: identity, offer, consent, one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from primepods_magic.api.errors import (
    BudgetExceeded,
    InvalidRequest,
    LaunchRefused,
    NameInUse,
    OutcomeUnknown,
    OutOfStock,
    PodFailed,
    PodsError,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.requests import CreateRequest, PodRequest, ProviderRequest, TeamRequest
from primepods_magic.api.text import clean

from .connection import Connection, current
from .find import same_name
from .handle import Pod
from .locks import launching
from .offers import Quote, choose_offer, image_for
from .remove import remove_pods
from .spec import PodSpec, spec_from_mapping
from .watch import interval_s

__all__ = ["LaunchPlan", "carry_out", "launch", "plan_launch"]

SETTLE_S = 60.0


@dataclass(frozen=True)
class LaunchPlan:
    """What a launch would do.

    Parameters
    ----------
    spec : PodSpec
        What is wanted.
    name : str
        The pod's name.
    existing : PodDetails, optional
        The pod that has this name and is what was asked for; then nothing is to be created.
    quote : Quote, optional
        What would be rented, and its price.
    request : CreateRequest, optional
        What would be sent.
    new : bool
        Another pod of the name is wanted.
    """

    spec: PodSpec
    name: str
    existing: PodDetails | None = None
    quote: Quote | None = None
    request: CreateRequest | None = None
    new: bool = False

    @property
    def is_consented(self) -> bool:
        """A price limit in the spec says that this may be paid."""
        return self.spec.max_price is not None


def launch(
    spec: PodSpec | None = None,
    *,
    yes: bool = False,
    new: bool = False,
    confirm: Callable[[LaunchPlan], bool] | None = None,
    connection: Connection | None = None,
    **fields: Any,
) -> Pod:
    """Rent a pod, or answer with the one that has this name already.

    Parameters
    ----------
    spec : PodSpec, optional
        What is wanted; or give its fields by name.
    yes : bool
        Consent to the price. A ``max_price`` in the spec is consent as well, and the sandbox needs none.
    new : bool
        Rent another one, although a pod of this name is live.
    confirm : callable, optional
        Asked for consent where it is needed.
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
    LaunchRefused
        Nobody consented. Nothing was created.
    OutOfStock
        No offer fits. Nothing was created.
    OutcomeUnknown
        The request left, no good answer came, and no such pod was found since.
    BudgetExceeded
        The pod turned out to cost more than ``max_price``, and was ended.

    Examples
    --------
    >>> launch(gpu="H100_80GB", name="train", max_price=3)                   # doctest: +SKIP
    Pod train: 1 × H100_80GB · $2.39/h · created 08:00:00 UTC
    """
    if spec is not None and fields:
        raise InvalidRequest(f"a spec is given, and {', '.join(fields)} beside it; give one of them")
    connection = connection or current()
    plan = plan_launch(connection, spec or spec_from_mapping(fields), new=new)
    return carry_out(connection, plan, yes=yes, confirm=confirm)


def plan_launch(connection: Connection, spec: PodSpec, *, new: bool = False) -> LaunchPlan:
    """Find out what a launch would do, without doing it. Errors as `launch`."""
    pods = connection.client.list_all_pods()
    name = spec.pod_name
    if not new:
        existing = _existing(connection, pods, name, spec)
        if existing is not None:
            return LaunchPlan(spec, name, existing=existing)
    quote = choose_offer(connection.client, spec)
    return LaunchPlan(spec, name, quote=quote, request=_request(connection, spec, quote), new=new)


def carry_out(
    connection: Connection,
    plan: LaunchPlan,
    *,
    yes: bool = False,
    confirm: Callable[[LaunchPlan], bool] | None = None,
) -> Pod:
    """Do what a plan says. Parameters and errors as `launch`."""
    if plan.existing is not None:
        return Pod(connection, plan.existing)
    if not (yes or plan.is_consented or connection.is_sandbox):
        if confirm is None:
            raise LaunchRefused(
                f"nobody is here to agree to {plan.quote}; nothing was created. Put max_price into the spec, "
                "or say -y"
            )
        if not confirm(plan):
            raise LaunchRefused(f"'{clean(plan.name)}' was not agreed to; nothing was created")
    if plan.request is None:
        raise ValueError("a plan without an existing pod has a request")
    account = f"{connection.settings.base_url}\n{_team_id(connection, plan.spec)}\n{connection.user_id}"
    with launching(account, plan.name):
        # Another kernel may have launched it since the plan was made.
        pods = connection.client.list_all_pods()
        existing = None if plan.new else _existing(connection, pods, plan.name, plan.spec)
        if existing is not None:
            return Pod(connection, existing)
        details = _create(connection, plan, plan.request, {pod.id for pod in pods})
    _check_price(connection, plan, details)
    return Pod(connection, details)


def _create(
    connection: Connection, plan: LaunchPlan, request: CreateRequest, known_ids: set[str | None]
) -> PodDetails:
    try:
        try:
            return connection.client.create_pod(request)
        except OutcomeUnknown as unknown:
            return _find_out(connection, request, known_ids, unknown, SETTLE_S)
        except OutOfStock as sold_out:
            if sold_out.status_code != 503:
                raise
            # Words of capacity from an overloaded service are no proof.
            return _find_out(connection, request, known_ids, sold_out, 0)
    except KeyboardInterrupt:
        raise OutcomeUnknown(
            f"interrupted while '{clean(plan.name)}' was being created: it may exist and be billed. Running "
            "this again answers with it if it does, and '%pods ls' shows it"
        ) from None


def _check_price(connection: Connection, plan: LaunchPlan, pod: PodDetails) -> None:
    """End a pod that turns out to cost more than the limit in the spec."""
    if not plan.is_consented or plan.request is None or plan.request.pod.max_price is None:
        return
    limit_usd_hr = plan.request.pod.max_price
    if pod.price_hr is None or pod.price_hr <= limit_usd_hr * (1 + 1e-6):
        return
    try:
        ended = f"was ended: {remove_pods(connection, [pod])[0].outcome}"
    except PodsError as error:
        ended = f"could not be ended ({error}). It is billed until '%pods rm {pod.id}' ends it"
    raise BudgetExceeded(
        f"'{clean(plan.name)}' ({pod.id}) turned out to cost ${pod.price_hr:.2f}/h, above the limit of "
        f"${limit_usd_hr:.2f}/h, and {ended}"
    )


def _existing(connection: Connection, pods: list[PodDetails], name: str, spec: PodSpec) -> PodDetails | None:
    team_id = _team_id(connection, spec)
    matches = [pod for pod in same_name(connection, pods, name) if pod.team_id == team_id]
    if not matches:
        return None
    name = clean(name)
    if not all(connection.is_mine(pod) for pod in matches):
        raise NameInUse(
            f"a live pod is called '{name}', and your key may not say whether it is yours; nothing was "
            "created. Use another name, or '--new' for one more of this name"
        )
    if len(matches) > 1:
        ids = ", ".join(str(pod.id) for pod in matches)
        raise NameInUse(f"{len(matches)} live pods are called '{name}' ({ids}); nothing was created")
    pod = matches[0]
    if pod.has_failed:
        reason = f": {clean(pod.installation_failure)}" if pod.installation_failure else ""
        raise PodFailed(
            f"the pod '{name}' has failed{reason}; nothing was created. It may go on being billed; "
            f"'%pods rm {pod.word}' ends it"
        )
    differences = _differences(pod, spec)
    if differences:
        raise NameInUse(
            f"a live pod is called '{name}' and differs ({'; '.join(differences)}); nothing was created. Use "
            f"another name, '--new' for one more of this name, or '%pods rm {pod.word}'"
        )
    return pod


def _differences(pod: PodDetails, spec: PodSpec) -> list[str]:
    disk_gb = f"{pod.resources.disk:g}" if pod.resources and pod.resources.disk is not None else None
    pairs = (
        ("gpu", pod.gpu_name, spec.gpu_type),
        ("count", pod.gpu_count, spec.count),
        ("socket", pod.socket, spec.socket),
        ("image", pod.environment_type, spec.image),
        ("disk", disk_gb, spec.disk_size),
    )
    return [
        f"{what} is {has}, not {wanted}"
        for what, has, wanted in pairs
        if wanted is not None and has is not None and str(wanted).casefold() != str(has).casefold()
    ]


def _request(connection: Connection, spec: PodSpec, quote: Quote) -> CreateRequest:
    offer = quote.offer
    chosen = {
        "name": spec.pod_name,
        "cloud_id": offer.cloud_id,
        "gpu_type": offer.gpu_type,
        "socket": offer.socket or spec.socket,
        "gpu_count": offer.gpu_count,
        "image": image_for(offer, spec),
        "data_center_id": offer.data_center,
        "country": offer.country,
        "security": offer.security,
        "max_price": spec.max_price or quote.price_usd_hr,
    }
    asked = {name: getattr(spec, name) for name in PodRequest.model_fields}
    # An offer says nothing where it says "" or 0.
    fields = {**asked, **{key: value for key, value in chosen.items() if value}}
    team = _team_id(connection, spec)
    return CreateRequest(
        pod=PodRequest.model_validate(fields),
        provider=ProviderRequest(type=str(offer.provider)),
        disks=spec.disks,
        team=TeamRequest(team_id=team) if team else None,
        team_member_ids=spec.team_member_ids,
        shared_with_team=spec.shared_with_team,
    )


def _team_id(connection: Connection, spec: PodSpec) -> str | None:
    return spec.team or connection.settings.team_id


def _find_out(
    connection: Connection,
    request: CreateRequest,
    known_ids: set[str | None],
    failure: PodsError,
    settle_s: float,
) -> PodDetails:
    """Look for the pod of a create that may have been acted on, and never send that again."""
    name = str(request.pod.name)
    shown = clean(name)
    deadline = connection.clock.monotonic() + settle_s
    saw_the_list = False
    while True:
        try:
            pods = connection.client.list_all_pods()
        except PodsError as error:
            trouble = str(error)
        else:
            saw_the_list = True
            for pod in same_name(connection, pods, name):
                if pod.id not in known_ids and _is_of(pod, request):
                    return pod
        if connection.clock.monotonic() >= deadline:
            break
        connection.clock.sleep(interval_s(connection))
    if saw_the_list and isinstance(failure, OutOfStock):
        raise failure
    seen = f"No such pod was seen in {settle_s:.0f} s since"
    if not saw_the_list:
        seen = f"Looking failed too: {trouble}"
    raise OutcomeUnknown(
        f"'{shown}': {failure}. {seen}. Look with '%pods ls' before you launch again: it may still appear "
        "and be billed"
    ) from None


def _is_of(pod: PodDetails, request: CreateRequest) -> bool:
    """Whether a pod may come from this request."""
    team_id = request.team.team_id if request.team else None
    asked = (request.pod.gpu_type, request.pod.gpu_count, team_id)
    return (pod.gpu_name, pod.gpu_count, pod.team_id) == asked
