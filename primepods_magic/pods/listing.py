"""Lists of pods, offers and history rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import InvalidRequest, NotFound
from primepods_magic.api.models import HistoryRow, Offer, PodDetails, PodStatusEntry
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.validation.bounds import check_choice, check_count, check_flags
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.name_matching import is_same_payer
from primepods_magic.pods.support.notices import warn
from primepods_magic.pods.support.offer_orders import OFFER_ORDERS

from .choose_offer import find_offers
from .disks.find import find_attachable
from .existence import examine_pods
from .offers import ignored_mismatches, mismatches, sort_offers
from .short_names import resolve_names
from .unlisted import read_shown

__all__ = ["belonging", "list_fitting_offers", "list_history", "list_pod_details", "pod_status"]


def list_pod_details(
    connection: Connection,
    *,
    everyone: bool = False,
    team_id: str | None = None,
    statuses: Iterable[str] = (),
) -> list[PodDetails]:
    """List pods, oldest first: mine, as far as known, or those billed to a team, or everyone's.

    ``statuses`` filters by state, in any letter case. Raises InvalidRequest for an unknown state,
    BudgetExceeded if a pod is above its agreed price; the message says whether it was terminated.
    """
    check_flags(everyone=everyone)
    wanted = {_check_status(status) for status in statuses}
    belongs = belonging(connection, everyone=everyone, team_id=team_id)
    pods = [pod for pod in read_shown(connection) if belongs(pod)]
    if wanted:
        pods = [pod for pod in pods if str(pod.status).upper() in wanted]
    return sorted(
        pods, key=lambda pod: (pod.created_at is None, pod.created_at or 0, pod.name or "", pod.id or "")
    )


def _check_status(status: str) -> str:
    known = PodStatus.__members__
    if status.upper() not in known:
        hint = suggest(status, known) or f". Use {', '.join(known)}"
        raise InvalidRequest(f"There is no status '{sanitize(status)}'{hint}")
    return status.upper()


def belonging(
    connection: Connection, *, everyone: bool = False, team_id: str | None = None
) -> Callable[[PodDetails], bool]:
    """Return the filter by owner that `list_pod_details` applies."""
    if team_id is not None:
        return lambda pod: is_same_payer(pod.team_id, team_id)
    return (lambda pod: True) if everyone else connection.may_be_mine


def pod_status(connection: Connection, pods: Iterable[PodDetails]) -> list[PodStatusEntry]:
    """Return the status of pods by one request; pods missing from it are looked up in the list.

    Raises NotFound if the service does not know one of them, and errors as `Agreements.check`.
    """
    by_id = {pod.id: pod for pod in pods if pod.id}
    entries = _read_entries(connection, list(by_id))
    connection.agreements.check(by_id[entry.key].updated(entry) for entry in entries if entry.key in by_id)
    return entries


def _read_entries(connection: Connection, ids: list[str]) -> list[PodStatusEntry]:
    try:
        entries = connection.client.pod_status(ids)
    except NotFound:
        entries = []
    missing = sorted(set(ids) - {entry.key for entry in entries if entry.key})
    if not missing:
        return entries
    findings = examine_pods(connection, [PodDetails(id=pod_id) for pod_id in missing])
    unknown = [pod_id for pod_id, finding in findings.items() if finding.pod is None]
    if unknown:
        raise NotFound(f"The service does not know the pod {join_sanitized(unknown)}")
    fields = PodStatusEntry.model_fields.keys() & PodDetails.model_fields.keys()
    listed = [finding.pod.model_dump(include=fields) for finding in findings.values() if finding.pod]
    return entries + [PodStatusEntry.model_validate(row) for row in listed]


def list_fitting_offers(
    connection: Connection,
    spec: PodSpec,
    *,
    count: int | None = None,
    spot: bool = False,
    multi_node: bool = False,
    sort: str = "price_hr",
    tell: Callable[[str], object] = warn,
) -> list[Offer]:
    """List offers that fit a spec, cheapest first; then those with unknown stock, then those sold out.

    ``count`` GPUs, or any number; above 8, multi-node offers count as well. ``multi_node`` lists only those.
    ``sort`` is one of `OFFER_ORDERS`. ``spot`` lists spot offers only, else none. Under a ``max_price`` in
    USD, offers in other currencies do not fit. The spec's ``disks`` are ids or names of disks that can be
    attached. ``tell`` shows the whole names of short ones, and which disk is in use.
    """
    check_flags(spot=spot, multi_node=multi_node)
    check_count("count", count)
    check_choice("sort", sort, OFFER_ORDERS)
    (spec,) = resolve_names(connection, [spec], tell)
    if spec.disks:
        spec = spec.model_copy(update={"disks": find_attachable(connection, spec.disks, tell)})
    offers = []
    counted = spec.model_copy(update={"gpu_count": count or spec.gpu_count})
    for offer in find_offers(connection.client, counted, multi_node=multi_node or None):
        wanted = spec.model_copy(update={"gpu_count": count or offer.gpu_count})
        problems = set(mismatches(offer, wanted, spot=spot)) - ignored_mismatches(spec)
        if not problems:
            offers.append(offer)
    return sort_offers(offers, sort)


def list_history(
    connection: Connection,
    *,
    sort_by: Literal["terminatedAt", "createdAt"] = "terminatedAt",
    sort_order: Literal["asc", "desc"] = "desc",
    limit: int | None = None,
    offset: int = 0,
) -> tuple[list[HistoryRow], int]:
    """List history rows, all unless there is a ``limit``, and return them with the total."""
    return connection.client.all_history(sort_by=sort_by, sort_order=sort_order, limit=limit, offset=offset)
