"""What can be rented, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from primepods_magic.sandbox import people
from primepods_magic.sandbox.catalogue import offers
from primepods_magic.sandbox.offers import Offer, summary
from primepods_magic.sandbox.vocabulary import GpuType, Region, SecurityType, Socket
from primepods_magic.sandbox.world import TheWorld

router = APIRouter(prefix="/availability")

Page = Annotated[int, Query(ge=1, le=2**53)]
PageSize = Annotated[int, Query(ge=1, le=100)]


@dataclass(frozen=True)
class Wanted:
    """The filters of an availability request; None lets everything pass."""

    regions: tuple[Region, ...] | None
    gpu_count: int | None
    gpu_type: GpuType | None
    socket: Socket | None
    security: SecurityType | None
    data_center_id: str | None
    cloud_id: str | None
    disks: tuple[str, ...] | None

    def admits(self, offer: Offer) -> bool:
        """Whether an offer passes every filter."""
        pairs: tuple[tuple[object, object], ...] = (
            (self.gpu_count, offer.gpu_count),
            (self.gpu_type, offer.gpu_type),
            (self.socket, offer.socket),
            (self.security, offer.security),
            (self.data_center_id, offer.data_center),
            (self.cloud_id, offer.cloud_id),
        )
        return (
            all(wanted is None or wanted == has for wanted, has in pairs)
            and (self.regions is None or offer.region in self.regions)
            and all(_can_attach(disk_id, offer) for disk_id in self.disks or ())
        )


async def _wanted(
    regions: Annotated[list[Region] | None, Query()] = None,
    gpu_count: int | None = None,
    gpu_type: GpuType | None = None,
    socket: Socket | None = None,
    security: SecurityType | None = None,
    data_center_id: str | None = None,
    cloud_id: str | None = None,
    disks: Annotated[list[str] | None, Query()] = None,
) -> Wanted:
    return Wanted(
        regions=tuple(regions) if regions else None,
        gpu_count=gpu_count,
        gpu_type=gpu_type,
        socket=socket,
        security=security,
        data_center_id=data_center_id,
        cloud_id=cloud_id,
        disks=tuple(disks) if disks else None,
    )


TheWanted = Annotated[Wanted, Depends(_wanted)]


@router.get("/gpus")
async def gpus(
    world: TheWorld, wanted: TheWanted, page: Page = 1, page_size: PageSize = 100
) -> dict[str, Any]:
    """Offers of a single machine."""
    found = [offer for offer in offers() if offer.nodes == 1 and wanted.admits(offer)]
    return _paged([offer.wire() for offer in found], page, world.page(page_size))


@router.get("/multi-node")
async def multi_node(
    world: TheWorld, wanted: TheWanted, page: Page = 1, page_size: PageSize = 100
) -> dict[str, Any]:
    """Offers of several machines that are connected."""
    found = [offer for offer in offers() if offer.nodes > 1 and wanted.admits(offer)]
    return _paged([offer.wire() for offer in found], page, world.page(page_size))


@router.get("/disks")
async def disk_offers(world: TheWorld, page: Page = 1, page_size: PageSize = 100) -> dict[str, Any]:
    """Offers of disks. The sandbox's disk is given, not bought, so there are none."""
    return _paged([], page, world.page(page_size))


@router.get("/gpu-summary")
async def gpu_summary() -> dict[str, Any]:
    """The cheapest price of each GPU type and count, over all and by region."""
    return summary(offer for offer in offers() if offer.nodes == 1)


@router.get("/multi-node-summary")
async def multi_node_summary() -> dict[str, Any]:
    """The same for several machines that are connected."""
    return summary(offer for offer in offers() if offer.nodes > 1)


def _paged(rows: list[dict[str, Any]], page: int, page_size: int) -> dict[str, Any]:
    first = (page - 1) * page_size
    return {"items": rows[first : first + page_size], "totalCount": len(rows)}


def _can_attach(disk_id: str, offer: Offer) -> bool:
    disk = people.disk(disk_id)
    return disk is not None and (disk.provider, disk.data_center) == (offer.provider, offer.data_center)
