"""`Pod`: the object that a user holds."""

from __future__ import annotations

from datetime import datetime

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.fields.lenient_types import port_in
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import brief, sanitize, sanitize_lines
from primepods_magic.api.text.stream_output import printable
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.rates import accrued_usd

from .terminate import TerminationResult, terminate_pods
from .wait import DEFAULT_TIMEOUT_S, Goal, begin_waiting, wait_for

__all__ = ["Pod"]


class LogText(str):
    """Text of clean lines, which shows as the lines it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return printable(sanitize_lines(self[:]))

    __repr__ = __str__


class Pod:
    """A pod as a launch returns it.

    Parameters
    ----------
    connection : Connection
        Where the pod is.
    details : PodDetails
        As last seen.
    is_new : bool
        The launch that answers with it has rented it; else it was there already.

    Examples
    --------
    >>> pod = launch(gpu="H100_80GB", name="train")                          # doctest: +SKIP
    >>> pod.wait().ssh                                                       # doctest: +SKIP
    'ssh root@203.0.113.7 -p 22'
    >>> await pod.wait_async("active")                                       # doctest: +SKIP
    >>> pod.terminate().billed_usd                                           # doctest: +SKIP
    0.02
    """

    def __init__(self, connection: Connection, details: PodDetails, *, is_new: bool = False) -> None:
        self._connection = connection
        self._is_new = is_new
        self.update(details)

    def update(self, details: PodDetails) -> None:
        """Take over what was seen of it just now."""
        self._details = details
        self._as_of = self._connection.now()

    @property
    def details(self) -> PodDetails:
        """Everything that the service says of it, as last seen."""
        return self._details

    @property
    def as_of(self) -> datetime:
        """When it was seen so, by the service's clock (UTC)."""
        return self._as_of

    @property
    def connection(self) -> Connection:
        """Where it is."""
        return self._connection

    @property
    def is_new(self) -> bool:
        """Whether the launch that answered with it has rented it; else it was there already."""
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
        """What it was doing when last seen; one of `PodStatus`, or a newer word as it is."""
        return str(self._details.status)

    @property
    def installation_status(self) -> str | None:
        """How far its software was; one of `InstallationStatus`, or a newer word as it is."""
        status = self._details.installation_status
        return None if status is None else str(status)

    @property
    def price_usd_hr(self) -> float | None:
        """USD per hour while it runs, for the whole pod."""
        return self._details.price_hr

    @property
    def is_ready(self) -> bool:
        """Was it ACTIVE, reachable and installed when last seen?"""
        return self._details.is_ready

    @property
    def ssh(self) -> str | None:
        """The command that connects to its first node that is up."""
        return self._details.ssh

    @property
    def connections(self) -> tuple[str | None, ...]:
        """The command that connects to each node; ``None`` for one that is not up."""
        return tuple(target.command if target else None for target in self._details.connections)

    @property
    def ports(self) -> dict[int, str]:
        """Where each port inside the pod is reached from outside: a port or an address."""
        mappings = self._details.prime_port_mapping
        inside = ((port_in(port.internal), port.external or "") for port in mappings)
        return {internal: external for internal, external in inside if internal is not None}

    @property
    def cost_usd(self) -> float | None:
        """What it has cost when last seen, or until its end where it says when that was: an estimate in USD;
        ``None`` once it is TERMINATED. What the service bills is told by `terminate`, by ``%pods wallet`` and
        by the history."""
        pod = self._details
        has_price = pod.price_hr is not None or pod.provisioning_price_hr or pod.stopped_price_hr
        if not has_price or pod.created_at is None or pod.status == PodStatus.TERMINATED:
            return None
        return accrued_usd(pod, self._as_of)

    @property
    def jupyter_url(self) -> str | None:
        """Where its Jupyter answers."""
        return self._details.jupyter_url

    def refresh(self) -> Pod:
        """Look again, and return this pod.

        Raises
        ------
        NotFound
            It is gone.
        BudgetExceeded
            It is held to the price that was agreed to, and above it; the message says whether it was ended.
        """
        self.update(self._connection.client.get_pod(self.id))
        self._connection.agreements.check([self._details])
        return self

    def wait(self, goal: Goal = "ready", *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Pod:
        """Wait until it is ready (or ``active``, or ``terminated``), and return this pod. See `wait_for`."""
        snapshot = wait_for(self._connection, [self._details], goal=goal, timeout_s=timeout_s)
        self.update(snapshot.pods[0])
        return self

    async def wait_async(self, goal: Goal = "ready", *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Pod:
        """As `wait`, for ``await pod.wait_async()`` in an async cell: other tasks go on meanwhile. Cancelling
        it ends the waiting, never the pod."""
        waiting = begin_waiting(
            self._connection, [self._details], goal=goal, timeout_s=timeout_s, answer=lambda seen: seen
        )
        snapshot = await waiting
        self.update(snapshot.pods[0])
        return self

    def logs(self, *, tail: int | None = None) -> LogText:
        """Its logs, or their last ``tail`` lines.

        They are clean, as a terminal shows them: a progress bar is one line, in its last state, and colors
        and other escapes are left out.
        """
        return LogText(self._connection.client.pod_logs(self.id, tail=tail))

    def terminate(self) -> TerminationResult:
        """End it, verify that it is gone, and say what it cost."""
        return terminate_pods(self._connection, [self._details])[0]

    def __str__(self) -> str:
        return printable(repr(self))

    def __repr__(self) -> str:
        pod = self._details
        parts = [f"{pod.gpu_count or '?'} × {sanitize(pod.gpu_name)}"]
        if pod.price_hr is not None:
            parts.append(format_usd_hr(pod.price_hr))
        parts.append(self._describe_state())
        if pod.is_ready and self.ssh:
            parts.append(self.ssh)
        if pod.has_failed:
            parts.append(brief(pod.installation_failure) or "failed")
        return f"Pod {brief(self.name)}: {' · '.join(sanitize(part) for part in parts)}"

    def _describe_state(self) -> str:
        pod = self._details
        if pod.is_ready:
            return "ready"
        if pod.status in (PodStatus.PROVISIONING, PodStatus.PENDING) and pod.created_at:
            # Stays true under a cell whose bar has moved on.
            return f"created {pod.created_at:%H:%M:%S} UTC"
        return f"{pod.status} at {self._as_of:%H:%M:%S} UTC"
