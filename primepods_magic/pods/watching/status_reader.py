"""One poll at many pods, by as few requests as the service allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import NotFound, PodsError, ServiceUnavailable, UnexpectedAnswer
from primepods_magic.api.models import PodDetails, PodStatusEntry
from primepods_magic.pods.existence import Finding, PodFate, examine_pods

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["PollResult", "StatusReader"]

# A poll that fails is followed by the next one anyway, and whoever watches is told at once.
_BUDGET_S = 2.0
_READ_TIMEOUT_S = 10.0
_ONE_PAGE = 100
_POLLS_BETWEEN_LISTS = 6
_MAX_ASKED_BY_ID = 10


@dataclass(frozen=True)
class PollResult:
    """The result of one poll.

    Parameters
    ----------
    pods : tuple of PodDetails
        Those that were asked for, in their order; one that has not changed is the same object.
    others : tuple of PodDetails
        Other pods that came along, where the list was read.
    doubts : mapping of str to str
        Why it cannot be told what became of a pod, by its id. It is in `pods` as last seen.
    priced_ids : frozenset of str
        The ids of pods whose price was read in this poll.
    """

    pods: tuple[PodDetails, ...]
    others: tuple[PodDetails, ...] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)
    priced_ids: frozenset[str] = frozenset()


class StatusReader:
    """Looks at pods by one request for each hundred of them, and remembers what it learns of the service.

    The status endpoint is asked. Where its answers say nothing of installations, as on the specification's
    page, or leave out pods that the list has, the list takes its place. A pod that one of them leaves out is
    looked for in the other the next time, and when it is missing there too, other witnesses are asked: one
    answer may be a mistake, and two reads of one list are one witness. A pod that the status calls TERMINATED
    has ended if the list does not have it, or calls it so too. If only the list does, others are asked at
    once.

    The list is read as well for the price of a pod that is ready, if the pod is held to an agreed price that
    the status does not state. If the status or the list cannot be read, pods that are held to a price are
    asked for by their ids, so that one of them at a higher price does not stay.

    Parameters
    ----------
    connection : BaseConnection
        Where the pods are.
    """

    def __init__(self, connection: BaseConnection) -> None:
        self._connection = connection
        self._status_lacks_installation = False
        self._missing_since_s: dict[str, float] = {}
        self._listed_last = False
        self._listed = 0
        self._polls_since_list = _POLLS_BETWEEN_LISTS
        self._price_sought: set[str] = set()

    def poll(self, pods: Sequence[PodDetails], *, for_others: bool = False) -> PollResult:
        """Return the pods as they are now.

        Parameters
        ----------
        pods : sequence of PodDetails
            As last seen. One that is TERMINATED, or has no id, is not asked for.
        for_others : bool
            Somebody waits for new pods: read the list as well, now and then where it is long.

        Raises
        ------
        PodsError
            There was no good answer; nothing of it is used.
        """
        try:
            return self._poll_together(pods, for_others=for_others)
        except (ServiceUnavailable, UnexpectedAnswer) as error:
            held = {} if _wants_pause(error) else self._read_held(pods)
            if not held:
                raise
            doubted = (pod.id for pod in pods if pod.id and (for_others or pod.id not in held))
            return PollResult(
                tuple(self._merge_pod(pod, held.get(pod.id or ""), {}) for pod in pods),
                doubts=dict.fromkeys(doubted, str(error)),
                priced_ids=frozenset(i for i, pod in held.items() if pod.highest_usd_hr is not None),
            )

    def _poll_together(self, pods: Sequence[PodDetails], *, for_others: bool) -> PollResult:
        """Look at all pods by the status or the list."""
        asked = {pod.id: pod for pod in pods if pod.id and pod.status != PodStatus.TERMINATED}
        self._missing_since_s = {i: since for i, since in self._missing_since_s.items() if i in asked}
        if not asked and not for_others:
            return PollResult(tuple(pods))
        entries = None if self._wants_list(for_others) else self._read_status(asked)
        found = {i: pod.updated(entries[i]) for i, pod in asked.items() if i in entries} if entries else {}
        priced_ids = {i for i in found if entries and entries[i].price_hr is not None}
        ended = {i for i, pod in found.items() if pod.status == PodStatus.TERMINATED}
        unpriced = {i for i, pod in found.items() if self._wants_price(i, pod) and i not in priced_ids}
        listed: list[PodDetails] | None = None
        listed_ended: dict[str, PodDetails] = {}
        others: tuple[PodDetails, ...] = ()
        if entries is None or ended or unpriced:
            listed = self._read_list()
            in_list = {pod.id: pod for pod in listed if pod.id in asked}
            others = tuple(pod for pod in listed if pod.id and pod.id not in asked)
            self._price_sought |= unpriced & in_list.keys()
            live = {i: pod for i, pod in in_list.items() if pod.status != PodStatus.TERMINATED}
            left_out = ended if entries is not None else self._missing_since_s.keys()
            # The list knows a pod that the status left out.
            self._status_lacks_installation |= not self._listed_last and not left_out.isdisjoint(live)
            news = {i: pod for i, pod in live.items() if i not in found or i in ended}
            news |= {i: live[i].updated(entries[i]) for i in unpriced & live.keys() if entries}
            priced_ids |= {i for i, pod in news.items() if pod.highest_usd_hr is not None}
            found |= news
            listed_ended = {i: pod for i, pod in in_list.items() if i not in found}
        self._listed_last = listed is not None
        findings = self._examine_missing(asked, found, listed, listed_ended)
        found |= {i: pod for i, pod in listed_ended.items() if findings[i].has_ended}
        seen = {pod_id: self._merge_pod(pod, found.get(pod_id), findings) for pod_id, pod in asked.items()}
        self._connection.memory.note_seen(found.values())
        doubts = {i: finding.reason for i, finding in findings.items() if finding.fate is PodFate.UNKNOWN}
        newest = tuple(seen.get(pod.id or "", pod) for pod in pods)
        return PollResult(newest, others, doubts, frozenset(priced_ids))

    def _wants_list(self, for_others: bool) -> bool:
        self._polls_since_list += 1
        is_due = self._listed <= _ONE_PAGE or self._polls_since_list >= _POLLS_BETWEEN_LISTS
        if self._status_lacks_installation:
            return True
        # A list may lag behind, as the status may.
        return not self._listed_last if self._missing_since_s else for_others and is_due

    def _wants_price(self, pod_id: str, pod: PodDetails) -> bool:
        """The pod is ready and held to a price, and the list has not been asked for it yet."""
        is_sought = pod_id in self._price_sought
        return pod.is_ready and not is_sought and self._connection.agreements.has_pod(pod_id)

    def _read_held(self, pods: Sequence[PodDetails]) -> dict[str, PodDetails]:
        """Ask for pods that are held to a price by their ids, up to the first failure."""
        agreements, read = self._connection.agreements, dict[str, PodDetails]()
        held = [pod.id for pod in pods if pod.id and pod.is_live and agreements.has_pod(pod.id)]
        for pod_id in held[:_MAX_ASKED_BY_ID]:
            try:
                pod = self._connection.client.get_pod(pod_id, budget_s=0, read_timeout_s=_READ_TIMEOUT_S)
            except NotFound:
                continue
            except PodsError:
                break
            if "status" in pod.model_fields_set:
                read[pod_id] = pod
        return read

    def _read_list(self) -> list[PodDetails]:
        listed = self._connection.client.list_all_pods(budget_s=_BUDGET_S, read_timeout_s=_READ_TIMEOUT_S)
        self._listed, self._polls_since_list = len(listed), 0
        return listed

    def _read_status(self, asked: dict[str, PodDetails]) -> dict[str, PodStatusEntry] | None:
        """Ask the status; return its entries by id, or ``None`` if it does not say what is wanted."""
        try:
            entries = self._connection.client.pod_status(
                asked, budget_s=_BUDGET_S, read_timeout_s=_READ_TIMEOUT_S
            )
        except NotFound:
            # What is answered to ids that nobody knows is nowhere written.
            entries = []
        known = {entry.key: entry for entry in entries if entry.key in asked}
        if any(_lacks_installation(entry) for entry in known.values()):
            self._status_lacks_installation = True
            return None
        return known

    def _examine_missing(
        self,
        asked: dict[str, PodDetails],
        found: dict[str, PodDetails],
        listed: list[PodDetails] | None,
        listed_ended: Mapping[str, PodDetails],
    ) -> dict[str, Finding]:
        """Ask other witnesses for pods that are missing once more, or that only the list calls TERMINATED."""
        now_s = self._connection.clock.monotonic()
        missing = {pod_id: pod for pod_id, pod in asked.items() if pod_id not in found}
        before = self._missing_since_s
        self._missing_since_s = {pod_id: before.get(pod_id, now_s) for pod_id in missing}
        doubted = [pod for pod_id, pod in missing.items() if pod_id in before or pod_id in listed_ended]
        if not doubted:
            return {}
        return examine_pods(
            self._connection, doubted, listed=listed, budget_s=_BUDGET_S, read_timeout_s=_READ_TIMEOUT_S
        )

    def _merge_pod(
        self, pod: PodDetails, found: PodDetails | None, findings: dict[str, Finding]
    ) -> PodDetails:
        pod_id = pod.id or ""
        finding = findings.get(pod_id)
        if finding is not None and finding.pod is not None:
            found = finding.pod
        if found is not None:
            return pod if found == pod else found
        if finding is None:
            return pod
        missing_s = self._connection.clock.monotonic() - self._missing_since_s[pod_id]
        # A create may be answered before its pod is in any list, and a list may be empty for as long. A pod
        # that no one knows, and whose end no one states, is gone when it stays so.
        is_gone = finding.fate is PodFate.ABSENT and missing_s >= self._connection.settle_s
        if is_gone:
            self._connection.note_gone([pod_id])
        if finding.has_ended or is_gone:
            return pod.model_copy(update={"status": PodStatus.TERMINATED})
        return pod


def _wants_pause(error: PodsError) -> bool:
    """The service is overloaded, or not reached at all: more requests do not help."""
    is_reached = isinstance(error, UnexpectedAnswer) or error.status_code is not None
    return not is_reached or error.retry_after_s is not None


def _lacks_installation(entry: PodStatusEntry) -> bool:
    """It leaves the installation out, or knows nothing of it where there is one."""
    if "installation_status" not in entry.model_fields_set:
        return True
    return entry.installation_status is None and entry.status == PodStatus.ACTIVE
