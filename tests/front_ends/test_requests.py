"""What a kernel sends to a front end depends on the request: replays of what each front end sends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from tests.support.sandbox_control import SandboxControl

WIDGET = "application/vnd.jupyter.widget-view+json"
CONNECT = "%load_ext primepods_magic\n%pods connect --sandbox"
CREATE = "%%pod_create --wait\nname: train\ngpu: L4_24GB"


class Replay:
    """A front end on a kernel of its own; `run` returns the messages of a cell, in their order."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def run(self, code: str, *, cell: str | None = None, asks: bool = True) -> list[dict[str, Any]]:
        """Run code as a notebook's cell, or as a console that names none."""
        self._client.session.metadata = {} if cell is None else {"cellId": cell}
        heard: list[dict[str, Any]] = []
        reply = self._client.execute_interactive(code, allow_stdin=asks, timeout=60, output_hook=heard.append)
        assert reply["content"]["status"] == "ok", heard
        return heard


@pytest.fixture
def replay(sandbox: SandboxControl, request: pytest.FixtureRequest) -> Iterator[Replay]:
    environment = {**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url, **getattr(request, "param", {})}
    manager, client = start_new_kernel(env=environment, extra_arguments=["--log-level=ERROR"])
    try:
        yield Replay(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
        manager.cleanup_resources()


def kinds(messages: list[dict[str, Any]]) -> set[str]:
    return {message["msg_type"] for message in messages} - {"status", "execute_input"}


def text(messages: list[dict[str, Any]]) -> str:
    return "".join(message["content"].get("text", "") for message in messages)


def has_widget(messages: list[dict[str, Any]]) -> bool:
    return any(WIDGET in message["content"].get("data", {}) for message in messages)


def test_a_console_gets_lines_that_it_never_has_to_change(replay: Replay) -> None:
    """jupyter console, qtconsole and euporie: a message about a widget is noise, an update is not drawn."""
    replay.run(CONNECT)
    created = replay.run(CREATE)
    watched = replay.run("%pods watch")
    launcher = replay.run("%pods launcher")
    assert kinds(created) == {"stream", "execute_result"}
    lines = text(created).splitlines()
    assert "train  provisioning" in lines
    assert any(line.startswith("train  installing 4") for line in lines)
    assert lines[-1].startswith("train  ready  ssh root@")
    assert kinds(watched) == kinds(launcher) == {"stream"}
    assert text(watched).startswith("train  ready")
    assert "run '%config PodsMagics.display = \"widgets\"'" in text(launcher)

    # The same kernel, attached to from a notebook, and from a console whose person knows better.
    assert has_widget(replay.run("%pods watch", cell="one"))
    assert has_widget(replay.run("%config PodsMagics.display = 'widgets'\n%pods watch"))
    assert not has_widget(replay.run("%config PodsMagics.display = 'text'\n%pods watch", cell="one"))


@pytest.mark.parametrize("replay", [{"SERVER_SOFTWARE": "voila/0.5.13"}], indirect=True)
def test_voila_gets_widgets_though_no_one_can_answer_a_question(replay: Replay) -> None:
    replay.run(CONNECT, asks=False)
    assert has_widget(replay.run("%pods launcher", asks=False))
    assert has_widget(replay.run("%%pod_create\nname: train\ngpu: L4_24GB", asks=False))
