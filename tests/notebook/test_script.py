"""The commands in a shell: results alone on stdout, and exit codes that a script can act on."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from primepods_magic.notebook.script import main
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

Run = Callable[..., tuple[int, str, str]]
PROGRAM = f"{sys.executable} -m primepods_magic"
CREATE = ("create", "--gpu", "L4_24GB", "--name", "train")


@pytest.fixture
def run(sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_results_are_read_by_programs(run: Run) -> None:
    code, out, err = run(*CREATE, "-o", "json")
    (pod,) = json.loads(out)
    assert (code, pod["name"], pod["gpu_count"]) == (0, "train", 1)
    assert "the only offer that fits" in err or "cheapest" in err
    rows = json.loads(run("ls", "--output=json")[1])
    assert rows[0]["id"] == pod["id"]
    assert rows[0]["created_at"].endswith("+00:00")
    assert rows[0]["terminated_at"] is None
    _, out, err = run("avail", "-o", "csv")
    offers = pd.read_csv(StringIO(out))
    assert len(offers) > 100
    assert err == ""
    code, out, err = run("rm", "train")
    assert (code, "terminated" in out) == (0, True)
    assert json.loads(run("ls", "-o", "json")[1]) == []


def test_a_body_comes_from_a_file_or_stdin(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPOCHS", "3")
    body = "name: train\ngpu: L4_24GB\nenv: {EPOCHS: '${EPOCHS}'}\n"
    (tmp_path / "train.yaml").write_text(body)
    assert run("create", "-f", str(tmp_path / "train.yaml"), "--dry-run")[0] == 0
    monkeypatch.setattr(sys, "stdin", StringIO(body))
    code, out, _ = run("create", "-f", "-")
    assert (code, "Pod train: 1 × L4_24GB" in out) == (0, True)
    code, _, err = run("create", "-f", str(tmp_path / "none.yaml"))
    assert (code, "cannot be read" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("ls", "--nope"), 2, "there is no --nope"),
        (("crate",), 2, "There is no 'primepods crate' (did you mean 'create'?)"),
        (("stop", "train"), 2, "'primepods get' fetches what you want to keep"),
        (("launcher",), 2, "needs a notebook"),
        (("ls", "-o", "xml"), 2, "-o takes table, json or csv"),
        (("ls", "-o"), 2, "-o takes table, json or csv"),
        (("rm", "nobody"), 4, "There is no pod 'nobody'"),
        (("disks", "show", "nothing"), 4, "'primepods disks' lists them"),
        ((*CREATE, "--max-price", "0.01"), 5, "0.01"),
        (("create", "--gpu", "NOPE"), 2, "NOPE"),
    ],
)
def test_an_exit_code_says_what_to_do(run: Run, words: tuple[str, ...], code: int, says: str) -> None:
    found, out, err = run(*words)
    assert (found, says in err) == (code, True), err
    assert "%pods" not in out + err
    assert "Traceback" not in err
    assert not out


def test_a_service_that_is_down_or_loses_an_answer_is_told_apart(run: Run, sandbox: SandboxControl) -> None:
    sandbox.api.put("/sandbox/faults", json=[{"fault": "503_before", "path": "/pods", "method": "GET"}])
    assert run("ls")[0] == 7
    sandbox.api.put("/sandbox/faults", json=[{"fault": "reset_before", "path": "/disks", "method": "POST"}])
    code, _, err = run("disks", "create", "corpus", "--size", "10")
    assert (code, "may still appear and be billed" in err) == (6, True)


def test_without_a_key_nothing_is_begun_and_it_is_said_how_to_try(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ls"]) == 3
    assert (
        "start 'python -m primepods_magic.sandbox' and set PRIMEPODS_SANDBOX_URL" in capsys.readouterr().err
    )


def test_limits_of_the_profile_hold(run: Run, home: Path) -> None:
    profile = home / ".ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text("c.PodsMagics.max_price_usd_hr = 0.05\n")
    code, _, err = run(*CREATE)
    assert (code, "0.05" in err) == (5, True)


def test_help_loads_nothing_heavy(capsys: pytest.CaptureFixture[str]) -> None:
    heavy = "import sys; from primepods_magic.notebook.script import main; main(['-h']); " \
        "sys.exit(len({'pandas', 'IPython', 'httpx'} & set(sys.modules)))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=False)
    assert (done.returncode, "Exit codes:" in done.stdout) == (0, True)


def test_pipes_are_served_and_may_be_closed(sandbox: SandboxControl) -> None:
    script = (
        f"{PROGRAM} avail -o json | {sys.executable} -m json.tool | grep -c cloud_id; "
        f"{PROGRAM} avail -o csv | head -c 5; echo; echo ${{PIPESTATUS[0]}}"
    )
    environment = {**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    number, begin, code = done.stdout.split()
    assert int(number) > 100
    assert (begin, code in ("0", "141"), done.stderr) == ("gpu,g", True, "")


def test_ctrl_c_is_one_sentence_and_the_pod_stays(sandbox: SandboxControl) -> None:
    environment = {**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url}
    command = [sys.executable, "-m", "primepods_magic", *CREATE, "--wait"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("provisioning" in line for line in process.stderr), "it waits"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "billed" in err
    assert out == ""
    eventually(lambda: sandbox.api.get("/api/v1/pods").json()["data"], "the pod is there")


def test_a_terminal_is_used_in_its_width_and_without_colors(sandbox: SandboxControl) -> None:
    environment = {**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url}
    environment |= {"NO_COLOR": "1", "COLUMNS": "60", "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as reader:
        process = subprocess.Popen(
            [sys.executable, "-m", "primepods_magic", "avail", "--gpu", "L4_24GB"],
            env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while part := reader.read(4096):
                shown += part
        except OSError:
            # A terminal that was closed on its other side.
            pass
        assert process.wait(timeout=30) == 0
    lines = shown.decode().splitlines()
    assert any("L4_24GB" in line for line in lines)
    assert max(map(len, lines)) <= 60
    assert b"\x1b[3" not in shown
