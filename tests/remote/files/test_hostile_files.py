"""Pods that lie about files: nothing is written outside the target, runs, or takes more than was agreed."""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from primepods_magic.api.errors import InvalidRequest, PodsError, TransferFailed, UnexpectedAnswer
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.agent.files.listing import Entry
from primepods_magic.remote.agent.frames import BadFrame
from primepods_magic.remote.files.downloads import check_entries
from primepods_magic.remote.files.transfers import get_files, put_files
from primepods_magic.remote.files.values import fetch_bytes
from primepods_magic.remote.frame_checks import check_frame
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.ssh.routes import find_route
from tests.remote.conftest import describe_pod, pin_host
from tests.remote.files.conftest import describe_tree
from tests.support import hostile_files
from tests.support.agents import kill_marked
from tests.support.openssh import OpenSshServer, openssh_server

GOOD = ["wrong hash", "no hash", "too short", "nothing"]
"""Streams that are well-formed, of a file that is not what it should be."""
HARMLESS = ("paths", "links", "huge", "levels", "one file", "one link", "one folder", "two")
"""Lists that a folder may have."""


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "mode"


@pytest.fixture(scope="module")
def hostile_server(chosen: Path) -> Iterator[OpenSshServer]:
    command = f"ForceCommand {sys.executable} -S {hostile_files.__file__} {chosen}"
    mark = f"PRIMEPODS_TEST_POD={chosen}"
    with openssh_server(chosen.parent / "server", command, f"SetEnv {mark}") as server:
        yield server
        kill_marked(mark)


@pytest.fixture
def choose(
    connection: Connection,
    hostile_server: OpenSshServer,
    chosen: Path,
    open_links: dict[str, PodLink],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], PodLink]:
    """The connection to a pod, and what it lies about from now on."""
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(hostile_server.key))
    pin_host(hostile_server.host_key)

    def choose_mode(mode: str) -> PodLink:
        chosen.write_text(mode)
        link = open_links.get("hostile")
        if link is None or not link.is_alive:
            link = PodLink(find_route(connection, describe_pod(hostile_server.target)), lambda: None)
            open_links["hostile"] = link
        return link

    return choose_mode


def read_outside(tmp_path: Path) -> list[str]:
    return [name for name in describe_tree(tmp_path) if not name.startswith(("here/got", "state", "home"))]


def test_a_file_as_it_was_listed_arrives(choose: Callable[[str], PodLink], here: Path) -> None:
    get_files(choose("honest"), ["x"], "got")
    assert (here / "got/x/good").read_bytes() == hostile_files.CONTENT


def test_no_path_leads_outside(choose: Callable[[str], PodLink], here: Path, tmp_path: Path) -> None:
    before = read_outside(tmp_path)
    with pytest.warns(UserWarning, match="Skipped: ../evil \\(its name is not allowed here\\)"):
        result = get_files(choose("list: paths"), ["x"], "got")
    assert read_outside(tmp_path) == before
    assert not Path("/tmp/evil").exists()
    assert result.count_actions() == {"skipped": 7, "fetched": 1}
    assert [path.name for path in (here / "got/x").iterdir()] == ["nul\udcff"]


def test_no_link_leads_outside(choose: Callable[[str], PodLink], here: Path, tmp_path: Path) -> None:
    before = read_outside(tmp_path)
    with (
        pytest.warns(UserWarning, match="a link that leads out of the folder"),
        pytest.raises(PodsError, match=r"e/evil \('e' is in its way, which is not a folder\)"),
    ):
        get_files(choose("list: links"), ["x"], "got")
    assert read_outside(tmp_path) == before
    assert describe_tree(here / "got/x").keys() == {"in", "e"}
    assert os.readlink(here / "got/x/e") == "in"


def test_a_folder_here_that_is_a_link_is_not_followed(
    choose: Callable[[str], PodLink], here: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (here / "got/x").mkdir(parents=True)
    (here / "got/x/good").symlink_to(tmp_path / "outside/file")
    get_files(choose("honest"), ["x"], "got", force=True)
    assert not (here / "got/x/good").is_symlink()
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_pattern_fetches_only_what_matches_it(choose: Callable[[str], PodLink], here: Path) -> None:
    get_files(choose("match: honest"), ["x/g*d"], "got")
    assert [path.name for path in (here / "got").iterdir()] == ["good"]
    with pytest.raises(UnexpectedAnswer, match=r"files that were not asked for\. Nothing was written"):
        get_files(choose("match: honest"), ["x/*.csv"], "other")
    assert not (here / "other").exists()
    with pytest.raises(InvalidRequest) as caught:
        get_files(choose("match: nothing"), ["x/*.csv"], "other")
    assert "\x1b" not in str(caught.value)
    assert str(caught.value).endswith("'x' has �[2J<b>. Nothing was fetched")


def test_one_file_has_the_name_that_it_was_asked_for_by(choose: Callable[[str], PodLink], here: Path) -> None:
    result = get_files(choose("one: one file"), ["models/model.pt"])
    assert [path.name for path in here.iterdir()] == [result.files[0].path] == ["model.pt"]
    for name in ("one link", "one folder", "two"):
        with pytest.raises(
            UnexpectedAnswer, match=r"other files than the one that was asked for\. Nothing was"
        ):
            get_files(choose(f"one: {name}"), ["x"])
    assert [path.name for path in here.iterdir()] == ["model.pt"]


def test_a_list_that_is_none_is_refused(choose: Callable[[str], PodLink], here: Path) -> None:
    modes = [f"list: {name}" for name in hostile_files.LISTS if name not in HARMLESS]
    for mode in [*modes, *(f"raw list: {name}" for name in hostile_files.RAW_LISTS)]:
        with pytest.raises(UnexpectedAnswer, match="Nothing was written"):
            get_files(choose(mode), [mode], "got")
        assert not (here / "got").exists()


def test_more_than_the_disk_holds_is_not_begun(choose: Callable[[str], PodLink], here: Path) -> None:
    with pytest.raises(PodsError, match=r"left, and .* more are needed. Nothing was f"):
        get_files(choose("list: huge"), ["x"], "got")
    assert not (here / "got").exists()


def test_nothing_else_than_was_asked_for_is_written(
    choose: Callable[[str], PodLink], here: Path, tmp_path: Path
) -> None:
    before = read_outside(tmp_path)
    for name in hostile_files.STREAMS:
        if name not in GOOD:
            with pytest.raises(UnexpectedAnswer, match="sent something else than the files that were asked"):
                get_files(choose(f"stream: {name}"), [name], "got")
            # Of 'twice', the first.
            assert describe_tree(here / "got" / name).keys() <= ({"good"} if name == "twice" else set())
    assert read_outside(tmp_path) == before


def test_a_file_that_is_not_whole_is_not_kept(choose: Callable[[str], PodLink], here: Path) -> None:
    for name in GOOD:
        with pytest.raises(TransferFailed, match=r"^1 of 1 files could not be .*good \((its hash|it )"):
            get_files(choose(f"stream: {name}"), [name], "got")
        assert list((here / "got" / name).iterdir()) == []


def test_no_field_of_an_answer_has_another_type() -> None:
    for values in hostile_files.HEADERS.values():
        with pytest.raises(BadFrame, match="is of another type"):
            check_frame({"type": "reply", "id": "x", **values})


def test_no_answer_is_larger_than_was_asked_for(choose: Callable[[str], PodLink], here: Path) -> None:
    with pytest.raises(PodsError, match="an answer larger than was asked for"):
        get_files(choose("large"), ["x"], "got")
    assert list((here / "got/x").iterdir()) == []


def test_blocks_without_content_are_an_error(choose: Callable[[str], PodLink], here: Path) -> None:
    with pytest.raises(UnexpectedAnswer, match="a block that is empty"):
        get_files(choose("endless"), ["x"], "got")


def test_names_and_folders_without_end_are_refused(choose: Callable[[str], PodLink], here: Path) -> None:
    with (
        pytest.warns(UserWarning, match=r"Skipped: a/a/.* \(it is in more than 200 folders\)") as warned,
        pytest.raises(PodsError, match=r"1 of 1 files .* xxx.* \(File name too long\)\. The pod") as caught,
    ):
        get_files(choose("list: levels"), ["x"], "got")
    assert len(str(warned[0].message)) + len(str(caught.value)) < 2000


def test_a_list_takes_little_memory(choose: Callable[[str], PodLink], here: Path) -> None:
    link = choose("raw list: many")
    tracemalloc.start()
    try:
        with pytest.raises(UnexpectedAnswer):
            get_files(link, ["x"], "got")
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_no_value_is_another_one(choose: Callable[[str], PodLink]) -> None:
    for name in hostile_files.STREAMS:
        # Of these, what differs is not used.
        if name not in ("a link", "another start", "another time"):
            with pytest.raises(PodsError):
                print(name, fetch_bytes(choose(f"stream: {name}"), "/x/good", max_bytes=100))


def test_what_a_pod_says_of_failures_is_safe_to_print(choose: Callable[[str], PodLink], here: Path) -> None:
    (here / "good").write_text("x")
    with pytest.raises(PodsError, match="could not be sent") as caught:
        put_files(choose("look up"), ["good"], "y")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_names_that_are_one_file_here_are_refused() -> None:
    entries = [Entry(path, "file", 1, 1, 0o644, "") for path in ("A", "a", "é", "e\u0301", "b")]
    accepted, refused = check_entries(entries, folds_case=True)
    assert [entry.path for entry in accepted] == ["A", "é", "b"]
    assert [file.path for file in refused] == ["a", "e\u0301"]
    assert check_entries(entries, folds_case=False)[1] == []


def test_what_git_python_or_a_shell_would_run_is_not_fetched() -> None:
    for name in (".git", ".GIT", "git~1", ".git ", ".g\u200cit", ".Git::$INDEX_ALLOCATION", ".git.."):
        entries = [
            Entry("a", "dir", 0, 1, 0o755, ""),
            Entry(f"a/{name}", "dir", 0, 1, 0o755, ""),
            Entry(f"a/{name}/config", "file", 1, 1, 0o644, ""),
        ]
        accepted, refused = check_entries(entries, folds_case=False)
        assert [entry.path for entry in accepted] == ["a"]
        assert [(file.path, file.detail) for file in refused] == [(f"a/{name}", "git would run what it says")]
    # Any folder with these is a repository to git, and its settings name commands.
    bare = [Entry(f"x/{name}", "file", 1, 1, 0o644, "") for name in ("HEAD", "config", "objects/a", "refs/a")]
    for folds_case, name in ((False, "HEAD"), (True, "head"), (False, "HE\u200cAD")):
        accepted, refused = check_entries(
            [bare[0]._replace(path=f"x/{name}"), *bare[1:]], folds_case=folds_case
        )
        assert accepted == bare[1:]
        assert refused[0].detail == "git would take its folder for a repository"
    for name in ("__pycache__/a.pyc", "__PyCache__", "in/.ipynb_checkpoints/a"):
        assert check_entries([Entry(name, "file", 1, 1, 0o644, "")], folds_case=False) == ([], [])
    kept = [
        Entry(name, "file", 1, 1, 0o644, "")
        for name in (".gitignore", "x.git", "git", ".bashrc", "in/.b", "head")
    ]
    assert check_entries(kept, folds_case=False) == (kept, [])
    assert [file.path for file in check_entries(kept, folds_case=False, is_home=True)[1]] == [
        ".gitignore",
        ".bashrc",
    ]


@pytest.mark.parametrize(
    "name", ["C:x", "c:\\x", "a\\..\\b", "CON", "nul.txt", "x.", "x ", "a*", "a\x01", "COM1"]
)
def test_names_that_mean_something_to_windows_are_refused_there(name: str) -> None:
    entries = [Entry(f"in/{name}", "file", 1, 1, 0o644, "")]
    assert check_entries(entries, folds_case=True, is_windows=True)[0] == []
    assert check_entries(entries, folds_case=False, is_windows=False)[0] == entries
