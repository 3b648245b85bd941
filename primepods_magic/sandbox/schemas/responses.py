"""The bodies that the sandbox answers with. What its OpenAPI document says about answers is read from here.

Where the dialects differ there are two shapes, ``Spec…`` and ``Published…``, and the name without the prefix
means either.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

# pydantic needs this one below Python 3.12.
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
    """What every list with an offset begins with."""

    total_count: int
    offset: int
    limit: int
    status: None


class PortMapping(TypedDict):
    """A port of the pod and where it is reached from outside."""

    internal: str
    external: str
    protocol: Literal["TCP", "UDP"]
    usedBy: PortUse | None
    description: str | None


class AttachedResource(TypedDict):
    """A disk that survives the pod."""

    resourceType: Literal["DISK"]
    id: str
    status: Literal["UNATTACHED", "ATTACHED", "MOUNTED"]
    isDetachable: bool
    mountPath: str
    resourcePath: str | None
    size: Gigabytes
    isShared: bool


class ConnectionField(TypedDict):
    """How to reach a pod; with several nodes one entry for each, null while it is not up."""

    sshConnection: OneOrPerNode
    ip: OneOrPerNode
    primePortMapping: list[PortMapping]


class Progress(TypedDict):
    """How far the installation of a pod's software has come, but for its status."""

    installationFailure: str | None
    installationProgress: Annotated[int, Field(ge=0, le=100, description="percent")]


class SpecResources(TypedDict):
    """What the machine has."""

    memory: GigabytesText
    disk: GigabytesText
    vcpus: str


class PublishedResources(TypedDict):
    """What the machine has."""

    memory: Gigabytes
    disk: Gigabytes
    shared_disk: int | None
    vcpus: int


class PodItself(TypedDict):
    """What a pod is, but for its connection, its installation, and what it has."""

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


class PodCommon(PodItself, ConnectionField, Progress):
    """What a pod is in either dialect."""


class SpecPod(PodCommon):
    """A pod."""

    installationStatus: InstallationStatus
    resources: SpecResources


class PublishedPod(PodCommon):
    """A pod."""

    installationStatus: PublishedInstallationStatus
    resources: PublishedResources


Pod = SpecPod | PublishedPod


class PodList(Envelope):
    """A page of pods."""

    data: list[Pod]


class PodStateItself(TypedDict):
    """Which pod, and what it is now."""

    podId: str
    providerType: ProviderType
    status: PodStatus
    priceHr: UsdHr


class PodStateCommon(PodStateItself, ConnectionField, Progress):
    """What a status row says in either dialect."""


class SpecPodState(PodStateCommon):
    """What a pod is now."""

    installationStatus: InstallationStatus
    costPerHr: Annotated[float, Field(description="the same as priceHr")]


class PublishedPodState(PodStateCommon):
    """What a pod is now."""

    installationStatus: PublishedInstallationStatus


PodState = SpecPodState | PublishedPodState


class PodStates(TypedDict):
    """What the pods are that were asked for."""

    data: list[PodState]
    status: None


class SpecOnePodState(SpecPodState):
    """What the one pod is that was asked for: the object itself, and the list beside it."""

    data: list[SpecPodState]


class HistoryEntry(TypedDict):
    """A pod or a disk that has ended."""

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
    """A page of what has ended."""

    data: list[HistoryEntry]


class PodLog(TypedDict):
    """The newest lines of a log."""

    logs: str


class Deleted(TypedDict):
    """What something is after it was told to go."""

    status: PodStatus


class Adjustable(TypedDict):
    """How much of something is included, and how much more may be ordered."""

    minCount: int | None
    defaultCount: int | None
    maxCount: int | None
    pricePerUnit: Annotated[float | None, Field(description="USD per unit and hour")]
    step: int | None
    defaultIncludedInPrice: bool | None
    additionalInfo: str | None


class OfferPrices(TypedDict):
    """The price of the whole offer, per hour."""

    onDemand: float | None
    communityPrice: float | None
    isVariable: bool | None
    currency: Currency


class GpuOffer(TypedDict):
    """A machine, or several connected ones, that can be rented."""

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
    """A page of offers."""

    items: list[GpuOffer]
    totalCount: int


class DiskOffer(TypedDict):
    """A place where disks can be had."""

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
    """A page of disk offers."""

    items: list[DiskOffer]
    totalCount: int


class CheapestPrices(TypedDict):
    """The cheapest prices of a kind, in USD per hour."""

    onDemand: float | None
    communityPrice: float | None
    spotPrice: float | None


OfferSummary = dict[str, dict[str, dict[str, CheapestPrices | None]]]
"""The cheapest prices by GPU type, by count (as text), and by region, with ``cheapest`` over all."""


class Refusal(TypedDict):
    """Why not."""

    detail: str


class SpecFieldProblem(TypedDict):
    """What is wrong with one field."""

    loc: list[str | int]
    msg: str
    type: str


class SpecInvalid(TypedDict):
    """What is wrong with a request, field by field."""

    detail: list[SpecFieldProblem]


class PublishedFieldProblem(TypedDict):
    """What is wrong with one field."""

    param: str
    details: str


class PublishedInvalid(TypedDict):
    """What is wrong with a request, field by field."""

    errors: list[PublishedFieldProblem]


Invalid = SpecInvalid | PublishedInvalid
