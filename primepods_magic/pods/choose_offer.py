"""The choice among offers: find those for a spec, take the cheapest that fits, or show the nearest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from primepods_magic.api.client import Client
from primepods_magic.api.enums import GPU_TYPES
from primepods_magic.api.errors import InvalidRequest, OutOfStock
from primepods_magic.api.fields.nodes import MAX_NODE_GPUS
from primepods_magic.api.models import Offer
from primepods_magic.api.requests import TEMPLATE_IMAGE
from primepods_magic.api.requests import list_names as list_values
from primepods_magic.api.text.money import format_money
from primepods_magic.api.text.sanitize import brief, join_sanitized
from primepods_magic.pods.spec.fields import SPEC_FIELDS
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.name_matching import fold_letters
from primepods_magic.pods.support.part_matching import is_same_word

from .offers import Quote, cheapest_first, ignored_mismatches, join_any, mismatches, quote
from .short_names import (
    describe_unknown,
    join_names,
    list_all_offers,
    list_names,
    list_offered,
    nothing_created,
)

__all__ = ["alternatives", "choose_offer", "find_offers", "list_searched", "pick_offer"]

_MAX_SHOWN_OTHERS = 2
_MAX_NEAREST = 3
_REGION = SPEC_FIELDS["region"]
_GPU = SPEC_FIELDS["gpu"]
_IMAGE = SPEC_FIELDS["image"]
_PLACES = tuple(SPEC_FIELDS[key] for key in ("provider", "country", "data_center_id", "socket"))


def list_searched(spec: PodSpec, multi_node: bool | None = None) -> tuple[bool, ...]:
    """Return the lists that may have offers for a spec, in order: True for that of multi-node offers.

    Only they have more GPUs than one node. If a ``cloud_id`` decides, the second list is for one that the
    first does not have. ``multi_node`` chooses the list itself.

    >>> [list_searched(PodSpec(gpu_type="H100_80GB", gpu_count=count)) for count in (8, 16)]
    [(False,), (False, True)]
    """
    if multi_node is not None:
        return (multi_node,)
    is_large = (spec.count or 0) > MAX_NODE_GPUS
    return (False, True) if is_large or (spec.cloud_id and spec.count is None) else (False,)


def find_offers(client: Client, spec: PodSpec, *, multi_node: bool | None = None) -> list[Offer]:
    """List offers for a spec's GPU types or cloud id, cheapest first, whether they fit otherwise or not.

    Raises InvalidRequest, with the nearest names, for a GPU type, provider, place, socket or image that the
    service does not have. An exact name costs no further request, unless no offer has it. Each GPU type is
    one request; more than 8 GPUs take one more, for multi-node offers. ``multi_node`` lists only those.
    """
    for region in list_values(spec.region):
        if region not in _REGION.words:
            raise InvalidRequest(describe_unknown(_REGION, region, _REGION.words))
    gpu_types = list_values(spec.gpu_type)
    offers = [
        offer
        for gpu_type in gpu_types or (None,)
        for offer in _list_offers_of(client, spec, gpu_type, list_searched(spec, multi_node))
        # A service that ignores the filter lists all of them each time.
        if len(gpu_types) <= 1 or fold_letters(offer.gpu_type) == fold_letters(gpu_type)
    ]
    _check_places(client, spec, offers)
    _check_image(spec, offers)
    return cheapest_first(offers)


def _list_offers_of(
    client: Client, spec: PodSpec, gpu_type: str | None, searched: tuple[bool, ...]
) -> list[Offer]:
    offers: list[Offer] = []
    try:
        for multi_node in searched:
            if multi_node and offers and spec.cloud_id:
                break
            ask = partial(
                client.list_offers,
                gpu_type=gpu_type,
                cloud_id=spec.cloud_id,
                disks=spec.disks or (),
                multi_node=multi_node,
            )
            # An empty list has been seen although there was stock, so believe only the second one.
            offers += ask() or ask()
    except InvalidRequest:
        # The service rejects unknown types. A type that we do not know either is reported below.
        if gpu_type is None or gpu_type in GPU_TYPES:
            raise
    if not offers and gpu_type is not None and gpu_type not in GPU_TYPES:
        raise InvalidRequest(describe_unknown(_GPU, gpu_type, list_names(_GPU, list_all_offers(client))))
    return offers


def _check_places(client: Client, spec: PodSpec, offers: list[Offer]) -> None:
    """Refuse a provider, a place or a socket that no offer of any GPU has."""
    everything: list[Offer] = []
    for field in _PLACES:
        for wanted in list_values(getattr(spec, field.name)):
            if _has_word(wanted, (*field.words, *list_offered(field, offers))):
                continue
            everything = everything or list_all_offers(client)
            known = list_names(field, everything)
            if everything and not _has_word(wanted, known):
                raise InvalidRequest(describe_unknown(field, wanted, known))


def _has_word(wanted: str, words: Iterable[str]) -> bool:
    return any(is_same_word(wanted, word) for word in words)


def _check_image(spec: PodSpec, offers: list[Offer]) -> None:
    """Refuse an image that no offer has, unless one does not list its images."""
    image, images = spec.image, list_offered(_IMAGE, offers)
    if image in (None, TEMPLATE_IMAGE, *images) or not all(offer.images for offer in offers) or not images:
        return
    if image not in _IMAGE.words:
        raise InvalidRequest(describe_unknown(_IMAGE, str(image), images))
    what = _name_machine(spec)
    raise InvalidRequest(f"No offer{what} has the image '{image}'. Images: {join_names(images)}")


def choose_offer(client: Client, spec: PodSpec) -> Quote:
    """Return the cheapest fitting offer; one with unknown stock only if no other fits.

    Raises OutOfStock, with the nearest offers and why they do not fit, if none fits; errors as `find_offers`.
    """
    with nothing_created():
        offers = find_offers(client, spec)
    best = pick_offer(offers, spec)
    if best is not None:
        return best
    if not offers:
        restriction = f" that can attach the disks {join_sanitized(spec.disks)}" if spec.disks else ""
        raise OutOfStock(f"There are no offers{_name_machine(spec)} now{restriction}. Nothing was created")
    raise OutOfStock(f"No offer fits this spec. Nothing was created.{_format_nearest(offers, spec)}")


def _name_machine(spec: PodSpec) -> str:
    """Return the GPU types or the cloud id for a message, or nothing if any will do."""
    what = spec.gpu_type or spec.cloud_id
    return f" of {join_any(what)}" if what else ""


def pick_offer(offers: Iterable[Offer], spec: PodSpec) -> Quote | None:
    """Return the cheapest of the offers that fit, as `choose_offer`; None if none does."""
    fitting = [quote(offer, spec) for offer in offers if not mismatches(offer, spec)]
    if not fitting:
        return None
    best, *others = sorted(fitting, key=lambda quote: (quote.offer.stock, quote.price_usd_hr))
    return replace(best, fitting=len(fitting), next_best=tuple(others[:_MAX_SHOWN_OTHERS]))


def alternatives(client: Client, spec: PodSpec, sold_out: Offer) -> str:
    """Describe the offers nearest to one that turned out to be sold out, with prices."""
    alike = spec.model_copy(
        update={
            "cloud_id": None,
            "gpu_type": spec.gpu_type or sold_out.gpu_type,
            "gpu_count": spec.count or sold_out.gpu_count,
        }
    )

    def key(offer: Offer) -> tuple[object, ...]:
        return (offer.provider, offer.cloud_id, offer.data_center, offer.gpu_count, offer.is_spot)

    offers = [offer for offer in find_offers(client, alike) if key(offer) != key(sold_out)]
    return _format_nearest(offers, alike) if offers else ""


def _format_nearest(offers: list[Offer], spec: PodSpec) -> str:
    """Format the nearest offers with their prices and mismatches.

    The next smaller and larger numbers of GPUs are the nearest, each with its cheapest offer first.
    """
    near = []
    counts = {offer.gpu_count or 0 for offer in offers}
    wanted = spec.count or 0
    smaller, larger = (
        (count for count in counts if count <= wanted),
        (count for count in counts if count >= wanted),
    )
    nearest = {max(smaller, default=0), min(larger, default=0)} if wanted else counts
    seen = Counter[tuple[int, int | None]]()
    for offer in offers:
        reasons = mismatches(offer, spec)
        shown_reasons = [reason for reason in reasons if reason not in ignored_mismatches(spec)]
        line = f"{_describe_offer(offer)}: {join_sanitized(reasons)}" if reasons else str(quote(offer, spec))
        group = (len(reasons), offer.gpu_count)
        is_far = offer.gpu_count not in nearest
        near.append((len(shown_reasons), len(reasons), is_far, seen[group], line))
        seen[group] += 1
    near.sort(key=lambda row: row[:-1])
    return " The nearest offers:" + "".join(f"\n  {row[-1]}" for row in near[:_MAX_NEAREST])


def _describe_offer(offer: Offer) -> str:
    price = (
        "no price"
        if offer.price_hr is None
        else f"{format_money(offer.price_hr, offer.prices.currency or 'USD')}/h"
    )
    return brief(
        f"{offer.gpu_count or '?'} × {offer.gpu_type}{' on several nodes' if offer.is_multinode else ''} at "
        f"{offer.provider} ({offer.data_center}), {price}"
    )
