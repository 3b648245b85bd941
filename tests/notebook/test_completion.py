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
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from jupyter_client.manager import start_new_kernel

from primepods_magic import Settings, connect
from primepods_magic.api.enums import GPU_TYPES
from primepods_magic.api.models import Offer, PodDetails
from primepods_magic.notebook.completion import _WORDS, completions_at
from primepods_magic.notebook.input.expansion import expand_variables, split_line
from primepods_magic.notebook.input.tokenizer import Field, cut_line
from primepods_magic.pods.connection.completion_cache import CompletionCache
from primepods_magic.pods.connection.current import in_use
from primepods_magic.pods.spec.parser import load_yaml, reject_variable, substitute_variables
from tests.support.sandbox_control import SandboxControl
from tests.support.soak import pick
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
        ("%pods s", ["%pods show", "%pods status", "%pods ssh", "%pods sync"]),
        ("df = %pods hi", ["df = %pods history"]),
        ("a.b[0] = 1\ndf = %pods hi", ["df = %pods history"]),
        ("%pods ls --st", ["%pods ls --status"]),
        ("%pods ls --status PR", ["%pods ls --status PROVISIONING"]),
        ("%pods avail --gpu H100", ["%pods avail --gpu H100_80GB"]),
        ("%pods avail --gpu h100", ["%pods avail --gpu H100_80GB"]),
        ("%pods avail --gpu=H100", ["%pods avail --gpu=H100_80GB"]),
        ("%pods avail --region eu_n", ["%pods avail --region eu_north"]),
        ("%pods avail --region eu_west,eu_n", ["%pods avail --region eu_west,eu_north"]),
        ("%pods avail --provider hyper", ["%pods avail --provider hyperstack"]),
        ("%pods wait train --for a", ["%pods wait train --for active"]),
        ("%pods keys p", ["%pods keys primary"]),
        ("%pods connect --context prod", ["%pods connect --context production"]),
        ("%%pod_create --wait-", ["%%pod_create --wait-for-stock"]),
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


HOSTILE = r"""{x} {__import__('os').system('true')} $x ${x} $$x {{x}} %x %pods
    -- - --evil -e # #x ; x; it's a"b \
    x\ x? x! x?? !x ?x a\x1b[31mb a\u202eb a\u200bb \u3164 a\x00b [x] a,{b} &a *a |x >x
    null ~ a:\tb""".split()
HOSTILE = [text.encode().decode("unicode_escape") for text in HOSTILE if not text.endswith("\\")]
HOSTILE += [
    "",
    " ",
    " a",
    "a ",
    "a  b",
    "a\nb",
    "a -y",
    "a #b",
    "a;",
    "a: b",
    "a # b",
    "- a",
    "ada's pod",
    "train -y",
]
SAFE = [
    "my pod",
    "train",
    "größe",
    "us-east (Iowa)",
    "ubuntu_22/cuda:12.4",
    "a,b",
    "00012",
    "NO",
    "1e5",
    "on",
]


def pods_of(names: list[str]) -> list[PodDetails]:
    return [PodDetails(id=name, name=f"name of {name}", status="ACTIVE") for name in names] + [
        PodDetails(id=f"id-{number}", name=name, status="ACTIVE") for number, name in enumerate(names)
    ]


def offers_of(words: list[str]) -> list[Offer]:
    return [
        Offer(
            gpu_type=word,
            provider=word,
            region=word,
            country=word,
            cloud_id=word,
            data_center=word,
            images=[word],
        )
        for word in words
    ]


LINES = [
    "%pods show ",
    "%pods rm -y ",
    "%pods avail --region ",
    "%pods avail --region=",
    "%pod_create --cloud-id ",
]
LINES += ["%pod_create --image=", "%pods avail --gpu '", '%pods show "', "%pods show 'my ", "%pods rm 'a b' "]
BODIES = ["%%pod_create\nregion: ", "%%pod_create\n- {name: a, image: ", "%%pod_create\ncloud_id: '"]
BODIES += ["%%pod_create\nprovider: u", "%%pod_create\ndata_center_id: m"]


@settings(max_examples=pick(15, 1000), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.sampled_from(HOSTILE + SAFE), st.text(max_size=8)), max_size=8))
@example(HOSTILE + SAFE)
def test_what_is_offered_is_one_word_whatever_a_service_says(
    memory: CompletionCache, said: list[str]
) -> None:
    memory.update_pods(pods_of(said))
    memory.update_offers(offers_of(said))
    known = {*said, *(f"name of {name}" for name in said), *(f"id-{n}" for n in range(len(said)))}
    known |= {word for name, words in _WORDS.items() for word in [*words, *memory.words(name)]}
    known |= memory.words("cloud_id") | memory.words("data_center_id") | memory.words("country")
    for text in [
        *LINES,
        *(f"{line}{begun}" for line in LINES[:6:2] for begun in {word[:1] for word in said}),
    ]:
        fragment, offered = completions_at([text], 0, text)
        for word in offered:
            line = text.removesuffix(fragment) + word
            template = cut_line(line.partition(" ")[2])
            assert not any(isinstance(piece, Field) for pieces in template.words for piece in pieces)
            last = split_line(expand_variables(line.partition(" ")[2], {}))[-1]
            assert last in known or last.partition("=")[2] in known or last.startswith("-")
            assert last not in said or not last.startswith("-")
    for text in BODIES:
        lines = text.split("\n")
        fragment, offered = completions_at(lines, len(lines) - 1, lines[-1])
        for word in offered:
            body = lines[-1].removesuffix(fragment) + word
            loaded = load_yaml(body + "}" * body.startswith("- {"), 1)
            (value,) = [*(loaded[0] if isinstance(loaded, list) else loaded).values()][-1:]
            assert value in known
            assert substitute_variables(value, reject_variable) == value


@pytest.fixture
def memory(shell: Any) -> CompletionCache:
    """The memory of a connection, fresh enough that nothing is looked up."""
    shell.run("%pods ls")
    connection = in_use()
    assert connection is not None
    return connection.completion_cache


def test_what_can_be_offered_is_offered_quoted_where_it_must_be(memory: CompletionCache) -> None:
    memory.update_pods(pods_of(["my pod", "train"]))
    memory.update_offers(offers_of(SAFE))
    assert completions_at([], 0, "%pods show my")[1] == ["'my pod'"]
    assert completions_at([], 0, "%pods show 'my p") == ("'my p", ["'my pod'"])
    assert completions_at([], 0, "%pods avail --country=us") == ("us", ["'us-east (Iowa)'"])
    body = ["%%pod_create", "country: "]
    offered = completions_at(body, 1, "country: ")[1]
    assert set(offered) >= {
        "'my pod'",
        "NO",
        "00012",
        "ubuntu_22/cuda:12.4",
        "größe",
        "'us-east (Iowa)'",
    }


def test_every_pod_that_is_offered_is_the_one_that_is_shown(shell: Any) -> None:
    names = [
        "my pod",
        "train",
        "train -y",
        "-y",
        "{1 / 0}",
        "ada's",
        "größe",
        "deadbeef",
        "a#b",
        "show",
        "name=x",
    ]
    for shell.user_ns["name"] in names:
        shell.run("%pod_create --gpu L4_24GB --name {name}")
    ids = dict(zip(*(shell.run("%pods ls")[column] for column in ("name", "id")), strict=True))
    lines = {line for text in ("", "m", "t", "'", "g") for line in completed(shell, f"%pods show {text}")}
    shown = {line: shell.run(line) for line in lines}
    by_name = {line.removeprefix("%pods show ").strip("'"): pod for line, pod in shown.items()}
    assert {name: pod.id for name, pod in by_name.items()} == {
        **{
            name: ids[name] for name in ("my pod", "train", "train -y", "größe", "deadbeef", "show", "name=x")
        },
        **{ids[name]: ids[name] for name in ("-y", "{1 / 0}", "ada's", "a#b")},
    }
    for pod in shown.values():
        assert shell.run(f"%pods show {pod.details.cli_name}").id == pod.id


@pytest.mark.parametrize(
    ("name", "pod_id", "word"),
    [
        ("train", "24b59b", "train"),
        ("my pod", "24b59b", "24b59b"),
        ("-y", "24b59b", "24b59b"),
        ("deadbeef", "24b59b", "24b59b"),
        ("ｔrain", "24b59b", "24b59b"),
        ("e\u0301t", "24b59b", "24b59b"),
        ("é.t", "24b59b", "é.t"),
        ("a\u115f", "24b59b", "24b59b"),
        ("{x}", "{__import__('os')}", "POD"),
        (None, "-y", "POD"),
        ("it's", "a b", "POD"),
        ("", None, "POD"),
    ],
)
def test_what_a_message_says_to_type_is_plain(name: str | None, pod_id: str | None, word: str) -> None:
    assert PodDetails(id=pod_id, name=name).cli_name == word


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
    monkeypatch.setattr("primepods_magic.pods.connection.completion_cache._FRESH_S", 0.0)
    completed(shell, "%pods show ")
    eventually(lambda: "%pods show elsewhere" in completed(shell, "%pods show "), "the new pod is offered")
    connection = in_use()
    assert connection is not None
    shell.run("%unload_ext primepods_magic")
    assert not [thread for thread in threading.enumerate() if thread.name == "primepods-background"]


def test_completes_disks_wherever_one_is_named(shell: Any) -> None:
    shell.run("%pods disks create corpus --size 100 -y")
    shell.run("%pods disks create 'my texts' --size 100 -y")
    shell.run("%pods disks")
    assert completed(shell, "%pods avail --disk c") == ["%pods avail --disk corpus"]
    assert completed(shell, "%pods avail --disk my") == ["%pods avail --disk 'my texts'"]
    assert completed(shell, "%pods disks rm c") == ["%pods disks rm corpus"]
    disk_id = shell.run("%pods disks show corpus")["id"].iloc[0]
    assert completed(shell, f"%pods disks show {disk_id[:6]}") == [f"%pods disks show {disk_id}"]
    # A change is fetched behind the next key press.
    shell.run("%pods disks create new --size 100 -y")
    eventually(lambda: completed(shell, "%pods disks rm n") == ["%pods disks rm new"], "the new disk")


def test_a_service_that_is_gone_disturbs_nobody(
    shell: Any, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("%pod_create --gpu L4_24GB --name train --wait")
    monkeypatch.setattr("primepods_magic.pods.connection.completion_cache._FRESH_S", 0.0)
    sandbox.api.put("/sandbox/faults", json={"profile": "down"})
    for _ in range(3):
        assert completed(shell, "%pods show ") == ["%pods show train"]


def test_completing_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "from IPython.core.completer import provisionalcompleter\n"
        "from primepods_magic.notebook.command_list import COMMANDS\n"
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
