"""Records of the alerts of this computer and of launches that wait for stock: one file for each.

Only the guard process writes them; kernels read them without a request. No file has a secret of a spec.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from primepods_magic.api.local.atomic_files import write_atomically
from primepods_magic.api.local.folders import make_folder
from primepods_magic.api.requests import list_names
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.pods.offers import join_any
from primepods_magic.pods.spec.fields import MINIMUMS, SECRET_FIELDS, SPEC_FIELDS
from primepods_magic.pods.spec.spec import PodSpec

from .records import read_model

__all__ = [
    "AlertRecord",
    "AlertState",
    "StockOrder",
    "delete_alert",
    "describe_wanted",
    "list_alert_records",
    "remove_secrets",
    "write_alert",
]

AlertState = Literal["watching", "offered", "waiting", "launched", "over", "failed", "lost"]
_ACTIVE = ("watching", "offered", "waiting")
_WORDS = ("region", "country", "provider", "security", "socket", "image", "data_center_id")


class StockOrder(ShortRepr, BaseModel):
    """The limits within which a launch that waits for stock was agreed to, and who is billed.

    ``name`` is that of the pod. ``is_agreed`` says that prepaid hours were agreed to as well.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    span_s: float
    team_id: str | None = None
    shares_with_team: bool = False
    is_agreed: bool = False
    max_price_usd_hr: float | None = None
    max_burn_usd_hr: float | None = None
    max_month_usd: float | None = None
    settle_s: float = 60.0
    has_secrets: bool = False

    __repr__ = ShortRepr.__repr__


class AlertRecord(ShortRepr, BaseModel):
    """An alert, or with an ``order`` a launch that waits for stock.

    An alert is "watching" while no offer fits, and "offered" while one does. A launch is "waiting" until it
    is "launched", its time is "over", it has "failed", or it is "lost": the secrets of its spec were, so it
    must be run again. ``offer`` and ``price_usd_hr`` are those of the last offer that fitted, and
    ``attempted_at`` is set while it is being launched.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    id: str
    what: str
    state: AlertState
    since: AwareDatetime
    fields: dict[str, Any]
    until: AwareDatetime | None = None
    checked_at: AwareDatetime | None = None
    seen_at: AwareDatetime | None = None
    offer: str = ""
    price_usd_hr: float | None = None
    trouble: str = ""
    notify: str = ""
    order: StockOrder | None = None
    pod_id: str = ""
    attempted_at: AwareDatetime | None = None

    __repr__ = ShortRepr.__repr__

    @property
    def is_active(self) -> bool:
        """True while the guard process has something to do for it."""
        return self.state in _ACTIVE

    @property
    def team_id(self) -> str | None:
        """The team that is billed for the pod of a launch: names are taken in each team by itself."""
        return self.fields.get("team") or (self.order.team_id if self.order else None)


def remove_secrets(spec: PodSpec) -> dict[str, Any]:
    """Return the fields of a spec as JSON, without those that may hold a secret."""
    return spec.model_dump(mode="json", exclude=set(SECRET_FIELDS), exclude_none=True)


def describe_wanted(spec: PodSpec) -> str:
    """Return what a spec asks for, in a few words.

    >>> describe_wanted(PodSpec(gpu_type=["H100_80GB", "A100_80GB"], region="eu_north", max_price=3))
    '1 × A100_80GB or H100_80GB, eu_north, up to $3.00/h'
    """
    count = f"{spec.count} × " if spec.count else ""
    parts = [f"{count}{join_any(spec.gpu_type or spec.cloud_id or 'any GPU')}"]
    minimums = ((key, getattr(spec, SPEC_FIELDS[key].name)) for key in MINIMUMS)
    parts += [f"{key} {value}" for key, value in minimums if value]
    parts += [join_any(value) for name in _WORDS if (value := getattr(spec, name))]
    if spec.cloud_id and spec.gpu_type:
        parts.append(join_any(spec.cloud_id))
    if spec.disks:
        parts.append(f"disks {', '.join(list_names(spec.disks))}")
    if spec.max_price is not None:
        parts.append(f"up to {format_usd_hr(spec.max_price)}")
    return ", ".join(parts)


def write_alert(folder: Path, record: AlertRecord) -> None:
    """Write a record; raise OSError if that fails."""
    path = _find_path(folder, record.id)
    make_folder(path.parent)
    write_atomically(path, record.model_dump_json(), is_durable=True)


def delete_alert(folder: Path, alert_id: str) -> None:
    """Delete a record, if there is one."""
    with suppress(OSError):
        _find_path(folder, alert_id).unlink()


def list_alert_records(folder: Path | None) -> list[AlertRecord]:
    """Return the records of an account, the earliest first."""
    found: list[AlertRecord] = []
    with suppress(OSError):
        for path in (folder / "alerts").glob("*.json") if folder else ():
            record = read_model(AlertRecord, path)
            # Its id is a name of a file that is written later.
            if record is not None and record.id == path.stem:
                found.append(record)
    return sorted(found, key=lambda record: (record.since, record.id))


def _find_path(folder: Path, alert_id: str) -> Path:
    return folder / "alerts" / f"{alert_id}.json"
