"""How far an installation is: a percentage in whichever form, and never one that cannot be read."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from .lenient_types import is_no_value, number_in

__all__ = ["Percent", "percent_in", "with_installation"]

_LONGEST = 40
_PERCENT = re.compile(r"([^%]+?) ?(?:%|percent|pct)", re.IGNORECASE)
_SHARE = re.compile(r"(.+?) ?(?:/|\bof\b) ?([^%]+?)(?: ?%)?", re.IGNORECASE)


def percent_in(value: object) -> float | None:
    """A percentage, also as text with its sign or as a share of a whole.

    >>> percent_in(20), percent_in("20 %"), percent_in("5/20"), percent_in("almost")
    (20.0, 20.0, 25.0, None)
    """
    if not isinstance(value, str):
        return number_in(value)
    if len(value) > _LONGEST:
        return None
    text = " ".join(value.split())
    percent = _PERCENT.fullmatch(text)
    share = _SHARE.fullmatch(text)
    if share:
        part, whole = number_in(share[1].removesuffix("%")), number_in(share[2])
        return part / whole * 100 if part is not None and whole is not None and whole > 0 else None
    return number_in(percent[1] if percent else text)


def with_installation(said: dict[str, Any]) -> dict[str, Any]:
    """Return what was said of a pod, in which a progress that cannot be read takes the place of a missing
    status: it is shown, and it does not count as missing too, for then the pod would be ready."""
    progress = said.get("installationProgress", said.get("installation_progress"))
    status = said.get("installationStatus", said.get("installation_status"))
    if not is_no_value(status) or is_no_value(progress) or percent_in(progress) is not None:
        return said
    return {**said, "installationStatus": progress}


Percent = Annotated[float | None, BeforeValidator(percent_in)]
