"""From an order to a pod: which offer is meant, whether it can be had, and what will become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fastapi import HTTPException

from . import people
from .catalogue import FAILING, PROVIDERS, offers
from .lifecycle import Plan, Rates
from .offers import Limits, Offer
from .orders import Order, PodOrder
from .records import Node, PodRecord

_PROVISIONING_MS = 2000
_PENDING_MS = 1500
_INSTALL_MS = 6000
_NODE_GAP_MS = 1000
_NETWORKS = ("203.0.113", "198.51.100")


def choose_offer(order: Order) -> Offer:
    """The offer that an order means.

    Raises
    ------
    HTTPException
        404 when nothing has that ``cloudId``; 400 when the rest of the order does not agree with what has, or
        the provider wants more said; 409 when it is sold out.
    """
    pod = order.pod
    found = [offer for offer in offers() if offer.cloud_id == pod.cloud_id]
    if not found:
        raise HTTPException(404, f"No offer with cloudId {pod.cloud_id!r}")
    found = _narrowed(found, "provider.type", order.provider.type, lambda offer: offer.provider)
    found = _narrowed(found, "gpuType", pod.gpu_type, lambda offer: offer.gpu_type)
    found = _narrowed(found, "gpuCount", pod.gpu_count, lambda offer: offer.gpu_count)
    _check_demands(order)
    if pod.data_center_id is not None:
        found = _narrowed(found, "dataCenterId", pod.data_center_id, lambda offer: offer.data_center)
    if pod.country is not None:
        found = _narrowed(found, "country", pod.country, lambda offer: offer.country)
    if pod.security is not None:
        found = _narrowed(found, "security", pod.security, lambda offer: offer.security)
    offer = next((offer for offer in found if offer.stock != "Unavailable"), None)
    if offer is None:
        raise HTTPException(409, f"provider returned no capacity for {pod.cloud_id}")
    return offer


def _narrowed(found: list[Offer], field: str, wanted: object, said: Callable[[Offer], object]) -> list[Offer]:
    fitting = [offer for offer in found if said(offer) == wanted]
    if not fitting:
        offered = ", ".join(sorted({str(said(offer)) for offer in found}))
        raise HTTPException(400, f"{field} {wanted} does not fit {found[0].cloud_id}, which offers {offered}")
    return fitting


def _check_demands(order: Order) -> None:
    # Word for word what the service answers: clients look for these names.
    provider = PROVIDERS[order.provider.type]
    if provider.demands_max_price and order.pod.max_price is None:
        raise HTTPException(400, "Missing field: max_price not specified")
    if provider.demands_data_center and order.pod.data_center_id is None:
        raise HTTPException(400, "Missing field: data_center_id not specified")


def make_pod(order: Order, offer: Offer, *, number: int, now_ms: int, token: Callable[..., str]) -> PodRecord:
    """The pod that an order buys.

    Parameters
    ----------
    order, offer:
        What was asked for and the offer that it means.
    number:
        The pod's number in the database's sequence; everything invented about the pod follows from it.
    now_ms:
        When.
    token:
        Gives the same 32 hexadecimal digits for the same arguments.

    Raises
    ------
    HTTPException
        400, 402 or 404: limits, price, image, disks or team do not allow it.
    """
    pod = order.pod
    _check_image(pod, offer)
    disk_gb = _amount("diskSize", pod.disk_size, offer.disk_gb)
    vcpus = _amount("vcpus", pod.vcpus, offer.vcpus)
    memory_gb = _amount("memory", pod.memory, offer.memory_gb)
    if pod.prepaid_for_hr is not None:
        raise HTTPException(400, f"reserved (prepaid) capacity is not available for {offer.cloud_id}")
    _check_disks(order.disks or [], offer)
    if order.team is not None and people.team(order.team.team_id) is None:
        raise HTTPException(404, f"No team with id {order.team.team_id!r}")
    price_usd_hr = round(offer.price_usd_hr + offer.disk_gb.extra_usd_hr(disk_gb), 4)
    if pod.max_price is not None and pod.max_price < price_usd_hr:
        raise HTTPException(400, f"The price of {price_usd_hr} USD/h is above maxPrice {pod.max_price}")

    provider = PROVIDERS[offer.provider]
    pod_id = token("pod", number)
    return PodRecord(
        id=pod_id,
        user_id=people.ADA.user_id,
        team_id=order.team.team_id if order.team else None,
        wallet_id=people.WALLET_ID,
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
        disk_ids=tuple(order.disks or ()),
        nodes=_nodes(offer, number, token),
        # A plain Ubuntu runs no Jupyter.
        jupyter_port=None
        if pod.image == "ubuntu_22_cuda_12"
        else _port(offer, 8888, token("jupyter", number)),
        rates=Rates(
            running=price_usd_hr,
            provisioning=0.0,
            stopped=(
                None if provider.stopped_share is None else round(price_usd_hr * provider.stopped_share, 4)
            ),
        ),
        plan=_plan(offer, token("plan", number)),
    )


def _amount(field: str, wanted: int | None, limits: Limits) -> int:
    if wanted is None:
        return limits.default or 0
    refusal = limits.refusal(field, wanted)
    if refusal:
        raise HTTPException(400, refusal)
    return wanted


def _check_image(pod: PodOrder, offer: Offer) -> None:
    if pod.image not in offer.images:
        raise HTTPException(
            400, f"image {pod.image} is not offered by {offer.cloud_id}, which has {', '.join(offer.images)}"
        )


def _check_disks(disk_ids: Iterable[str], offer: Offer) -> None:
    for disk_id in disk_ids:
        disk = people.disk(disk_id)
        if disk is None:
            raise HTTPException(404, f"No disk with id {disk_id!r}")
        if (disk.provider, disk.data_center) != (offer.provider, offer.data_center):
            raise HTTPException(
                400,
                f"disk {disk_id} is at {disk.provider} {disk.data_center} and cannot be attached elsewhere",
            )


def _plan(offer: Offer, token: str) -> Plan:
    # ±20 %, so that two progress bars side by side are not one.
    variation = 0.8 + 0.4 * int(token[:8], 16) / 0xFFFFFFFF
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
    )


def _nodes(offer: Offer, number: int, token: Callable[..., str]) -> tuple[Node, ...]:
    provider = PROVIDERS[offer.provider]
    nodes = []
    for index in range(offer.nodes):
        digits = int(token("node", number, index), 16)
        ip = f"{_NETWORKS[digits % 2]}.{1 + digits // 2 % 254}"
        nodes.append(Node(ip, provider.ssh_user, _port(offer, 22, token("ssh", number, index))))
    return tuple(nodes)


def _port(offer: Offer, internal: int, token: str) -> int:
    """A machine of one's own keeps its port numbers; a container's are mapped."""
    if not PROVIDERS[offer.provider].is_container:
        return internal
    return 30_000 + int(token[:8], 16) % 10_000
