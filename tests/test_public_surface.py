"""Whatever was public stays public: names, parameters, commands, flags, settings, variables and columns."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import primepods_magic
from primepods_magic import costs
from primepods_magic.api import errors
from primepods_magic.api.local import env_vars as environment
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.magics import PodsMagics, parser_of
from primepods_magic.pods.pod import Pod
from primepods_magic.sandbox.__main__ import command_line
from tests.documents.frames import FRAMES

RECORDED = Path(__file__).with_name("public_surface.json")


def _list_parameters(member: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(member).parameters if name != "self"]


def _describe_names(module: Any, names: list[str]) -> dict[str, list[str]]:
    things = {name: getattr(module, name) for name in names}
    return {name: _list_parameters(thing) if callable(thing) else [] for name, thing in things.items()}


def _describe_members(kind: type) -> dict[str, list[str]]:
    members = {
        name: member
        for each in reversed(kind.__mro__[:-1])
        for name, member in vars(each).items()
        if not name.startswith("_") or name in ("__enter__", "__exit__")
    }
    return {name: _list_parameters(member) if callable(member) else [] for name, member in members.items()}


def _list_arguments(parser: argparse.ArgumentParser) -> list[str]:
    return [text for action in parser._actions for text in action.option_strings or [action.dest]]


def describe_surface() -> dict[str, dict[str, list[str]]]:
    """Describe everything that users can name, as names and what belongs to each."""
    commands = ("overview", *COMMANDS, "create")
    return {
        "package": _describe_names(primepods_magic, primepods_magic.__all__),
        "costs": _describe_names(costs, costs.__all__),
        "errors": _describe_names(errors, errors.__all__),
        "Pod": _describe_members(Pod),
        "Client": _describe_members(primepods_magic.Client),
        "commands": {name: _list_arguments(parser_of(name)[1]) for name in commands},
        "settings": {name: [] for name in PodsMagics.class_own_traits(config=True)},
        "variables": {name: [] for name in environment.VARIABLES},
        "columns": {
            frame.title: [f"{name}: {kind}" for name, kind in frame.build().dtypes.items()]
            for frame in FRAMES
        },
        "sandbox": {"arguments": _list_arguments(command_line())},
    }


def test_keeps_everything_that_was_public() -> None:
    surface = describe_surface()
    recorded: dict[str, dict[str, list[str]]] = json.loads(RECORDED.read_text())
    missing = [
        f"{kind}: {name} {part}".rstrip()
        for kind, names in recorded.items()
        for name, parts in names.items()
        for part in ("", *parts)
        if name not in surface[kind] or (part and part not in surface[kind][name])
    ]
    assert not missing
