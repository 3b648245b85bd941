"""A notebook whose kernel is on a pod: cuts, interrupts, questions, widgets, deaths and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from pathlib import Path

from primepods_magic.api.errors import RemoteError
from primepods_magic.pods.pod import Pod
from tests.support.pod_kernels import KernelUse, PodInPicker, pod_in_picker, put_environment
from tests.support.soak import pick

import pytest  # isort: skip


def is_idle(message: dict) -> bool:  # type: ignore[type-arg]
    return bool(message["msg_type"] == "status" and message["content"]["execution_state"] == "idle")


def test_cells_of_a_notebook_share_the_session_with_pod_cells(picked: PodInPicker, kernel: KernelUse) -> None:
    kernel.run("shared = 6 * 7")
    with pytest.MonkeyPatch.context() as patch:
        put_environment(patch, picked.environment)
        job = Pod(picked.connection, picked.pod).run("print(shared); other = 1")
        assert (job.result(30).state, job.output) == ("ok", "42\n")
    ran = kernel.run("other + shared")
    assert ran.of_type("execute_result")[0]["data"]["text/plain"] == "43"
    assert ran.of_type("execute_input")[0]["code"] == "other + shared"
    assert ran.reply["execution_count"] == ran.of_type("execute_input")[0]["execution_count"]


LINES = pick(300, 1000)


def test_cuts_lose_nothing_and_repeat_nothing(picked: PodInPicker, kernel: KernelUse) -> None:
    code = (
        "import time\nfrom IPython.display import display\nh = display('0', display_id=True)\n"
        f"for n in range({LINES}):\n    print(n)\n    if n % 5 == 0: h.update(str(n))\n    time.sleep(0.01)"
    )
    stop, cuts = threading.Event(), []

    def cut_often() -> None:
        while not stop.wait(0.4):
            picked.cut()
            cuts.append(time.monotonic())

    cutter = threading.Thread(target=cut_often)
    cutter.start()
    try:
        ran = kernel.run(code, timeout_s=120)
    finally:
        stop.set()
        cutter.join()
    assert len(cuts) >= pick(5, 20)
    assert ran.printed.split() == [str(n) for n in range(LINES)]
    updates = [content["data"]["text/plain"] for content in ran.of_type("update_display_data")]
    assert [text for text in updates if text] == [f"'{n}'" for n in range(0, LINES, 5)]


def test_a_lost_connection_is_said_in_one_display_that_goes_away(
    picked: PodInPicker, kernel: KernelUse
) -> None:
    is_open = threading.Event()

    def keep_cutting() -> None:
        while not is_open.is_set():
            picked.cut()
            time.sleep(0.02)

    cutter = threading.Thread(target=keep_cutting)
    kernel.run("import time")

    def watch(message: dict) -> None:  # type: ignore[type-arg]
        if message["msg_type"] == "display_data":
            is_open.set()

    threading.Timer(20, is_open.set).start()
    cutter.start()
    ran = kernel.run("print('a'); time.sleep(4); print('b')", on_message=watch)
    is_open.set()
    cutter.join()
    (shown,) = ran.of_type("display_data")
    said = r"No connection to 'train' since \d\d:\d\d:\d\d\. Your code keeps running there; reconnecting …"
    assert re.fullmatch(said, shown["data"]["text/plain"])
    (gone,) = ran.of_type("update_display_data")
    assert gone["transient"] == shown["transient"]
    assert gone["data"] == {"text/plain": ""}
    assert ran.printed == "a\nb\n"


def test_an_interrupt_reaches_the_cell(kernel: KernelUse) -> None:
    kernel.run("import time")

    def interrupt(message: dict) -> None:  # type: ignore[type-arg]
        if message["msg_type"] == "stream":
            kernel.send("interrupt_request", {}, channel="control")

    ran = kernel.run("print('begun'); time.sleep(60)", on_message=interrupt)
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert ran.of_type("error")[0]["ename"] == "KeyboardInterrupt"
    assert kernel.run("1 + 1").reply["status"] == "ok"


def test_what_is_too_much_to_show_is_shown_by_its_job(kernel: KernelUse) -> None:
    ran = kernel.run("for _ in range(6): print('x' * 999_999)")
    assert re.search(r"'%pods attach \w{6}' shows what the pod has kept", ran.printed + ran.text)


def test_a_cell_that_ctrl_c_has_ended_as_it_was_sent_does_not_run_on(
    kernel: KernelUse, tmp_path: Path
) -> None:
    kernel.run("import time")
    ended = 0
    for n in range(pick(10, 60)):
        path = tmp_path / str(n)
        code = f"time.sleep(0.2); open({str(path)!r}, 'w').close()"
        msg_id = kernel.client.execute(code, stop_on_error=False)
        time.sleep(n % 10 * 0.003)
        kernel.send("interrupt_request", {}, channel="control")
        # One that arrives before the cell interrupts nothing.
        is_ended = kernel.await_reply(msg_id)["status"] == "error"
        assert kernel.run("1").reply["status"] == "ok"
        assert path.exists() is not is_ended
        ended += is_ended
    assert ended


def test_an_error_stops_the_cells_that_were_sent_with_it(kernel: KernelUse) -> None:
    failing = kernel.client.execute("import time; time.sleep(0.5); 1 / 0")
    queued = [kernel.client.execute(f"print({n})") for n in range(3)]
    replies = {msg_id: kernel.await_reply(msg_id)["status"] for msg_id in (failing, *queued)}
    assert replies == {failing: "error", **dict.fromkeys(queued, "aborted")}


def test_questions_are_answered_and_a_password_stays_hidden(kernel: KernelUse) -> None:
    ran = kernel.run("answer = input('Name? ')\nprint(f'Hello, {answer}')", allow_stdin=True, answer="Ada")
    assert "Hello, Ada\n" in ran.text
    ran = kernel.run("import getpass\nlen(getpass.getpass())", allow_stdin=True, answer="secret")
    assert "6" in ran.text
    assert "secret" not in ran.text
    assert kernel.run("input('?')").reply["ename"] == "StdinNotImplementedError"


def test_widgets_work_both_ways(kernel: KernelUse) -> None:
    ran = kernel.run(
        "import ipywidgets as w\nslider = w.IntSlider()\n"
        "slider.observe(lambda c: print('moved to', c.new), 'value')\nslider"
    )
    opened = [content for content in ran.of_type("comm_open") if "IntSlider" in str(content["data"])]
    comm_id = opened[0]["comm_id"]
    (view,) = ran.of_type("execute_result")
    assert view["data"]["application/vnd.jupyter.widget-view+json"]["model_id"] == comm_id
    data = {"method": "update", "state": {"value": 7}}
    moved = kernel.send("comm_msg", {"comm_id": comm_id, "data": data})
    found = kernel.collect_output(moved, lambda message: message["msg_type"] == "stream")
    assert found[-1]["content"]["text"] == "moved to 7\n"
    assert kernel.run("slider.value").of_type("execute_result")[0]["data"]["text/plain"] == "7"
    asked = kernel.send("comm_info_request", {"target_name": "jupyter.widget"})
    assert comm_id in kernel.await_reply(asked)["comms"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os; os._exit(3)", "its kernel ended itself with exit code 3"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "its kernel was ended by the signal SIGKILL, as when memory runs out",
        ),
    ],
)
def test_a_kernel_that_dies_there_is_said_in_its_cell(kernel: KernelUse, code: str, why: str) -> None:
    ran = kernel.run(code)
    assert ran.reply["ename"] == ran.of_type("error")[0]["ename"] == "KernelDied"
    assert ran.reply["evalue"].startswith(why)
    assert kernel.manager.is_alive()
    assert "is new: variables of earlier cells are gone" in kernel.run("print(1)").text


def test_a_restart_gives_a_new_kernel_there(kernel: KernelUse) -> None:
    kernel.run("kept = 1")
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=30)
    assert kernel.run("kept").reply["ename"] == "NameError"


def test_a_relay_that_was_killed_shows_its_cell_again_from_the_beginning(kernel: KernelUse) -> None:
    kernel.run("import time")
    code = f"for n in range({LINES}):\n    print(n)\n    time.sleep(0.01)"
    asked = kernel.client.execute(code)
    kernel.collect_output(asked, lambda message: message["msg_type"] == "stream")
    kill_relay(kernel)
    shown: list[str] = []
    found = kernel.collect_output(asked, is_idle)
    for message in found:
        if message["msg_type"] == "clear_output":
            shown.clear()
        elif message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            shown.append(message["content"]["text"])
    assert "".join(shown).split() == [str(n) for n in range(LINES)]
    assert any(message["msg_type"] == "clear_output" for message in found)


def kill_relay(kernel: KernelUse) -> None:
    """Kill the relay, and start it again as a front end does."""
    process = kernel.manager.provisioner.process  # type: ignore[union-attr]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kernel.manager.restart_kernel(now=True)


def test_a_cell_that_is_shown_again_can_be_answered_and_interrupted(kernel: KernelUse) -> None:
    kernel.run("import time")
    asked = kernel.client.execute("print('Hello,', input('Name? '))\ntime.sleep(60)", allow_stdin=True)
    kernel.client.get_stdin_msg(timeout=30)
    kill_relay(kernel)
    assert kernel.client.get_stdin_msg(timeout=30)["content"]["prompt"] == "Name? "
    kernel.client.input("Ada")
    found = kernel.collect_output(asked, lambda message: "Ada" in str(message["content"].get("text")))
    assert found[-1]["content"]["text"] == "Hello, Ada\n"
    kernel.send("interrupt_request", {}, channel="control")
    assert kernel.await_reply(asked)["ename"] == "KeyboardInterrupt"


def test_a_cell_that_waited_does_not_run_after_a_restart(picked: PodInPicker, kernel: KernelUse) -> None:
    with pytest.MonkeyPatch.context() as patch:
        put_environment(patch, picked.environment)
        other = Pod(picked.connection, picked.pod).run("import time; time.sleep(60)")
    waiting = kernel.client.execute("was_run = True")
    kernel.collect_output(waiting, lambda message: "Waiting for job" in str(message["content"].get("text")))
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=30)
    assert kernel.run("was_run").reply["ename"] == "NameError"
    with pytest.raises(RemoteError, match="cancelled"):
        other.result(30)


def test_an_exit_that_keeps_the_kernel_keeps_it(kernel: KernelUse) -> None:
    ran = kernel.run("kept = 1\nquit(keep_kernel=True)")
    assert ran.reply["payload"] == [{"source": "ask_exit", "keepkernel": True}]
    assert kernel.run("kept").reply["status"] == "ok"


def test_a_pod_does_not_say_what_is_imported_here(kernel: KernelUse) -> None:
    """Programs import the exporter that the notebook's metadata names."""
    kernel.run(
        "get_ipython().kernel.language_info = {'name': 'evil', 'version': '3.9',"
        " 'nbconvert_exporter': 'evil.X',"
        " 'file_extension': '.evil.sh'}"
    )
    # A relay asks as it starts.
    kill_relay(kernel)
    kernel.client.wait_for_ready(timeout=30)
    asked = kernel.send("kernel_info_request", {})
    info = kernel.await_reply(asked)["language_info"]
    assert (info["name"], info["nbconvert_exporter"], info["file_extension"]) == ("python", "python", ".py")


def test_lines_of_cost_are_for_people(kernel: KernelUse) -> None:
    assert kernel.run("1").of_type("display_data") == []
    (line,) = kernel.run("1", allow_stdin=True).of_type("display_data")
    assert line["data"]["text/plain"].startswith("train · 1 × L4_24GB · ")
    assert kernel.run("1", allow_stdin=True, silent=True).of_type("display_data") == []


def test_our_magics_there_say_where_they_are(kernel: KernelUse) -> None:
    ran = kernel.run("%pods ls")
    assert ran.reply["status"] == "error"
    assert "This notebook's kernel is on 'train', where primepods_magic is not loaded." in ran.text


def test_silent_requests_and_expressions_are_those_of_the_kernel_there(kernel: KernelUse) -> None:
    before = kernel.run("quiet = 5").reply["execution_count"]
    ran = kernel.run("quiet + 1", silent=True, user_expressions={"a": "quiet", "b": "1 / 0"})
    assert [message["msg_type"] for message in ran.messages] == ["status", "status"]
    assert ran.reply["user_expressions"]["a"]["data"] == {"text/plain": "5"}
    assert ran.reply["user_expressions"]["b"]["ename"] == "ZeroDivisionError"
    assert kernel.run("1").reply["execution_count"] == before + 1


def test_nothing_secret_is_in_its_arguments_or_its_spec(picked: PodInPicker) -> None:
    contents = json.loads((picked.spec.folder / "kernel.json").read_text())
    assert contents["env"] == {"PRIMEPODS_SANDBOX_URL": picked.machines.url}
    assert contents["argv"][7:] == [
        "-f", "{connection_file}", "--pod", picked.pod.id, "--session", "main", "--route",
        str(picked.spec.folder / "route.json"),
    ]  # fmt: skip
    assert contents["interrupt_mode"] == "message"


def test_the_end_of_the_pod_is_said_with_its_cost(tmp_path: Path) -> None:
    """In a notebook that still has its kernel in the list."""
    with pod_in_picker(tmp_path) as picked:
        picked.machines.api.delete(f"/api/v1/pods/{picked.pod.id}").raise_for_status()
        picked.machines.advance(300)
        picked.machines.state()
        with picked.kernel() as kernel:
            said = r"The pod .train. has ended, and everything on it is gone; it cost \$0\.\d\d\. Nothing was"
            assert re.search(said, kernel.run("print(1)").text)


def test_a_restart_without_a_connection_is_made_up_for(picked: PodInPicker, kernel: KernelUse) -> None:
    kernel.run("import time; kept = 1")
    stop = threading.Event()

    def keep_cutting() -> None:
        while not stop.wait(0.01):
            picked.cut()

    cutter = threading.Thread(target=keep_cutting)
    running = kernel.client.execute("print('runs'); time.sleep(60)")
    kernel.collect_output(running, lambda message: message["msg_type"] == "stream")
    cutter.start()
    try:
        kernel.collect_output(running, lambda message: message["msg_type"] == "display_data")
        kernel.manager.restart_kernel()
    finally:
        stop.set()
        cutter.join()
    kernel.client.wait_for_ready(timeout=30)
    assert kernel.run("kept").reply["ename"] == "NameError"
