"""The sandbox's world, as every route sees it: the database, the dialect, and pods at the present instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from . import people
from .catalogue import offers
from .faults import ON_TIME, Faults, Lateness
from .lifecycle import Event, EventKind, State, refusal, state_at, terminated_ms
from .offers import Offer
from .orders import Order
from .purchase import choose_offer, make_pod
from .records import HistoryRow, PodRecord
from .store import Store
from .vocabulary import Dialect

_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True)
class World:
    """What the routes work with. One thread serves them all, so nothing here needs a lock.

    Parameters
    ----------
    store:
        The database.
    dialect:
        In which words to answer.
    page_cap:
        The longest page of any list, whatever a client asks for.
    faults:
        What is to go wrong on purpose.
    """

    store: Store
    dialect: Dialect
    page_cap: int
    faults: Faults

    def offers(self) -> tuple[Offer, ...]:
        """What can be rented now, and what is out of stock."""
        return offers()

    def now_ms(self) -> int:
        """The present instant."""
        return self.store.clock().now_ms()

    def state(self, record: PodRecord) -> State:
        """What a pod is now (when it begins, if that is still to come)."""
        now_ms = max(self.now_ms(), record.created_ms)
        return self._state_at(now_ms, record, self.store.events(record.id))

    def page(self, limit: int) -> int:
        """How many rows a client gets that asks for ``limit``."""
        return min(limit, self.page_cap)

    def live_pod(self, pod_id: str, *, listed: bool = False) -> tuple[PodRecord, State]:
        """A pod that is not TERMINATED, and what it is now; ``listed``: only if it is listed yet.

        Raises
        ------
        HTTPException
            404 when there is none.
        """
        record = self.store.pod(pod_id, self.now_ms(), listed=listed)
        state = self.state(record) if record else None
        if record is None or state is None or state.status == "TERMINATED":
            raise HTTPException(404, f"Pod not found: {pod_id}")
        return record, state

    def launch(self, order: Order, lateness: Lateness = ON_TIME) -> PodRecord:
        """Buy a pod.

        Parameters
        ----------
        order:
            What is asked for.
        lateness:
            When it begins to exist, and to be listed.

        Raises
        ------
        HTTPException
            400, 402, 404 or 409: why it cannot be bought.
        """
        offer = choose_offer(order)
        with self.store.writing():
            number = self.store.next_number()
            begins_ms = self.now_ms() + lateness.commits_ms
            record = make_pod(order, offer, number=number, now_ms=begins_ms, token=self.store.token)
            if self.balance_usd() < record.rates.running:
                raise HTTPException(402, "Insufficient balance for one hour of this pod")
            self.store.add_pod(number, record, listed_from_ms=begins_ms + lateness.listed_ms)
        return record

    def record_event(self, pod_id: str, kind: EventKind) -> tuple[PodRecord, State]:
        """Let something happen to a pod, and say what it is then.

        Raises
        ------
        HTTPException
            404 when there is no such pod, 409 when this cannot happen to it now.
        """
        with self.store.writing():
            record, state = self.live_pod(pod_id)
            # Deleting what is being deleted is harmless.
            if kind == "delete" and state.status == "DELETING":
                return record, state
            reason = refusal(kind, state)
            if reason:
                raise HTTPException(409, reason)
            now_ms = self.now_ms()
            self.store.add_event(pod_id, Event(now_ms, kind))
            events = self.store.events(pod_id)
            ends_ms = terminated_ms(record.created_ms, record.plan, events)
            if ends_ms is not None:
                self.store.end_pod(self._history_row(record, events, ends_ms))
            return record, self._state_at(now_ms, record, events)

    def balance_usd(self) -> float:
        """What the wallet holds after all that was rented in this sandbox."""
        live = self.store.live_pods(self.now_ms())
        running_usd = sum(self.state(record).billed_usd for record in live)
        ended_usd = self.store.billed_since_start_usd(self.now_ms())
        return round(people.START_BALANCE_USD - running_usd - ended_usd, 4)

    def _state_at(self, instant_ms: int, record: PodRecord, events: Sequence[Event]) -> State:
        return state_at(instant_ms, record.created_ms, record.plan, events, record.rates)

    def _history_row(self, record: PodRecord, events: Sequence[Event], ends_ms: int) -> HistoryRow:
        billed_usd = self._state_at(ends_ms, record, events).billed_usd
        hours = (ends_ms - record.created_ms) / _MS_PER_HOUR
        return HistoryRow(
            id=record.id,
            name=record.name,
            provider=record.provider,
            provisioned_by=people.ADA.name,
            type="Cluster" if record.cluster_id else "Instance",
            created_ms=record.created_ms,
            terminated_ms=ends_ms,
            gpu_name=record.gpu_type,
            gpu_count=record.gpu_count,
            socket=record.socket,
            # The service states the average over the pod's life, not the last rate.
            price_usd_hr=round(billed_usd / hours, 4) if hours else 0.0,
            user_id=record.user_id,
            team_id=record.team_id,
            billed_usd=billed_usd,
        )


async def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world


TheWorld = Annotated[World, Depends(_world)]
"""How a route asks for the world."""
