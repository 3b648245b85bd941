"""Pods, offers and history rows, parsed leniently: both dialects, unknown words, missing fields.

Sources: the specification's page, the published OpenAPI document (the fields beyond the page), and the
official client, which reads a few more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BeforeValidator, model_validator

from primepods_magic.api.fields.installation import Percent, with_installation
from primepods_magic.api.fields.lenient_types import (
    Amount,
    ApiModel,
    Balance,
    Flag,
    Label,
    Name,
    Number,
    Price,
    Size,
    Tally,
    Text,
    Timestamp,
    fold_word,
    parse_enum,
    port_in,
    rows_of,
)
from primepods_magic.api.fields.nodes import Machines, count_gpus, count_nodes, guess_nodes, pad_nodes
from primepods_magic.api.fields.parts import AttachedResource, PortMapping, Prices, ResourceLimits, Resources
from primepods_magic.api.fields.prices import is_price_name, list_prices, with_price
from primepods_magic.api.fields.ssh_target import SshTarget, host_in, read_by_port, read_connections
from primepods_magic.api.fields.stock import Stock, read_stock, stock_text_in
from primepods_magic.api.fields.terms import OfferTerms, Spot
from primepods_magic.api.fields.undocumented import without_secrets
from primepods_magic.api.http.urls import bare_addresses
from primepods_magic.api.text.money import format_money
from primepods_magic.api.text.sanitize import as_word, name_as_word, replace_surrogates
from primepods_magic.api.text.short_repr import ShortRepr, shorten_repr

from .enums import INSTALLATION_SYNONYMS, STATUS_SYNONYMS, InstallationStatus, PodStatus

__all__ = [
    "AttachedResource",
    "HistoryRow",
    "Offer",
    "Page",
    "PodDetails",
    "PodStatusEntry",
    "PortMapping",
    "Prices",
    "ResourceLimits",
    "Resources",
]

T = TypeVar("T")


def _read_pod_status(value: object) -> PodStatus | str:
    return parse_enum(PodStatus, value, STATUS_SYNONYMS) or PodStatus.UNKNOWN


def _read_installation(value: object) -> InstallationStatus | str | None:
    return parse_enum(InstallationStatus, value, INSTALLATION_SYNONYMS)


def _is_failure(status: str | None) -> bool:
    """Return whether a status contains a word for failure, as in "LAUNCH_FAILED"."""
    return status is not None and not _FAILURES.isdisjoint(fold_word(status).split("_"))


_OVER = frozenset({PodStatus.ERROR, PodStatus.DELETING, PodStatus.TERMINATED})
_PAST_PROVISIONING = _OVER | {PodStatus.ACTIVE, PodStatus.STOPPED}
_FAILURES = frozenset({"FAILED", "FAILURE", "ERROR", "ERRORED", "CRASHED"})
_WITHOUT_ADDRESS = frozenset({PodStatus.PROVISIONING, PodStatus.PENDING, PodStatus.STOPPED})


_Status = Annotated[PodStatus | str, BeforeValidator(_read_pod_status)]
_Installation = Annotated[InstallationStatus | str | None, BeforeValidator(_read_installation)]
_Connection = Annotated[
    str | list[Any] | dict[str, Any] | None,
    BeforeValidator(lambda value: value if isinstance(value, (str, list, dict)) else None),
]
_Addresses = Annotated[str | list[Any] | None, BeforeValidator(bare_addresses)]
_Object = BeforeValidator(lambda value: value if isinstance(value, dict) else None)
_ObjectOrEmpty = BeforeValidator(lambda value: value if isinstance(value, dict) else {})
_Rows = BeforeValidator(rows_of)
_Texts = Annotated[
    list[str],
    BeforeValidator(
        lambda v: [replace_surrogates(t) for t in v if isinstance(t, str)] if isinstance(v, list) else []
    ),
]


@dataclass(frozen=True, repr=False)
class Page(ShortRepr, Generic[T]):
    """A page of a list; ``total`` counts the rows of all pages, if the service reports that."""

    items: list[T]
    total: int | None


class PodDetails(ApiModel):
    """A pod from ``GET /pods`` or ``GET /pods/{pod_id}``.

    Prices are USD per hour for the whole pod; ``unread_price`` is the text of an unreadable one, such as
    "EUR 25.00". ``installation_status`` uses the specification's words. The Jupyter password and environment
    values are dropped.

    >>> pod = PodDetails.model_validate({"name": "train", "status": "ACTIVE", "gpuName": "H100_80GB",
    ...     "sshConnection": "root@203.0.113.9 -p 22", "installationStatus": "FINISHED"})
    >>> pod.is_ready, str(pod.installation_status)
    (True, 'COMPLETE')
    """

    id: Text = None
    name: Text = None
    status: _Status = PodStatus.UNKNOWN
    installation_status: _Installation = None
    installation_progress: Percent = None
    installation_failure: Label = None
    gpu_name: Label = None
    gpu_count: Machines = None
    socket: Label = None
    price_hr: Price = None
    stopped_price_hr: Amount = None
    provisioning_price_hr: Amount = None
    unread_price: Text = None
    created_at: Timestamp = None
    updated_at: Timestamp = None
    terminated_at: Timestamp = None
    provider_type: Label = None
    ssh_connection: _Connection = None
    ip: _Addresses = None
    environment_type: Label = None
    custom_template_id: Label = None
    resources: Annotated[Resources | None, _Object] = None
    prime_port_mapping: Annotated[list[PortMapping], _Rows] = []
    attached_resources: Annotated[list[AttachedResource], _Rows] = []
    is_spot: Spot = None
    auto_restart: Flag = None
    user_id: Label = None
    team_id: Label = None
    wallet_id: Label = None
    cluster_id: Label = None
    type: Label = None

    @model_validator(mode="before")
    @classmethod
    def _prepare_fields(cls, pod: Any) -> Any:
        return with_installation(with_price(without_secrets(pod))) if isinstance(pod, dict) else pod

    @property
    def highest_usd_hr(self) -> float | None:
        """Highest hourly price among all its price fields, or ``None``.

        The provisioning price counts unless the pod is known to be past that.
        """
        prices = [self.price_hr or 0.0, *list_prices(self.model_extra or {})]
        if self.status not in _PAST_PROVISIONING:
            prices.append(self.provisioning_price_hr or 0.0)
        return max(prices) or None

    @property
    def connections(self) -> tuple[SshTarget | None, ...]:
        """SSH targets, one per node; empty while the pod does not run."""
        if not self._has_address:
            return ()
        targets = read_connections(self.ssh_connection)
        if targets or self.status != PodStatus.ACTIVE:
            return pad_nodes(targets, self.nodes)
        # Some providers report an IP address and a mapped SSH port instead.
        ports = ((port.internal, port.external, port.used_by) for port in self.prime_port_mapping)
        return read_by_port(self.ip, ports)

    @property
    def nodes(self) -> int | None:
        """Number of its machines; ``None`` while the service does not list those of a multi-node pod."""
        return count_nodes(self.ssh_connection, self.ip, self.cluster_id)

    @property
    def total_gpus(self) -> int | None:
        """GPUs of all its nodes; ``gpu_count`` may be the number of each."""
        return count_gpus(self.gpu_count, self.nodes)

    @property
    def _has_address(self) -> bool:
        # Before and after a pod runs, its address may be another machine's.
        return self.is_live and self.status not in _WITHOUT_ADDRESS

    @property
    def ssh(self) -> str | None:
        """SSH command for the first node that is up."""
        return next((target.command for target in self.connections if target), None)

    @property
    def jupyter_url(self) -> str | None:
        """URL of the pod's Jupyter, without its password; ``None`` while the pod does not run."""
        if not self._has_address:
            return None
        ip = next((ip for ip in self.ip if isinstance(ip, str)), "") if isinstance(self.ip, list) else self.ip
        for mapping in self.prime_port_mapping:
            if fold_word(mapping.used_by or "") == "JUPYTER_NOTEBOOK" or mapping.internal == "8888":
                external = (mapping.external or "").strip()
                if external.lower().startswith(("http://", "https://")):
                    return external
                host, port = host_in(ip.strip()) if isinstance(ip, str) else None, port_in(external)
                if host and port:
                    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return None

    @property
    def cli_name(self) -> str:
        """Name or id to type for this pod, whichever is one plain word, else POD."""
        return name_as_word(self.name, as_word(self.id))

    @property
    def is_installed(self) -> bool:
        """Return whether the installation is done; without a status, its progress decides."""
        if self.installation_status is None:
            return self.installation_progress is None or self.installation_progress >= 100
        return self.installation_status == InstallationStatus.COMPLETE

    @property
    def is_ready(self) -> bool:
        """Return whether the pod is ACTIVE and installed, with a connection to every node."""
        targets = self.connections
        return self.status == PodStatus.ACTIVE and bool(targets) and None not in targets and self.is_installed

    @property
    def is_live(self) -> bool:
        """Return whether the pod is neither terminating nor terminated."""
        return self.status not in (PodStatus.DELETING, PodStatus.TERMINATED)

    @property
    def has_failed(self) -> bool:
        """Return whether the pod or its installation has failed; it may be billed until it is terminated."""
        is_aborted = self.installation_status == InstallationStatus.TERMINATED and self.is_live
        return is_aborted or self.failure is not None

    @property
    def failure(self) -> str | None:
        """Status of the pod or of its installation that means failure, if any."""
        if _is_failure(self.status):
            return str(self.status)
        return f"installation {self.installation_status}" if _is_failure(self.installation_status) else None

    @property
    def unknown_words(self) -> tuple[str, ...]:
        """Unknown words in its statuses; a pod with such a word counts as live and not ready."""
        statuses = (self.status, self.installation_status)
        return tuple(word for word in statuses if isinstance(word, str) and not isinstance(word, Enum))

    @property
    def is_settled(self) -> bool:
        """Return whether the pod is ready, failed or gone, so that waiting longer changes nothing."""
        return self.is_ready or (self.has_failed and self.is_live) or self.status == PodStatus.TERMINATED

    def updated(self, entry: PodStatusEntry) -> PodDetails:
        """Return this pod with the fields of a status entry; this same object if nothing differs."""
        changes = {name: getattr(entry, name) for name in entry.model_fields_set & _SHARED_FIELDS}
        for name in _KEPT_WHEN_NULL:
            if changes.get(name) is None:
                changes.pop(name, None)
        if entry.price_hr is not None:
            # Drop older prices under other names.
            changes |= dict.fromkeys(filter(is_price_name, self.model_extra or {}))
            prices = {**(entry.model_extra or {}), "costPerHr": entry.cost_per_hr}
            changes |= {
                name: price for name, price in prices.items() if is_price_name(name) and price is not None
            }
            changes |= {"price_hr": entry.price_hr, "unread_price": entry.unread_price}
        if all(getattr(self, name, None) == value for name, value in changes.items()):
            return self
        return self.model_copy(update=changes)


class PodStatusEntry(ApiModel):
    """A row of ``GET /pods/status``: the fields of a pod that change while it starts."""

    pod_id: Text = None
    id: Text = None
    provider_type: Label = None
    status: _Status = PodStatus.UNKNOWN
    ssh_connection: _Connection = None
    ip: _Addresses = None
    installation_status: _Installation = None
    installation_failure: Label = None
    installation_progress: Percent = None
    price_hr: Price = None
    cost_per_hr: Price = None
    unread_price: Text = None
    prime_port_mapping: Annotated[list[PortMapping], _Rows] = []

    @property
    def key(self) -> str | None:
        """Id of the pod."""
        return self.pod_id or self.id

    @model_validator(mode="before")
    @classmethod
    def _prepare_fields(cls, pod: Any) -> Any:
        return with_installation(with_price(without_secrets(pod))) if isinstance(pod, dict) else pod


_SHARED_FIELDS = (set(PodStatusEntry.model_fields) & set(PodDetails.model_fields)) - {"id", "price_hr"}
_KEPT_WHEN_NULL = ("installation_status", "provider_type", "prime_port_mapping")


class HistoryRow(ApiModel):
    """A row of ``GET /pods/history``: average USD per hour, and USD billed in total."""

    id: Text = None
    name: Text = None
    type: Label = None
    provider_type: Label = None
    provisioned_by: Name = None
    created_at: Timestamp = None
    terminated_at: Timestamp = None
    gpu_name: Label = None
    gpu_count: Tally = None
    socket: Label = None
    price_hr: Amount = None
    total_billed_price: Balance = None
    user_id: Label = None
    team_id: Label = None


class Offer(OfferTerms):
    """A row of ``GET /availability/gpus`` or ``/availability/multi-node``: machines that can be rented.

    ``is_multinode`` offers are in the second list. ``cloud_id`` alone does not identify an offer: several
    data centers use the same id. ``gpu_count`` counts the whole offer, and so does ``gpu_memory`` (GB) at
    some providers.
    """

    cloud_id: Text = None
    gpu_type: Text = None
    gpu_count: Machines = None
    gpu_memory: Size = None
    socket: Label = None
    provider: Label = None
    region: Label = None
    country: Label = None
    data_center: Label = None
    security: Label = None
    stock_status: Annotated[str | None, BeforeValidator(stock_text_in)] = None
    prices: Annotated[Prices, _ObjectOrEmpty] = Prices()
    disk: Annotated[ResourceLimits, _ObjectOrEmpty] = ResourceLimits()
    shared_disk: Annotated[ResourceLimits, _ObjectOrEmpty] = ResourceLimits()
    vcpu: Annotated[ResourceLimits, _ObjectOrEmpty] = ResourceLimits()
    memory: Annotated[ResourceLimits, _ObjectOrEmpty] = ResourceLimits()
    images: _Texts = []
    internet_speed: Number = None
    interconnect: Number = None
    interconnect_type: Label = None
    provisioning_time: Amount = None
    is_multinode: Flag = None

    def __repr__(self) -> str:
        price = format_money(self.price_hr, self.prices.currency or "USD")
        where = f"{self.provider}, {self.data_center or self.country}, stock {self.stock_status}"
        return shorten_repr(f"Offer: {self.gpu_count} × {self.gpu_type} at {where}: {price}/h")

    __str__ = __repr__

    @property
    def price_hr(self) -> float | None:
        """Hourly price of the whole offer in its currency, or ``None``."""
        prices = self.prices
        return prices.community_price if prices.community_price is not None else prices.on_demand

    @property
    def nodes(self) -> int | None:
        """Number of machines; of a multi-node offer the usual one, because it does not state it."""
        return guess_nodes(self.gpu_type, self.gpu_count, is_multinode=bool(self.is_multinode))

    @property
    def stock(self) -> Stock:
        """Stock status of the offer, as of the list."""
        return read_stock(self.stock_status)

    @property
    def in_stock(self) -> bool:
        """Return whether the offer is not known to be out of stock."""
        return self.stock is not Stock.OUT

    @property
    def is_in_usd(self) -> bool:
        """Return whether its price is in USD, the default currency."""
        return self.prices.currency in (None, "USD")
