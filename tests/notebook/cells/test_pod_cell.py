"""`%%pod` in a kernel, over the sandbox's machines: questions, Ctrl-C, background jobs, and what lives on."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from tests.support.environment import clean_environment
from tests.support.sandbox_control import SandboxControl, controlled
from tests.support.waiting import eventually

LOAD = "%load_ext primepods_magic\n%config PodsMagics.cell_costs = False\n%pods connect --sandbox"


class Front:
    """A front end with a kernel: it runs cells, answers questions, and interrupts."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.manager, self.client = start_new_kernel(
            env=dict(environment), extra_arguments=["--log-level=ERROR"]
        )
        self.stuck_in = ""

    def run(self, code: str, *, answers: Sequence[str] = (), interrupt_at: str | None = None) -> str:
        """The text of a cell's outputs; Ctrl-C when `interrupt_at` has appeared."""
        assert not self.stuck_in, f"a cell before this one did not end: {self.stuck_in}"
        at = interrupt_at
        shown: list[str] = []
        waiting = list(answers)

        def note(message: Mapping[str, Any]) -> None:
            nonlocal at
            content = message["content"]
            kind = message["header"]["msg_type"]
            if kind == "stream":
                shown.append(content["text"])
            elif kind in ("display_data", "execute_result"):
                shown.append(content["data"]["text/plain"])
            elif kind == "error":
                shown.append("\n".join(content["traceback"]))
            if at and at in "".join(shown):
                at = None
                self.interrupt()

        client: BlockingKernelClient = self.client
        try:
            client.execute_interactive(
                code,
                allow_stdin=bool(answers),
                output_hook=note,
                stdin_hook=lambda message: client.input(waiting.pop(0)),
                timeout=60,
            )
        except TimeoutError:
            self.stuck_in = code
            pytest.fail(f"it does not end, and showed {shown}")
        return re.sub(r"\x1b\[[\d;]*m", "", "".join(shown))

    def interrupt(self) -> None:
        """Ctrl-C, as Jupyter's server sends it: to the kernel and everything that it started."""
        provisioner: Any = self.manager.provisioner
        os.killpg(provisioner.pid, signal.SIGINT)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with controlled(clock="stepped", machines=True, history=0) as control:
        yield control


@pytest.fixture(scope="module")
def environment(sandbox: SandboxControl, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return clean_environment(tmp_path_factory.mktemp("home"), PRIMEPODS_SANDBOX_URL=sandbox.url)


@pytest.fixture(scope="module")
def front(environment: Mapping[str, str], sandbox: SandboxControl) -> Iterator[Front]:
    """A notebook with a ready pod called train."""
    front = Front(environment)
    front.run(f"{LOAD}\n%pod_create --gpu L4_24GB --name train --yes")
    sandbox.advance(120)
    yield front
    front.close()


def test_questions_of_the_cell_are_asked_here(front: Front) -> None:
    code = (
        "%%pod train\nname = input('name? ')\nimport getpass\nprint(name, len(getpass.getpass('secret? ')))"
    )
    assert front.run(code, answers=["ada", "s3cr3t"]).endswith("ada 6\n")


def test_a_pod_writes_into_no_cell_of_this_notebook(front: Front) -> None:
    code = "%%pod train\nget_ipython().set_next_input('print(1)')"
    reply = front.client.execute_interactive(code, output_hook=lambda _: None, timeout=60)["content"]
    assert (reply["status"], reply["payload"]) == ("ok", [])


def test_ctrl_c_interrupts_the_cell_and_nothing_else(front: Front) -> None:
    shown = front.run(
        "%%pod train\nimport time\nx = 1\nprint('runs', flush=True)\ntime.sleep(600)", interrupt_at="runs"
    )
    assert "KeyboardInterrupt" in shown
    assert "line 5" in shown
    assert front.run("%%pod train\nx") == "1"


def test_without_a_name_it_is_the_pod_of_the_last_cell(front: Front) -> None:
    front.run("%%pod train\ny = 2")
    assert front.run("%%pod\ny") == "Running on 'train', like the previous cell.\n2"


def test_a_job_in_the_background_goes_on_under_its_cell(front: Front, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    shown = front.run(
        f"%%pod train --bg\nimport os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "print('went on')"
    )
    job = re.search(r"<Job (\w{6}) on 'train': import os", shown)
    assert job
    jobs = front.run("%pods jobs")
    assert job[1] in jobs
    assert "running" in jobs
    gate.touch()
    eventually(lambda: "went on" in _next_text(front.client), "its output appears")
    assert "went on" in front.run(f"%pods attach {job[1]}")


def _next_text(client: BlockingKernelClient) -> str:
    message = client.get_iopub_msg(timeout=10)
    content = message["content"]
    return str(content.get("text") or content.get("data", {}).get("text/plain", ""))


def test_the_costs_of_a_job_in_the_background_follow_its_output(front: Front) -> None:
    front.run("%config PodsMagics.cell_costs = True")
    front.run("%%pod train --bg --session behind\nprint('behind')")
    front.run("%config PodsMagics.cell_costs = False")
    eventually(lambda: " · sandbox" in _next_text(front.client), "its costs appear")
    assert front.run("df = %pods cells\nprint(list(df['session']).count('behind'))") == "1\n"


def test_the_same_cell_is_not_run_twice(front: Front, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    cell = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    front.run(f"%%pod train --bg --session other\n{cell}")
    shown = front.run(f"%%pod train --session other\n{cell}")
    assert re.match(r"This cell is already running on 'train' as job \w{6}; it was not started again", shown)
    gate.touch()
    assert "already running" not in front.run(f"%%pod train --session other --again\n{cell}")


def test_a_job_that_ignores_ctrl_c_is_cancelled_with_its_kernel(front: Front) -> None:
    shown = front.run(
        "%%pod train --bg --session stubborn\nimport signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(600)"
    )
    job = shown.split()[1]
    eventually(lambda: "deaf" in _next_text(front.client), "it ignores Ctrl-C", within=30)
    said = front.run(f"%pods cancel {job}")
    assert f"Job {job} on 'train' was ended with its kernel; the variables of its session are lost" in said
    assert "had already ended" in front.run(f"%pods cancel {job}")


def test_twice_ctrl_c_leaves_it_running_and_another_notebook_attaches(
    front: Front, environment: Mapping[str, str], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    code = (
        "%%pod train --session long\nimport os, signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: print('once', flush=True))\nprint('begins', flush=True)\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "for i in range(1000): print('line', i)"
    )
    other = Front(environment)
    try:
        other.run(LOAD)
        shown = _run_with_two_interrupts(front, code)
        job = re.search(r"Job (\w{6}) keeps running on 'train', which is billed", shown)
        assert job, shown
        gate.touch()
        attached = other.run(f"%pods attach {job[1]}")
        assert re.findall(r"line (\d+)\n", attached) == [str(number) for number in range(1000)]
    finally:
        other.close()


def _run_with_two_interrupts(front: Front, code: str) -> str:
    shown: list[str] = []

    def note(message: Mapping[str, Any]) -> None:
        content = message["content"]
        shown.append(content.get("text", "") + "\n".join(content.get("traceback", [])))
        if shown[-1] in ("begins\n", "once\n"):
            front.interrupt()

    front.client.execute_interactive(code, allow_stdin=False, output_hook=note, timeout=60)
    return re.sub(r"\x1b\[[\d;]*m", "", "".join(shown))


def test_the_kernel_here_is_killed_and_a_new_one_attaches(
    front: Front, environment: Mapping[str, str], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    doomed = Front(environment)
    doomed.run(LOAD)
    doomed.client.execute(
        "%%pod train --session killed\nimport os, time\nprint('begins', flush=True)\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "for i in range(1000): print('line', i)"
    )
    eventually(lambda: "begins" in _next_text(doomed.client), "it runs", within=30)
    doomed.close()
    job = re.search(r"(\w{6})\s+running\s+import os, time", front.run("%pods jobs"))
    assert job
    gate.touch()
    attached = front.run(f"%pods attach {job[1]}")
    assert re.findall(r"line (\d+)\n", attached) == [str(number) for number in range(1000)]


def test_mistakes_are_answered(front: Front) -> None:
    for cell in ("%%pod train\n  ", "%pod train"):
        assert "Put the code below '%%pod NAME', in the same cell" in front.run(cell)
    assert "--session" in front.run("%pod -h")
    assert "Which job? '%pods jobs' lists their ids" in front.run("%pods attach")
    assert "is not a valid session name" in front.run("%%pod train --session a/b\n1")
    assert "NotFound" in front.run("%%pod nobody\n1")
    assert "on 'train'. '%pods jobs' lists jobs" in front.run("%pods attach abcdef")


def test_completion_and_inspection_answer_from_the_pods_kernel(front: Front) -> None:
    front.run("%%pod train\ndef only_there(first, second):\n    'It is on the pod.'")
    cell = "%%pod train\nx = 1\nonly_th"

    def complete() -> Any:
        reply = front.client.complete(cell, reply=True, timeout=60)["content"]
        return reply["matches"] == ["only_there"] and reply

    # The first completion loads what completes, here and there; that takes longer than is waited for.
    reply = eventually(complete, "the pod's kernel answers in time", within=60)
    assert cell[reply["cursor_start"] : reply["cursor_end"]] == "only_th"
    reply = front.client.inspect(f"{cell}ere", reply=True, timeout=10)["content"]
    assert "It is on the pod." in reply["data"]["text/plain"]
    front.run("only_here = 1")
    assert front.client.complete("%%pod\nonly_h", reply=True, timeout=10)["content"]["matches"] == []
    assert front.client.inspect("%%pod\nonly_here", reply=True, timeout=10)["content"]["found"] is False
    assert front.client.inspect("only_here", reply=True, timeout=10)["content"]["found"] is True
    assert "train" in front.client.complete("%%pod tr", reply=True, timeout=10)["content"]["matches"][0]


def test_the_doctor_looks_at_a_pod(front: Front, sandbox: SandboxControl) -> None:
    said = front.run("%pods doctor train --all")
    for part in ("no problems", "its agent answered, in", "kernels run in", "1 × NVIDIA L4", "clock"):
        assert part in said
    pod_id = front.run("from primepods_magic import get_pod\nprint(get_pod('train').id)").strip()
    path = f"/sandbox/pods/{pod_id}/machine"
    sandbox.api.put(path, json={"nvidia_smi": "missing"})
    assert "nvidia-smi fails" in front.run("%pods doctor train")
    sandbox.api.put(path, json={"nvidia_smi": "ok"})


def test_ctrl_c_stops_showing_a_job_that_is_attached_to(front: Front, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    shown = front.run(
        f"%%pod train --bg --session watched\nimport os, time\nprint('begins', flush=True)\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    )
    job = shown.split()[1]
    assert f"Job {job} keeps running on 'train'" in front.run(f"%pods attach {job}", interrupt_at="begins")
    gate.touch()
    assert "KeyboardInterrupt" not in front.run(f"%pods attach {job}")


def _find_both(listed: str, first: str, second: str) -> bool:
    return bool(re.search(rf"{first}\s+running", listed) and re.search(rf"{second}\s+queued", listed))


def test_a_queued_job_is_listed(front: Front, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    first = front.run(f"%%pod train --bg --session queue\n{wait}").split()[1]
    second = front.run("%%pod train --bg --session queue\n'queued'").split()[1]
    eventually(lambda: _find_both(front.run("%pods jobs"), first, second), "both are listed", within=30)
    gate.touch()
    assert "'queued'" in front.run(f"%pods attach {second}")


def test_exit_ends_the_kernel_and_the_next_cell_says_that_it_has_a_new_one(front: Front) -> None:
    front.run("%%pod train --session exits\nx = 1\nexit()")
    shown = front.run("%%pod train --session exits --quiet\n'x' in globals()")
    assert "is new: variables of earlier cells are gone" in shown
    assert shown.endswith("False")


def test_a_name_of_this_notebook_is_pointed_out(front: Front) -> None:
    front.run("data = [1]")
    assert "'data' exists in this notebook, but not on 'train'" in front.run("%%pod train\nprint(data)")


def test_a_comment_may_stand_above_the_magic(front: Front) -> None:
    assert front.run("# mine\n%%pod train --quiet\n1 + 1") == "2"


def test_files_that_a_cell_has_written_are_named(front: Front) -> None:
    front.run("%%pod train\nimport os\nos.makedirs('out', exist_ok=True)\nopen('out/old.txt', 'w').close()")
    shown = front.run(
        "%%pod train\nopen('out/model.pt', 'wb').write(bytes(41_000));\nopen('.hidden', 'w').close()\n"
        "os.chdir('out')"
    )
    assert shown.endswith(
        "New on 'train': out/model.pt (41 kB). '%pods get train:out/model.pt' fetches it.\n"
    )
    two = front.run("%%pod train\nfor name in 'ab': open(name, 'w').write(name)\nos.chdir('..')")
    assert "New on 'train': out/b (1 byte), out/a (1 byte)." in two
    assert "'%pods get train:out/b train:out/a' fetches them." in two
    assert front.run("%%pod train\nprint(open('out/a').read())") == "a\n"
    assert front.run("%%pod train --quiet\nopen('c', 'w').close()") == ""


def test_a_file_that_exists_only_here_is_pointed_out(front: Front, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "data.csv").touch()
    front.run(f"import os\nos.chdir({str(tmp_path)!r})")
    shown = front.run("%%pod train\nopen('in/data.csv')")
    assert "FileNotFoundError" in shown
    assert (
        "'in/data.csv' exists here, but not on 'train'. '%pods put in/data.csv train:in/' sends it." in shown
    )
    assert "exists here" not in front.run("%%pod train\nopen('nowhere.csv')")


def test_a_job_in_the_background_names_files_too(front: Front, tmp_path: Path) -> None:
    (tmp_path / "here.csv").touch()
    front.run(f"import os\nos.chdir({str(tmp_path)!r})")
    cell = "%%pod train --bg{} --session files\nopen('{}.pt', 'wb').write(b'12')\nopen('here.csv')"
    front.run(cell.format("", "bg"))
    shown: list[str] = []

    def has_shown(last: str) -> bool:
        shown.append(_next_text(front.client))
        return last in shown[-1]

    eventually(lambda: has_shown("New on 'train'"), "its files are named")
    assert shown[-2:] == [
        "'here.csv' exists here, but not on 'train'. '%pods put here.csv train' sends it.\n",
        "New on 'train': bg.pt (2 bytes). '%pods get train:bg.pt' fetches it.\n",
    ]
    shown.clear()
    front.client.execute(cell.format(" --quiet", "quiet"))
    eventually(lambda: has_shown("'here.csv' exists here"), "it has failed")
    front.client.execute("%%pod train --bg --quiet --session files\nprint('over')")
    eventually(lambda: has_shown("over\n"), "the next one has run")
    assert "New on" not in "".join(shown)


def test_every_session_runs_what_the_folder_has(front: Front, tmp_path: Path) -> None:
    project = tmp_path / "many"
    project.mkdir()
    module, gate = project / "numbers_of.py", tmp_path / "gate"
    module.write_text("def n(): return 1\nstate = []\n")
    front.run(f"import os\nos.chdir({str(project)!r})")
    cell = "%%pod train --sync --quiet --session {}\n{}".format
    call = "print(numbers_of.n(), len(numbers_of.state))"
    for session in ("one", "two"):
        front.run(cell(session, f"import numbers_of\nnumbers_of.state.append(1)\n{call}"))
        # What has not changed keeps its state.
        assert front.run(cell(session, call)) == "1 1\n"
    module.write_text("def n(): return 22\nstate = []\n")
    assert front.run(cell("one", call)).endswith("\n22 0\n")
    assert front.run(cell("two", call)) == "22 0\n"
    module.write_text("def n(): return 333\nstate = []\n")
    front.run("%pods sync . train:many")
    assert front.run(cell("one", call)) == "333 0\n"
    # Ctrl-C while it waits, and a module that raises, leave it due.
    module.write_text("def n(): return 4444\nstate = []\n")
    front.run(
        f"%%pod train --bg --session one -o first\nimport os, time\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    )
    assert "WaitInterrupted" in front.run(cell("one", call), interrupt_at="Waiting for job")
    gate.touch()
    front.run("end = first.result()")
    assert front.run(cell("one", call)) == "4444 0\n"
    module.write_text("def n(): return 5\nraise ValueError('not yet')\n")
    for _ in range(2):
        assert "loading numbers_of again raises ValueError: not yet" in front.run(cell("one", call))
    assert front.run(f"%%pod train --quiet --session one\n{call}") == "4444 0\n"


def test_the_notebooks_folder_goes_there_before_the_cell(front: Front, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "utils.py").write_text("def double(x):\n    return 2 * x\n")
    (project / "data.csv").write_text("21")
    front.run(f"import os\nos.chdir({str(project)!r})")
    cell = "%%pod train --sync --quiet --session project\n"
    shown = front.run(f"{cell}from utils import double\nprint(double(int(open('data.csv').read())))")
    assert shown.startswith("train:project · 2 sent · ")
    assert shown.endswith("\n42\n")
    # What was imported by name follows a module that has changed.
    (project / "utils.py").write_text("def double(x):\n    return f'twice {x}'\n")
    shown = front.run(f"{cell}print(double(4))")
    assert "1 sent · 39 bytes in " in shown
    assert shown.endswith("\ntwice 4\n")
    assert front.run(f"{cell}print(double(5))") == "twice 5\n"
    (project / "utils.py").write_text("def double(x):\n    return )\n")
    shown = front.run(f"{cell}print('never')")
    assert "The cell was not run" in shown
    assert "SyntaxError" in shown
    assert "never\n" not in shown
    # Another folder of that name, and a file that may have secrets, are asked for.
    other = tmp_path / "other/project"
    other.mkdir(parents=True)
    (other / ".env").write_text("TOKEN=x")
    (other / ".env.example").touch()
    (other / "notes.txt").write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    front.run(f"os.chdir({str(other)!r})")
    shown = front.run("%%pod train --sync\n1")
    assert "train:project has the files of another folder of that name" in shown
    assert "Nothing was sent or run" in shown
    front.run("%pods exec train -- rm -r project")
    shown = front.run("%%pod train --sync\n1")
    assert "Sending possible secrets (.env, notes.txt ('-----BEGIN…')) of " in shown
    assert front.run(
        f"{cell.replace('--quiet', '--quiet --yes')}import os; print(sorted(os.listdir()))"
    ).endswith("\n['.env', '.env.example', 'notes.txt']\n")
    assert front.run(f"{cell}print(6)") == "6\n"
    (project / ".ssh").mkdir()
    for folder in ("os.path.expanduser('~')", "os.path.expanduser('~/..')", repr(f"{project}/.ssh")):
        front.run(f"os.chdir({folder})")
        assert "is not that of a project" in front.run("%%pod train --sync\n1")
