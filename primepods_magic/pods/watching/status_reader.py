"""Polling of many pods with as few requests as possible."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import NotFound, PodsError, ServiceUnavailable, UnexpectedAnswer
from primepods_magic.api.models import PodDetails, PodStatusEntry
from primepods_magic.pods.existence import Finding, PodFate, examine_pods
from primepods_magic.pods.support.rates import end_pod

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["PollResult", "StatusReader"]

# Short: the next poll follows anyway, and watches are notified at once.
_BUDGET_S = 2.0
_READ_TIMEOUT_S = 10.0
_ONE_PAGE = 100
_POLLS_BETWEEN_LISTS = 6
_MAX_ASKED_BY_ID = 10


@dataclass(frozen=True)
class PollResult:
    """Result of one poll: the requested pods in order, and what else was learned.

    An unchanged pod is the same object. `others` are further pods from the list. `doubts` maps the id of a
    pod whose fate is unknown to the reason. `priced_ids` are pods whose price was read in this poll.
    """

    pods: tuple[PodDetails, ...]
    others: tuple[PodDetails, ...] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)
    priced_ids: frozenset[str] = frozenset()


class StatusReader:
    """Reader of many pods, one request per hundred, that remembers the service's behavior.

    It asks the status endpoint, or the list if the status lacks installations or leaves out listed pods. A
    pod missing from one is looked up in the other next time, and only then with further witnesses: one
    response may be a mistake, and two reads of one list are one witness. A pod that the status calls
    TERMINATED has ended if the list agrees or does not have it; if only the list says so, further witnesses
    are asked at once.

    The list is also read for the price of a ready pod that is held to an agreed price, if the status has
    none, and the status once if the list is polled; the higher price counts. If neither can be read, such
    pods are fetched by id, so that none stays at a higher price.
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
        """Return the pods as they are now; pods that are TERMINATED or have no id are not requested.

        `for_others` reads the list as well for new pods, less often if it is long. Raises PodsError, and uses
        nothing, if there was no valid response.
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
        """Poll all pods by the status or the list."""
        asked = {pod.id: pod for pod in pods if pod.id and pod.status != PodStatus.TERMINATED}
        self._missing_since_s = {i: since for i, since in self._missing_since_s.items() if i in asked}
        if not asked and not for_others:
            return PollResult(tuple(pods))
        said = None if self._wants_list(for_others) else self._read_status(asked)
        is_partial = said is not None and any(map(_lacks_installation, said.values()))
        self._status_lacks_installation |= is_partial
        entries = None if is_partial else said
        current = {i: pod.updated(entries[i]) for i, pod in asked.items() if i in entries} if entries else {}
        priced_ids = {i for i in current if entries and entries[i].price_hr is not None}
        ended = {i for i, pod in current.items() if pod.status == PodStatus.TERMINATED}
        unpriced = {i for i, pod in current.items() if self._wants_price(i, pod) and i not in priced_ids}
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
            # The list has a pod that the status left out.
            self._status_lacks_installation |= not self._listed_last and not left_out.isdisjoint(live)
            news = {i: pod for i, pod in live.items() if i not in current or i in ended}
            news |= {i: live[i].updated(entries[i]) for i in unpriced & live.keys() if entries}
            priced_ids |= {i for i, pod in news.items() if pod.highest_usd_hr is not None}
            current |= news
            listed_ended = {i: pod for i, pod in in_list.items() if i not in current}
        if entries is None:
            prices = self._read_other_prices(current, said)
            current |= prices
            priced_ids |= prices.keys()
        self._listed_last = listed is not None
        findings = self._examine_missing(asked, current, listed, listed_ended)
        current |= {i: pod for i, pod in listed_ended.items() if findings[i].has_ended}
        seen = {pod_id: self._merge_pod(pod, current.get(pod_id), findings) for pod_id, pod in asked.items()}
        self._connection.completion_cache.note_seen(current.values())
        doubts = {i: finding.reason for i, finding in findings.items() if finding.fate is PodFate.UNKNOWN}
        newest = tuple(seen.get(pod.id or "", pod) for pod in pods)
        return PollResult(newest, others, doubts, frozenset(priced_ids))

    def _wants_list(self, for_others: bool) -> bool:
        self._polls_since_list += 1
        is_due = self._listed <= _ONE_PAGE or self._polls_since_list >= _POLLS_BETWEEN_LISTS
        if self._status_lacks_installation:
            return True
        # Either may lag behind, so alternate between the two while a pod is missing.
        return not self._listed_last if self._missing_since_s else for_others and is_due

    def _read_other_prices(
        self, current: Mapping[str, PodDetails], said: Mapping[str, PodStatusEntry] | None
    ) -> dict[str, PodDetails]:
        """Return the listed pods for which the status, which lacks installations, has a higher price.

        It is asked at first, and once more about each pod that is ready and held to a price.
        """
        ready = {i for i, pod in current.items() if self._wants_price(i, pod)}
        if said is None:
            # A price is not worth a failed poll: the pod itself has been read.
            with suppress(PodsError):
                said = self._read_status(ready) if ready else {}
        if said is None:
            return {}
        self._price_sought |= ready
        prices = {i: entry.price_hr for i, entry in said.items() if i in current}
        return {
            i: current[i].model_copy(update={"price_hr": price})
            for i, price in prices.items()
            if price is not None and price > (current[i].highest_usd_hr or 0.0)
        }

    def _wants_price(self, pod_id: str, pod: PodDetails) -> bool:
        """Return whether the pod is ready, held to a price, and not yet looked up in the list for it."""
        is_sought = pod_id in self._price_sought
        return pod.is_ready and not is_sought and self._connection.agreements.has_pod(pod_id)

    def _read_held(self, pods: Sequence[PodDetails]) -> dict[str, PodDetails]:
        """Fetch pods that are held to a price by id, up to the first failure."""
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

    def _read_status(self, asked: Collection[str]) -> dict[str, PodStatusEntry]:
        """Return status entries by id."""
        try:
            entries = self._connection.client.pod_status(
                asked, budget_s=_BUDGET_S, read_timeout_s=_READ_TIMEOUT_S
            )
        except NotFound:
            # The API does not document its response for unknown ids.
            entries = []
        return {entry.key: entry for entry in entries if entry.key is not None and entry.key in asked}

    def _examine_missing(
        self,
        asked: dict[str, PodDetails],
        current: dict[str, PodDetails],
        listed: list[PodDetails] | None,
        listed_ended: Mapping[str, PodDetails],
    ) -> dict[str, Finding]:
        """Ask other witnesses about pods missing for the second time or TERMINATED in the list only."""
        now_s = self._connection.clock.monotonic()
        missing = {pod_id: pod for pod_id, pod in asked.items() if pod_id not in current}
        before = self._missing_since_s
        self._missing_since_s = {pod_id: before.get(pod_id, now_s) for pod_id in missing}
        doubted = [pod for pod_id, pod in missing.items() if pod_id in before or pod_id in listed_ended]
        if not doubted:
            return {}
        return examine_pods(
            self._connection, doubted, listed=listed, budget_s=_BUDGET_S, read_timeout_s=_READ_TIMEOUT_S
        )

    def _merge_pod(
        self, pod: PodDetails, current: PodDetails | None, findings: dict[str, Finding]
    ) -> PodDetails:
        pod_id = pod.id or ""
        finding = findings.get(pod_id)
        if finding is not None and finding.pod is not None:
            current = finding.pod
        if current is not None:
            return pod if current == pod else current
        if finding is None:
            return pod
        missing_s = self._connection.clock.monotonic() - self._missing_since_s[pod_id]
        # A new pod may take a while to appear in any list. A pod that no witness has, without a stated end,
        # counts as gone once `settle_s` has passed.
        is_gone = finding.fate is PodFate.ABSENT and missing_s >= self._connection.settle_s
        if is_gone:
            self._connection.note_gone([pod_id])
        if finding.has_ended or is_gone:
            return end_pod(pod, finding.row)
        return pod


def _wants_pause(error: PodsError) -> bool:
    """Return whether the service is overloaded or unreachable, so that more requests do not help."""
    is_reached = isinstance(error, UnexpectedAnswer) or error.status_code is not None
    return not is_reached or error.retry_after_s is not None


def _lacks_installation(entry: PodStatusEntry) -> bool:
    """Return whether an entry lacks the installation of a pod that has one."""
    if "installation_status" not in entry.model_fields_set:
        return True
    return entry.installation_status is None and entry.status == PodStatus.ACTIVE
