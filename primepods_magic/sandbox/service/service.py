"""The service behind the routes: database, dialect, and current state of pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from primepods_magic.sandbox.domain import users as people
from primepods_magic.sandbox.domain.billing import average_price, billed_usd
from primepods_magic.sandbox.domain.catalog import offers
from primepods_magic.sandbox.domain.disks import attach_refusal
from primepods_magic.sandbox.domain.lifecycle import (
    Event,
    EventKind,
    State,
    charges,
    refusal,
    repricings,
    state_at,
    terminated_ms,
)
from primepods_magic.sandbox.domain.offers import Offer
from primepods_magic.sandbox.domain.records import DiskRecord, HistoryRow, PodRecord
from primepods_magic.sandbox.domain.users import Person
from primepods_magic.sandbox.faults.rules import ON_TIME, CommitDelay, Faults
from primepods_magic.sandbox.http.api_keys import Key
from primepods_magic.sandbox.schemas.enums import Dialect, PodStatus
from primepods_magic.sandbox.schemas.requests import CreateBody
from primepods_magic.sandbox.storage.store import Store
from primepods_magic.sandbox.storage.tables.stock import StockKey

from .ordering import choose_offer, make_pod
from .pod_machines import PodMachines
from .wallets import REFILL_HINT, schedule_balance_check, settle

__all__ = ["SandboxService", "ServiceDep", "offer_key"]

# One pod in eight is billed up to one day after its end.
_LATE_BILLING_ONE_IN = 8
_MAX_BILLING_DELAY_MS = 24 * 3_600_000


@dataclass(frozen=True)
class SandboxService:
    """The state and operations behind the routes. A single thread serves them, so no lock is needed."""

    store: Store
    dialect: Dialect
    page_cap: int
    faults: Faults
    machines: PodMachines | None = None

    @contextmanager
    def reading(self) -> Iterator[int]:
        """Open a consistent read transaction and yield its instant."""
        with self.store.reading():
            now_ms = self.now_ms()
            is_due = bool(self.store.wallets.due_wallets(now_ms))
            if not is_due:
                yield now_ms
        if is_due:
            with self.writing() as now_ms:
                yield now_ms

    @contextmanager
    def writing(self) -> Iterator[int]:
        """Open an exclusive write transaction, rolled back on errors, and yield its instant."""
        with self.store.writing():
            now_ms = self.now_ms()
            settle(self.store, now_ms, self.terminate_all)
            yield now_ms

    def now_ms(self) -> int:
        return self.store.clock().now_ms()

    def page(self, limit: int) -> int:
        """Cap a requested page size."""
        return min(limit, self.page_cap)

    def offers(self) -> tuple[Offer, ...]:
        """Return all offers with their current stock."""
        stock = self.store.stock.all()
        if not stock:
            return offers()
        return tuple(replace(offer, stock=stock.get(offer_key(offer), offer.stock)) for offer in offers())

    def disk(self, disk_id: str, person: Person) -> DiskRecord | None:
        """Find a disk that is not terminated and that the person may use."""
        return self.store.disks.get(disk_id, person.wallets(), self.now_ms())

    def states(self, records: Sequence[PodRecord]) -> list[State]:
        """Return the current states of pods; a pod that begins later has its initial state."""
        now_ms = self.now_ms()
        events = self.store.pods.events(record.id for record in records)
        return [
            _compute_state(max(now_ms, record.created_ms), record, events[record.id]) for record in records
        ]

    def live_pod(
        self, pod_id: str, person: Person | None, *, listed: bool = False
    ) -> tuple[PodRecord, State]:
        """Find a pod that is not TERMINATED, visible to `person` if given; raise 404 otherwise."""
        wallets = person.wallets() if person else None
        record = self.store.pods.get(pod_id, self.now_ms(), wallets, listed=listed)
        state = self.states([record])[0] if record else None
        if record is None or state is None or state.status == "TERMINATED":
            raise HTTPException(404, f"Pod not found: {pod_id}")
        return record, state

    def launch(self, order: CreateBody, key: Key, commit_delay: CommitDelay = ON_TIME) -> PodRecord:
        """Create a pod, or raise HTTPException 400, 402, 404 or 409."""
        with self.writing() as now_ms:
            offer = choose_offer(order, self.offers())
            self._check_key(order, key.person)
            disks = [
                self._find_attachable(disk_id, key.person, offer)
                for disk_id in dict.fromkeys(order.disks or ())
            ]
            number = self.store.next_number()
            begins_ms = now_ms + commit_delay.commits_ms
            record = make_pod(
                order, offer, disks, key.person, number=number, now_ms=begins_ms, token=self.store.token
            )
            min_balance_usd = record.rates.prepaid_usd or record.rates.running
            if self.store.wallets.balance_usd(record.wallet_id, now_ms) < min_balance_usd:
                paid_for = "the prepaid hours" if record.rates.prepaid_usd else "one hour"
                raise HTTPException(402, f"Insufficient balance for {paid_for} of this pod{REFILL_HINT}")
            self.store.pods.add(number, record, listed_from_ms=begins_ms + commit_delay.listed_ms)
            self._update_records(record, [], now_ms)
        if self.machines is not None:
            self.machines.prepare(record, {each.key: each.value for each in order.pod.env_vars or ()})
        return record

    def reachable(self, records: Sequence[PodRecord], states: Sequence[State]) -> Sequence[PodRecord]:
        """Return the records with the addresses of their machines, which are started if they are ready."""
        if self.machines is None:
            return records
        return self.machines.locate(records, states, self._read_statuses)

    def refresh_machines(self) -> None:
        """Let the machines follow the account's keys and the pods' states now rather than in a moment."""
        if self.machines is not None:
            self.machines.refresh(self._read_statuses)

    def record_event(
        self, pod_id: str, kind: EventKind, person: Person | None = None, *, usd_hr: float | None = None
    ) -> tuple[PodRecord, State]:
        """Record an event of a pod and return its new state; raise 404 or 409."""
        with self.writing() as now_ms:
            record, state = self.live_pod(pod_id, person)
            # A repeated delete is harmless.
            if kind == "delete" and state.status == "DELETING":
                return record, state
            reason = refusal(kind, state)
            if reason:
                raise HTTPException(409, reason)
            self._add_event(record, Event(now_ms, kind, usd_hr), now_ms)
            return record, self.states([record])[0]

    def recompute_charges(self, wallet_id: str, now_ms: int) -> None:
        """Schedule the next balance check after charges or deposits changed."""
        schedule_balance_check(self.store, wallet_id, now_ms)

    def terminate_all(self, wallet_id: str, at_ms: int) -> None:
        """Terminate all pods that a wallet pays for; call inside `writing()`."""
        for record in self.store.pods.live(at_ms, wallet_id):
            self._add_event(record, Event(at_ms, "reclaim"), at_ms)

    def _add_event(self, record: PodRecord, event: Event, now_ms: int) -> None:
        self.store.pods.add_event(record.id, event)
        self._update_records(record, self.store.pods.events([record.id])[record.id], now_ms)

    def _update_records(self, record: PodRecord, events: Sequence[Event], now_ms: int) -> None:
        """Update the end, the history row and the charges of a pod."""
        ends_ms = terminated_ms(record.created_ms, record.plan, events)
        self.store.pods.set_end(record.id, ends_ms)
        self.store.history.replace(
            record.id, None if ends_ms is None else self._make_history_row(record, events, ends_ms)
        )
        spent = charges(record.created_ms, record.plan, events, record.rates)
        self.store.wallets.charge(record.id, record.wallet_id, spent)
        self.recompute_charges(record.wallet_id, now_ms)

    def _read_statuses(self, pod_ids: Sequence[str]) -> dict[str, PodStatus]:
        """Return the current status of those pods that exist."""
        with self.reading() as now_ms:
            found = [self.store.pods.get(pod_id, now_ms) for pod_id in pod_ids]
            records = [record for record in found if record is not None]
            states = self.states(records)
        return {record.id: state.status for record, state in zip(records, states, strict=True)}

    def _check_key(self, order: CreateBody, person: Person) -> None:
        key_id = order.pod.ssh_key_id
        if key_id is not None and key_id not in [key.id for key in self.store.account.keys(person.user_id)]:
            raise HTTPException(400, f"sshKeyId {key_id} is not a key of this account")

    def _find_attachable(self, disk_id: str, person: Person, offer: Offer) -> DiskRecord:
        disk = self.disk(disk_id, person)
        if disk is None:
            raise HTTPException(404, f"No disk with id {disk_id!r}")
        now_ms = self.now_ms()
        reason = attach_refusal(disk, offer, self.store.pods.holding(disk_id, now_ms), now_ms)
        if reason:
            raise HTTPException(400, reason)
        return disk

    def _make_history_row(self, record: PodRecord, events: Sequence[Event], ends_ms: int) -> HistoryRow:
        spent_usd = billed_usd(charges(record.created_ms, record.plan, events, record.rates), ends_ms)
        prices = repricings(record.created_ms, record.plan, events)
        chance = int(self.store.token("settled", record.id), 16)
        is_late = chance % _LATE_BILLING_ONE_IN == 0
        return HistoryRow(
            id=record.id,
            name=record.name,
            provider=record.provider,
            provisioned_by=people.person(record.user_id).name,
            type="Cluster" if record.cluster_id else "Instance",
            created_ms=record.created_ms,
            terminated_ms=ends_ms,
            gpu_name=record.gpu_type,
            gpu_count=record.gpu_count,
            socket=record.socket,
            price_usd_hr=round(average_price(record.created_ms, ends_ms, record.rates, prices), 4),
            user_id=record.user_id,
            team_id=record.team_id,
            wallet_id=record.wallet_id,
            billed_usd=spent_usd,
            settled_ms=ends_ms + (chance // _LATE_BILLING_ONE_IN % _MAX_BILLING_DELAY_MS if is_late else 0),
            early_usd=0.0 if is_late else spent_usd,
        )


def offer_key(offer: Offer) -> StockKey:
    """Return the identity of an offer regardless of its size."""
    return StockKey(offer.provider, offer.cloud_id, offer.data_center or "")


def _compute_state(instant_ms: int, record: PodRecord, events: Iterable[Event]) -> State:
    return state_at(instant_ms, record.created_ms, record.plan, list(events), record.rates)


async def _get_service(request: Request) -> SandboxService:
    service: SandboxService = request.state.service
    return service


ServiceDep = Annotated[SandboxService, Depends(_get_service)]
"""The service of the current request."""
