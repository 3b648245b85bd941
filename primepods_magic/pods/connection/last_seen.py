"""How many pods were running when last seen: a small note on this computer, so that loading the extension can
say it at once and without a network."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import time
from pathlib import Path
from typing import Any

from primepods_magic.api.local.atomic_files import read_plain_file, write_atomically
from primepods_magic.api.local.folders import find_folder
from primepods_magic.api.text.money import format_usd_hr

__all__ = ["greeting", "note_seen"]

_KEPT_S = 90 * 86_400
_FRESH_S = 60.0
_FILE_NAME = "last_seen.json"


def note_seen(account: str, pods: int, burn_usd_hr: float, *, is_sandbox: bool) -> None:
    """Keep what was seen of an account's own live pods. Where it cannot be written, nothing happens.

    Parameters
    ----------
    account : str
        Whose; only a digest of it is kept.
    pods : int
        How many of mine live.
    burn_usd_hr : float
        What they cost an hour, in USD.
    is_sandbox : bool
        They are simulated.
    """
    folder = find_folder("state")
    if folder is None:
        return
    path = folder / _FILE_NAME
    key = hashlib.sha256(account.encode()).hexdigest()[:16]
    now = time.time()
    kept = {name: note for name, note in _read_notes(path).items() if now - note["seen_at"] < _KEPT_S}
    before = kept.pop(key, None)
    if pods:
        kept[key] = {"pods": pods, "usd_hr": round(burn_usd_hr, 4), "sandbox": is_sandbox, "seen_at": now}
    elif before is None:
        return
    if before and pods and now - before["seen_at"] < _FRESH_S and {**before, "seen_at": now} == kept[key]:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, json.dumps(kept))


def greeting() -> str | None:
    """One line where pods were running when last seen: how many, what they cost and how long ago; ``None``
    where there were none. Billed pods come first: of a sandbox's nothing is said beside them.

    Examples
    --------
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
    where = "" if billed else " in the sandbox"
    ago = _format_age(time.time() - max(note["seen_at"] for note in shown))
    shows = "shows it" if count == 1 else "shows them"
    return f"{subject} running{where} when last seen {ago}: {rate}. '%pods ls' {shows}"


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
    # A file that was meddled with may hold NaN, which no arithmetic here survives.
    return {key: note for key, note in notes.items() if math.isfinite(note["usd_hr"] + note["seen_at"])}
