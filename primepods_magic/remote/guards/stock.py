"""Offers for several specs at once: one request for each distinct query, at a polite pace."""

from __future__ import annotations

import random
from collections.abc import Mapping

from primepods_magic.api.client import Client
from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import Offer
from primepods_magic.api.requests import list_names
from primepods_magic.pods.choose_offer import list_searched, pick_offer
from primepods_magic.pods.offers import Quote
from primepods_magic.pods.spec.spec import PodSpec

__all__ = ["StockReader"]

_LIVE_INTERVAL_S = 30.0
_SANDBOX_INTERVAL_S = 0.5
_JITTER = 0.25
_MAX_FACTOR = 20.0
# A longer Retry-After may be a mistake.
_MAX_RETRY_AFTER_S = 900.0

_Query = tuple[str | None, str | None, tuple[str, ...], bool]


class StockReader:
    """Reads which offers fit specs.

    ``read`` may be called again for more specs before ``delay_s`` is over: what was asked for by then is not
    asked for again.
    """

    def __init__(self) -> None:
        self._answers: dict[_Query, list[Offer] | PodsError] = {}
        self._failures = 0
        self._retry_after_s = 0.0

    def begin_round(self) -> None:
        """Forget what was on offer."""
        self._answers.clear()

    def read(self, client: Client, specs: Mapping[str, PodSpec]) -> dict[str, Quote | PodsError | None]:
        """Return by its key what fits each spec: a quote, None, or an error if that is not known."""
        found = {key: self._read_one(client, spec) for key, spec in specs.items()}
        errors = [answer for answer in self._answers.values() if isinstance(answer, PodsError)]
        self._failures = self._failures + 1 if errors else 0
        self._retry_after_s = max((error.retry_after_s or 0.0 for error in errors), default=0.0)
        return found

    def _read_one(self, client: Client, spec: PodSpec) -> Quote | PodsError | None:
        offers: list[Offer] = []
        failure = None
        for query in _list_queries(spec):
            if query[-1] and offers and spec.cloud_id:
                continue
            if query not in self._answers:
                self._answers[query] = _ask_once(client, query)
            answer = self._answers[query]
            if isinstance(answer, PodsError):
                failure = answer
            else:
                offers += answer
        # If one of several types cannot be asked for, another may fit.
        return pick_offer(offers, spec) or failure

    def find_delay_s(self, *, is_sandbox: bool) -> float:
        """Return the seconds until the next round: longer, and at random, after failures."""
        interval_s = _SANDBOX_INTERVAL_S if is_sandbox else _LIVE_INTERVAL_S
        factor = min(2.0 ** min(self._failures, 10), _MAX_FACTOR)
        wait_s = interval_s * factor * (1 + _JITTER * random.random())  # noqa: S311 - not for secrets
        return max(wait_s, min(self._retry_after_s, _MAX_RETRY_AFTER_S))


def _list_queries(spec: PodSpec) -> list[_Query]:
    disks = tuple(spec.disks or ())
    return [
        (gpu_type, spec.cloud_id, disks, multi_node)
        for gpu_type in list_names(spec.gpu_type) or (None,)
        for multi_node in list_searched(spec)
    ]


def _ask_once(client: Client, query: _Query) -> list[Offer] | PodsError:
    gpu_type, cloud_id, disks, multi_node = query
    try:
        return client.list_offers(
            gpu_type=gpu_type, cloud_id=cloud_id, disks=disks, multi_node=multi_node, budget_s=0
        )
    except PodsError as error:
        return error
