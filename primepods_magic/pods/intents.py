"""Launches that are under way: a note per name on this computer, written before the request leaves.

A kernel may be killed after the service has acted and before the answer is read. The note lets the next
launch of the name look for that pod instead of renting a second one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

__all__ = ["Intent", "IntentFile", "launch_path"]

_KEPT_S = 30 * 86_400


@dataclass(frozen=True)
class Intent:
    """A create that was, or was about to be, sent. Holds no secret.

    Parameters
    ----------
    name : str
        The pod's name.
    team_id : str, optional
        Which team is billed.
    gpu_type, gpu_count :
        What was asked for; the pod that comes of it has them.
    digest : str
        Of the spec, to tell the same launch run again from another one.
    known_ids : tuple of str
        Pods of this name that were there before, live or ended.
    sent_at : datetime
        When, by the service's clock (UTC).
    pod_id : str, optional
        The pod that came of it, once that is known.
    is_delivered : bool
        Whoever launched it was told.
    """

    name: str
    team_id: str | None
    gpu_type: str
    gpu_count: int
    digest: str
    known_ids: tuple[str, ...]
    sent_at: datetime
    pod_id: str | None = None
    is_delivered: bool = False


# Where nothing can be written, a launch run again in the same process still finds its intent here.
_unwritten: dict[Path, Intent] = {}


class IntentFile:
    """The note about one name; to be read and written by whoever holds the name's lock.

    Parameters
    ----------
    account : str
        Whose name it is.
    name : str
        The name.
    """

    def __init__(self, account: str, name: str) -> None:
        self._path = launch_path(account, name, ".json")

    def read(self) -> Intent | None:
        """The intent, or ``None`` where there is none that can be read."""
        try:
            raw = json.loads(self._path.read_text(encoding="utf-8"))
            known_ids = tuple(str(known) for known in raw["known_ids"])
            sent_at = datetime.fromisoformat(raw["sent_at"])
            return Intent(**{**raw, "known_ids": known_ids, "sent_at": sent_at})
        except (OSError, ValueError, TypeError, KeyError):
            return _unwritten.get(self._path)

    def write(self, intent: Intent) -> bool:
        """Keep the intent so that it survives the process and a power cut; false where that cannot be."""
        text = json.dumps({**asdict(intent), "sent_at": intent.sent_at.isoformat()})
        beside = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _forget_old(self._path.parent)
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError:
            _unwritten[self._path] = intent
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            return False
        return True

    def clear(self) -> None:
        """Forget the intent: nothing came of it, or nothing can any more."""
        _unwritten.pop(self._path, None)
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def launch_path(account: str, name: str, suffix: str) -> Path:
    """Where a file about launching one name in one account is."""
    import platformdirs

    digest = hashlib.sha256(f"{account}\n{name}".encode("utf-8", "replace")).hexdigest()[:32]
    try:
        state = Path(platformdirs.user_state_dir("primepods_magic"))
    except RuntimeError:
        # Without a home there is nowhere to write; nothing can be made below a device either.
        state = Path(os.devnull)
    return state / "launching" / f"{digest}{suffix}"


def _forget_old(folder: Path) -> None:
    # Lock files stay: removing one that is being waited for would let two hold it.
    for path in folder.glob("*.json"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _KEPT_S:
                path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
