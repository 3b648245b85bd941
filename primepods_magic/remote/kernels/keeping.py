"""Kernel specs in step with the pods: those of pods that are gone are removed."""

from __future__ import annotations

import time
from contextlib import suppress
from weakref import WeakKeyDictionary

from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.existence import examine_pods
from primepods_magic.pods.support.background import run_in_background

from .specs import KernelSpec, list_kernel_specs, remove_kernel_spec, write_kernel_spec

__all__ = ["keep_kernel_specs"]

_CHECK_INTERVAL_S = 60.0

_checked_at_s: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()


def keep_kernel_specs(connection: Connection, *, adds: bool) -> None:
    """Bring the specs in step with the pods that were seen last; never raise, and never wait for the service.

    `adds` writes those of my ready pods. Specs of pods that were not seen are checked in the background, at
    most once a minute.
    """
    specs = list_kernel_specs(connection)
    if not specs and not adds:
        return
    running = {pod.id: pod for pod in connection.completion_cache.list_running()}
    for spec in specs:
        with suppress(PodsError):
            _update_spec(connection, spec, running.get(spec.pod_id))
    if adds and (connection.has_machines or not connection.is_sandbox):
        written = {spec.pod_id for spec in specs if spec.session == "main"}
        for pod in running.values():
            with suppress(PodsError):
                if pod.is_ready and pod.id not in written and connection.may_be_mine(pod):
                    write_kernel_spec(connection, pod)
    unseen = [spec for spec in specs if spec.pod_id not in running]
    is_due = time.monotonic() - _checked_at_s.get(connection, -_CHECK_INTERVAL_S) >= _CHECK_INTERVAL_S
    if unseen and is_due:
        _checked_at_s[connection] = time.monotonic()
        run_in_background(connection, lambda: _remove_ended(connection, unseen))


def _update_spec(connection: Connection, spec: KernelSpec, pod: PodDetails | None) -> None:
    if connection.completion_cache.is_gone(spec.pod_id):
        remove_kernel_spec(spec)
    elif pod is not None:
        # Its price may have changed, and a sandbox's address.
        write_kernel_spec(connection, pod, spec.session, options=spec.options)


def _remove_ended(connection: Connection, specs: list[KernelSpec]) -> None:
    with suppress(PodsError):
        findings = examine_pods(connection, [PodDetails(id=spec.pod_id) for spec in specs])
        for spec in specs:
            if findings[spec.pod_id].has_ended:
                with suppress(PodsError):
                    remove_kernel_spec(spec)
