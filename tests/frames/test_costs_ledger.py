"""The ledger: everything that costs, once, as what it is known to cost."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primepods_magic.api.account import Billing, Team
from primepods_magic.api.disks import Disk
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.costs import breakdown, ledger
from primepods_magic.frames import billings_frame, disks_frame, history_frame, pods_frame, teams_frame

from . import examples

START = datetime(2026, 9, 1, tzinfo=timezone.utc)
NOW = START + timedelta(hours=10)


def row(**told: Any) -> HistoryRow:
    return HistoryRow(**{"id": "h", "created_at": START, "terminated_at": START, **told})


def pod(**told: Any) -> PodDetails:
    return PodDetails(**{"id": "p", "status": "ACTIVE", "price_hr": 2.0, "created_at": START, **told})


def live(*pods: PodDetails, past: list[HistoryRow] | None = None, **others: Any) -> list[dict[str, Any]]:
    frame = ledger(history_frame(past or []), pods=pods_frame(pods), now=NOW, **others)
    answer: list[dict[str, Any]] = frame.to_dict("records")
    return answer


def test_the_columns() -> None:
    history = history_frame(examples.history())
    frame = ledger(history, now=NOW)
    before = [name for name in frame.columns if name in history.columns]
    # The cost is the estimate until it is billed.
    assert before == [name for name in history.columns if name != "estimated_usd"]
    assert {name: str(frame[name].dtype) for name in frame.columns[-6:]} == {
        "team": "string",
        "cost_usd": "Float64",
        "begin_at": "datetime64[us, UTC]",
        "end_at": "datetime64[us, UTC]",
        "is_spot": "boolean",
        "estimated": "boolean",
    }
    assert frame["cost_usd"].notna().all()
    full = ledger(history, pods=pods_frame(examples.pods()), disks=disks_frame([Disk(id="d")]), now=NOW)
    pd.testing.assert_series_equal(full.dtypes, frame.dtypes)
    pd.testing.assert_series_equal(ledger(history_frame([])).dtypes[frame.dtypes.index], frame.dtypes)


def test_rows_of_the_history() -> None:
    frame = ledger(
        history_frame(
            [
                row(terminated_at=START + timedelta(hours=1), total_billed_price=3.0),
                row(terminated_at=START + timedelta(hours=1), total_billed_price=None),
                row(terminated_at=None, total_billed_price=1.0),
                row(created_at=None, terminated_at=None, total_billed_price=5.0),
                row(created_at=None, total_billed_price=7.0),
            ]
        ),
        now=NOW.replace(tzinfo=None),
    )
    # A row that is not billed and has no price does not cost nothing.
    assert frame["cost_usd"].fillna(-1.0).tolist() == [3.0, -1.0, 1.0, 5.0, 7.0]
    assert frame["estimated"].tolist() == [False, True, True, True, False]
    assert frame["state"].tolist() == ["closed", "closed", "open", "open", "closed"]
    assert frame["begin_at"].tolist() == [START, START, START, pd.NaT, pd.NaT]
    assert frame["end_at"].tolist() == [*[START + timedelta(hours=1)] * 2, NOW, pd.NaT, START]
    assert frame["is_spot"].isna().all()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, 20.0),
        ({"status": "PENDING"}, 20.0),
        ({"status": "ERROR"}, 20.0),
        ({"status": "UNKNOWN"}, 20.0),
        ({"status": "DELETING"}, 20.0),
        ({"status": "SOMETHING_NEW"}, 20.0),
        ({"status": "PROVISIONING", "provisioning_price_hr": 0.5}, 5.0),
        ({"status": "PROVISIONING", "provisioning_price_hr": 0.0}, 0.0),
        ({"status": "PROVISIONING"}, 20.0),
        ({"status": "STOPPED", "stopped_price_hr": 0.5, "updated_at": START + timedelta(hours=4)}, 11.0),
        ({"status": "STOPPED", "stopped_price_hr": 0.0, "updated_at": START + timedelta(hours=4)}, 8.0),
        ({"status": "STOPPED", "updated_at": START + timedelta(hours=4)}, 20.0),
        ({"status": "STOPPED", "stopped_price_hr": 0.5}, 20.0),
        ({"status": "STOPPED", "stopped_price_hr": 0.5, "updated_at": START - timedelta(hours=4)}, 5.0),
        ({"status": "STOPPED", "stopped_price_hr": 0.5, "updated_at": NOW + timedelta(hours=4)}, 20.0),
    ],
)
def test_a_live_pod_has_cost_by_its_state(told: dict[str, Any], expected: float) -> None:
    (line,) = live(pod(**told))
    assert line["cost_usd"] == pytest.approx(expected, abs=1e-12)
    assert (line["state"], line["type"], line["estimated"]) == ("live", "Instance", True)


@pytest.mark.parametrize(
    "told", [{"price_hr": None}, {"created_at": None}, {"created_at": NOW + timedelta(hours=1)}], ids=str
)
def test_the_cost_of_a_live_pod_without_a_price_or_a_beginning_is_missing(told: dict[str, Any]) -> None:
    (line,) = live(pod(**told))
    assert pd.isna(line["cost_usd"])
    assert (line["state"], line["estimated"]) == ("live", True)
    billings = billings_frame([Billing(resource_id="p", amount_usd=3.0, last_billed_at=NOW)])
    (line,) = live(pod(**told), billings=billings)
    assert line["cost_usd"] == 3.0


@pytest.mark.parametrize(
    ("told", "estimated"),
    [
        ({"total_billed_price": 0.0}, True),
        ({"total_billed_price": 0.5}, False),
        ({"total_billed_price": 0.0, "price_hr": 0.0}, False),
        ({"total_billed_price": 0.0, "created_at": START + timedelta(hours=1)}, False),
    ],
)
def test_what_has_a_price_and_ended_lately_without_a_bill_is_not_final(
    told: dict[str, Any], estimated: bool
) -> None:
    """Some pods are billed hours after their end, and their rows say 0 until then."""
    past = history_frame([row(terminated_at=START + timedelta(hours=1), **{"price_hr": 2.0, **told})])
    assert ledger(past, now=NOW)["estimated"].tolist() == [estimated]
    assert ledger(past, now=NOW + timedelta(days=2))["estimated"].tolist() == [False]


def test_what_is_billed_late_costs_its_price_until_then() -> None:
    hour = row(terminated_at=START + timedelta(hours=1), total_billed_price=0.0, price_hr=0.69)
    frame = ledger(history_frame([hour]), now=NOW)
    assert frame["cost_usd"].tolist() == [0.69]
    parts = breakdown(ledger(history_frame([hour, row(total_billed_price=9.0)]), now=NOW))
    assert parts[["cost_usd", "estimated", "estimated_usd"]].values.tolist() == [[9.69, True, 0.69]]


def test_the_history_estimates_what_is_not_billed_yet() -> None:
    end = START + timedelta(hours=1)
    rows = [
        row(terminated_at=end, total_billed_price=0.0, price_hr=0.69),
        row(terminated_at=end, total_billed_price=0.5, price_hr=0.69),
        row(terminated_at=None, total_billed_price=None, price_hr=2.0),
        row(
            created_at=START - timedelta(days=10),
            terminated_at=end - timedelta(days=9),
            total_billed_price=0.0,
            price_hr=1.0,
        ),
    ]
    frame = history_frame(rows, now=START + timedelta(hours=3))
    assert frame["estimated_usd"].fillna(-1.0).tolist() == [0.69, -1.0, 6.0, -1.0]
    # Without a present, what is open lasts for a time that is not known.
    assert history_frame(rows)["estimated_usd"].fillna(-1.0).tolist() == [0.69, -1.0, -1.0, -1.0]


def test_a_live_pods_line() -> None:
    told = pod(name="train", gpu_name="H100_80GB", gpu_count=8, team_id="t", user_id="u", is_spot=True)
    past = [row(user_id="u", provisioned_by="Ada"), row(user_id="u", provisioned_by=""), row(user_id="x")]
    teams = teams_frame([Team(team_id="t", name="vision"), Team(team_id="x")])
    *_, line = live(told, past=past, teams=teams)
    expected = {
        "name": "train",
        "gpu": "H100_80GB",
        "gpu_count": 8,
        "gpu_hours": 80.0,
        "duration": timedelta(hours=10),
        "begin_at": START,
        "end_at": NOW,
        "team": "vision",
        "provisioned_by": "Ada",
        "is_spot": True,
    }
    assert {name: line[name] for name in expected} == expected
    assert pd.isna(line["billed_usd"])


def test_what_was_billed_beats_what_would_be_estimated() -> None:
    billings = billings_frame(
        [
            Billing(resource_id="p", amount_usd=3.0, last_billed_at=NOW),
            Billing(resource_id="p", amount_usd=4.0, last_billed_at=START),
            Billing(resource_id="d", amount_usd=None),
        ]
    )
    disks = disks_frame([Disk(id="d", price_hr=0.5, created_at=START, status="ACTIVE")])
    assert [line["cost_usd"] for line in live(pod(), billings=billings, disks=disks)] == [7.0, 5.0]


def test_nothing_is_counted_twice() -> None:
    past = [
        row(id="closed", total_billed_price=9.0),
        row(id="open", terminated_at=None, total_billed_price=31.0),
    ]
    pods = [
        pod(id="closed"),
        pod(id="open", is_spot=True),
        pod(id="live"),
        pod(id="live"),
        pod(id="gone", status="TERMINATED"),
        pod(id=None),
        pod(id=None),
    ]
    lines = live(*pods, past=past)
    # What has no id cannot be told from another without one.
    assert [line["state"] for line in lines] == ["closed", "open", "live", "live", "live"]
    assert [line["cost_usd"] for line in lines] == [9.0, 31.0, 20.0, 20.0, 20.0]
    assert lines[1]["is_spot"] is True


def test_an_open_row_that_bills_less_than_its_pod_has_cost_gives_way_to_the_pod() -> None:
    past = [row(id="p", terminated_at=None, total_billed_price=0.02)]
    assert [(line["state"], line["cost_usd"]) for line in live(pod(), past=past)] == [("live", 20.0)]


def test_billings_without_a_time_are_the_least_that_a_pod_has_cost() -> None:
    for usd, cost in ((3.0, 20.0), (31.0, 31.0), (0.0, 20.0), (-1.0, 20.0)):
        billings = pd.DataFrame({"resource_id": ["p"], "amount_usd": [usd]})
        (line,) = live(pod(), billings=billings)
        assert (line["cost_usd"], line["estimated"]) == (cost, True)


def test_disks() -> None:
    disks = disks_frame(
        [
            Disk(id="d", name="data", price_hr=0.5, created_at=START, status="UNATTACHED"),
            Disk(id="gone", price_hr=0.5, created_at=START, status="TERMINATED"),
            Disk(id="known", price_hr=0.5, created_at=START),
        ]
    )
    frame = ledger(
        history_frame([row(id="known", type="Disk", total_billed_price=1.0)]), disks=disks, now=NOW
    )
    line = frame.to_dict("records")[1]
    assert len(frame) == 2
    assert [line[name] for name in ("name", "type", "state", "cost_usd", "gpu_count", "gpu_hours")] == [
        "data",
        "Disk",
        "live",
        5.0,
        0,
        0.0,
    ]
    assert pd.isna(line["gpu"])


def test_teams() -> None:
    history = history_frame([row(team_id=team) for team in ("t", "x", "n", "", None)])
    teams = teams_frame([Team(team_id="t", name="vision"), Team(team_id="x", name=""), Team(name="who")])
    assert ledger(history, teams=teams)["team"].tolist() == ["vision", "x", "n", "personal", "personal"]
    assert ledger(history)["team"].tolist() == ["t", "x", "n", "personal", "personal"]


def test_the_present_is_now_where_nothing_else_is_said() -> None:
    frame = ledger(history_frame([row(terminated_at=None)]))
    assert abs(frame["end_at"][0] - pd.Timestamp.now("UTC")) < pd.Timedelta(minutes=1)


def test_what_is_given_stays_as_it_is() -> None:
    given = {
        "pods": pods_frame([pod()]),
        "disks": disks_frame([Disk(id="d", created_at=START)]),
        "billings": billings_frame([Billing(resource_id="p", amount_usd=1.0)]),
        "teams": teams_frame([Team(team_id="t", name="n")]),
    }
    history = history_frame([row(), row(terminated_at=None)]).set_index(pd.Index(["x", "y"]))
    before = {name: frame.copy() for name, frame in given.items()}, history.copy()
    frame = ledger(history, **given, now=NOW)
    frame["name"] = "changed"
    breakdown(history, "name", freq="D")
    for name, was in before[0].items():
        pd.testing.assert_frame_equal(given[name], was)
    pd.testing.assert_frame_equal(history, before[1])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_history_that_was_saved_is_the_same_history(kind: str, tmp_path: Path) -> None:
    history = history_frame(examples.history())
    path = tmp_path / f"history.{kind}"
    if kind == "csv":
        history.to_csv(path, index=False)
        again = pd.read_csv(path)
    else:
        history.to_parquet(path)
        again = pd.read_parquet(path)
    pods = pods_frame(examples.pods())
    both = [ledger(frame, pods=pods, now=NOW) for frame in (history, again)]
    # An empty text is a missing one in a CSV file.
    one, other = (frame.replace("", pd.NA)[list(history.columns[:16])] for frame in both)
    # How a text is stored is pandas' business.
    pd.testing.assert_frame_equal(one, other.astype(one.dtypes.to_dict()))
    for by in ("gpu", "team", "provisioned_by"):
        split = [breakdown(frame, by, freq="D", tz="Europe/Berlin") for frame in both]
        pd.testing.assert_frame_equal(
            *[frame.replace({by: {"": pd.NA}}).groupby([by, "period"], dropna=False).sum() for frame in split]
        )


def test_columns_of_ones_own_are_kept() -> None:
    history = history_frame([row(), row()]).assign(
        project=["a", "b"], number=[1, 2], done=[True, False], share=[0.5, 1.5], list=[[1], [2]]
    )
    frame = ledger(history, pods=pods_frame([pod()]), now=NOW)
    assert frame["project"].tolist()[:2] == ["a", "b"]
    assert str(frame["number"].dtype) == "Int64"
    assert str(frame["done"].dtype) == "boolean"
    assert frame[["project", "number", "done", "share", "list"]].iloc[2].isna().all()
    assert breakdown(frame, "project")["cost_usd"].sum() == 20.0
    with pytest.raises(ValueError, match="by: cannot group by the values of 'list'"):
        breakdown(frame, "list")


def test_only_what_is_needed_is_needed() -> None:
    history = pd.DataFrame(
        {"billed_usd": ["1.5", ""], "created_at": ["2026-09-01", None], "terminated_at": ["2026-09-02", ""]}
    )
    frame = ledger(history, now=NOW)
    assert frame["cost_usd"].fillna(-1.0).tolist() == [1.5, -1.0]
    assert frame["team"].tolist() == ["personal", "personal"]
    costs = breakdown(history, ["gpu", "name"], freq="D")["cost_usd"]
    assert costs.fillna(-1.0).tolist() == [1.5, -1.0]
    naive = pd.to_datetime(["2026-09-01T12:00:00"])
    noon = pd.DataFrame({"billed_usd": [1.0], "created_at": naive, "terminated_at": naive})
    assert ledger(noon)["begin_at"].tolist() == [START + timedelta(hours=12)]
    mixed = pd.DataFrame({"billed_usd": [1, 2], "created_at": [START, None], "terminated_at": [START, START]})
    assert breakdown(mixed)["cost_usd"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (
            {"history": pd.DataFrame({"name": []})},
            "history has no column billed_usd, created_at, terminated_at",
        ),
        ({"history": {"billed_usd": []}}, "history must be a DataFrame, not dict"),
        ({"pods": pd.DataFrame({"id": []})}, "pods has no column status, price_usd_hr, created_at"),
        ({"disks": pd.DataFrame()}, "disks has no column id, price_usd_hr, created_at"),
        ({"teams": pd.DataFrame()}, "teams has no column name, team_id"),
        ({"billings": pd.DataFrame()}, "billings has no column resource_id, amount_usd"),
        ({"now": "later"}, "now='later' is not a time"),
        ({"now": pd.NaT}, "now=NaT is not a time"),
    ],
)
def test_other_frames_are_refused_in_one_line(frames: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"history": history_frame([]), "pods": pods_frame([]), **frames}
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        ledger(given.pop("history"), **given)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("billed_usd", "much", "Cannot read the column billed_usd as Float64: "),
        ("created_at", "early", "Cannot read the column created_at as datetime64"),
        ("created_at", 5, "Cannot read the column created_at as datetime64[us, UTC]: numbers are not times"),
        ("gpu_count", "two", "Cannot read the column gpu_count as Int64: "),
    ],
)
def test_columns_of_something_else_are_refused_in_one_line(column: str, value: object, said: str) -> None:
    history = history_frame([row()]).assign(**{column: [value]})
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        breakdown(history)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_two_columns_of_one_name_are_refused() -> None:
    history = history_frame([row()])
    twice = pd.concat([history, history[["name"]]], axis=1)
    with pytest.raises(ValueError, match="history has two columns name"):
        ledger(twice)


@pytest.mark.parametrize("spelling", ["24B59B", "24b5-9b"])
def test_a_pod_whose_id_is_written_in_two_ways_counts_once(spelling: str) -> None:
    billed = billings_frame([Billing(resource_id=spelling, amount_usd=7.0, last_billed_at=NOW)])
    rows = live(
        pod(id="24b59b"),
        past=[row(id=spelling, terminated_at=None, total_billed_price=4.0)],
        billings=billed,
    )
    assert [(each["id"], each["cost_usd"]) for each in rows] == [("24b59b", 7.0)]
