"""Tab completes our magics everywhere they can stand, from memory, and leaves everything else alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from IPython.core.completer import provisionalcompleter
from jupyter_client.manager import start_new_kernel

from primepods_magic import Settings, connect
from primepods_magic.api.vocabulary import GPU_TYPES
from primepods_magic.notebook.completion import BODY_KEYS, completions_at
from primepods_magic.pods.connection import in_use
from primepods_magic.pods.spec import SHORT_NAMES, PodSpec
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually


def completed(shell: Any, text: str) -> list[str]:
    """The lines that the text may become."""
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, len(text)))
    return [(text[: one.start] + one.text).rpartition("\n")[2] for one in found]


@pytest.fixture
def loaded(bare_shell: Any) -> Iterator[Any]:
    """A shell with the extension, where no command has been run."""
    bare_shell.run("%load_ext primepods_magic")
    yield bare_shell
    bare_shell.run("%unload_ext primepods_magic")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("%pods sh", ["%pods show"]),
        ("%pods s", ["%pods show", "%pods status", "%pods ssh"]),
        ("df = %pods hi", ["df = %pods history"]),
        ("a.b[0] = 1\ndf = %pods hi", ["df = %pods history"]),
        ("%pods ls --st", ["%pods ls --status"]),
        ("%pods ls --status PR", ["%pods ls --status PROVISIONING"]),
        ("%pods avail --gpu H100", ["%pods avail --gpu H100_80GB"]),
        ("%pods avail --gpu h100", ["%pods avail --gpu H100_80GB"]),
        ("%pods avail --gpu=H100", ["%pods avail --gpu=H100_80GB"]),
        ("%pods avail --region eu_n", ["%pods avail --region eu_north"]),
        ("%pods avail --provider hyper", ["%pods avail --provider hyperstack"]),
        ("%pods wait train --for a", ["%pods wait train --for active"]),
        ("%pods keys p", ["%pods keys primary"]),
        ("%pods connect --context prod", ["%pods connect --context production"]),
        ("%%pod_create --wa", ["%%pod_create --wait"]),
        ("%pod_create --gpu A100_40", ["%pod_create --gpu A100_40GB"]),
        ("%%pod_create\ngp", ["gpu: "]),
        ("%%pod_create\nname: train\nprov", ["provider: "]),
        ("%%pod_create\ngpu: H100", ["gpu: H100_80GB"]),
        ("%%pod_create\n- {name: a, gpu: H100", ["- {name: a, gpu: H100_80GB"]),
        ("%%pod_create --wait\n- gp", ["- gpu: "]),
        ("%%pod_create\nsecurity: c", ["security: community_cloud"]),
        ("%%pod_create\nimage: fl", ["image: flux"]),
    ],
)
def test_what_is_typed_is_completed(loaded: Any, text: str, lines: list[str]) -> None:
    assert completed(loaded, text) == lines


@pytest.mark.parametrize(
    "text",
    [
        "%podsx s",
        "x = 'pods s",
        "# %pods s",
        "%%pods s",
        "print(%pods s",
        "%%time\n%%pod_create\ngp",
        "%pods nothing --s",
        "%%pod_create\nenv:\n  gp",
        '%%pod_create\n{"gp',
        "%%pod_create\nname: gp",
    ],
)
def test_elsewhere_nothing_of_ours_is_offered(loaded: Any, text: str) -> None:
    lines = text.split("\n")
    assert completions_at(lines, len(lines) - 1, lines[-1])[1] == []


def test_a_key_that_stands_there_is_not_offered_again(loaded: Any) -> None:
    lines = completed(loaded, "%%pod_create\nname: train\ngpu: H100_80GB\n")
    assert "name: " not in lines
    assert "count: " in lines


def test_the_keys_are_those_of_a_spec() -> None:
    longer_names = set(SHORT_NAMES.values())
    assert set(BODY_KEYS) == {*(set(PodSpec.model_fields) - longer_names), *SHORT_NAMES, "pods"}


def test_pods_and_what_offers_say_are_known_once_seen(shell: Any) -> None:
    shell.run("%pod_create --gpu L4_24GB --name train --wait")
    pod_id = shell.run("%pods ls")["id"][0]
    assert completed(shell, "%pods show ") == ["%pods show train"]
    assert completed(shell, "x = %pods rm -y tr") == ["x = %pods rm -y train"]
    assert completed(shell, f"%pods show {pod_id[:3]}") == [f"%pods show {pod_id}"]
    assert completed(shell, "%pods ls --sort prov")[0] == "%pods ls --sort provider"
    assert "%pods avail --country JP" in completed(shell, "%pods avail --country ")
    shell.run("%pods rm train -y")
    assert "%pods show train" not in completed(shell, "%pods show ")


def test_another_accounts_pods_are_not_offered(shell: Any, sandbox: SandboxControl) -> None:
    shell.run("%pod_create --gpu L4_24GB --name train --wait")
    connect(settings=Settings(sandbox.url, "sandbox-teammate"))
    assert "%pods show train" not in completed(shell, "%pods show ")


def test_what_is_old_is_looked_up_behind(
    no_leaks: None, shell: Any, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("%pods ls")
    pod = {
        "name": "elsewhere",
        "cloudId": "n3-H100x1",
        "gpuType": "H100_80GB",
        "socket": "PCIe",
        "gpuCount": 1,
    }
    sandbox.api.post("/api/v1/pods", json={"pod": pod, "provider": {"type": "hyperstack"}})
    assert "%pods show elsewhere" not in completed(shell, "%pods show ")
    monkeypatch.setattr("primepods_magic.pods.memory._FRESH_S", 0.0)
    completed(shell, "%pods show ")
    eventually(lambda: "%pods show elsewhere" in completed(shell, "%pods show "), "the new pod is offered")
    connection = in_use()
    assert connection is not None
    shell.run("%unload_ext primepods_magic")
    assert not [thread for thread in threading.enumerate() if thread.name == "primepods-behind"]


def test_a_service_that_is_gone_disturbs_nobody(
    shell: Any, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("%pod_create --gpu L4_24GB --name train --wait")
    monkeypatch.setattr("primepods_magic.pods.memory._FRESH_S", 0.0)
    sandbox.api.put("/sandbox/faults", json={"profile": "down"})
    for _ in range(3):
        assert completed(shell, "%pods show ") == ["%pods show train"]


def test_completing_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "from IPython.core.completer import provisionalcompleter\n"
        "from primepods_magic.notebook.magics import COMMANDS\n"
        "shell = InteractiveShell.instance()\nshell.run_line_magic('load_ext', 'primepods_magic')\n"
        "texts = ['%pods ', '%%pod_create\\n', '%%pod_create --']\n"
        "texts += [f'%pods {name} --' for name in COMMANDS]\n"
        "with provisionalcompleter():\n"
        "    for text in texts:\n        list(shell.Completer.completions(text, len(text)))\n"
        "print(sorted({'pandas', 'httpx', 'pydantic', 'ipywidgets', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_loading_twice_completes_once_and_unloading_not_at_all(bare_shell: Any) -> None:
    before = list(bare_shell.Completer.custom_matchers)
    for _ in range(2):
        bare_shell.run("%load_ext primepods_magic")
        bare_shell.run("%reload_ext primepods_magic")
        assert len(bare_shell.Completer.custom_matchers) == len(before) + 1
        bare_shell.run("%unload_ext primepods_magic")
        assert bare_shell.Completer.custom_matchers == before


def test_a_front_end_gets_them_from_a_kernel(home: Path, sandbox: SandboxControl) -> None:
    environment = {**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url}
    manager, client = start_new_kernel(env=environment, extra_arguments=["--log-level=ERROR"])
    try:
        for cell in (
            "%load_ext primepods_magic",
            "%pods connect --sandbox",
            "%pod_create --gpu L4_24GB --name t1",
        ):
            client.execute_interactive(cell, timeout=60, output_hook=lambda _: None)
        for text, wanted in (
            ("%pods sh", ["show"]),
            ("df = %pods show ", ["t1"]),
            ("%%pod_create\nname: x\ngpu: L4_", ["L4_24GB"]),
            ("%%pod_create\nregi", ["region: "]),
        ):
            said = client.complete(text, len(text), reply=True, timeout=60)["content"]
            assert said["matches"] == wanted
            fragment = text[said["cursor_start"] : said["cursor_end"]]
            assert wanted[0].startswith(fragment)
            assert text.endswith(fragment)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_person_in_a_terminal_presses_tab(home: Path, tmp_path: Path, sandbox: SandboxControl) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--HistoryManager.enabled=False"],
        env={**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url, "TERM": "xterm"},
        cwd=str(tmp_path),
        dimensions=(40, 120),
        encoding="utf-8",
        timeout=30,
    )
    try:
        child.expect(r"In \[")
        child.send("%load_ext primepods_magic\r")
        child.expect(r"In \[")
        child.send("%pods conn\t")
        child.expect("ect")
        child.send(" --san\t")
        child.expect("dbox")
        child.send("\r")
        child.expect("connected to the sandbox")
    finally:
        child.close(force=True)


def test_every_gpu_type_can_be_had(loaded: Any) -> None:
    assert completed(loaded, "%pods avail --gpu ") == [f"%pods avail --gpu {kind}" for kind in GPU_TYPES]
