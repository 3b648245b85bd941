"""The same commands where people and pipelines run them: a headless kernel and a terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.kernels import text_of
from tests.support.sandbox_control import SandboxControl
from tests.support.silent import silent_about_itself

LOAD = "%load_ext primepods_magic\n%pods connect --sandbox"
CREATE = "%%pod_create --wait\nname: train\ngpu: L4_24GB"


def test_a_headless_kernel_gets_the_same_answers_as_text(
    run_notebook: Callable[..., Any], sandbox: SandboxControl
) -> None:
    cells = [LOAD, CREATE, "%pods ls", "%pods show train", "%pods watch", "%pods rm train"]
    notebook = run_notebook(cells, {"PRIMEPODS_SANDBOX_URL": sandbox.url})
    said = [text_of(cell) for cell in notebook.cells]
    assert said[0] == "connected to the sandbox: its pods are simulated, nothing is billed"
    lines = said[1].splitlines()
    assert lines[1] == "  the only offer that fits"
    assert lines[2:4] == ["train  provisioning", "train  starting"]
    assert any(line.startswith("train  installing 4") for line in lines)
    assert any(line.startswith("train  ready  ssh root@") for line in lines)
    assert said[2].startswith("sandbox · 1 pod · $0.69/h")
    assert "terminated" in said[5]
    assert not notebook.metadata.get("widgets")


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("%%pod_create\ngpuu: x", "InvalidRequest"),
        ("%%pod_create --wait\ncloud_id: td-RTX4090x1", "PodFailed"),
    ],
)
def test_an_error_stops_a_pipeline(
    run_notebook: Callable[..., Any], sandbox: SandboxControl, cell: str, name: str
) -> None:
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError) as caught:
        run_notebook([LOAD, cell, "print('too late')"], {"PRIMEPODS_SANDBOX_URL": sandbox.url})
    assert caught.value.ename == name


def test_a_pipeline_without_a_key_is_stopped(run_notebook: Callable[..., Any]) -> None:
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError) as caught:
        run_notebook(["%load_ext primepods_magic", "%pods ls"])
    assert caught.value.ename == "NotConfigured"


def test_a_pipeline_with_a_live_key_buys_nothing_that_nobody_agreed_to(
    run_notebook: Callable[..., Any], sandbox: SandboxControl
) -> None:
    # Loopback is a sandbox by what it says of itself; this one says nothing, so it counts as live.
    with silent_about_itself(sandbox.url) as url:
        environment = {"PRIME_API_KEY": "sandbox", "PRIME_API_BASE_URL": url}
        cells = ["%load_ext primepods_magic", "%pods connect", "%%pod_create\ngpu: L4_24GB"]
        notebook = run_notebook(cells, environment, allow_errors=True)
    assert "live: pods are billed" in text_of(notebook.cells[1])
    assert "LaunchRefused" in text_of(notebook.cells[2])
    assert sandbox.api.get("/api/v1/pods").json()["total_count"] == 0


def test_a_person_is_asked_before_money_is_spent_and_before_a_pod_is_lost(
    sandbox: SandboxControl, home: Path, tmp_path: Path
) -> None:
    from tests.support.terminal import ipython

    def live_pods() -> int:
        return len(sandbox.api.get("/api/v1/pods").json()["data"])

    create = "pod = get_ipython().run_cell_magic('pod_create', '', 'name: train\\ngpu: L4_24GB')"
    with silent_about_itself(sandbox.url) as url:
        environment = {**os.environ, "PRIME_API_KEY": "sandbox", "PRIME_API_BASE_URL": url}
        with ipython(environment, tmp_path) as session:
            session.run("%load_ext primepods_magic")
            for answer, pods in (("", 0), ("n", 0), ("y", 1)):
                session.type(create)
                asked = session.until(r"Rent it\? \[y/N\] ")
                assert "live: 'train' is 1 × L4_24GB" in asked
                assert "$0.69/h, $16.56/day" in asked
                session.type(answer)
                said = session.until_prompt()
                assert ("othing was created" in said) == (pods == 0)
                assert live_pods() == pods, said
            session.type("%pods rm train")
            session.until(r"Terminate train \(1 × L4_24GB\) and delete everything on it\? \[y/N\] ")
            session.type("no")
            assert "Nothing was done" in session.until_prompt()
    assert live_pods() == 1


def test_a_person_at_a_terminal_without_a_key_tries_the_sandbox(terminal: Any) -> None:
    terminal.run("%load_ext primepods_magic")
    assert "sandbox · 0 pods" in terminal.run("%pods ls")
    assert "There is no '%pods lss' (did you mean 'ls'?)" in terminal.run("%pods lss")


def test_a_terminal_shows_bars_while_it_waits(terminal: Any, tmp_path: Path) -> None:
    terminal.run("%load_ext primepods_magic")
    create = "get_ipython().run_cell_magic('pod_create', '--wait', 'name: train\\ngpu: L4_24GB')"
    shown = terminal.run(create, timeout=60)
    assert "train" in shown
    assert "━  ready" in shown
    assert "ssh root@" in shown


def test_ctrl_c_in_a_terminal_ends_the_waiting_and_not_the_pod(
    running_sandbox: SandboxControl, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from tests.support.terminal import ipython

    slow = {**os.environ, "PRIMEPODS_SANDBOX_URL": running_sandbox.url}
    with ipython(slow, tmp_path) as session:
        session.run("%load_ext primepods_magic")
        session.run("pod = get_ipython().run_cell_magic('pod_create', '', 'name: train\\ngpu: L4_24GB')")
        session.type("%pods wait train --for terminated --timeout 10m")
        session.until("train")
        session.until("100 %|ready|ACTIVE")
        session.interrupt()
        assert "train is still billed" in session.until_prompt()
    assert running_sandbox.api.get("/api/v1/pods").json()["total_count"] == 1
