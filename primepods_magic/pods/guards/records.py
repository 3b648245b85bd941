"""Records of the guards of this computer: one file for each pod, and a log of how pods ended.

Only the guard process writes them; kernels read them without a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from primepods_magic.api.errors import PodsError
from primepods_magic.api.local.atomic_files import append_line, read_plain_file, take_file, write_atomically
from primepods_magic.api.local.folders import find_folder, make_folder
from primepods_magic.api.text.sanitize import shorten
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.pods.audit import note_end_on_pod
from primepods_magic.pods.connection.base import BaseConnection

from .rules import GuardRules, Place, RuleName

__all__ = [
    "GuardRecord",
    "Verdict",
    "add_news",
    "count_damaged",
    "delete_record",
    "find_account_folder",
    "find_record",
    "has_guards",
    "list_records",
    "list_verdicts",
    "log_verdict",
    "read_due_times",
    "read_guards",
    "read_model",
    "read_record",
    "take_news",
    "write_record",
]

_FOLDER = "guards"
_LOG = "log.jsonl"
_NEWS = "news.txt"
_MAX_NEWS_BYTES = 1 << 16
_MAX_NEWS_LINES = 50
_MAX_LINE_CHARS = 4000
_MAX_LOG_BYTES = 4 << 20
_MAX_RECORD_BYTES = 1 << 20
_M = TypeVar("_M", bound=BaseModel)


class GuardRecord(ShortRepr, BaseModel):
    """The guard of one pod.

    ``state`` is "armed" once a test fire from where the guard runs has succeeded and while none has failed
    since, "unproven" otherwise, with the ``trouble``; "ending" from the first step of the end. ``due_at`` is
    when the pod would end by ``due_rule``, as things are, and ``why`` says why then.
    """

    model_config = ConfigDict(frozen=True)

    pod_id: str
    pod: str
    rules: GuardRules
    where: Place = "here"
    state: Literal["armed", "unproven", "ending"] = "unproven"
    armed_at: AwareDatetime | None = None
    created_at: AwareDatetime | None = None
    tested_at: AwareDatetime | None = None
    checked_at: AwareDatetime | None = None
    held_until: AwareDatetime | None = None
    unsaved_until: AwareDatetime | None = None
    """Until when it is kept, whatever its rules, because saving failed once."""
    due_at: AwareDatetime | None = None
    due_rule: RuleName | None = None
    why: str = ""
    trouble: str = ""
    has_warned: bool = False
    step: str = ""
    unsaved: str = ""
    """What could not be saved before the end that is under way."""

    __repr__ = ShortRepr.__repr__


class Verdict(ShortRepr, BaseModel):
    """The end of a guarded pod, or the reason why it was kept; times are the service's (UTC)."""

    model_config = ConfigDict(frozen=True)

    pod_id: str
    pod: str
    at: AwareDatetime
    rule: RuleName | None = None
    outcome: str
    why: str = ""
    due_at: AwareDatetime | None = None
    where: Place = "here"
    created_at: AwareDatetime | None = None
    billed_usd: float | None = None
    estimated_usd: float | None = None
    saved: tuple[str, ...] = ()

    __repr__ = ShortRepr.__repr__


def has_guards() -> bool:
    """Return whether a guard was ever armed on this computer, for any account."""
    state = find_folder("state")
    try:
        return state is not None and (state / _FOLDER).is_dir()
    except OSError:
        return False


def find_account_folder(connection: BaseConnection) -> Path | None:
    """Return the folder for the guards of an account, or None without a home; it may not exist."""
    state = find_folder("state")
    return state and state / _FOLDER / sha256(connection.account.encode()).hexdigest()[:16]


def write_record(folder: Path, record: GuardRecord) -> None:
    """Write a record; raise OSError if that fails."""
    path = _record_path(folder, record.pod_id)
    make_folder(path.parent)
    write_atomically(path, record.model_dump_json(), is_durable=True)


def read_record(folder: Path, pod_id: str) -> GuardRecord | None:
    """Return the record of a pod's guard, or None if there is none."""
    return read_model(GuardRecord, _record_path(folder, pod_id))


def find_record(connection: BaseConnection, pod_id: str | None) -> GuardRecord | None:
    """Return the record of the guard of a pod of an account, or None if there is none."""
    folder = find_account_folder(connection)
    return read_record(folder, pod_id or "") if folder else None


def delete_record(folder: Path, pod_id: str) -> None:
    """Delete the record of a pod's guard, if there is one."""
    with suppress(OSError):
        _record_path(folder, pod_id).unlink()


def list_records(folder: Path | None) -> list[GuardRecord]:
    """Return all records of an account, the earliest first."""
    return sorted(_iterate_records(folder), key=lambda record: (str(record.armed_at), record.pod_id))


def read_guards(connection: BaseConnection) -> list[GuardRecord]:
    """Return the guards of an account as their process has last noted them; none if that is not known."""
    try:
        return list_records(find_account_folder(connection)) if has_guards() else []
    except PodsError:
        return []


def read_due_times(connection: BaseConnection) -> dict[str, datetime]:
    """Return when guards end pods, as things are, by pod id."""
    return {guard.pod_id: guard.due_at for guard in read_guards(connection) if guard.due_at is not None}


def count_damaged(folder: Path) -> int:
    """Return how many records of guards cannot be read."""
    try:
        return sum(read_model(GuardRecord, path) is None for path in (folder / "pods").glob("*.json"))
    except OSError:
        return 0


def _iterate_records(folder: Path | None) -> Iterator[GuardRecord]:
    with suppress(OSError):
        for path in (folder / "pods").glob("*.json") if folder else ():
            record = read_model(GuardRecord, path)
            if record is not None:
                yield record


def _record_path(folder: Path, pod_id: str) -> Path:
    # Ids come from the service, and are no names of files.
    return folder / "pods" / f"{sha256(pod_id.encode('utf-8', 'replace')).hexdigest()[:24]}.json"


def read_model(kind: type[_M], path: Path) -> _M | None:
    """Return the record in a file, or None if there is none that can be read."""
    try:
        return kind.model_validate_json(read_plain_file(path, max_bytes=_MAX_RECORD_BYTES))
    except (OSError, ValidationError):
        return None


def log_verdict(folder: Path, verdict: Verdict) -> None:
    """Append a verdict to the log; the older half of a long log is dropped. Raise OSError if that fails."""
    make_folder(folder)
    path = folder / _LOG
    if verdict.where == "pod" and verdict.outcome == "ended":
        note_end_on_pod(verdict.pod_id, verdict.pod, verdict.rule, verdict.billed_usd)
    if append_line(path, verdict.model_dump_json().encode()) > _MAX_LOG_BYTES:
        lines = read_plain_file(path, max_bytes=2 * _MAX_LOG_BYTES).splitlines(keepends=True)
        write_atomically(path, b"".join(lines[len(lines) // 2 :]))


def list_verdicts(folder: Path | None) -> list[Verdict]:
    """Return the verdicts of an account, the earliest first."""
    try:
        lines = read_plain_file(folder / _LOG, max_bytes=2 * _MAX_LOG_BYTES).splitlines() if folder else []
    except OSError:
        return []
    verdicts = []
    for line in filter(None, lines):
        with suppress(ValidationError):
            verdicts.append(Verdict.model_validate_json(line))
    return verdicts


def add_news(folder: Path, text: str) -> None:
    """Keep a line for the next command of a person; raise OSError if that fails."""
    make_folder(folder)
    text = shorten(text, _MAX_LINE_CHARS)
    if append_line(folder / _NEWS, text.encode("utf-8", "replace")) > _MAX_NEWS_BYTES:
        lines = take_file(folder / _NEWS).splitlines()
        write_atomically(folder / _NEWS, b"\n".join(lines[len(lines) // 2 :]))


def take_news(folder: Path | None) -> list[str]:
    """Return the newest lines that no command has shown yet, and forget them."""
    try:
        content = take_file(folder / _NEWS, max_bytes=2 * _MAX_NEWS_BYTES) if folder else b""
    except OSError:
        return []
    lines = content.decode("utf-8", "replace").split("\n")
    news = [line for line in lines if line.strip()]
    left_out = len(news) - _MAX_NEWS_LINES
    more = [f"{left_out} earlier messages. '%pods guard --log' shows how pods have ended"]
    return [*(more if left_out > 0 else ()), *news[-_MAX_NEWS_LINES:]]
