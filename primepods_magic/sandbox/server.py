"""Starting and stopping a sandbox inside this process."""

from __future__ import annotations

import atexit
import ipaddress
import os
import shutil
import socket
import tempfile
import threading
from datetime import datetime
from pathlib import Path
from types import TracebackType

from primepods_magic.sandbox.domain.clock import END_OF_TIME, EPOCH, STEPPED_START, Clock, to_ms, wall_ms
from primepods_magic.sandbox.faults.parsing import Selection, read_selection
from primepods_magic.sandbox.faults.rules import Faults
from primepods_magic.sandbox.http.api_keys import BUILT_IN_KEYS, read_keys
from primepods_magic.sandbox.http.app import create_app
from primepods_magic.sandbox.http.auth import RequestGuard
from primepods_magic.sandbox.http.server_thread import Server, ServingThread, configured, listen
from primepods_magic.sandbox.schemas.enums import ClockMode, Dialect
from primepods_magic.sandbox.service.seed import seed_database
from primepods_magic.sandbox.service.service import SandboxService
from primepods_magic.sandbox.storage.connection import explained
from primepods_magic.sandbox.storage.store import Store

DEFAULT_HISTORY_ROWS = 180
DEFAULT_PAGE_CAP = 1000
DEFAULT_SEED = 7

_LARGEST_PORT = 65_535
_LARGEST_SEED = 2**63 - 1
_LONGEST_HISTORY = 1_000_000
_LONGEST_LATENCY_MS = 3_600_000
_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 10.0

# FastAPI and pydantic change the process's warning filters while they build an application.
_building = threading.Lock()


class RunningSandbox:
    """A sandbox that answers requests until it is stopped. :func:`start` makes one.

    It is a context manager: leaving the block stops it.

    Attributes
    ----------
    url:
        Where it answers, for example ``http://127.0.0.1:40123``.
    """

    def __init__(self, url: str, server: Server, thread: ServingThread, store: Store, scratch: Path | None):
        self.url = url
        self._server = server
        self._thread = thread
        self._store = store
        self._scratch = scratch
        self._stopping = threading.Lock()
        self._is_stopped = False
        self._process_id = os.getpid()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop answering, and leave no thread, socket or temporary file behind. May be called again."""
        # A forked child has a copy of this, but neither the thread nor a right to the files.
        if os.getpid() != self._process_id:
            return
        with self._stopping:
            if self._is_stopped:
                return
            self._server.request_stop()
            self._thread.join(_STOP_TIMEOUT_S)
            self._store.close()
            if self._scratch is not None:
                shutil.rmtree(self._scratch, ignore_errors=True)
            self._is_stopped = True
        atexit.unregister(self.stop)

    def __enter__(self) -> RunningSandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<RunningSandbox {self.url}{' (stopped)' if self._is_stopped else ''}>"


def start(
    db: Path | str | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    keys: Path | str | None = None,
    admin: bool = True,
    dialect: Dialect = "spec",
    speed: float | None = None,
    clock: ClockMode | None = None,
    start: datetime | None = None,
    seed: int = DEFAULT_SEED,
    history: int = DEFAULT_HISTORY_ROWS,
    page_cap: int = DEFAULT_PAGE_CAP,
    latency_ms: int = 0,
    faults: Selection = "none",
) -> RunningSandbox:
    """Start a sandbox on a thread of its own; it accepts connections when this returns.

    Parameters
    ----------
    db:
        The SQLite file to keep everything in; it is created when it does not exist. None: a temporary one,
        gone when the sandbox stops. ``start``, ``history``, and ``seed`` for what is in it, shape a new
        database only.
    host:
        A loopback address; with ``keys``, any address of this computer.
    port:
        0 takes a free one.
    keys:
        A file with keys of one's own, which take the place of the built-in ones: one a line, ``read`` behind
        one that may only read. Nobody else may read the file.
    admin:
        Whether clients may move the clock, choose faults, and let things happen: what is below ``/sandbox``.
    dialect:
        ``"spec"`` answers in the words of the specification, ``"published"`` in those of the service's own
        published documents.
    speed:
        Sandbox seconds per second. None: what the database says, 1 in a new one.
    clock:
        ``"running"``, or ``"stepped"``, which stands still until ``POST /sandbox/clock`` moves it. None: what
        the database says, running in a new one.
    start:
        When a new database's clock begins. None: now, or 2026-09-14T08:00Z for a stepped clock.
    seed:
        Chooses ids, addresses, the invented past, and which requests get faults: an integer of 64 bits.
    history:
        How many rows of invented past.
    page_cap:
        The longest page of any list, whatever a client asks for.
    latency_ms:
        How long every request is held back.
    faults:
        What is to go wrong: a profile's name (``none``, ``launch``, ``flaky``, ``slow``, ``down``,
        ``availability``), a JSON file, JSON text, or rules with the fields of :class:`.faults.rules.Rule`. A
        request with the header ``X-Sandbox-Fault`` chooses for itself.

    Raises
    ------
    ValueError
        For an address that is not loopback where there are no ``keys``, a number or time out of range, faults
        that do not exist, or keys that cannot be read as such.
    DatabaseUnusable
        When the file is not a sandbox's, cannot be read and written, or is locked for too long.
    OSError
        When the port is taken, or the keys cannot be read.

    Example
    -------
    >>> import httpx
    >>> with start(clock="stepped") as sandbox:
    ...     answer = httpx.get(f"{sandbox.url}/sandbox", trust_env=False).json()
    >>> answer["clock"]["now"]
    '2026-09-14T08:00:00.000Z'
    """
    own_keys = read_keys(Path(keys)) if keys is not None else None
    if own_keys is None and not _is_loopback(host):
        raise ValueError(
            f"{host} is not a loopback address, and everybody knows the built-in keys: "
            "give keys of your own with --keys FILE, one key a line"
        )
    _check(port=port, speed=speed, history=history, page_cap=page_cap, latency_ms=latency_ms)
    _check_new(start=start, seed=seed)
    profile, rules = read_selection(faults)
    scratch = Path(tempfile.mkdtemp(prefix="primepods-sandbox-")) if db is None else None
    store: Store | None = None
    listener: socket.socket | None = None
    try:
        path = scratch / "sandbox.sqlite" if scratch else Path(db or "")
        store = Store(path)
        with explained(path):
            _prepare(store, mode=clock, speed=speed, start=start, seed=seed, history=history)
        listener = listen(host, port)
        with _building:
            world = SandboxService(store, dialect, page_cap, Faults(rules, profile=profile, seed=seed))
            admission = RequestGuard(own_keys or BUILT_IN_KEYS, is_public=not _is_loopback(host))
            app = create_app(world, admission, latency_s=latency_ms / 1000, seed=seed, has_admin=admin)
        server = Server(configured(app))
        thread = ServingThread(server, listener)
        thread.start()
        if not server.is_ready.wait(_START_TIMEOUT_S) or not server.started:
            server.request_stop()
            raise OSError(f"the sandbox did not come up on {host}:{port}")
    except BaseException:
        for thing in (listener, store):
            if thing is not None:
                thing.close()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    bound_port = listener.getsockname()[1]
    shown_host = f"[{host}]" if ":" in host else host
    return RunningSandbox(f"http://{shown_host}:{bound_port}", server, thread, store, scratch)


def _check(*, port: int, speed: float | None, history: int, page_cap: int, latency_ms: int) -> None:
    if not 0 <= port <= _LARGEST_PORT:
        raise ValueError(f"port must be between 0 and {_LARGEST_PORT}, not {port}")
    if speed is not None and not 0 < speed <= 1_000_000:
        raise ValueError(f"speed must be above 0 and at most 1000000, not {speed}")
    if not 0 <= history <= _LONGEST_HISTORY:
        raise ValueError(f"history must be between 0 and {_LONGEST_HISTORY} rows, not {history}")
    if page_cap < 1:
        raise ValueError(f"page_cap must be 1 or more rows, not {page_cap}")
    if not 0 <= latency_ms <= _LONGEST_LATENCY_MS:
        raise ValueError(f"latency_ms must be between 0 and {_LONGEST_LATENCY_MS}, not {latency_ms}")


def _check_new(*, start: datetime | None, seed: int) -> None:
    if not -_LARGEST_SEED - 1 <= seed <= _LARGEST_SEED:
        raise ValueError(f"seed must be between {-_LARGEST_SEED - 1} and {_LARGEST_SEED}")
    if start is not None and not to_ms(EPOCH) <= to_ms(start) <= to_ms(END_OF_TIME):
        raise ValueError(f"start must be between {EPOCH:%Y-%m-%d} and {END_OF_TIME:%Y-%m-%d}, not {start}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _prepare(
    store: Store,
    *,
    mode: ClockMode | None,
    speed: float | None,
    start: datetime | None,
    seed: int,
    history: int,
) -> None:
    """Lay out a new database, or let an old one's clock go on as asked."""
    with store.writing():
        if store.is_new():
            if start is not None:
                begin_ms = to_ms(start)
            else:
                begin_ms = to_ms(STEPPED_START) if mode == "stepped" else wall_ms()
            seed_database(
                store, Clock(mode or "running", speed or 1.0, begin_ms, wall_ms()), seed=seed, history=history
            )
        else:
            store.touch()
            store.continue_clock(mode, speed)
    store.be_patient()
