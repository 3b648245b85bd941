"""`%pods alert` and `--wait-for-stock` in cells: what is said, what is refused, and when the news is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.remote.guards.test_alerts import stock
from tests.support.guard_processes import end_guard_processes, running_guards
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

BODY = "gpu: [L4_24GB, H100_80GB]\nname: train\nmax_price: 0.8\nenv: {EPOCHS: 3}"


@pytest.fixture
def watched(shell: Any, home: Path) -> Iterator[Any]:
    yield shell
    end_guard_processes(home)


def test_an_alert_is_listed_told_by_the_next_command_and_ended(watched: Any, sandbox: SandboxControl) -> None:
    stock(sandbox, "L4_24GB", "Unavailable")
    stock(sandbox, "A100_80GB", "Unavailable")
    said = _run(watched, "%pods alert --gpu L4_24GB --gpu A100_80GB --max-price 2")
    assert "1 × A100_80GB or L4_24GB, up to $2.00/h watches: it notifies you when an offer fits" in said
    assert "sandbox · 1 alert · these run on this computer" in said
    stock(sandbox, "L4_24GB", "Low")
    news = "Guard: .* An offer fits the alert for 1 × A100_80GB or L4_24GB.* 1 × L4_24GB at "
    eventually(lambda: re.search(news, _run(watched, "%pods wallet")), "the news is told")
    (offer,) = watched.run("%pods alert")["offer"]
    assert offer.startswith("1 × L4_24GB at ")
    watched.run("alert = _['id'].iloc[0]")
    assert "0 alerts" in _run(watched, "%pods alert --off $alert")


def test_an_alert_takes_any_gpu_with_enough_memory(watched: Any) -> None:
    said = _run(watched, "%pods alert --min-vram 80 --max-price 2")
    assert "The alert for 1 × any GPU, min_vram 80, up to $2.00/h watches" in said
    assert "One does now" in said


def _run(shell: Any, cell: str) -> str:
    shell.run(cell)
    return str(shell.output.text + shell.output.html)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%pods alert --off", "needs the id of an alert, or '--all'"),
        ("%pods alert --all", "needs the id of an alert, or '--all'"),
        ("%pods alert --off 1a --all", "needs the id of an alert, or '--all'"),
        ("%pods alert --off 1a --gpu L4_24GB", "Use either '--off' or an offer"),
        ("%pods alert --off 1a", "There is no such alert. Nothing was ended"),
        ("%pods alert --max-price 2", "'gpu' is required"),
        ("%pods alert --gpu L4_24GB --max-price cheap", "--max-price must be a number"),
        ("%pod_create --gpu L4_24GB --wait-for-stock 2h", "must be agreed to now"),
        ("%pod_create --gpu L4_24GB --wait-for-stock 2h -y", "ceiling max_price_usd_hr"),
        ("%pod_create --gpu L4_24GB --wait-for-stock later --max-price 1", "'later' is not a length of time"),
        ("%pod_create --gpu L4_24GB --wait-for-stock 2h --max-price 1 --new", "Only a launch of one pod"),
        ("%pod_create --gpu L4_24GB --wait-for-stock 2h --max-price 1 --dry-run", "Only a launch of one pod"),
        ("%pod_create --gpu L4_24GB --pods 2 --wait-for-stock 2h --max-price 1", "Only a launch of one pod"),
    ],
)
def test_what_has_no_sense_or_no_price_is_refused_and_starts_nothing(
    watched: Any, home: Path, cell: str, says: str
) -> None:
    with pytest.raises(Exception, match=says.replace("(", r"\(")):
        watched.run(cell)
    assert running_guards(home) == []
    assert "0 alerts" in _run(watched, "%pods alert --off --all")


def test_a_cell_that_waits_says_so_and_run_again_returns_its_pod(
    watched: Any, sandbox: SandboxControl
) -> None:
    for gpu_type in ("L4_24GB", "H100_80GB"):
        stock(sandbox, gpu_type, "Unavailable")
    for says in ("'train' waits for stock until", "'train' already waits for stock until"):
        with pytest.raises(Exception, match=says + r".*at most \$0\.80/h"):
            watched.run(f"%%pod_create --wait-for-stock 2h\n{BODY}")
    # What fits, but is above the price that was agreed to, is not launched.
    stock(sandbox, "H100_80GB", "High")
    stock(sandbox, "L4_24GB", "High")
    eventually(lambda: "launched" in list(watched.run("%pods alert")["state"]), "it is launched")
    watched.run(f"%%pod_create --wait-for-stock 2h -o pod\n{BODY}")
    assert watched.user_ns["pod"].details.gpu_name == "L4_24GB"
    assert not watched.user_ns["pod"].is_new
    assert len(sandbox.api.get("/api/v1/pods/").json()["data"]) == 1


def test_consent_by_a_ceiling_is_the_price_that_is_agreed_to(watched: Any, sandbox: SandboxControl) -> None:
    stock(sandbox, "L4_24GB", "Unavailable")
    watched.run("%config PodsMagics.max_price_usd_hr = 0.5")
    cell = "%pod_create --gpu L4_24GB --name train -y --wait-for-stock 2h"
    with pytest.raises(Exception, match=r"waits for stock until .* at most \$0\.50/h"):
        watched.run(cell)
    watched.run("%config PodsMagics.max_price_usd_hr = 0.9")
    # Other limits are another order, which replaces the first.
    with pytest.raises(Exception, match=r"'train' waits for stock until .* at most \$0\.90/h"):
        watched.run(cell)
    stock(sandbox, "L4_24GB", "Low")
    eventually(lambda: list(watched.run("%pods alert")["state"]) == ["launched"], "it is launched")
