"""A file with the number of pods last seen running, shown at load time without a request."""

from __future__ import annotations

import contextlib
import json
import math
import time
from pathlib import Path
from typing import Any

from primepods_magic.api.local.atomic_files import read_plain_file, write_atomically
from primepods_magic.api.local.folders import find_folder, make_folder
from primepods_magic.api.text.money import format_usd_hr

__all__ = ["greeting", "note_seen"]

_KEPT_S = 90 * 86_400
_FRESH_S = 60.0
_FILE_NAME = "last_seen.json"


def note_seen(account: str, pods: int, burn_usd_hr: float, *, is_sandbox: bool) -> None:
    """Store how many of an account's own pods are live and their rate; do nothing if that fails.

    Only a digest of the account is stored.
    """
    folder = find_folder("state")
    if folder is None:
        return
    import hashlib

    path = folder / _FILE_NAME
    key = hashlib.sha256(account.encode()).hexdigest()[:16]
    now = time.time()
    notes = {name: note for name, note in _read_notes(path).items() if now - note["seen_at"] < _KEPT_S}
    previous = notes.pop(key, None)
    if pods:
        notes[key] = {"pods": pods, "usd_hr": round(burn_usd_hr, 4), "sandbox": is_sandbox, "seen_at": now}
    elif previous is None:
        return
    if (
        previous
        and pods
        and now - previous["seen_at"] < _FRESH_S
        and {**previous, "seen_at": now} == notes[key]
    ):
        return
    with contextlib.suppress(OSError):
        make_folder(path.parent)
        write_atomically(path, json.dumps(notes))


def greeting() -> str | None:
    """Return one line about pods that were running when last seen, or None if there were none.

    Sandbox pods are mentioned only if there are no billed ones.

    >>> greeting()                                                           # doctest: +SKIP
    "2 pods were running when last seen 3 h ago: $4.78/h. '%pods ls' shows them"
    """
    folder = find_folder("state")
    notes = list(_read_notes(folder / _FILE_NAME).values()) if folder else []
    billed = [note for note in notes if not note["sandbox"]]
    shown = billed or notes
    if not shown:
        return None
    count = sum(note["pods"] for note in shown)
    rate = format_usd_hr(sum(note["usd_hr"] for note in shown)) + ("" if billed else ", simulated")
    subject = "1 pod was" if count == 1 else f"{count} pods were"
    suffix = "" if billed else " in the sandbox"
    ago = _format_age(time.time() - max(note["seen_at"] for note in shown))
    shows = "shows it" if count == 1 else "shows them"
    # A person comes back to a pod of the sandbox and finds nothing of what was on it.
    gone = "" if billed else "; what was on a sandbox's machines ended with the kernel that started it"
    return f"{subject} running{suffix} when last seen {ago}: {rate}. '%pods ls' {shows}{gone}"


def _format_age(seconds: float) -> str:
    for unit, length_s in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length_s:
            return f"{seconds // length_s:.0f} {unit} ago"
    return "just now"


def _read_notes(path: Path) -> dict[str, dict[str, Any]]:
    try:
        raw = json.loads(read_plain_file(path))
        notes = {
            str(key): {
                "pods": int(note["pods"]),
                "usd_hr": float(note["usd_hr"]),
                "sandbox": bool(note["sandbox"]),
                "seen_at": float(note["seen_at"]),
            }
            for key, note in raw.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return {}
    # An edited file may hold NaN, which the arithmetic here cannot handle.
    return {key: note for key, note in notes.items() if math.isfinite(note["usd_hr"] + note["seen_at"])}
