"""`%pods put`, `get` and `sync`: what they take, show and return."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from primepods_magic import get_pod
from primepods_magic.api.errors import InvalidRequest, NotFound
from primepods_magic.notebook.input.pod_paths import split_pod_path
from primepods_magic.notebook.progress.download_bar import show_transfer
from primepods_magic.pods.support import progress
from tests.notebook.test_exec import pod_shell as pod_shell
from tests.notebook.test_history import Time
from tests.notebook.test_history import clock as clock
from tests.notebook.test_history import front_end as front_end
from tests.notebook.views.snapshots import FrontEnd
from tests.pods.test_machines import disconnected as disconnected
from tests.pods.test_machines import machines as machines
from tests.support.waiting import eventually


class Terminal(io.StringIO):
    """A stream that a person sees."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_files_go_both_ways(pod_shell: Any, here: Path) -> None:
    (here / "my data.csv").write_text("1,2\n")
    (here / "src").mkdir()
    (here / "src/a.py").write_text("a")
    sent = pod_shell.run("%pods put 'my data.csv' src train:work")
    assert sent[["path", "action", "size_bytes"]].values.tolist() == [
        ["my data.csv", "sent", 4],
        ["src", "sent", 0],
        ["src/a.py", "sent", 1],
    ]
    assert get_pod("train").exec("cat work/src/a.py 'work/my data.csv'").stdout == "a1,2\n"
    (here / "src/a.py").write_text("ab")
    synced = pod_shell.run("%pods sync src train:work/src")
    assert synced["action"].tolist() == ["sent"]
    got = pod_shell.run("%pods get 'train:work/my data.csv' train:work/src got/")
    assert sorted(got["path"]) == ["a.py", "my data.csv"]
    assert (here / "got/src/a.py").read_text() == "ab"
    again = pod_shell.run("%pods get train:work/src/a.py b.py")
    assert (here / "b.py").read_text() == "ab"
    assert again["action"].tolist() == ["fetched"]


def test_a_pattern_is_a_word_with_or_without_quotes(pod_shell: Any, here: Path) -> None:
    get_pod("train").exec("mkdir -p runs/a; touch runs/a.csv runs/b.csv runs/c.txt 'runs/a/d e.csv' f.csv")
    assert sorted(pod_shell.run("%pods get train:runs/*.csv")["path"]) == ["a.csv", "b.csv"]
    assert pod_shell.run("%pods get 'train:runs/**/d *.csv' got")["path"].tolist() == ["a/d e.csv"]
    assert [file.path for file in get_pod("train").get("*.csv", "home").files] == ["f.csv"]
    assert sorted(path.name for path in here.iterdir()) == ["a.csv", "b.csv", "got", "home"]


def test_removing_asks(pod_shell: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get_pod("train").exec("mkdir x && touch x/old")
    (here / "x").mkdir()
    (here / "x/new").touch()
    shown = pod_shell.run("%pods sync x train --delete --dry-run")
    assert shown["action"].tolist() == ["would send", "would remove"]
    monkeypatch.setattr("primepods_magic.notebook.shell.prompt.has_front_end", lambda _: False)
    get_pod("train").connection.is_sandbox = False
    with pytest.raises(InvalidRequest, match=r"Removing 1 files? on 'train' was not confirmed\. Nothing was"):
        pod_shell.run("%pods sync x train --delete")
    pod_shell.run("%pods sync x train --delete -y")
    assert get_pod("train").exec("ls x").stdout == "new\n"


def test_watching_goes_on_until_ctrl_c(pod_shell: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "a").write_text("a")
    lines: list[str] = []
    monkeypatch.setattr("primepods_magic.notebook.shell.output.say", lines.append)
    monkeypatch.setattr("primepods_magic.remote.files.syncing._POLL_S", 0.05)

    def change_and_stop() -> None:
        try:
            eventually(lambda: len(lines) == 1, "the first", within=30)
            (here / "b").write_text("b")
            eventually(lambda: len(lines) == 2, "the second", within=30)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=change_and_stop)
    thread.start()
    frame = pod_shell.run("%pods sync . train:w --watch")
    thread.join()
    assert re.fullmatch(r"[\d:]{8} \S+  1 unchanged, 1 sent, 1 byte in \d\.\d s", lines[1])
    assert frame["action"].tolist() == ["unchanged", "sent"]


def test_a_yes_counts_for_the_files_that_were_named(
    pod_shell: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_pod("train").exec("mkdir y && touch y/old")
    for name in ("a", "b"):
        (here / name).touch()
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "y" if len(asked) == 1 else "n"

    monkeypatch.setattr("primepods_magic.notebook.shell.prompt.has_front_end", lambda _: True)
    monkeypatch.setattr("primepods_magic.notebook.shell.prompt.ask_line", answer)
    monkeypatch.setattr("primepods_magic.notebook.shell.output.say", lambda _: (here / "a").unlink())
    monkeypatch.setattr("primepods_magic.remote.files.syncing._POLL_S", 0.05)
    with pytest.raises(InvalidRequest, match="Removing 1 files on 'train' was not confirmed"):
        pod_shell.run("%pods sync . train:y --watch --delete")
    assert asked == ["Remove 1 files on train: old? [y/N] ", "Remove 1 files on train: a? [y/N] "]
    assert get_pod("train").exec("ls y").stdout == "a\nb\n"


WRONG: list[tuple[str, type[Exception], str]] = [
    ("put a train", InvalidRequest, "There is no file 'a' here. Nothing was sent"),
    ("put . C:\\data", InvalidRequest, "is a path on this computer, not a pod"),
    ("put . nobody:x", NotFound, "nobody"),
    ("put train", InvalidRequest, "the following arguments are required"),
    ("get train", InvalidRequest, "for example '%pods get train:results'"),
    ("get train:", InvalidRequest, "Name a file or a folder"),
    ("get train:none", InvalidRequest, "There is no file 'none' on 'train'. Nothing was fetched"),
    ("sync . train --watch --dry-run", InvalidRequest, "exclude each other"),
    ("sync a train", InvalidRequest, "There is no file 'a' here"),
    ("sync several* train", InvalidRequest, "'several*' is several: several1, several2. Name one"),
]


def test_says_what_is_wrong(pod_shell: Any, here: Path) -> None:
    for name in ("several1", "several2"):
        (here / name).mkdir()
    for line, error, words in WRONG:
        with pytest.raises(error) as caught:
            pod_shell.run(f"%pods {line}")
        assert words in str(caught.value)


def test_a_name_may_have_colons(pod_shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = get_pod("train").connection
    found: list[str] = []

    def find_pod(_: object, text: str) -> object:
        found.append(text)
        if text != "my:pod":
            raise NotFound(text)
        return text

    monkeypatch.setattr("primepods_magic.pods.find.find_pod", find_pod)
    assert split_pod_path(connection, "my:pod:a:b") == ("my:pod", "a:b")
    assert split_pod_path(connection, "my:pod") == ("my:pod", "")
    with pytest.raises(NotFound, match=r"^x$"):
        split_pod_path(connection, "x:y")


def test_a_bar_has_the_rate_and_the_time_left(front_end: Any, clock: Time) -> None:
    front_end.output.shown.clear()
    with show_transfer(front_end, "Sending to <b>") as report:
        assert report is not None
        for after, done in ((0.5, 1), (1.5, 20_000_000), (2.5, 30_000_000)):
            clock.now = 100 + after
            report(done, 100_000_000)
    assert [shown.data["text/plain"] for shown in front_end.output.shown] == [
        "Sending to <b>: 20 MB of 100 MB",
        "Sending to <b>: 30 MB of 100 MB · 10 MB/s · 7.0 s left",
        "",
    ]
    assert "<b>" not in front_end.output.html


def test_calls_in_python_show_the_same_bar(
    bare_shell: Any, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_open_bar", None)
    bare_shell.run("%load_ext primepods_magic")
    monkeypatch.setattr(bare_shell, "kernel", FrontEnd().kernel, raising=False)
    bare_shell.output.shown.clear()
    with progress.show_transfer("Sending data", None) as report:
        assert report is not None
        clock.now = 102.0
        report(20_000_000, 100_000_000)
    shown = [shown.data["text/plain"] for shown in bare_shell.output.shown]
    assert shown == ["Sending data: 20 MB of 100 MB", ""]
    bare_shell.run("%unload_ext primepods_magic")


def test_a_script_has_the_bar_on_stderr(clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = {name: Terminal() for name in ("stdin", "stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setenv("TERM", "xterm")
    with show_transfer(None, "Sending data") as report:
        assert report is not None
        clock.now = 102.0
        report(20_000_000, 100_000_000)
    assert "Sending data: 20 MB of 100 MB" in streams["stderr"].getvalue()
    assert streams["stdout"].getvalue() == ""
