"""What was seen lately of an account, for completion: names and words, without asking anybody."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from primepods_magic.api.client import Client
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import Offer, PodDetails
from primepods_magic.pods.support.background import run_in_background

__all__ = ["CompletionCache"]


class _Listing(Protocol):
    @property
    def client(self) -> Client: ...


_FRESH_S = 30.0
_MAX_PODS = 2000
# For as long, a pod that was seen to live is looked for before it is launched again.
_REMEMBERED_S = 3600.0
# For as long, a list may lag or be empty by mistake.
_BELIEVED_S = 60.0


class CompletionCache:
    """Pods and offers as last seen. Safe to use from any thread; nothing in it ever waits for the network.

    Examples
    --------
    >>> memory = CompletionCache()
    >>> memory.update_pods([PodDetails(id="24b59b", name="train", status="ACTIVE")])
    >>> memory.complete_pod("tr"), memory.complete_pod("24")
    (['train'], ['24b59b'])
    """

    def __init__(self) -> None:
        self._pods: tuple[PodDetails, ...] = ()
        self._words: dict[str, frozenset[str]] = {}
        self._seen_at = 0.0
        self._alive: dict[str, tuple[PodDetails, float]] = {}
        self._gone: set[str] = set()
        self._lock = threading.Lock()
        self._is_refreshing = False

    def update_pods(self, pods: Iterable[PodDetails]) -> None:
        """Take over a full list of pods."""
        self._pods = tuple(pods)[:_MAX_PODS]
        self._seen_at = time.monotonic()
        self.note_seen(self._pods)

    def note_seen(self, pods: Iterable[PodDetails]) -> None:
        """Note which pods live, by a list or by another answer."""
        now_s = time.monotonic()
        with self._lock:
            for pod in pods:
                if pod.id and pod.is_live:
                    self._alive[pod.id] = (pod, now_s)
                    self._gone.discard(pod.id)
                elif pod.id:
                    self._alive.pop(pod.id, None)
            old = [pod_id for pod_id, (_, at_s) in self._alive.items() if now_s - at_s > _REMEMBERED_S]
            for pod_id in old:
                del self._alive[pod_id]

    def forget_pods(self, pod_ids: Iterable[str]) -> bool:
        """Forget pods that are proven to be gone; return whether one of them was known."""
        gone = set(pod_ids)
        with self._lock:
            self._gone |= gone
            known = {pod.id for pod in self._pods if pod.id in gone} | (gone & self._alive.keys())
            self._pods = tuple(pod for pod in self._pods if pod.id not in gone)
            for pod_id in gone:
                self._alive.pop(pod_id, None)
        return bool(known)

    def find_left_out(
        self, listed: Iterable[PodDetails], *, within_s: float = _REMEMBERED_S
    ) -> list[PodDetails]:
        """Return the pods that were seen to live lately, and that a list leaves out."""
        ids = {pod.id for pod in listed}
        now_s = time.monotonic()
        with self._lock:
            seen = list(self._alive.items())
        return [pod for pod_id, (pod, at_s) in seen if pod_id not in ids and now_s - at_s <= within_s]

    def is_gone(self, pod_id: str | None) -> bool:
        """Return whether a pod was proven to be gone and not seen since."""
        with self._lock:
            return pod_id in self._gone

    def read_age_s(self, pod_id: str | None) -> float:
        """Return how long ago a pod was last seen to live, in seconds; infinity if it was not, lately."""
        with self._lock:
            _, seen_at_s = self._alive.get(pod_id or "", (None, -math.inf))
        return time.monotonic() - seen_at_s

    def list_running(self) -> list[PodDetails]:
        """Return the pods of the last list that run, and those that it may have left out by mistake."""
        pods = [*self._pods, *self.find_left_out(self._pods, within_s=_BELIEVED_S)]
        return [pod for pod in pods if pod.is_live and pod.status != PodStatus.STOPPED]

    def update_offers(self, offers: Iterable[Offer]) -> None:
        """Remember the words that offers use, beside those known already."""
        told: dict[str, set[str]] = {}
        for offer in offers:
            said = {
                "gpu": (offer.gpu_type,),
                "provider": (offer.provider,),
                "region": (offer.region,),
                "country": (offer.country,),
                "socket": (offer.socket,),
                "cloud_id": (offer.cloud_id,),
                "data_center_id": (offer.data_center,),
                "image": offer.images,
            }
            for name, values in said.items():
                told.setdefault(name, set()).update(value for value in values if value)
        with self._lock:
            self._words.update({name: self.words(name) | values for name, values in told.items()})

    def words(self, name: str) -> frozenset[str]:
        """The words that offers used for a field of a spec."""
        return self._words.get(name, frozenset())

    def complete_pod(self, beginning: str, type_as: Callable[[str], str | None] = str) -> list[str]:
        """Return what to type for live pods: of each its name, and, once something is typed, its id.

        Parameters
        ----------
        beginning : str
            What the name or the id begins with.
        type_as : callable
            Returns how to type a text, or ``None`` for one that no one should type.

        Returns
        -------
        list of str
            The names in order, then ids. A name that another live pod has, or that is another pod's id, would
            mean that pod or several: such a pod is there by its id only.
        """
        live = [pod for pod in self._pods if pod.is_live]
        times = Counter(pod.name for pod in live)
        ids = {pod.id for pod in self._pods}
        names, others = set(), []
        for pod in live:
            is_its_own = pod.name and times[pod.name] == 1 and pod.name not in ids - {pod.id}
            name = type_as(pod.name) if pod.name and is_its_own else None
            if name and pod.name and pod.name.startswith(beginning):
                names.add(name)
            by_id = type_as(pod.id) if pod.id and (beginning or not name) else None
            if by_id and pod.id and pod.id.startswith(beginning):
                others.append(by_id)
        return [*sorted(names), *sorted(word for word in set(others) if word not in names)]

    def refresh(self, connection: _Listing) -> None:
        """Look at the pods in the background if what is known is old; nothing is raised."""
        with self._lock:
            if self._is_refreshing or time.monotonic() - self._seen_at < _FRESH_S:
                return
            self._is_refreshing = True
            # Not again at once if it fails.
            self._seen_at = time.monotonic()
        run_in_background(connection, lambda: self._fetch_pods(connection.client))

    def _fetch_pods(self, client: Client) -> None:
        try:
            client.list_all_pods(budget_s=0)
        except PodsError:
            pass
        finally:
            self._is_refreshing = False
