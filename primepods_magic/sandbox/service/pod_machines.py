"""The machines of ready pods: where they are, who may log in, and when they end."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from primepods_magic.sandbox.domain.gpu_products import find_gpu_product
from primepods_magic.sandbox.domain.lifecycle import State
from primepods_magic.sandbox.domain.records import Node, PodRecord
from primepods_magic.sandbox.machines.host import MachineHost, MachinesUnavailable
from primepods_magic.sandbox.schemas.enums import PodStatus
from primepods_magic.sandbox.storage.store import Store

__all__ = ["MAX_MACHINES", "PodMachines", "ReadStatuses"]

MAX_MACHINES = 64
"""Further pods have documentation addresses."""

_HOST = "127.0.0.1"
_WATCH_S = 0.5
_RETRY_S = 30.0
# Below the ports that systems choose themselves, so that a machine finds its port free after a restart.
_FIRST_PORT, _PORTS = 20_000, 12_000
# A pod that the provider has lost track of goes on running.
_RUNNING: frozenset[PodStatus] = frozenset({"ACTIVE", "UNKNOWN"})
_GONE: frozenset[PodStatus] = frozenset({"DELETING", "TERMINATED"})

_log = logging.getLogger("primepods_magic.sandbox")

ReadStatuses = Callable[[Sequence[str]], Mapping[str, PodStatus]]
"""Return the current status of those pods that exist."""


@dataclass
class _Machine:
    """The machine of one node; `port` is None while it is stopped and only its files are kept."""

    record: PodRecord
    keys: list[str]
    port: int | None


class PodMachines:
    """The machines of a sandbox. A single thread uses them, but for `stop`."""

    def __init__(self, store: Store, host: MachineHost) -> None:
        self._store = store
        self._host = host
        self._generation = host.generation
        self._machines: dict[str, _Machine] = {}
        self._env: dict[str, Mapping[str, str]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._retry_at_s = 0.0

    def stop(self) -> None:
        """End all machines; safe to call from any thread."""
        self._host.stop()

    def warm_up(self) -> None:
        """Start the process of the machines in the background."""
        self._host.warm_up()

    def prepare(self, record: PodRecord, env: Mapping[str, str]) -> None:
        """Get ready for a new pod's machine; its variables are kept in memory alone."""
        self.warm_up()
        if env:
            self._env[record.id] = dict(env)

    def locate(
        self, records: Sequence[PodRecord], states: Sequence[State], read_statuses: ReadStatuses
    ) -> list[PodRecord]:
        """Return the records with the addresses of their machines, starting those that are missing."""
        self._notice_restart()
        ready = [
            (record, index)
            for record, state in zip(records, states, strict=True)
            if state.status == "ACTIVE"
            for index in range(min(len(record.nodes), state.connected_nodes))
        ]
        missing = [(record, index) for record, index in ready if self._find_port(record, index) is None]
        if missing and time.monotonic() >= self._retry_at_s:
            try:
                self._run_machines(missing)
            except MachinesUnavailable as error:
                _log.warning("%s", error)
                self._retry_at_s = time.monotonic() + _RETRY_S
            self._start_watch(read_statuses)
        return [self._readdress(record) for record in records]

    def refresh(self, read_statuses: ReadStatuses) -> None:
        """End the machines of pods that have ended or stopped, and pass on the account's keys."""
        self._notice_restart()
        pod_ids = {each.record.id for each in self._machines.values()} | set(self._env)
        statuses = read_statuses(list(pod_ids))
        for pod_id in [pod_id for pod_id in self._env if statuses.get(pod_id) in _GONE]:
            del self._env[pod_id]
        stopped, gone = [], []
        keys: dict[str, list[str]] = {}
        for machine_id, machine in list(self._machines.items()):
            status = statuses.get(machine.record.id, "TERMINATED")
            if status in _GONE:
                gone.append(machine_id)
                del self._machines[machine_id]
            elif machine.port is None:
                continue
            elif status not in _RUNNING:
                stopped.append(machine_id)
                machine.port = None
            elif machine.keys != (current := self._list_keys(machine.record)):
                keys[machine_id] = machine.keys = current
        try:
            if keys:
                self._host.set_keys(keys)
            for ids, keeps_files in ((stopped, True), (gone, False)):
                if ids:
                    self._host.end(ids, keeps_files=keeps_files)
        except MachinesUnavailable as error:
            # They ended with their process.
            _log.warning("%s", error)

    def change(self, pod_id: str, settings: Mapping[str, Any], node: int | None) -> bool:
        """Apply faults to a pod's machines, or to one node's; return False if there is none."""
        self._notice_restart()
        ids = [
            machine_id
            for machine_id, machine in self._machines.items()
            if machine.record.id == pod_id and machine.port is not None
        ]
        if node is not None:
            ids = [machine_id for machine_id in ids if machine_id == f"{pod_id}-{node}"]
        try:
            for machine_id in ids:
                self._host.change(machine_id, settings)
        except MachinesUnavailable as error:
            _log.warning("%s", error)
            return False
        return bool(ids)

    def _run_machines(self, missing: Sequence[tuple[PodRecord, int]]) -> None:
        free = MAX_MACHINES - sum(machine.port is not None for machine in self._machines.values())
        orders = [self._make_order(record, index) for record, index in missing[: max(0, free)]]
        if not orders:
            return
        ports = self._host.run(orders)
        self._generation = self._host.generation
        for order, (record, _) in zip(orders, missing, strict=False):
            if order["id"] in ports:
                self._machines[order["id"]] = _Machine(record, order["keys"], ports[order["id"]])
        if len(ports) < len(orders):
            raise MachinesUnavailable(f"{len(orders) - len(ports)} machines of the sandbox do not start")

    def _make_order(self, record: PodRecord, index: int) -> dict[str, Any]:
        machine_id, instance = _name_machine(record, index), self._store.instance()
        digits = hashlib.blake2b(f"{instance}/{machine_id}".encode(), digest_size=8).hexdigest()
        name, memory_mb = find_gpu_product(record.gpu_type, record.socket)
        has_gpus = record.gpu_type != "CPU_NODE"
        return {
            "id": machine_id,
            "user": record.nodes[index].ssh_user,
            "port": _FIRST_PORT + int(digits, 16) % _PORTS,
            "secret": instance,
            "env": self._env.get(record.id, {}),
            "keys": self._list_keys(record),
            "gpu_name": name,
            "gpu_memory_mb": memory_mb,
            "gpu_count": record.gpu_count // len(record.nodes) if has_gpus else 0,
        }

    def _list_keys(self, record: PodRecord) -> list[str]:
        keys = self._store.account.keys(record.user_id)
        return [key.public_key for key in keys if record.ssh_key_id in (None, key.id)]

    def _find_port(self, record: PodRecord, index: int) -> int | None:
        machine = self._machines.get(_name_machine(record, index))
        return None if machine is None else machine.port

    def _readdress(self, record: PodRecord) -> PodRecord:
        """Replace the addresses of nodes that have machines."""
        ports = [self._find_port(record, index) for index in range(len(record.nodes))]
        if not any(ports):
            return record
        nodes = tuple(
            node if port is None else Node(_HOST, node.ssh_user, port)
            for node, port in zip(record.nodes, ports, strict=True)
        )
        # Whatever listens on this computer's Jupyter port is not the pod.
        return replace(record, nodes=nodes, jupyter_port=None)

    def _notice_restart(self) -> None:
        """Forget the machines of a process that has died."""
        is_alive = self._host.is_alive()
        if not is_alive or self._generation != self._host.generation:
            self._generation = self._host.generation
            self._machines.clear()

    def _start_watch(self, read_statuses: ReadStatuses) -> None:
        if self._watching is None or self._watching.done():
            self._watching = asyncio.get_running_loop().create_task(self._watch_pods(read_statuses))

    async def _watch_pods(self, read_statuses: ReadStatuses) -> None:
        """End machines with their pods, even if no one sends a request; stop when there are none."""
        while self._machines:
            await asyncio.sleep(_WATCH_S)
            try:
                self.refresh(read_statuses)
            except Exception:  # the next round may succeed  # noqa: BLE001
                _log.exception("Cannot check the pods of the machines")


def _name_machine(record: PodRecord, index: int) -> str:
    return f"{record.id}-{index + 1}"
