"""``primepods`` as a shell runs it: pipes, Ctrl-C, closed pipes, a terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pytest

from tests.notebook.script.test_commands import write_settings
from tests.support.sandbox_control import SandboxControl
from tests.support.silent import silent_about_itself

PRIMEPODS = [sys.executable, "-m", "primepods_magic"]
SHELL = f"{sys.executable} -m primepods_magic --sandbox"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def environment(sandbox: SandboxControl, home: Path) -> Mapping[str, str]:
    return {**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url}


def run_shell(script: str, environment: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash
    return subprocess.run(
        [bash, "-c", script],
        env={**environment, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_shell_script_reads_what_it_gets(environment: Mapping[str, str], tmp_path: Path) -> None:
    done = run_shell(
        f"""set -e
        echo 'gpu: L4_24GB
name: train' | {SHELL} create - -o json > {tmp_path}/pod.json
        COLUMNS=60 {SHELL} ls
        {SHELL} history -o csv 2> /dev/null | head -1 | cut -d, -f1
        {SHELL} show nobody && exit 99 || echo "code $?"
        {SHELL} ls > /dev/full || echo "full $?"
        """,
        environment,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "pod.json").read_text())[0]["name"] == "train"
    table, (first_column, code, full) = done.stdout.splitlines()[:-3], done.stdout.splitlines()[-3:]
    assert max(map(len, table)) <= 60
    assert (first_column, code, full) == ("name", "code 4", "full 1")
    assert "NotFound: There is no pod 'nobody'" in done.stderr
    assert "The result cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_closed_pipe_ends_it_quietly(environment: Mapping[str, str]) -> None:
    process = subprocess.Popen(
        [*PRIMEPODS, "--sandbox", "ls"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def _interrupt_after(line: str, words: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Press Ctrl-C once a command has printed a line."""
    process = subprocess.Popen(
        [*PRIMEPODS, "--sandbox", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for said in process.stderr:
        if line in said:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == ""
    return process.returncode, err


def test_ctrl_c_says_what_was_done(environment: Mapping[str, str], sandbox: SandboxControl) -> None:
    create = ["create", "--gpu", "L4_24GB", "--name", "train"]
    code, said = _interrupt_after("train  provisioning", [*create, "--wait"], environment)
    assert code == 130
    assert re.fullmatch(r"WaitInterrupted: Stopped waiting.*train.*billed.*\n", said), said
    # The create of this one does not return.
    rule = {"fault": "latency", "method": "POST", "path": "/pods", "seconds": 2}
    sandbox.api.put("/sandbox/faults", json=[rule]).raise_for_status()
    code, said = _interrupt_after("the only offer", [*create[:-1], "other"], environment)
    assert code in (6, 130), said
    expected = r"OutcomeUnknown: .*'other'.*|WaitInterrupted: .*|Interrupted\. What was requested .*"
    assert re.fullmatch(rf"({expected})\n", said), said
    assert "in the background" not in said


def test_a_terminal_is_asked_and_gets_no_color_without_wanting_it(
    running_sandbox: SandboxControl, home: Path, tmp_path: Path
) -> None:
    write_settings(home, "c.PodsMagics.poll_interval_s = 0.2")
    with silent_about_itself(running_sandbox.url) as url:
        environment = {**os.environ, "PRIME_BASE_URL": url, "PRIME_API_KEY": "sandbox", "NO_COLOR": "1"}
        words = ["-m", "primepods_magic", "create", "--gpu", "L4_24GB", "--name", "train", "--wait"]
        child = pexpect.spawn(
            sys.executable, words, env=environment, dimensions=(40, 60), encoding="utf-8", timeout=30
        )
        try:
            child.expect(r"Rent it\? \[y/N\] ")
            child.sendline("y")
            child.expect(pexpect.EOF)
        finally:
            child.close()
    assert child.exitstatus == 0
    assert "Pod train: 1 × L4_24GB" in (child.before or "")
    # Bars move the cursor, and color nothing.
    assert not re.findall(r"\x1b\[[\d;]*[1-9][\d;]*m", child.before or "")
    assert max(len(line) for line in re.split(r"[\r\n]+", _ESCAPE.sub("", child.before or ""))) <= 130


def test_help_and_usage_load_nothing_heavy() -> None:
    code = (
        "import sys; from primepods_magic.__main__ import main; main()\n"
        "print(sorted({'pandas', 'httpx', 'pydantic', 'IPython'} & set(sys.modules)), file=sys.stderr)"
    )
    for words, loaded in ((["--help"], "[]\n"), (["ls", "-h"], "['IPython', 'pydantic']\n")):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert done.stdout.startswith(("Rent, watch", "usage: primepods ls"))
        assert "pandas" not in done.stderr
        assert words != ["--help"] or done.stderr == loaded
