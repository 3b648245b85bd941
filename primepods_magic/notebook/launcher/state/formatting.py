"""Amounts, rates, wallets, and terminations as text."""

from __future__ import annotations

from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.notebook.display.captions import describe_unpriced
from primepods_magic.pods.account.overview import WalletState
from primepods_magic.pods.offers import Quote
from primepods_magic.pods.terminate import GONE, TerminationResult

__all__ = ["format_price_parts", "format_termination", "format_wallet"]

_MAX_SHOWN_IN_HOURS = 24 * 60


def format_price_parts(quote: Quote) -> str:
    """Return the parts of a price, the machine first, and the amount charged up front."""
    parts = [("machine", quote.machine_usd_hr)]
    extras = [("disk", quote.disk_usd_hr), ("vCPUs", quote.vcpus_usd_hr), ("memory", quote.memory_usd_hr)]
    parts += [(name, rate) for name, rate in extras if rate]
    text = " + ".join(f"{name} {format_usd_hr(rate)}" for name, rate in parts)
    if quote.prepaid_hr:
        text += f"; {format_usd(quote.prepaid_usd)} for {quote.prepaid_hr:g} h is charged up front"
    return text


def format_wallet(wallet: WalletState) -> str:
    """Return the burn rate, the cost of this month, and the balance of a wallet."""
    parts = [f"{format_usd_hr(wallet.burn_usd_hr)} now"]
    if wallet.month_usd is not None:
        parts.append(f"{format_usd(wallet.month_usd)} this month")
    if wallet.balance_usd is not None:
        parts.append(f"{format_usd(wallet.balance_usd)} left{_format_hours_left(wallet.hours_left)}")
    parts += describe_unpriced(wallet.unpriced)
    owner = "Your wallet" if wallet.team_id is None else f"Team {sanitize(wallet.name)}"
    return f"{owner}: {' · '.join(parts)}"


def _format_hours_left(hours: float | None) -> str:
    if hours is None:
        return ""
    left = f"{hours / 24:,.0f} days" if hours > _MAX_SHOWN_IN_HOURS else f"{hours:,.0f} h"
    return f", enough for {left}"


def format_termination(result: TerminationResult) -> str:
    """Return the outcome of a termination, with the cost if the pod is gone."""
    text = f"{sanitize(result.name)}: {sanitize(result.outcome)}"
    if result.outcome != GONE:
        return text
    return f"{text}, {result.cost_text}"
