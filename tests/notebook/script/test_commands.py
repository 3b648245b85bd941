"""The commands of ``primepods`` in this process: their results on stdout, their words, their exit codes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from primepods_magic.api import errors
from primepods_magic.api.text.instants import use_zone
from primepods_magic.api.text.python_words import speak_magics
from primepods_magic.frames import load_frame, removed_frame
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.display.frames import mark_for_display
from primepods_magic.notebook.script.command_line import run
from primepods_magic.notebook.script.exit_codes import find_exit_code
from primepods_magic.notebook.script.results import has_unknown_end
from primepods_magic.pods.terminate import GOING, GONE, UNSURE, TerminationResult
from tests.support.sandbox_control import SandboxControl
from tests.support.silent import silent_about_itself


def write_settings(home: Path, text: str) -> None:
    path = home / ".ipython" / "profile_default" / "ipython_config.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"c = get_config()\n{text}\n")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def primepods(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Done]]:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)

    def call(*words: str, is_sandbox: bool = True) -> Done:
        capsys.readouterr()
        code = run([*(["--sandbox"] if is_sandbox else []), *words])
        return Done(code, *capsys.readouterr())

    yield call
    speak_magics()
    use_zone(None)


@pytest.fixture
def live(running_sandbox: SandboxControl, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A sandbox in the guise of the live service."""
    write_settings(home, "c.PodsMagics.poll_interval_s = 0.2")
    with silent_about_itself(running_sandbox.url) as url:
        monkeypatch.setenv("PRIME_BASE_URL", url)
        monkeypatch.setenv("PRIME_API_KEY", "sandbox")
        yield


def test_results_are_records_on_stdout_and_messages_are_not(
    primepods: Callable[..., Done], tmp_path: Path
) -> None:
    spec = tmp_path / "train.yaml"
    spec.write_text("name: train\ngpu: L4_24GB\nenv: {NAME: hunter2}\n")
    created = primepods("create", str(spec), "-y", "-o", "json")
    (pod,) = json.loads(created.out)
    assert (pod["name"], pod["gpu_count"], pod["ssh"]) == ("train", 1, None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", pod["created_at"])
    assert "Run 'primepods wait train'" in created.err
    assert "hunter2" not in created.out + created.err

    saved = tmp_path / "pods.csv"
    listed = primepods("ls", "-o", "csv")
    saved.write_text(listed.out)
    assert listed.err == "sandbox · 1 pod · $0.00/h now\n"
    assert load_frame(saved)["name"].tolist() == ["train"]
    assert next(csv.DictReader(io.StringIO(listed.out)))["id"] == pod["id"]
    assert primepods("ls").out.startswith("sandbox · 1 pod")
    assert "ssh " not in primepods("show", "train").err
    assert json.loads(primepods("connect", "-o", "json").out)[0]["service"] == "sandbox"
    assert json.loads(primepods("logs", "train", "-o", "json").out)
    dry = json.loads(primepods("create", "--gpu", "L4_24GB", "--name", "b", "--dry-run", "-o", "json").out)
    assert dry[0]["pod"]["gpuType"] == "L4_24GB"

    removed = primepods("rm", "train", "-o", "json")
    assert (removed.code, json.loads(removed.out)[0]["outcome"]) == (0, "terminated")
    assert primepods("ls", "-o", "json").out == "[]\n"


def test_each_kind_of_error_has_its_exit_code(
    primepods: Callable[..., Done], live: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert primepods("show", "nobody").code == 4
    wrong = primepods("lss")
    assert (wrong.code, wrong.out) == (2, "")
    assert "There is no 'primepods lss' (did you mean 'ls'?). Run 'primepods -h'" in wrong.err
    assert primepods("ls", "-o", "xml").code == 2
    assert primepods("create", str(tmp_path / "missing.yaml")).code == 2
    assert primepods("create", "--gpu", "H100_80GB", "--max-price", "0.01").code in (5, 7)
    # It takes this for the live service.
    refused = primepods("create", "--gpu", "L4_24GB", "--name", "train", is_sandbox=False)
    assert refused.code == 5
    assert "Nothing was created. To confirm in advance, set max_price in the spec, or pass -y" in refused.err
    assert "in Python" not in refused.err
    assert primepods("create", "--gpu", "L4_24GB", "--name", "train", "-y", is_sandbox=False).code == 0
    refused = primepods("rm", "train", is_sandbox=False)
    assert (refused.code, refused.out) == (5, "")
    assert "was not confirmed. Nothing was done. Pass -y" in refused.err
    assert primepods("rm", "train", "-y", is_sandbox=False).code == 0
    monkeypatch.setenv("PRIME_API_KEY", "another")
    assert primepods("ls", is_sandbox=False).code == 3
    monkeypatch.delenv("PRIME_API_KEY")
    unset = primepods("ls", is_sandbox=False)
    assert unset.code == 3
    assert "run 'primepods --sandbox COMMAND'" in unset.err


def test_what_may_be_billed_has_an_exit_code_of_its_own(
    primepods: Callable[..., Done], sandbox: SandboxControl, home: Path
) -> None:
    write_settings(home, "c.PodsMagics.settle_s = 0.1\nc.PodsMagics.max_price_usd_hr = 1")
    rule = {"fault": "reset_before", "method": "POST", "path": "/pods", "times": 1}
    sandbox.api.put("/sandbox/faults", json=[rule]).raise_for_status()
    unknown = primepods("create", "--gpu", "L4_24GB", "--name", "a")
    assert unknown.code == 6
    assert "'primepods ls' shows your pods" in unknown.err
    # The limits of notebooks hold here, too.
    assert primepods("create", "--gpu", "H100_80GB", "--name", "b").code == 5
    assert primepods("create", "--gpu", "L4_24GB", "--name", "c").code == 0
    write_settings(home, "raise RuntimeError")
    broken = primepods("ls")
    assert broken.code == 3
    assert "ipython_config.py cannot be read (RuntimeError), and may set limits" in broken.err


@pytest.mark.parametrize("outcome", [GONE, GOING, UNSURE])
def test_a_termination_that_is_not_verified_is_not_a_success(outcome: str) -> None:
    frame = removed_frame([TerminationResult("a", "1", GONE), TerminationResult("b", "2", outcome)])
    assert has_unknown_end(mark_for_display(frame, kind="removed")) is (outcome != GONE)


def test_several_failures_have_the_code_that_matters_most() -> None:
    unknown, refused = errors.OutcomeUnknown("a"), errors.OutOfStock("b")
    both = errors.LaunchIncomplete("", failures={"a": unknown, "b": refused})
    assert find_exit_code(both) == 6
    assert find_exit_code(errors.LaunchIncomplete("", failures={"b": refused})) == 7
    assert find_exit_code(unknown, is_interrupted=True) == 6
    assert find_exit_code(errors.WaitInterrupted("")) == 130
    assert find_exit_code(errors.CommandFailed("", exit_code=3)) == 3
    assert find_exit_code(errors.ServiceUnavailable("")) == 1


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ("launcher", "Use 'primepods avail' and 'primepods create'"),
        ("connect --live", "Put it before the next one, as in 'primepods --sandbox ls'"),
        ("wait train --async", "'--async' needs Python"),
        ("env train", "Name the packages, as in 'primepods env train numpy'"),
        ("costs --plot", "'--save plot.png'"),
        ("logs train --follow -o json", "Leave out '-o'"),
        ("create", "primepods create needs flags"),
        ("create - --gpu L4_24GB", "The file has a body"),
    ],
)
def test_what_needs_a_notebook_says_what_to_use_instead(
    primepods: Callable[..., Done], words: str, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"gpu: L4_24GB")))
    done = primepods(*words.split())
    assert (done.code, done.out) == (2, "")
    assert instead in done.err


def test_every_help_speaks_of_the_command(primepods: Callable[..., Done]) -> None:
    overview = primepods("--help", is_sandbox=False).out
    for name in COMMANDS.keys() - {"launcher"}:
        assert f"\n  {name} " in overview
        text = primepods(name, "-h", is_sandbox=False).out
        assert text.startswith(f"usage: primepods {name} ")
        assert "json, csv or table" in text
        assert not re.search(r"(?<!%)%pods|%pod_create|\{mine|DataFrame", text), name
