"""Files of ours that are something else, and homes that are missing: commands work, or say so in one line."""

from __future__ import annotations

import json
import os
import pkgutil
import pwd
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import primepods_magic
from primepods_magic.api.errors import InvalidRequest, NotConfigured, PodsError
from primepods_magic.pods.connection.last_seen import greeting, note_seen
from tests.support.damage import DAMAGES, damage_path
from tests.support.soak import pick

CREATE = "%pod_create --gpu L4_24GB --name train --wait"
RELOAD = ("%reload_ext primepods_magic", "%pods connect --sandbox")
COMMANDS = (
    "%pods ls",
    "%pods history",
    "%pods costs",
    "%pods cache",
    "%pods ssh train",
    "%pods doctor",
    *RELOAD,
)
STATE, CONFIG, CACHE = ".local/state", ".config", ".cache"


def clear_place(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def history_file(home: Path) -> Path:
    (file,) = (home / CACHE / "primepods_magic" / "history").glob("*.db")
    return file


def last_seen_file(home: Path) -> Path:
    return home / STATE / "primepods_magic" / "last_seen.json"


# Which commands read or write a file.
USES: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "last seen": (last_seen_file, ("%pods ls", *RELOAD)),
    "history": (
        history_file,
        ("%pods history", "%pods costs", "%pods cache", "%pods cache --clear", "%pods history --refresh"),
    ),
    "ssh_config": (lambda home: home / CONFIG / "primepods_magic" / "ssh_config", ("%pods ssh train",)),
    "known_hosts": (lambda home: home / CONFIG / "primepods_magic" / "known_hosts", ("%pods doctor",)),
    "lock": (lambda home: home / CONFIG / "primepods_magic" / "ssh_config.lock", ()),
}


@pytest.mark.parametrize("name", USES)
def test_commands_work_whatever_a_file_of_ours_is(name: str, shell: Any, home: Path) -> None:
    shell.run(CREATE)
    shell.run("%pods history")
    where, lines = USES[name]
    path = where(home)
    for damage in DAMAGES:
        clear_place(path)
        damage_path(path, damage)
        for line in lines:
            shell.run(line)
        if (name, damage) == ("ssh_config", "folder"):
            with pytest.raises(InvalidRequest, match=r"Cannot write .*ssh_config \(Is a directory\)"):
                shell.run("%pods ssh train --config")
        else:
            shell.run("%pods ssh train --config")
            assert "pod-train" in shell.output.text, damage
        if damage == "folder":
            assert (path / "inside").read_text() == "kept"


@pytest.mark.parametrize("suffix", [".json", ".lock"])
def test_a_launch_finds_its_pod_whatever_its_record_is(suffix: str, shell: Any, home: Path) -> None:
    first = shell.run(CREATE)
    paths = list((home / STATE / "primepods_magic" / "launching").glob(f"*{suffix}"))
    assert paths
    for damage in DAMAGES:
        for path in paths:
            clear_place(path)
            damage_path(path, damage)
        assert shell.run(CREATE).id == first.id, damage
    assert len(shell.run("%pods ls")) == 1


@pytest.mark.parametrize("folder", [STATE, CONFIG, CACHE])
@pytest.mark.parametrize("below", ["", "primepods_magic"])
def test_commands_work_whatever_a_folder_of_ours_is(folder: str, below: str, shell: Any, home: Path) -> None:
    shell.run(CREATE)
    place = home / folder / below
    for damage in pick(("text", "loop"), ("empty", "text", "pipe", "dangling", "loop", "device")):
        clear_place(place)
        damage_path(place, damage)
        for line in COMMANDS:
            shell.run(line)
        if folder == CONFIG:
            with pytest.raises(InvalidRequest, match=r"Cannot write .*ssh_config \("):
                shell.run("%pods ssh train --config")
        else:
            shell.run("%pods ssh train --config")


@contextmanager
def as_somebody() -> Iterator[None]:
    """Run as somebody who may not do everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def load_all_modules() -> None:
    """Load the package, which may be in a folder that is root's alone."""
    for module in pkgutil.walk_packages(primepods_magic.__path__, "primepods_magic."):
        if not module.name.endswith("__main__"):
            import_module(module.name)


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_commands_work_in_a_home_that_may_not_be_written(mode: int, shell: Any, home: Path) -> None:
    load_all_modules()
    shell.run(CREATE)
    for line in COMMANDS:
        shell.run(line)
    shell.run("%pods ssh train --config")
    for path in [home, *home.rglob("*")]:
        path.chmod(mode if path.is_dir() else mode & 0o444)
    try:
        with as_somebody():
            for line in COMMANDS[: -len(RELOAD)]:
                shell.run(line)
            with pytest.raises(InvalidRequest, match=r"Cannot write .*ssh_config \(Permission denied\)"):
                shell.run("%pods ssh train --config")
            with pytest.raises(InvalidRequest, match="There is no id_ed25519"):
                shell.run("%pods keys add")
            with pytest.raises(InvalidRequest, match="cannot be written: "):
                shell.run("%pods costs --save ~/costs.csv")
    finally:
        for path in [home, *home.rglob("*")]:
            path.chmod(0o755)


@contextmanager
def refuses(error: type[PodsError], says: str) -> Iterator[None]:
    with pytest.raises(error, match=says) as refused:
        yield
    assert "\n" not in str(refused.value)


def without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_no_entry(*_: object) -> None:
        raise KeyError("no such user")

    monkeypatch.delenv("HOME")
    # Some versions of platformdirs take the home of the entry if HOME is relative.
    monkeypatch.setattr(pwd, "getpwuid", find_no_entry)
    monkeypatch.setattr(pwd, "getpwnam", find_no_entry)


def with_relative_home(monkeypatch: pytest.MonkeyPatch) -> None:
    without_home(monkeypatch)
    monkeypatch.setenv("HOME", "some/where")
    for kind in ("STATE", "CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", f"relative/{kind}")


@pytest.mark.parametrize("lose_home", [without_home, with_relative_home])
def test_commands_work_without_a_home(
    lose_home: Callable[[pytest.MonkeyPatch], None],
    shell: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    # Where matplotlib writes is not ours to say.
    monkeypatch.setenv("MPLCONFIGDIR", os.environ["HOME"])
    shell.run(CREATE)
    lose_home(monkeypatch)
    for line in COMMANDS:
        shell.run(line)
    with refuses(InvalidRequest, "The home folder is unknown, so Host blocks cannot be written"):
        shell.run("%pods ssh train --config")
    with refuses(InvalidRequest, "The home folder is unknown. Name the file"):
        shell.run("%pods keys add")
    if lose_home is without_home:
        for line in (
            "%pods keys add ~/id.pub",
            "%pods costs --save ~/costs.csv",
            "%pods costs --save ~/costs.png",
            "%pods costs --by project --projects ~/projects.yaml",
        ):
            with refuses(InvalidRequest, "Cannot expand .*: the home folder is unknown. Use a full path"):
                shell.run(line)
    (doctor,) = [row for row in shell.run("%pods doctor").itertuples() if row.check == "launch notes"]
    assert (doctor.result, doctor.what_to_do) == ("warning", "set HOME to your own folder")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_sandbox_names_a_file_that_is_not_its_own(damage: str, bare_shell: Any, home: Path) -> None:
    bare_shell.run("%load_ext primepods_magic")
    path = home / ".local" / "share" / "primepods_magic" / "sandbox.db"
    damage_path(path, damage)
    if damage == "empty":
        bare_shell.run("%pods connect --sandbox")
    else:
        with refuses(NotConfigured, f"Cannot start the sandbox here: {path} .*: .*(choose|name|make)"):
            bare_shell.run("%pods connect --sandbox")
        assert os.path.lexists(path)
    bare_shell.run("%unload_ext primepods_magic")


@pytest.mark.parametrize("place", [".local", ".local/share", ".local/share/primepods_magic"])
@pytest.mark.parametrize("damage", ["empty", "pipe", "dangling"])
def test_a_sandbox_without_a_folder_is_kept_nowhere(
    place: str, damage: str, bare_shell: Any, home: Path
) -> None:
    damage_path(home / place, damage)
    bare_shell.run("%load_ext primepods_magic")
    bare_shell.run("%pods connect --sandbox")
    assert len(bare_shell.run("%pods ls")) == 0
    bare_shell.run("%unload_ext primepods_magic")


def test_a_database_in_the_place_of_notes_is_begun_again(home: Path) -> None:
    path = last_seen_file(home)
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE mine (x)")
    assert greeting() is None
    note_seen("me", 2, 4.78, is_sandbox=False)
    assert "2 pods were running" in (greeting() or "")


@pytest.mark.parametrize(
    "note",
    [
        {"pods": "many"},
        {"pods": 1, "usd_hr": "NaN", "sandbox": False, "seen_at": 1},
        {"pods": 1, "usd_hr": 1, "sandbox": False, "seen_at": "Infinity"},
        {"pods": 1e999, "usd_hr": 1, "sandbox": False, "seen_at": 1},
        {"pods": 1, "usd_hr": 10**400, "sandbox": False, "seen_at": 1},
        None,
        [],
    ],
)
def test_notes_with_odd_values_are_begun_again(note: object, home: Path) -> None:
    path = last_seen_file(home)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"a": note}))
    greeting()
    note_seen("me", 1, 1.0, is_sandbox=False)
    assert "1 pod was running when last seen just now: $1.00/h" in (greeting() or "")
