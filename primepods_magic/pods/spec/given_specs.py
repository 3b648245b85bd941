"""Forms of a spec that a launch in Python takes: a `PodSpec`, its fields, its text, or a GPU type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.validation.bounds import check_kind

from .fields import FIELD_OF_KEY
from .spec import (
    PodSpec,
    parse_specs,
    spec_from_mapping,
    specs_from_mapping,
    with_own_names,
)

__all__ = ["GivenSpec", "read_one_spec", "read_specs"]

GivenSpec: TypeAlias = PodSpec | Mapping[str, object] | str
"""A spec, its fields, its text as in a ``%%pod_create`` cell, or a GPU type."""

_ONE_FORM = (
    "a GPU type or the fields of one pod, such as launch('H100_80GB'), launch(gpu='H100_80GB') or "
    "launch({'gpu': 'H100_80GB'})"
)
_FORM = "a list with the fields of each pod, such as [{'gpu': 'L4_24GB', 'name': 'a'}]"
# A body has keys, lines or braces; no GPU type does.
_BODY = re.compile(r"[:\n{\[#]|^\s*-\s")


def read_one_spec(given: GivenSpec | None, fields: Mapping[str, Any]) -> PodSpec:
    r"""Return the spec of one pod; a GPU type may have other fields beside it.

    >>> read_one_spec("H100_80GB", {"name": "a"}) == read_one_spec("gpu: H100_80GB\nname: a", {})
    True
    """
    check_kind("spec", given, is_right=isinstance(given, (PodSpec, Mapping, str)), form=_ONE_FORM)
    is_gpu = isinstance(given, str) and not _BODY.search(given)
    if is_gpu and any(key in FIELD_OF_KEY and FIELD_OF_KEY[key].key == "gpu" for key in fields):
        raise InvalidRequest("The GPU type is given twice. Nothing was sent")
    if is_gpu:
        return spec_from_mapping({"gpu": given, **fields})
    if given is not None and fields:
        raise InvalidRequest(f"Pass a spec or fields ({', '.join(fields)}), not both. Nothing was sent")
    if isinstance(given, PodSpec):
        return given
    if not isinstance(given, str):
        return spec_from_mapping(fields if given is None else given)
    specs = parse_specs(given)
    if len(specs) != 1:
        raise InvalidRequest(f"This describes {len(specs)} pods. Pass it to launch_many. Nothing was sent")
    return specs[0]


def read_specs(given: Iterable[GivenSpec] | GivenSpec) -> list[PodSpec]:
    """Return the specs of several pods; a single one needs no list.

    >>> [spec.gpu_type for spec in read_specs(["H100_80GB", {"gpu": "L4_24GB"}])]
    ['H100_80GB', 'L4_24GB']
    """
    # A mapping is iterable, and so is a spec: one of them is one pod.
    each = [given] if isinstance(given, (PodSpec, Mapping, str)) else given
    if isinstance(each, bytes) or not isinstance(each, Iterable):
        raise InvalidRequest(f"'specs' must be {_FORM}, not a {type(given).__name__}. Nothing was sent")
    wanted: list[PodSpec] = []
    for spec in each:
        if isinstance(spec, str):
            wanted += parse_specs(spec) if _BODY.search(spec) else [spec_from_mapping({"gpu": spec})]
        elif isinstance(spec, (PodSpec, Mapping)):
            wanted += [spec] if isinstance(spec, PodSpec) else specs_from_mapping(spec)
        else:
            raise InvalidRequest(f"'specs' must be {_FORM}; one is a {type(spec).__name__}. Nothing was sent")
    return with_own_names(wanted)
