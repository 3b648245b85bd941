"""The frames: the same columns and dtypes whatever the service says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from primepods_magic.api.fields.undocumented import FIELDS_LEFT_OUT, MAX_FIELDS
from primepods_magic.api.models import HistoryRow, Offer, PodDetails, PodStatusEntry
from primepods_magic.frames import history_frame, offers_frame, pods_frame, removed_frame, status_frame
from primepods_magic.frames.tables.pods import PODS
from primepods_magic.pods.history.table import HistoryTable
from primepods_magic.pods.terminate import TerminationResult

from . import examples

UTC = timezone.utc
REMOVALS = [
    TerminationResult(
        "train", "p1", "terminated", 56.16, datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 2, tzinfo=UTC)
    ),
    TerminationResult("eval", "p2", "not gone yet, may still be billed"),
]

Build = Callable[[Iterable[Any]], pd.DataFrame]
CASES = [
    pytest.param(pods_frame, examples.pods(), id="pods"),
    pytest.param(status_frame, examples.statuses(), id="status"),
    pytest.param(offers_frame, examples.offers(), id="offers"),
    pytest.param(history_frame, examples.history(), id="history"),
    pytest.param(removed_frame, REMOVALS, id="removed"),
]


def _dtypes(frame: pd.DataFrame) -> dict[str, str]:
    # Without what the service sent beyond its documentation, which comes last and as objects.
    names = {name: "string" if dtype == "string" else str(dtype) for name, dtype in frame.dtypes.items()}
    return {str(name): dtype for name, dtype in names.items() if dtype != "object"}


@pytest.mark.parametrize(("build", "rows"), CASES)
def test_dtypes_do_not_depend_on_the_values(build: Build, rows: list[Any]) -> None:
    empty, full = _dtypes(build([])), _dtypes(build(rows))
    assert empty == full
    for row in rows:
        assert _dtypes(build([row])) == empty


@pytest.mark.parametrize(
    ("build", "row"),
    [
        (pods_frame, PodDetails()),
        (status_frame, PodStatusEntry()),
        (offers_frame, Offer()),
        (history_frame, HistoryRow()),
    ],
)
def test_an_answer_with_nothing_in_it_is_a_row_of_missing_values(build: Build, row: Any) -> None:
    # What is said of the row itself, such as that it is open, is there.
    frame = build([row]).drop(columns=["status", "is_ready", "state", "remarks"], errors="ignore")
    assert frame.isna().all(axis=None)
    assert _dtypes(build([row])) == _dtypes(build([]))


@pytest.mark.parametrize(("build", "rows"), CASES)
def test_a_frame_is_nothing_but_a_frame(build: Build, rows: list[Any]) -> None:
    frame = build(iter(rows))
    assert type(frame) is pd.DataFrame
    assert isinstance(frame.index, pd.RangeIndex)
    assert len(frame) == len(rows)
    assert frame.attrs == {}


@pytest.mark.parametrize(("build", "rows"), CASES)
def test_texts_are_nothing_but_text(build: Build, rows: list[Any]) -> None:
    texts = build(rows).select_dtypes("string")
    assert {type(value) for name in texts for value in texts[name].dropna()} <= {str}


def test_words_that_are_not_known_yet_are_shown_as_they_are() -> None:
    row = pods_frame(examples.pods()).set_index("name").loc["from-the-future"]
    assert row["status"] == "MIGRATING"
    assert row["installation_status"] == "QUEUED"
    assert row["security"] == "sovereign_cloud"
    assert row["attached_disks"] == "BUCKET 7 SYNCING 1024 GB /bucket"


def test_names_are_kept_to_the_letter() -> None:
    names = set(pods_frame(examples.pods())["name"])
    assert {pod.name for pod in examples.pods()} == names
    assert "実験-モデル-№5 🚀" in names


def test_the_ssh_of_a_pod_with_several_nodes_is_the_first_that_is_up() -> None:
    nodes = PodDetails(
        status="ACTIVE", ssh_connection=[None, "root@203.0.113.2 -p 22", "root@203.0.113.3 -p 2200"]
    )
    row = pods_frame([nodes]).iloc[0]
    assert row["ssh"] == "ssh root@203.0.113.2 -p 22"
    assert row["connections"].split("\n") == ["ssh root@203.0.113.2 -p 22", "ssh root@203.0.113.3 -p 2200"]
    assert not row["is_ready"]


def test_half_a_character_in_a_name_does_not_lose_the_answer() -> None:
    # JSON can hold half of a surrogate pair; Arrow, which pandas keeps texts in where it is there, cannot.
    assert pods_frame([PodDetails(name="a\ud83d")])["name"].tolist() == ["a\ufffd"]


def test_prices_with_cents_that_floats_cannot_hold_are_not_rounded() -> None:
    assert history_frame(examples.history())["billed_usd"].tolist()[2] == 0.30000000000000004


@pytest.mark.parametrize(
    ("build", "model"),
    [
        (pods_frame, PodDetails),
        (status_frame, PodStatusEntry),
        (offers_frame, Offer),
        (history_frame, HistoryRow),
    ],
)
def test_no_secret_reaches_a_frame(build: Build, model: Any) -> None:
    secrets = {
        "jupyterPassword": "hunter2",
        "envVars": [{"key": "TOKEN", "value": "hunter2"}],
        "envText": "TOKEN=hunter2",
        "apiKey": "hunter2",
        "accessToken": "hunter2",
        "clientSecret": "hunter2",
        "ip": "203.0.113.2",
        "primePortMapping": [
            {
                "internal": "8888",
                "external": "https://p.example/lab?token=hunter2",
                "usedBy": "JUPYTER_NOTEBOOK",
            }
        ],
    }
    frame = build([model.model_validate(secrets)])
    assert "hunter2" not in frame.to_csv()


def test_single_values_beyond_the_documentation_come_last_and_unchanged() -> None:
    first = HistoryRow.model_validate(
        {"id": "a", "newRegion": "mars", "carbonKg": 1.5, "isGreen": True, "billed_usd": 7}
    )
    second = HistoryRow.model_validate({"id": "b", "nested": {"not": "shown"}})
    frame = history_frame([first, second])
    assert list(frame.columns[-3:]) == ["new_region", "carbon_kg", "is_green"]
    assert frame["carbon_kg"].tolist() == [1.5, None]
    assert frame["is_green"].tolist()[0] is True
    assert frame["billed_usd"].isna().all()


def test_a_status_has_its_name_and_its_price_under_either_of_its_keys() -> None:
    entries = [
        PodStatusEntry.model_validate({"podId": "a", "costPerHr": 2.71}),
        PodStatusEntry(id="b", price_hr=1.0),
    ]
    frame = status_frame(entries, {"a": "train"})
    assert frame["id"].tolist() == ["a", "b"]
    assert frame["price_usd_hr"].tolist() == [2.71, 1.0]
    assert frame["name"].tolist() == ["train", pd.NA]


@pytest.mark.parametrize(
    ("gpu", "field", "expected"),
    [
        ("A100_80GB", 160, 80.0),
        ("RTX_PRO_6000B_96GB", None, 96.0),
        ("H200_141GB_SXM", 1, 141.0),
        ("GB300", 288, 288.0),
        ("CPU_NODE", None, pd.NA),
    ],
)
def test_gpu_memory_is_that_of_one_gpu(gpu: str, field: float | None, expected: object) -> None:
    assert offers_frame([Offer(gpu_type=gpu, gpu_count=2, gpu_memory=field)])["gpu_memory_gb"].tolist() == [
        expected
    ]


def test_the_price_of_one_gpu_is_missing_where_it_cannot_be_told() -> None:
    usd = {"onDemand": 4.68, "currency": "USD"}
    offers = [
        Offer(gpu_count=2, prices=usd),
        Offer(gpu_count=0, prices=usd),
        Offer(prices=usd),
        Offer(gpu_count=2),
    ]
    assert offers_frame(offers)["price_gpu_hr"].tolist() == [2.34, pd.NA, pd.NA, pd.NA]


def test_a_duration_is_never_negative_and_open_rows_are_measured_up_to_now() -> None:
    rows = {row.name: index for index, row in enumerate(examples.history())}
    frame = history_frame(examples.history())
    assert frame["duration"].isna().tolist() == [True, False, True, False, False, False]
    assert frame["gpu_hours"].isna().tolist() == [True, False, True, False, False, False]
    assert "ends before it begins" in frame.loc[rows["clock skew"], "remarks"]
    assert frame.loc[rows["DST night"], "duration"] == timedelta(hours=1)
    assert frame.loc[rows["averaged price"], "gpu_hours"] == 192.0
    for now in (datetime(2026, 9, 14, 1, 59, 59, tzinfo=UTC), datetime(2026, 9, 14, 1, 59, 59)):
        still_open = history_frame(examples.history(), now).iloc[0]
        assert still_open["duration"] == timedelta(hours=2)
        assert still_open["gpu_hours"] == 2.0
    early = history_frame(examples.history(), datetime(2026, 9, 1, tzinfo=UTC)).iloc[0]
    assert early[["duration", "gpu_hours"]].isna().all()
    assert early["remarks"] == "open, begins later than now"


@pytest.mark.parametrize("never", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T00:00:00Z"])
def test_times_that_stand_for_none_are_missing(never: str) -> None:
    said = {"createdAt": "2026-09-01T00:00:00Z", "terminatedAt": never}
    frames = (
        history_frame(HistoryTable.of_rows([dict(said)])),
        history_frame([HistoryRow.model_validate(said)]),
    )
    for frame in frames:
        assert frame["terminated_at"].isna().all()
        assert frame[["state", "remarks"]].values.tolist() == [["open", "open, no name, no price"]]


def test_undocumented_fields_beyond_a_number_of_them_are_counted() -> None:
    many = {f"x{n}": n for n in range(MAX_FIELDS + 3)}
    said = ({**many, "id": "a"}, {"y": 1}, {"x2": 2})
    frame = pods_frame([PodDetails.model_validate(pod) for pod in said])
    beyond = list(frame.columns[len(PODS) :])
    assert beyond == [*(f"x_{n}" for n in range(MAX_FIELDS)), FIELDS_LEFT_OUT]
    assert frame[FIELDS_LEFT_OUT].tolist() == [3, 1, None]
    assert frame["x_2"].tolist() == [2, None, 2]


def test_very_many_undocumented_fields_are_read_in_linear_time() -> None:
    pods = [PodDetails.model_validate({f"x{row}y{n}": n for n in range(100)}) for row in range(300)]
    began = time.process_time()
    frame = pods_frame(pods)
    assert frame.shape == (300, len(PODS) + MAX_FIELDS + 1)
    assert time.process_time() - began < 0.7
