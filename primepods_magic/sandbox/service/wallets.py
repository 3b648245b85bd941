"""Balance checks: when a wallet runs empty, its pods are terminated as of that instant."""

from __future__ import annotations

from collections.abc import Callable

from primepods_magic.sandbox.domain.billing import MS_PER_HOUR
from primepods_magic.sandbox.storage.store import Store

__all__ = ["REFILL_HINT", "schedule_balance_check", "settle"]

_EMPTY_CHECK_MS = 60_000

REFILL_HINT = " (in the sandbox, PUT /sandbox/wallet sets the balance)"
"""Appended to errors about an empty wallet."""

TerminateAll = Callable[[str, int], None]
"""A function that terminates all pods of a wallet as of an instant."""


def settle(store: Store, now_ms: int, terminate_all: TerminateAll) -> None:
    """Terminate the pods of wallets that ran empty by `now_ms`; call inside `store.writing()`.

    Nothing runs in the background: the next request finds out, and backdates the event.
    """
    for wallet_id in store.wallets.due_wallets(now_ms):
        if store.wallets.balance_usd(wallet_id, now_ms) <= 0:
            terminate_all(wallet_id, _find_empty_ms(store, wallet_id, now_ms))
            # Also terminate pods that began since then.
            terminate_all(wallet_id, now_ms)
        schedule_balance_check(store, wallet_id, now_ms)


def schedule_balance_check(store: Store, wallet_id: str, now_ms: int) -> None:
    """Store until when a wallet certainly lasts; call after every change of its charges."""
    burn_usd_hr = store.wallets.highest_burn_usd_hr(wallet_id, now_ms)
    balance_usd = store.wallets.balance_usd(wallet_id, now_ms)
    if not burn_usd_hr:
        store.wallets.set_next_check(wallet_id, None)
    elif balance_usd <= 0:
        # Disks keep billing, and a pod with a commit delay may still begin.
        store.wallets.set_next_check(wallet_id, now_ms + _EMPTY_CHECK_MS)
    else:
        lasts_ms = int(balance_usd / burn_usd_hr * MS_PER_HOUR)
        store.wallets.set_next_check(wallet_id, now_ms + max(1, lasts_ms))


def _find_empty_ms(store: Store, wallet_id: str, now_ms: int) -> int:
    """Find the instant at which a wallet ran empty, by bisection: a balance only ever falls."""
    # Invariant: the wallet holds money at full_ms and is empty at empty_ms.
    full_ms, empty_ms = -1, now_ms
    while empty_ms - full_ms > 1:
        middle_ms = (full_ms + empty_ms) // 2
        if store.wallets.balance_usd(wallet_id, middle_ms) <= 0:
            empty_ms = middle_ms
        else:
            full_ms = middle_ms
    return empty_ms
