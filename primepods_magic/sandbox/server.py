"""Starting and stopping a sandbox in this process."""

from __future__ import annotations

import atexit
import importlib.util
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
from primepods_magic.sandbox.http.server_thread import Server, ServingThread, listen, make_config
from primepods_magic.sandbox.machines.host import MachineHost
from primepods_magic.sandbox.schemas.enums import ClockMode, Dialect
from primepods_magic.sandbox.service.pod_machines import PodMachines
from primepods_magic.sandbox.service.seed import seed_database
from primepods_magic.sandbox.service.service import SandboxService
from primepods_magic.sandbox.storage.connection import convert_sqlite_errors
from primepods_magic.sandbox.storage.store import Store

__all__ = ["DEFAULT_HISTORY_ROWS", "DEFAULT_PAGE_CAP", "DEFAULT_SEED", "RunningSandbox", "start"]

DEFAULT_HISTORY_ROWS = 180
DEFAULT_PAGE_CAP = 1000
DEFAULT_SEED = 7

_MAX_PORT = 65_535
_MAX_SEED = 2**63 - 1
_MAX_HISTORY_ROWS = 1_000_000
_MAX_LATENCY_MS = 3_600_000
_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 10.0

# FastAPI and pydantic change the global warning filters while building an application.
_build_lock = threading.Lock()


class RunningSandbox:
    """A running sandbox, returned by `start`; as a context manager, it stops at the end of the block.

    Attributes
    ----------
    url:
        The base URL, for example `http://127.0.0.1:40123`.
    """

    def __init__(
        self,
        url: str,
        server: Server,
        thread: ServingThread,
        store: Store,
        scratch: Path | None,
        machines: PodMachines | None = None,
    ):
        self.url = url
        self._machines = machines
        self._server = server
        self._thread = thread
        self._store = store
        self._scratch = scratch
        self._stop_lock = threading.Lock()
        self._is_stopped = False
        self._process_id = os.getpid()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop the sandbox and remove its temporary files. Calling it again has no effect."""
        # A forked child has neither the thread nor ownership of the files.
        if os.getpid() != self._process_id:
            return
        with self._stop_lock:
            if self._is_stopped:
                return
            self._server.request_stop()
            self._thread.join(_STOP_TIMEOUT_S)
            if self._machines is not None:
                self._machines.stop()
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
    machines: bool | None = False,
) -> RunningSandbox:
    """Start a sandbox on its own thread; it accepts connections when this returns.

    Parameters
    ----------
    db:
        The SQLite file, created if missing; None uses a temporary one. `start` and `history` affect only a
        new database.
    host:
        A loopback address; with `keys`, any address of this computer.
    port:
        0 selects a free port.
    keys:
        A file of keys that replace the built-in ones: one per line, followed by `read` if it is read-only.
        Other users must not be able to read the file.
    admin:
        False removes the routes below `/sandbox`, which move the clock, select faults and trigger events.
    dialect:
        `"spec"` follows the specification, `"published"` the service's published documents.
    speed:
        Sandbox seconds per second; None keeps that of the database, 1 in a new one.
    clock:
        `"running"`, or `"stepped"`, which stands still until `POST /sandbox/clock` moves it. None keeps that
        of the database, running in a new one.
    start:
        The start of a new database's clock; None: now, or 2026-09-14T08:00Z if stepped.
    seed:
        A 64-bit integer that determines ids, addresses, the history, and which requests get faults.
    history:
        The number of invented history rows.
    page_cap:
        The maximum page size of all lists.
    latency_ms:
        The delay of every request.
    faults:
        A profile (`none`, `launch`, `flaky`, `slow`, `down`, `availability`), a JSON file, JSON text, or a
        list of rules (see `faults.rules.Rule`). The header `X-Sandbox-Fault` overrides it for one request.
    machines:
        True makes ready pods machines that you can log in to with the account's SSH keys, on loopback;
        commands run as the current user. None: if `asyncssh` is installed and `host` is loopback.

    Raises
    ------
    ValueError
        If an argument is out of range or invalid, `host` is not loopback and `keys` is missing, or there
        cannot be `machines`.
    DatabaseUnusable
        If the file belongs to another program, cannot be read and written, or stays locked.
    OSError
        If the port is taken, or the keys cannot be read.

    Examples
    --------
    >>> import httpx
    >>> with start(clock="stepped") as sandbox:
    ...     httpx.get(f"{sandbox.url}/sandbox", trust_env=False).json()["clock"]["now"]
    '2026-09-14T08:00:00.000Z'
    """
    own_keys = read_keys(Path(keys)) if keys is not None else None
    if own_keys is None and not _is_loopback(host):
        raise ValueError(
            f"{host} is not a loopback address, and the built-in keys are public. "
            "Pass your own keys with --keys FILE, one per line"
        )
    _check_ranges(port=port, speed=speed, history=history, page_cap=page_cap, latency_ms=latency_ms)
    _check_seed_and_start(start=start, seed=seed)
    has_machines = _choose_machines(machines, host)
    profile, rules = read_selection(faults)
    scratch = Path(tempfile.mkdtemp(prefix="primepods-sandbox-")) if db is None else None
    store: Store | None = None
    listener: socket.socket | None = None
    pod_machines: PodMachines | None = None
    try:
        path = scratch / "sandbox.sqlite" if scratch else Path(db or "")
        store = Store(path)
        with convert_sqlite_errors(path):
            _prepare_database(store, mode=clock, speed=speed, start=start, seed=seed, history=history)
        listener = listen(host, port)
        with _build_lock:
            if has_machines:
                pod_machines = PodMachines(store, MachineHost())
            service = SandboxService(
                store, dialect, page_cap, Faults(rules, profile=profile, seed=seed), pod_machines
            )
            guard = RequestGuard(own_keys or BUILT_IN_KEYS, is_public=not _is_loopback(host))
            app = create_app(service, guard, latency_s=latency_ms / 1000, seed=seed, has_admin=admin)
        if pod_machines is not None and store.pods.has_live(service.now_ms()):
            pod_machines.warm_up()
        server = Server(make_config(app))
        thread = ServingThread(server, listener)
        thread.start()
        if not server.is_ready.wait(_START_TIMEOUT_S) or not server.started:
            server.request_stop()
            raise OSError(f"the sandbox did not start on {host}:{port}")
    except BaseException:
        if pod_machines is not None:
            pod_machines.stop()
        for resource in (listener, store):
            if resource is not None:
                resource.close()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    bound_port = listener.getsockname()[1]
    shown_host = f"[{host}]" if ":" in host else host
    url = f"http://{shown_host}:{bound_port}"
    return RunningSandbox(url, server, thread, store, scratch, pod_machines)


def _check_ranges(*, port: int, speed: float | None, history: int, page_cap: int, latency_ms: int) -> None:
    if not 0 <= port <= _MAX_PORT:
        raise ValueError(f"port must be between 0 and {_MAX_PORT}, not {port}")
    if speed is not None and not 0 < speed <= 1_000_000:
        raise ValueError(f"speed must be above 0 and at most 1000000, not {speed}")
    if not 0 <= history <= _MAX_HISTORY_ROWS:
        raise ValueError(f"history must be between 0 and {_MAX_HISTORY_ROWS} rows, not {history}")
    if page_cap < 1:
        raise ValueError(f"page_cap must be at least 1, not {page_cap}")
    if not 0 <= latency_ms <= _MAX_LATENCY_MS:
        raise ValueError(f"latency_ms must be between 0 and {_MAX_LATENCY_MS}, not {latency_ms}")


def _check_seed_and_start(*, start: datetime | None, seed: int) -> None:
    if not -_MAX_SEED - 1 <= seed <= _MAX_SEED:
        raise ValueError(f"seed must be between {-_MAX_SEED - 1} and {_MAX_SEED}")
    if start is not None and not to_ms(EPOCH) <= to_ms(start) <= to_ms(END_OF_TIME):
        raise ValueError(f"start must be between {EPOCH:%Y-%m-%d} and {END_OF_TIME:%Y-%m-%d}, not {start}")


def _choose_machines(machines: bool | None, host: str) -> bool:
    """Return whether pods have machines; raise ValueError if they cannot have those that were asked for."""
    if machines is False:
        return False
    has_library = os.name == "posix" and importlib.util.find_spec("asyncssh") is not None
    if machines and not _is_loopback(host):
        raise ValueError(f"{host} is not a loopback address, and machines are reached on loopback alone")
    if machines and not has_library:
        raise ValueError("machines need asyncssh: pip install 'primepods_magic[machines]'")
    return has_library and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _prepare_database(
    store: Store,
    *,
    mode: ClockMode | None,
    speed: float | None,
    start: datetime | None,
    seed: int,
    history: int,
) -> None:
    """Seed a new database, or resume the clock of an existing one."""
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
    store.raise_lock_timeout()
