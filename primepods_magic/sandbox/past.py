"""An invented past: what a small team has rented over the last months, for history and costs to show."""

from __future__ import annotations

import random
from collections.abc import Iterator

from . import people
from .catalogue import offers
from .offers import Offer
from .records import HistoryRow
from .store import seeded_token

_SPAN_MS = 120 * 24 * 3_600_000
_MS_PER_HOUR = 3_600_000
_PURPOSES = ("train", "eval", "sft", "sweep", "inference", "notebook", "preprocess", "distill")
_PROJECTS = ("llama", "whisper", "protein", "diffusion", "weather", "retrieval")

# Shares of the three people, of the teams that pay (None: a person's own wallet), and of how long pods live.
_PEOPLE_WEIGHTS = (5, 3, 2)
_TEAM_IDS = (None, *(team.team_id for team in people.TEAMS))
_TEAM_WEIGHTS = (5, 3, 2)
_TYPICAL_HOURS = (0.1, 0.7, 3.0, 11.0, 40.0)
_HOURS_WEIGHTS = (2, 4, 5, 3, 1)

_DISK_EVERY = 60


def invented_history(rows: int, *, before_ms: int, seed: int) -> Iterator[HistoryRow]:
    """Rows that ended within 120 days before ``before_ms``, oldest first, the same for the same arguments.

    Parameters
    ----------
    rows:
        How many.
    before_ms:
        The instant at which the sandbox begins.
    seed:
        Chooses among the possible pasts.
    """
    rng = random.Random(seed)  # noqa: S311 - a story, not a secret
    # Big machines are rented less often than small ones.
    rentable = [offer for offer in offers() if offer.stock != "Unavailable" and offer.nodes == 1]
    weights = [1 / (1 + offer.price_usd_hr) for offer in rentable]
    chosen = rng.choices(rentable, weights, k=rows)
    ends_ms = sorted(before_ms - rng.randrange(60_000, _SPAN_MS) for _ in range(rows))
    for number, (offer, end_ms) in enumerate(zip(chosen, ends_ms, strict=True)):
        if number % _DISK_EVERY == _DISK_EVERY // 2 or number == rows - 1 < _DISK_EVERY // 2:
            yield _disk_row(rng, number, end_ms, seed)
        else:
            yield _pod_row(rng, number, offer, end_ms, seed)


def _pod_row(rng: random.Random, number: int, offer: Offer, end_ms: int, seed: int) -> HistoryRow:
    (typical_hours,) = rng.choices(_TYPICAL_HOURS, _HOURS_WEIGHTS)
    start_ms = end_ms - round(typical_hours * rng.uniform(0.4, 2.2) * _MS_PER_HOUR)
    price_usd_hr = offer.price_usd_hr
    billed_usd = price_usd_hr * (end_ms - start_ms) / _MS_PER_HOUR
    # Free provisioning, stopped hours, a price that changed: the total is not always rate times duration.
    if rng.random() < 0.2:
        billed_usd *= rng.uniform(0.82, 0.99)
    (person,) = rng.choices(people.PEOPLE, _PEOPLE_WEIGHTS)
    (team_id,) = rng.choices(_TEAM_IDS, _TEAM_WEIGHTS)
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
        price_usd_hr=price_usd_hr,
        user_id=person.user_id,
        team_id=team_id,
        billed_usd=round(billed_usd, 6),
    )


def _disk_row(rng: random.Random, number: int, end_ms: int, seed: int) -> HistoryRow:
    hours = rng.uniform(100.0, 900.0)
    size_gb = rng.choice((100, 250, 500))
    price_usd_hr = round(size_gb * 0.00007, 4)
    return HistoryRow(
        id=seeded_token(seed, "past", number),
        name=f"{rng.choice(_PROJECTS)}-data",
        provider="hyperstack",
        provisioned_by=people.ADA.name,
        type="Disk",
        created_ms=end_ms - round(hours * _MS_PER_HOUR),
        terminated_ms=end_ms,
        gpu_name="",
        gpu_count=0,
        socket=None,
        price_usd_hr=price_usd_hr,
        user_id=people.ADA.user_id,
        team_id=people.TEAMS[0].team_id,
        billed_usd=round(price_usd_hr * hours, 6),
    )
