"""What the service says, read tolerantly: both dialects, unknown words, missing fields.

Sources: the specification's page, the published OpenAPI document (the fields beyond the page), and
the official client, which reads a few more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from .connections import SshTarget, read_connections
from .tolerant import Answer, Flag, Number, Text, Timestamp, Whole, rows_of, word
from .vocabulary import INSTALLATION_SYNONYMS, InstallationStatus, PodStatus

__all__ = [
    "AttachedResource",
    "HistoryRow",
    "Offer",
    "Page",
    "PodDetails",
    "PodStatusEntry",
    "PortMapping",
    "Prices",
    "Resources",
    "Spec",
]

T = TypeVar("T")


def _pod_status(value: object) -> PodStatus | str:
    return word(PodStatus, value) or PodStatus.UNKNOWN


def _installation(value: object) -> InstallationStatus | str | None:
    return word(InstallationStatus, value, INSTALLATION_SYNONYMS)


# Letters of other alphabets can look like these, and a service may write them in another way.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LIKE_AN_ID = re.compile(r"[0-9a-fA-F-]{6,}")
_SECRETS = frozenset({"jupyterPassword", "jupyter_password", "envVars", "env_vars"})


def _without_query(value: object) -> object:
    """A port as it may be shown: where it is a URL, what follows the path may hold a token."""
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return re.split(r"[?#]", value, maxsplit=1)[0]
    return value


_Status = Annotated[PodStatus | str, BeforeValidator(_pod_status)]
_Installation = Annotated[InstallationStatus | str | None, BeforeValidator(_installation)]
_Connection = Annotated[
    str | list[Any] | None, BeforeValidator(lambda value: value if isinstance(value, (str, list)) else None)
]
_Object = BeforeValidator(lambda value: value if isinstance(value, dict) else None)
_ObjectOrEmpty = BeforeValidator(lambda value: value if isinstance(value, dict) else {})
_Rows = BeforeValidator(rows_of)
_Texts = Annotated[
    list[str],
    BeforeValidator(lambda v: [t for t in v if isinstance(t, str)] if isinstance(v, list) else []),
]


@dataclass(frozen=True)
class Page(Generic[T]):
    """Part of a list.

    Parameters
    ----------
    items : list
        The rows of this page.
    total : int, optional
        How many rows there are in all, where the service says so.
    """

    items: list[T]
    total: int | None


class PortMapping(Answer):
    """A port of a pod as seen from outside; ``external`` may be a complete URL, kept without its query."""

    internal: Text = None
    external: Annotated[Text, BeforeValidator(_without_query)] = None
    protocol: Text = None
    used_by: Text = None
    description: Text = None


class Resources(Answer):
    """What a pod has: memory, disk and shared disk in GB, and its number of vCPUs."""

    memory: Number = None
    disk: Number = None
    shared_disk: Annotated[Number, Field(alias="shared_disk")] = None
    vcpus: Number = None


class AttachedResource(Answer):
    """A persistent disk attached to a pod; size in GB."""

    resource_type: Text = None
    id: Text = None
    status: Text = None
    is_detachable: Flag = None
    mount_path: Text = None
    resource_path: Text = None
    size: Number = None
    is_shared: Flag = None


class PodDetails(Answer):
    """One pod, as ``GET /pods`` and ``GET /pods/{pod_id}`` describe it.

    Prices are USD per hour for the whole pod. ``installation_status`` is in the specification's words
    in either dialect. The Jupyter password and environment values, where the
    service sends them, are not kept.

    Examples
    --------
    >>> pod = PodDetails.model_validate({"name": "train", "status": "ACTIVE", "gpuName": "H100_80GB",
    ...     "sshConnection": "root@203.0.113.9 -p 22", "installationStatus": "FINISHED"})
    >>> pod.is_ready, str(pod.installation_status)
    (True, 'COMPLETE')
    """

    id: Text = None
    name: Text = None
    status: _Status = PodStatus.UNKNOWN
    installation_status: _Installation = None
    installation_progress: Number = None
    installation_failure: Text = None
    gpu_name: Text = None
    gpu_count: Whole = None
    socket: Text = None
    price_hr: Number = None
    stopped_price_hr: Number = None
    provisioning_price_hr: Number = None
    created_at: Timestamp = None
    updated_at: Timestamp = None
    terminated_at: Timestamp = None
    provider_type: Text = None
    ssh_connection: _Connection = None
    ip: _Connection = None
    environment_type: Text = None
    custom_template_id: Text = None
    resources: Annotated[Resources | None, _Object] = None
    prime_port_mapping: Annotated[list[PortMapping], _Rows] = []
    attached_resources: Annotated[list[AttachedResource], _Rows] = []
    is_spot: Flag = None
    auto_restart: Flag = None
    user_id: Text = None
    team_id: Text = None
    wallet_id: Text = None
    cluster_id: Text = None
    type: Text = None

    @model_validator(mode="before")
    @classmethod
    def _without_secrets(cls, said: Any) -> Any:
        if isinstance(said, dict):
            return {key: value for key, value in said.items() if key not in _SECRETS}
        return said

    @property
    def connections(self) -> tuple[SshTarget | None, ...]:
        """Where to ssh to, one per node; empty while there is nowhere."""
        targets = read_connections(self.ssh_connection)
        if targets or self.status != PodStatus.ACTIVE:
            return targets
        return self._connection_by_port()

    @property
    def ssh(self) -> str | None:
        """The command that connects to the first node that is up."""
        return next((target.command for target in self.connections if target), None)

    def _connection_by_port(self) -> tuple[SshTarget | None, ...]:
        # Some providers report an address and a port for SSH but no connection text.
        if not isinstance(self.ip, str):
            return ()
        for mapping in self.prime_port_mapping:
            if mapping.used_by == "SSH":
                return read_connections(f"root@{self.ip} -p {mapping.external}")
        return ()

    @property
    def jupyter_url(self) -> str | None:
        """Where the pod's Jupyter answers, without its password."""
        for mapping in self.prime_port_mapping:
            if mapping.used_by == "JUPYTER_NOTEBOOK" or mapping.internal == "8888":
                external = mapping.external or ""
                if external.startswith(("http://", "https://")):
                    return external
                if isinstance(self.ip, str) and external.isdigit():
                    return f"http://{self.ip}:{external}"
        return None

    @property
    def word(self) -> str:
        """What to type to mean this pod: its name if that is a plain word and not like an id, else its id.
        It is never anything that could be evaluated or read as a flag."""
        name = self.name or ""
        return name if _is_plain(name) and not _LIKE_AN_ID.fullmatch(name) else self.id_word

    @property
    def id_word(self) -> str:
        """The same by its id, for pods whose name is taken; ``POD`` for an id that no one should type."""
        return self.id if self.id and _is_plain(self.id) else "POD"

    @property
    def is_installed(self) -> bool:
        """The installation is done; where its status is missing, its progress decides."""
        if self.installation_status is None:
            return self.installation_progress is None or self.installation_progress >= 100
        return self.installation_status == InstallationStatus.COMPLETE

    @property
    def is_ready(self) -> bool:
        """ACTIVE, with a connection to every node, and its installation COMPLETE."""
        targets = self.connections
        return self.status == PodStatus.ACTIVE and bool(targets) and None not in targets and self.is_installed

    @property
    def is_live(self) -> bool:
        """Neither on its way out nor gone."""
        return self.status not in (PodStatus.DELETING, PodStatus.TERMINATED)

    @property
    def has_failed(self) -> bool:
        """The pod is in ERROR, or its installation FAILED or, while the pod lives, was TERMINATED; it may go
        on being billed until removed."""
        if self.installation_status == InstallationStatus.TERMINATED and self.is_live:
            return True
        return self.status == PodStatus.ERROR or self.installation_status == InstallationStatus.FAILED

    @property
    def is_settled(self) -> bool:
        """Ready, failed or gone: waiting longer changes nothing."""
        return self.is_ready or (self.has_failed and self.is_live) or self.status == PodStatus.TERMINATED

    def updated(self, entry: PodStatusEntry) -> PodDetails:
        """This pod with what a status entry says newer; what the entry leaves out stays. Where nothing is
        newer, it is this very object.

        Parameters
        ----------
        entry : PodStatusEntry
            An entry of ``GET /pods/status``.
        """
        said = {name: getattr(entry, name) for name in entry.model_fields_set & _SHARED_FIELDS}
        for name in _KEPT_WHEN_NULL:
            if said.get(name) is None:
                said.pop(name, None)
        if entry.price is not None:
            said["price_hr"] = entry.price
        if all(getattr(self, name) == value for name, value in said.items()):
            return self
        return self.model_copy(update=said)


class PodStatusEntry(Answer):
    """One pod, as ``GET /pods/status`` describes it: the fields that change while a pod comes up."""

    pod_id: Text = None
    id: Text = None
    provider_type: Text = None
    status: _Status = PodStatus.UNKNOWN
    ssh_connection: _Connection = None
    ip: _Connection = None
    installation_status: _Installation = None
    installation_failure: Text = None
    installation_progress: Number = None
    price_hr: Number = None
    cost_per_hr: Number = None
    prime_port_mapping: Annotated[list[PortMapping], _Rows] = []

    @property
    def key(self) -> str | None:
        """The id of the pod that this is about."""
        return self.pod_id or self.id

    @property
    def price(self) -> float | None:
        """USD per hour, under either of its names."""
        return self.price_hr if self.price_hr is not None else self.cost_per_hr


_SHARED_FIELDS = (set(PodStatusEntry.model_fields) & set(PodDetails.model_fields)) - {"id", "price_hr"}
_KEPT_WHEN_NULL = ("installation_status", "provider_type", "prime_port_mapping")


class HistoryRow(Answer):
    """One line of ``GET /pods/history``: USD per hour on average, and USD billed in total."""

    id: Text = None
    name: Text = None
    type: Text = None
    provider_type: Text = None
    provisioned_by: Text = None
    created_at: Timestamp = None
    terminated_at: Timestamp = None
    gpu_name: Text = None
    gpu_count: Whole = None
    socket: Text = None
    price_hr: Number = None
    total_billed_price: Number = None
    user_id: Text = None
    team_id: Text = None


class Spec(Answer):
    """How much of something an offer has and may be given: units, and USD per unit and hour."""

    min_count: Number = None
    default_count: Number = None
    max_count: Number = None
    step: Number = None
    price_per_unit: Number = None
    default_included_in_price: Flag = None
    additional_info: Text = None


class Prices(Answer):
    """Prices per hour of a whole offer, in ``currency``."""

    on_demand: Number = None
    community_price: Number = None
    is_variable: Flag = None
    currency: Text = None


class Offer(Answer):
    """One line of ``GET /availability/gpus``: a machine that can be rented.

    ``cloud_id`` alone does not identify an offer: the same id appears in several data centers.
    ``gpu_count`` counts the whole offer and so does ``gpu_memory`` at some providers (GB).
    """

    cloud_id: Text = None
    gpu_type: Text = None
    gpu_count: Whole = None
    gpu_memory: Number = None
    socket: Text = None
    provider: Text = None
    region: Text = None
    country: Text = None
    data_center: Text = None
    security: Text = None
    stock_status: Text = None
    prices: Annotated[Prices, _ObjectOrEmpty] = Prices()
    disk: Annotated[Spec, _ObjectOrEmpty] = Spec()
    shared_disk: Annotated[Spec, _ObjectOrEmpty] = Spec()
    vcpu: Annotated[Spec, _ObjectOrEmpty] = Spec()
    memory: Annotated[Spec, _ObjectOrEmpty] = Spec()
    images: _Texts = []
    is_spot: Flag = None
    prepaid_time: Number = None
    internet_speed: Number = None
    interconnect: Number = None
    interconnect_type: Text = None
    provisioning_time: Number = None

    @property
    def price_hr(self) -> float | None:
        """Price per hour of the whole offer in its currency, or ``None`` where it has none."""
        prices = self.prices
        return prices.community_price if prices.community_price is not None else prices.on_demand

    @property
    def in_stock(self) -> bool:
        """Whether there is a machine, as far as the list knew."""
        return self.stock_status != "Unavailable"


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None
