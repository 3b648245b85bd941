"""A traceback of an error of ours ends at the user's call: it shows one frame of this package, the last."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import primepods_magic
from primepods_magic import (
    Client,
    Limits,
    Pod,
    Settings,
    connect,
    costs,
    get_pod,
    launch,
    launch_many,
    list_offers,
    list_pods,
)
from primepods_magic.api.errors import PodsError
from primepods_magic.pods.connection.connection import Connection

PACKAGE = Path(primepods_magic.__file__).parent


def list_frames(error: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def is_ours(frame: FrameType) -> bool:
    return Path(frame.f_code.co_filename).is_relative_to(PACKAGE)


def catch(call: Callable[[], object], kind: type[Exception] = PodsError) -> Exception:
    with pytest.raises(kind) as caught:
        call()
    return caught.value


def wait_in_async_code(pod: Pod) -> None:
    async def wait() -> None:
        await pod.wait_async("ready", timeout_s=-1)

    asyncio.run(wait())


CALLS: dict[str, Callable[[Pod], object]] = {
    "launch": lambda pod: launch(gpu="L4_24GB", gpu_count="two"),
    "a name in use": lambda pod: launch(gpu="H100_80GB", name=pod.name),
    "launch_many": lambda pod: launch_many([{"gpu": "L4_24GB", "pods": "many"}]),
    "connect": lambda pod: connect(sandbox=True, live=True),
    "get_pod": lambda pod: get_pod("nobody"),
    "list_pods": lambda pod: list_pods(statuses=["ACTIV"]),
    "list_offers": lambda pod: list_offers(max_price="free"),
    "read_ledger": lambda pod: costs.read_ledger(connection=3),  # type: ignore[arg-type]
    "wait": lambda pod: pod.wait(timeout=-1),
    "wait_async": wait_in_async_code,
    "refresh": lambda pod: Pod(pod.connection, pod.details.model_copy(update={"id": "none"})).refresh(),
    "logs": lambda pod: pod.logs(tail=-1),
    "terminate": lambda pod: Pod(pod.connection, pod.details.model_copy(update={"id": None})).terminate(),
    "limits": lambda pod: Limits(max_price_usd_hr=-1),
    "settings": lambda pod: Settings("ftp://pods.test"),
    "client": lambda pod: pod.connection.client.get_pod("none"),
}


@pytest.fixture
def pod(connection: Connection) -> Pod:
    return launch(gpu="L4_24GB", name="train")


@pytest.mark.parametrize("name", CALLS)
def test_a_traceback_ends_at_the_call(pod: Pod, name: str) -> None:
    error = catch(lambda: CALLS[name](pod))
    *callers, last = map(is_ours, list_frames(error))
    assert (any(callers), last) == (False, True)
    assert error.__context__ is error.__cause__ is None


def test_a_frame_of_ours_holds_no_argument(pod: Pod) -> None:
    error = catch(lambda: launch(gpu="L4_24GB", gpu_count="two", jupyter_password="hunter2"))
    assert "hunter2" not in repr([frame.f_locals for frame in list_frames(error) if is_ours(frame)])


def test_the_error_that_a_caller_was_handling_stays(pod: Pod) -> None:
    def look_up() -> None:
        try:
            raise KeyError("theirs")
        except KeyError:
            get_pod("nobody")

    error = catch(look_up)
    assert isinstance(error.__context__, KeyError)
    assert "theirs" in "".join(traceback.format_exception(error))


def test_the_variable_keeps_all_frames(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMEPODS_DEBUG", "1")
    error = catch(lambda: launch(gpu="L4_24GB", gpu_count="two"))
    assert sum(map(is_ours, list_frames(error))) > 2
    assert "spec_from_mapping" in "\n".join(error._render_traceback_())  # type: ignore[attr-defined]


def test_errors_of_others_keep_all_frames(pod: Pod) -> None:
    error = catch(lambda: launch_many({"gpu": 1 / part} for part in [0]), ZeroDivisionError)
    assert sum(map(is_ours, list_frames(error))) > 2


def test_a_magic_shows_its_frames_only_if_asked(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PodsError) as caught:
        shell.run("%pods show nobody")
    assert len(shell.output.error.splitlines()) == 1
    assert len([frame for frame in list_frames(caught.value) if is_ours(frame)]) == 1
    monkeypatch.setenv("PRIMEPODS_DEBUG", "1")
    with pytest.raises(PodsError):
        shell.run("%pods show nobody")
    assert "find_pod" in shell.output.error


def _list_public() -> dict[str, Callable[..., Any]]:
    functions = {name: getattr(primepods_magic, name) for name in primepods_magic.__all__}
    named = {name: each for name, each in functions.items() if inspect.isfunction(each)}
    for kind in (Pod, Client):
        methods = vars(kind).items()
        named |= {f"{kind.__name__}.{name}": each for name, each in methods if inspect.isfunction(each)}
    return named


def test_every_public_function_shortens_its_tracebacks() -> None:
    private = {name for name in _list_public() if name.rpartition(".")[2].startswith("_")}
    is_shell = {"load_ipython_extension", "unload_ipython_extension"}
    wrapped = {name for name, each in _list_public().items() if hasattr(each, "__wrapped__")}
    assert set(_list_public()) - private - is_shell <= wrapped
