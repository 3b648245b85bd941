"""The form for a pod of the selected offer, and the checks of its fields."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from primepods_magic.api.disks import Disk
from primepods_magic.api.enums import SECURITIES
from primepods_magic.api.models import Offer, ResourceLimits
from primepods_magic.api.requests import TEMPLATE_IMAGE
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.pods.guards.times import parse_span
from primepods_magic.pods.offers import image_for, range_errors
from primepods_magic.pods.spec.fields import SPEC_FIELDS
from primepods_magic.pods.spec.spec import PodSpec

__all__ = [
    "Bounds",
    "Form",
    "can_attach",
    "check_variable_name",
    "find_problems",
    "fit_form",
    "read_bounds",
    "resource_limits",
    "spec_fields",
]

# In the order of a cell.
_KEYS_OF_OFFER = "gpu count provider cloud_id data_center_id country security socket".split()
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Used for offers without a maximum: larger than any machine.
_MAX_SIZE = 1_000_000


@dataclass(frozen=True)
class Bounds:
    """The range of an adjustable size, in GB or vCPUs, and a text such as ``20 to 1000 GB``."""

    min: int
    max: int
    step: int
    default: int
    is_fixed: bool
    text: str


@dataclass(frozen=True)
class Form:
    """The user's input, by the keys of a spec; secrets are only references such as ``${HF_TOKEN}``.

    A size of None is the default of the offer; an empty text leaves the choice to the launch. ``run_for`` is
    ``for`` in a cell.
    """

    name: str = ""
    image: str = ""
    template: str = ""
    disk: int | None = None
    vcpus: int | None = None
    memory: int | None = None
    run_for: str = ""
    idle: str = ""
    ssh_key_id: str = ""
    disks: tuple[str, ...] = ()
    team: str = ""
    auto_restart: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    jupyter_password: str = ""


def read_bounds(limits: ResourceLimits, unit: str) -> Bounds | None:
    """Return the range that an offer allows, or None if the offer does not say.

    >>> read_bounds(ResourceLimits(min_count=20, default_count=200, max_count=1000, step=10), "GB").text
    '20 to 1000 GB, in steps of 10'
    """
    min_count, max_count, default = limits.min_count, limits.max_count, limits.default_count
    if default is None and min_count is None:
        return None
    default = int(default if default is not None else min_count or 0)
    if (min_count is None and max_count is None) or min_count == max_count:
        return Bounds(default, default, 1, default, True, "Fixed by this machine")
    # Requests take whole numbers of at least 1.
    lowest = max(1, math.ceil(min_count or limits.step or 1))
    highest = max(lowest, math.floor(max_count) if max_count is not None else _MAX_SIZE)
    step = limits.step or 1
    # A control counts steps from its minimum; the API does not document its own origin.
    is_on_grid = step == int(step) and (default - lowest) % step == 0
    text = f"{lowest} {unit} or more" if max_count is None else f"{lowest} to {highest} {unit}"
    text += f", in steps of {step:g}" if step > 1 else ""
    control_step = max(1, int(step)) if is_on_grid else 1
    return Bounds(lowest, highest, control_step, min(max(default, lowest), highest), False, text)


def fit_form(form: Form, offer: Offer, *, default_image: str = "") -> Form:
    """Return the form for another offer; values that the offer does not allow are reset to its defaults."""
    wanted = form.image or default_image
    is_available = wanted in offer.images or (wanted and not offer.images)
    image = wanted if is_available else image_for(offer, PodSpec())
    if offer.images and image not in offer.images:
        image = offer.images[0]
    sizes: dict[str, Any] = {}
    for name, limits in resource_limits(offer).items():
        size = getattr(form, name)
        sizes[name] = None if range_errors(name, size, limits) else size
    return replace(form, image=image, **sizes)


def resource_limits(offer: Offer) -> dict[str, ResourceLimits]:
    """Return the offer's limits by the name of the size in a spec."""
    return {"disk": offer.disk, "vcpus": offer.vcpu, "memory": offer.memory}


def can_attach(disk: Disk, offer: Offer) -> bool:
    """Return whether a disk is at the offer's location; if that is unknown, the service decides."""
    pairs = ((disk.provider_type, offer.provider), (disk.info.data_center_id, offer.data_center))
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


def find_problems(form: Form, offer: Offer, disks: Iterable[Disk] = ()) -> dict[str, str]:
    """Return messages about invalid fields, by field; `disks` are those of the account."""
    problems = {}
    if form.image == TEMPLATE_IMAGE and not form.template.strip():
        problems["template"] = "Enter the ID of your template."
    elif offer.images and form.image not in offer.images:
        problems["image"] = f"This offer does not have the image {sanitize(form.image)}."
    for name, limits in resource_limits(offer).items():
        size = getattr(form, name)
        errors = range_errors(name, size, limits)
        if errors or (size is not None and size < 1):
            problems[name] = errors[0] if errors else f"{name} is at least 1"
    for name in ("run_for", "idle"):
        if getattr(form, name).strip():
            try:
                parse_span(getattr(form, name))
            except ValueError:
                problems[name] = "Enter a length of time, such as 30m, 4h or 2d."
    elsewhere = [
        str(disk.name or disk.id) for disk in disks if disk.id in form.disks and not can_attach(disk, offer)
    ]
    if elsewhere:
        problems["disks"] = f"Cannot attach {join_sanitized(elsewhere)}: not at the location of this offer."
    return problems


def check_variable_name(name: str) -> str:
    """Return what is wrong with the name of an environment variable, or an empty string.

    >>> check_variable_name("2ND")
    'Use letters, digits, and _ only, and do not begin with a digit.'
    """
    if _VARIABLE_NAME.fullmatch(name):
        return ""
    if not name:
        return "Enter a name for the variable first."
    return "Use letters, digits, and _ only, and do not begin with a digit."


def spec_fields(form: Form, offer: Offer, max_price_usd_hr: float) -> dict[str, object]:
    """Return the form as the fields of a spec, in the order of a cell, without the offer's defaults."""
    template = form.template.strip() if form.image == TEMPLATE_IMAGE else ""
    typed: dict[str, Any] = {**vars(form), "template": template, "auto_restart": form.auto_restart or None}
    # References are expanded in these two fields only.
    references = {key: typed.pop(key) for key in ("env", "jupyter_password")}
    ends = {"for": typed.pop("run_for").strip(), "idle": typed.pop("idle").strip()}
    fields = {
        "name": typed.pop("name").strip(),
        **{key: getattr(offer, SPEC_FIELDS[key].offer) for key in _KEYS_OF_OFFER},
        **typed,
        **ends,
        "max_price": max_price_usd_hr or None,
    }
    if fields["security"] not in SECURITIES:
        del fields["security"]
    complete = {**{key: _escape_references(value) for key, value in fields.items()}, **references}
    return {key: value for key, value in complete.items() if value not in (None, "", [], {})}


def _escape_references(value: object) -> object:
    if isinstance(value, tuple):
        return [_escape_references(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value
