"""The line below a cell that ran on a pod: what it says, where it stands, and that it stays in notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_notebook

from primepods_magic import get_pod
from primepods_magic.api.errors import RemoteError
from primepods_magic.notebook.cells.costs import format_cost_line
from primepods_magic.remote.cells import CellRecord
from primepods_magic.remote.job import JobEnd
from tests.pods.test_machines import disconnected as disconnected
from tests.pods.test_machines import machines as machines
from tests.pods.test_machines import start_pod
from tests.support.environment import clean_environment
from tests.support.kernels import execute, notebook_of, text_of
from tests.support.sandbox_control import SandboxControl, controlled
from tests.support.waiting import eventually

NOW = datetime(2026, 9, 14, 8, tzinfo=timezone.utc)
FULL = CellRecord(
    NOW,
    "train",
    "p1",
    "main",
    "k3f9xq",
    "fit()",
    "ok",
    131.0,
    gpu="H100_80GB",
    gpu_count=8,
    price_usd_hr=19.2,
    estimated_usd=0.699,
    gpu_mean_pct=83.2,
    gpu_peak_pct=97.0,
    idle_s=840.0,
    idle_usd=4.48,
)
LINE = (
    "train · 8 × H100_80GB · 2 min 11 s · about $0.70 · GPU mean 83 %, peak 97 % · idle before 14 min, "
    "about $4.48"
)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, LINE),
        ({"idle_s": 4.9}, LINE.partition(" · idle")[0]),
        ({"idle_s": None, "idle_usd": None}, LINE.partition(" · idle")[0]),
        ({"idle_usd": None}, LINE.removesuffix(", about $4.48")),
        ({"estimated_usd": None}, LINE.replace(" · about $0.70", "")),
        ({"estimated_usd": 0.002}, LINE.replace("about $0.70", "less than $0.01")),
        ({"estimated_usd": 0.0}, LINE.replace("about $0.70", "about $0.00")),
        ({"gpu_mean_pct": None, "gpu_peak_pct": None}, LINE.replace(" · GPU mean 83 %, peak 97 %", "")),
        ({"gpu_count": None}, LINE.replace("8 × ", "")),
        ({"gpu": None}, LINE.replace(" · 8 × H100_80GB", "")),
        ({"seconds": 0.04}, LINE.replace("2 min 11 s", "< 0.1 s")),
        ({"seconds": 9.94}, LINE.replace("2 min 11 s", "9.9 s")),
        ({"seconds": 9.96}, LINE.replace("2 min 11 s", "10 s")),
        ({"seconds": 59.7}, LINE.replace("2 min 11 s", "1 min")),
        ({"seconds": 3599.6}, LINE.replace("2 min 11 s", "1 h")),
        ({"seconds": 11_520.0}, LINE.replace("2 min 11 s", "3 h 12 min")),
        ({"pod": "\x1b[31mred\n" + "x" * 100}, LINE.replace("train", "�[31mred " + "x" * 50 + "…")),
    ],
)
def test_leaves_out_what_is_unknown(changes: dict[str, Any], line: str) -> None:
    assert format_cost_line(replace(FULL, **changes)) == line
    assert format_cost_line(replace(FULL, **changes), is_sandbox=True) == f"{line} · sandbox"


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 10**400, "5", None, [1]])
def test_numbers_of_a_pod_that_make_no_sense_are_unknown(value: object) -> None:
    names = ("seconds", "gpu_mean_pct", "gpu_peak_pct", "idle_s")
    assert JobEnd.from_header({"state": "ok", **dict.fromkeys(names, value)}) == JobEnd("ok")


CELLS = {
    "connect": "%load_ext primepods_magic\n%pods connect --sandbox",
    "create": "%%pod_create --yes --wait\nname: train\ngpu: L4_24GB",
    "first": "%%pod train\nimport time\nprint('out')\ntime.sleep(1.2)\n40 + 2",
    "cleared": "%%pod train\nfrom IPython.display import clear_output\n"
    "for n in range(3):\n    print(n, flush=True)\n    clear_output(wait=True)",
    "error": "%%pod train\nprint('before')\n1 / 0",
    "quiet": "%%pod train --quiet\nprint('quiet')",
    "died": "%%pod train\nimport os\nos.kill(os.getpid(), 9)",
    "hidden": "%config PodsMagics.cell_costs = False",
    "off": "%%pod train\nprint('off')",
    "cells": "df = %pods cells train\ndf",
    "waste": "%pods costs waste",
    "end": "%pods rm train -y",
    "ended": "%pods cells train --since 1h",
}


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> dict[str, nbformat.NotebookNode]:
    """The cells of a notebook that ran headless, by what is special about each."""
    folder = tmp_path_factory.mktemp("costs")
    notebook = notebook_of(list(CELLS.values()))
    with controlled(clock="stepped", machines=True, history=0) as machines:

        def use_gpu(index: int) -> None:
            if index == list(CELLS).index("create"):
                (pod,) = machines.api.get("/api/v1/pods/").json()["data"]
                machines.api.put(f"/sandbox/pods/{pod['id']}/machine", json={"utilization": 37})
                machines.advance(2 * 3600)

        environment = {**clean_environment(folder), "PRIMEPODS_SANDBOX_URL": machines.url}
        execute(notebook, environment, folder, allow_errors=True, after_cell=use_gpu)
    return dict(zip(CELLS, notebook.cells, strict=True))


def _find_line(cell: nbformat.NotebookNode) -> Any:
    (output,) = [each for each in cell.outputs if each.output_type == "display_data"]
    return output


def test_the_line_stands_below_the_outputs_as_text_and_html(notebook: Any) -> None:
    outputs = notebook["first"].outputs
    assert [output.output_type for output in outputs] == ["stream", "execute_result", "display_data"]
    text = outputs[2].data["text/plain"]
    assert re.fullmatch(
        r"train · 1 × L4_24GB · 1\.\d s · less than \$0\.01 · GPU mean 37 %, peak 37 % · "
        r"idle before 2 h, about \$1\.3\d · sandbox",
        text,
    )
    assert outputs[2].metadata == {}
    html = outputs[2].data["text/html"]
    assert re.sub("<[^>]+>", "", html).replace("&lt;", "<") == text
    assert "<span>$</span>" in html


def test_a_cell_that_fails_has_it_before_the_error(notebook: Any) -> None:
    kinds = [output.output_type for output in notebook["error"].outputs]
    assert kinds == ["stream", "display_data", "error"]
    assert _find_line(notebook["error"]).data["text/plain"].startswith("train · 1 × L4_24GB · ")
    assert "idle" not in text_of(notebook["error"])
    assert [output.output_type for output in notebook["died"].outputs] == ["display_data", "error"]


def test_does_not_clear_what_a_cell_leaves_to_its_next_output(notebook: Any) -> None:
    outputs = notebook["cleared"].outputs
    assert [output.output_type for output in outputs] == ["stream", "display_data"]
    assert outputs[0].text == "2\n"


def test_it_can_be_turned_off(notebook: Any) -> None:
    # The kernel of the cell before died.
    new = "The kernel on 'train' is new: variables of earlier cells are gone."
    assert [text_of(notebook[name]).replace(new, "").strip() for name in ("quiet", "off")] == ["quiet", "off"]


def test_converting_a_notebook_keeps_it(notebook: Any) -> None:
    converted, _ = HTMLExporter().from_notebook_node(new_notebook(cells=[notebook["first"]]))
    assert "GPU mean 37 %, peak 37 %" in converted


def test_lists_the_cells_also_of_a_pod_that_ended(notebook: Any) -> None:
    text = text_of(notebook["cells"])
    assert re.match(
        r"sandbox · 6 cells · \d+(\.\d)? s · (about \$0.00|less than \$0.01) · idle about \$1.3\d\n", text
    )
    titles = re.findall(r"train +(\S.*?) {2,}(ok|error|died)", text)
    assert [state for _, state in titles] == ["ok", "ok", "error", "ok", "died", "ok"]
    assert titles[2] == ("print('…')", "error")
    assert text_of(notebook["ended"]).splitlines()[1:] == text.splitlines()[1:]


def test_an_idle_pod_is_waste(notebook: Any) -> None:
    text = text_of(notebook["waste"])
    assert re.search(r"train +idle between cells .* 2 h of 2 h idle, about \$1\.3\d, GPU mean", text), text


@pytest.fixture
def pod_shell(bare_shell: Any, machines: SandboxControl) -> Iterator[Any]:
    """A shell with a ready pod called train that one can log in to."""
    bare_shell.run("%load_ext primepods_magic\n%pods connect --sandbox")
    start_pod(machines)
    yield bare_shell
    bare_shell.run("%unload_ext primepods_magic")


def test_is_printed_where_there_is_no_notebook(pod_shell: Any) -> None:
    with pytest.raises(RemoteError):
        pod_shell.run("%%pod train\nprint('before')\nraise ValueError")
    before, line = pod_shell.output.stdout.splitlines()
    assert before == "before"
    assert line.startswith("train · 1 × L4_24GB · ")
    assert line.endswith(" · idle before 2 min, about $0.02 · sandbox")


def test_a_pod_on_which_another_cell_runs_is_not_idle(pod_shell: Any) -> None:
    other = get_pod("train").run("import time\nprint('runs', flush=True)\ntime.sleep(600)")
    eventually(lambda: "runs" in other.output, "it runs")
    pod_shell.run("%%pod train --session other\nprint('there')")
    assert "less than $0.01" in pod_shell.output.text
    assert "idle" not in pod_shell.output.text
    other.cancel()


def test_a_job_is_recorded_once_when_it_is_attached_to(pod_shell: Any) -> None:
    job = pod_shell.run("%%pod train --bg\nprint('behind')")
    job.result(60)
    assert len(pod_shell.run("%pods cells")) == 0
    for _ in range(2):
        pod_shell.run(f"%pods attach {job.id}")
        shown, line = pod_shell.output.stdout.splitlines()
        assert shown == "behind"
        assert re.match(r"train · 1 × L4_24GB · .* idle before [12] min, about \$0\.02 · sandbox$", line)
    assert len(pod_shell.run("%pods cells")) == 1
