"""Configuring: what a pod of the chosen offer is to be, and what of that does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from primepods_magic.api.account import Disk
from primepods_magic.api.enums import SECURITIES
from primepods_magic.api.models import Offer, ResourceLimits
from primepods_magic.api.requests import TEMPLATE_IMAGE
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.pods.offers import image_for, range_errors
from primepods_magic.pods.spec.spec import PodSpec

__all__ = [
    "SIZES",
    "Bounds",
    "Form",
    "bounds",
    "can_be_attached",
    "fitted",
    "limits_of",
    "problems_of",
    "spec_fields",
    "variable_problem",
]

SIZES = {"disk": "disk_gb", "vcpus": "vcpus", "memory": "memory_gb"}
"""What an offer lets one choose how much of, by the name in a spec, and its name in the form."""

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# An offer without a greatest number has one that nobody reaches.
_ENDLESS = 1_000_000


@dataclass(frozen=True)
class Bounds:
    """How much of something an offer lets one choose.

    Parameters
    ----------
    least, most, step, default : int
        In GB, or a number of vCPUs.
    is_fixed : bool
        It has what it has.
    words : str
        That for a person: ``20 to 1000 GB, in steps of 10``.
    """

    least: int
    most: int
    step: int
    default: int
    is_fixed: bool
    words: str


@dataclass(frozen=True)
class Form:
    """What was typed and chosen. A secret is not in it, only the name of the variable that holds it.

    Parameters
    ----------
    name : str
        The pod's name; where empty, one is made from the rest.
    image, template : str
        The software: one of the offer's images, or a template of the user's.
    disk_gb, vcpus, memory_gb : int, optional
        ``None`` is what the offer comes with.
    env : mapping of str to str
        Environment variables: what stands in a cell for each value, such as ``${HF_TOKEN}``.
    jupyter_password : str
        What stands in a cell for the password; without one the image decides.
    ssh_key_id : str
        The key that can log in, else the account's primary one.
    disks : tuple of str
        The ids of disks to attach.
    team : str
        The team that is billed, else whom the settings say.
    auto_restart : bool
        Start again after an error.
    """

    name: str = ""
    image: str = ""
    template: str = ""
    disk_gb: int | None = None
    vcpus: int | None = None
    memory_gb: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    jupyter_password: str = ""
    ssh_key_id: str = ""
    disks: tuple[str, ...] = ()
    team: str = ""
    auto_restart: bool = False


def bounds(limits: ResourceLimits, unit: str) -> Bounds | None:
    """How much of something can be chosen; ``None`` where the offer says nothing of it.

    Parameters
    ----------
    limits : ResourceLimits
        What the offer says.
    unit : str
        ``GB``, or what is counted.

    Examples
    --------
    >>> bounds(ResourceLimits(min_count=20, default_count=200, max_count=1000, step=10), "GB").words
    '20 to 1000 GB, in steps of 10'
    """
    least, most, default = limits.min_count, limits.max_count, limits.default_count
    if default is None and least is None:
        return None
    default = int(default if default is not None else least or 0)
    if (least is None and most is None) or least == most:
        return Bounds(default, default, 1, default, True, "as the machine has it")
    # Whole numbers are asked for, and at least one.
    lowest = max(1, math.ceil(least or limits.step or 1))
    highest = max(lowest, math.floor(most) if most is not None else _ENDLESS)
    step = limits.step or 1
    # A control counts its steps from its least, and nowhere is said what the service counts from.
    on_grid = step == int(step) and (default - lowest) % step == 0
    upper = " or more" if most is None else f" to {highest}"
    words = f"{lowest}{upper} {unit}" + (f", in steps of {step:g}" if step > 1 else "")
    return Bounds(
        lowest, highest, max(1, int(step)) if on_grid else 1, min(max(default, lowest), highest), False, words
    )


def fitted(form: Form, offer: Offer, *, default_image: str = "") -> Form:
    """The form for another offer: what that cannot be goes back to what it comes with.

    Parameters
    ----------
    form : Form
        As it was.
    offer : Offer
        What was chosen now.
    default_image : str
        The image to begin with, where the offer has it.
    """
    wanted = form.image or default_image
    is_had = wanted in offer.images or (wanted and not offer.images)
    image = wanted if is_had else image_for(offer, PodSpec())
    if offer.images and image not in offer.images:
        image = offer.images[0]
    sizes: dict[str, Any] = {}
    for name, limits in limits_of(offer).items():
        size = getattr(form, SIZES[name])
        sizes[SIZES[name]] = None if range_errors(name, size, limits) else size
    return replace(form, image=image, **sizes)


def limits_of(offer: Offer) -> dict[str, ResourceLimits]:
    """What an offer says of each size, by the name in a spec."""
    return {"disk": offer.disk, "vcpus": offer.vcpu, "memory": offer.memory}


def can_be_attached(disk: Disk, offer: Offer) -> bool:
    """Whether a disk is where the offer is; where either does not say, the service decides."""
    pairs = ((disk.provider_type, offer.provider), (disk.info.data_center_id, offer.data_center))
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


def problems_of(form: Form, offer: Offer, disks: Iterable[Disk] = ()) -> dict[str, str]:
    """What is wrong with a form, in words, by the field.

    Parameters
    ----------
    form : Form
        The form.
    offer : Offer
        What was chosen.
    disks : iterable of Disk
        The account's disks, as far as they are known.
    """
    problems = {}
    if form.image == TEMPLATE_IMAGE and not form.template.strip():
        problems["template"] = "a template of yours is needed here: its id"
    elif offer.images and form.image not in offer.images:
        problems["image"] = f"this offer does not have the image {sanitize(form.image)}"
    for name, limits in limits_of(offer).items():
        size = getattr(form, SIZES[name])
        wrong = range_errors(name, size, limits)
        if wrong or (size is not None and size < 1):
            problems[SIZES[name]] = wrong[0] if wrong else f"{name} is at least 1"
    elsewhere = [
        str(disk.name or disk.id)
        for disk in disks
        if disk.id in form.disks and not can_be_attached(disk, offer)
    ]
    if elsewhere:
        problems["disks"] = f"{join_sanitized(elsewhere)} cannot be attached there: another place"
    return problems


def variable_problem(name: str) -> str:
    """What is wrong with the name of an environment variable; empty where nothing is.

    >>> variable_problem("2ND")
    'a name is letters, digits and _, and does not begin with a digit'
    """
    if _VARIABLE_NAME.fullmatch(name):
        return ""
    if not name:
        return "give the variable a name first"
    return "a name is letters, digits and _, and does not begin with a digit"


def spec_fields(form: Form, offer: Offer, max_price_usd_hr: float) -> dict[str, object]:
    """The form as the fields of a spec, in the order of a cell; what the offer comes with is left out.

    Parameters
    ----------
    form : Form
        The form.
    offer : Offer
        What was chosen.
    max_price_usd_hr : float
        What was quoted; nothing above it is agreed to.
    """
    fields: dict[str, object] = {
        "name": form.name.strip(),
        "gpu": offer.gpu_type,
        "count": offer.gpu_count,
        "provider": offer.provider,
        "cloud_id": offer.cloud_id,
        "data_center_id": offer.data_center,
        "country": offer.country,
        "security": offer.security if offer.security in SECURITIES else None,
        "socket": offer.socket,
        "image": form.image,
        "template": form.template.strip() if form.image == TEMPLATE_IMAGE else "",
        "disk": form.disk_gb,
        "vcpus": form.vcpus,
        "memory": form.memory_gb,
        "ssh_key_id": form.ssh_key_id,
        "disks": list(form.disks),
        "team": form.team,
        "auto_restart": form.auto_restart or None,
        "max_price": max_price_usd_hr or None,
    }
    literal = {name: _literal(value) for name, value in fields.items()}
    # What a reference stands for is filled in here, and nowhere else.
    asked = {**literal, "env": dict(form.env), "jupyter_password": form.jupyter_password}
    return {name: value for name, value in asked.items() if value not in (None, "", [], {})}


def _literal(value: object) -> object:
    """A value in which nothing is filled in."""
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value
