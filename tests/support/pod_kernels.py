"""A pod of a sandbox in the kernel picker, and clients of its kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from primepods_magic import connect, launch
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import disconnect
from primepods_magic.remote.kernels.specs import KernelSpec, write_kernel_spec
from tests.support.environment import clean_environment, is_inherited
from tests.support.sandbox_control import SandboxControl, control, controlled

TIMEOUT_S = 30


@dataclass(frozen=True)
class PodInPicker:
    """A ready pod with a kernel spec, and the environment in which both are found."""

    machines: SandboxControl
    connection: Connection
    pod: PodDetails
    spec: KernelSpec
    environment: Mapping[str, str]

    def cut(self) -> None:
        """Cut every connection to its machine."""
        self._change_machine(cut=True)

    def _change_machine(self, **change: object) -> None:
        path = f"/sandbox/pods/{self.pod.id}/machine"
        self.machines.api.put(path, json=change).raise_for_status()

    @contextmanager
    def kernel(self, name: str | None = None, **arguments: Any) -> Iterator[KernelUse]:
        """Start its kernel as a front end does, and end it."""
        with pytest.MonkeyPatch.context() as patch:
            put_environment(patch, self.environment)
            manager = KernelManager(kernel_name=name or self.spec.name)
            manager.start_kernel(env=dict(self.environment), **arguments)
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=TIMEOUT_S)
            yield KernelUse(manager, client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
            manager.cleanup_resources()


@dataclass
class Ran:
    """What a cell gave."""

    reply: dict[str, Any]
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that its streams, results and errors say."""
        parts = []
        for message in self.messages:
            content = message["content"]
            if message["msg_type"] == "stream":
                parts.append(content["text"])
            elif message["msg_type"] in ("display_data", "execute_result", "update_display_data"):
                parts.append(content["data"].get("text/plain", "") + "\n")
            elif message["msg_type"] == "error":
                parts.append("\n".join(content["traceback"]) + "\n")
        return "".join(parts)

    @property
    def printed(self) -> str:
        """What it printed to stdout."""
        streams = self.of_type("stream")
        return "".join(content["text"] for content in streams if content["name"] == "stdout")

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [message["content"] for message in self.messages if message["msg_type"] == kind]


@dataclass(frozen=True)
class KernelUse:
    """A kernel and a client of it."""

    manager: KernelManager
    client: BlockingKernelClient

    def run(
        self,
        code: str,
        *,
        allow_stdin: bool = False,
        answer: str | None = None,
        on_message: Callable[[dict[str, Any]], object] = lambda _: None,
        timeout_s: float = TIMEOUT_S,
        **options: Any,
    ) -> Ran:
        """Run a cell to its end."""
        ran = Ran({})

        def note(message: dict[str, Any]) -> None:
            ran.messages.append(message)
            on_message(message)

        ran.reply = self.client.execute_interactive(
            code,
            allow_stdin=allow_stdin,
            stdin_hook=lambda _: self.client.input(answer or ""),
            output_hook=note,
            timeout=timeout_s,
            **options,
        )["content"]
        return ran

    def send(self, kind: str, content: dict[str, Any], *, channel: str = "shell") -> str:
        """Send any request; return its id."""
        message = self.client.session.msg(kind, content)
        getattr(self.client, f"{channel}_channel").send(message)
        return str(message["header"]["msg_id"])

    def await_reply(self, msg_id: str) -> dict[str, Any]:
        """Return the reply to a request; others, such as those of the start, are left out."""
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == msg_id:
                return dict(reply["content"])

    def collect_output(self, msg_id: str, until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Collect the published messages of a request, to the first that is wanted."""
        found: list[dict[str, Any]] = []
        give_up = time.monotonic() + TIMEOUT_S
        while time.monotonic() < give_up:
            with suppress(Empty):
                message = self.client.get_iopub_msg(timeout=1)
                if message["parent_header"].get("msg_id") == msg_id:
                    found.append(message)
                    if until(message):
                        return found
        raise AssertionError(f"it does not come: {[message['msg_type'] for message in found]}")


def put_environment(patch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """Make this process have an environment."""
    for name in filter(is_inherited, list(os.environ)):
        if name != "PYTEST_CURRENT_TEST":
            patch.delenv(name)
    for name, value in environment.items():
        patch.setenv(name, value)


@contextmanager
def _sandbox_apart() -> Iterator[SandboxControl]:
    command = [sys.executable, "-m", "primepods_magic.sandbox", "--machines", "--clock", "stepped"]
    with subprocess.Popen([*command, "--history", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            with control(process.stdout.readline().split()[-1]) as machines:
                yield machines
        finally:
            process.terminate()


@contextmanager
def pod_in_picker(
    folder: Path, *, options: tuple[str, ...] = (), is_apart: bool = False
) -> Iterator[PodInPicker]:
    """Run a sandbox with a pod that one can log in to, and put it into the picker of a home of its own.

    `is_apart` runs the sandbox in a process of its own, as figures need it.
    """
    with (
        _sandbox_apart() if is_apart else controlled(clock="stepped", machines=True, history=0) as machines,
        pytest.MonkeyPatch.context() as patch,
    ):
        environment = clean_environment(folder, PRIMEPODS_SANDBOX_URL=machines.url, TZ="UTC")
        put_environment(patch, environment)
        connection = connect(sandbox=True)
        try:
            started = launch(gpu="L4_24GB", name="train", tell=lambda _: None)
            machines.advance(120)
            pod = connection.client.get_pod(started.id)
            spec = write_kernel_spec(connection, pod, options=options)
            yield PodInPicker(machines, connection, pod, spec, environment)
        finally:
            disconnect()
