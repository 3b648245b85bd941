"""Installation progress: a percentage in any form; an unreadable one is not dropped."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from .lenient_types import is_no_value, number_in

__all__ = ["Percent", "percent_in", "with_installation"]

_MAX_CHARS = 40
_PERCENT = re.compile(r"([^%]+?) ?(?:%|percent|pct)", re.IGNORECASE)
_SHARE = re.compile(r"(.+?) ?(?:/|\bof\b) ?([^%]+?)(?: ?%)?", re.IGNORECASE)


def percent_in(value: object) -> float | None:
    """Read a percentage, also from text such as "20 %" or "5/20".

    >>> percent_in(20), percent_in("20 %"), percent_in("5/20"), percent_in("almost")
    (20.0, 20.0, 25.0, None)
    """
    if not isinstance(value, str):
        return number_in(value)
    if len(value) > _MAX_CHARS:
        return None
    text = " ".join(value.split())
    percent = _PERCENT.fullmatch(text)
    share = _SHARE.fullmatch(text)
    if share:
        part, whole = number_in(share[1].removesuffix("%")), number_in(share[2])
        return part / whole * 100 if part is not None and whole is not None and whole > 0 else None
    return number_in(percent[1] if percent else text)


def with_installation(pod: dict[str, Any]) -> dict[str, Any]:
    """Use an unreadable progress as a missing status: without both, the pod would count as ready."""
    progress = pod.get("installationProgress", pod.get("installation_progress"))
    status = pod.get("installationStatus", pod.get("installation_status"))
    if not is_no_value(status) or is_no_value(progress) or percent_in(progress) is not None:
        return pod
    return {**pod, "installationStatus": progress}


Percent = Annotated[float | None, BeforeValidator(percent_in)]
