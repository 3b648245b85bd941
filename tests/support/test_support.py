"""The helpers that other tests stand on: what they catch, they really catch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.support import leaks
from tests.support.kernels import text_of
from tests.support.notebooks import NotebookPrinter
from tests.support.sandbox_control import SandboxControl, controlled
from tests.support.terminal import Terminal, ipython
from tests.support.waiting import eventually


def test_home_is_empty_and_nothing_is_inherited(home: Path) -> None:
    assert Path.home() == home
    assert list(home.iterdir()) == []
    assert not [name for name in os.environ if name.startswith(("PRIME", "XDG_"))]


@given(st.integers())
def test_hypothesis_accepts_the_automatic_fixtures(number: int) -> None:
    assert number == number


def test_shell_returns_what_a_cell_returned(bare_shell: Any) -> None:
    assert bare_shell.run("x = 6\nx * 7") == 42
    assert bare_shell.output.shown[0].data == {"text/plain": "42"}
    bare_shell.run("print('out'); import sys; print('err', file=sys.stderr)")
    assert (bare_shell.output.stdout, bare_shell.output.stderr) == ("out\n", "err\n")


def test_shell_raises_what_a_cell_raised_and_keeps_how_it_was_shown(bare_shell: Any) -> None:
    class Short(Exception):
        def _render_traceback_(self) -> list[str]:
            return ["in one line"]

    bare_shell.user_ns["Short"] = Short
    with pytest.raises(Short):
        bare_shell.run("raise Short()")
    assert bare_shell.output.error == "in one line"
    with pytest.raises(SyntaxError):
        bare_shell.run("1 +")


def test_shell_keeps_displays_and_their_updates(bare_shell: Any) -> None:
    bare_shell.run(
        "from IPython.display import HTML, display\n"
        "handle = display(HTML('<b>1</b>'), display_id=True)\n"
        "handle.update(HTML('<b>2</b>'))"
    )
    first, second = bare_shell.output.shown
    assert (first.update, second.update) == (False, True)
    assert first.display_id == second.display_id is not None
    assert "<b>2</b>" in bare_shell.output.html


def test_kernel_runs_in_an_empty_home_without_stdin(run_notebook: Any, home: Path) -> None:
    done = run_notebook(["import os\nos.environ['HOME']", "input('?')"], allow_errors=True)
    assert text_of(done.cells[0]) == repr(str(home))
    assert "StdinNotImplementedError" in text_of(done.cells[1])


def test_terminal_types_reads_and_interrupts(home: Path, tmp_path: Path) -> None:
    with ipython(os.environ, tmp_path) as session:
        assert session.run("6 * 7") == "Out[1]: 42"
        session.type("input('how many? ')")
        session.until(r"how many\? ")
        session.type("3")
        assert "'3'" in session.until_prompt()
        session.type("print('be' + 'gun'); import threading; threading.Event().wait()")
        session.until("begun")
        session.interrupt()
        assert "KeyboardInterrupt" in session.until_prompt()


def test_a_thread_left_behind_is_named() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="forgotten", daemon=True)
    with pytest.raises(AssertionError, match="forgotten"), leaks.none_left(within=0.05):
        thread.start()
    stop.set()
    thread.join()


def test_a_socket_left_behind_is_seen() -> None:
    kept = []
    with pytest.raises(AssertionError, match="socket:"), leaks.none_left(within=0.05):
        kept.append(socket.create_server(("127.0.0.1", 0)))
    kept[0].close()


def test_what_is_closed_is_no_leak(no_leaks: None) -> None:
    socket.create_server(("127.0.0.1", 0)).close()
    thread = threading.Thread(target=lambda: None)
    thread.start()


def test_processes_started_by_a_test_begin_with_the_guard() -> None:
    code = "import sys; print('loopback_guard' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "True\n"


def test_sandbox_is_stepped_and_listens_to_its_test(sandbox: SandboxControl) -> None:
    before = sandbox.state()["clock"]["now"]
    assert sandbox.state()["clock"]["now"] == before
    sandbox.advance(2)
    assert sandbox.state()["clock"]["now"] != before
    assert sandbox.api.get("/api/v1/pods/").json()["data"] == []


def test_running_sandbox_does_not_wait_to_be_told(running_sandbox: SandboxControl) -> None:
    before = running_sandbox.state()["clock"]["now"]
    eventually(lambda: running_sandbox.state()["clock"]["now"] != before, "the clock moved")


def test_sandbox_leaves_nothing_behind(no_leaks: None) -> None:
    with controlled(clock="stepped") as control:
        control.state()


def test_shell_is_connected_to_the_sandbox_of_its_test(shell: Any, sandbox: SandboxControl) -> None:
    shell.run("%%pod_create\nname: train\ngpu: H100_80GB")
    assert [pod["name"] for pod in sandbox.api.get("/api/v1/pods/").json()["data"]] == ["train"]


def test_terminal_is_connected_to_the_sandbox_of_its_test(terminal: Terminal) -> None:
    terminal.run("%load_ext primepods_magic")
    assert "sandbox" in terminal.run("%pods connect --sandbox")
    assert "runpod" in terminal.run("%pods avail --gpu H100_80GB")


def test_what_the_extension_opened_is_gone_once_it_is_unloaded(
    no_leaks: None, bare_shell: Any, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    bare_shell.run("%load_ext primepods_magic\n%pods connect --sandbox")
    bare_shell.run("%%pod_create\nname: train\ngpu: H100_80GB")
    bare_shell.run("%unload_ext primepods_magic")


def test_a_printed_notebook_has_no_colors_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    error = new_output(
        "error", ename="E", evalue="no", traceback=["\x1b[31mE\x1b[0m: no", "\x1b[0;32m1\x1b[39m"]
    )
    notebook = new_notebook(cells=[new_code_cell("fail()", outputs=[error])])
    NotebookPrinter(notebook).up_to(0)
    assert capsys.readouterr().out == ">>> fail()\nE: no\n1\n\n"
