"""Lines about files: what a pod says of them is hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from primepods_magic.notebook.cells.file_notes import describe_missing_file, describe_new_files


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"folder": 1, "count": 1, "files": [["a", 1]]},
        {"folder": ".", "count": "1", "files": [["a", 1]]},
        {"folder": ".", "count": 1, "files": {"a": 1}},
        {"folder": ".", "count": 1, "files": [["a"], ["a", -1], ["a", 1e400], [1, 1], "ab", ["a", 1 << 70]]},
    ],
)
def test_nothing_is_said_of_what_is_no_list_of_files(found: object) -> None:
    assert describe_new_files(found, "train") == ""


@pytest.mark.parametrize(
    "path",
    ["a b", "$(rm)", "{rm()}", "a;b", "a'b", "\x1b[31m", "a\nb", "-rf", "é", "x" * 900, "`id`", "a\\b"],
)
def test_no_command_has_a_path_that_is_more_than_a_word(path: str) -> None:
    said = describe_new_files({"folder": ".", "count": 1, "files": [[path, 5]]}, "train")
    assert said.startswith("New on 'train': ")
    assert "%pods get" not in said
    assert "\x1b" not in said
    assert "\n" not in said
    assert len(said) < 200


def test_the_largest_are_named_and_the_rest_are_counted() -> None:
    files: list[Any] = [[f"f{n}", 2000 - n] for n in range(20)]
    said = describe_new_files({"folder": "/data", "count": 300, "files": files}, "24b59b")
    assert said == (
        "New on '24b59b': /data/f0 (2 kB), /data/f1 (2 kB), /data/f2 (2 kB), /data/f3 (2 kB), "
        "/data/f4 (2 kB) and 295 more. '%pods get POD:/data/f0 POD:/data/f1 POD:/data/f2 POD:/data/f3 "
        "POD:/data/f4' fetches them."
    )


def test_only_a_file_of_this_computer_is_pointed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.csv").touch()
    (tmp_path / "data.csv").touch()
    begin = "[Errno 2] No such file or directory: "
    assert describe_missing_file(f"{begin}'other.csv'", "train") == ""
    assert describe_missing_file("data.csv", "train") == ""
    assert describe_missing_file(f"{begin}'data.csv\0'", "train") == ""
    said = describe_missing_file(f"{begin}'data.csv'", "train")
    assert said == "'data.csv' exists here, but not on 'train'. '%pods put data.csv train' sends it."
    assert describe_missing_file(f"{begin}'a b.csv'", "train").endswith("'%pods put' sends it.")
    absolute = describe_missing_file(f"{begin}'{tmp_path}/data.csv'", "train")
    assert absolute.endswith(f"'%pods put {tmp_path}/data.csv train:{tmp_path}/' sends it.")
