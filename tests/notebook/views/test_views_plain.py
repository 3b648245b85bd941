"""Plain lines: literal, the same on every computer, and only where they belong."""

from __future__ import annotations

import threading

from primepods_magic.notebook.progress.lines import PlainView
from tests.notebook.views.snapshots import failed, pod, ready, snapshot


def test_a_launch_is_told_in_a_few_literal_lines(capsys):
    view = PlainView()
    view.show(snapshot(pod("train", "PROVISIONING")))
    view.show(snapshot(pod("train", "PROVISIONING"), after=2))
    view.show(snapshot(pod("train", "PENDING", "PENDING"), after=4))
    for second, progress in enumerate(range(0, 101, 3)):
        view.show(snapshot(pod("train", "ACTIVE", "IN_PROGRESS", progress), after=6 + second))
    view.finish(snapshot(ready("train"), after=60))
    assert capsys.readouterr().out == (
        "train  provisioning\n"
        "train  starting\n"
        "train  installing 0 %\n"
        "train  installing 20 %\n"
        "train  installing 40 %\n"
        "train  installing 60 %\n"
        "train  installing 80 %\n"
        "train  ready  ssh root@203.0.113.7 -p 22\n"
    )


def test_names_of_several_pods_are_padded_and_failures_give_their_reason(capsys):
    view = PlainView()
    view.show(snapshot(pod("a", "PENDING"), pod("longer", "PENDING")))
    view.finish(snapshot(ready("a"), failed("longer")))
    assert capsys.readouterr().out == (
        "a       starting\n"
        "longer  starting\n"
        "a       ready  ssh root@203.0.113.7 -p 22\n"
        "longer  failed  no space left\n"
    )


def test_nothing_is_said_twice_and_nothing_after_the_end(capsys):
    view = PlainView()
    for _ in range(3):
        view.finish(snapshot(ready()))
        view.show(snapshot(pod("train", "TERMINATED")))
    assert capsys.readouterr().out == "train  ready  ssh root@203.0.113.7 -p 22\n"


def test_another_thread_prints_nothing_and_takes_nothing_from_the_main_one(capsys):
    view = PlainView()
    for call in (view.show, view.finish):
        thread = threading.Thread(target=call, args=(snapshot(ready()),))
        thread.start()
        thread.join()
    assert capsys.readouterr().out == ""
    view.finish(snapshot(ready()))
    assert capsys.readouterr().out == "train  ready  ssh root@203.0.113.7 -p 22\n"


def test_trouble_is_said_once_and_without_what_differs_between_computers(capsys):
    view = PlainView()
    for _ in range(3):
        view.show(snapshot(pod("train", "PENDING"), trouble="connect to 127.0.0.1:41523 refused"))
    for _ in range(2):
        view.show(snapshot(pod("train", "ACTIVE", "IN_PROGRESS", 40)))
    assert capsys.readouterr().out == (
        "The service cannot be reached at present. Retrying\n"
        "train  starting\n"
        "The service is available again\n"
        "train  installing 40 %\n"
    )


def test_many_pods_are_told_together_and_those_that_fail_by_name(capsys):
    view = PlainView()
    for ready_ones in range(31):
        pods = [ready(f"pod-{n}") if n < ready_ones else pod(f"pod-{n}", "PENDING") for n in range(29)]
        view.show(snapshot(*pods, failed("bad") if ready_ones > 14 else pod("bad", "PENDING")))
    view.finish(snapshot(*pods, failed("bad")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "30 pods  0 %: 30 waiting"
    assert [line for line in lines if "bad" in line] == ["bad  failed  no space left"]
    assert lines[-1] == "30 pods  98 %: 29 ready, 1 failed"
    assert len(lines) < 14
