"""The fields of a spec: keys, flags, help, known words, and sources in an offer; loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from primepods_magic.api.enums import GPU_TYPES, IMAGES, PROVIDERS, REGIONS, SECURITIES, SOCKETS

__all__ = ["FIELD_OF_KEY", "GUARD_FIELDS", "MINIMUMS", "PODS", "SECRET_FIELDS", "SPEC_FIELDS", "SpecField"]

PODS = "pods"
"""The key that is not a field of `PodSpec`: the number of pods."""

SECRET_FIELDS = frozenset({"env_vars", "jupyter_password"})
"""Attributes of `PodSpec` whose values are not shown or kept."""

MINIMUMS = ("min_vram", "min_total_vram", "min_memory", "min_vcpus", "min_disk")
"""Keys of the fields that an offer must reach; one that does not state the amount does not fit."""

GUARD_FIELDS = frozenset({"run_for", "until", "idle", "max_total_usd"})
"""Attributes of `PodSpec` that say when the pod ends by itself; the machine is the same."""


@dataclass(frozen=True)
class SpecField:
    """A field that `PodSpec` gives a type.

    ``key`` is its short name in a cell and, with hyphens, its flag, unless it is for a ``body`` only.
    ``attribute`` is that of `PodSpec` if it differs, and ``offer`` that of an offer with such a value. A
    ``choice`` has no words but ``words``. ``form`` says for a message what a value must be, if ``kind`` does
    not. One that ``takes_several`` values is a list as well, or has commas between them: any will do.
    """

    key: str
    metavar: str
    help: str
    kind: Literal["text", "choice", "number", "switch", "list", "mapping", "body"] = "text"
    attribute: str = ""
    offer: str = ""
    words: tuple[str, ...] = ()
    form: str = ""
    takes_several: bool = False

    @property
    def name(self) -> str:
        """The attribute of `PodSpec`, which is also a key, as is its camelCase form."""
        return self.attribute or self.key

    @property
    def flag(self) -> str:
        """The flag of ``%pod_create``, or an empty text."""
        return "" if self.kind == "body" else f"--{self.key.replace('_', '-')}"


_FLAGS = ("true", "false")
_WHOLE = "a whole number"
_UP_TO_100 = "a whole number from 1 to 100"
_GIGABYTES = "a whole number of GB, such as 500"
_GPU_HELP = "GPU type, such as H100_80GB or its only match H100, or several: H100,A100_80GB"
_COUNT_HELP = "number of GPUs (default 1); more than 8 are on several nodes"
_TOTAL_HELP = "minimum memory of all GPUs together, of any count unless count is given"
_REGION_HELP = "region, such as eu_north, or several, such as eu_north,eu_west"
_CENTER_HELP = "data center, such as us-east-1, or several"
_PROVIDER_HELP = "provider, such as hyperstack, or several"
_LARGE = "minimum {} that the machine comes with"
_SPAN = "a length of time, such as 30m, 4h, 1h30m or 2d"
_USD = "an amount of USD, such as 25"
_MEMBERS_HELP = "member of the team to share the pod with, by name, e-mail address or id; may be repeated"
_PRICE_HELP = "maximum USD per hour; confirms that price, but not prepaid hours or --replace"
_ROWS = (
    SpecField("name", "NAME", "name of the pod, which identifies it among your live pods"),
    SpecField("gpu", "G", _GPU_HELP, "text", "gpu_type", "gpu_type", GPU_TYPES, takes_several=True),
    SpecField("count", "N", _COUNT_HELP, "number", "gpu_count", "gpu_count", form=_WHOLE),
    SpecField(PODS, "N", "number of pods, with numbered names", "number", form=_UP_TO_100),
    SpecField("max_price", "X", _PRICE_HELP, "number", form="a number in USD per hour, such as 2.50"),
    SpecField(
        "for", "T", "end the pod this long after its creation, such as 4h", attribute="run_for", form=_SPAN
    ),
    SpecField("until", "T", "end the pod at a time, such as 18:00"),
    SpecField("idle", "T", "end the pod once everything on it is idle for this long", form=_SPAN),
    SpecField("max_total_usd", "X", "end the pod once it has cost this much", "number", form=_USD),
    SpecField("region", "R", _REGION_HELP, offer="region", words=REGIONS, takes_several=True),
    SpecField("country", "C", "country, such as NO, or several", offer="country", takes_several=True),
    SpecField("provider", "P", _PROVIDER_HELP, offer="provider", words=PROVIDERS, takes_several=True),
    SpecField("security", "S", " or ".join(SECURITIES), "choice", offer="security", words=SECURITIES),
    SpecField("socket", "S", "socket, such as PCIe or SXM5", offer="socket", words=SOCKETS),
    SpecField("image", "I", "software image", offer="images", words=IMAGES),
    SpecField("template", "ID", "id of one of your templates", attribute="custom_template_id"),
    SpecField("disk", "GB", "size of the pod's own disk", "number", "disk_size", form=_GIGABYTES),
    SpecField("vcpus", "N", "number of vCPUs", "number", form=_WHOLE),
    SpecField("memory", "GB", "size of the memory", "number", form=_GIGABYTES),
    SpecField("min_vram", "GB", "minimum memory of each GPU", "number", "min_vram_gb", form=_GIGABYTES),
    SpecField("min_total_vram", "GB", _TOTAL_HELP, "number", "min_total_vram_gb", form=_GIGABYTES),
    SpecField("min_memory", "GB", _LARGE.format("memory"), "number", "min_memory_gb", form=_GIGABYTES),
    SpecField("min_vcpus", "N", _LARGE.format("vCPUs"), "number", form=_WHOLE),
    SpecField("min_disk", "GB", _LARGE.format("disk"), "number", "min_disk_gb", form=_GIGABYTES),
    SpecField("env", "KEY=VALUE", "environment variable; may be repeated", "mapping", "env_vars"),
    SpecField("disks", "ID", "disk to attach; may be repeated", "list"),
    SpecField("team", "ID", "id of the team to bill"),
    SpecField("jupyter_password", "", "password of the pod's Jupyter server", "body"),
    SpecField("ssh_key_id", "ID", "SSH key that can log in"),
    SpecField("auto_restart", "", "restart after an error", "switch", words=_FLAGS),
    SpecField(
        "cloud_id", "ID", "offer to rent; a spot machine can only be rented this way", offer="cloud_id"
    ),
    SpecField("data_center_id", "ID", _CENTER_HELP, offer="data_center", takes_several=True),
    SpecField(
        "prepaid_for_hr", "H", "pay for H hours in advance", "number", form="a number of hours, such as 24"
    ),
    SpecField(
        "share_with_team",
        "",
        "share the pod with the team to bill",
        "switch",
        "shared_with_team",
        words=_FLAGS,
    ),
    SpecField("members", "WHO", _MEMBERS_HELP, "list", "team_member_ids"),
)
SPEC_FIELDS = {row.key: row for row in _ROWS}
"""The fields by key, the most common first, as completion and the help list them."""


def _write_camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


FIELD_OF_KEY = {
    key: field for field in _ROWS for key in (field.key, field.name, _write_camel_case(field.name))
}
"""The fields by every key that names them: short, snake_case and camelCase."""
