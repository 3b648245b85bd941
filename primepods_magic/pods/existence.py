"""The fate of pods that a list leaves out: a pod is gone only if two different endpoints agree.

One response may be mistaken: a list lags, is another team's, or is empty for a minute. The witnesses are the
list, the status endpoint, the pod by its id, and the history. A witness that shows a pod as live overrules
all others, and two reads of the same list are one witness. A list that calls a pod TERMINATED is one witness,
and the status is always asked as well: one request covers all pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import (
    AuthenticationError,
    ConnectionClosed,
    NotConfigured,
    NotFound,
    PodsError,
    RateLimited,
    ServiceUnavailable,
    UnexpectedAnswer,
)
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.support.name_matching import spell_ids

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["Finding", "PodFate", "examine_pod", "examine_pods", "is_closed"]

_HISTORY_ROWS = 100
_MAX_HISTORY_PAGES = 3
# Very many pods are not asked for one by one: these stand for the others.
_MAX_ASKED_BY_ID = 10
_ENOUGH_WITNESSES = 2
# All but the history: the list, the status, and the pod by its id.
_OTHER_WITNESSES = 3
# Times of one service come from several of its machines.
_TOLERATED_SKEW = timedelta(minutes=5)
_FINAL = (AuthenticationError, ConnectionClosed, NotConfigured)
_TRANSIENT = (RateLimited, ServiceUnavailable, UnexpectedAnswer)


class PodFate(str, Enum):
    """The combined statement of the witnesses.

    ``LIVE``: a witness shows the pod, perhaps as DELETING. ``ENDED``: one states its end, and another agrees.
    ``ABSENT``: two or more do not show it, and none states its end. ``UNKNOWN``: they disagree, or too few
    responded.
    """

    LIVE = "live"
    ENDED = "ended"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """The fate of one pod: ``pod`` is a live one as it is now, ``row`` an ended one's history row.

    ``reason`` is a sentence for an unknown fate.
    """

    fate: PodFate
    pod: PodDetails | None = None
    row: HistoryRow | None = None
    reason: str = ""

    @property
    def is_live(self) -> bool:
        """The pod exists and may be billed."""
        return self.fate is PodFate.LIVE

    @property
    def has_ended(self) -> bool:
        """The pod's end is proven."""
        return self.fate is PodFate.ENDED


def examine_pod(
    connection: BaseConnection,
    pod_id: str,
    *,
    listed: Sequence[PodDetails] | None = None,
    budget_s: float | None = None,
    read_timeout_s: float | None = None,
) -> Finding:
    """Determine the fate of one pod. A pod that was created a moment ago may be ``ABSENT`` and appear later.

    ``listed`` is a complete, current list, read here unless given. Raise only if no witness can be asked
    (AuthenticationError, NotConfigured, ConnectionClosed); other failures make the fate ``UNKNOWN`` at most.
    """
    pods = [PodDetails(id=pod_id)]
    inquiry = _Inquiry(connection, pods, budget_s=budget_s, read_timeout_s=read_timeout_s)
    inquiry.hear_list(listed)
    inquiry.ask_by_id()
    inquiry.ask_status()
    inquiry.ask_history()
    return inquiry.conclude()[pod_id]


def examine_pods(
    connection: BaseConnection,
    pods: Iterable[PodDetails],
    *,
    listed: Sequence[PodDetails] | None = None,
    is_detailed: bool = False,
    budget_s: float | None = None,
    read_timeout_s: float | None = None,
) -> dict[str, Finding]:
    """Determine the fate of several pods by few requests; arguments and errors as `examine_pod`.

    Pods that are live in the list cost none, and the history covers all others. ``is_detailed`` asks by id
    first.
    """
    inquiry = _Inquiry(connection, pods, budget_s=budget_s, read_timeout_s=read_timeout_s)
    inquiry.hear_list(listed)
    questions = [inquiry.ask_history, inquiry.ask_status, inquiry.ask_by_id]
    for ask in reversed(questions) if is_detailed else questions:
        ask()
    return inquiry.conclude()


def is_closed(row: HistoryRow, now: datetime) -> bool:
    """Return whether a history row has an end that is not in the future.

    >>> row = HistoryRow(id="a", terminated_at="2027-06-01T00:00:00Z")
    >>> is_closed(row, datetime.fromisoformat("2026-11-29T00:00:00+00:00"))
    False
    """
    if row.created_at is not None and row.created_at - now > _TOLERATED_SKEW:
        # No pod begins in the future: the service's clock is behind, and this computer's may be right.
        now = max(now, datetime.now(timezone.utc))
    return row.terminated_at is not None and row.terminated_at - now <= _TOLERATED_SKEW


def _is_from_before(row: HistoryRow, pod: PodDetails) -> bool:
    """Return whether a row ends before its own start, or before the pod was created."""
    starts = (row.created_at, pod.created_at)
    end = row.terminated_at
    return end is not None and any(start and start - end > _TOLERATED_SKEW for start in starts)


class _Inquiry:
    """Witnesses asked one after the other about pods whose fate is open."""

    def __init__(
        self,
        connection: BaseConnection,
        pods: Iterable[PodDetails],
        *,
        budget_s: float | None = None,
        read_timeout_s: float | None = None,
    ) -> None:
        self._connection, self._client, self._now = connection, connection.client, connection.now
        self._budget_s, self._read_timeout_s = budget_s, read_timeout_s
        self._open = {str(pod.id): pod for pod in pods}
        self._findings: dict[str, Finding] = {}
        self._witnesses_against = dict.fromkeys(self._open, 0)
        self._rows: dict[str, HistoryRow] = {}
        self._stated_ended: set[str] = set()
        self._doubts: dict[str, str] = {}
        self._listed_ended: set[str] = set()
        self._control_id: str | None = None

    def hear_list(self, listed: Sequence[PodDetails] | None) -> None:
        """Count a complete list as a witness; read it unless it is given."""
        if listed is None:
            try:
                listed = self._client.list_all_pods(
                    budget_s=self._budget_s, read_timeout_s=self._read_timeout_s
                )
            except PodsError as error:
                self._note_failure(self._open, error)
                return
        known = {pod.id: pod for pod in listed}
        self._control_id = next(
            (pod.id for pod in listed if pod.id and pod.is_live and pod.id not in self._open), None
        )
        for pod_id in list(self._open):
            pod = known.get(pod_id)
            if pod is None:
                self._count_against(pod_id)
            elif pod.status == PodStatus.TERMINATED:
                self._listed_ended.add(pod_id)
                self._count_against(pod_id, is_stated=True)
            else:
                self._close_finding(pod_id, Finding(PodFate.LIVE, pod))

    def ask_history(self) -> None:
        """Search the newest rows of the history for ends."""
        unproven = self._list_unproven()
        pages = min(_MAX_HISTORY_PAGES, -(-len(unproven) // _HISTORY_ROWS))
        rows: dict[str | None, HistoryRow] = {}
        try:
            for number in range(pages):
                page = self._client.pod_history(
                    limit=_HISTORY_ROWS,
                    offset=number * _HISTORY_ROWS,
                    budget_s=self._budget_s,
                    read_timeout_s=self._read_timeout_s,
                )
                ids = spell_ids((row.id for row in page.items), like=self._open)
                rows |= {
                    pod_id: row for pod_id, row in zip(ids, page.items, strict=True) if pod_id in self._open
                }
        except PodsError as error:
            # What it says is a proof, and what it does not say is none: rows come late.
            _raise_final(error)
        now = self._now()
        for pod_id in unproven:
            row, pod = rows.get(pod_id), self._open[pod_id]
            if row is None:
                continue
            if not is_closed(row, now):
                end = "no end" if row.terminated_at is None else "an end in the future"
                self._doubts[pod_id] = f"its row in the history has {end}"
                continue
            self._rows[pod_id] = row
            if not _is_from_before(row, pod):
                self._count_against(pod_id, is_stated=True)

    def ask_status(self) -> None:
        """Ask the status endpoint. If it leaves out a live control pod, it is no witness."""
        if not self._open:
            return
        asked = [*self._open, *([self._control_id] if self._control_id else [])]
        try:
            entries = self._client.pod_status(
                asked, budget_s=self._budget_s, read_timeout_s=self._read_timeout_s
            )
        except NotFound:
            # Either there is no such endpoint, or this is its answer for unknown ids.
            return
        except PodsError as error:
            self._note_failure(self._open, error)
            return
        known = {entry.key: entry for entry in entries}
        for pod_id, pod in list(self._open.items()):
            entry = known.get(pod_id)
            if entry is not None:
                self._hear_state(pod_id, pod.updated(entry))
            elif self._control_id is None or self._control_id in known:
                self._count_against(pod_id)

    def ask_by_id(self) -> None:
        """Ask for pods by id; of very many, a sample stands for all."""
        open_ids = self._list_unproven()
        sample, others = open_ids[:_MAX_ASKED_BY_ID], open_ids[_MAX_ASKED_BY_ID:]
        for pod_id in sample:
            try:
                pod = self._client.get_pod(
                    pod_id, budget_s=self._budget_s, read_timeout_s=self._read_timeout_s
                )
            except NotFound:
                self._count_against(pod_id)
            except UnexpectedAnswer as error:
                self._note_failure([pod_id], error)
            except PodsError as error:
                # One that does not answer is not asked again and again.
                self._note_failure(self._open, error)
                break
            else:
                if "status" in pod.model_fields_set:
                    self._hear_state(pod_id, pod)
                else:
                    self._doubts[pod_id] = "the service returns no status for its id"
        if any(pod_id in self._doubts or self._is_live(pod_id) for pod_id in sample):
            self._doubts |= dict.fromkeys(others, "other pods that it does not show are still there")

    def conclude(self) -> dict[str, Finding]:
        """Return the finding of every pod."""
        for pod_id, pod in list(self._open.items()):
            if self._is_proven(pod_id):
                self._close_finding(pod_id, Finding(PodFate.ENDED, row=self._rows.get(pod_id)))
                continue
            doubt = self._doubts.get(pod_id)
            if doubt is None and self._witnesses_against[pod_id] >= _ENOUGH_WITNESSES:
                # A row with times that cannot be is believed if no other witness knows the pod.
                is_ended = pod_id in self._rows and self._witnesses_against[pod_id] == _OTHER_WITNESSES
                row = self._rows.get(pod_id)
                self._close_finding(
                    pod_id, Finding(PodFate.ENDED, row=row) if is_ended else Finding(PodFate.ABSENT)
                )
                continue
            doubt = doubt or "no other endpoint of the service says whether it has ended"
            name = sanitize(pod.name) or sanitize(pod.id)
            statement = (
                f"calls '{name}' TERMINATED" if pod_id in self._listed_ended else f"does not show '{name}'"
            )
            reason = f"the list of pods {statement}, but {doubt}"
            self._close_finding(pod_id, Finding(PodFate.UNKNOWN, reason=reason))
        self._connection.note_gone(i for i, finding in self._findings.items() if finding.has_ended)
        return self._findings

    def _hear_state(self, pod_id: str, pod: PodDetails) -> None:
        if pod.status == PodStatus.TERMINATED:
            self._count_against(pod_id, is_stated=True)
        else:
            self._close_finding(pod_id, Finding(PodFate.LIVE, pod))

    def _count_against(self, pod_id: str, *, is_stated: bool = False) -> None:
        self._witnesses_against[pod_id] += 1
        if is_stated:
            self._stated_ended.add(pod_id)

    def _is_proven(self, pod_id: str) -> bool:
        """Return whether a witness states the end and another one agrees."""
        return pod_id in self._stated_ended and self._witnesses_against[pod_id] >= _ENOUGH_WITNESSES

    def _list_unproven(self) -> list[str]:
        return [pod_id for pod_id in self._open if not self._is_proven(pod_id)]

    def _is_live(self, pod_id: str) -> bool:
        return pod_id in self._findings and self._findings[pod_id].is_live

    def _close_finding(self, pod_id: str, finding: Finding) -> None:
        self._findings[pod_id] = finding
        del self._open[pod_id]

    def _note_failure(self, pod_ids: Iterable[str], error: PodsError) -> None:
        """Record a failed witness as a doubt if it may respond later; a final refusal is raised."""
        _raise_final(error)
        if isinstance(error, _TRANSIENT):
            self._doubts |= dict.fromkeys(pod_ids, f"another request failed: {error}")


def _raise_final(error: PodsError) -> None:
    if isinstance(error, _FINAL):
        raise error
