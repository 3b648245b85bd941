"""Cache of recently seen pods, disks and offers for completion, without requests."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from primepods_magic.api.client import Client
from primepods_magic.api.disks import Disk
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import Offer, PodDetails
from primepods_magic.pods.spec.fields import SPEC_FIELDS
from primepods_magic.pods.support.background import run_in_background

__all__ = ["CompletionCache"]

_OFFERED_FIELDS = [field for field in SPEC_FIELDS.values() if field.offer and field.kind == "text"]


class _Listing(Protocol):
    @property
    def client(self) -> Client: ...


_FRESH_S = 30.0
_MAX_PODS = 2000
# A pod seen live within this time is looked up before it is launched again.
_REMEMBERED_S = 3600.0
# A list may lag or be empty by mistake for this long.
_BELIEVED_S = 60.0


class CompletionCache:
    """Recently seen pods, disks and offers; thread-safe, and never waits for the network.

    >>> memory = CompletionCache()
    >>> memory.update_pods([PodDetails(id="24b59b", name="train", status="ACTIVE")])
    >>> memory.complete_pod("tr"), memory.complete_pod("24")
    (['train'], ['24b59b'])
    """

    def __init__(self) -> None:
        self._pods: tuple[PodDetails, ...] = ()
        self._disks: tuple[Disk, ...] = ()
        self._words: dict[str, frozenset[str]] = {}
        self._seen_at = 0.0
        self._disks_seen_at = 0.0
        self._names: dict[str, str] = {}
        self._alive: dict[str, tuple[PodDetails, float]] = {}
        self._gone: set[str] = set()
        self._removed_at_s: dict[str, float] = {}
        self._lock = threading.Lock()
        self._is_refreshing = False
        self._is_refreshing_disks = False

    def update_pods(self, pods: Iterable[PodDetails]) -> None:
        """Replace the pods by a full list."""
        self._pods = tuple(pods)[:_MAX_PODS]
        self._seen_at = time.monotonic()
        self.note_seen(self._pods)

    def note_seen(self, pods: Iterable[PodDetails]) -> None:
        """Record which pods are live, from a list or another response."""
        now_s = time.monotonic()
        with self._lock:
            for pod in pods:
                if pod.id and pod.name:
                    self._names[pod.id] = pod.name
                if pod.id and pod.is_live:
                    self._alive[pod.id] = (pod, now_s)
                    self._gone.discard(pod.id)
                elif pod.id:
                    self._alive.pop(pod.id, None)
            old = [pod_id for pod_id, (_, at_s) in self._alive.items() if now_s - at_s > _REMEMBERED_S]
            for pod_id in old:
                del self._alive[pod_id]
            for pod_id in [*self._names][:-_MAX_PODS]:
                del self._names[pod_id]

    @property
    def names(self) -> dict[str, str]:
        """Names by id of the pods seen lately, those that are gone included."""
        with self._lock:
            return dict(self._names)

    def forget_pods(self, pod_ids: Iterable[str]) -> bool:
        """Forget pods that are proven to be gone; return whether one of them was known."""
        gone = set(pod_ids)
        with self._lock:
            self._gone |= gone
            self._removed_at_s |= dict.fromkeys(gone, time.monotonic())
            known = {pod.id for pod in self._pods if pod.id in gone} | (gone & self._alive.keys())
            self._pods = tuple(pod for pod in self._pods if pod.id not in gone)
            for pod_id in gone:
                self._alive.pop(pod_id, None)
        return bool(known)

    def find_left_out(
        self, listed: Iterable[PodDetails], *, within_s: float = _REMEMBERED_S
    ) -> list[PodDetails]:
        """Return pods that were live lately and are missing from a list."""
        ids = {pod.id for pod in listed}
        now_s = time.monotonic()
        with self._lock:
            seen = list(self._alive.items())
        return [pod for pod_id, (pod, at_s) in seen if pod_id not in ids and now_s - at_s <= within_s]

    def is_gone(self, pod_id: str | None) -> bool:
        """Return whether a pod was proven to be gone and not seen since."""
        with self._lock:
            return pod_id in self._gone

    def was_removed(self, pod_id: str | None) -> bool:
        """Return whether a pod was proven to be gone lately, even if a list that lags still has it."""
        return time.monotonic() - self._removed_at_s.get(pod_id or "", -math.inf) <= _BELIEVED_S

    def read_age_s(self, pod_id: str | None) -> float:
        """Return the seconds since a pod was last seen live; infinity if not lately."""
        with self._lock:
            _, seen_at_s = self._alive.get(pod_id or "", (None, -math.inf))
        return time.monotonic() - seen_at_s

    def list_running(self) -> list[PodDetails]:
        """Return running pods of the last list, and those it may have left out by mistake."""
        pods = [*self._pods, *self.find_left_out(self._pods, within_s=_BELIEVED_S)]
        return [pod for pod in pods if pod.is_live and pod.status != PodStatus.STOPPED]

    def update_disks(self, disks: Iterable[Disk]) -> None:
        """Replace the disks by a full list."""
        self._disks = tuple(disks)[:_MAX_PODS]
        self._disks_seen_at = time.monotonic()

    def expire_disks(self) -> None:
        """Have the next completion fetch the disks again."""
        self._disks_seen_at = -math.inf

    def update_offers(self, offers: Iterable[Offer]) -> None:
        """Add the words that offers use."""
        words: dict[str, set[str]] = {}
        for offer in offers:
            for field in _OFFERED_FIELDS:
                value = getattr(offer, field.offer)
                values = value if isinstance(value, list) else [value]
                words.setdefault(field.key, set()).update(word for word in values if word)
        with self._lock:
            self._words.update({name: self.words(name) | values for name, values in words.items()})

    def words(self, name: str) -> frozenset[str]:
        """Return the words that offers used for a field of a spec."""
        return self._words.get(name, frozenset())

    def complete_pod(self, prefix: str, type_as: Callable[[str], str | None] = str) -> list[str]:
        """Return sorted names of live pods, then their ids once a prefix is typed.

        ``type_as`` quotes a text, or returns None if it must not be typed. A pod whose name is not unique, or
        is another pod's id, is listed by id only.
        """
        return _complete_names(self._pods, prefix, type_as)

    def complete_disk(self, prefix: str, type_as: Callable[[str], str | None] = str) -> list[str]:
        """Return sorted names of live disks, then their ids, as `complete_pod`."""
        return _complete_names(self._disks, prefix, type_as)

    def refresh(self, connection: _Listing) -> None:
        """Fetch the pods in the background if the cache is old; raise nothing."""
        with self._lock:
            if self._is_refreshing or time.monotonic() - self._seen_at < _FRESH_S:
                return
            self._is_refreshing = True
            # Do not retry at once if it fails.
            self._seen_at = time.monotonic()
        run_in_background(connection, lambda: self._fetch_pods(connection.client))

    def refresh_disks(self, connection: _Listing) -> None:
        """Fetch the disks in the background if they are old; raise nothing."""
        with self._lock:
            if self._is_refreshing_disks or time.monotonic() - self._disks_seen_at < _FRESH_S:
                return
            self._is_refreshing_disks = True
            self._disks_seen_at = time.monotonic()
        run_in_background(connection, lambda: self._fetch_disks(connection.client))

    def _fetch_disks(self, client: Client) -> None:
        try:
            client.list_disks(budget_s=0)
        except PodsError:
            pass
        finally:
            self._is_refreshing_disks = False

    def _fetch_pods(self, client: Client) -> None:
        try:
            client.list_all_pods(budget_s=0)
        except PodsError:
            pass
        finally:
            self._is_refreshing = False


def _complete_names(
    things: Sequence[PodDetails | Disk], prefix: str, type_as: Callable[[str], str | None]
) -> list[str]:
    """Return names and ids of live pods or disks, as `CompletionCache.complete_pod`."""
    live = [thing for thing in things if thing.is_live]
    times = Counter(thing.name for thing in live)
    ids = {thing.id for thing in things}
    names, ids_to_type = set(), []
    for thing in live:
        is_unique = thing.name and times[thing.name] == 1 and thing.name not in ids - {thing.id}
        name = type_as(thing.name) if thing.name and is_unique else None
        if name and thing.name and thing.name.startswith(prefix):
            names.add(name)
        by_id = type_as(thing.id) if thing.id and (prefix or not name) else None
        if by_id and thing.id and thing.id.startswith(prefix):
            ids_to_type.append(by_id)
    return [*sorted(names), *sorted(word for word in set(ids_to_type) if word not in names)]
