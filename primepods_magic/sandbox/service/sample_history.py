"""An invented history: rentals of a small team over the last months."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache

from primepods_magic.sandbox.domain.billing import (
    MS_PER_HOUR,
    Rates,
    Repricing,
    Span,
    average_price,
    billed_usd,
    charges_of,
)
from primepods_magic.sandbox.domain.catalog import PROVIDERS, offers
from primepods_magic.sandbox.domain.offers import Offer
from primepods_magic.sandbox.domain.records import HistoryRow
from primepods_magic.sandbox.domain.users import ADA, PEOPLE, TEAMS
from primepods_magic.sandbox.storage.store import seeded_token

from .ordering import share_of

__all__ = ["invented_history"]

_SPAN_MS = 120 * 24 * MS_PER_HOUR
_MS_PER_MINUTE = 60_000
_PURPOSES = ("train", "eval", "sft", "sweep", "inference", "notebook", "preprocess", "distill")
_PROJECTS = ("llama", "whisper", "protein", "diffusion", "weather", "retrieval")

# Weights of the three people, of the payers of Ada's pods (None: herself), and of the lifetimes.
_PEOPLE_WEIGHTS = (5, 3, 2)
_PAYERS = (None, *TEAMS)
_PAYER_WEIGHTS = (5, 3, 2)
_TYPICAL_HOURS = (0.1, 0.7, 3.0, 11.0, 40.0)
_HOURS_WEIGHTS = (2, 4, 5, 3, 1)

_DISK_EVERY = 60


# Whoever tests a program starts many sandboxes with the same history.
@lru_cache(maxsize=1)
def invented_history(rows: int, *, before_ms: int, seed: int) -> tuple[HistoryRow, ...]:
    """Return `rows` of history within 120 days before `before_ms`, oldest first."""
    return tuple(_generate_rows(rows, before_ms, seed))


def _generate_rows(rows: int, before_ms: int, seed: int) -> Iterator[HistoryRow]:
    rng = random.Random(seed)  # noqa: S311 - a story, not a secret
    # Rent expensive machines less often.
    rentable = [
        offer
        for offer in offers()
        if offer.price_hr is not None and offer.stock != "Unavailable" and offer.nodes == 1
    ]
    weights = [1 / (1 + offer.price_usd_hr) for offer in rentable]
    chosen = rng.choices(rentable, weights, k=rows)
    ends_ms = sorted(before_ms - rng.randrange(60_000, _SPAN_MS) for _ in range(rows))
    for number, (offer, end_ms) in enumerate(zip(chosen, ends_ms, strict=True)):
        if number % _DISK_EVERY == _DISK_EVERY // 2 or number == rows - 1 < _DISK_EVERY // 2:
            yield _make_disk_row(rng, number, end_ms, seed)
        else:
            yield _make_pod_row(rng, number, offer, end_ms, seed)


def _make_pod_row(rng: random.Random, number: int, offer: Offer, end_ms: int, seed: int) -> HistoryRow:
    (typical_hours,) = rng.choices(_TYPICAL_HOURS, _HOURS_WEIGHTS)
    start_ms = end_ms - round(typical_hours * rng.uniform(0.4, 2.2) * MS_PER_HOUR)
    provider = PROVIDERS[offer.provider]
    price_usd_hr = offer.price_usd_hr
    rates = Rates(
        running=price_usd_hr,
        provisioning=share_of(price_usd_hr, provider.provisioning_share),
        stopped=share_of(price_usd_hr, provider.stopped_share),
        prepaid_hours=offer.prepaid_hours or 0,
    )
    spans = _make_spans(rng, start_ms, end_ms)
    repricings = []
    if offer.is_variable:
        turn_ms = rng.randrange(start_ms, end_ms)
        repricings.append(Repricing(turn_ms, round(price_usd_hr * rng.uniform(0.8, 1.2), 4)))
    billed = billed_usd(charges_of(spans, rates, repricings), end_ms)
    (person,) = rng.choices(PEOPLE, _PEOPLE_WEIGHTS)
    # Other people's private pods are invisible to Ada.
    if person == ADA:
        (team,) = rng.choices(_PAYERS, _PAYER_WEIGHTS)
    else:
        (team,) = rng.choices(TEAMS, _PAYER_WEIGHTS[1:])
    is_late = rng.random() < 0.1
    return HistoryRow(
        id=seeded_token(seed, "past", number),
        name=f"{rng.choice(_PROJECTS)}-{rng.choice(_PURPOSES)}-{rng.randrange(1, 40)}",
        provider=offer.provider,
        provisioned_by=person.name,
        type="Instance",
        created_ms=start_ms,
        terminated_ms=end_ms,
        gpu_name=offer.gpu_type,
        gpu_count=offer.gpu_count,
        socket=offer.socket,
        price_usd_hr=round(average_price(start_ms, end_ms, rates, repricings), 4),
        user_id=person.user_id,
        team_id=team.team_id if team else None,
        wallet_id=(team or person).wallet_id,
        billed_usd=billed,
        settled_ms=end_ms + (rng.randrange(24 * MS_PER_HOUR) if is_late else 0),
        early_usd=0.0 if is_late else billed,
    )


def _make_spans(rng: random.Random, start_ms: int, end_ms: int) -> list[Span]:
    """Generate a few minutes of provisioning, then running, for one in eight with a stop in between."""
    length_ms = end_ms - start_ms
    active_ms = start_ms + min(length_ms // 2, rng.randrange(1, 5) * _MS_PER_MINUTE)
    spans = [Span("PROVISIONING", start_ms, active_ms)]
    if rng.random() < 0.125:
        stop_ms = active_ms + round((end_ms - active_ms) * rng.uniform(0.2, 0.6))
        start_again_ms = stop_ms + round((end_ms - stop_ms) * rng.uniform(0.2, 0.9))
        spans += [Span("ACTIVE", active_ms, stop_ms), Span("STOPPED", stop_ms, start_again_ms)]
        active_ms = start_again_ms
    return [*spans, Span("ACTIVE", active_ms, end_ms)]


def _make_disk_row(rng: random.Random, number: int, end_ms: int, seed: int) -> HistoryRow:
    hours = rng.uniform(100.0, 900.0)
    size_gb = rng.choice((100, 250, 500))
    price_usd_hr = round(size_gb * 0.00007, 4)
    billed = round(price_usd_hr * hours, 6)
    return HistoryRow(
        id=seeded_token(seed, "past", number),
        name=f"{rng.choice(_PROJECTS)}-data",
        provider="hyperstack",
        provisioned_by=ADA.name,
        type="Disk",
        created_ms=end_ms - round(hours * MS_PER_HOUR),
        terminated_ms=end_ms,
        gpu_name="",
        gpu_count=0,
        socket=None,
        price_usd_hr=price_usd_hr,
        user_id=ADA.user_id,
        team_id=TEAMS[0].team_id,
        wallet_id=TEAMS[0].wallet_id,
        billed_usd=billed,
        settled_ms=end_ms,
        early_usd=billed,
    )
