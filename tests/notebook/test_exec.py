"""`%pods exec`: what a person types after ' -- ' is what the pod's shell gets, and its output is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from primepods_magic import get_pod
from primepods_magic.api.errors import CommandFailed, InvalidRequest
from tests.pods.test_machines import disconnected as disconnected
from tests.pods.test_machines import machines as machines
from tests.pods.test_machines import start_pod
from tests.support.sandbox_control import SandboxControl


@pytest.fixture
def pod_shell(bare_shell: Any, machines: SandboxControl) -> Iterator[Any]:
    """A shell with a ready pod called train that one can log in to."""
    bare_shell.run("%load_ext primepods_magic\n%pods connect --sandbox")
    start_pod(machines)
    yield bare_shell
    bare_shell.run("%unload_ext primepods_magic")


def test_shows_the_output_and_passes_the_command_on_as_typed(pod_shell: Any) -> None:
    pod_shell.user_ns["HOME"] = pod_shell.user_ns["name"] = "of the notebook"
    line = """for i in {1..2} "it's" '$HOME' $HOME; do printf '[%s]' "$i"; done; echo {name} \\{ "$name";"""
    assert pod_shell.run(f"%pods exec train -- {line}") is None
    home = get_pod("train").exec("echo $HOME").stdout.strip()
    assert pod_shell.output.text == f"[{{1..2}}][it's][$HOME][{home}]{{name}} {{ \n"


def test_a_name_of_the_notebook_may_stand_for_the_pod(pod_shell: Any) -> None:
    pod_shell.user_ns["mine"] = "train"
    pod_shell.run("%pods exec $mine --timeout 60 -- nvidia-smi -L")
    assert pod_shell.output.text.startswith("GPU 0: NVIDIA L4")


def test_errors_of_the_program_are_shown_and_its_failure_stops_the_cell(pod_shell: Any) -> None:
    with pytest.raises(CommandFailed, match="failed with exit code 4"):
        pod_shell.run("%pods exec train -- echo before; echo wrong >&2; exit 4")
    assert "before" in pod_shell.output.text


def test_stores_the_result_instead_of_showing_it(pod_shell: Any) -> None:
    pod_shell.run("%pods exec train -o result -- echo out; echo err >&2")
    result = pod_shell.user_ns["result"]
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 0)
    assert pod_shell.output.text == ""


def test_stores_the_result_of_a_command_that_fails_too(pod_shell: Any) -> None:
    with pytest.raises(CommandFailed):
        pod_shell.run("%pods exec\ttrain -o result -- echo out; exit 3")
    assert (pod_shell.user_ns["result"].stdout, pod_shell.user_ns["result"].exit_code) == ("out\n", 3)


@pytest.mark.parametrize("words", ["train", "train nvidia-smi", "train nvidia-smi -- -L"])
def test_says_where_the_command_goes(shell: Any, words: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"Put the command after ' -- ', for example: %pods exec train -- nv"
    ):
        shell.run(f"%pods exec {words}")


def test_help_explains_it(shell: Any) -> None:
    shell.run("%pods exec -h")
    assert "Everything after ' -- ' goes to the pod's shell as is" in shell.output.text
