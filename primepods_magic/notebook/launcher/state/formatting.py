"""Money and times of the launcher in words."""

from __future__ import annotations

from collections.abc import Iterator

from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.account.overview import WalletState
from primepods_magic.pods.offers import Quote
from primepods_magic.pods.terminate import GONE, TerminationResult

__all__ = ["hours_left", "price_parts", "removal_words", "wallet_words"]

_LONG_H = 24 * 60


def price_parts(quote: Quote) -> Iterator[str]:
    """What a price is made of, the machine first."""
    beyond = [
        ("disk", quote.disk_usd_hr),
        ("vCPUs", quote.vcpus_usd_hr),
        ("memory", quote.memory_usd_hr),
    ]
    yield f"machine {format_usd_hr(quote.machine_usd_hr)}"
    for what, rate in beyond:
        if rate:
            yield f"{what} {format_usd_hr(rate)}"
    if quote.prepaid_hr:
        yield f"of which {format_usd(quote.prepaid_usd)} for {quote.prepaid_hr:g} h are charged up front"


def wallet_words(wallet: WalletState) -> str:
    """Burn rate, this month, and how long the balance lasts, in a line."""
    words = [f"{format_usd_hr(wallet.burn_usd_hr)} now"]
    if wallet.month_usd is not None:
        words.append(f"{format_usd(wallet.month_usd)} this month")
    if wallet.balance_usd is not None:
        words.append(f"{format_usd(wallet.balance_usd)} left{hours_left(wallet)}")
    who = "Your wallet" if wallet.team_id is None else f"Team {sanitize(wallet.name)}"
    return f"{who}: {' · '.join(words)}"


def hours_left(wallet: WalletState) -> str:
    """How long the balance lasts, as roughly as it is known."""
    hours = wallet.hours_left
    if hours is None:
        return ""
    return f", enough for {hours / 24:,.0f} days" if hours > _LONG_H else f", enough for {hours:,.0f} h"


def removal_words(removal: TerminationResult) -> str:
    """What became of a pod that was to be ended and, where it is gone, what it cost."""
    said = f"{sanitize(removal.name)}: {sanitize(removal.outcome)}"
    if removal.outcome != GONE:
        return said
    billed = "not billed yet" if removal.billed_usd is None else f"{format_usd(removal.billed_usd)} billed"
    return f"{said}, {billed}"
