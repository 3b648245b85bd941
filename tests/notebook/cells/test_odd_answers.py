"""Tab and Shift+Tab in a cell of a pod that answers oddly: nothing is found, and there is a reply."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from primepods_magic.notebook.cells.pod_kernel import answer_pod_cells
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.links import close_links, note_last_pod, open_link
from tests.pods.conftest import connection as connection
from tests.remote.conftest import describe_pod, pin_host
from tests.support.chatty_ssh import chatty_server
from tests.support.hostile_agent import pack


class Kernel:
    """What the replies of a kernel go through."""

    def do_inspect(self, code: str, cursor_pos: int) -> Any:
        raise AssertionError("it is a cell of a pod")

    do_complete = do_inspect


@pytest.fixture
def answers(connection: Connection) -> Iterator[dict[str, Any]]:
    """What the pod of the last cell answers."""
    answer: dict[str, Any] = {}

    async def serve(process: Any, ssh: Any) -> None:
        cookie = (await process.stdin.readline()).rpartition(b"#")[2].strip()
        process.stdout.write(b"\n" + cookie + b" ready 3.11\n")
        while True:
            size = struct.unpack(">I", await process.stdin.readexactly(4))[0]
            header = json.loads(await process.stdin.readexactly(size))
            process.stdout.write(pack({"type": "reply", "id": header.get("id", ""), **answer}))

    with chatty_server(serve) as server:
        pin_host(server.host_key)
        pod = describe_pod(server.target)
        note_last_pod(connection, pod)
        assert open_link(connection, pod).connected.wait(10)
        yield answer
        close_links(connection)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"failed": "x"},
        {"content": None},
        {"content": [1]},
        {"content": {"cursor_start": 0, "matches": None}},
        {"content": {"cursor_start": 0, "matches": 7}},
        {"content": {"cursor_start": "0", "matches": []}},
        {"content": {"found": "yes", "data": None, "metadata": [1]}},
        {"content": {"found": None, "status": "error", "surplus": 1}},
    ],
)
def test_an_odd_answer_finds_nothing(answers: dict[str, Any], answer: dict[str, Any]) -> None:
    answers.update(answer)
    kernel = Kernel()
    answer_pod_cells(kernel)
    code = "%%pod --session a/b\nfoo.b"
    nothing = {"status": "ok", "found": False, "data": {}, "metadata": {}}
    assert kernel.do_inspect(code, len(code)) == nothing
    assert kernel.do_complete(code, len(code))["matches"] == []


def test_a_good_answer_is_passed_on(answers: dict[str, Any]) -> None:
    data = {"text/plain": "text"}
    answers["content"] = {"cursor_start": 4, "matches": ["bar", 7], "found": True, "data": data}
    kernel = Kernel()
    answer_pod_cells(kernel)
    code = "%%pod\nfoo.b"
    assert kernel.do_inspect(code, len(code))["data"] == data
    completed = kernel.do_complete(code, len(code))
    assert (completed["matches"], completed["cursor_start"]) == (["bar"], len(code) - 1)
