"""Variables that are sent to a session of a pod and fetched from it, over a real OpenSSH server."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primepods_magic.api.errors import InvalidRequest, PodsError, RemoteError, RemoteNameError
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.support import progress
from primepods_magic.remote.job import start_job
from primepods_magic.remote.job_list import list_jobs
from primepods_magic.remote.links import close_links, open_link
from primepods_magic.remote.values import transfer
from primepods_magic.remote.values.calls import await_answer, make_call
from primepods_magic.remote.values.remote_value import RemoteValue
from tests.support.agents import kill_marked, make_mark
from tests.support.waiting import eventually


@dataclass
class Point:
    x: int


def find_files(pod_folder: Path) -> list[Path]:
    return list((pod_folder / "home/.primepods/values").glob("*"))


def run_output(pod: Pod, code: str, session: str = "main") -> str:
    job = pod.run(code, session=session, again=True)
    job.result(60)
    return job.output


def test_values_go_and_come(agent_pod: Pod, pod_folder: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    agent_pod.push({"a": [1, 2]}, b={"x": 2.5}, array=np.arange(6).reshape(2, 3).T, frame=frame)
    agent_pod.run("c = [a, b]; a.append(3); array[0, 0] = 7; frame['c'] = 5").result(60)
    c, a, array, changed = agent_pod.pull("c", "a", "array", "frame")
    assert (c, a) == ([[1, 2, 3], {"x": 2.5}], [1, 2, 3])
    assert array.tolist() == [[7, 3], [1, 4], [2, 5]]
    array[0, 0] = 8
    pd.testing.assert_frame_equal(changed, frame.assign(c=5))
    assert find_files(pod_folder) == []


def test_a_session_shows_no_trace_of_it(agent_pod: Pod) -> None:
    state = "({*globals()}, len(In), len(Out), get_ipython().execution_count, _)"
    agent_pod.run("x = 5; y = 6; before = None; 40 + 2").result(60)
    agent_pod.run(f"before = {state}").result(60)
    agent_pod.push(x=7)
    assert agent_pod.pull("y") == 6
    code = f"now = {state}\nprint({{*now[0]}} - before[0], [b - a for a, b in zip(before[1:], now[1:])])"
    names, numbers = run_output(agent_pod, code).split("} ")
    # What a cell adds.
    assert re.fullmatch(r"\{'_i\d+'", names)
    assert numbers == "[1, 0, 1, 0]\n"
    assert all(job.title for job in list_jobs(agent_pod.connection, [agent_pod.details]))
    assert "namespace" not in run_output(agent_pod, "%history -n -l 3")


def test_it_is_not_counted_as_use_of_the_pod(agent_pod: Pod) -> None:
    agent_pod.run("1").result(60)
    ended = time.monotonic()
    time.sleep(0.2)
    agent_pod.push(z=1)
    idle_s = time.monotonic() - ended
    end = agent_pod.run("z", again=True).result(60)
    assert end.idle_s is not None
    assert end.idle_s >= idle_s - 0.1


def test_it_waits_for_the_cells_before_it(agent_pod: Pod, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    agent_pod.run("order = []").result(60)
    first = agent_pod.run(f"{wait}order.append(1)")
    link = open_link(agent_pod.connection, agent_pod.details)
    outgoing = transfer.prepare_values({"sent": 2})
    terms = transfer.Terms()
    put, get = transfer.send_values(link, "main", outgoing, terms), transfer.make_get_call(["order"])
    second, _ = start_job(
        agent_pod.connection, agent_pod.details, "order.append(sent)", before=[put], after=[get]
    )
    third = agent_pod.run("order.append(3)")
    notes: list[str] = []
    gate.touch()
    await_answer(link, put["id"], notes.append)
    answer = await_answer(link, get["id"])
    for job in (first, second, third):
        assert job.result(60).state == "ok"
    assert transfer.take_values(link, "main", ["order"], answer, terms) == {"order": [1, 2]}
    assert agent_pod.pull("order") == [1, 2, 3]
    assert notes == [f"Waiting for job {first.id} in the same session: import os, time"]


def test_a_cell_whose_values_did_not_come_is_not_run(agent_pod: Pod, tmp_path: Path) -> None:
    link = open_link(agent_pod.connection, agent_pod.details)
    put = make_call("put", path=str(tmp_path / "not there"))
    job, _ = start_job(agent_pod.connection, agent_pod.details, "ran = True", before=[put])
    with pytest.raises(PodsError, match="'train' could not do it: FileNotFoundError"):
        await_answer(link, put["id"])
    with pytest.raises(RemoteError, match="Cancelled"):
        job.result(30)
    with pytest.raises(RemoteNameError):
        agent_pod.pull("ran")


def test_nothing_is_fetched_after_a_cell_that_failed(agent_pod: Pod) -> None:
    link = open_link(agent_pod.connection, agent_pod.details)
    get = transfer.make_get_call(["order"])
    job, _ = start_job(agent_pod.connection, agent_pod.details, "1 / 0", after=[get])
    with pytest.raises(RemoteError, match="ZeroDivisionError"):
        job.result(60)
    with pytest.raises(PodsError, match="It was cancelled on 'train'"):
        await_answer(link, get["id"])


def test_all_variables_are_set_or_none(agent_pod: Pod) -> None:
    agent_pod.push(one=1, two=2)
    link = open_link(agent_pod.connection, agent_pod.details)
    outgoing = transfer.prepare_values({"one": "new", "three": 3})
    broken = {"name": "broken", "text": "def broken(x=missing_there): pass\n"}
    outgoing.needed.code.append({**broken, "places": [], "held": [], "uses": [], "futures": []})
    with pytest.raises(PodsError, match="defining broken raises NameError"):
        transfer.push_values(link, "main", outgoing, transfer.Terms())
    assert agent_pod.pull("one", "two") == (1, 2)
    with pytest.raises(RemoteNameError):
        agent_pod.pull("three")


def test_a_name_that_is_not_there_is_named_with_the_nearest(agent_pod: Pod) -> None:
    agent_pod.push(losses=[1.0])
    with pytest.raises(RemoteNameError) as caught:
        agent_pod.pull("lossess")
    assert str(caught.value) == (
        "There is no variable 'lossess' (did you mean 'losses'?) on 'train'. Nothing was fetched"
    )
    assert (caught.value.names, caught.value.ename) == (("lossess",), "NameError")
    # What a kernel has of its own is not meant.
    with pytest.raises(RemoteNameError, match="There is no variable 'opem' on 'train'"):
        agent_pod.pull("opem")


def test_what_cannot_be_sent_stays_and_its_parts_can_be_fetched(agent_pod: Pod) -> None:
    agent_pod.run(
        "class Net:\n"
        "    def __init__(self): self.weights = {'w': [1.5]}; self.shape = (2, 3); self.nbytes = 24_000\n"
        "    def state(self): return self.weights\n"
        "    def __repr__(self): return 'Net of \\x1b[31m' + '2 layers ' * 100\n"
        "model = Net(); models = [model]"
    ).result(60)
    model, one = agent_pod.pull("model", "losses")
    assert one == [1.0]
    assert isinstance(model, RemoteValue)
    assert (model.type, model.shape, model.size_bytes) == ("__main__.Net", (2, 3), 24_000)
    assert model.reason == "model is of the type __main__.Net, which cannot be sent"
    assert repr(model).startswith("<'model' on 'train': Net · 2×3 · 24 kB · Net of ")
    assert "\x1b" not in repr(model)
    assert model.fetch(".state()") == model.fetch("weights") == {"w": [1.5]}
    assert model.fetch(".weights['w'][0]") == agent_pod.pull("models[0].weights['w'][-1]") == 1.5
    assert isinstance(model.fetch(".state"), RemoteValue)
    with pytest.raises(PodsError, match=r"model\.nothing raises AttributeError"):
        model.fetch(".nothing")
    for part in ("['a' + 'b']", ".x; y", "[x]", "(1)", ".__class__("):
        with pytest.raises(InvalidRequest, match="does not name a part"):
            model.fetch(part)


def test_an_ordered_dict_of_arrays_keeps_its_order(agent_pod: Pod) -> None:
    agent_pod.push(state=OrderedDict(b=np.float32(1), a=np.array([2], dtype="f2")))
    back = agent_pod.pull("state")
    assert list(back) == ["b", "a"]
    assert (back["b"].dtype, back["a"].dtype) == (np.float32, np.float16)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"f": run_output}, "'f' is of 'tests.*', a module of your project: send its file with '%pods put'"),
        ({"x": {"a": [object()]}}, r"x\['a'\]\[0\] is of the type object, which cannot be sent"),
        ({"x": [[1]] * 2}, r"x\[1\] is the same list as x\[0\]. Send it once, or a copy"),
        ({"x": pd.arrays.SparseArray([0, 1])}, r"has the dtype Sparse\[int64, 0\], which cannot be sent"),
        ({"class": 1}, "'class' is not a name of a variable"),
        ({"In": 1}, "'In' is a name that every notebook has of its own"),
        ({"__builtins__": 1}, "'__builtins__' is not a name of a variable"),
        ({"api_key": "abc"}, "api_key may hold a secret.*nothing was sent. Pass yes=True"),
        ({"x": ["hf_" + "a" * 34]}, r"x \('hf_…'\) may hold a secret"),
        (
            {"big": np.zeros(100_000_001, "u1")},
            "big has 100 MB. That was not confirmed, and nothing was sent",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_sent_is_said(
    agent_pod: Pod, pod_folder: Path, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        agent_pod.push(**values)
    assert find_files(pod_folder) == []


def test_what_was_not_searched_for_secrets_is_asked_about(agent_pod: Pod) -> None:
    outgoing = transfer.prepare_values({"x": 1})
    outgoing.unsearched.append("x")
    link = open_link(agent_pod.connection, agent_pod.details)
    with pytest.raises(
        InvalidRequest, match=r"not all of x was searched for secrets. That was not confirmed"
    ):
        transfer.send_values(link, "main", outgoing, transfer.Terms())


def test_what_is_not_the_same_there_is_said(agent_pod: Pod) -> None:
    with pytest.warns(UserWarning, match="point is a dict there, not a Point"):
        agent_pod.push(point=Point(1))
    assert agent_pod.pull("point") == {"x": 1}


def test_a_list_that_contains_itself_is_refused(agent_pod: Pod) -> None:
    value: list[Any] = [1]
    value.append(value)
    with pytest.raises(InvalidRequest, match=r"x\[1\] is the same list as x\."):
        agent_pod.push(x=value)


def test_more_than_100_mb_are_fetched_only_if_confirmed(agent_pod: Pod, pod_folder: Path) -> None:
    agent_pod.push(config={"api_key": "abc"}, yes=True)
    agent_pod.run("big = bytes(100_000_001)").result(60)
    with pytest.raises(
        InvalidRequest, match=r"big has 100 MB on 'train'.*nothing was fetched. Pass yes=True"
    ):
        agent_pod.pull("big")
    assert find_files(pod_folder) == []


def test_a_package_that_is_missing_there_is_said_before_anything_is_sent(
    agent_pod: Pod, pod_folder: Path
) -> None:
    agent_pod.run(
        "import importlib.metadata, importlib.util, sys\n"
        "def version(name): raise importlib.metadata.PackageNotFoundError(name)\n"
        "importlib.metadata.version = version; importlib.util.find_spec = lambda name: None\n"
        "for name in [name for name in sys.modules if name.split('.')[0] in ('numpy', 'pandas')]:\n"
        "    del sys.modules[name]",
        session="bare",
    ).result(60)
    with pytest.raises(InvalidRequest, match=r"'train' has no numpy, which x\[0\] needs. Nothing was sent"):
        agent_pod.push(x=[np.arange(3)], session="bare")
    assert find_files(pod_folder) == []
    agent_pod.push(x=[1], session="bare")
    assert agent_pod.pull("x", session="bare") == [1]


def test_a_kernel_that_dies_meanwhile_is_said(agent_pod: Pod) -> None:
    agent_pod.run(
        "class Deadly:\n    def __repr__(self): import os; os._exit(1)\nvalue = Deadly()", session="mortal"
    ).result(60)
    with pytest.raises(PodsError, match="The kernel on 'train' ended meanwhile"):
        agent_pod.pull("value", session="mortal")


def test_a_call_that_hangs_can_be_interrupted(agent_pod: Pod, tmp_path: Path) -> None:
    mark = tmp_path / "begun"
    agent_pod.run(
        "class Endless:\n    def __repr__(self):\n        import pathlib, time\n"
        f"        pathlib.Path({str(mark)!r}).touch()\n        time.sleep(600)\nendless = Endless()"
    ).result(60)
    link = open_link(agent_pod.connection, agent_pod.details)
    get = transfer.make_get_call(["endless"])
    link.request("run", session="main", again=True, **get)
    eventually(mark.exists, "it hangs")
    assert link.ask("interrupt", job=get["id"])["state"] == "running"
    with pytest.raises(PodsError, match="'train' could not do it: KeyboardInterrupt"):
        await_answer(link, get["id"])
    assert run_output(agent_pod, "6 * 7") == "42\n"


def test_they_wait_for_their_turn_also_if_the_agent_is_killed(
    agent_pod: Pod, pod_folder: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    agent_pod.run(f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)")
    link = open_link(agent_pod.connection, agent_pod.details)
    put = transfer.send_values(link, "main", transfer.prepare_values({"sent": 5}), transfer.Terms())
    get = transfer.make_get_call(["made"])
    job, _ = start_job(agent_pod.connection, agent_pod.details, "made = sent * 2", before=[put], after=[get])
    kill_marked(make_mark(pod_folder), "agent.pyz", "serve")
    gate.touch()
    await_answer(link, put["id"])
    assert job.result(60).state == "ok"
    answer = await_answer(link, get["id"])
    assert transfer.take_values(link, "main", ["made"], answer, transfer.Terms()) == {"made": 10}


def test_it_goes_on_after_the_connection_was_lost(agent_pod: Pod) -> None:
    agent_pod.push(kept=1)
    close_links(agent_pod.connection)
    assert agent_pod.pull("kept") == 1


def test_hidden_jobs_are_forgotten(agent_pod: Pod, pod_folder: Path) -> None:
    for number in range(60):
        agent_pod.push(number=number)
    folders = list((pod_folder / "home/.primepods").glob("*/sessions/main/*/job.json"))
    hidden = [path for path in folders if '"hidden": true' in path.read_text()]
    assert 0 < len(hidden) <= 51
    eventually(lambda: agent_pod.pull("number") == 59, "the last one counts")


def test_how_far_they_are_is_reported_or_shown(agent_pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, list[tuple[int, int]]] = {}

    @contextmanager
    def open_bar(doing: str) -> Iterator[progress.OnProgress]:
        shown[doing] = []
        yield lambda *now: shown[doing].append(now)

    monkeypatch.setattr(progress, "_open_bar", open_bar)
    agent_pod.push(data=bytes(3_000_000), more=1)
    agent_pod.pull("data", "more")
    agent_pod.run("class Kept: part = data\nkept = Kept()").result(60)
    agent_pod.pull("kept").fetch(".part")
    assert list(shown) == ["Sending data, more", "Fetching data, more", "Fetching kept", "Fetching kept.part"]
    for doing in ("Sending data, more", "Fetching data, more", "Fetching kept.part"):
        assert shown[doing][-1][0] == shown[doing][-1][1] > 3_000_000
    shown.clear()
    seen: list[tuple[int, int]] = []
    agent_pod.push(data=bytes(50_000), on_progress=lambda *now: seen.append(now))
    assert agent_pod.pull("data", on_progress=lambda *now: seen.append(now)) == bytes(50_000)
    assert {total for _, total in seen if total} == {total for done, total in seen if done == total}
    assert not shown


def test_they_can_be_awaited(agent_pod: Pod) -> None:
    async def transfer() -> tuple[int, Any]:
        task = asyncio.ensure_future(agent_pod.push_async({"a": 1}, b=[2]))
        ticks = 0
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.001)
        await task
        return ticks, await agent_pod.pull_async("a", "b")

    ticks, values = asyncio.run(transfer())
    assert ticks > 1
    assert values == (1, [2])
    with pytest.raises(RemoteNameError):
        asyncio.run(agent_pod.pull_async("never"))


def test_cancelling_one_that_waits_changes_no_variable(
    agent_pod: Pod, pod_folder: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    agent_pod.push(changed=1)
    busy = agent_pod.run(f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)")

    async def cancel_both() -> None:
        tasks = [
            asyncio.ensure_future(agent_pod.push_async(changed=2)),
            asyncio.ensure_future(agent_pod.pull_async("changed")),
        ]
        while not find_files(pod_folder):
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel_both())
    assert not busy.is_done
    gate.touch()
    assert agent_pod.pull("changed") == 1
    eventually(lambda: not find_files(pod_folder), "nothing is left")
