"""Response bodies, from which the OpenAPI document is generated.

If the dialects differ, there is a `Spec…` and a `Published…` shape; the name without a prefix is their union.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

# Required by pydantic below Python 3.12.
from typing_extensions import TypedDict

from .enums import (
    GpuType,
    Image,
    InstallationStatus,
    PodStatus,
    ProviderType,
    Region,
    SecurityType,
    Socket,
    StockStatus,
)

PublishedInstallationStatus = Literal["PENDING", "ACTIVE", "FINISHED", "ERROR", "TERMINATED"]
Currency = Literal["USD", "EUR"]
PortUse = Literal["SSH", "JUPYTER_NOTEBOOK", "WEB_SERVER"]
HistoryKind = Literal["Instance", "Cluster", "Disk"]

Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
UsdHr = Annotated[float, Field(description="USD per hour")]
Gigabytes = Annotated[int, Field(description="GB")]
GigabytesText = Annotated[str, Field(description="GB, as text")]
OneOrPerNode = str | list[str | None] | None
PerHourOrFull = Annotated[float | None, Field(description="USD per hour; null: priceHr applies")]


class Envelope(TypedDict):
    total_count: int
    offset: int
    limit: int
    status: None


class PortMapping(TypedDict):
    """A port of the pod and the public port it is mapped to."""

    internal: str
    external: str
    protocol: Literal["TCP", "UDP"]
    usedBy: PortUse | None
    description: str | None


class AttachedResource(TypedDict):
    resourceType: Literal["DISK"]
    id: str
    status: Literal["UNATTACHED", "ATTACHED", "MOUNTED"]
    isDetachable: bool
    mountPath: str
    resourcePath: str | None
    size: Gigabytes
    isShared: bool


class ConnectionField(TypedDict):
    """Connection details: one value, or one per node, null until a node is up."""

    sshConnection: OneOrPerNode
    ip: OneOrPerNode
    primePortMapping: list[PortMapping]


class Progress(TypedDict):
    installationFailure: str | None
    installationProgress: Annotated[int, Field(ge=0, le=100, description="percent")]


class SpecResources(TypedDict):
    memory: GigabytesText
    disk: GigabytesText
    vcpus: str


class PublishedResources(TypedDict):
    memory: Gigabytes
    disk: Gigabytes
    shared_disk: int | None
    vcpus: int


class PodCommon(ConnectionField, Progress):
    id: str
    userId: str
    teamId: str | None
    walletId: str
    clusterId: str | None
    customTemplateId: str | None
    name: str
    type: Literal["HOSTED", "EXTERNAL"]
    providerType: ProviderType
    status: PodStatus
    createdAt: Instant
    updatedAt: Instant
    terminatedAt: Instant | None
    gpuName: GpuType
    gpuCount: int
    socket: Socket
    priceHr: Annotated[float, Field(description="USD per hour, the whole pod")]
    stoppedPriceHr: PerHourOrFull
    provisioningPriceHr: PerHourOrFull
    environmentType: Image
    attachedResources: list[AttachedResource]
    isSpot: bool
    autoRestart: bool


class SpecPod(PodCommon):
    installationStatus: InstallationStatus
    resources: SpecResources


class PublishedPod(PodCommon):
    installationStatus: PublishedInstallationStatus
    resources: PublishedResources


Pod = SpecPod | PublishedPod


class PodList(Envelope):
    data: list[Pod]


class PodStateCommon(ConnectionField, Progress):
    podId: str
    providerType: ProviderType
    status: PodStatus
    priceHr: UsdHr


class SpecPodState(PodStateCommon):
    installationStatus: InstallationStatus
    costPerHr: Annotated[float, Field(description="the same as priceHr")]


class PublishedPodState(PodStateCommon):
    installationStatus: PublishedInstallationStatus


PodState = SpecPodState | PublishedPodState


class PodStates(TypedDict):
    data: list[PodState]
    status: None


class SpecOnePodState(SpecPodState):
    """The state of a single requested pod, both at the top level and as a list."""

    data: list[SpecPodState]


class HistoryEntry(TypedDict):
    """A terminated pod or disk."""

    id: str
    name: str
    providerType: str
    provisionedBy: str | None
    type: HistoryKind
    createdAt: Instant
    terminatedAt: Instant | None
    gpuName: str
    gpuCount: int
    socket: str | None
    priceHr: Annotated[float, Field(description="USD per hour, the average over its life")]
    userId: str
    teamId: str | None
    totalBilledPrice: Annotated[float, Field(description="USD, billed so far")]


class HistoryList(Envelope):
    data: list[HistoryEntry]


class PodLog(TypedDict):
    logs: str


class Deleted(TypedDict):
    status: PodStatus


class Adjustable(TypedDict):
    """The included amount of a resource and the limits for ordering more."""

    minCount: int | None
    defaultCount: int | None
    maxCount: int | None
    pricePerUnit: Annotated[float | None, Field(description="USD per unit and hour")]
    step: int | None
    defaultIncludedInPrice: bool | None
    additionalInfo: str | None


class OfferPrices(TypedDict):
    """The price of the whole offer per hour."""

    onDemand: float | None
    communityPrice: float | None
    isVariable: bool | None
    currency: Currency


class GpuOffer(TypedDict):
    """One machine, or several connected ones."""

    cloudId: str
    gpuType: GpuType
    socket: Socket
    provider: ProviderType
    region: Region | None
    dataCenter: str | None
    country: str | None
    gpuCount: int
    gpuMemory: Annotated[int, Field(description="GB, of all GPUs together")]
    disk: Adjustable
    sharedDisk: Adjustable
    vcpu: Adjustable
    memory: Adjustable
    internetSpeed: Annotated[int | None, Field(description="Mbit/s")]
    interconnect: Annotated[int | None, Field(description="Gbit/s")]
    interconnectType: str | None
    provisioningTime: Annotated[int | None, Field(description="minutes")]
    stockStatus: StockStatus
    security: SecurityType
    prices: OfferPrices
    images: list[Image]
    isSpot: bool
    prepaidTime: Annotated[float | None, Field(description="hours that are charged with the order")]


class GpuOfferList(TypedDict):
    items: list[GpuOffer]
    totalCount: int


class DiskOffer(TypedDict):
    provider: ProviderType
    cloudId: str | None
    dataCenter: str | None
    country: str | None
    region: Region | None
    security: SecurityType
    spec: Adjustable
    stockStatus: StockStatus
    isMultinode: bool | None


class DiskOfferList(TypedDict):
    items: list[DiskOffer]
    totalCount: int


class CheapestPrices(TypedDict):
    """The lowest prices in USD per hour."""

    onDemand: float | None
    communityPrice: float | None
    spotPrice: float | None


OfferSummary = dict[str, dict[str, dict[str, CheapestPrices | None]]]
"""The lowest prices by GPU type, count (as text), and region; `cheapest` is over all regions."""


class ErrorBody(TypedDict):
    detail: str


class SpecFieldError(TypedDict):
    loc: list[str | int]
    msg: str
    type: str


class SpecValidationError(TypedDict):
    detail: list[SpecFieldError]


class PublishedFieldError(TypedDict):
    param: str
    details: str


class PublishedValidationError(TypedDict):
    errors: list[PublishedFieldError]


ValidationError = SpecValidationError | PublishedValidationError
