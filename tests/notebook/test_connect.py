"""Where requests go, shown and chosen in cells; and what a doctor says there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primepods_magic.api import errors
from primepods_magic.api.settings import Settings
from primepods_magic.notebook.display.formatters import register, unregister
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from tests.support.kernels import text_of
from tests.support.sandbox_control import KEY, READ_KEY, SandboxControl
from tests.support.silent import silent_about_itself

SECRET = "pit_0123456789abcdef0123456789abcdef"
SANDBOX = "connected to the sandbox: its pods are simulated, nothing is billed"


@pytest.fixture
def live_url(sandbox: SandboxControl) -> Iterator[str]:
    with silent_about_itself(sandbox.url) as url:
        yield url


@pytest.fixture
def cells(shell: Any) -> Any:
    """The shell, which shows connections in full."""
    register(shell.display_formatter)
    return shell


@pytest.fixture
def contexts(home: Path, live_url: str) -> Path:
    folder = home / ".prime"
    (folder / "environments").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"api_key": SECRET, "base_url": live_url}))
    work = {"api_key": READ_KEY, "base_url": live_url, "team_id": "team_id"}
    (folder / "environments" / "work.json").write_text(json.dumps(work))
    return folder


def test_the_sandbox_is_one_line(cells: Any) -> None:
    for cell in ("%pods connect --sandbox", "%pods connect"):
        assert isinstance(cells.run(cell), Connection)
        assert cells.output.text == SANDBOX
        assert cells.output.html == ""


def test_the_live_service_is_shown_with_where_each_setting_is_from(
    cells: Any, contexts: Path, live_url: str
) -> None:
    connection = cells.run("%pods connect --live")
    assert connection.label == "live"
    lines = cells.output.text.splitlines()
    assert lines[0] == (
        f"connected to {live_url} (live: pods are billed), key …cdef from ~/.prime/config.json"
    )
    assert [line.split() for line in lines[1:]] == [
        ["url", live_url, "~/.prime/config.json"],
        ["key", "…cdef", "~/.prime/config.json"],
        ["team", "none"],
    ]
    for word in ("live: pods are billed", live_url, "…cdef", "~/.prime/config.json"):
        assert word in cells.output.html
    assert SECRET[4:] not in cells.output.text + cells.output.html


def test_a_saved_context_is_chosen_for_this_kernel(
    cells: Any, contexts: Path, live_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in contexts.rglob("*.json")}
    connection = cells.run("%pods connect --context work")
    assert connection.settings.api_key == READ_KEY
    assert ["team", "team_id", "context", "work"] in [line.split() for line in cells.output.text.splitlines()]
    assert "chosen in this session" in cells.output.text
    assert cells.run("%pods connect --context work --live") is connection
    assert cells.run("%pods connect") is connection
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    cells.run("%pods connect --context work")
    assert "note: PRIME_API_KEY is used instead of the key of the context 'work'" in cells.output.text
    assert "PRIME_API_KEY is used instead of the key" in cells.output.html
    assert {path: path.read_bytes() for path in contexts.rglob("*.json")} == before


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        ("%pods connect --context wrok", errors.NotConfigured, "did you mean 'work'?"),
        ("%pods connect --context work --sandbox", errors.InvalidRequest, "use either"),
        ("%pods connect --context", errors.InvalidRequest, "--context"),
        ("%pods connect --contxt work", errors.InvalidRequest, "did you mean '--context'?"),
    ],
)
def test_a_context_that_cannot_be_used_is_one_line(
    cells: Any, contexts: Path, cell: str, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind) as caught:
        cells.run(cell)
    assert says in str(caught.value)
    assert len(cells.output.error.splitlines()) == 1
    assert cells.run("%pods ls").empty


def test_a_broken_file_is_said_where_the_key_is_from_elsewhere(
    cells: Any, contexts: Path, live_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    monkeypatch.setenv("PRIME_API_BASE_URL", live_url)
    (contexts / "config.json").write_text("{")
    cells.run("%pods connect --live")
    assert "note: ~/.prime/config.json cannot be read (line 1, column 2" in cells.output.text
    assert cells.run("%pods ls").empty


def test_a_key_that_is_set_in_a_cell_is_used_by_the_next(
    run_notebook: Callable[..., Any], sandbox: SandboxControl, live_url: str
) -> None:
    cells = [
        "%load_ext primepods_magic\nimport os",
        f"os.environ['PRIME_API_KEY'] = '{KEY}'\n%pods ls",
        f"os.environ['PRIME_API_KEY'] = '{READ_KEY}'\n%pods connect",
        "%pods rm nobody -y",
    ]
    notebook = run_notebook(cells, {"PRIME_API_BASE_URL": live_url}, allow_errors=True)
    assert "live · no pods" in text_of(notebook.cells[1]) or "live · 0 pods" in text_of(notebook.cells[1])
    assert "live: pods are billed" in text_of(notebook.cells[2])
    assert "NotFound" in text_of(notebook.cells[3])


def test_unregistering_leaves_nothing(bare_shell: Any, sandbox: SandboxControl) -> None:
    formatters = bare_shell.display_formatter.formatters

    def traces() -> Any:
        return {
            mime: (set(formatter.type_printers), set(formatter.deferred_printers))
            for mime, formatter in formatters.items()
        }

    before = traces()
    register(bare_shell.display_formatter)
    assert traces() != before
    bare_shell.user_ns["connection"] = connect(settings=Settings(sandbox.url, KEY))
    bare_shell.run("connection")
    assert bare_shell.output.text == SANDBOX
    unregister(bare_shell.display_formatter)
    assert traces() == before
    disconnect()


def test_the_doctor_answers_with_a_frame(cells: Any) -> None:
    frame = cells.run("%pods doctor")
    assert type(frame) is pd.DataFrame
    assert list(frame.columns) == ["check", "result", "detail", "what_to_do"]
    assert [str(dtype) for dtype in frame.dtypes] == ["string"] * 4
    assert set(frame["result"]) == {"ok", "warning"}
    assert cells.output.text.startswith("no problems · 2 warnings")
    assert {"connection", "service", "ssh keys", "progress bars", "prompts"} <= set(frame["check"])
    assert cells.run("df = %pods doctor") is None


def test_the_doctor_needs_no_key_no_network_and_nobody(run_notebook: Callable[..., Any], home: Path) -> None:
    cells = [
        "%load_ext primepods_magic",
        "df = %pods doctor",
        "print(*df['check'], sep='\\n')\nprint(df.result[df.check == 'service'].item())",
    ]
    notebook = run_notebook(cells)
    said = text_of(notebook.cells[2]).splitlines()
    assert said[-1] == "warning"
    assert "key" in said
    assert not (home / ".local" / "share" / "primepods_magic").exists()
