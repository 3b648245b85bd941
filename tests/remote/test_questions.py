"""Questions of cells: each gets its own answer, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import InvalidRequest, RemoteError, WaitInterrupted
from primepods_magic.notebook.cells import run_cell
from primepods_magic.notebook.cells.run_cell import CellView
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.agent.journal import Journal
from primepods_magic.remote.job import Job, start_job
from primepods_magic.remote.links import open_link
from tests.support.agents import find_marked, kill_marked, make_mark
from tests.support.questions import await_question


def ask(pod: Pod, code: str) -> tuple[Job, int]:
    """A cell that waits for an answer, and the number of its question."""
    job, _ = start_job(pod.connection, pod.details, code, allow_stdin=True)
    return job, await_question(job.take_frames())


def answer(job: Job, number: int, value: str) -> None:
    job.link.ask("input", job=job.id, n=number, value=value)


def test_a_late_answer_is_not_given_to_another_cell(agent_pod: Pod) -> None:
    first, old = ask(agent_pod, "print(1, input('first? '))")
    first.interrupt()
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        first.result(30)
    second, new = ask(agent_pod, "print(2, input('delete everything? '))")
    answer(first, old, "yes")
    answer(second, new, "no")
    assert second.result(30).state == "ok"
    assert second.output == "2 no\n"


def test_of_two_answers_to_one_question_the_second_answers_nothing(agent_pod: Pod) -> None:
    job, number = ask(agent_pod, "print(input('a? ')); print(input('b? '))")
    frames = job.take_frames()
    assert await_question(frames) == number
    answer(job, number, "ada")
    following = await_question(frames)
    answer(job, number, "bob")
    answer(job, following, "eve")
    assert job.result(30).state == "ok"
    assert job.output == "ada\neve\n"


def test_a_question_survives_the_agent(agent_pod: Pod, pod_folder: Path) -> None:
    job, number = ask(agent_pod, "print(input('? '))")
    mark = make_mark(pod_folder)
    assert find_marked(mark, "agent.pyz", "serve")
    kill_marked(mark, "serve")
    answer(job, number, "ada")
    assert job.result(30).state == "ok"
    assert job.output == "ada\n"


def test_half_a_character_ends_no_kernel(agent_pod: Pod) -> None:
    agent_pod.run("important = 1").result(60)
    with pytest.raises(InvalidRequest, match=r"cannot be encoded\. Nothing was run"):
        agent_pod.run("'\ud83d'")
    job, number = ask(agent_pod, "print(input('? '))")
    answer(job, number, "half \ud83d")
    assert job.result(30).state == "ok"
    content = {"code": "important\ud83d"}
    open_link(agent_pod.connection, agent_pod.details).ask(
        "ask", session="main", type="is_complete_request", content=content
    )
    assert agent_pod.run("important").result(30).state == "ok"


def test_output_that_comes_fast_is_not_lost(agent_pod: Pod) -> None:
    """With a host that is slower than the kernel, as on a machine that is busy."""
    job = agent_pod.run(
        "import os, signal, threading\n"
        "host = os.getppid()\nos.kill(host, signal.SIGSTOP)\n"
        "threading.Timer(1.0, os.kill, (host, signal.SIGCONT)).start()\n"
        "for n in range(3000): print(n, flush=True)"
    )
    assert job.result(60).state == "ok"
    assert job.output.split() == [str(n) for n in range(3000)]


def test_who_only_watches_ends_nothing_at_a_question(
    agent_pod: Pod, bare_shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, number = ask(agent_pod, "print(input('\x1b]0;title\x07name? '))")
    prompts: list[str] = []

    def press_ctrl_c(prompt: str) -> str:
        prompts.append(prompt)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_cell, "has_front_end", lambda shell: True)
    monkeypatch.setattr("builtins.input", press_ctrl_c)
    with pytest.raises(WaitInterrupted, match=rf"Job {job.id} keeps running on 'train'"):
        CellView(bare_shell, job, only_watches=True).follow()
    assert len(prompts) == 1
    assert "\x1b" not in prompts[0]
    assert prompts[0].endswith("name? ")
    answer(job, number, "ada")
    assert job.result(30).state == "ok"


def test_where_no_one_can_answer_it_is_said(agent_pod: Pod, bare_shell: Any) -> None:
    job, number = ask(agent_pod, "print(input('? '))")
    with pytest.raises(WaitInterrupted, match=rf"Job {job.id} asks for input, and no one can answer here"):
        CellView(bare_shell, job, only_watches=True).follow()
    answer(job, number, "ada")
    assert job.result(30).state == "ok"


def test_a_report_of_a_begin_after_a_question_does_not_hide_it(tmp_path: Path) -> None:
    """They come on two ways: an agent that is started again still knows that the cell waits for an answer."""
    written = Journal(str(tmp_path / "j"), "job")
    written.append({"type": "started"})
    written.append({"type": "input_request", "content": {"prompt": "? "}})
    written.append({"type": "execute_input", "content": {"execution_count": 1}})
    written.close()
    again = Journal(str(tmp_path / "j"), "job")
    assert (again.end, again.question) == (3, 1)
