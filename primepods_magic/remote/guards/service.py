"""The guard process: it answers kernels, and checks each guarded pod in turn."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import Listener, answer_challenge, deliver_challenge
from multiprocessing.context import AuthenticationError as WrongToken
from pathlib import Path
from typing import Any

from primepods_magic._version import __version__
from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.settings import Settings
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import open_connection
from primepods_magic.pods.guards.powers import find_obstacle
from primepods_magic.pods.guards.process import PROCESS_FILE, ProcessFile, answer_here, find_process
from primepods_magic.pods.guards.records import (
    GuardRecord,
    Verdict,
    add_news,
    count_damaged,
    delete_record,
    list_records,
    log_verdict,
    write_record,
)
from primepods_magic.pods.guards.rules import GuardRules, Place

from .alerts import STRANDED_S, AlertService
from .clock import GuardClock
from .due import Reading, find_due
from .notices import log_exception, reported_errors
from .remote_watch import RemoteWatch
from .watch import MAX_NAME_CHARS, PodWatch

__all__ = ["GuardService"]

_LIVE_INTERVAL_S = 30.0
_SANDBOX_INTERVAL_S = 0.5
_LOOK_UP_S = 8.0
_LINGER_S = 30.0
_FILE_INTERVAL_S = 1.0
_MAX_RECORD_CHARS = 200_000
_DAMAGED = (
    "{} records of guards cannot be read, so pods may have lost their guards. '%pods guard' lists those that "
    "have one"
)
_SOCKETS = "primepods-guard-"
_SHORTEST_WAIT_S = 0.2
_JOIN_S = 20.0


class GuardService:
    """Guards the pods of one account from this computer.

    Parameters
    ----------
    folder : Path
        The account's folder of records.
    settings : dict
        ``base_url``, ``api_key`` and ``team_id``.
    stays : bool
        Do not end when there is nothing to guard.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], *, stays: bool = False) -> None:
        self._folder = folder
        # Never held while the service or a pod is asked: all checks need it.
        self._lock = threading.RLock()
        self._choosing = threading.Lock()
        self._replaced: list[Connection] = []
        self._wake = threading.Event()
        self._listeners: list[Listener] = []
        self._is_ending = False
        self._stays = stays
        self._settings = settings
        self._connection = open_connection(_make_settings(settings))
        self._clock = GuardClock(self._connection)
        self._unreachable_since_s: float | None = None
        self._watches = {
            each.pod_id: self._make_watch(each, is_tested=False) for each in list_records(folder)
        }
        self._checking: dict[str, threading.Thread] = {}
        self._alerts = AlertService(folder, lambda: (self._connection, self._clock))
        self._idle_since_s = time.monotonic()

    def run(self) -> None:
        """Serve until no pod has had a guard, and no alert has watched, for a while."""
        token = secrets.token_bytes(32)
        with _make_socket_folder(self._folder) as sockets:
            file = ProcessFile(
                address=f"{sockets}/s", token=token.hex(), pid=os.getpid(), version=__version__
            )
            self._listen(file)
            # A launch that waited for stock has its guard here.
            answer_here(file, self._answer)
            if damaged := count_damaged(self._folder):
                with reported_errors():
                    add_news(self._folder, _DAMAGED.format(damaged))
            self._alerts.resume()
            file.write(self._folder)
            # Tell the kernel that has started this: from now on, the log has all output.
            os.dup2(2, 1)
            threading.Thread(target=self._keep_file_forever, args=(file,), daemon=True).start()
            while not self._should_end():
                self._wake.wait(self._check_safely())
                self._wake.clear()
            self._is_ending = True
            if ProcessFile.read(self._folder) == file:
                with suppress(OSError):
                    (self._folder / PROCESS_FILE).unlink()

    def _keep_file_forever(self, file: ProcessFile) -> None:
        """Keep the socket and the file by which kernels find this process; end if another has its place."""
        while not self._is_ending:
            time.sleep(_FILE_INTERVAL_S)
            if not os.path.exists(file.address):
                # Folders for temporary files are cleaned.
                with reported_errors():
                    self._listen(file)
            found = ProcessFile.read(self._folder)
            if found == file or not self._folder.is_dir() or self._is_ending:
                continue
            if found is not None and find_process(self._folder) is not None:
                self._do_stop()
                continue
            with reported_errors():
                file.write(self._folder)

    def _listen(self, file: ProcessFile) -> None:
        """Open the socket, in its folder, which may be gone."""
        folder = Path(file.address).parent
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
        listener = Listener(file.address)
        self._listeners.append(listener)
        threading.Thread(
            target=self._accept_forever, args=(listener, bytes.fromhex(file.token)), daemon=True
        ).start()

    def _should_end(self) -> bool:
        if self._watches or self._checking or self._alerts.is_busy:
            self._idle_since_s = time.monotonic()
        is_over = time.monotonic() - self._idle_since_s > _LINGER_S and not self._stays
        return self._is_ending or is_over or self._is_stranded() or not self._folder.is_dir()

    def _is_stranded(self) -> bool:
        """Return whether the sandbox has ended: its pods cost nothing, and a command starts this again."""
        since_s = self._unreachable_since_s
        is_long = since_s is not None and time.monotonic() - since_s > STRANDED_S
        return is_long and self._connection.is_sandbox

    # Checks

    def _check_safely(self) -> float:
        try:
            return self._check_all()
        except Exception:  # noqa: BLE001 - one mistake must not end all guards
            log_exception()
            return _LIVE_INTERVAL_S

    def _check_all(self) -> float:
        """Check all pods, each on a thread of its own; return the seconds until the next check."""
        interval_s = _SANDBOX_INTERVAL_S if self._connection.is_sandbox else _LIVE_INTERVAL_S
        with self._lock:
            self._checking = {i: thread for i, thread in self._checking.items() if thread.is_alive()}
            watches = [watch for i, watch in self._watches.items() if i not in self._checking]
        if watches:
            # Most are done at once; one that ends its pod goes on.
            self._start_checks(watches, wait_s=interval_s / 2)
        self._close_replaced()
        return self._find_wait_s(interval_s)

    def _start_checks(self, watches: Iterable[PodWatch], *, wait_s: float) -> None:
        """Check pods, each on a thread of its own, and wait for those that are done soon."""
        listed, threads = self._list_pods(), []
        for watch in watches:
            thread = threading.Thread(target=self._check_one, args=(watch, listed), daemon=True)
            thread.start()
            threads.append(thread)
            with self._lock:
                self._checking[watch.record.pod_id] = thread
        give_up_s = time.monotonic() + wait_s
        for thread in threads:
            thread.join(max(0.0, give_up_s - time.monotonic()))

    def _close_replaced(self) -> None:
        """Close earlier connections, once no check uses one: it may be saving files."""
        with self._lock:
            is_used = any(thread.is_alive() for thread in self._checking.values())
            replaced, self._replaced = ([], self._replaced) if is_used else (self._replaced, [])
        for connection in replaced:
            connection.close()

    def _list_pods(self) -> list[PodDetails] | PodsError:
        try:
            listed = self._connection.client.list_all_pods(
                budget_s=_LOOK_UP_S / (4 if self._connection.is_sandbox else 1)
            )
        except PodsError as error:
            if self._unreachable_since_s is None:
                self._unreachable_since_s = time.monotonic()
            return error
        self._unreachable_since_s = None
        return listed

    def _check_one(self, watch: PodWatch, listed: list[PodDetails] | PodsError) -> None:
        try:
            watch.check(listed)
        except Exception:  # noqa: BLE001 - one mistake must not end the guard of any pod
            log_exception()

    def _find_wait_s(self, interval_s: float) -> float:
        now = self._clock.now()
        dues = [watch.record.due_at for watch in list(self._watches.values()) if watch.record.due_at]
        soonest_s = min(((due - now).total_seconds() for due in dues), default=interval_s)
        return max(_SHORTEST_WAIT_S, min(interval_s, soonest_s if soonest_s > 0 else interval_s))

    def _make_watch(self, record: GuardRecord, *, is_tested: bool = True) -> PodWatch:
        kind = PodWatch if record.where == "here" else RemoteWatch
        return kind(
            record,
            self._lock,
            lambda: (self._connection, self._clock),
            self._save,
            self._conclude,
            lambda text: add_news(self._folder, text),
            is_tested=is_tested,
        )

    def _save(self, record: GuardRecord) -> None:
        with self._lock:
            # A guard that was ended meanwhile stays ended.
            if record.pod_id in self._watches:
                # On a full disk, the guard goes on with what it has in memory.
                with reported_errors():
                    write_record(self._folder, record)

    def _conclude(self, verdict: Verdict) -> None:
        with self._lock:
            if self._watches.pop(verdict.pod_id, None) is not None:
                with reported_errors():
                    log_verdict(self._folder, verdict)
                delete_record(self._folder, verdict.pod_id)

    # Requests of kernels

    def _accept_forever(self, listener: Listener, token: bytes) -> None:
        while True:
            try:
                pipe = listener.accept()
            except OSError:
                time.sleep(0.01)
                continue
            threading.Thread(target=self._answer_once, args=(pipe, token), daemon=True).start()

    def _answer_once(self, pipe: Pipe, token: bytes) -> None:
        with pipe, suppress(OSError, EOFError, ValueError, WrongToken):
            # Not while accepting: one client that is stopped would keep all others waiting.
            deliver_challenge(pipe, token)
            answer_challenge(pipe, token)
            answer = self._answer(**json.loads(pipe.recv_bytes()))
            pipe.send_bytes(json.dumps(answer).encode())

    def _answer(self, op: str, **fields: Any) -> dict[str, Any]:
        try:
            own = getattr(self, f"_do_{op}", None) or getattr(self._alerts, f"do_{op}")
            return dict(own(**fields))
        except PodsError as error:
            return {"refused": str(error)}
        except OSError as error:
            return {"refused": f"the guard process cannot write its files ({error.strerror})"}
        except Exception as error:  # noqa: BLE001 - the kernel says it
            log_exception()
            return {"refused": f"the guard process failed with {type(error).__name__}"}

    def _do_ping(self) -> dict[str, Any]:
        return {}

    def _do_stop(self) -> dict[str, Any]:
        self._is_ending = True
        self._wake.set()
        return {}

    def _do_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        self._use_settings(settings)
        return {}

    def _use_settings(self, settings: dict[str, Any]) -> None:
        """Connect by these settings, unless it is so connected already, or guards would lose their power."""
        with self._choosing:
            if settings == self._settings:
                return
            connection, earlier = open_connection(_make_settings(settings)), self._connection
            if self._watches and find_obstacle(connection):
                # A key that may only read, for example: kernels keep using it, guards do not.
                connection.close()
                return
            clock = GuardClock(connection)
            with self._lock:
                self._connection, self._clock = connection, clock
                self._settings = settings
                self._replaced.append(earlier)

    def _do_test(self) -> dict[str, Any]:
        return {"obstacle": find_obstacle(self._connection)}

    def _do_arm(self, pod_id: str, pod: str, rules: dict[str, Any], where: Place = "here") -> dict[str, Any]:
        given = GuardRules.model_validate(rules)
        # One on the pod has tested that from there.
        obstacle = find_obstacle(self._connection, pod_id) if where == "here" else ""
        if obstacle:
            raise PodsError(obstacle)
        details, now = self._connection.client.get_pod(pod_id), self._clock.now()
        with self._lock:
            earlier = self._watches.get(pod_id)
            record = GuardRecord(
                pod_id=pod_id,
                pod=shorten(pod, MAX_NAME_CHARS),
                rules=given,
                where=where,
                state="armed",
                armed_at=now,
                tested_at=now,
                held_until=earlier.record.held_until if earlier else None,
                created_at=details.created_at,
            )
            # If the service cannot be asked from now on, it is known when the pod was to end.
            due = find_due(record, details, now, Reading())
            record = record.model_copy(update={"due_at": due.at, "due_rule": due.rule, "why": due.why})
            if len(record.model_dump_json()) > _MAX_RECORD_CHARS:
                raise PodsError("its paths and commands are too long")
            store = partial(write_record, self._folder, record)
            if earlier is None:
                store()
            else:
                earlier.retire(store)
            watch = self._watches[pod_id] = self._make_watch(record)
        self._start_checks([watch], wait_s=_JOIN_S)
        # The next round may be due sooner now.
        self._wake.set()
        return {"record": watch.record.model_dump(mode="json")}

    def _do_disarm(self, pod_id: str) -> dict[str, Any]:
        with self._lock:
            watch = self._find_watch(pod_id)
            watch.retire(partial(delete_record, self._folder, pod_id))
            del self._watches[pod_id]
        return {}

    def _do_hold(self, pod_id: str, until: str) -> dict[str, Any]:
        with self._lock:
            watch = self._find_watch(pod_id)
            if watch.record.state == "ending" and watch.record.step == "terminating":
                raise PodsError(f"'{sanitize(watch.record.pod)}' is being terminated already")
            watch.change(held_until=datetime.fromisoformat(until))
        self._start_checks([watch], wait_s=_JOIN_S)
        return {"record": watch.record.model_dump(mode="json")}

    def _do_check(self) -> dict[str, Any]:
        self._check_all()
        return {}

    def _find_watch(self, pod_id: str) -> PodWatch:
        watch = self._watches.get(pod_id)
        if watch is None:
            raise PodsError("This pod has no guard. '%pods guard NAME --for 4h' arms one")
        return watch


def _make_settings(given: dict[str, Any]) -> Settings:
    return Settings(given["base_url"], given["api_key"], given["team_id"])


@contextmanager
def _make_socket_folder(folder: Path) -> Iterator[str]:
    """Yield a folder with a short path, as sockets need, and remove that of a process that was killed."""
    before = ProcessFile.read(folder)
    if before is not None and Path(before.address).parent.name.startswith(_SOCKETS):
        shutil.rmtree(Path(before.address).parent, ignore_errors=True)
    sockets = tempfile.mkdtemp(prefix=_SOCKETS)
    try:
        yield sockets
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
