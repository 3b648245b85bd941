"""The price that was agreed to for a pod, held until the pod is ready at such a price."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails

__all__ = ["Agreements", "is_above"]

# Services round, and prices of disks are estimates to the cent.
_TOLERATED_USD_HR = 0.01
_ROUNDING = 1e-6


def is_above(pod: PodDetails, agreed_usd_hr: float) -> bool:
    """Return whether a pod costs more than was agreed to, by more than a cent an hour.

    >>> is_above(PodDetails(price_hr=2.51), 2.50), is_above(PodDetails(price_hr=2.52), 2.50)
    (False, True)
    """
    price_usd_hr = pod.highest_usd_hr
    return price_usd_hr is not None and price_usd_hr > agreed_usd_hr + _TOLERATED_USD_HR + _ROUNDING


class Agreements:
    """What was agreed to for the pods that were launched here and are not ready yet. Thread-safe.

    Examples
    --------
    >>> agreements = Agreements()
    >>> agreements.add("a", 2.50, lambda pod: PodsError("terminated"))
    >>> agreements.enforce([PodDetails(id="a", price_hr=25)])
    {'a': PodsError('terminated')}
    """

    def __init__(self) -> None:
        self._agreed: dict[str, tuple[float, Callable[[PodDetails], PodsError]]] = {}
        self._lock = threading.Lock()

    def add(self, pod_id: str, agreed_usd_hr: float, end: Callable[[PodDetails], PodsError]) -> None:
        """Hold a pod to a price in USD per hour; ``end`` terminates it and returns the error that says so."""
        with self._lock:
            self._agreed[pod_id] = agreed_usd_hr, end

    def enforce(self, pods: Iterable[PodDetails]) -> dict[str, PodsError]:
        """End the pods that are above what was agreed to, and return the errors that say so by id.

        A pod that is ready at such a price is not held to it any more: its price may change later, and there
        is work on it.
        """
        broken = []
        with self._lock:
            for pod in pods if self._agreed else ():
                if pod.id not in self._agreed:
                    continue
                agreed_usd_hr, end = self._agreed[pod.id]
                is_dearer = pod.is_live and is_above(pod, agreed_usd_hr)
                if is_dearer:
                    broken.append((pod, end))
                if is_dearer or not pod.is_live or (pod.is_ready and pod.highest_usd_hr is not None):
                    del self._agreed[pod.id]
        return {str(pod.id): end(pod) for pod, end in broken}
