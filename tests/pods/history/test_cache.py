"""What is kept is what the service said, of this account alone, or not used, whatever befalls the file."""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from primepods_magic.pods.history import cache_files, clear_cache, read_history
from primepods_magic.pods.history.cache import HistoryCache, cache_folder
from primepods_magic.pods.history.pages import ReadResult
from primepods_magic.pods.history.table import HistoryTable
from tests.support.soak import pick
from tests.support.waiting import eventually

from .moving import KEY, NOW, MovingService, connected, ids, soon

__all__ = ["soon"]

pytestmark = pytest.mark.usefixtures("soon")

ROOT = Path(__file__).parents[3]


def read(service: MovingService, *, instance: str | None = None, refresh: bool = False) -> int:
    """Read, compare with what the service has, and tell how many rows were kept."""
    with connected(service, instance=instance) as connection:
        service.asked.clear()
        history = read_history(connection, refresh=refresh)
    assert ids(history) == service.ids
    billed = [row["totalBilledPrice"] for row in service.rows]
    assert history.table.columns["total_billed_price"].tolist() == billed
    assert timedelta() <= history.now - service.now < timedelta(seconds=5)
    return history.kept_rows


def the_file() -> Path:
    (path,) = (cache_folder() or Path()).glob("*.db")
    return path


@pytest.mark.parametrize("cap", [7, 100, 1000])
@pytest.mark.parametrize("new", [0, 1, 6, 7, 40, 250])
def test_only_what_is_new_is_asked_for(cap: int, new: int) -> None:
    service = MovingService(500)
    service.cap = cap
    assert read(service) == 0
    for _ in range(new):
        service.append()
    assert read(service) == 500
    assert len(service.asked) <= math.ceil(new / cap) + 2 or new > cap * (cap - 1)
    assert min(offset for _, offset in service.asked) == 499
    assert read(service) == 500


def test_rows_are_final_two_days_after_their_end_by_the_clock_of_the_service() -> None:
    service = MovingService(100)
    for hours in (49, 48, 47, 1):
        service.append(days=hours / 24)
    read(service)
    assert read(service) == 102
    # A bill that comes late is seen.
    service.rows[102]["totalBilledPrice"] = 99.5
    assert read(service) == 102
    # The same later on: a service whose clock stands in the year 2020 decides, not this computer.
    service.now += timedelta(hours=2)
    assert read(service) == 102
    assert read(service) == 103
    early = MovingService(20, now=NOW.replace(year=2020), user="eve")
    early.append()
    read(early)
    assert read(early) == 20


def test_what_nobody_has_used_for_long_is_forgotten() -> None:
    service = MovingService(20)
    read(service)
    (used,) = cache_files()
    unused = used.path.with_name("0" * 32 + ".db")
    shutil.copy(used.path, unused)
    read(service)
    assert unused.exists()
    long_ago = used.path.stat().st_mtime - 100 * 86_400
    os.utime(unused, (long_ago, long_ago))
    read(service)
    assert [file.path for file in cache_files()] == [used.path]


def test_a_service_that_does_not_tell_its_time_has_no_final_rows() -> None:
    service = MovingService(20, now=datetime.now(timezone.utc))
    service.tells_time = False
    for _ in range(2):
        assert read(service) == 0


def test_a_row_that_bills_nothing_yet_is_not_kept_whatever_the_clock_says() -> None:
    service = MovingService(20)
    late = service.append()
    late["totalBilledPrice"] = 0.0
    # One answer, of a clock that is five days ahead.
    service.now += timedelta(days=5)
    assert read(service) == 0
    service.now -= timedelta(days=5)
    late["totalBilledPrice"] = 40.0
    assert read(service) == 20


def test_a_row_that_never_bills_anything_holds_up_the_cache_for_a_month_at_most() -> None:
    service = MovingService(10)
    service.rows[3]["totalBilledPrice"], service.rows[4]["totalBilledPrice"] = 0.0, 0.0
    service.rows[9] |= {"totalBilledPrice": 0.0, "priceHr": 0.0}
    read(service)
    assert read(service) == 10


def test_the_clock_of_a_proxys_error_page_makes_no_row_final() -> None:
    now = datetime.now(timezone.utc)
    service = MovingService(20, now=now)
    service.tells_time = False
    fast = {"Date": format_datetime(now + timedelta(days=5), usegmt=True)}
    service.spoil = lambda number: None if number else httpx.Response(502, text="bad gateway", headers=fast)
    for _ in range(2):
        assert read(service) == 0


def test_rows_that_have_not_ended_are_never_final_nor_are_those_after_them() -> None:
    service = MovingService(50)
    service.rows[20]["terminatedAt"] = None
    read(service)
    assert read(service) == 20
    service.rows[20]["terminatedAt"] = service.rows[19]["terminatedAt"]
    service.rows[20]["totalBilledPrice"] = 123.0
    assert read(service) == 20
    assert read(service) == 50


def test_a_first_row_that_has_not_ended_is_not_kept() -> None:
    service = MovingService(5)
    service.rows[0]["terminatedAt"] = None
    for _ in range(2):
        assert read(service) == 0
    assert cache_files()[0].rows == 0


def test_a_row_that_was_kept_and_is_listed_anew_leaves_no_gap_in_what_is_kept() -> None:
    service = MovingService(30)
    read(service)
    again = dict(service.rows[5], terminatedAt=f"{NOW - timedelta(days=4):%Y-%m-%dT%H:%M:%SZ}")
    service.rows.append(again)
    for days in (3.5, 3, 2.5):
        service.append(days=days)
    with connected(service) as connection:
        told = ids(read_history(connection))
        cache = HistoryCache(connection.access)
        kept = cache.read_summary()
        table = cache.load(kept) if kept else None
        assert table is not None
        assert list(table.columns["id"]) == told[: len(table)]


def test_a_write_that_is_broken_off_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    service = MovingService(50)
    read(service)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("primepods_magic.pods.history.cache.pack_table", broken)
        with pytest.raises(KeyboardInterrupt):
            read(service, refresh=True)
    assert read(service) == 50


def test_refresh_reads_everything_and_keeps_that() -> None:
    service = MovingService(300)
    read(service)
    service.rows[3]["totalBilledPrice"] = 77.0
    assert read(service, refresh=True) == 0
    assert service.asked[0][1] == 0
    assert read(service) == 300


@pytest.mark.parametrize("place", [0, 150, 299])
@pytest.mark.parametrize("change", ["delete", "insert", "swap"])
def test_a_past_that_changes_is_read_anew(change: str, place: int) -> None:
    service = MovingService(300)
    service.cap = 100
    read(service)
    if change == "delete":
        del service.rows[place]
    elif change == "insert":
        service.insert(place)
    else:
        service.rows[place]["id"] = "another"
        service.rows = service.rows[:place] + service.rows[place + 1 :] + [service.rows[place]]
    assert read(service) == 0


def test_a_history_that_begins_anew_is_read_anew() -> None:
    service = MovingService(300)
    read(service)
    service.rows.clear()
    assert read(service) == 0
    service.append()
    assert read(service) == 0
    assert len(service.asked) < 10


def test_a_row_that_is_kept_and_listed_anew_is_there_once() -> None:
    service = MovingService(30)
    read(service)
    service.rows.append(dict(service.rows[5], totalBilledPrice=50.0))
    with connected(service) as connection:
        for _ in range(2):
            table = read_history(connection).table
            told = list(table.columns["id"])
            assert len(told) == len(set(told)) == 30
            assert table.columns["total_billed_price"][told.index("pod-5")] == 50.0


def test_a_service_that_grants_less_than_it_did_or_more() -> None:
    service = MovingService(3000)
    read(service)
    for _ in range(300):
        service.append()
    service.refuses_above = service.cap = 100
    read(service)
    assert read(service) == 3000
    service.refuses_above = service.cap = 1000
    read(service)
    assert len(service.asked) < 10
    service.cap = 50
    assert read(service) == 3000


def test_one_short_page_is_not_remembered() -> None:
    service = MovingService(2500)
    service.cap = 100
    service.page = lambda number, page: page[:1] if number == 4 else page
    read(service)
    for _ in range(500):
        service.append()
    read(service)
    assert len(service.asked) < 12


def test_another_account_service_or_sandbox_never_sees_them() -> None:
    read(MovingService(100))
    for user, instance in (("eve", None), ("ada", "one"), ("ada", "two"), ("eve", "two")):
        other = MovingService(100, user=user)
        assert read(other, instance=instance) == 0, (user, instance)
        assert read(other, instance=instance) == 100
    assert len(cache_files()) == 5
    # A file under the name of another account is that account's, and not used.
    mine, other = HistoryCache("https://one\nada"), HistoryCache("https://one\neve")
    table = HistoryTable.of_rows([{"id": "a"}])
    mine.write(table, after=None, reading=ReadResult(table, 1, 100), now=NOW)
    assert mine._path is not None
    assert other._path is not None
    shutil.copy(mine._path, other._path)
    assert mine.read_summary() is not None
    assert other.read_summary() is None


def test_nothing_that_sounds_like_a_secret_is_in_the_file() -> None:
    service = MovingService(50)
    for one in service.rows:
        one |= {"apiToken": "hunter2-a", "jupyterPassword": "hunter2-b", "env": "hunter2-c", "region": "eu-7"}
        one |= {"credentials": {"key": "hunter2-d"}, "sshKey": "hunter2-e"}
    read(service)
    content = b"".join(path.read_bytes() for path in the_file().parent.iterdir())
    assert b"eu-7" in content
    assert b"hunter2" not in content
    assert KEY.encode() not in content
    assert the_file().stat().st_mode & 0o077 == 0


DAMAGES = (
    "flip",
    "truncate",
    "zeros",
    "text",
    "empty",
    "foreign",
    "foreign 1",
    "other form",
    "no tables",
    "facts",
)


def damage(path: Path, kind: str, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if kind == "flip":
        for _ in range(rng.choice([1, 1, 3, 30])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "truncate":
        del data[rng.randrange(len(data)) :]
    elif kind == "zeros":
        begin = rng.randrange(len(data))
        data[begin : begin + 600] = bytes(len(data[begin : begin + 600]))
    elif kind == "text":
        data = bytearray(b"this is no database\n" * 200)
    elif kind == "empty":
        data.clear()
    else:
        if kind.startswith("foreign") or kind == "no tables":
            path.unlink()
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            if kind.startswith("foreign"):
                database.execute("CREATE TABLE songs (name)")
                database.execute(f"PRAGMA user_version = {kind.partition(' ')[2] or 0}")
            elif kind == "other form":
                database.execute("PRAGMA user_version = 2")
            elif kind == "no tables":
                database.execute("PRAGMA user_version = 1")
                database.execute(f"PRAGMA application_id = {0x70726D70}")
            else:
                database.execute("INSERT INTO facts VALUES (CAST(x'ff' AS TEXT), 'x')")
        return
    path.write_bytes(data)


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_file_that_is_not_as_it_was_written_is_made_anew(kind: str) -> None:
    service = MovingService(200)
    for seed in range(pick(3, 2000) if kind in ("flip", "truncate", "zeros") else 1):
        rng = random.Random(f"{kind} {seed}")
        read(service)
        path = the_file()
        damage(path, kind, rng)
        # What is read is right (compared there), and from then on there is a cache again.
        read(service)
        cache_files()
        assert read(service) == 200, seed


def test_what_is_counted_in_the_file_is_not_believed() -> None:
    service = MovingService(200)
    service.cap = 100
    for total, page_rows in ((10**15, 100), (0, 1), (-5, 10), (200, 10**9), (10**15, 1)):
        read(service)
        with contextlib.closing(sqlite3.connect(the_file())) as database, database:
            for name, value in (("total", total), ("page_rows", page_rows)):
                database.execute("UPDATE facts SET value = ? WHERE name = ?", (str(value), name))
        for _ in range(60):
            service.append()
        read(service)
        assert len(service.asked) < 40


@pytest.mark.parametrize("home", ["missing", "read only", "a file", "none"])
def test_a_home_that_cannot_be_written_is_no_error(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "home"
    if home == "read only":
        place.mkdir(mode=0o500)
    elif home == "a file":
        place.write_text("")
    monkeypatch.setenv("HOME", str(place))
    if home == "missing":
        # Not even by whoever may write everywhere.
        monkeypatch.setenv("HOME", "/proc/none")
    elif home == "none":
        monkeypatch.delenv("HOME")
        monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: "~/.cache")
    service = MovingService(20)
    for _ in range(2):
        read(service)
    assert clear_cache() == [] or os.geteuid() == 0


def test_the_cache_is_cleared_and_what_cannot_be_removed_is_not_said_to_be() -> None:
    read(MovingService(20))
    read(MovingService(30, user="eve"))
    (cache_folder() or Path()).joinpath("stays.db").mkdir()
    assert sorted(file.rows for file in cache_files()) == [0, 20, 30]
    assert {file.service for file in cache_files()} == {"https://api.example.test", ""}
    assert sorted(file.rows for file in clear_cache()) == [20, 30]
    assert read(MovingService(20)) == 0


def test_small_additions_do_not_make_a_file_of_many_parts() -> None:
    service = MovingService(50)
    for _ in range(80):
        read(service)
        for _ in range(3):
            service.append()
        service.now += timedelta(days=3)
    with contextlib.closing(sqlite3.connect(the_file())) as database:
        (parts,) = database.execute("SELECT count(*) FROM parts").fetchone()
    assert parts <= 34
    assert read(service) == len(service.rows) - 3


def test_who_writes_into_a_file_keeps_its_locks_while_others_in_the_process_open_it() -> None:
    """The lock of a file is the process's: any closing of it would let other processes in."""
    service = MovingService(50)
    read(service)
    path = the_file()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("primepods_magic.pods.history.cache._BUSY_TIMEOUT_S", 0.01)
            read(service)
        script = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        tried = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
        assert "locked" in tried.stderr
        database.execute("ROLLBACK")
    assert read(service) == 50


def test_who_adds_meanwhile_does_not_spoil_what_was_looked_at() -> None:
    service = MovingService(50)
    read(service)
    with connected(service) as connection:
        cache = HistoryCache(connection.access)
        kept = cache.read_summary()
        assert kept is not None
        service.now += timedelta(days=3)
        service.append(days=2.5)
        read(service)
        table = cache.load(kept)
        assert table is not None
        assert len(table) == 50
        # What was reckoned before is not written over what is there by now.
        cache.write(table, after=kept, reading=ReadResult(table, 50, 100), now=NOW)
    assert read(service) == 51


WRITER = """
import sys
from datetime import timedelta
from tests.pods.history.moving import MovingService, connected, ids
from primepods_magic.pods.history import read_history

service = MovingService(400)
service.cap = 100
print("ready", flush=True)
for turn in range(int(sys.argv[1])):
    for _ in range(7):
        service.append(days=3)
    service.now += timedelta(days=4)
    service.rows.sort(key=lambda row: row["terminatedAt"])
    with connected(service) as connection:
        history = read_history(connection, refresh=turn % 5 == 0)
    assert ids(history) == service.ids, turn
    for row, billed in zip(service.rows, history.table.columns["total_billed_price"]):
        assert row["totalBilledPrice"] == billed
"""


def writer(turns: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(turns)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def writers(count: int, turns: int) -> Iterator[list[subprocess.Popen[str]]]:
    processes = [writer(turns) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_several_processes_at_once_all_read_everything() -> None:
    with writers(3, pick(6, 200)) as processes:
        for process in processes:
            _, told = process.communicate(timeout=120)
            assert process.returncode == 0, told


def test_several_threads_of_a_process_at_once() -> None:
    service = MovingService(300)
    service.cap = 50
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for turn in range(4):
                with connected(service) as connection:
                    assert ids(read_history(connection, refresh=turn == 2)) == service.ids
        except BaseException as error:  # noqa: BLE001 - told on the thread of the test
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert read(service) == 300


def test_kill_9_at_any_moment_leaves_nothing_wrong() -> None:
    rng = random.Random(9)
    # The same past as that of those who are killed: what they leave behind is looked at.
    for _ in range(pick(3, 150)):
        with writers(2, 10_000) as processes:
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            eventually(cache_files, "somebody has written")
            # Any moment: this is what is tried out.
            threading.Event().wait(rng.uniform(0.0, 0.3))
            for process in processes:
                process.send_signal(signal.SIGKILL)
            assert [process.wait() for process in processes] == [-signal.SIGKILL] * 2
        service = MovingService(400)
        read(service)
        assert read(service) == 400
