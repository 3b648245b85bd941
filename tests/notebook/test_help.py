"""What the help says can be typed can be typed: every example in every help text is run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.magics import PodsMagics, parser_of
from tests.support.guard_processes import end_guard_processes
from tests.support.sandbox_control import controlled

_EXAMPLE = re.compile(r"^ *(?:\w+ = )?%%?pods?(?:_create)?(?: .*|)$")
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5 ada@desk"


def examples(text: str) -> Iterator[str]:
    """The cells that a help text shows: a line that begins with a magic, and the body under a cell magic."""
    lines = iter([*text.splitlines(), ""])
    for line in lines:
        # A row of a list has its explanation beside it.
        if not _EXAMPLE.match(line) or "  " in line.strip():
            continue
        cell = [line.strip()]
        if line.lstrip().startswith("%%"):
            for below in lines:
                if not below.strip():
                    break
                cell.append(below.strip())
        yield "\n".join(cell)


HELPS = {
    **{name: parser_of(name)[1].format_help() for name in [*COMMANDS, "create", "overview", "pod"]},
    "%pods?": PodsMagics.pods.__doc__ or "",
    "%pod_create?": PodsMagics.pod_create.__doc__ or "",
}
EXAMPLES = {name: list(examples(text)) for name, text in HELPS.items()}


@pytest.mark.parametrize("name", sorted(HELPS))
def test_every_help_shows_an_example(name: str) -> None:
    assert EXAMPLES[name]


def test_the_overview_names_every_command() -> None:
    for name in COMMANDS:
        assert f"\n  %pods {name} " in HELPS["%pods?"]


@pytest.fixture
def world(
    bare_shell: Any, home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Any]:
    """What the examples speak of: live pods 'train' and 'eval', a key file, a context, a variable."""
    # What examples save is saved here.
    project = home / "project"
    for folder in ("data", "src"):
        (project / folder).mkdir(parents=True)
    for name in ("data.csv", "train.py", "model.pt", "src/utils.py"):
        (project / name).write_text("")
    monkeypatch.chdir(project)
    key = home / ".ssh" / "id_ed25519.pub"
    key.parent.mkdir()
    key.write_text(_PUBLIC_KEY)
    on_machines = (
        "exec",
        "pod",
        "env",
        "kernel",
        "attach",
        "cancel",
        "doctor",
        "guard",
        "get",
        "put",
        "sync",
    )
    needs_machine = request.node.callspec.params["name"] in on_machines
    with controlled(clock="stepped", machines=needs_machine) as control:
        monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", control.url)
        monkeypatch.setenv("PRIMEPODS_GUARD_KEY", "sandbox-pods")
        context = home / ".prime" / "environments" / "work.json"
        context.parent.mkdir(parents=True)
        for file in (context, home / ".prime" / "config.json"):
            file.write_text(json.dumps({"api_key": "nothing is sent"}))
        bare_shell.run("%load_ext primepods_magic")

        def run(cell: str) -> None:
            bare_shell.run("%pods connect --sandbox")
            both = "- {name: train, gpu: H100_80GB}\n- {name: eval, gpu: L4_24GB}"
            bare_shell.run(f"%%pod_create --wait -o both\n{both}")
            bare_shell.run("pod = both[0]\nframe = [1, 2]\ndef fit(frame): return {'w': 0.5}, frame")
            if " get " in cell:
                made = "mkdir -p results work runs/a; touch model.pt runs/1.csv 'runs/a/best 1.pt'"
                made += " work/model.pt work/log.txt work/metrics.csv"
                bare_shell.user_ns["pod"].exec(made)
            if "--disk corpus" in cell:
                bare_shell.run("%pods disks create corpus --size 100 -y")
            if cell.startswith("%pods hold"):
                bare_shell.run("%pods guard train --for 1h")
            first = bare_shell.user_ns["pod"].id
            if "k3f9xq" in cell:
                cell = cell.replace("k3f9xq", bare_shell.user_ns["pod"].run("6 * 7").id)
            # That one ends with Ctrl-C.
            cell = cell.replace(" --watch", "")
            bare_shell.run(cell.replace("show 24b59b", f"show {first[:6]}"))
            if "--on pod" in cell:
                # Its key is in the memory of this computer.
                bare_shell.run("%pods guard eval --off")

        yield run
        bare_shell.run("%unload_ext primepods_magic")
    end_guard_processes(home)


@pytest.mark.parametrize("name", sorted(HELPS))
def test_the_examples_of_a_help_run(world: Any, name: str) -> None:
    for cell in EXAMPLES[name]:
        world(cell)
