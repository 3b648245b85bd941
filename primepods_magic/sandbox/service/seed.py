"""The initial contents of a sandbox: money, a key, a disk and a history."""

from __future__ import annotations

from datetime import datetime, timezone

from primepods_magic.sandbox.domain.clock import Clock, to_ms
from primepods_magic.sandbox.domain.disks import disk_charges
from primepods_magic.sandbox.domain.records import DiskRecord, SshKey
from primepods_magic.sandbox.domain.users import ADA, START_BALANCE_USD, WALLETS
from primepods_magic.sandbox.storage.store import Store

from .sample_history import invented_history
from .wallets import schedule_balance_check

__all__ = ["seed_database"]

_JOINED_MS = to_ms(datetime(2026, 2, 3, 9, tzinfo=timezone.utc))

_KEY = SshKey(
    "cmkey00000000000000000001",
    ADA.user_id,
    "laptop",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleEx ada@laptop",
    True,
    _JOINED_MS,
    _JOINED_MS,
)


def seed_database(store: Store, clock: Clock, *, seed: int, history: int) -> None:
    """Fill a new database; call inside `store.writing()`."""
    store.create(clock, seed)
    begin_ms = clock.now_ms()
    for wallet_id in WALLETS:
        store.wallets.add(wallet_id, START_BALANCE_USD)
    store.account.add_key(_KEY)
    disk = _make_disk(min(begin_ms, _JOINED_MS))
    store.disks.add(disk)
    store.wallets.charge(disk.id, disk.wallet_id, disk_charges(disk, disk.created_ms))
    # Charges before the start have already been paid.
    store.wallets.deposit(disk.wallet_id, store.wallets.spent_usd(disk.id, begin_ms))
    store.history.add(invented_history(history, before_ms=begin_ms, seed=seed))
    schedule_balance_check(store, disk.wallet_id, begin_ms)


def _make_disk(created_ms: int) -> DiskRecord:
    return DiskRecord(
        id="disk_id_1",
        user_id=ADA.user_id,
        team_id=None,
        wallet_id=ADA.wallet_id,
        name="datasets",
        created_ms=created_ms,
        updated_ms=created_ms,
        deleted_ms=None,
        provider="hyperstack",
        cloud_id="n3-H100x1",
        data_center="CANADA-1",
        country="CA",
        size_gb=500,
        is_multinode=False,
        price_usd_hr=0.035,
    )
