"""Disks of the service: those that exist, those on offer, and the calls for them.

Source: the published OpenAPI document; the specification's page has none of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from primepods_magic.api.fields.lenient_types import (
    Amount,
    ApiModel,
    Flag,
    Label,
    Size,
    Text,
    Timestamp,
    parse_enum,
)
from primepods_magic.api.fields.parts import ResourceLimits
from primepods_magic.api.fields.stock import Stock, read_stock, stock_text_in

from .enums import STATUS_SYNONYMS, PodStatus
from .errors import OutcomeUnknown, UnexpectedAnswer
from .http.lists import read_models
from .http.pagination import ListPage, read_list_page, read_pages
from .http.parsing import read_model
from .http.paths import quote_id
from .http.session import HttpSession, Params
from .text.sanitize import sanitize

__all__ = ["Disk", "DiskCalls", "DiskLocation", "DiskOffer"]

_DISKS = "/api/v1/disks/"
_PAGE_SIZE = 100
_UNKNOWN = "unknown"


def _read_object(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


class DiskLocation(ApiModel):
    """The location of a disk; ``is_multinode`` if several pods may share it."""

    country: Text = None
    data_center_id: Text = None
    cloud_id: Text = None
    is_multinode: Flag = None


def _read_holders(value: object) -> list[str]:
    """Return the ids of pods or clusters: what cannot be read is one whose id is unknown."""
    items = value if isinstance(value, (list, tuple)) else [value] if value else []
    ids = [item.get("id") if isinstance(item, Mapping) else item for item in items]
    return [each if isinstance(each, str) and each else _UNKNOWN for each in ids]


def _read_disk_status(value: object) -> PodStatus | str | None:
    # Disks share the statuses of pods and have some of their own.
    return parse_enum(PodStatus, value, STATUS_SYNONYMS)


_DiskStatus = Annotated[PodStatus | str | None, BeforeValidator(_read_disk_status)]


class Disk(ApiModel):
    """A row of ``GET /disks``: a disk that survives its pods and is billed by itself.

    ``size`` is in GB; prices are USD per hour for the whole disk.
    """

    id: Text = None
    name: Text = None
    status: _DiskStatus = None
    size: Size = None
    provider_type: Label = None
    price_hr: Amount = None
    stopped_price_hr: Amount = None
    provisioning_price_hr: Amount = None
    created_at: Timestamp = None
    updated_at: Timestamp = None
    terminated_at: Timestamp = None
    user_id: Label = None
    team_id: Label = None
    wallet_id: Label = None
    info: Annotated[DiskLocation, BeforeValidator(_read_object)] = DiskLocation()
    pods: Annotated[list[str], BeforeValidator(_read_holders)] = []
    clusters: Annotated[list[str], BeforeValidator(_read_holders)] = []

    @property
    def is_live(self) -> bool:
        """Return whether it exists, also while it is created; one that is being deleted does not."""
        return self.status not in (PodStatus.TERMINATED, PodStatus.DELETING)

    @property
    def holders(self) -> list[str]:
        """The ids of the pods and clusters that it is attached to."""
        return [*self.pods, *self.clusters]


class DiskOffer(ApiModel):
    """A row of ``GET /availability/disks``: a place where a disk can be created.

    ``spec`` has its limits in GB, and its price in USD per GB and hour.
    """

    provider: Label = None
    cloud_id: Text = None
    data_center: Label = None
    country: Label = None
    region: Label = None
    security: Label = None
    stock_status: Annotated[str | None, BeforeValidator(stock_text_in)] = None
    is_multinode: Flag = None
    spec: Annotated[ResourceLimits, BeforeValidator(_read_object)] = ResourceLimits()

    @property
    def in_stock(self) -> bool:
        """Return whether the offer is not known to be out of stock."""
        return read_stock(self.stock_status) is not Stock.OUT


class DiskCalls:
    """The calls of the client for disks."""

    session: HttpSession
    on_disks: Callable[[list[Disk]], object] | None = None
    """A callback that receives every list of disks."""
    on_disk_change: Callable[[], object] | None = None
    """A callback for the time before a disk is created, renamed or deleted, or may be."""

    def list_disks(self, *, budget_s: float | None = None) -> list[Disk]:
        """Return the disks that this key can see (``GET /disks``), with retries for ``budget_s``."""
        disks = read_models(self.session, Disk, _DISKS, "disks", budget_s=budget_s)
        if self.on_disks is not None:
            self.on_disks(disks)
        return disks

    def list_disk_offers(
        self, *, regions: Iterable[str] = (), data_center_id: str | None = None
    ) -> list[DiskOffer]:
        """Return where disks can be created, in the service's order (``GET /availability/disks``)."""
        params: Params = {"regions": list(regions) or None, "data_center_id": data_center_id}

        def fetch(number: int, _: int) -> ListPage[DiskOffer]:
            query: Params = {**params, "page": number, "page_size": _PAGE_SIZE}
            answer = self.session.request("GET", "/api/v1/availability/disks", params=query)
            return read_list_page(DiskOffer, answer, is_first=number == 1, may_be_nothing=True)

        return read_pages(fetch, "offers of disks")[0]

    def get_disk(self, disk_id: str, *, budget_s: float | None = None) -> Disk:
        """Return one disk (``GET /disks/{disk_id}``).

        Raises
        ------
        NotFound
            The disk is gone, or was never visible to this key.
        UnexpectedAnswer
            The response describes another disk.
        """
        disk = read_model(Disk, self.session.request("GET", _path_of(disk_id), budget_s=budget_s))
        if disk.id not in (None, "", disk_id):
            raise UnexpectedAnswer(
                f"The service returned the disk {sanitize(disk.id)} instead of {sanitize(disk_id)}"
            )
        return disk if disk.id else disk.model_copy(update={"id": disk_id})

    def create_disk(
        self,
        name: str,
        size_gb: int,
        *,
        provider: str,
        country: str | None = None,
        data_center_id: str | None = None,
        cloud_id: str | None = None,
        team_id: str | None = None,
    ) -> Disk:
        """Create a disk (``POST /disks``), which is billed at once. It is never sent twice.

        Raises
        ------
        OutcomeUnknown
            The request was sent and no response names the disk: one may exist.
        PodsError
            Any other: the service refused; nothing was created.
        """
        wanted = {
            "name": name,
            "size": size_gb,
            "country": country,
            "dataCenterId": data_center_id,
            "cloudId": cloud_id,
        }
        body: dict[str, Any] = {
            "disk": {key: value for key, value in wanted.items() if value is not None},
            "provider": {"type": provider},
        }
        if team_id:
            body["team"] = {"teamId": team_id}
        self._note_change()
        try:
            disk = read_model(Disk, self.session.request("POST", _DISKS, body=body))
        except UnexpectedAnswer as error:
            raise OutcomeUnknown(f"The create was accepted, but its disk is unknown. {error}") from None
        if not disk.id:
            raise OutcomeUnknown("The create was accepted, but the response names no disk")
        return disk

    def rename_disk(self, disk_id: str, name: str) -> None:
        """Rename a disk (``PATCH /disks/{disk_id}``)."""
        self._note_change()
        self.session.request("PATCH", _path_of(disk_id), body={"name": name})

    def delete_disk(self, disk_id: str) -> None:
        """Delete a disk and everything on it (``DELETE /disks/{disk_id}``).

        Raises
        ------
        NotFound
            The disk is gone already, or was never visible to this key.
        """
        self._note_change()
        self.session.request("DELETE", _path_of(disk_id))

    def _note_change(self) -> None:
        if self.on_disk_change is not None:
            self.on_disk_change()


def _path_of(disk_id: str) -> str:
    return _DISKS + quote_id(disk_id)
