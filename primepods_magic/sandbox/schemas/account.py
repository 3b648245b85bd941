"""The bodies that the sandbox answers with about the account, and on its own surface; see :mod:`.shapes`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

# pydantic needs this one below Python 3.12.
from typing_extensions import NotRequired, TypedDict

from primepods_magic.sandbox.faults.rules import FaultKind
from primepods_magic.sandbox.http.api_keys import Area

from .enums import ClockMode, Dialect, PodStatus, ProviderType
from .responses import Envelope, Gigabytes, Instant, PerHourOrFull, UsdHr


class DiskPlace(TypedDict):
    """Where a disk is."""

    country: str | None
    dataCenterId: str | None
    cloudId: str | None
    isMultinode: bool


class Disk(TypedDict):
    """A disk, which survives the pods it is attached to."""

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
    """A page of disks."""

    data: list[Disk]


class PublicKey(TypedDict):
    """A public key that new pods accept."""

    id: str
    userId: str
    name: str
    publicKey: str
    isPrimary: bool
    isUserKey: bool
    createdAt: Instant
    updatedAt: Instant


class PublicKeyList(Envelope):
    """A page of public keys."""

    data: list[PublicKey]


class PublicKeyChanged(TypedDict):
    """What was changed about a key."""

    message: str
    updated_fields: dict[str, Any]


class Done(TypedDict):
    """That it was done."""

    message: str


class Permission(TypedDict):
    """What a key may do in one area."""

    read: bool
    write: bool


class User(TypedDict):
    """Somebody."""

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
    """Whom a key belongs to, and what it may do."""

    scope: dict[Area, Permission]


class WhoAmI(TypedDict):
    """Whom the key belongs to."""

    data: KeyOwner
    status: None


class UserAnswer(TypedDict):
    """Somebody, after a change."""

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
    """A page of teams."""

    data: list[Membership]


class Member(TypedDict):
    """Somebody who belongs to a team."""

    userId: str
    userName: str | None
    userEmail: str | None
    role: str
    joinedAt: Instant


class MemberList(Envelope):
    """A page of members."""

    data: list[Member]


class Billing(TypedDict):
    """What one resource has cost so far."""

    id: str
    created_at: Instant
    updated_at: Instant
    last_billed_at: Instant | None
    amount_usd: float
    currency: Literal["USD"]
    resource_type: Literal["compute", "disks"]
    resource_id: str | None


class Wallet(TypedDict):
    """The balance, and what was charged last."""

    wallet_id: str
    team_id: str | None
    balance_usd: float
    currency: Literal["USD"]
    total_billings: int
    recent_billings: list[Billing]


class ClockState(TypedDict):
    """What time it is here."""

    mode: ClockMode
    speed: Annotated[float, Field(description="sandbox seconds per second")]
    now: Instant


class About(TypedDict):
    """What answers here."""

    product: Literal["primepods_magic sandbox"]
    instance: str
    dialect: Dialect
    clock: ClockState


class FaultRule(TypedDict):
    """Which requests get which fault."""

    fault: FaultKind | list[FaultKind]
    method: NotRequired[str]
    path: NotRequired[str]
    probability: float
    seconds: NotRequired[float]
    times: NotRequired[int]
    retry_after: NotRequired[int]


class FaultReport(TypedDict):
    """What is to go wrong on purpose, and what has."""

    profile: str | None
    rules: list[FaultRule]
    seed: int
    requests: int
    injected: dict[FaultKind, int]


class ImageVerdict(TypedDict):
    """Whether an image can be pulled."""

    valid: bool
    details: str


class Credential(TypedDict):
    """Credentials of a registry, without the secret."""

    id: str
    name: str
    server: str
    createdAt: Instant
    updatedAt: Instant
    userId: str | None
    teamId: str | None


class Credentials(TypedDict):
    """The credentials that images may be pulled with."""

    credentials: list[Credential]


class WalletState(TypedDict):
    """A wallet and what it holds."""

    wallet_id: str
    balance_usd: float


class StockChanged(TypedDict):
    """How many offers have another stock now."""

    changed: int
