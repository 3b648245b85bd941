"""Ending pods: asked for, verified, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from primepods_magic.api.bounds import check_seconds
from primepods_magic.api.errors import (
    InvalidRequest,
    NotFound,
    PodsError,
    ServiceUnavailable,
    UnexpectedAnswer,
    WaitInterrupted,
)
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.text import clean, join_clean
from primepods_magic.api.vocabulary import PodStatus

from .connection import Connection
from .pace import interval_s

__all__ = ["Removal", "remove_pods"]

GONE = "terminated"
GOING = "not gone yet, may still be billed"
UNSURE = "perhaps not asked to end"
DEFAULT_TIMEOUT_S = 60.0
_HISTORY_ROWS = 100


@dataclass(frozen=True)
class Removal:
    """What became of one pod that was to be removed.

    Parameters
    ----------
    name, id : str
        Which pod.
    outcome : str
        ``terminated``, or in words what stands in the way.
    billed_usd : float, optional
        The service's total, ``None`` while it has not billed yet.
    created_at, terminated_at : datetime, optional
        The pod's life (UTC).
    """

    name: str | None
    id: str | None
    outcome: str
    billed_usd: float | None = None
    created_at: datetime | None = None
    terminated_at: datetime | None = None


def remove_pods(
    connection: Connection, pods: Iterable[PodDetails], *, timeout_s: float = DEFAULT_TIMEOUT_S
) -> list[Removal]:
    """End pods, wait until they are gone, and say what they cost.

    Parameters
    ----------
    connection : Connection
        Where the pods are.
    pods : iterable of PodDetails
        The pods, as seen with this key.
    timeout_s : float
        How long to wait until all are verified gone, in seconds of the service's clock.

    Returns
    -------
    list of Removal
        One per pod. A pod that the service refused to end says so in its outcome.

    Raises
    ------
    PodsError
        The service refused to end the first pod; nothing was ended.
    WaitInterrupted
        Ctrl-C, after the service was asked to end pods.
    """
    check_seconds("timeout_s", timeout_s)
    wanted = list(pods)
    outcomes: dict[str, str] = {}
    for pod in wanted:
        if not pod.id:
            raise InvalidRequest(
                f"'{clean(pod.name)}' has no id, so it cannot be ended here; nothing was done"
            )
    try:
        for pod in wanted:
            outcomes[str(pod.id)] = _ask(connection, pod, may_raise=not outcomes)
        rows = _verify(connection, outcomes, timeout_s)
    except KeyboardInterrupt:
        names = join_clean(pod.name for pod in wanted if pod.id in outcomes) or "nothing"
        raise WaitInterrupted(
            f"stopped waiting; {names} was asked to end, which is not verified. '%pods ls' shows what is left"
        ) from None
    return [_removal(pod, outcomes[str(pod.id)], rows.get(str(pod.id))) for pod in wanted]


def _ask(connection: Connection, pod: PodDetails, *, may_raise: bool) -> str:
    """Ask for the end of one pod, and say how that went: ``GONE`` where it has only to be verified."""
    try:
        connection.client.delete_pod(str(pod.id))
    except NotFound:
        pass  # Seen with this key a moment ago, so it is gone.
    except PodsError as error:
        if isinstance(error, (ServiceUnavailable, UnexpectedAnswer)) and _may_have_acted(error):
            return f"{UNSURE}: {error}"
        if may_raise:
            raise
        return f"not ended: {error}"
    return GONE


def _may_have_acted(error: PodsError) -> bool:
    return not isinstance(error, ServiceUnavailable) or error.may_have_acted


def _verify(connection: Connection, outcomes: dict[str, str], timeout_s: float) -> dict[str, HistoryRow]:
    """Correct the outcomes by what the list and the history say. After a pod was asked to end no error is
    raised any more: it would hide that."""
    asked = {pod_id for pod_id, outcome in outcomes.items() if outcome == GONE or outcome.startswith(UNSURE)}
    try:
        still = _wait_until_gone(connection, asked, timeout_s)
    except PodsError as error:
        outcomes |= dict.fromkeys(asked, f"asked to end, not verified: {error}")
        return {}
    outcomes |= {pod_id: GOING if pod_id in still else GONE for pod_id in asked}
    try:
        page = connection.client.pod_history(limit=_HISTORY_ROWS)
    except PodsError:
        return {}
    return {row.id: row for row in page.items if row.id in asked - still}


def _wait_until_gone(connection: Connection, ids: set[str], timeout_s: float) -> set[str]:
    """Wait until the list has these ids no more, or as TERMINATED; give those that it still has."""
    deadline = connection.clock.monotonic() + timeout_s
    while True:
        pods = connection.client.list_all_pods()
        still = {pod.id for pod in pods if pod.id in ids and pod.status != PodStatus.TERMINATED}
        if not still or connection.clock.monotonic() >= deadline:
            return {pod_id for pod_id in ids if pod_id in still}
        connection.clock.sleep(interval_s(connection))


def _removal(pod: PodDetails, outcome: str, row: HistoryRow | None) -> Removal:
    return Removal(
        name=pod.name,
        id=pod.id,
        outcome=outcome,
        billed_usd=_billed_usd(pod, row),
        created_at=pod.created_at,
        terminated_at=row.terminated_at if row else None,
    )


def _billed_usd(pod: PodDetails, row: HistoryRow | None) -> float | None:
    """What the service says that a pod has cost; None while it has not billed it."""
    if row is None:
        return None
    # Some are billed hours after their end, and their rows say 0 until then. One that was free while it came
    # up may have come further until it was gone.
    return row.total_billed_price if row.total_billed_price or pod.price_hr == 0 else None
