"""Listings: whose pods, which offers, and what has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import InvalidRequest, NotFound
from primepods_magic.api.models import HistoryRow, Offer, PodDetails, PodStatusEntry
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.validation.bounds import check_count, check_flags
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.spec.spec import PodSpec

from .existence import examine_pods
from .offers import find_offers, ignored_mismatches, mismatches
from .unlisted import read_shown

__all__ = ["belonging", "list_history", "list_offers", "list_pods", "pod_status"]


def list_pods(
    connection: Connection,
    *,
    everyone: bool = False,
    team_id: str | None = None,
    statuses: Iterable[str] = (),
) -> list[PodDetails]:
    """Pods, oldest first.

    Parameters
    ----------
    connection : Connection
        Where to look.
    everyone : bool
        All that this key can see; else mine only, as far as can be told.
    team_id : str, optional
        Everyone's that are billed to this team.
    statuses : iterable of str
        Only those in one of these states, whatever the case.

    Raises
    ------
    InvalidRequest
        There is no such state.
    BudgetExceeded
        A pod that is held to the price that was agreed to is above it; the message says whether it was ended.
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
        hint = suggest(status, known) or f" (known are {', '.join(known)})"
        raise InvalidRequest(f"there is no status '{sanitize(status)}'{hint}")
    return status.upper()


def belonging(
    connection: Connection, *, everyone: bool = False, team_id: str | None = None
) -> Callable[[PodDetails], bool]:
    """Which pods `list_pods` is about, as a test for one of them."""
    if team_id is not None:
        return lambda pod: pod.team_id == team_id
    return (lambda pod: True) if everyone else connection.may_be_mine


def pod_status(connection: Connection, pod_ids: Iterable[str]) -> list[PodStatusEntry]:
    """Return the state of pods, by one request; of those that the status leaves out, as the list has them.

    Raises
    ------
    NotFound
        The service knows nothing of one of them.
    """
    ids = list(pod_ids)
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
        raise NotFound(f"the service knows no pod {join_sanitized(unknown)}")
    fields = PodStatusEntry.model_fields.keys() & PodDetails.model_fields.keys()
    listed = [finding.pod.model_dump(include=fields) for finding in findings.values() if finding.pod]
    return entries + [PodStatusEntry.model_validate(row) for row in listed]


def list_offers(
    connection: Connection, spec: PodSpec, *, count: int | None = None, spot: bool = False
) -> list[Offer]:
    """Offers, cheapest first; after them those whose stock nobody can tell, and those that are sold out.

    Parameters
    ----------
    connection : Connection
        Where to look.
    spec : PodSpec
        What they must fit, where it says anything. Under a ``max_price``, which is in USD, no offer in
        another currency does.
    count : int, optional
        GPUs in the offer; any number unless given.
    spot : bool
        Spot offers only; else those that nobody can reclaim.
    """
    check_flags(spot=spot)
    check_count("count", count)
    offers = []
    for offer in find_offers(connection.client, spec):
        wanted = spec.model_copy(update={"gpu_count": count or offer.gpu_count})
        hindrances = set(mismatches(offer, wanted, spot=spot)) - ignored_mismatches(spec)
        if not hindrances:
            offers.append(offer)
    return sorted(offers, key=lambda offer: offer.stock)


def list_history(
    connection: Connection,
    *,
    sort_by: Literal["terminatedAt", "createdAt"] = "terminatedAt",
    sort_order: Literal["asc", "desc"] = "desc",
    limit: int | None = None,
    offset: int = 0,
) -> tuple[list[HistoryRow], int]:
    """What has ended and what it cost: the rows asked for, and how many there are in all.

    Parameters
    ----------
    connection : Connection
        Where to look.
    sort_by, sort_order : str
        As the API has them.
    limit : int, optional
        So many rows; all unless given.
    offset : int
        Rows to pass over.
    """
    return connection.client.all_history(sort_by=sort_by, sort_order=sort_order, limit=limit, offset=offset)
