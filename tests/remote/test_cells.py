"""The record of cells on this computer: what it holds, for whom, and that its damage is never an error."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.code_titles import describe_code
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote import cells
from primepods_magic.remote.cells import CellRecord, read_cells, record_cell
from primepods_magic.remote.job import Job, JobEnd
from tests.support.damage import CONTENTS, DAMAGES, damage_path
from tests.support.sandbox_control import SandboxControl

POD = PodDetails.model_validate(
    {"id": "p1", "name": "train", "status": "ACTIVE", "gpuName": "L4_24GB", "gpuCount": 2, "priceHr": 7.2}
)
# The agent knows how idle the pod was, so it is not asked.
LINK: Any = SimpleNamespace(name="train")


def record(connection: Connection, job: str = "k3f9xq", title: str = "fit()", **changes: Any) -> CellRecord:
    end = JobEnd(**{"state": "ok", "seconds": 10.0, "gpu_mean_pct": 83.5, "idle_s": 1800.0, **changes})
    return record_cell(connection, POD, Job(LINK, job, "main", title=title), end)


def file_of(home: Path) -> Path:
    (path,) = (home / ".local/state/primepods_magic/cells").iterdir()
    return path


def test_what_was_recorded_can_be_read(connection: Connection, home: Path) -> None:
    first, second = record(connection), record(connection, "other", state="error")
    assert read_cells(connection) == [first, second]
    assert (first.pod, first.pod_id, first.gpu, first.gpu_count) == ("train", "p1", "L4_24GB", 2)
    assert (first.estimated_usd, first.idle_usd) == (pytest.approx(0.02), pytest.approx(3.6))
    assert (connection.now() - first.started_at).total_seconds() == pytest.approx(10, abs=5)
    path = file_of(home)
    assert [stat.S_IMODE(where.stat().st_mode) for where in (path, path.parent)] == [0o600, 0o700]


def test_what_is_unknown_stays_unknown(connection: Connection) -> None:
    pod = PodDetails(id="p2", status="ACTIVE")
    end = JobEnd("died", 3.0, idle_s=0.0)
    cell = record_cell(connection, pod, Job(LINK, "a", "main"), end)
    assert read_cells(connection) == [cell]
    assert {cell.gpu, cell.price_usd_hr, cell.estimated_usd, cell.gpu_mean_pct, cell.idle_usd} == {None}


def test_a_cell_is_listed_once(connection: Connection) -> None:
    first = record(connection, seconds=1.0)
    record(connection, seconds=2.0)
    assert read_cells(connection) == [first]


def test_each_account_has_its_own(connection: Connection, sandbox: SandboxControl) -> None:
    record(connection)
    connection.__dict__["user_id"] = "somebody else"
    assert read_cells(connection) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_goes_on_whatever_the_file_is(connection: Connection, home: Path, damage: str) -> None:
    record(connection)
    path = file_of(home)
    path.unlink()
    damage_path(path, damage)
    cell = record(connection)
    assert read_cells(connection) == ([cell] if damage in CONTENTS else [])


def test_a_link_is_not_followed(connection: Connection, home: Path) -> None:
    record(connection)
    path, own = file_of(home), home / "own.txt"
    path.unlink()
    own.write_text("mine")
    path.symlink_to(own)
    record(connection)
    assert own.read_text() == "mine"


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": float("nan")},
        {"seconds": 1e300},
        {"seconds": -1},
        {"idle_usd": float("inf")},
        {"gpu_mean_pct": 101},
        {"started_at": "2026-09-14T08:00:00"},
        {"started_at": "never"},
        {"pod": None},
        {"state": 3},
        {"gpu_count": 10**30},
    ],
)
def test_a_damaged_line_is_skipped(connection: Connection, home: Path, change: dict[str, object]) -> None:
    cell = record(connection)
    path = file_of(home)
    damaged = json.dumps({**json.loads(path.read_text()), "job": "other", **change})
    path.write_text(f"{path.read_text()}\n{damaged}\n{damaged[:100]}")
    last = record(connection, "last")
    assert read_cells(connection) == [cell, last]


def test_the_file_stays_small(connection: Connection, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_MAX_BYTES", 5_000)
    for number in range(40):
        record(connection, str(number))
    path = file_of(home)
    assert path.stat().st_size <= 5_000
    kept = [int(cell.job) for cell in read_cells(connection)]
    assert kept == list(range(kept[0], 40))
    assert len(kept) >= 5
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("# comment\n\nx = 'secret'", "x = '…'"),
        ("x = 1  # secret", "x = 1"),
        ("x = 7 % 3", "x = 7 % 3"),
        ('f("a" \'b\', """secret', 'f("…" \'…\', """…"""'),
        ("prompt = '''it's secret'''", "prompt = '''…'''"),
        ('f(b"secret", rf"{secret}")', 'f(b"…", rf"…")'),
        ('f"{x(" - secret - ")}"', "f …"),
        ("# comment\u2028secret\nx", "x"),
        ("!wandb login secret", "!wandb …"),
        ("!TOKEN=secret run", "!TOKEN …"),
        ("!nvidia-smi", "!nvidia-smi"),
        ("lines = !curl -H secret", "lines = !curl …"),
        ("%env TOKEN=secret", "%env …"),
        ("%%bash secret\nsecret", "%%bash …"),
        ("%env TOKEN='secret'", "%env …"),
        ("login secret = !run", "login …"),
        ("pip install git+https://secret@github.com/o/r", "pip …"),
        (",login secret", ",login …"),
        (";login secret", ";login …"),
        ("/login secret", "/login …"),
        ("?login", "?login"),
        ("login??", "login??"),
        ("x = f?", "x …"),
        ("PIN = 4711secret", "PIN …"),
        ("print 'a' secret", "print …"),
        ("f(" * 3000 + "secret", "f …"),
        ("x = 'a\0b'\0secret", "x …"),
        ("", ""),
    ],
)
def test_a_title_holds_no_secret(code: str, title: str) -> None:
    assert describe_code(code) == title


@pytest.mark.parametrize(
    "line",
    [
        "for x in y:",
        "async for x in y:",
        "with a() as b, c:",
        "with (",
        "if (a and",
        "if a: f()",
        "class A(B):",
        "class A(",
        "async def f(x: int = 3) -> None:",
        "def f(",
        "try:",
        "match x:",
        "@decorator(3)",
        "x = await f(1)",
        "model = Model(3, layers=[4,",
        "model = Model(width=",
        "from a import (",
        "x = 1 + \\",
        "x = {3:",
        "a.b[3] |= c != d % 7",
        "%pip",
    ],
)
def test_the_title_of_python_is_its_first_line(line: str) -> None:
    assert describe_code(f"{line}\n    rest") == line
