"""Much output: the journal keeps its beginning and its end, says what is missing, and memory stays flat."""

from __future__ import annotations

import os
import resource
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import RemoteError
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.pod import Pod
from primepods_magic.remote import agent_archive
from primepods_magic.remote.agent import journal
from primepods_magic.remote.agent.frames import read_frame
from primepods_magic.remote.agent.journal import Journal
from primepods_magic.remote.job import Job, JobFrames
from primepods_magic.remote.links import open_link
from tests.support.agents import alter_archive, find_marked, make_mark
from tests.support.memory import watch_memory
from tests.support.soak import SOAK, pick


def read_all(written: Journal, number: int = 0) -> list[dict[str, Any]]:
    headers = []
    while number < written.end:
        data, number = written.read(number, written.end)
        # Small frames that come together are read together.
        stream = BytesIO(data)
        while stream.tell() < len(data):
            headers.append(read_frame(stream)[0])
    return headers


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HEAD_BYTES", 2000)
    monkeypatch.setattr(journal, "TAIL_BYTES", 2000)
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 500)


def test_keeps_the_beginning_and_the_end(small_limits: None, tmp_path: Path) -> None:
    written = Journal(str(tmp_path / "j"), "job")
    for number in range(1000):
        written.append({"type": "stream", "text": str(number)})
    size = sum(path.stat().st_size for path in (tmp_path / "j").iterdir())
    written.close()
    assert 3500 < size < 5000
    headers = read_all(written)
    [gap] = [header for header in headers if header["type"] == "gap"]
    texts = [int(header["text"]) for header in headers if header["type"] == "stream"]
    assert texts == [*range(gap["n"]), *range(gap["n"] + gap["dropped"], 1000)]
    # A client that is in the gap is told of what it missed alone.
    assert read_all(written, gap["n"] + 5)[0]["dropped"] == gap["dropped"] - 5
    # The next agent reads the same; a frame that was not written to its end is not there.
    last = max((tmp_path / "j").iterdir())
    with last.open("ab") as file:
        file.write(b"\0\0\1\0{")
    assert read_all(Journal(str(tmp_path / "j"), "job")) == headers


def test_a_full_disk_loses_nothing(small_limits: None, tmp_path: Path) -> None:
    written = Journal(str(tmp_path / "j"), "job")
    written.append({"type": "stream", "text": "before"})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (written._kept_segments[0].size + 10, before[1]))
        for number in range(10):
            written.append({"type": "stream", "text": str(number)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    for number in range(10, 20):
        written.append({"type": "stream", "text": str(number)})
    written.close()
    assert [header["text"] for header in read_all(written)] == ["before", *map(str, range(20))]
    # An agent that starts later has what was written, and numbers go on behind what a client has seen.
    again = Journal(str(tmp_path / "j"), "job")
    again.skip_to(40)
    again.append({"type": "done"})
    again.close()
    assert [header["n"] for header in read_all(again, 40)] == [40]


def test_memory_stays_flat_and_the_gap_is_said(
    agent_pod: Pod,
    connection: Connection,
    pod_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    megabytes = pick(8, 100)
    if not SOAK:
        small = alter_archive("journal.py", "_BYTES = 16 << 20", "_BYTES = 1 << 20")
        monkeypatch.setattr(agent_archive, "build_archive", lambda: small)
    mark = make_mark(pod_folder)
    first = agent_pod.run("import os; print(os.getpid())")
    first.result(30)
    pids = {
        "client": os.getpid(),
        "kernel": int(first.output),
        "agent": find_marked(mark, "agent.pyz", "serve")[0],
        "host": find_marked(mark, "agent.pyz", "kernel", "main")[0],
    }
    line = "x" * 99
    began = time.monotonic()
    with watch_memory(pids) as grown:
        job = agent_pod.run(f"for n in range({megabytes * 10_000}): print('{line}')\nprint('end')")
        frames, received = JobFrames(open_link(connection, agent_pod.details), job.id), 0
        while (frame := frames.get(60)) is not None and frame[0]["type"] != "done":
            received += len(frame[0].get("content", {}).get("text", ""))
    seconds = time.monotonic() - began
    [folder] = (pod_folder / "home/.primepods").glob(f"*/sessions/main/{job.id}")
    size_mb = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{megabytes} MB in {seconds:.1f} s, {received / 1e6:.1f} MB shown live, {size_mb:.1f} MB kept")
    print("MB more than before:", {name: round(most) for name, most in grown.items()})
    assert frame
    assert frame[0]["state"] == "ok"
    assert size_mb < pick(7, 38)
    limit_mb = pick(20, 60)
    assert grown["client"] < limit_mb
    assert grown["agent"] < limit_mb
    # Later, the beginning and the end are there, and how much is missing.
    later = Job(open_link(connection, agent_pod.details), job.id, "main")
    later.result(60)
    assert later.output.startswith(line)
    assert later.output.endswith("end\n")
    assert "pieces of output were not kept" in later.output


@pytest.mark.parametrize("count", [1, 3])
def test_few_large_displays_end(agent_pod: Pod, count: int) -> None:
    code = (
        f"from IPython.display import HTML, display\nfor n in range({count}): display(HTML('x' * 12_000_000))"
    )
    assert agent_pod.run(code).result(60).state == "ok"
    assert agent_pod.run("1").result(30).state == "ok"


@pytest.mark.parametrize("size", [4_000_000, 9_000_000, 40_000_000])
def test_an_error_with_a_long_message_ends_the_cell_alone(agent_pod: Pod, size: int) -> None:
    assert agent_pod.run("kept = 1").result(30).state == "ok"
    with pytest.raises(RemoteError) as failed:
        agent_pod.run(f"raise ValueError('x' * {size} + 'end')").result(60)
    assert failed.value.ename == "ValueError"
    assert failed.value.evalue.endswith("end")
    assert agent_pod.run("kept").result(30).state == "ok"
