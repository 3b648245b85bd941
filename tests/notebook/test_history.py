"""`%pods history` and `%pods cache` in a shell: what is shown, kept, saved and said, and how it stops."""

from __future__ import annotations

import re
import signal
import sqlite3
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal

from primepods_magic.api.client import Client
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.frames import load_frame
from primepods_magic.notebook.progress import download_bar as progress
from primepods_magic.notebook.progress.download_bar import show_download
from primepods_magic.pods.connection.current import connect
from primepods_magic.pods.history import cache_files
from tests.frames.test_files import without_empty
from tests.notebook.views.snapshots import FrontEnd
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

NOW = datetime(2026, 9, 14, 8, tzinfo=timezone.utc)


class Asked:
    """What a connection asks for of the history."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries: list[tuple[int, int]] = []
        rows = Client.history_rows

        def history_rows(client: Client, **options: Any) -> Any:
            self.queries.append((options["limit"], options["offset"]))
            self.before()
            return rows(client, **options)

        self.before: Any = lambda: None
        monkeypatch.setattr(Client, "history_rows", history_rows)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def ended_together(shell: Any, sandbox: SandboxControl, count: int = 4) -> list[str]:
    """Pods that ended in the same instant."""
    ids = []
    for number in range(count):
        shell.run(f"pod = %pod_create --gpu L4_24GB --name together-{number} -y")
        ids.append(shell.user_ns["pod"].id)
    for pod_id in ids:
        sandbox.event(pod_id, "reclaim")
    return ids


def test_all_of_it_and_a_part_of_it_are_in_the_same_order(shell: Any, sandbox: SandboxControl) -> None:
    ended_together(shell, sandbox)
    for sort_by in ("terminatedAt", "createdAt"):
        for order in ("asc", "desc"):
            words = f"%pods history --sort-by {sort_by} --sort-order {order}"
            whole = shell.run(words)
            assert len(whole) == 184
            times = whole[{"terminatedAt": "terminated_at", "createdAt": "created_at"}[sort_by]]
            assert times.is_monotonic_increasing if order == "asc" else times.is_monotonic_decreasing
            for offset in (0, 3, 180):
                part = shell.run(f"{words} --limit 6 --offset {offset}")
                assert list(part["id"]) == list(whole["id"])[offset : offset + 6]
                again = shell.run(f"{words} --limit 6 --offset {offset} --refresh")
                assert_frame_equal(again, part)


def test_a_range_is_what_lived_in_it(shell: Any) -> None:
    whole = shell.run("%pods history")
    assert shell.output.text.startswith("sandbox · 180 rows · $")
    assert f"${whole['billed_usd'].sum():,.2f} billed" in shell.output.text
    part = shell.run("%pods history --since 7d --until yesterday")
    since, until = NOW - timedelta(days=7), NOW.replace(hour=0) - timedelta(days=1)
    expected = whole[(whole["terminated_at"] > since) & (whole["created_at"] < until)]
    assert 0 < len(part) < 180
    assert list(part["id"]) == list(expected["id"])
    assert list(part.index) == list(range(len(part)))
    month = shell.run("%pods history --since 2026-08 --until 2026-09")
    assert list(month["id"]) == list(
        whole[(whole["terminated_at"] > "2026-08-01T00:00Z") & (whole["created_at"] < "2026-09-01T00:00Z")][
            "id"
        ]
    )
    limited = shell.run("%pods history --since 2026-08 --until 2026-09 --limit 3 --offset 1")
    assert list(limited["id"]) == list(month["id"])[1:4]
    assert f"3 of {len(month)} rows" in shell.output.text
    assert shell.run("%pods history --since 2026-09-01 --until 2026-08-01").empty
    assert shell.run("%pods history --since 2030-01-01").dtypes.equals(whole.dtypes)


def test_what_is_no_time_is_refused_before_anything_is_read(shell: Any, asked: Asked) -> None:
    for words in ("--since soon", "--until 2026-13", "--since 7m"):
        with pytest.raises(InvalidRequest, match="Cannot parse time"):
            shell.run(f"%pods history {words}")
    assert asked.queries == []


def test_a_range_goes_by_the_time_of_the_service(shell: Any, sandbox: SandboxControl) -> None:
    """Also where it is the first thing that is asked: this computer's clock may be any."""
    connect(sandbox=True).client.session._service_time = None
    part = shell.run("%pods history --since 7d")
    assert list(part["id"]) == list(
        shell.run(f"%pods history --since {NOW - timedelta(days=7):%Y-%m-%dT%H:%M}")["id"]
    )
    assert 0 < len(part) < 180


def test_what_is_saved_is_loaded_as_it_was(shell: Any, tmp_path: Path) -> None:
    for name in ("part.csv", "part.parquet"):
        frame = shell.run(f"%pods history --since 30d --save {tmp_path / name}")
        assert f"saved as {tmp_path / name}" in shell.output.text
        # A CSV file does not tell an empty text from a missing one.
        expected = without_empty(frame) if name.endswith(".csv") else frame
        assert_frame_equal(load_frame(tmp_path / name), expected)
    with pytest.raises(InvalidRequest, match="does not end in"):
        shell.run(f"%pods history --save {tmp_path / 'part.xls'}")


def test_the_second_time_only_what_is_new_is_asked_for(
    shell: Any, sandbox: SandboxControl, asked: Asked
) -> None:
    first = shell.run("%pods history")
    assert len(cache_files()) == 1
    (kept,) = {file.rows for file in cache_files()}
    assert 0 < kept < 180
    asked.queries.clear()
    ids = ended_together(shell, sandbox, 1)
    second = shell.run("%pods history")
    assert asked.queries == [(1000, kept - 1)]
    assert list(second["id"]) == ids + list(first["id"])
    asked.queries.clear()
    assert_frame_equal(shell.run("%pods history --refresh"), second)
    assert asked.queries[0] == (1000, 0)
    # Late bills are seen, and then final.
    sandbox.advance(3 * 24 * 3600)
    late = shell.run("%pods history")
    assert_frame_equal(shell.run("%pods history --refresh"), late)


def test_the_cache_is_shown_and_cleared(shell: Any, asked: Asked) -> None:
    assert shell.run("%pods cache").empty
    assert "no histories" in shell.output.text
    whole = shell.run("%pods history")
    frame = shell.run("%pods cache")
    assert list(frame.columns) == ["service", "rows", "size_mb", "read_at", "path"]
    assert frame.dtypes.astype(str).tolist() == [
        "string",
        "Int64",
        "Float64",
        "datetime64[us, UTC]",
        "string",
    ]
    (row,) = frame.to_dict("records")
    assert row["service"].startswith("sandbox ")
    assert row["read_at"] == NOW
    # Without the home of whoever looks.
    assert row["path"].startswith("~/")
    file = Path(row["path"]).expanduser()
    assert file.stat().st_size == round(row["size_mb"] * 1_000_000)
    assert re.search(rf"stored on this computer: 1 history, {row['rows']} rows", shell.output.text)
    assert list(shell.run("%pods cache --clear")["path"]) == [row["path"]]
    assert "deleted: 1 history" in shell.output.text
    assert not file.exists()
    asked.queries.clear()
    assert_frame_equal(shell.run("%pods history"), whole)
    assert asked.queries[0][1] == 0


def test_a_cache_that_is_damaged_shows_in_nothing(shell: Any) -> None:
    whole = shell.run("%pods history")
    (file,) = cache_files()
    file.path.write_bytes(b"\0" * 5000)
    assert shell.run("%pods cache")["rows"].tolist() == [0]
    assert_frame_equal(shell.run("%pods history"), whole)
    with sqlite3.connect(file.path) as database:
        assert database.execute("SELECT count(*) FROM parts").fetchone() == (1,)
    database.close()


def test_ctrl_c_stops_the_reading_and_the_next_cell_reads_it_all(shell: Any, asked: Asked) -> None:
    main = threading.main_thread().ident or 0
    asked.before = lambda: signal.pthread_kill(main, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        shell.run("df = %pods history")
    assert "df" not in shell.user_ns
    asked.before = lambda: None
    eventually(
        lambda: not [thread for thread in threading.enumerate() if thread.name == "primepods-background"],
        "no thread is left",
    )
    assert len(shell.run("%pods history")) == 180


class Time:
    """What `progress` takes for the time."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def front_end(bare_shell: Any) -> Iterator[Any]:
    """A shell that somebody looks at, as a kernel's."""
    bare_shell.kernel = FrontEnd().kernel
    try:
        yield bare_shell
    finally:
        del bare_shell.kernel


def bars(shell: Any) -> list[str]:
    return [shown.data["text/plain"] for shown in shell.output.shown]


def test_a_bar_appears_after_a_second_and_is_emptied(front_end: Any, clock: Time) -> None:
    front_end.output.shown.clear()
    with show_download(front_end, "history") as tell:
        assert tell is not None
        for after in (0.1, 0.5, 0.99):
            clock.now = 100 + after
            tell(10, 100)
        assert bars(front_end) == []
        clock.now = 101.0
        tell(1000, 5000)
        assert bars(front_end) == ["Reading the history: 1,000 of 5,000 rows"]
        clock.now = 101.1
        tell(1500, 5000)
        assert len(bars(front_end)) == 1
        clock.now = 101.3
        tell(2000, 5000)
    first, second, last = front_end.output.shown
    assert 'role="progressbar"' in first.data["text/html"]
    assert 'aria-valuenow="20"' in first.data["text/html"]
    assert 'aria-valuenow="40"' in second.data["text/html"]
    assert [shown.update for shown in (first, second, last)] == [False, True, True]
    assert len({shown.display_id for shown in (first, second, last)}) == 1
    assert last.data == {"text/html": "", "text/plain": ""}


def test_a_bar_is_emptied_after_ctrl_c_and_after_an_error(front_end: Any, clock: Time) -> None:
    for error in (KeyboardInterrupt, ValueError):
        front_end.output.shown.clear()
        clock.now = 100.0
        bar = show_download(front_end, "history")
        tell = bar.__enter__()
        clock.now = 102.0
        assert tell is not None
        tell(0, 0)
        assert 'role="progressbar"' in front_end.output.html
        assert not bar.__exit__(error, error(), None)
        assert front_end.output.shown[-1].data["text/html"] == ""


def test_where_nobody_looks_there_is_no_bar(bare_shell: Any, clock: Time) -> None:
    with show_download(bare_shell, "history") as tell:
        assert tell is None
    bare_shell.kernel = FrontEnd(allow_stdin=False).kernel
    with show_download(bare_shell, "history") as tell:
        assert tell is None
    del bare_shell.kernel
    assert bare_shell.output.shown == []


@pytest.mark.parametrize("kept", [False, True])
def test_a_slow_history_has_a_bar_on_the_thread_of_the_cell(
    shell: Any, asked: Asked, clock: Time, kept: bool
) -> None:
    if kept:
        shell.run("%pods history")
    shell.kernel = FrontEnd().kernel

    def later() -> None:
        clock.now += 2.0

    asked.before = later
    threads: set[threading.Thread] = set()
    show = progress._NotebookBar.show

    def noted(bar: Any, rows: int, total: int, text: str) -> None:
        threads.add(threading.current_thread())
        show(bar, rows, total, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress._NotebookBar, "show", noted)
        shell.run("df = %pods history")
    del shell.kernel
    assert threads == {threading.main_thread()}
    assert [shown.data for shown in shell.output.shown][-1] == {"text/html": "", "text/plain": ""}
    assert len(shell.user_ns["df"]) == 180
