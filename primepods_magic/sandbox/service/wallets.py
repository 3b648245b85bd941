"""When a wallet runs dry: the pods that it pays for are taken back at that very instant."""

from __future__ import annotations

from collections.abc import Callable

from primepods_magic.sandbox.domain.billing import MS_PER_HOUR
from primepods_magic.sandbox.storage.store import Store

_EMPTY_LOOK_MS = 60_000

REFILL = " (this is the sandbox: PUT /sandbox/wallet fills the wallet)"
"""What is said to those whose wallet is empty, since no money can be paid in here otherwise."""

Reclaim = Callable[[str, int], None]
"""Takes back every pod that a wallet pays for, as of an instant."""


def settle(store: Store, now_ms: int, reclaim: Reclaim) -> None:
    """Let every wallet that has run dry by ``now_ms`` have done so; call inside ``store.writing()``.

    Nothing runs in the background, so this is found out when somebody next asks for anything, and dated back
    to when it happened.
    """
    for wallet_id in store.wallets.to_look_at(now_ms):
        if store.wallets.balance_usd(wallet_id, now_ms) <= 0:
            reclaim(wallet_id, _dry_ms(store, wallet_id, now_ms))
            # And what has only begun since then.
            reclaim(wallet_id, now_ms)
        plan_next_look(store, wallet_id, now_ms)


def plan_next_look(store: Store, wallet_id: str, now_ms: int) -> None:
    """Work out until when a wallet certainly lasts; call whenever what it pays for changes."""
    burn_usd_hr = store.wallets.highest_burn_usd_hr(wallet_id, now_ms)
    balance_usd = store.wallets.balance_usd(wallet_id, now_ms)
    if not burn_usd_hr:
        store.wallets.look_again(wallet_id, None)
    elif balance_usd <= 0:
        # Disks go on billing, and a pod that is committed late may yet begin.
        store.wallets.look_again(wallet_id, now_ms + _EMPTY_LOOK_MS)
    else:
        lasts_ms = int(balance_usd / burn_usd_hr * MS_PER_HOUR)
        store.wallets.look_again(wallet_id, now_ms + max(1, lasts_ms))


def _dry_ms(store: Store, wallet_id: str, now_ms: int) -> int:
    """The first instant at which a wallet was empty that is so at ``now_ms``; money never comes back."""
    full_ms, dry_ms = -1, now_ms
    while dry_ms - full_ms > 1:
        middle_ms = (full_ms + dry_ms) // 2
        if store.wallets.balance_usd(wallet_id, middle_ms) <= 0:
            dry_ms = middle_ms
        else:
            full_ms = middle_ms
    return dry_ms
