"""Ways to start the kernel on a pod and to end it: VS Code's, a Jupyter server's, and those that go wrong."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from tests.remote.test_agent_privacy import list_listeners, list_sockets
from tests.support.pod_kernels import TIMEOUT_S, KernelUse, PodInPicker
from tests.support.waiting import eventually


@contextmanager
def client_of(file: Path) -> Iterator[KernelUse]:
    """Be the client of a kernel, once it listens: a client without a manager believes its heartbeat alone."""
    port = json.loads(file.read_text())["hb_port"]

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(listens, "it listens", within=TIMEOUT_S)
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=TIMEOUT_S)
        yield KernelUse(None, client)  # type: ignore[arg-type]
    finally:
        client.stop_channels()


@contextmanager
def started_by_hand(picked: PodInPicker, folder: Path, *more: str) -> Iterator[tuple[Any, KernelUse]]:
    """Start the words of the spec with a connection file of one's own, as VS Code does."""
    file, _ = write_connection_file(str(folder / "vscode.json"), ip="127.0.0.1", key=b"a key of its own")
    contents = json.loads((picked.spec.folder / "kernel.json").read_text())
    words = [file if word == "{connection_file}" else word for word in contents["argv"]]
    environment = {**picked.environment, **contents["env"]}
    with subprocess.Popen([*words, *more], env=environment, cwd=folder, start_new_session=True) as process:
        try:
            with client_of(Path(file)) as kernel:
                yield process, kernel
        finally:
            process.terminate()
            process.wait(10)


def test_vs_codes_way(picked: PodInPicker, tmp_path: Path) -> None:
    with started_by_hand(picked, tmp_path) as (process, kernel):
        assert kernel.run("40 + 2").text == "42\n"
        assert kernel.client.hb_channel.is_beating()

        def interrupt(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                kernel.send("interrupt_request", {}, channel="control")

        ran = kernel.run("import time; print('begun'); time.sleep(60)", on_message=interrupt)
        assert ran.reply["ename"] == "KeyboardInterrupt"
        # It ends the process without a word of the protocol.
        kernel.run("stays = 5")
        process.kill()
        process.wait()
    with started_by_hand(picked, tmp_path) as (process, kernel):
        assert kernel.run("stays").text == "5\n"
        kernel.send("shutdown_request", {"restart": False}, channel="control")
        assert process.wait(20) == 0


def test_a_signal_interrupts_as_a_message_does(picked: PodInPicker, tmp_path: Path) -> None:
    with started_by_hand(picked, tmp_path) as (process, kernel):

        def interrupt(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                process.send_signal(signal.SIGINT)

        ran = kernel.run("import time; print('begun'); time.sleep(60)", on_message=interrupt)
        assert ran.reply["ename"] == "KeyboardInterrupt"


def test_it_listens_where_it_was_told_and_shows_no_key(picked: PodInPicker, tmp_path: Path) -> None:
    with started_by_hand(picked, tmp_path) as (process, kernel):
        kernel.run("1")
        ports = json.loads((tmp_path / "vscode.json").read_text())
        wanted = {value for name, value in ports.items() if name.endswith("_port")}
        ours = list_sockets(process.pid) & list_listeners()
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
        addresses = [row[1].split(":") for row in rows if row[9] in ours]
        # ipykernel has one more, for the output of forked processes.
        assert len({int(port, 16) for _, port in addresses} - wanted) <= 1
        assert {address for address, _ in addresses} == {"0100007F"}
        words = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
        assert "a key of its own" not in " ".join(words)
        kept = [
            path.read_bytes() for path in tmp_path.rglob("*") if path.name != "vscode.json" and path.is_file()
        ]
        assert not any(b"a key of its own" in data for data in kept)


def test_a_module_beside_the_notebook_hides_none_of_the_relays(picked: PodInPicker, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong module')")
    (tmp_path / "pydantic.py").write_text("raise SystemExit('the wrong module')")
    with started_by_hand(picked, tmp_path) as (_, kernel):
        assert kernel.run("1 + 1").text == "2\n"


def test_the_folder_of_the_notebook_is_there_if_asked(picked: PodInPicker, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "helper.py").write_text("def answer():\n    return 41\n")
    (folder / "data.csv").write_text("a\n1\n")
    with started_by_hand(picked, folder, "--sync") as (_, kernel):
        ran = kernel.run("import helper, os\nos.path.basename(os.getcwd()), helper.answer()")
        assert ran.of_type("execute_result")[0]["data"]["text/plain"] == "('project', 41)"
        (folder / "helper.py").write_text("def answer():\n    return 4200\n")
        assert "4200" in kernel.run("helper.answer(), open('data.csv').read()").text
        # One that does not load again is the cell's error until it does.
        (folder / "helper.py").write_text("def answer(:\n    return 3\n")
        for _ in range(2):
            failed = kernel.run("print('never')")
            assert failed.reply["evalue"].startswith("The cell was not run: ")
            assert "loading helper again raises SyntaxError" in failed.reply["evalue"]
            assert "never" not in failed.text
        (folder / "helper.py").write_text("def answer():\n    return 57\n")
        assert "57" in kernel.run("helper.answer()").text
        # No one can be asked, and no option confirms: the error names another way.
        (folder / ".env").mkdir()
        (folder / ".env/prod.env").write_text("KEY=1")
        refused = kernel.run("1").reply["evalue"]
        assert "cannot ask whether to send possible secrets (.env/prod.env)" in refused
        assert f"'%pods sync {folder} {picked.pod.name}'" in refused
        assert "--yes" not in refused
        (folder / ".podignore").write_text("prod.env\n")
        assert kernel.run("1 + 1").text == "2\n"


@contextmanager
def jupyter_server(environment: dict[str, str], folder: Path) -> Iterator[tuple[Any, httpx.Client]]:
    options = ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--IdentityProvider.token=t"]
    options += [f"--ServerApp.root_dir={folder}", "--ServerApp.allow_root=True", "--no-browser"]
    runtime = Path(environment["JUPYTER_RUNTIME_DIR"])
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options], env=environment, stdout=log, stderr=log
        )
    try:
        path = runtime / f"jpserver-{process.pid}.json"
        eventually(lambda: path.exists() and path.read_text(), "the server is up", within=40)
        url = json.loads(path.read_text())["url"]
        with httpx.Client(base_url=url, params={"token": "t"}, trust_env=False, timeout=30) as api:
            yield process, api
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def kernel_of(api: httpx.Client, name: str, runtime: Path) -> Iterator[KernelUse]:
    """Start a kernel at a server, and be its client."""
    answer = api.post("api/kernels", json={"name": name}).raise_for_status().json()
    with client_of(runtime / f"kernel-{answer['id']}.json") as kernel:
        yield kernel


def test_a_server_that_ends_leaves_the_session_and_shutting_a_kernel_down_does_not(
    picked: PodInPicker, tmp_path: Path
) -> None:
    runtime = tmp_path / "runtime"
    environment = {**picked.environment, "JUPYTER_RUNTIME_DIR": str(runtime)}
    name = picked.spec.name
    with jupyter_server(environment, tmp_path) as (_, api), kernel_of(api, name, runtime) as kernel:
        kernel.run("left = 7")
    with jupyter_server(environment, tmp_path) as (_, api):
        with kernel_of(api, name, runtime) as kernel:
            assert kernel.run("left").text == "7\n"
        (listed,) = api.get("api/kernels").json()
        api.delete(f"api/kernels/{listed['id']}").raise_for_status()
        with kernel_of(api, name, runtime) as kernel:
            assert kernel.run("left").reply["ename"] == "NameError"


def test_without_its_python_a_stand_in_says_what_is_gone(picked: PodInPicker, tmp_path: Path) -> None:
    folder = picked.spec.folder.with_name("pod-without-python")
    shutil.copytree(picked.spec.folder, folder)
    contents = json.loads((folder / "kernel.json").read_text())
    contents["argv"][3] = str(tmp_path / "gone" / "python")
    (folder / "kernel.json").write_text(json.dumps(contents))
    environment = {**picked.environment, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    here = PodInPicker(picked.machines, picked.connection, picked.pod, picked.spec, environment)
    with here.kernel(folder.name) as kernel:
        ran = kernel.run("1 + 1")
        assert ran.reply["ename"] == ran.of_type("error")[0]["ename"] == "NotConfigured"
        assert f"is gone: {tmp_path / 'gone' / 'python'}. Nothing was run" in ran.text
    shutil.rmtree(folder)
