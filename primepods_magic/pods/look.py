"""One look at many pods, by as few requests as the service allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from primepods_magic.api.errors import NotFound
from primepods_magic.api.models import PodDetails, PodStatusEntry
from primepods_magic.api.vocabulary import PodStatus

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Lookout", "Sighting"]

# A look that fails is followed by the next one anyway, and whoever watches is told at once.
_BUDGET_S = 2.0
_READ_TIMEOUT_S = 10.0
# A create may be answered before its pod is in any list.
_APPEARS_WITHIN_S = 60.0
_ONE_PAGE = 100
_LOOKS_BETWEEN_LISTS = 6


@dataclass(frozen=True)
class Sighting:
    """What one look has shown.

    Parameters
    ----------
    pods : tuple of PodDetails
        Those that were asked for, in their order; one that has not changed is the same object.
    others : tuple of PodDetails
        Other pods that came along, where the list was read.
    """

    pods: tuple[PodDetails, ...]
    others: tuple[PodDetails, ...] = ()


class Lookout:
    """Looks at pods by one request for each hundred of them, and remembers what it learns of the service.

    The status endpoint is asked. Where its answers say nothing of installations, as on the specification's
    page, or leave out pods that the list has, the list takes its place. A pod that one of them leaves out is
    looked for in the other the next time, and is TERMINATED when it is not there either: one answer may be a
    mistake, and no pod is asked for by itself.

    Parameters
    ----------
    connection : Connection
        Where the pods are.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._status_says_little = False
        self._seen: set[str] = set()
        self._missing: set[str] = set()
        self._listed_last = False
        self._first_asked_s: dict[str, float] = {}
        self._listed = 0
        self._looks_since_list = _LOOKS_BETWEEN_LISTS

    def look(self, pods: Sequence[PodDetails], *, for_others: bool = False) -> Sighting:
        """The pods as they are now.

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
        now_s = self._connection.clock.monotonic()
        asked = {pod.id: pod for pod in pods if pod.id and pod.status != PodStatus.TERMINATED}
        self._first_asked_s = {pod_id: self._first_asked_s.get(pod_id, now_s) for pod_id in asked}
        self._missing &= asked.keys()
        self._seen &= asked.keys()
        if not asked and not for_others:
            return Sighting(tuple(pods))
        found: dict[str, PodDetails] | None = None
        others: tuple[PodDetails, ...] = ()
        if not self._wants_list(for_others):
            found = self._by_status(asked)
        reads_list = found is None
        if found is None:
            listed = self._connection.client.list_all_pods(budget_s=_BUDGET_S, read_timeout_s=_READ_TIMEOUT_S)
            self._listed, self._looks_since_list = len(listed), 0
            found = {pod.id: pod for pod in listed if pod.id in asked}
            others = tuple(pod for pod in listed if pod.id and pod.id not in asked)
            # The list knows a pod that the status left out.
            self._status_says_little |= not self._listed_last and not self._missing.isdisjoint(found)
        self._listed_last = reads_list
        self._seen |= found.keys()
        seen = {pod_id: self._newest(pod, found.get(pod_id), now_s) for pod_id, pod in asked.items()}
        return Sighting(tuple(seen.get(pod.id or "", pod) for pod in pods), others)

    def _wants_list(self, for_others: bool) -> bool:
        self._looks_since_list += 1
        is_due = self._listed <= _ONE_PAGE or self._looks_since_list >= _LOOKS_BETWEEN_LISTS
        if self._status_says_little:
            return True
        # A list may lag behind, as the status may.
        return not self._listed_last if self._missing else for_others and is_due

    def _by_status(self, asked: dict[str, PodDetails]) -> dict[str, PodDetails] | None:
        """The pods that the status knows; ``None`` where it does not say what is wanted."""
        try:
            entries = self._connection.client.pod_status(
                asked, budget_s=_BUDGET_S, read_timeout_s=_READ_TIMEOUT_S
            )
        except NotFound:
            # What is answered to ids that nobody knows is nowhere written.
            entries = []
        known = {entry.key: entry for entry in entries}
        if any(_says_little(entry) for pod_id, entry in known.items() if pod_id in asked):
            self._status_says_little = True
            return None
        return {pod_id: pod.updated(known[pod_id]) for pod_id, pod in asked.items() if pod_id in known}

    def _newest(self, pod: PodDetails, found: PodDetails | None, now_s: float) -> PodDetails:
        pod_id = pod.id or ""
        if found is not None:
            self._missing.discard(pod_id)
            return pod if found == pod else found
        was_missing = pod_id in self._missing
        self._missing.add(pod_id)
        age_s = now_s - self._first_asked_s[pod_id]
        if pod.created_at is not None:
            age_s = max(age_s, (self._connection.now() - pod.created_at).total_seconds())
        may_appear = pod_id not in self._seen and age_s < _APPEARS_WITHIN_S
        if not was_missing or may_appear:
            return pod
        return pod.model_copy(update={"status": PodStatus.TERMINATED})


def _says_little(entry: PodStatusEntry) -> bool:
    """It leaves the installation out, or knows nothing of it where there is one."""
    if "installation_status" not in entry.model_fields_set:
        return True
    return entry.installation_status is None and entry.status == PodStatus.ACTIVE
