"""Billing: rates by state become charges, and charges become amounts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from primepods_magic.sandbox.schemas.enums import PodStatus

MS_PER_HOUR = 3_600_000


@dataclass(frozen=True)
class Rates:
    """The price of a pod or a disk by state, in USD per hour; None means the running price."""

    running: float
    provisioning: float | None = 0.0
    stopped: float | None = None
    prepaid_hours: float = 0.0

    @property
    def prepaid_usd(self) -> float:
        """The amount charged with the order."""
        return round(self.running * self.prepaid_hours, 6)

    def of(self, status: PodStatus, running: float) -> float:
        """Return the rate in a state, given the current running price."""
        if status == "TERMINATED":
            return 0.0
        special = {"PROVISIONING": self.provisioning, "STOPPED": self.stopped}.get(status)
        return running if special is None else special


class Span(NamedTuple):
    """A state and the time it holds; `until_ms` is None while it is open-ended."""

    status: PodStatus
    from_ms: int
    until_ms: int | None


class Repricing(NamedTuple):
    at_ms: int
    usd_hr: float


class Charge(NamedTuple):
    """A constant rate over a time, or an amount charged at `from_ms`."""

    from_ms: int
    until_ms: int | None
    usd_hr: float
    at_once_usd: float = 0.0

    def usd(self, now_ms: int) -> float:
        """Return the amount accrued by `now_ms`."""
        if now_ms < self.from_ms:
            return 0.0
        end_ms = now_ms if self.until_ms is None else min(now_ms, self.until_ms)
        return self.at_once_usd + self.usd_hr * (end_ms - self.from_ms) / MS_PER_HOUR


def charges_of(spans: Iterable[Span], rates: Rates, repricings: Sequence[Repricing] = ()) -> list[Charge]:
    """Return the charges for consecutive `spans`, with prepaid hours charged at the beginning."""
    ordered = list(spans)
    begin_ms = ordered[0].from_ms
    paid_until_ms = begin_ms + round(rates.prepaid_hours * MS_PER_HOUR)
    # Split each span where the price changes and where the prepaid hours end.
    turns_ms = sorted({paid_until_ms, *(repricing.at_ms for repricing in repricings)})
    charges = [Charge(begin_ms, begin_ms, 0.0, rates.prepaid_usd)] if rates.prepaid_hours else []
    for status, from_ms, until_ms in ordered:
        inside = [turn for turn in turns_ms if turn > from_ms and (until_ms is None or turn < until_ms)]
        starts_ms: list[int] = [from_ms, *inside]
        ends_ms: list[int | None] = [*inside, until_ms]
        for start_ms, end_ms in zip(starts_ms, ends_ms, strict=True):
            # Prepaid hours are free: they were charged at the beginning.
            usd_hr = rates.of(status, price_at(start_ms, rates, repricings))
            if usd_hr and start_ms >= paid_until_ms and start_ms != end_ms:
                charges.append(Charge(start_ms, end_ms, usd_hr))
    return charges


def price_at(now_ms: int, rates: Rates, repricings: Iterable[Repricing]) -> float:
    """Return the running price at an instant; `repricings` are in order of time."""
    passed = [repricing.usd_hr for repricing in repricings if repricing.at_ms <= now_ms]
    return passed[-1] if passed else rates.running


def average_price(from_ms: int, until_ms: int, rates: Rates, repricings: Sequence[Repricing]) -> float:
    """Return the time-averaged running price, as the history shows it (whatever the states were)."""
    if until_ms <= from_ms:
        return price_at(from_ms, rates, repricings)
    always = Rates(running=rates.running, provisioning=None)
    spent = charges_of([Span("ACTIVE", from_ms, until_ms)], always, repricings)
    return billed_usd(spent, until_ms) * MS_PER_HOUR / (until_ms - from_ms)


def billed_usd(charges: Iterable[Charge], now_ms: int) -> float:
    """Return the sum of the charges accrued by `now_ms`."""
    return round(sum(charge.usd(now_ms) for charge in charges), 6)
