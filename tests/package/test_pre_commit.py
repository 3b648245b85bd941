"""What pre-commit runs is what `make lint` runs, by the same tools."""

from __future__ import annotations

import re
from typing import Any

import yaml

from .building import ROOT


def lint_of_the_makefile() -> list[str]:
    """The commands of `make lint`, with the Python that it runs them by."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.M)
    (folder,) = re.findall(r"^VENV := (\S+)$", makefile, re.M)
    commands = [line.strip().lstrip("@") for line in recipe.splitlines()]
    return [command.replace("$(PY)", f"{folder}/bin/python") for command in commands]


def hooks() -> list[dict[str, Any]]:
    told = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in told["repos"]] == ["local"]
    return [hook for repository in told["repos"] for hook in repository["hooks"]]


def test_hooks_run_the_commands_of_make_lint() -> None:
    commands = lint_of_the_makefile()
    assert len(commands) >= 3
    assert [hook["entry"] for hook in hooks()] == commands


def test_hooks_use_the_tools_that_make_lint_uses_and_look_at_every_file() -> None:
    for hook in hooks():
        assert hook["language"] == "system"
        assert hook["pass_filenames"] is False
        assert {"python", "jupyter", "toml"} <= set(hook["types_or"])
