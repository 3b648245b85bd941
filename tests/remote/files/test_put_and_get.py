"""Files and folders, both ways: identical trees, what is unchanged or newer, and what goes on later."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from primepods_magic.api.errors import InvalidRequest, PodsError, WaitInterrupted
from primepods_magic.remote.agent.files import part_file
from primepods_magic.remote.agent.files.stream import BLOCK_BYTES, MAX_PIECE_BYTES, cut_blocks
from primepods_magic.remote.files import downloads, uploads
from primepods_magic.remote.files.streams import MAX_BLOCK_BYTES, StreamWatch
from primepods_magic.remote.files.transfers import get_files, put_files
from primepods_magic.remote.link import _MAX_STRAY_BYTES, PodLink
from tests.remote.files.conftest import describe_tree, make_tree

OLD_NS = 1_500_000_000_000_000_000


def test_blocks_are_bounded_and_large_pieces_are_not_copied() -> None:
    pieces = [os.urandom(size) for size in (5, 100_000, 5, 9, *[MAX_PIECE_BYTES] * 7, 200) * 3]
    blocks = list(cut_blocks(pieces))
    assert b"".join(buffer for block in blocks for buffer in block) == b"".join(pieces)
    assert max(sum(map(len, block)) for block in blocks) <= min(MAX_BLOCK_BYTES, _MAX_STRAY_BYTES)
    assert min(sum(map(len, block)) for block in blocks[:-1]) >= BLOCK_BYTES
    kept = {id(buffer) for block in blocks for buffer in block}
    assert all(id(piece) in kept for piece in pieces if len(piece) >= 100_000)


def test_a_tree_is_the_same_on_the_other_side(link: PodLink, here: Path, there: Path) -> None:
    make_tree(here / "tree")
    before = describe_tree(here / "tree")
    result = put_files(link, ["tree"], str(there))
    assert describe_tree(there / "tree") == before
    assert result.count_actions() == {"sent": len(before) + 1}
    fetched = get_files(link, [str(there / "tree")], "back")
    assert describe_tree(here / "back/tree") == before
    assert set(fetched.count_actions()) == {"fetched"}
    assert (here / "back/tree/zeros").stat().st_blocks * 512 < 1_500_000


def test_what_is_unchanged_is_not_sent_again(link: PodLink, here: Path, there: Path) -> None:
    make_tree(here / "tree")
    put_files(link, ["tree"], str(there))
    again = put_files(link, ["tree"], str(there))
    assert (set(again.count_actions()), again.sent_bytes) == ({"unchanged"}, 0)
    # Only the time differs: the hashes say that nothing else does.
    os.utime(here / "tree/zeros")
    touched = put_files(link, ["tree"], str(there))
    assert (set(touched.count_actions()), touched.sent_bytes) == ({"unchanged"}, 0)
    assert describe_tree(there / "tree") == describe_tree(here / "tree")
    os.utime(here / "tree/zeros", ns=(OLD_NS, OLD_NS))
    fetched = get_files(link, [str(there / "tree")])
    assert (set(fetched.count_actions()), fetched.sent_bytes) == ({"unchanged"}, 0)
    assert describe_tree(there / "tree") == describe_tree(here / "tree")


def test_an_edit_within_the_second_that_the_pod_keeps_is_sent(link: PodLink, here: Path, there: Path) -> None:
    (here / "a").write_text("old")
    put_files(link, ["a"], str(there))
    os.utime(there / "a", ns=(OLD_NS, OLD_NS // 10**9 * 10**9))
    os.utime(here / "a", ns=(OLD_NS, OLD_NS // 10**9 * 10**9 + 5 * 10**8))
    assert put_files(link, ["a"], str(there)).sent_bytes == 0
    os.utime(there / "a", ns=(OLD_NS, OLD_NS // 10**9 * 10**9))
    (here / "a").write_text("new")
    os.utime(here / "a", ns=(OLD_NS, OLD_NS // 10**9 * 10**9 + 5 * 10**8))
    put_files(link, ["a"], str(there))
    assert (there / "a").read_text() == "new"


def test_what_is_newer_is_not_overwritten(link: PodLink, here: Path, there: Path) -> None:
    (here / "a").write_text("mine")
    os.utime(here / "a", ns=(OLD_NS, OLD_NS))
    (there / "a").write_text("theirs")
    with pytest.warns(UserWarning, match=r"Not overwritten, as they are newer .*: a\. Pass --force"):
        assert put_files(link, ["a"], str(there)).count_actions() == {"newer": 1}
    assert (there / "a").read_text() == "theirs"
    assert put_files(link, ["a"], str(there), force=True).count_actions() == {"sent": 1}
    assert (there / "a").read_text() == "mine"
    (here / "a").write_text("newer")
    with pytest.warns(UserWarning, match="Not overwritten"):
        get_files(link, [str(there / "a")])
    assert (here / "a").read_text() == "newer"
    get_files(link, [str(there / "a")], force=True)
    assert (here / "a").read_text() == "mine"


def test_what_changes_meanwhile_is_not_overwritten(
    link: PodLink, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "a").write_text("mine")
    send = uploads.send_stream

    def change_first(*args: object) -> object:
        (there / "a").write_text("theirs")
        return send(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(uploads, "send_stream", change_first)
    with pytest.raises(PodsError, match=r"1 of 1 files could not be sent .*a \(it has changed there meanwh"):
        put_files(link, ["a"], str(there))
    assert (there / "a").read_text() == "theirs"


@pytest.mark.parametrize("old", [b"", b"old"])
@pytest.mark.parametrize("way", ["put", "get"])
def test_what_changes_while_it_is_transferred_is_not_overwritten(
    link: PodLink, here: Path, there: Path, way: str, old: bytes
) -> None:
    source, target = (here, there) if way == "put" else (there, here)
    (source / "big").write_bytes(os.urandom(12_000_000))
    if old:
        (target / "big").write_bytes(old)
        os.utime(target / "big", ns=(OLD_NS, OLD_NS))
    watch = StreamWatch()
    watch.on_progress = lambda done, _: (target / "big").write_text("saved meanwhile") if done else None
    call, path, to = (put_files, "big", str(there)) if way == "put" else (get_files, str(there / "big"), ".")
    with pytest.raises(PodsError, match=r"big \(it has changed t?here meanwhile\)"):
        call(link, [path], to, watch=watch)
    assert (target / "big").read_text() == "saved meanwhile"


@pytest.mark.parametrize(
    ("target", "path"),
    [("", "a.csv"), ("~", "a.csv"), ("new.csv", "new.csv"), ("~/x/y.csv", "x/y.csv"), ("x/", "x/a.csv")],
)
def test_one_file_goes_where_it_is_told(
    link: PodLink, here: Path, pod_folder: Path, target: str, path: str
) -> None:
    (here / "a.csv").write_text(target)
    put_files(link, ["a.csv"], target)
    # Once more, it goes to the same place.
    put_files(link, ["a.csv"], target)
    assert (pod_folder / "home" / path).read_text() == target
    get_files(link, [f"~/{path}"], "got.csv")
    get_files(link, [path], "got/")
    assert (here / "got.csv").read_text() == (here / "got" / Path(path).name).read_text() == target


def test_patterns_and_named_links(link: PodLink, here: Path, there: Path) -> None:
    for name in ("a.csv", "b.csv", "c.txt"):
        (here / name).write_text(name)
    (here / "folder").mkdir()
    (here / "folder/d").write_text("d")
    (here / "alias").symlink_to("folder")
    put_files(link, ["*.csv", "alias"], str(there))
    assert sorted(describe_tree(there)) == ["a.csv", "alias", "alias/d", "b.csv"]
    (there / "named").symlink_to("a.csv")
    get_files(link, [str(there / "named"), str(there / "alias")], "got")
    assert sorted(describe_tree(here / "got")) == ["alias", "alias/d", "named"]


def test_a_link_that_is_fetched_keeps_its_name(link: PodLink, here: Path, there: Path) -> None:
    (there / "in").mkdir()
    (there / "in/train.py").write_text("theirs")
    (there / "model.pt").symlink_to("in/train.py")
    (here / "train.py").write_text("mine")
    os.utime(here / "train.py", ns=(OLD_NS, OLD_NS))
    assert [file.path for file in get_files(link, [str(there / "model.pt")]).files] == ["model.pt"]
    assert ((here / "train.py").read_text(), (here / "model.pt").read_text()) == ("mine", "theirs")
    (here / "model.pt").write_text("newer")
    with pytest.warns(UserWarning, match=r"Not overwritten, .*: model\.pt\."):
        get_files(link, [str(there / "model.pt")])


def test_two_that_would_be_one_are_refused(link: PodLink, here: Path, there: Path) -> None:
    for side in (here, there):
        for name in ("1", "2"):
            (side / name / "run").mkdir(parents=True)
            (side / name / "log").write_text(name)
            (side / name / f"run/{name}").write_text(name)
    before = describe_tree(there), describe_tree(here)
    with pytest.raises(InvalidRequest, match=r"/1/log, .*/2/log would both be 'new/log'\. Nothing was sent"):
        put_files(link, ["1/log", "2/log"], "new")
    logs = [str(there / "1/log"), str(there / "2/log")]
    for paths in (logs, [logs[0], f"{there}/2/*g"]):
        with pytest.raises(InvalidRequest, match=r"/1/log, .*/2/log would both be .* Nothing was fetched"):
            get_files(link, paths, "got")
    assert (describe_tree(there), describe_tree(here)) == before
    # Folders of one name that have different files lose nothing; a file that is named twice is one file.
    get_files(link, [str(there / "1/run"), str(there / "2/run"), logs[0], f"{there}/1/*g"], "got")
    assert describe_tree(here / "got").keys() == {"run", "run/1", "run/2", "log"}


def test_every_link_that_was_named_is_sent(link: PodLink, here: Path, there: Path) -> None:
    (here / "real.csv").write_text("r")
    for name in ("train.csv", "test.csv"):
        (here / name).symlink_to("real.csv")
    result = put_files(link, ["train.csv", "test.csv", "real.csv"], str(there))
    assert result.count_actions() == {"sent": 3}
    assert describe_tree(there).keys() == {"train.csv", "test.csv", "real.csv"}
    # Here is another one with the name of the link.
    (here / "old").mkdir()
    (here / "old/train.csv").symlink_to("../real.csv")
    (here / "train.csv").unlink()
    (here / "train.csv").write_text("new")
    with pytest.raises(InvalidRequest, match=r"real\.csv would both be 'new/train.csv'\. Nothing was sent"):
        put_files(link, ["train.csv", "old/train.csv"], "new")
    (here / "train.csv").unlink()
    (here / "train.csv").symlink_to("old/train.csv")
    assert put_files(link, ["train.csv", "old/train.csv"], str(there)).count_actions() == {"unchanged": 2}


def test_what_is_not_there_is_said(link: PodLink, here: Path, there: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"There is no file 'x\*' here\. Nothing was sent"):
        put_files(link, ["x*"], str(there))
    with pytest.raises(InvalidRequest, match=r"There is no file 'none' on 'train'\. Nothing was fetched"):
        get_files(link, ["none"])
    with pytest.raises(InvalidRequest, match="Name a file or a folder"):
        get_files(link, [""])
    (here / "a").touch()
    (there / "a").touch()
    with pytest.raises(InvalidRequest, match="is a file, not a folder"):
        put_files(link, ["a", "."], str(there / "a"))


def test_devices_and_links_in_the_way_are_left_alone(link: PodLink, here: Path, there: Path) -> None:
    (here / "tree/in").mkdir(parents=True)
    (here / "tree/in/a").write_text("a")
    (here / "tree/b").write_text("b")
    os.mkfifo(here / "tree/fifo")
    outside = there / "outside"
    (there / "tree").mkdir()
    outside.mkdir()
    (there / "tree/in").symlink_to(outside)
    with (
        pytest.warns(UserWarning, match=r"Skipped: tree/fifo \(not a file\), tree/in \(a file of that name"),
        pytest.raises(PodsError, match=r"1 of 2 files could not be sent .*tree/in/a \('in' is in its way"),
    ):
        put_files(link, ["tree"], str(there))
    assert list(outside.iterdir()) == []
    assert (there / "tree/b").read_text() == "b"


@pytest.mark.parametrize("way", ["put", "get"])
def test_an_end_keeps_the_beginning(
    link: PodLink, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    source, target = (here, there) if way == "put" else (there, here)
    (source / "big").write_bytes(os.urandom(20_000_000))

    def transfer(watch: StreamWatch) -> int:
        if way == "put":
            return put_files(link, ["big"], str(there), watch=watch).sent_bytes
        return get_files(link, [str(there / "big")], watch=watch).sent_bytes

    watch = StreamWatch()
    watch.on_progress = lambda done, _: watch.stop.set() if done > 8_000_000 else None
    with pytest.raises(WaitInterrupted, match=r"Interrupted after .* of 20 MB .* Run the same again"):
        transfer(watch)
    part = target / ".big.primepods-part"
    assert part.stat().st_size >= 4_000_000
    assert not (target / "big").exists()
    rest = transfer(StreamWatch())
    assert rest <= 16_000_000
    assert (target / "big").read_bytes() == (source / "big").read_bytes()
    assert not part.exists()
    # A beginning of something else is not used.
    (target / "big").unlink()
    part.write_bytes(os.urandom(8_000_000))
    assert transfer(StreamWatch()) == 20_000_000
    assert (target / "big").read_bytes() == (source / "big").read_bytes()


def test_a_full_disk_is_said_before_anything_is_sent(
    link: PodLink, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(here / "huge", "wb") as file:
        file.truncate(1 << 43)
    with pytest.raises(PodsError, match=r"The disk of 'train' has .* left, and 8\.8 TB more"):
        put_files(link, ["huge"], str(there))
    assert list(there.iterdir()) == []
    monkeypatch.setattr(downloads, "find_free_bytes", lambda _: 10)
    (there / "a").write_text("more than that")
    with pytest.raises(PodsError, match=r"has 10 bytes left, and 14 bytes more are needed\. Nothing was fet"):
        get_files(link, [str(there / "a")], "got")
    assert not (here / "got").exists()


def test_a_disk_that_fills_meanwhile_is_said(
    link: PodLink, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (there / "a").write_text("a")

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(part_file.os, "ftruncate", fail)
    with pytest.raises(PodsError, match=r"The disk of '.*got' is full; a could not be written\. Free space"):
        get_files(link, [str(there / "a")], "got/")
    assert list((here / "got").iterdir()) == []


def test_a_progress_is_of_all_files(link: PodLink, here: Path, there: Path) -> None:
    for number in range(5):
        (here / f"{number}").write_bytes(os.urandom(1_000_000))
    seen: list[tuple[int, int]] = []
    put_files(link, ["?"], str(there), watch=StreamWatch(on_progress=lambda *now: seen.append(now)))
    assert seen[-1] == (5_000_000, 5_000_000)
    seen.clear()
    get_files(link, [str(there)], "got", watch=StreamWatch(on_progress=lambda *now: seen.append(now)))
    assert seen[-1] == (5_000_000, 5_000_000)


def test_two_that_write_the_same_file_do_not_mix(link: PodLink, here: Path, there: Path) -> None:
    for name, letter in (("one", b"1"), ("two", b"2")):
        (here / name).mkdir()
        (here / name / "big").write_bytes(letter * 30_000_000)
    outcomes = []

    def put(name: str) -> None:
        try:
            put_files(link, [str(here / name / "big")], str(there), force=True)
            outcomes.append("sent")
        except PodsError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=put, args=[name]) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["sent", "sent"]
    assert describe_tree(there).keys() == {"big"}
    assert set((there / "big").read_bytes()) in ({ord("1")}, {ord("2")})


def test_the_folder_of_the_agent_is_left_alone(
    link: PodLink, here: Path, pod_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pod_folder / "home/notes").write_text("notes")
    (here / ".primepods").mkdir()
    (here / ".primepods/socket").write_text("mine")
    with pytest.raises(PodsError, match=r"\.primepods/socket \(that is the folder of the agent\)"):
        put_files(link, [".primepods"], force=True)
    for path in ("~/.primepods", f"{pod_folder}/home/.primepods/values"):
        with pytest.raises(PodsError, match=r"could not do it \(that is the folder of the agent\)"):
            get_files(link, [path], "got")
    (pod_folder / "home/.git").mkdir()
    with pytest.warns(UserWarning, match=r"Skipped: \.git \(git would run what it says\)"):
        get_files(link, ["~"], "got")
    assert (here / "got/notes").exists()
    assert not (here / "got/.primepods").exists()
    assert not (here / "got/.git").exists()
    # What a pod says of the files that shells run here does not count.
    monkeypatch.setenv("HOME", str(here / "local"))
    (pod_folder / "home/.bashrc").write_text("evil")
    with pytest.warns(UserWarning, match=r"\.bashrc \(a hidden file of the home\)"):
        get_files(link, ["~"], "local")
    assert describe_tree(here / "local").keys() >= {"notes"}
    assert not (here / "local/.bashrc").exists()
    get_files(link, [".bashrc"], "local")
    assert (here / "local/.bashrc").exists()


def test_odd_times_are_kept(link: PodLink, here: Path, there: Path) -> None:
    for name, seconds in (("future", 1 << 33), ("past", -5), ("plain", 1)):
        (here / name).write_text(name)
        os.utime(here / name, (seconds, seconds))
    put_files(link, ["*"], str(there))
    assert describe_tree(there) == describe_tree(here)
    get_files(link, [str(there)], "got")
    assert describe_tree(here / "got/there") == describe_tree(there)


@pytest.mark.parametrize("way", ["put", "get"])
def test_the_same_transfer_at_once_succeeds_each_time(
    link: PodLink, here: Path, there: Path, way: str
) -> None:
    source = here if way == "put" else there
    (source / "tree").mkdir()
    for number in range(40):
        (source / f"tree/{number}").write_bytes(os.urandom(100_000))
        (source / f"tree/link{number}").symlink_to(f"{number}")
    outcomes = []

    def transfer() -> None:
        try:
            put_files(link, ["tree"], str(there)) if way == "put" else get_files(link, [f"{there}/tree"])
            outcomes.append("done")
        except PodsError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=transfer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["done"] * 3
    assert describe_tree(here / "tree") == describe_tree(there / "tree")


def test_the_same_again_at_once_after_ctrl_c(link: PodLink, here: Path, there: Path) -> None:
    (here / "tree").mkdir()
    for number in range(60):
        (here / f"tree/{number}").write_bytes(os.urandom(150_000))
    for number in range(4):
        watch = StreamWatch()
        watch.on_progress = lambda done, _, watch=watch: watch.stop.set() if done else None  # type: ignore[misc]
        with pytest.raises(WaitInterrupted):
            put_files(link, ["tree"], f"{there}/{number}", watch=watch)
        put_files(link, ["tree"], f"{there}/{number}")
        assert describe_tree(there / f"{number}/tree") == describe_tree(here / "tree")
