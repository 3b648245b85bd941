"""``%pods costs``: what it counts, how its flags go together, its captions, pictures and files."""

from __future__ import annotations

import json
import math
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primepods_magic import Settings, connect, costs
from primepods_magic.api.errors import InvalidRequest, NotConfigured, NotFound
from primepods_magic.api.text.money import format_usd
from primepods_magic.notebook.commands.costs import QUESTIONS
from primepods_magic.pods.connection.current import in_use
from tests.frames.focus import check_charges
from tests.support.sandbox_control import SandboxControl
from tests.support.scripted import Answered, Asked, as_json, scripted

CREATE = "%pod_create --gpu H100_80GB --name train --wait"


def _history_usd(shell: Any) -> float:
    return float(shell.run("%pods history")["billed_usd"].sum())


def _usd(frame: pd.DataFrame) -> float:
    return float(frame["cost_usd"].sum())


def test_it_counts_the_history_and_what_lives(shell: Any, sandbox: SandboxControl) -> None:
    pod = shell.run(CREATE)
    sandbox.advance(7200)
    frame = shell.run("%pods costs --by type,state")
    billed = frame.set_index(["type", "state"])["cost_usd"]
    assert billed["Instance", "closed"] + billed["Disk", "closed"] == pytest.approx(_history_usd(shell))
    (disk,) = shell.run("%pods disks").itertuples()
    hours = (datetime(2026, 9, 14, 10, tzinfo=timezone.utc) - disk.created_at) / pd.Timedelta(hours=1)
    assert billed["Disk", "live"] == pytest.approx(disk.price_usd_hr * hours, rel=1e-3)
    assert billed["Instance", "live"] == pytest.approx(2 * 2.39, abs=0.1)
    estimated = frame.set_index(["type", "state"])["estimated"]
    assert estimated.loc[:, "live"].all()
    assert not estimated.loc[:, "closed"].any()

    before = _usd(frame)
    pod.terminate()
    # What it was billed takes the place of the estimate: it is not counted twice.
    assert _usd(shell.run("%pods costs --by name")) == pytest.approx(before, abs=0.1)


def test_without_flags_it_is_by_month_and_says_what_it_adds_up_to(shell: Any) -> None:
    frame = shell.run("%pods costs")
    assert list(frame.columns) == "period cost_usd gpu_hours pods share estimated estimated_usd".split()
    caption = shell.output.text.splitlines()[0]
    assert f"sandbox · {format_usd(_usd(frame))} · " in caption
    assert "of it estimated · by month · times in UTC" in caption


def test_a_part_of_a_month_is_by_day(shell: Any) -> None:
    frame = shell.run("%pods costs --since today")
    assert [f"{period:%Y-%m-%d}" for period in frame["period"]] == ["2026-09-14"]
    months = shell.run("%pods costs --since month")["period"]
    assert [f"{period:%Y-%m-%d}" for period in months] == ["2026-09-01"]


def test_the_caption_has_the_sum_where_nothing_is_estimated(shell: Any) -> None:
    frame = shell.run("%pods costs --by gpu --team 'Bernoulli Numbers'")
    assert not frame["estimated"].any()
    assert shell.output.text.startswith(
        f"sandbox · Bernoulli Numbers · {format_usd(_usd(frame))} · times in UTC"
    )


def test_flags_choose_lines_periods_range_and_time_zone(shell: Any) -> None:
    frame = shell.run(
        "%pods costs --by gpu,team --by provider --freq D --since 2026-08-01 --until 2026-08-03 "
        "--tz Europe/Berlin"
    )
    assert list(frame.columns[:4]) == ["period", "gpu", "team", "provider"]
    assert str(frame["period"].dtype) == "datetime64[us, Europe/Berlin]"
    assert set(frame["period"].dt.strftime("%Y-%m-%d %H:%M")) == {"2026-08-01 00:00", "2026-08-02 00:00"}
    assert "from 2026-08-01 until 2026-08-03 · times in Europe/Berlin" in shell.output.text
    assert "2026-08-01 " in shell.output.text


def test_a_range_and_the_rest_add_up_to_all(shell: Any) -> None:
    parts = [shell.run(f"%pods costs --by gpu {flag} 2026-08-17T13:30") for flag in ("--since", "--until")]
    assert sum(map(_usd, parts)) == pytest.approx(_usd(shell.run("%pods costs")), abs=1e-9)


def test_running_sums_comparison_and_cents(shell: Any) -> None:
    frame = shell.run("%pods costs --by provisioned_by --freq M --running --compare --round")
    assert list(frame.columns[-4:]) == ["previous_usd", "change_usd", "change", "running_usd"]
    cents = frame["cost_usd"] * 100
    assert (cents - cents.round()).abs().max() < 1e-6
    whole = _usd(shell.run("%pods costs --by provisioned_by --freq M"))
    assert _usd(frame) == pytest.approx(round(whole, 2), abs=1e-6)


@pytest.mark.parametrize("where", ["variable", "file"])
def test_projects_come_from_a_dict_or_a_file(shell: Any, where: str, tmp_path: Path) -> None:
    projects = {"llama-*": "language", "whisper-*": "speech"}
    name = "projects"
    if where == "variable":
        shell.user_ns["projects"] = projects
    else:
        name = str(tmp_path / "projects.yaml")
        Path(name).write_text(json.dumps(projects), encoding="utf-8")
    frame = shell.run(f"%pods costs --by project,team --projects {name}")
    assert list(frame.columns[:2]) == ["project", "team"]
    assert set(frame["project"]) == {"language", "speech", "other"}
    assert _usd(frame) == pytest.approx(_usd(shell.run("%pods costs")), abs=1e-9)


def test_a_pattern_makes_groups(shell: Any) -> None:
    frame = shell.run("%pods costs --by 'name~^([a-z]+)-' --by team")
    assert {"llama", "whisper", "protein"} <= set(frame["name"].dropna())


def test_mine_and_a_teams_are_parts_of_all(shell: Any) -> None:
    mine, team = shell.run("%pods costs --mine"), shell.run("%pods costs --team 'Analytical Engines'")
    everything = _usd(shell.run("%pods costs"))
    by_team = shell.run("%pods costs --by team").set_index("team")["cost_usd"]
    assert 0 < _usd(mine) < everything
    assert _usd(team) == pytest.approx(by_team["Analytical Engines"])
    with pytest.raises(NotFound):
        shell.run("%pods costs --team nobody")


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_an_answer_and_a_picture(shell: Any, question: str) -> None:
    shell.run(CREATE)
    frame = shell.run(f"%pods costs {question} --plot")
    assert type(frame) is pd.DataFrame
    assert len(frame)
    (picture,) = [shown for shown in shell.output.shown if "image/png" in shown.data]
    assert picture.data["text/plain"].startswith("Figure: ")
    assert "0x" not in picture.data["text/plain"]
    has_times = any(str(name).endswith("_at") for name in frame.columns)
    assert ("times in UTC" in shell.output.text, ">UTC<" in shell.output.html) == (
        question == "last-month",
        has_times,
    )


def test_last_month_is_the_calendar_month_in_its_time_zone(shell: Any) -> None:
    frame = shell.run("%pods costs last-month --by team --tz Asia/Tokyo")
    same = shell.run("%pods costs --by team --since 2026-08-01 --until 2026-09-01 --tz Asia/Tokyo")
    pd.testing.assert_frame_equal(frame, same)
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(frame, shell.run("%pods costs last-month --by team"))


def test_a_pod_that_failed_is_waste(shell: Any, sandbox: SandboxControl) -> None:
    pod = shell.run(CREATE)
    sandbox.advance(3600)
    sandbox.event(pod.id, "error")
    frame = shell.run("%pods costs waste").set_index("name")
    assert frame.loc["train", "reason"] == "failed, and billed"
    assert frame.loc["train", "cost_usd"] == pytest.approx(2.39, abs=0.1)


def test_waste_of_a_team_is_that_teams(shell: Any) -> None:
    assert "datasets" in set(shell.run("%pods costs waste")["name"])
    frame = shell.run("%pods costs waste --team 'Bernoulli Numbers'")
    assert shell.output.text.startswith("sandbox · Bernoulli Numbers · ")
    history = shell.run("%pods history").set_index("id")
    (team_id,) = {history.loc[pod_id, "team_id"] for pod_id in frame["id"]}
    assert team_id in set(shell.run("%pods teams").query("name == 'Bernoulli Numbers'")["team_id"])


def test_a_comparison_from_a_month_on_knows_the_month_before(shell: Any) -> None:
    whole = shell.run("%pods costs --by team --freq M --compare")
    part = shell.run("%pods costs --by team --freq M --compare --running --round --since 2026-08-01")
    later = whole[whole["period"] >= "2026-08-01"].reset_index(drop=True)
    told = ["period", "team", "previous_usd", "change_usd", "change"]
    pd.testing.assert_frame_equal(part[told], later[told])
    # Sums begin where the range begins.
    assert part["running_usd"].groupby(part["team"]).last().sum() == pytest.approx(_usd(part))
    assert _usd(part) == pytest.approx(round(_usd(later), 2), abs=1e-6)


def test_a_comma_parts_columns_and_belongs_to_a_pattern(shell: Any) -> None:
    frame = shell.run("%pods costs --by 'team,name~^(llama|x,y)'")
    assert list(frame.columns[:2]) == ["team", "name"]
    assert set(frame["name"].dropna()) == {"llama"}


def test_mine_needs_a_key_that_may_say_who_i_am(shell: Any) -> None:
    shell.run("%pods connect --sandbox")
    # As where the service answers 403 to the question.
    vars(in_use())["user_id"] = None
    with pytest.raises(InvalidRequest, match="cannot read who you are"):
        shell.run("%pods costs --mine")


@pytest.mark.parametrize("line", ["%pods", "%pods costs"])
def test_disks_that_the_key_may_not_list_are_said_to_be_missing(
    shell: Any, sandbox: SandboxControl, line: str
) -> None:
    shell.run(line)
    assert "disks not counted" not in shell.output.text
    connect(settings=Settings(sandbox.url, "sandbox-pods"))
    shell.run(line)
    assert "disks not counted: your key may not list them" in shell.output.text


def test_teams_that_the_key_may_not_list_are_said_to_be_missing(shell: Any) -> None:
    pod = {"id": "p", "teamId": "team-1", "status": "ACTIVE", "priceHr": 2.39}

    def answer(asked: Asked) -> Answered:
        if asked.path.endswith(("/teams", "/whoami", "/wallet")):
            return as_json({"detail": "no"}, 403)
        rows = [pod] if asked.path.endswith("/pods/") else []
        return as_json({"data": rows, "total_count": len(rows)})

    shell.run("%pods")
    assert "your key may not list teams" not in shell.output.text
    with scripted(answer) as url:
        connect(settings=Settings(url, "k" * 40))
        frame = shell.run("%pods")
    assert "teams without live pods or disks of yours not counted: your key" in shell.output.text
    assert "1 live pod, $2.39/h" in shell.output.text
    assert frame["wallet"].tolist() == ["mine", "team-1"]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture_is_saved(shell: Any, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"budget.{ending}"
    shell.run(f"%pods costs --freq D --since month --budget 100 --save {file}")
    assert file.stat().st_size > 1000
    assert not [shown for shown in shell.output.shown if "image/png" in shown.data]
    assert f"saved as {file}" in shell.output.text


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_answer_is_saved_with_its_dtypes(shell: Any, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"costs.{ending}"
    frame = shell.run(f"%pods costs --by gpu,team --freq W --tz Europe/Berlin --save {file}")
    pd.testing.assert_frame_equal(costs.load_frame(file, tz="Europe/Berlin"), frame)
    for question in QUESTIONS:
        frame = shell.run(f"%pods costs {question} --save {file}")
        pd.testing.assert_frame_equal(costs.load_frame(file), frame)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_charges_are_saved_by_focus(shell: Any, tmp_path: Path, ending: str) -> None:
    shell.run(CREATE)
    file = tmp_path / f"focus.{ending}"
    frame = shell.run(f"%pods costs --by gpu --focus {file}")
    assert f"FOCUS 1.0 saved as {file}" in shell.output.text
    charges, ledger = costs.load_frame(file), costs.read_ledger()
    check_charges(charges)
    assert round(math.fsum(charges["BilledCost"]), 2) == round(_usd(frame), 2)
    assert set(charges["ResourceId"]) == set(ledger["id"])
    assert set(charges["ResourceType"]) == {"Pod", "Disk"}
    assert not charges.duplicated(["ResourceId", "ChargePeriodStart"]).any()
    assert 0 < charges["x_Estimated"].sum() < len(charges)

    team = shell.run(
        f"%pods costs --team 'Analytical Engines' --since 2026-08 --until 2026-09 --focus {file}"
    )
    charges = costs.load_frame(file)
    assert round(math.fsum(charges["BilledCost"]), 2) == round(_usd(team), 2)
    assert set(charges["BillingAccountName"]) == {"Analytical Engines"}
    assert charges["BillingPeriodStart"].dt.month.eq(8).all()


def test_the_answer_is_saved_for_a_spreadsheet(shell: Any, tmp_path: Path) -> None:
    file = tmp_path / "costs.xlsx"
    frame = shell.run(f"%pods costs --by gpu --freq M --save {file}")
    assert f"saved as {file}" in shell.output.text
    told = pd.read_excel(file)
    assert list(told.columns) == list(frame.columns)
    assert told["cost_usd"].tolist() == pytest.approx(frame["cost_usd"].tolist())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--by nope", "there is no column 'nope'"),
        ("--by gpuu", "did you mean"),
        ("--by 'name~('", "is not a regular expression"),
        ("--tz Mars", "'Mars' is not a time zone"),
        ("--since soon", "Cannot parse time 'soon'"),
        ("--since 2026-09-02 --until 2026-09-01", "later"),
        ("--freq X", "invalid choice"),
        ("--budget -3", "is not a price"),
        ("--projects nowhere.yaml", "neither a dict in the notebook nor a file"),
        ("--by project", "'--by project' needs '--projects NAME'"),
        ("nonsense", "Unexpected argument 'nonsense'. QUESTION is one of last-month, month, "),
        ("waste --by gpu", "'%pods costs waste' does not take '--by'"),
        ("month --mine", "'%pods costs month' does not take '--mine'"),
        ("dearest --round", "does not take '--round'"),
        ("timeline --tz Asia/Tokyo", "does not take '--tz'"),
        ("--budget 10 --freq M", "'--budget' needs"),
        ("--freq M --compare --since 2026-07-15", "--since 2026-07-01"),
        ("--save ~nobody-here/x.csv", "the home folder is unknown"),
        ("--save ''", "the value is empty"),
        ("--since ''", "the value is empty"),
        ("--projects ~nobody-here/x", "the home folder is unknown"),
        ("month --since 7d", "does not take '--since'"),
        ("--by gpu --running", "needs periods"),
        ("--by gpu --compare", "needs periods"),
        ("--save costs.xls", "does not end in .csv, .parquet or .xlsx"),
        ("--focus costs.xlsx", "'--focus costs.xlsx' does not end in .csv or .parquet"),
        ("--focus /nowhere/costs.csv", "cannot be written"),
        ("dearest --focus costs.csv", "does not take '--focus'"),
        ("--save /nowhere/costs.csv", "cannot be written"),
        ("--mine --team x", "not allowed with"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(shell: Any, line: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        shell.run(f"%pods costs {line}")
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_without_matplotlib_a_line_says_how_to_get_it(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NotConfigured, match=r"primepods_magic\[plot\]"):
        shell.run("%pods costs --plot")
    assert len(shell.run("%pods costs"))


def test_a_script_has_the_same_ledger(shell: Any) -> None:
    shell.run(CREATE)
    frame = costs.breakdown(costs.read_ledger(), ["team", "gpu"], freq="W")
    pd.testing.assert_frame_equal(frame, shell.run("%pods costs --by team,gpu --freq W"))


def test_a_key_that_may_not_ask_for_all_counts_what_it_may(shell: Any) -> None:
    assert _usd(shell.run("%pods costs --by gpu")) > _history_usd(shell)


@pytest.mark.parametrize("flags", ["--mine", "--team 'Analytical Engines'"])
def test_ids_in_other_letters_are_the_same_ids(
    shell: Any, flags: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shell.run(f"%pods costs {flags}")["cost_usd"].sum()
    connection = in_use()
    monkeypatch.setitem(connection.__dict__, "user_id", connection.user_id.upper())
    teams = [
        team.model_copy(update={"team_id": team.team_id.upper()}) for team in connection.client.list_teams()
    ]
    monkeypatch.setattr(connection.client, "list_teams", lambda: teams)
    assert shell.run(f"%pods costs {flags}")["cost_usd"].sum() == before > 0
