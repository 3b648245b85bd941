"""Response bodies of the account and of the sandbox's own routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

# Required by pydantic below Python 3.12.
from typing_extensions import TypedDict

from primepods_magic.sandbox.faults.rules import FaultKind, Rule
from primepods_magic.sandbox.http.api_keys import Area

from .enums import ClockMode, Dialect, PodStatus, ProviderType
from .responses import Envelope, Gigabytes, Instant, PerHourOrFull, UsdHr


class DiskPlace(TypedDict):
    country: str | None
    dataCenterId: str | None
    cloudId: str | None
    isMultinode: bool


class Disk(TypedDict):
    id: str
    name: str
    createdAt: Instant
    updatedAt: Instant
    terminatedAt: Instant | None
    status: PodStatus
    providerType: ProviderType
    size: Gigabytes
    info: DiskPlace
    priceHr: UsdHr
    stoppedPriceHr: PerHourOrFull
    provisioningPriceHr: PerHourOrFull
    userId: str
    teamId: str | None
    walletId: str
    pods: Annotated[list[str], Field(description="ids of the pods that it is attached to")]
    clusters: list[str]


class DiskList(Envelope):
    data: list[Disk]


class PublicKey(TypedDict):
    id: str
    userId: str
    name: str
    publicKey: str
    isPrimary: bool
    isUserKey: bool
    createdAt: Instant
    updatedAt: Instant


class PublicKeyList(Envelope):
    data: list[PublicKey]


class PublicKeyChanged(TypedDict):
    message: str
    updated_fields: dict[str, Any]


class Done(TypedDict):
    message: str


class Permission(TypedDict):
    read: bool
    write: bool


class User(TypedDict):
    id: str
    role: Literal["ADMIN", "MANAGER", "USER"]
    createdAt: Instant
    name: str
    slug: str | None
    email: str
    image: str | None
    emailVerified: bool | None
    hasBetaAccess: bool
    isBanned: bool
    skipPrepay: bool
    blacklist: list[str]


class KeyOwner(User):
    scope: dict[Area, Permission]


class WhoAmI(TypedDict):
    data: KeyOwner
    status: None


class UserAnswer(TypedDict):
    data: User
    status: None


class Membership(TypedDict):
    """A team that the account belongs to."""

    teamId: str
    name: str
    slug: str | None
    role: Literal["ADMIN", "MEMBER"]
    createdAt: Instant


class MembershipList(Envelope):
    data: list[Membership]


class Member(TypedDict):
    userId: str
    userName: str | None
    userEmail: str | None
    role: str
    joinedAt: Instant


class MemberList(Envelope):
    data: list[Member]


class Billing(TypedDict):
    """The cost of one resource so far."""

    id: str
    created_at: Instant
    updated_at: Instant
    last_billed_at: Instant | None
    amount_usd: float
    currency: Literal["USD"]
    resource_type: Literal["compute", "disks"]
    resource_id: str | None


class Wallet(TypedDict):
    wallet_id: str
    team_id: str | None
    balance_usd: float
    currency: Literal["USD"]
    total_billings: int
    recent_billings: list[Billing]


class ClockState(TypedDict):
    mode: ClockMode
    speed: Annotated[float, Field(description="sandbox seconds per second")]
    now: Instant


class About(TypedDict):
    product: Literal["primepods_magic sandbox"]
    instance: str
    dialect: Dialect
    clock: ClockState
    machines: bool


class FaultReport(TypedDict):
    profile: str | None
    rules: list[Rule]
    seed: int
    requests: int
    injected: dict[FaultKind, int]


class ImageVerdict(TypedDict):
    valid: bool
    details: str


class Credential(TypedDict):
    """Registry credentials without the secret."""

    id: str
    name: str
    server: str
    createdAt: Instant
    updatedAt: Instant
    userId: str | None
    teamId: str | None


class Credentials(TypedDict):
    credentials: list[Credential]


class WalletState(TypedDict):
    wallet_id: str
    balance_usd: float


class StockChanged(TypedDict):
    """The number of offers whose stock was set."""

    changed: int
