"""Bars in a real pseudo-terminal: drawn, redrawn, left in the scrollback, and gone after Ctrl-C."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.support.terminal import ipython

BEGIN = (
    "import time\n"
    "from primepods_magic.notebook.progress.open_view import open_view\n"
    "from tests.notebook.views.snapshots import *\n"
    "view = open_view(None)\n"
)
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def run() -> Callable[..., str]:
    """Runs code in a terminal and answers with everything that it wrote, escapes included."""

    def run(code: str, *, columns: int = 100, interrupt_at: str | None = None) -> str:
        child = pexpect.spawn(
            sys.executable,
            ["-c", BEGIN + code],
            env={**os.environ, "TERM": "xterm-256color"},
            cwd=str(REPOSITORY),
            dimensions=(30, columns),
            encoding="utf-8",
            timeout=30,
        )
        try:
            wrote = ""
            if interrupt_at is not None:
                child.expect_exact(interrupt_at)
                wrote = child.before + child.after
                child.sendintr()
            child.expect(pexpect.EOF)
            return wrote + child.before
        finally:
            child.close(force=True)

    return run


def test_bars_are_drawn_in_the_letters_that_a_terminal_has(run, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    wrote = run(
        "view.show(snapshot(pod('trainé 日', 'ACTIVE', 'IN_PROGRESS', 40), pod('x' * 60, 'PENDING')))\n"
        "view.finish(snapshot(pod('trainé', 'ACTIVE', 'COMPLETE', 100, sshConnection=SSH), pod('x' * 60)))\n"
        "print('went on')\n"
    )
    assert "Error" not in wrote
    assert "ssh root@203.0.113.7 -p 22" in words(wrote)
    assert "x" * 20 in words(wrote)
    assert words(wrote).strip().endswith("went on")


def test_bars_have_no_colors_where_none_are_wanted(run, monkeypatch):
    code = "view.show(snapshot(pod('train', 'PENDING')))\nview.finish(snapshot(pod('train', 'PENDING')))\n"
    color = re.compile(r"\x1b\[(?:\d+;)*[349]\d(?:;\d+)*m")
    assert color.search(run(code))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not color.search(run(code))


def words(written: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r\n", "\n").replace("\r", "\n")


def test_the_last_rows_stay_and_the_cursor_comes_back(run):
    wrote = run(
        "view.show(snapshot(pod('train', 'PENDING')))\n"
        "view.show(snapshot(pod('train', 'ACTIVE', 'IN_PROGRESS', 40)))\n"
        "view.finish(snapshot(ready(), after=65)); view.finish(snapshot(ready()))\n"
        "view.show(snapshot(pod()))\n"
        "print('after')"
    )
    assert "installing 40 %" in wrote
    assert wrote.rindex(SHOWN) > wrote.rindex(HIDDEN)
    last = words(wrote[wrote.rindex("train") :])
    assert re.fullmatch(
        r"train +8 × H100_80GB +━+ +ready +\$2.69/h +1 min 05 s *\n"
        r" +ssh root@203.0.113.7 -p 22 *\nafter\n",
        last,
    ), last


def test_several_pods_line_up_and_failures_say_why(run):
    wrote = words(run("view.finish(snapshot(ready('a'), failed('longer-name'), pod('b', 'PENDING')))"))
    bars = [
        line.index(state)
        for line, state in zip(wrote.splitlines()[1:6:2], ("ready", "failed", "starting"), strict=False)
        if state in line
    ]
    assert len(set(bars)) == 1
    assert "3 pods" in wrote
    assert "1 waiting, 1 ready, 1 failed" in wrote
    assert "no space left" in wrote


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_lines_never_wrap_and_always_keep_the_status(run, columns):
    wrote = words(run("view.finish(snapshot(pod('n' * 60, 'ACTIVE', 'IN_PROGRESS', 40)))", columns=columns))
    lines = [line for line in wrote.splitlines() if line.strip()]
    assert lines
    assert all("installing" in line and len(line) <= columns for line in lines), lines


def test_ctrl_c_leaves_a_terminal_that_can_be_used(run):
    wrote = run(
        "try:\n"
        "    while True:\n"
        "        view.show(snapshot(pod('train', 'ACTIVE', 'IN_PROGRESS', 40))); time.sleep(0.05)\n"
        "except KeyboardInterrupt:\n"
        "    view.finish(snapshot(pod('train', 'ACTIVE', 'IN_PROGRESS', 41)))\n"
        "print('after')",
        interrupt_at="40 %",
    )
    assert wrote.rindex(SHOWN) > wrote.rindex(HIDDEN)
    assert re.search(r"installing 41 %.*\nafter\n$", words(wrote))


def test_the_bell_rings_once_for_what_is_ready_if_that_is_wanted(run):
    code = (
        "from primepods_magic.pods.watching.snapshot import changes_between\n"
        "was, now = pod('train', 'PENDING'), ready()\n"
        "view = open_view(None, notifies={})\n"
        "view.show(snapshot(was))\n"
        "view.show(snapshot(now, changes=changes_between({{was.id: was}}, [now], EIGHT)))\n"
        "view.finish(snapshot(now))\n"
    )
    assert run(code.format(True)).count("\a") == 1
    assert "\a" not in run(code.format(False))


def test_names_cannot_write_escapes_to_the_terminal(run):
    assert "\x1b]0;" not in run("view.finish(snapshot(pod('a\\x1b]0;title\\x07b')))")


def test_another_thread_cannot_start_drawing_into_the_prompt(run):
    wrote = run(
        "import threading\n"
        "thread = threading.Thread(target=view.show, args=(snapshot(pod()),))\n"
        "thread.start(); thread.join()\n"
        "print('after')"
    )
    assert words(wrote) == "after\n"


def test_a_display_that_a_cell_forgets_ends_with_the_cell(home, tmp_path):
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(REPOSITORY)])
    environment = {**os.environ, "PYTHONPATH": path, "TERM": "xterm-256color"}
    with ipython(environment, tmp_path) as terminal:
        terminal.run("from primepods_magic.notebook.progress.open_view import open_view")
        terminal.run("from tests.notebook.views.snapshots import *")
        first = terminal.run("view = open_view(get_ipython()); view.show(snapshot(pod('train', 'PENDING')))")
        assert "starting" in first
        assert terminal.run("view.show(snapshot(ready()))") == ""
        assert terminal.run("view.finish(snapshot(ready()))") == ""
        assert terminal.run("40 + 2") == "Out[6]: 42"
