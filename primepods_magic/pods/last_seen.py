"""How many pods were running when last seen: a small note on this computer, so that loading the extension can
say it at once and without a network."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

__all__ = ["greeting", "note_seen"]

_KEPT_S = 90 * 86_400
_FRESH_S = 60.0


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
    path = _path()
    key = hashlib.sha256(account.encode()).hexdigest()[:16]
    now = time.time()
    kept = {name: note for name, note in _read(path).items() if now - note["seen_at"] < _KEPT_S}
    before = kept.pop(key, None)
    if pods:
        kept[key] = {"pods": pods, "usd_hr": round(burn_usd_hr, 4), "sandbox": is_sandbox, "seen_at": now}
    elif before is None:
        return
    if before and pods and now - before["seen_at"] < _FRESH_S and {**before, "seen_at": now} == kept[key]:
        return
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside.write_text(json.dumps(kept), encoding="utf-8")
        beside.replace(path)


def greeting() -> str | None:
    """One line where pods were running when last seen: how many, what they cost and how long ago; ``None``
    where there were none. Billed pods come first: of a sandbox's nothing is said beside them.

    Examples
    --------
    >>> greeting()                                                           # doctest: +SKIP
    "2 pods were running when last seen 3 h ago: $4.78/h. '%pods ls' shows them"
    """
    notes = list(_read(_path()).values())
    billed = [note for note in notes if not note["sandbox"]]
    shown = billed or notes
    if not shown:
        return None
    count = sum(note["pods"] for note in shown)
    rate = f"${sum(note['usd_hr'] for note in shown):.2f}/h" + ("" if billed else ", simulated")
    subject = "1 pod was" if count == 1 else f"{count} pods were"
    where = "" if billed else " in the sandbox"
    ago = _ago(time.time() - max(note["seen_at"] for note in shown))
    shows = "shows it" if count == 1 else "shows them"
    return f"{subject} running{where} when last seen {ago}: {rate}. '%pods ls' {shows}"


def _ago(seconds: float) -> str:
    for unit, length_s in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length_s:
            return f"{seconds // length_s:.0f} {unit} ago"
    return "just now"


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(key): {
                "pods": int(note["pods"]),
                "usd_hr": float(note["usd_hr"]),
                "sandbox": bool(note["sandbox"]),
                "seen_at": float(note["seen_at"]),
            }
            for key, note in raw.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _path() -> Path:
    import platformdirs

    try:
        return Path(platformdirs.user_state_dir("primepods_magic")) / "last_seen.json"
    except RuntimeError:
        # Without a home there is nowhere to keep it.
        return Path(os.devnull) / "last_seen.json"
