"""The session on the pod: found and connected in the background, and asked about code."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import NotFound, PodsError
from primepods_magic.api.local.folders import find_folder, make_folder
from primepods_magic.api.text.money import MISSING, format_usd
from primepods_magic.api.text.sanitize import sanitize

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.remote.link import PodLink

    from .options import RelayOptions

__all__ = ["PodSession"]

_ANSWER_S = 10.0
_END_S = 2.0
# For this long, a pod whose connection works is not looked up again.
_FRESH_S = 300.0


class PodSession:
    """A session of a pod.

    Parameters
    ----------
    options : RelayOptions
        Which one. With a route, the connection need not wait for the service.
    """

    def __init__(self, options: RelayOptions) -> None:
        self._route_file = options.route
        self._owner = options.owner
        self.pod_id = options.pod
        self.name = options.session
        self.is_settled = threading.Event()
        """Set once a kernel is ended that an earlier relay was to end and could not."""
        self.connection: Connection | None = None
        self.link: PodLink | None = None
        self.kernel_info: Mapping[str, Any] = {}
        """What the kernel on the pod says of itself."""
        self.is_prepared = False
        """True once the kernel there is known to run, or why it does not."""
        self.shown: deque[str] = deque()
        """Jobs whose end was shown, which the pod does not know yet."""
        self._lock = threading.Lock()
        self._pod: PodDetails | None = None
        self._found_at = 0.0

    def open(self, *, did: str = "Nothing was run") -> tuple[Connection, PodDetails]:
        """Find the pod and connect to it; raise PodsError that says what became of it, and what was done."""
        from primepods_magic.pods.connection.current import SANDBOX_URL_VARIABLE, connect, current
        from primepods_magic.pods.find import find_pod
        from primepods_magic.remote.links import adopt_link, open_link

        with self._lock:
            if self._pod and self.connection and self._is_fresh():
                return self.connection, self._pod
            has_sandbox = bool(os.environ.get(SANDBOX_URL_VARIABLE))
            connection = self.connection = connect(sandbox=True) if has_sandbox else current()
            try:
                pod = find_pod(connection, self.pod_id)
            except NotFound:
                raise self._describe_end(connection, did) from None
            link = self.link
            self.link = adopt_link(connection, pod, link) if link else open_link(connection, pod)
            self._pod, self._found_at = pod, time.monotonic()
            return connection, pod

    def _is_fresh(self) -> bool:
        is_alive = self.link is not None and self.link.is_alive
        return is_alive and time.monotonic() - self._found_at < _FRESH_S

    def _describe_end(self, connection: Connection, did: str) -> PodsError:
        """Build the error for a pod that is gone."""
        from primepods_magic.api.models import PodDetails
        from primepods_magic.pods.existence import examine_pods

        finding = examine_pods(connection, [PodDetails(id=self.pod_id)])[self.pod_id]
        if not finding.has_ended:
            return NotFound(
                f"There is no pod with the id '{sanitize(self.pod_id)}' in this account. {did}. "
                "'%pods kernel' lists the kernels of pods, '%pods' your pods"
            )
        row = finding.row
        name = sanitize(row.name if row and row.name else self.pod_id)
        cost = format_usd(row.total_billed_price if row else None)
        billed = "it was not billed yet" if cost == MISSING else f"it cost {cost}"
        return NotFound(
            f"The pod '{name}' has ended, and everything on it is gone; {billed}. {did}. Choose "
            "another kernel"
        )

    def take_shown(self) -> list[str]:
        """Return what was shown, for the caller to report."""
        taken = []
        with suppress(IndexError):
            while True:
                taken.append(self.shown.popleft())
        return taken

    def report_shown(self) -> None:
        """Report what was shown to the pod, which a relay that is started again need not show."""
        jobs = self.take_shown()
        if jobs and self.link is not None:
            self.link.request("shown", shown=jobs)

    def describe_failure(self, failure: PodsError) -> PodsError:
        """Return the error of a connection that failed, or that of a pod that has ended meanwhile."""
        try:
            self.open(did="The cell had begun")
        except NotFound as error:
            return error
        except PodsError:
            pass
        return failure

    def start_preparing(self) -> None:
        """Connect and start the kernel on the pod in the background; the first cell says if that fails."""
        run_in_thread(self._prepare_kernel, "primepods-prepare")

    def _prepare_kernel(self) -> None:
        try:
            self._connect_early()
            if self.link is None:
                self.open()
            self._end_left_kernel()
            self._start_kernel()
        except PodsError:
            pass
        finally:
            self.is_prepared = True
            self.is_settled.set()

    def _connect_early(self) -> None:
        """Connect as the kernel spec says; `open` finds out whether that is still right."""
        from primepods_magic.remote.link import PodLink
        from primepods_magic.remote.ssh.client import SshRoute

        try:
            facts = json.loads(Path(self._route_file).read_text(encoding="utf-8"))
            route = SshRoute(tuple(map(str, facts["words"])), str(facts["name"]), str(facts["cli_name"]))
        except (OSError, ValueError, LookupError, TypeError):
            return
        with self._lock:
            if self.link is None:
                self.link = PodLink(route, lambda: None)

    def _end_left_kernel(self) -> None:
        """End the kernel there if it was restarted while it could not be reached."""
        mark = self._find_mark()
        if mark is not None and mark.exists() and self.link is not None:
            self.link.request("end_kernel", session=self.name, owner=self._owner).result()
            mark.unlink(missing_ok=True)
        self.is_settled.set()

    def _find_mark(self) -> Path | None:
        """Return the file that says that a kernel is still to be ended."""
        folder = find_folder("state")
        return folder / "restarts" / self._owner if folder else None

    def _start_kernel(self) -> None:
        """Start the kernel on the pod, and ask it what it is."""
        from primepods_magic.remote.job_errors import FAILURES

        link, job_id, is_done = self.link, secrets.token_hex(4), threading.Event()
        assert link is not None

        def note_frame(header: Mapping[str, Any], buffers: object) -> None:
            if header["type"] in ("done", *FAILURES):
                is_done.set()

        call: dict[str, Any] = {"id": job_id, "msg_id": secrets.token_hex(16), "expression": "None"}
        link.request("run", session=self.name, again=True, **call)
        place = link.follow(job_id, note_frame)
        is_done.wait()
        link.leave(place)
        self.kernel_info = self.ask("kernel_info_request", {}, timeout_s=_END_S)

    def ask(self, kind: str, content: Mapping[str, Any], *, timeout_s: float = _ANSWER_S) -> dict[str, Any]:
        """Ask the kernel on the pod; return an empty dict if it does not answer in time."""
        link = self.link
        if link is None or not link.connected.is_set():
            return {}
        try:
            answer = link.request("ask", session=self.name, type=kind, content=dict(content)).result(
                timeout_s
            )
        except (PodsError, FutureTimeoutError):
            return {}
        found = answer.get("content")
        return dict(found) if isinstance(found, dict) else {}

    def end_kernel(self, *, is_restart: bool) -> bool:
        """End the kernel on the pod; return whether the pod has confirmed it.

        If not, and it is restarted, the next relay ends it before anything else.
        """
        mark = self._find_mark() if is_restart else None
        with suppress(OSError):
            # First of all: a front end does not wait long before it kills this process.
            if mark is not None:
                make_folder(mark.parent)
                mark.touch()
        with suppress(PodsError, FutureTimeoutError):
            if self.link is not None:
                self.link.request("end_kernel", session=self.name, owner=self._owner).result(_END_S)
                if mark is not None:
                    mark.unlink(missing_ok=True)
                return True
        return False


def run_in_thread(function: Callable[[], object], name: str) -> None:
    """Run a function in a thread that ends with the process."""
    threading.Thread(target=function, name=name, daemon=True).start()
