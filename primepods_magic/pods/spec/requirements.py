"""Minimum requirements of a spec, and the amounts of an offer that they are compared with."""

from __future__ import annotations

import re

from primepods_magic.api.models import Offer, PodDetails

from .spec import PodSpec

__all__ = ["is_below_vram", "list_shortfalls", "read_total_vram_gb", "read_vram_gb"]

_MEMORY_IN_TYPE = re.compile(r"_([0-9]{1,6})GB(?![A-Za-z0-9])")


def read_vram_gb(gpu_type: str | None) -> float | None:
    """Return the memory of one GPU in GB as its type names it, or None.

    >>> read_vram_gb("H100_80GB"), read_vram_gb("CPU_NODE")
    (80.0, None)
    """
    match = _MEMORY_IN_TYPE.search(gpu_type or "")
    return float(match[1]) if match else None


def read_total_vram_gb(offer: Offer) -> float | None:
    """Return the memory of all GPUs of an offer in GB, or None.

    If the type does not name it, the stated amount counts once: some providers state that of all GPUs.
    """
    vram_gb = read_vram_gb(offer.gpu_type)
    if vram_gb is None or not offer.gpu_count:
        return offer.gpu_memory or None
    return vram_gb * offer.gpu_count


def list_shortfalls(offer: Offer, spec: PodSpec) -> list[str]:
    """List which minimums of a spec an offer is below; an unknown amount is below any minimum.

    An amount that the spec asks for, such as ``memory``, counts instead of what the machine comes with.
    """
    total_gb = read_total_vram_gb(offer)
    vram_gb = total_gb / offer.gpu_count if total_gb and offer.gpu_count else None
    rows = (
        ("GPU memory", " GB", spec.min_vram_gb, vram_gb),
        ("total GPU memory", " GB", spec.min_total_vram_gb, total_gb),
        ("memory", " GB", spec.min_memory_gb, spec.memory or offer.memory.default_count),
        ("vcpus", "", spec.min_vcpus, spec.vcpus or offer.vcpu.default_count),
        ("disk", " GB", spec.min_disk_gb, spec.disk_size or offer.disk.default_count),
    )
    return [
        f"{name} is {'not stated' if has is None else f'{has:g}{unit}'}, not at least {wanted}{unit}"
        for name, unit, wanted, has in rows
        if wanted is not None and (has is None or has < wanted)
    ]


def is_below_vram(pod: PodDetails, spec: PodSpec) -> bool:
    """Return whether the GPUs of a pod are known to have less memory than a spec asks for."""
    vram_gb = read_vram_gb(pod.gpu_name)
    if vram_gb is None:
        return False
    total_gb = vram_gb * (pod.total_gpus or 0)
    return vram_gb < (spec.min_vram_gb or 0) or 0 < total_gb < (spec.min_total_vram_gb or 0)
