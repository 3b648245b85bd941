"""Which view fits where a cell runs, and what every view keeps from its caller."""

from __future__ import annotations

import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from primepods_magic.notebook.progress.lines import PlainView
from primepods_magic.notebook.progress.open_view import open_view
from primepods_magic.notebook.progress.safe_view import SafeView
from primepods_magic.notebook.progress.terminal import TerminalView
from primepods_magic.notebook.progress.widget import WidgetView
from primepods_magic.notebook.shell.kernel import has_front_end, shows_widgets
from tests.notebook.views.snapshots import FrontEnd, pod, snapshot


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_kernel_with_somebody_in_front_of_it_gets_the_widget():
    assert isinstance(open_view(FrontEnd()).view, WidgetView)
    assert has_front_end(FrontEnd())


def test_a_console_on_a_kernel_gets_plain_lines(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Tty())
    assert isinstance(open_view(FrontEnd(cell=None)).view, PlainView)
    assert has_front_end(FrontEnd(cell=None))
    assert isinstance(open_view(FrontEnd(cell=None), setting="widgets").view, WidgetView)
    assert isinstance(open_view(FrontEnd(), setting="text").view, PlainView)


def test_colab_is_known_by_its_shell():
    shell = type("Shell", (FrontEnd,), {"__module__": "google.colab._shell"})
    assert shows_widgets(shell(cell=None))
    assert not shows_widgets(shell(cell=None, allow_stdin=False))


@pytest.mark.parametrize("variable", [("SERVER_SOFTWARE", "voila/0.5.13"), ("VOILA_PREHEAT", "True")])
def test_voila_is_known_by_the_environment_of_its_kernels(monkeypatch, variable):
    headless = FrontEnd(allow_stdin=False, cell=None)
    assert not shows_widgets(headless)
    monkeypatch.setenv(*variable)
    assert shows_widgets(headless)
    assert not shows_widgets(SimpleNamespace())


def test_a_headless_kernel_gets_plain_lines_even_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Tty())
    monkeypatch.setattr(sys, "stdin", Tty())
    assert isinstance(open_view(FrontEnd(allow_stdin=False)).view, PlainView)
    assert not has_front_end(FrontEnd(allow_stdin=False))


@pytest.mark.parametrize("allowed", [True, False])
def test_an_older_kernel_is_asked_in_its_own_way(allowed):
    shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=allowed))
    assert has_front_end(shell) is allowed


def test_a_kernel_between_requests_has_nobody():
    assert not has_front_end(SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda channel: {})))


def test_a_terminal_gets_bars_and_a_dumb_one_does_not(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Tty())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(open_view(SimpleNamespace()).view, TerminalView)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_view(SimpleNamespace()).view, PlainView)


def test_piped_output_gets_plain_lines(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert isinstance(open_view(None).view, PlainView)


@pytest.mark.parametrize("stdin", [None, io.StringIO()])
def test_nobody_can_answer_without_a_terminal_on_stdin(monkeypatch, stdin):
    monkeypatch.setattr(sys, "stdin", stdin)
    assert not has_front_end(None)


def test_a_closed_stream_is_no_terminal(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdin", closed)
    assert not has_front_end(None)


def test_a_view_that_breaks_does_not_break_the_launch(capsys):
    def breaks(shown: object) -> None:
        raise RuntimeError("the front end went away")

    view = SafeView(SimpleNamespace(show=breaks, finish=breaks))
    view.show(snapshot(pod()))
    view.finish(snapshot(pod()))
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_passes_through_a_view():
    def interrupted(shown: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SafeView(SimpleNamespace(show=interrupted, finish=interrupted)).show(snapshot(pod()))


def test_importing_the_views_imports_nothing_heavy():
    code = (
        "import sys, primepods_magic.notebook.progress.open_view; "
        "print(sorted({'ipywidgets', 'rich', 'IPython', 'pydantic', 'pandas', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
