"""Figures of a pod that cannot be are not believed, shown, or written where they make a record unreadable."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.doctor.finding import Finding
from primepods_magic.remote import job_list, pod_checks
from primepods_magic.remote.cells import read_cells, record_cell
from primepods_magic.remote.job import Job, JobEnd
from primepods_magic.remote.limits.figures import Stopwatch, bound_seconds, estimate_usd
from primepods_magic.remote.link import PodLink

POD = PodDetails(id="p1", name="train", status="ACTIVE", price_hr=3.6, gpu_count=1)
LINK = cast(PodLink, SimpleNamespace(name="train"))


def list_jobs(connection: Connection, answer: dict[str, Any]) -> list[job_list.JobInfo]:
    facts = {"id": "abc123", "session": "main", "title": "t", "state": "running"}
    pod = POD.model_copy(update={"created_at": connection.now() - timedelta(hours=1)})
    return job_list._read_jobs(connection, pod, {"jobs": [{**facts, **answer.pop("job")}], **answer})


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ({"now": 9e11, "job": {"started_at": 0}}, None),
        ({"now": 5e9, "job": {"started_at": 0}}, None),
        ({"now": True, "job": {"started_at": 0}}, None),
        ({"now": float("nan"), "job": {"started_at": 0}}, None),
        ({"now": 500, "job": {"started_at": 100}}, 400),
        ({"now": 500_000, "job": {"started_at": 100}}, 3660),
        ({"now": 500, "job": {"started_at": 100, "state": "ok", "seconds": -5}}, None),
        ({"now": 500, "job": {"started_at": 100, "state": "ok", "seconds": 9e8}}, 3660),
    ],
)
def test_jobs_are_not_older_than_their_pod(
    connection: Connection, answer: dict[str, Any], seconds: float | None
) -> None:
    (job,) = list_jobs(connection, answer)
    if seconds is None:
        assert (job.duration, job.estimated_usd) == (None, None)
    else:
        assert job.duration is not None
        assert job.duration.total_seconds() == pytest.approx(seconds, abs=2)
        assert job.estimated_usd == pytest.approx(seconds / 1000, abs=0.01)


@pytest.mark.parametrize("error", [5, "x", ["a", {"b": 1}], None, {"a": 1}, True])
def test_the_reason_of_a_gpu_may_be_anything(error: object) -> None:
    (finding,) = pod_checks._check_gpus(POD, {"gpu_error": error})
    assert isinstance(finding, Finding)
    assert finding.detail.startswith("nvidia-smi fails: ")


def test_a_cell_did_not_run_longer_than_since_it_was_sent() -> None:
    job = Job(LINK, "abc123", "main")
    header = {"type": "done", "state": "ok", "seconds": 1e8}
    assert job.read_end(header).seconds == 1e8
    job._stopwatch = Stopwatch()
    assert job.read_end(header).seconds < 10
    assert job.read_end({**header, "seconds": -5}).seconds == 0
    assert job.read_end({**header, "seconds": 0.25}).seconds == 0.25
    assert job.read_end({**header, "seconds": True}) == JobEnd("ok")


@pytest.mark.parametrize(
    ("price", "seconds", "usd"),
    [(3.6, 10.0, 0.01), (1e308, 10.0, None), (-2.0, 10.0, None), (1e12, 1e9, None), (None, 10.0, None)],
)
def test_what_is_no_price_makes_no_estimate(price: float | None, seconds: float, usd: float | None) -> None:
    assert estimate_usd(POD.model_copy(update={"price_hr": price}), seconds) == usd


@pytest.mark.parametrize("changes", [{"price_hr": 1e308}, {"gpu_count": -1}, {"gpu_count": 1 << 40}, {}])
def test_a_record_can_be_read_again(connection: Connection, changes: dict[str, Any]) -> None:
    created = connection.now() - timedelta(hours=1)
    pod = POD.model_copy(update={"created_at": created, **changes})
    end = JobEnd("ok", 1e9, idle_s=1e9)
    record = record_cell(connection, pod, Job(LINK, "abc123", "main"), end)
    assert record.seconds == pytest.approx(3660, abs=2)
    assert record.idle_s == pytest.approx(3660, abs=2)
    assert read_cells(connection) == [record]


def test_a_pod_from_the_future_bounds_nothing(connection: Connection) -> None:
    pod = POD.model_copy(update={"created_at": connection.now() + timedelta(hours=1)})
    assert bound_seconds(connection, pod, 100.0) == 100.0
