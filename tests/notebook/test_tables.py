"""Tables of commands: what they show of an account, and what they ask for to show it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from primepods_magic.costs.plots.grouping import fold_groups


def test_wallet_names_the_pods_that_were_seen_without_asking_for_them(
    shell: Any, sandbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shell.run("pod = %pod_create --gpu L4_24GB --name train")
    sandbox.advance(3600)
    with caplog.at_level(logging.INFO, "httpx"):
        before = shell.run("%pods wallet --limit 4")
        asked = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert [line for line in asked if "/wallet" not in line] == []
    assert len(asked) == 1
    assert before.columns[-1] == "name"
    assert before.set_index("resource_id")["name"].dropna().to_dict() == {shell.user_ns["pod"].id: "train"}
    assert "train" in shell.output.text

    shell.run("%pods history;")
    after = shell.run("%pods wallet --limit 20")
    assert after["name"].notna().sum() > 10


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
