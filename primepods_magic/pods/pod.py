"""`Pod`: the object that a launch returns."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.fields.lenient_types import port_in
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.instants import format_clock
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import sanitize, sanitize_lines, shorten
from primepods_magic.api.text.stream_output import printable
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.api.validation.bounds import check_flags
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.ssh.config import knows_host
from primepods_magic.pods.support.notices import note, warn
from primepods_magic.pods.support.progress import show_progress
from primepods_magic.pods.support.rates import accrued_usd
from primepods_magic.pods.watching.snapshot import Snapshot

from .methods.cells import CellMethods
from .methods.files import FileMethods
from .methods.guards import GuardMethods
from .methods.packages import PackageMethods
from .terminate import GONE, TerminationResult, terminate_pods
from .wait import DEFAULT_TIMEOUT_S, Goal, begin_waiting, wait_for

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Pod"]

_MAX_WORD_CHARS = 40


class LogText(str):
    """Log text that is displayed as clean lines."""

    __slots__ = ()

    def __str__(self) -> str:
        return printable(sanitize_lines(self[:]))

    __repr__ = __str__


@shorten_tracebacks
class Pod(CellMethods, FileMethods, GuardMethods, PackageMethods):
    """A pod, as returned by a launch.

    Parameters
    ----------
    connection : Connection
        The connection to its account.
    details : PodDetails
        Its details as last seen.
    is_new : bool
        True if the launch that returned it rented it; otherwise it existed already.

    Examples
    --------
    >>> pod = launch(gpu="H100_80GB", name="train")                          # doctest: +SKIP
    >>> pod.wait().ssh                                                       # doctest: +SKIP
    'ssh root@203.0.113.7 -p 22'
    >>> await pod.wait_async("active")                                       # doctest: +SKIP
    >>> pod.terminate().billed_usd                                           # doctest: +SKIP
    0.02

    As a context manager, it terminates its pod at the end of the block and says what it cost, also after an
    error or Ctrl-C, and also if the pod existed before; ``launch(…, keep=True)`` keeps it:

    >>> with launch(gpu="H100_80GB", name="train") as pod:                   # doctest: +SKIP
    ...     print(pod.wait().exec("nvidia-smi -L").stdout)
    """

    def __init__(self, connection: Connection, details: PodDetails, *, is_new: bool = False) -> None:
        self._connection = connection
        self._is_new = is_new
        self.ends_with_block = True
        """Whether the end of a ``with`` block terminates it."""
        self.update(details)

    def update(self, details: PodDetails) -> None:
        """Replace its details with newer ones.

        Raises
        ------
        InvalidRequest
            If they are something else.
        """
        if not isinstance(details, PodDetails):
            raise InvalidRequest(
                f"'details' must be PodDetails, not a {type(details).__name__}. Nothing was changed"
            )
        self._details = details
        self._as_of = self._connection.now()

    @property
    def details(self) -> PodDetails:
        """Everything that the service returned about it, as last seen."""
        return self._details

    @property
    def as_of(self) -> datetime:
        """Time when it was last seen, by the service's clock (UTC)."""
        return self._as_of

    @property
    def connection(self) -> Connection:
        """The connection to its account."""
        return self._connection

    @property
    def is_new(self) -> bool:
        """True if the launch that returned it rented it; otherwise it existed already."""
        return self._is_new

    @property
    def id(self) -> str:
        """Its id."""
        return self._details.id or ""

    @property
    def name(self) -> str:
        """Its name."""
        return self._details.name or ""

    @property
    def status(self) -> str:
        """Its state when last seen; one of `PodStatus`, or an unknown word from the service, unchanged."""
        return str(self._details.status)

    @property
    def installation_status(self) -> str | None:
        """State of its installation; one of `InstallationStatus`, or an unknown word, unchanged."""
        status = self._details.installation_status
        return None if status is None else str(status)

    @property
    def price_usd_hr(self) -> float | None:
        """USD per hour while it runs, for the whole pod."""
        return self._details.price_hr

    @property
    def is_ready(self) -> bool:
        """True if it was ACTIVE, reachable and installed when last seen."""
        return self._details.is_ready

    @property
    def ssh(self) -> str | None:
        """The ssh command for its first node that is up."""
        return self._details.ssh

    @property
    def nodes(self) -> int | None:
        """Number of its machines; ``None`` while the service does not list those of a multi-node pod."""
        return self._details.nodes

    @property
    def connections(self) -> tuple[str | None, ...]:
        """The ssh command for each node; ``None`` for a node that is not up."""
        return tuple(target.command if target else None for target in self._details.connections)

    @property
    def ports(self) -> dict[int, str]:
        """Public port or address of each port inside the pod."""
        mappings = self._details.prime_port_mapping
        inside = ((port_in(port.internal), port.external or "") for port in mappings)
        return {internal: external for internal, external in inside if internal is not None}

    @property
    def cost_usd(self) -> float | None:
        """Estimated cost in USD when last seen, or until its end; ``None`` if that is not known.

        `terminate`, ``%pods wallet`` and the history return what the service bills.
        """
        return accrued_usd(self._details, self._as_of)

    @property
    def jupyter_url(self) -> str | None:
        """The URL of its Jupyter server."""
        return self._details.jupyter_url

    def refresh(self) -> Pod:
        """Fetch its current details, and return it.

        Raises
        ------
        NotFound
            If it is gone.
        BudgetExceeded
            If it is above its agreed price; the message says whether it was terminated.
        """
        self.update(self._connection.client.get_pod(self.id))
        self._connection.agreements.check([self._details])
        return self

    def wait(
        self,
        goal: Goal = "ready",
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        timeout: float | None = None,
        progress: bool = True,
    ) -> Pod:
        """Wait until it is ready (or ``active``, or ``terminated``), and return it.

        ``timeout`` is another name of ``timeout_s``: seconds, by the service's clock. If stderr is a
        terminal, a bar on it shows the progress, unless ``progress`` is False.
        """
        check_flags(progress=progress)
        limit_s = timeout_s if timeout is None else timeout
        now = Snapshot((self._details,), self._connection.now())
        with show_progress(now, is_wanted=progress and not self._details.is_settled) as show:
            snapshot = wait_for(
                self._connection, [self._details], goal=goal, timeout_s=limit_s, on_snapshot=show
            )
        self.update(snapshot.pods[0])
        return self

    async def wait_async(
        self, goal: Goal = "ready", *, timeout_s: float = DEFAULT_TIMEOUT_S, timeout: float | None = None
    ) -> Pod:
        """Wait as `wait` does, for ``await pod.wait_async()`` in an async cell: other tasks keep running.

        Cancelling it ends the wait, never the pod.
        """
        waiting = begin_waiting(
            self._connection,
            [self._details],
            goal=goal,
            timeout_s=timeout_s if timeout is None else timeout,
            answer=lambda snapshot: snapshot,
        )
        snapshot = await waiting
        self.update(snapshot.pods[0])
        return self

    def logs(self, *, tail: int | None = None) -> LogText:
        """Return its logs, or their last ``tail`` lines.

        They are clean, as in a terminal: a progress bar is one line, in its last state, and colors and other
        escapes are removed.
        """
        return LogText(self._connection.client.pod_logs(self.id, tail=tail))

    def _read_reachable(self, node: int = 1) -> PodDetails:
        """Return its details, read again before the first login: its address may be another pod's by now."""
        if not knows_host(self.id, node):
            self.refresh()
        return self._details

    def terminate(self) -> TerminationResult:
        """Terminate it, verify that it is gone, and return what it cost."""
        result = terminate_pods(self._connection, [self._details])[0]
        if result.outcome == GONE:
            ended = {"status": PodStatus.TERMINATED, "terminated_at": result.terminated_at}
            self.update(self._details.model_copy(update=ended))
        return result

    def __enter__(self) -> Pod:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Terminate it. If that fails after an error in the block, warn, and leave that error alone."""
        if self._details.status == PodStatus.TERMINATED or not self.ends_with_block:
            return
        try:
            result = self.terminate()
            if result.outcome == GONE:
                note(f"'{sanitize(self.name)}' was terminated: {result.cost_text}")
                return
            failure = PodsError(f"Pod '{sanitize(self.name)}': {sanitize(result.outcome)}")
        except PodsError as refused:
            failure = refused
        if error is None:
            raise failure
        warn(f"Pod '{sanitize(self.name)}' may not be terminated, and may be billed: {failure}")

    def __str__(self) -> str:
        return printable(repr(self))

    def __repr__(self) -> str:
        pod = self._details
        parts = [f"{pod.total_gpus or '?'} × {shorten(sanitize(pod.gpu_name), _MAX_WORD_CHARS)}"]
        if pod.nodes is None or pod.nodes > 1:
            parts.append(f"{pod.nodes or 'several'} nodes")
        if pod.price_hr is not None:
            parts.append(format_usd_hr(pod.price_hr))
        parts.append(self._describe_state())
        if pod.is_ready and self.ssh:
            parts.append(self.ssh)
        if pod.has_failed:
            parts.append(shorten(sanitize(pod.installation_failure), _MAX_WORD_CHARS) or "failed")
        name = shorten(sanitize(self.name), _MAX_WORD_CHARS)
        return f"Pod {name}: {' · '.join(sanitize(part) for part in parts)}"

    def _describe_state(self) -> str:
        pod = self._details
        if pod.is_ready:
            return "ready"
        if pod.status in (PodStatus.PROVISIONING, PodStatus.PENDING) and pod.created_at:
            # Remains true under a cell whose progress bar goes on.
            return f"created {format_clock(pod.created_at, seconds=True)}"
        return (
            f"{shorten(sanitize(pod.status), _MAX_WORD_CHARS)} at {format_clock(self._as_of, seconds=True)}"
        )
