"""`Pod.put`, `Pod.get` and `Pod.sync`, and their awaitable variants."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.files import streams
from tests.support.waiting import eventually


def test_files_go_both_ways(agent_pod: Pod, here: Path, there: Path) -> None:
    (here / "a").write_text("a")
    (here / "b").write_text("b")
    seen: list[tuple[int, int]] = []
    result = agent_pod.put(["a", Path("b")], str(there), on_progress=lambda *now: seen.append(now))
    assert (result.count_actions(), seen[-1]) == ({"sent": 2}, (2, 2))
    assert agent_pod.put("a", str(there)).count_actions() == {"unchanged": 1}
    assert agent_pod.get(str(there), "got").count_actions() == {"fetched": 2}
    assert agent_pod.sync("got/there", str(there), dry_run=True).count_actions() == {"unchanged": 2}
    assert repr(result).startswith("TransferResult(pod='train', sent_bytes=2, seconds=")


def test_they_can_be_awaited(agent_pod: Pod, here: Path, there: Path) -> None:
    (here / "a").write_text("a")

    async def transfer() -> list[dict[str, int]]:
        put = agent_pod.put_async("a", str(there))
        ticks = 0
        task = asyncio.ensure_future(put)
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.001)
        assert ticks > 1
        results = [
            await task,
            await agent_pod.get_async(str(there / "a"), "got/"),
            await agent_pod.sync_async("got", str(there)),
        ]
        return [result.count_actions() for result in results]

    assert asyncio.run(transfer()) == [{"sent": 1}, {"fetched": 1}, {"unchanged": 1}]


def test_cancelling_one_ends_it(
    agent_pod: Pod, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "big").write_bytes(os.urandom(30_000_000))
    begun = asyncio.Event()
    note_done = streams.StreamWatch.note_done

    def note_begun(watch: streams.StreamWatch, done_bytes: int) -> None:
        loop.call_soon_threadsafe(begun.set)
        note_done(watch, done_bytes)

    async def transfer() -> None:
        task = asyncio.ensure_future(agent_pod.put_async("big", str(there)))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    monkeypatch.setattr(streams.StreamWatch, "note_done", note_begun)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(transfer())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    eventually(lambda: [path.name for path in there.iterdir()] in ([], [".big.primepods-part"]), "ended")


def test_errors_of_this_computer_are_ours(agent_pod: Pod, here: Path) -> None:
    (here / "dangling").symlink_to("nowhere")
    with pytest.raises(PodsError, match=r"Cannot use '.*nowhere' here \(No such file or directory\)"):
        agent_pod.put("dangling")
    with pytest.raises(InvalidRequest, match="No file was named"):
        agent_pod.put([])
