"""Terminate pods, verify that they are gone, and read what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from primepods_magic.api.errors import (
    InvalidRequest,
    NotFound,
    PodsError,
    ServiceUnavailable,
    UnexpectedAnswer,
    WaitInterrupted,
)
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.text.money import format_estimate, format_usd
from primepods_magic.api.text.sanitize import join_sanitized, sanitize, shorten
from primepods_magic.api.validation.bounds import check_seconds

from .audit import AuditEvent, note_event
from .existence import Finding, PodFate, examine_pods, is_closed
from .support.name_matching import spell_ids
from .support.rates import accrued_usd, row_cost_usd

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["TerminationResult", "terminate_pods"]

GONE = "terminated"
GOING = "not gone yet, may still be billed"
UNSURE = "the termination request may not have arrived"
_NOT_FOUND = "not found by the termination request"
_REFUSED = "not terminated"
DEFAULT_TIMEOUT_S = 60.0
_HISTORY_ROWS = 100
_MAX_NAME_CHARS = 40


@dataclass(frozen=True)
class TerminationResult:
    """The result for one pod: ``outcome`` is "terminated" or a description of the problem.

    ``billed_usd`` is the service's total, ``None`` until it has billed the pod. Until then, ``estimated_usd``
    is the pod's price times its duration, if both are known. Times are in UTC.
    """

    name: str | None
    id: str | None
    outcome: str
    billed_usd: float | None = None
    created_at: datetime | None = None
    terminated_at: datetime | None = None
    estimated_usd: float | None = None

    @property
    def cost_text(self) -> str:
        """The bill, or the estimate until there is one, in words."""
        if self.billed_usd is not None:
            return f"{format_usd(self.billed_usd)} billed"
        return "not billed yet" + (
            "" if self.estimated_usd is None else f", {format_estimate(self.estimated_usd)}"
        )

    def __repr__(self) -> str:
        name = shorten(sanitize(self.name) or sanitize(self.id), _MAX_NAME_CHARS)
        return f"Pod {name}: {sanitize(self.outcome)} · {self.cost_text}"


def terminate_pods(
    connection: BaseConnection,
    pods: Iterable[PodDetails],
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    cause: str = "",
) -> list[TerminationResult]:
    """Terminate pods, wait up to ``timeout_s`` until they are gone, and return a result for each.

    ``cause`` is for the audit log, if no one has just asked for it.

    Raise PodsError if the service refuses to terminate the first pod (nothing was terminated), and
    WaitInterrupted on Ctrl-C after a request.
    """
    check_seconds("timeout_s", timeout_s)
    wanted = list(pods)
    outcomes: dict[str, str] = {}
    for pod in wanted:
        if not pod.id:
            raise InvalidRequest(
                f"'{sanitize(pod.name)}' has no id, so it cannot be terminated here. Nothing was done"
            )
    try:
        for pod in wanted:
            is_first = not outcomes
            # Noted before the request leaves: Ctrl-C may come before its response.
            outcomes[str(pod.id)] = UNSURE
            note_event(connection, "termination sent", pod=pod, cause=cause)
            outcomes[str(pod.id)] = _request_termination(connection, pod, may_raise=is_first)
        rows = _verify_outcomes(connection, wanted, outcomes, timeout_s)
    except PodsError as error:
        # Only the first one raises.
        note_event(connection, "termination refused", pod=wanted[0], cause=cause, detail=type(error).__name__)
        raise
    except KeyboardInterrupt:
        for pod in wanted:
            if pod.id in outcomes:
                note_event(connection, "termination unknown", pod=pod, cause=cause, detail="interrupted")
        names = join_sanitized(pod.name for pod in wanted if pod.id in outcomes)
        requested = (
            f"The termination of {names} was requested, but is not verified" if names else "Nothing was done"
        )
        raise WaitInterrupted(f"Interrupted. {requested}. '%pods ls' shows what is left") from None
    now = connection.now()
    results = [_build_result(pod, outcomes[str(pod.id)], rows.get(str(pod.id)), now) for pod in wanted]
    for pod, result in zip(wanted, results, strict=True):
        _note_result(connection, pod, result, cause)
    return results


def _note_result(connection: BaseConnection, pod: PodDetails, result: TerminationResult, cause: str) -> None:
    if result.outcome == GONE:
        note_event(connection, "terminated", pod=pod, billed_usd=result.billed_usd, cause=cause)
        return
    # What follows the colon is an error in the words of the service.
    detail = result.outcome.partition(":")[0]
    event: AuditEvent = "termination refused" if detail == _REFUSED else "termination unknown"
    note_event(connection, event, pod=pod, cause=cause, detail=detail)


def _request_termination(connection: BaseConnection, pod: PodDetails, *, may_raise: bool) -> str:
    """Request the termination of one pod; return ``GONE`` if it only has to be verified."""
    try:
        connection.client.delete_pod(str(pod.id))
    except NotFound:
        return _NOT_FOUND
    except PodsError as error:
        if isinstance(error, (ServiceUnavailable, UnexpectedAnswer)) and _may_have_acted(error):
            return f"{UNSURE}: {error}"
        if may_raise:
            raise
        return f"{_REFUSED}: {error}"
    return GONE


def _may_have_acted(error: PodsError) -> bool:
    return not isinstance(error, ServiceUnavailable) or error.may_have_acted


def _verify_outcomes(
    connection: BaseConnection, pods: list[PodDetails], outcomes: dict[str, str], timeout_s: float
) -> dict[str, HistoryRow]:
    """Correct the outcomes by what the witnesses say, and return the history rows of pods that are gone.

    No error is raised from here on: it would hide the terminations.
    """
    asked = {str(pod.id): pod for pod in pods if not outcomes[str(pod.id)].startswith(_REFUSED)}
    accepted = {pod_id for pod_id in asked if outcomes[pod_id] == GONE}
    findings: dict[str, Finding] = {}
    absent: set[str] = set()
    try:
        _wait_until_gone(connection, asked, accepted, findings, absent, timeout_s)
    except PodsError as error:
        findings |= {
            pod_id: Finding(PodFate.UNKNOWN, reason=str(error))
            for pod_id in asked
            if not _is_gone(pod_id, findings, absent)
        }
    gone = {pod_id for pod_id in asked if _is_gone(pod_id, findings, absent)}
    for pod_id in asked.keys() - gone:
        finding = findings[pod_id]
        reason = finding.reason or "the service no longer knows it, but does not say that it ended"
        outcomes[pod_id] = GOING if finding.is_live else f"termination requested, not verified: {reason}"
    outcomes |= dict.fromkeys(gone, GONE)
    rows = {pod_id: row for pod_id in gone if (row := findings[pod_id].row) is not None}
    if rows.keys() != gone:
        rows = _read_rows(connection, gone) | rows
    connection.report_gone({pod_id: rows.get(pod_id) for pod_id in gone})
    return rows


def _read_rows(connection: BaseConnection, pod_ids: set[str]) -> dict[str, HistoryRow]:
    """Read the history rows of pods that are gone, as far as they have an end."""
    try:
        page = connection.client.pod_history(limit=_HISTORY_ROWS)
    except PodsError:
        return {}
    now = connection.now()
    # What a row without an end has billed so far is not what the pod has cost.
    spelled = zip(spell_ids((row.id for row in page.items), like=pod_ids), page.items, strict=True)
    return {pod_id: row for pod_id, row in spelled if pod_id in pod_ids and is_closed(row, now)}


def _wait_until_gone(
    connection: BaseConnection,
    asked: dict[str, PodDetails],
    accepted: set[str],
    findings: dict[str, Finding],
    absent: set[str],
    timeout_s: float,
) -> None:
    """Wait until all pods are gone, and collect the findings.

    A pod whose termination was accepted and that no witness shows in two polls in a row is ``absent``.
    """
    deadline = connection.clock.monotonic() + timeout_s
    left, absent_before = asked, set[str]()
    while left:
        listed = connection.client.list_all_pods()
        findings |= examine_pods(connection, left.values(), listed=listed)
        absent_now = {i for i in left if findings[i].fate is PodFate.ABSENT and i in accepted}
        absent |= absent_now & absent_before
        absent_before = absent_now
        left = {i: pod for i, pod in left.items() if not _is_gone(i, findings, absent)}
        if connection.clock.monotonic() >= deadline:
            return
        if left:
            connection.clock.sleep(connection.interval_s())


def _is_gone(pod_id: str, findings: dict[str, Finding], absent: set[str]) -> bool:
    """Return whether two witnesses agree that a pod is gone.

    A pod that was not found by the DELETE may be another team's for the moment: its end has to be stated.
    """
    finding = findings.get(pod_id)
    return finding is not None and (finding.has_ended or pod_id in absent)


def _build_result(pod: PodDetails, outcome: str, row: HistoryRow | None, now: datetime) -> TerminationResult:
    billed_usd = _read_billed_usd(pod, row)
    is_unbilled = outcome == GONE and billed_usd is None
    return TerminationResult(
        name=pod.name,
        id=pod.id,
        outcome=outcome,
        billed_usd=billed_usd,
        created_at=pod.created_at,
        terminated_at=row.terminated_at if row else None,
        estimated_usd=_estimate_usd(pod, row, now) if is_unbilled else None,
    )


def _estimate_usd(pod: PodDetails, row: HistoryRow | None, now: datetime) -> float | None:
    """Estimate the cost of a pod that is gone by its row, else as if it had ended now."""
    estimate = None if row is None else row_cost_usd(row)
    return estimate if estimate is not None else accrued_usd(pod, now)


def _read_billed_usd(pod: PodDetails, row: HistoryRow | None) -> float | None:
    """Return the cost of a pod in USD, or ``None`` until the service has billed it."""
    if row is None:
        return None
    # Some are billed hours after their end, and their rows say 0 until then. One that was free while it came
    # up may have come further until it was gone.
    return row.total_billed_price if row.total_billed_price or pod.price_hr == 0 else None
