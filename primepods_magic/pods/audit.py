"""The audit log: what was rented and ended from this computer, by whichever front end.

It is a file of JSON lines for all accounts, and one older file. A line is appended by one write, and holds no
secret: no key, no environment value, no command and no message of the service. Problems with the file never
stop a launch or a termination.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from primepods_magic.api.local.atomic_files import append_line, read_plain_file, rotate_file
from primepods_magic.api.local.folders import find_folder, make_folder
from primepods_magic.api.text.python_words import spoken_words
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.api.text.short_repr import ShortRepr

if TYPE_CHECKING:
    from primepods_magic.api.disks import Disk
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["AuditEntry", "AuditEvent", "note_end_on_pod", "note_event", "read_audit"]

logger = logging.getLogger(__name__)

AuditEvent = Literal[
    "create sent",
    "created",
    "create refused",
    "create unknown",
    "found",
    "termination sent",
    "terminated",
    "termination refused",
    "termination unknown",
]

_FILE, _OLDER_FILE = "audit.jsonl", "audit-older.jsonl"
_MAX_BYTES = 2**20
_MAX_CHARS = 200
_REPEATED_WITHIN_S = 600.0
_FRONT_ENDS = {"magics": "notebook", "shell": "script", "python": "python"}

_lock = threading.Lock()
_latest: dict[tuple[str, str], tuple[str, float]] = {}
"""By pod and event, the detail of this process's latest entry, and when it was written."""


@dataclass(frozen=True, repr=False)
class AuditEntry(ShortRepr):
    """A step of a create or a termination.

    Attributes
    ----------
    at : datetime
        By the clock of this computer (UTC).
    event : str
        "create sent" and "termination sent" come before the request, the others after its outcome is known.
    service : str or None
        "live", or "sandbox", where no money is spent.
    host : str or None
        The service's host.
    kind : str
        "pod" or "disk".
    pod, pod_id, gpu : str or None
        Name and id of the pod or disk, and the type of its GPUs.
    gpu_count : int or None
    price_usd_hr : float or None
        Of a create that was sent, the quoted one.
    billed_usd : float or None
        What the service has billed for a pod that is gone.
    cause : str or None
        Why a pod was terminated, if no one asked for it.
    detail : str or None
        The kind of error, or what is known of a termination.
    front_end : str or None
        "notebook", "script", "guard", "kernel", or "python" for a program of yours.
    """

    at: AwareDatetime
    event: str
    service: str | None = None
    host: str | None = None
    pod: str | None = None
    pod_id: str | None = None
    gpu: str | None = None
    gpu_count: int | None = None
    price_usd_hr: float | None = None
    billed_usd: float | None = None
    cause: str | None = None
    detail: str | None = None
    front_end: str | None = None
    kind: str = "pod"


def note_event(
    connection: BaseConnection,
    event: AuditEvent,
    *,
    pod: PodDetails | None = None,
    disk: Disk | None = None,
    name: str | None = None,
    gpu: str | None = None,
    gpu_count: int | None = None,
    price_usd_hr: float | None = None,
    billed_usd: float | None = None,
    cause: str = "",
    detail: str = "",
) -> None:
    """Append an entry about a pod or disk, or a create that has none yet; never raise an Exception.

    A create of a disk has a ``disk`` without an id.
    """
    thing = pod or disk
    try:
        entry = AuditEntry(
            at=datetime.now(timezone.utc),
            event=event,
            service=connection.label,
            host=_clean_text(urlsplit(connection.settings.base_url).hostname),
            kind="disk" if disk else "pod",
            pod=_clean_text(thing.name if thing else name),
            pod_id=_clean_text(thing.id if thing else None),
            gpu=_clean_text(pod.gpu_name if pod else gpu),
            gpu_count=pod.total_gpus if pod else gpu_count,
            price_usd_hr=thing.price_hr if thing and price_usd_hr is None else price_usd_hr,
            billed_usd=billed_usd,
            cause=_clean_text(cause),
            detail=_clean_text(detail),
            front_end=_find_front_end(),
        )
        _append_entry(entry)
    except Exception:
        logger.debug("the audit log cannot be written to", exc_info=True)


def note_end_on_pod(pod_id: str, pod: str, rule: str | None, billed_usd: float | None) -> None:
    """Append that a guard on a pod has ended it; its other entries say at which service. Never raise."""
    try:
        known = [entry for entry in read_audit() if entry.pod_id == pod_id]
        now = datetime.now(timezone.utc)
        last = known[-1] if known else AuditEntry(now, "terminated", pod=_clean_text(pod), pod_id=pod_id)
        ended = replace(
            last,
            at=now,
            event="terminated",
            billed_usd=billed_usd,
            cause=f"guard on the pod: {rule or 'its rules'}",
            detail=None,
            front_end="guard",
        )
        _append_entry(ended)
    except Exception:
        logger.debug("the audit log cannot be written to", exc_info=True)


def read_audit() -> list[AuditEntry]:
    """Return the entries of all accounts on this computer, the latest last; damaged lines are left out."""
    folder = find_folder("state")
    entries = []
    for name in (_OLDER_FILE, _FILE) if folder else ():
        assert folder is not None
        try:
            lines = read_plain_file(folder / name).splitlines()
        except OSError:
            continue
        for line in filter(None, lines):
            try:
                entries.append(_entry_adapter().validate_json(line))
            except ValidationError:
                continue
    return sorted(entries, key=lambda entry: entry.at)


def _append_entry(entry: AuditEntry) -> None:
    folder = find_folder("state")
    if folder is None or _is_repeated(entry):
        return
    make_folder(folder)
    path = folder / _FILE
    line: bytes = _entry_adapter().dump_json(entry, exclude_none=True)
    if append_line(path, line) > _MAX_BYTES:
        rotate_file(path, Path(folder, _OLDER_FILE), max_bytes=_MAX_BYTES)


def _is_repeated(entry: AuditEntry) -> bool:
    """Return whether this process has just written the same: a guard tries again and again, for hours."""
    if entry.pod_id is None:
        return False
    key, now = (entry.pod_id, entry.event), time.monotonic()
    with _lock:
        detail, at_s = _latest.get(key, ("", -_REPEATED_WITHIN_S))
        if detail == (entry.detail or "") and now - at_s < _REPEATED_WITHIN_S:
            return True
        _latest[key] = (entry.detail or "", now)
    return False


@cache
def _entry_adapter() -> TypeAdapter[AuditEntry]:
    return TypeAdapter(AuditEntry)


def _clean_text(text: str | None) -> str | None:
    return shorten(sanitize(text), _MAX_CHARS) or None if text else None


def _find_front_end() -> str:
    """Return which front end this process is."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    parts = (getattr(spec, "name", None) or "").split(".")
    if "guards" in parts:
        return "guard"
    return "kernel" if "relay" in parts else _FRONT_ENDS[spoken_words()]
