"""Tables of commands: what they show of an account, and what they ask for to show it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from primepods_magic.api.account import Billing
from primepods_magic.costs.plots.grouping import fold_groups
from primepods_magic.frames import billings_frame
from primepods_magic.frames.rendering import read_sheet, sheet_text


def test_wallet_names_the_pods_that_were_seen_and_those_that_ended_lately_by_one_request(
    shell: Any, sandbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shell.run("pod = %pod_create --gpu L4_24GB --name train")
    sandbox.advance(3600)
    shell.run("%pods wallet --limit 1")
    with caplog.at_level(logging.INFO, "httpx"):
        before = shell.run("%pods wallet --limit 4")
        asked = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert len(asked) == 2
    assert "/pods/history?limit=100" in asked[1]
    assert list(before.columns[-2:]) == ["name", "estimated_usd"]
    assert before.set_index("resource_id")["name"][shell.user_ns["pod"].id] == "train"
    assert before["name"].notna().sum() > 1
    assert "train" in shell.output.text

    shell.run("%pods history;")
    after = shell.run("%pods wallet --limit 20")
    assert after["name"].notna().sum() > 10


def test_wallet_estimates_what_ended_and_is_not_billed_yet() -> None:
    rows = [Billing(resource_id="a", amount_usd=0.0), Billing(resource_id="b", amount_usd=2.0)]
    frame = billings_frame(rows, {}, {"a": 0.5, "b": 9.0})
    text = sheet_text(read_sheet(frame, "billings", None, None, list(frame)))
    assert "≈ 0.50" in text
    assert "9.00" not in text


def test_costs_show_the_newest_rows_and_disks_by_one_word(shell: Any, sandbox: Any) -> None:
    frame = shell.run("%pods costs --by gpu --freq W")
    lines = shell.output.text.splitlines()
    rule = next(index for index, line in enumerate(lines) if line.startswith("─"))
    assert lines[rule + 1] == f"… {len(frame) - 50} earlier rows"
    assert len(lines) == rule + 1 + 1 + 50
    last = f"{frame['period'].iloc[-1]:%Y-%m-%d}"
    assert lines[-1].startswith(last)
    disks = [line for line in lines if "disk" in line]
    assert disks
    assert not any("–  " in line for line in lines[rule + 2 :])


def test_plots_and_tables_call_disks_the_same(shell: Any) -> None:
    frame = shell.run("%pods costs --by gpu")
    assert "\ndisk " in shell.output.text
    labels = fold_groups(frame, ["gpu"], frame["cost_usd"]).labels
    assert "disk" in labels
    assert "no gpu" not in labels


@pytest.mark.parametrize(
    ("command", "shows_share"), [("%pods costs", False), ("%pods costs --by gpu --freq M", True)]
)
def test_shares_are_shown_if_they_say_something(shell: Any, command: str, shows_share: bool) -> None:
    frame = shell.run(command)
    assert "share" in frame.columns
    assert ("share" in shell.output.text, ">share<" in shell.output.html) == (shows_share, shows_share)
