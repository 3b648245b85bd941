"""Frames of this computer and of cells on pods: audit log, cached histories, findings, jobs, kernels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from primepods_magic.api.local.folders import shorten_path
from primepods_magic.pods.history import CacheFile

from .schema import SPAN, TIME, Column, build

if TYPE_CHECKING:
    from primepods_magic.pods.audit import AuditEntry
    from primepods_magic.pods.doctor import Finding
    from primepods_magic.remote.job_list import JobInfo
    from primepods_magic.remote.kernels.specs import KernelSpec

__all__ = [
    "AUDIT",
    "CACHE",
    "CHECKS",
    "JOBS",
    "KERNELS",
    "audit_frame",
    "cache_frame",
    "checks_frame",
    "jobs_frame",
    "kernels_frame",
]

_BYTES_PER_MB = 1_000_000


def cache_frame(files: Iterable[CacheFile]) -> pd.DataFrame:
    """Build a frame of cached histories.

    >>> cache_frame([]).columns.tolist()
    ['service', 'rows', 'size_mb', 'read_at', 'path']
    """
    return build(CACHE, files)


def checks_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Build a frame of findings, in the order given.

    >>> from primepods_magic.pods.doctor import Finding
    >>> checks_frame([Finding("key", "ok", "pit_…")])["result"].tolist()
    ['ok']
    """
    return build(CHECKS, findings)


def jobs_frame(jobs: Iterable[JobInfo]) -> pd.DataFrame:
    """Build a frame of jobs, in the order given.

    >>> jobs_frame([]).columns.tolist()[:4]
    ['id', 'pod', 'session', 'title']
    """
    return build(JOBS, jobs)


def kernels_frame(specs: Iterable[KernelSpec]) -> pd.DataFrame:
    """Build a frame of the kernels of pods in Jupyter's kernel picker.

    >>> kernels_frame([]).columns.tolist()[:3]
    ['name', 'display_name', 'pod']
    """
    return build(KERNELS, specs)


def audit_frame(entries: Iterable[AuditEntry]) -> pd.DataFrame:
    """Build a frame of entries of the audit log, in the order given.

    >>> audit_frame([]).columns.tolist()[:4]
    ['at', 'event', 'service', 'kind']
    """
    return build(AUDIT, entries)


AUDIT: tuple[Column[AuditEntry], ...] = (
    Column("at", TIME, doc="when it happened, by the clock of this computer", format="long_time"),
    Column(
        "event",
        "string",
        doc="create sent, created, create refused or unknown, found by a later run; termination sent, "
        "refused or unknown, terminated",
        format="strong",
    ),
    Column("service", "string", doc="live, or sandbox, where no money is spent", format="badge"),
    Column("kind", "string", doc="pod or disk"),
    Column("pod", "string", doc="name of the pod or disk"),
    Column("gpu", "string"),
    Column("gpu_count", "Int64"),
    Column("price_usd_hr", "Float64", doc="USD per hour: quoted for a create, else that of the pod"),
    Column("billed_usd", "Float64", doc="USD that the service has billed for the pod", format="billed"),
    Column("cause", "string", doc="why it was terminated, if no one asked for that: a guard, a limit …"),
    Column("detail", "string", doc="kind of error, or what is known of a termination", max_length=80),
    Column("front_end", "string", doc="notebook, script, guard, kernel (of a pod in Jupyter) or python"),
    Column("pod_id", "string", doc="id of the pod or disk", max_length=34),
    Column("host", "string", doc="host of the service"),
)
CACHE: tuple[Column[CacheFile], ...] = (
    Column("service", "string", doc="service or sandbox of the history"),
    Column("rows", "Int64", doc="number of cached rows"),
    Column("size_mb", "Float64", lambda file: file.size_bytes / _BYTES_PER_MB, "size of the file in MB"),
    Column("read_at", TIME, doc="when it was last read"),
    Column("path", "string", lambda file: shorten_path(file.path), "path of the file"),
)
CHECKS: tuple[Column[Finding], ...] = (
    Column("check", "string", doc="name of the check", format="strong"),
    Column("result", "string", doc="ok, warning or problem", format="badge"),
    Column("detail", "string", doc="details", max_length=300),
    Column("what_to_do", "string", doc="how to fix it", max_length=300),
)
KERNELS: tuple[Column[KernelSpec], ...] = (
    Column("name", "string", doc="name for jupyter console --kernel and papermill -k", format="code"),
    Column("display_name", "string", doc="as the kernel picker shows it", format="strong"),
    Column("pod", "string", doc="name of its pod"),
    Column("session", "string", doc="kernel on the pod"),
    Column("pod_id", "string", doc="id of its pod", format="code"),
    Column("path", "string", lambda spec: shorten_path(spec.folder), "folder of the kernel spec"),
)
JOBS: tuple[Column[JobInfo], ...] = (
    Column("id", "string", doc="id of the job", format="code"),
    Column("pod", "string", doc="name of its pod", format="strong"),
    Column("session", "string", doc="kernel on the pod"),
    Column("title", "string", doc="first line of its code, without strings", format="code", max_length=80),
    Column("state", "string", doc="queued, running, ok, error, cancelled or died", format="badge"),
    Column("started_at", TIME, doc="when it began to run"),
    Column("duration", SPAN, doc="how long it ran, or has been running"),
    Column(
        "estimated_usd",
        "Float64",
        doc="USD that the pod cost while the job ran, estimated from its price",
        format="amount",
    ),
)
