"""From an order to a pod: the offer, its limits, and the plan of the pod."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fastapi import HTTPException

from primepods_magic.sandbox.domain.billing import MS_PER_HOUR, Rates
from primepods_magic.sandbox.domain.catalog import FAILING, PROVIDERS
from primepods_magic.sandbox.domain.lifecycle import Plan
from primepods_magic.sandbox.domain.offers import Offer, QuantityRange
from primepods_magic.sandbox.domain.records import DiskRecord, Node, PodRecord
from primepods_magic.sandbox.domain.users import Person, Team, team_of
from primepods_magic.sandbox.schemas.requests import CreateBody, PodOrder

__all__ = ["choose_offer", "find_team", "make_pod", "share_of"]

_PROVISIONING_MS = 2000
_PENDING_MS = 1500
_INSTALL_MS = 6000
_NODE_GAP_MS = 1000
# Spot pods are reclaimed after 2 to 24 hours.
_SPOT_LASTS_MS = (2 * MS_PER_HOUR, 22 * MS_PER_HOUR)
_REPRICED_AFTER_MS = MS_PER_HOUR
_REPRICED_SHARES = (0.85, 0.92, 1.08, 1.15)
_NETWORKS = ("203.0.113", "198.51.100")


def choose_offer(order: CreateBody, offers: Iterable[Offer]) -> Offer:
    """Find the offer of an order, or raise HTTPException: 404 unknown, 400 inconsistent, 409 sold out."""
    pod = order.pod
    matches = [offer for offer in offers if offer.cloud_id == pod.cloud_id]
    if not matches:
        raise HTTPException(404, f"No offer with cloudId {pod.cloud_id!r}")
    matches = _narrow_offers(matches, "provider.type", order.provider.type, lambda offer: offer.provider)
    matches = _narrow_offers(matches, "gpuType", pod.gpu_type, lambda offer: offer.gpu_type)
    matches = _narrow_offers(matches, "gpuCount", pod.gpu_count, lambda offer: offer.gpu_count)
    _check_required_fields(order)
    if pod.data_center_id is not None:
        matches = _narrow_offers(matches, "dataCenterId", pod.data_center_id, lambda offer: offer.data_center)
    if pod.country is not None:
        matches = _narrow_offers(matches, "country", pod.country, lambda offer: offer.country)
    if pod.security is not None:
        matches = _narrow_offers(matches, "security", pod.security, lambda offer: offer.security)
    matches = [offer for offer in matches if offer.price_hr is not None]
    if not matches:
        raise HTTPException(400, f"{pod.cloud_id} has no price at the moment and cannot be ordered")
    offer = next((offer for offer in matches if offer.stock != "Unavailable"), None)
    if offer is None:
        raise HTTPException(409, f"provider returned no capacity for {pod.cloud_id}")
    return offer


def _narrow_offers(
    matches: list[Offer], field: str, value: object, read: Callable[[Offer], object]
) -> list[Offer]:
    narrowed = [offer for offer in matches if read(offer) == value]
    if not narrowed:
        offered = ", ".join(sorted({str(read(offer)) for offer in matches}))
        raise HTTPException(
            400, f"{field} {value} does not fit {matches[0].cloud_id}, which offers {offered}"
        )
    return narrowed


def _check_required_fields(order: CreateBody) -> None:
    # The service's exact messages: clients search them for field names.
    provider = PROVIDERS[order.provider.type]
    if provider.demands_max_price and order.pod.max_price is None:
        raise HTTPException(400, "Missing field: max_price not specified")
    if provider.demands_data_center and order.pod.data_center_id is None:
        raise HTTPException(400, "Missing field: data_center_id not specified")


def make_pod(
    order: CreateBody,
    offer: Offer,
    disks: Sequence[DiskRecord],
    person: Person,
    *,
    number: int,
    now_ms: int,
    token: Callable[..., str],
) -> PodRecord:
    """Build the ordered pod, or raise HTTPException; `token` returns stable hex digits for its arguments."""
    pod = order.pod
    _check_image(pod, offer)
    disk_gb = _check_amount("diskSize", pod.disk_size, offer.disk_gb)
    vcpus = _check_amount("vcpus", pod.vcpus, offer.vcpus)
    memory_gb = _check_amount("memory", pod.memory, offer.memory_gb)
    prepaid_hours = _check_prepaid_hours(pod, offer)
    team = find_team(order.team.team_id, person) if order.team else None
    price_usd_hr = offer.price_with(disk_gb=disk_gb, vcpus=vcpus, memory_gb=memory_gb)
    if pod.max_price is not None and pod.max_price < price_usd_hr:
        raise HTTPException(400, f"The price of {price_usd_hr} USD/h is above maxPrice {pod.max_price}")

    provider = PROVIDERS[offer.provider]
    pod_id = token("pod", number)
    return PodRecord(
        id=pod_id,
        user_id=person.user_id,
        team_id=team.team_id if team else None,
        wallet_id=(team or person).wallet_id,
        cluster_id=f"c{token('cluster', number)[:24]}" if offer.nodes > 1 else None,
        name=pod.name or f"pod-{pod_id[:6]}",
        created_ms=now_ms,
        provider=offer.provider,
        gpu_type=offer.gpu_type,
        gpu_count=offer.gpu_count,
        socket=offer.socket,
        image=pod.image,
        custom_template_id=pod.custom_template_id,
        memory_gb=memory_gb,
        disk_gb=disk_gb,
        vcpus=vcpus,
        is_spot=offer.is_spot,
        auto_restart=bool(pod.auto_restart),
        disk_ids=tuple(disk.id for disk in disks),
        nodes=_make_nodes(offer, number, token),
        # The plain Ubuntu image has no Jupyter.
        jupyter_port=None
        if pod.image == "ubuntu_22_cuda_12"
        else _map_port(offer, 8888, token("jupyter", number)),
        rates=Rates(
            running=price_usd_hr,
            provisioning=share_of(price_usd_hr, provider.provisioning_share),
            stopped=share_of(price_usd_hr, provider.stopped_share),
            prepaid_hours=prepaid_hours,
        ),
        plan=_make_plan(offer, price_usd_hr, token("plan", number)),
        ssh_key_id=pod.ssh_key_id,
    )


def _check_amount(field: str, value: int | None, limits: QuantityRange) -> int:
    if value is None:
        return limits.default or 0
    refusal = limits.refusal(field, value)
    if refusal:
        raise HTTPException(400, refusal)
    return value


def _check_image(pod: PodOrder, offer: Offer) -> None:
    if pod.image not in offer.images:
        raise HTTPException(
            400, f"image {pod.image} is not offered by {offer.cloud_id}, which has {', '.join(offer.images)}"
        )


def _check_prepaid_hours(pod: PodOrder, offer: Offer) -> float:
    if offer.prepaid_hours is None:
        if pod.prepaid_for_hr is not None:
            raise HTTPException(400, f"reserved (prepaid) capacity is not available for {offer.cloud_id}")
        return 0.0
    value = offer.prepaid_hours if pod.prepaid_for_hr is None else pod.prepaid_for_hr
    if value < offer.prepaid_hours:
        raise HTTPException(400, f"prepaidForHr must be {offer.prepaid_hours} or more for {offer.cloud_id}")
    return value


def find_team(team_id: str, person: Person) -> Team:
    """Find a team that the person belongs to; raise 404 otherwise."""
    team = team_of(team_id, person)
    if team is None:
        raise HTTPException(404, f"No team with id {team_id!r}")
    return team


def share_of(price_usd_hr: float, share: float | None) -> float | None:
    """Return a share of a price; None, which means all of it, stays None."""
    return None if share is None else round(price_usd_hr * share, 4)


def _make_plan(offer: Offer, price_usd_hr: float, token: str) -> Plan:
    # ±20 %, so that progress bars differ.
    variation = 0.8 + 0.4 * int(token[:8], 16) / 0xFFFFFFFF
    chance = int(token[8:24], 16)
    fails = (offer.provider, offer.gpu_type) == FAILING
    return Plan(
        provisioning_ms=_PROVISIONING_MS,
        pending_ms=_PENDING_MS,
        connect_after_ms=PROVIDERS[offer.provider].connect_after_ms,
        node_gap_ms=_NODE_GAP_MS,
        install_ms=round(_INSTALL_MS * variation),
        fails_at_percent=60 if fails else None,
        failure="NVIDIA driver 570.86.15: dkms build failed for kernel 6.8.0-41 (exit code 10)"
        if fails
        else None,
        reclaimed_after_ms=_SPOT_LASTS_MS[0] + chance % _SPOT_LASTS_MS[1] if offer.is_spot else None,
        repriced_after_ms=_REPRICED_AFTER_MS + chance % MS_PER_HOUR if offer.is_variable else None,
        repriced_usd_hr=round(price_usd_hr * _REPRICED_SHARES[chance % len(_REPRICED_SHARES)], 4),
    )


def _make_nodes(offer: Offer, number: int, token: Callable[..., str]) -> tuple[Node, ...]:
    provider = PROVIDERS[offer.provider]
    nodes = []
    for index in range(offer.nodes):
        digits = int(token("node", number, index), 16)
        ip = f"{_NETWORKS[digits % 2]}.{1 + digits // 2 % 254}"
        nodes.append(Node(ip, provider.ssh_user, _map_port(offer, 22, token("ssh", number, index))))
    return tuple(nodes)


def _map_port(offer: Offer, internal: int, token: str) -> int:
    """Return a public port: a container's ports are mapped, a machine's are not."""
    if not PROVIDERS[offer.provider].is_container:
        return internal
    return 30_000 + int(token[:8], 16) % 10_000
