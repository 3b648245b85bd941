"""Folders of this user, which may be missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.local.folders import expand_path, find_folder, find_home, make_folder, shorten_path


@pytest.mark.parametrize("kind", ["state", "cache", "config", "data"])
def test_finds_folders_below_the_home(kind: str, home: Path) -> None:
    folder = find_folder(kind)  # type: ignore[arg-type]
    assert folder is not None
    assert folder.is_relative_to(home)


@pytest.mark.parametrize("xdg", [None, "", "relative", "/srv/xdg/"])
@pytest.mark.parametrize("kind", ["state", "cache", "config", "data"])
def test_finds_folders_that_platformdirs_finds(
    kind: str, xdg: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if xdg is None:
        monkeypatch.delenv(f"XDG_{kind.upper()}_HOME", raising=False)
    else:
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", xdg)
    theirs = Path(getattr(platformdirs, f"user_{kind}_dir")("primepods_magic"))
    assert find_folder(kind) == theirs  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["relative/home", "~", "."])
@pytest.mark.parametrize("kind", ["state", "cache", "config", "data"])
def test_finds_no_relative_folder_below_a_relative_home(
    kind: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", value)
    assert find_home() is None
    # Some versions of platformdirs take the home of the passwd entry instead.
    folder = find_folder(kind)  # type: ignore[arg-type]
    assert folder is None or folder.is_absolute()
    assert shorten_path(Path("/etc")) == "/etc"


_WITHOUT_PASSWD = """
import os, pwd
def refuse(*_): raise KeyError("no such user")
pwd.getpwuid = pwd.getpwnam = refuse
os.environ.pop("HOME", None)
from primepods_magic.api.local.folders import expand_path, find_folder, find_home
from primepods_magic.api.errors import InvalidRequest
assert find_home() is None
assert [find_folder(kind) for kind in ("state", "cache", "config", "data")] == [None] * 4
try:
    expand_path("~/x")
except InvalidRequest as error:
    print(error)
"""


def test_finds_no_folder_without_a_home_and_a_passwd_entry() -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "HOME"))}
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PASSWD], capture_output=True, text=True, env=env, check=False
    )
    assert (run.stderr, run.returncode) == ("", 0)
    assert run.stdout == "Cannot expand '~/x': the home folder is unknown. Use a full path\n"


def test_expands_the_home(home: Path) -> None:
    assert expand_path("~/a/b.csv") == home / "a" / "b.csv"
    assert expand_path(Path("b~.csv")) == Path("b~.csv")


@pytest.mark.parametrize("path", ["", ".", "/", "a\0b", "~nobody-of-this-name/x"])
def test_refuses_what_is_not_a_path_to_a_file(path: str) -> None:
    with pytest.raises(InvalidRequest):
        expand_path(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_makes_every_folder_for_this_user_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_folder(tmp_path / "a" / "b" / "c")
        make_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    made = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    assert [folder.stat().st_mode & 0o777 for folder in made] == [0o700] * 3
