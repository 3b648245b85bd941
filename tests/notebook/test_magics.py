"""Every command answers with data, says where it is from, and refuses nonsense in one line."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primepods_magic import Pod, Settings, connect
from primepods_magic.api import errors
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.shell.interrupts import interrupts_held
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.pod import LogText
from tests.support.sandbox_control import SandboxControl

CREATE = "%%pod_create --wait\nname: train\ngpu: H100_80GB"


def test_a_pod_lives_its_whole_life_in_cells(shell: Any) -> None:
    offers = shell.run("%pods avail --gpu H100_80GB --count 1")
    assert type(offers) is pd.DataFrame
    usd = offers[offers["currency"] == "USD"]
    assert list(usd["price_hr"]) == sorted(usd["price_hr"])
    assert len(usd) < len(offers)

    # What has no price in USD cannot be below one.
    cheap = shell.run("%pods avail --gpu H100_80GB --count 1 --max-price 2.70")
    assert list(cheap["currency"].unique()) == ["USD"]
    assert list(cheap["price_hr"]) == [price for price in usd["price_hr"] if price <= 2.70]

    pod = shell.run(CREATE)
    assert isinstance(pod, Pod)
    assert (pod.name, pod.is_ready) == ("train", True)
    assert "sandbox: 'train' is 1 × H100_80GB at runpod" in shell.output.stdout
    assert "$2.39/h, $57.36/day" in shell.output.stdout

    frame = shell.run("%pods ls")
    assert list(frame["name"]) == ["train"]
    assert shell.output.text.startswith("sandbox · 1 pod · $2.39/h now")

    status = shell.run("%pods status train")
    assert list(status["status"]) == ["ACTIVE"]

    shown = shell.run("%pods show train")
    assert shown.id == pod.id
    assert "ssh root@" in shell.output.text
    assert "→ 22 TCP, SSH" in shell.output.text

    assert shell.run("%pods logs train --tail 2").count("\n") == 1
    assert "ready" in shell.output.text

    removed = shell.run("%pods rm train")
    assert list(removed["outcome"]) == ["terminated"]
    assert removed["billed_usd"][0] > 0

    history = shell.run("%pods history")
    assert len(history) == 181
    assert history["id"][0] == pod.id
    assert shell.run("%pods ls").empty


def test_both_body_forms_rent_the_same(shell: Any) -> None:
    body = (
        '{"pod": {"name": "json", "cloudId": "n3-H100x1", "gpuType": "H100_80GB", "socket": "PCIe", '
        '"gpuCount": 1}, "provider": {"type": "hyperstack"}}'
    )
    json_pod = shell.run(f"%%pod_create --wait\n{body}")
    yaml_pod = shell.run("%%pod_create --wait\nname: yaml\ncloud_id: n3-H100x1\nprovider: hyperstack")
    same = ("gpu_name", "gpu_count", "socket", "price_hr", "environment_type", "provider_type")
    for field in same:
        assert getattr(json_pod.details, field) == getattr(yaml_pod.details, field)


def test_run_all_is_safe(shell: Any) -> None:
    first, again = shell.run(CREATE), shell.run(CREATE)
    assert first.id == again.id
    assert "'train' already exists. Nothing was created" in shell.output.stdout


def test_an_answer_is_stored_under_a_name_and_then_not_shown(shell: Any) -> None:
    assert shell.run("%pods ls -o mine") is None
    assert shell.output.text == ""
    assert type(shell.user_ns["mine"]) is pd.DataFrame
    shell.run(CREATE.replace("--wait", "--wait -o pod"))
    assert shell.user_ns["pod"].is_ready
    assert shell.run("df = %pods ls") is None
    assert len(shell.user_ns["df"]) == 1


def test_a_semicolon_silences_and_a_comment_is_no_argument(shell: Any) -> None:
    shell.run("%pods ls ;")
    assert shell.output.shown == []
    shell.run("df = %pods ls;")
    assert shell.user_ns["df"].empty
    shell.run("both = %pods ls\n%pods history;")
    assert shell.output.shown == []
    assert shell.user_ns["both"].empty
    assert shell.run("%pods ls  # all of them").empty
    shell.run("%pod_create --gpu L4_24GB --name train ;")
    assert shell.output.shown == []
    shell.run("%%pod_create ;\nname: train\ngpu: L4_24GB")
    assert shell.output.shown == []
    shell.run("pod = %pod_create --gpu L4_24GB --name train;")
    assert shell.user_ns["pod"].name == "train"


def test_variables_go_into_the_body_and_secrets_are_not_shown(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hunter2")
    shell.run("who = 'ada'")
    body = "name: ${who}-1\ngpu: L4_24GB\nenv: {HF_TOKEN: '${HF_TOKEN}'}\njupyter_password: ${HF_TOKEN}"
    request = shell.run(f"%%pod_create --dry-run\n{body}")
    assert request["pod"]["name"] == "ada-1"
    assert request["pod"]["envVars"] == [{"key": "HF_TOKEN", "value": "***"}]
    assert "hunter2" not in shell.output.text
    assert "written out" not in shell.output.text
    assert shell.run("%pods ls").empty


@pytest.mark.parametrize("value", ["None", "object()", "[1]"])
def test_a_variable_that_is_no_text_names_no_pod(shell: Any, value: str) -> None:
    shell.run(f"odd = {value}")
    with pytest.raises(errors.InvalidRequest, match="not text or a number"):
        shell.run("%%pod_create\nname: ${odd}\ngpu: L4_24GB")


def test_what_a_pod_that_is_there_was_not_compared_by_is_said(shell: Any) -> None:
    shell.run(CREATE)
    shell.run(CREATE + "\nenv: {LR: 0.2}\ncountry: US")
    assert "Not compared with this cell: country, env_vars" in shell.output.stdout


def test_logs_move_no_cursor(shell: Any) -> None:
    assert repr(LogText("a\x1b]0;owned\x07\nb")) == str(LogText("a\nb")) == "a\nb"


def test_an_interrupt_is_held_until_the_imports_are_done() -> None:
    done = []

    def work() -> None:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            done.append("whole")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["whole"]


@pytest.mark.parametrize(
    "spoil", [Path.mkdir, lambda path: path.write_text("junk")], ids=["a folder", "junk"]
)
def test_a_sandbox_that_cannot_be_kept_is_one_line(
    bare_shell: Any, home: Path, spoil: Callable[[Path], object]
) -> None:
    folder = home / ".local" / "share" / "primepods_magic"
    folder.mkdir(parents=True)
    spoil(folder / "sandbox.db")
    bare_shell.run("%load_ext primepods_magic")
    with pytest.raises(errors.NotConfigured, match="Cannot start the sandbox here"):
        bare_shell.run("%pods connect --sandbox")
    assert len(bare_shell.output.error.splitlines()) == 1
    bare_shell.run("%unload_ext primepods_magic")


def test_a_secret_written_out_is_warned_of_once_and_not_repeated(shell: Any) -> None:
    shell.run("%%pod_create --dry-run\ngpu: L4_24GB\nenv: {HF_TOKEN: hunter2}")
    assert shell.output.stdout.count("The value of 'HF_TOKEN' is in this cell") == 1
    assert "${HF_TOKEN}" in shell.output.stdout
    assert "hunter2" not in shell.output.text


@pytest.mark.parametrize("command", [*(f"%pods {name}" for name in COMMANDS), "%pods", "%pod_create"])
def test_every_command_explains_itself(shell: Any, command: str) -> None:
    assert shell.run(f"{command} -h") is None
    assert command.lstrip("%") in shell.output.stdout
    assert len(shell.output.stdout.splitlines()) > 3


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        ("%pods lss", errors.InvalidRequest, "did you mean 'ls'?"),
        ("%pods ls --statuss ACTIVE", errors.InvalidRequest, "did you mean '--status'?"),
        ("%pods ls --stat ACTIVE", errors.InvalidRequest, "there is no --stat"),
        ("%pods ls --status ACTIV", errors.InvalidRequest, "did you mean 'ACTIVE'?"),
        ("%pods ls --sort pricee_usd_hr", errors.InvalidRequest, "did you mean 'price_usd_hr'?"),
        ("%pods ls --limit 0", errors.InvalidRequest, "not a whole number above 0"),
        ("%pods ls -o class", errors.InvalidRequest, "'class' is not a name of a variable"),
        ("%pods ls -o 1x", errors.InvalidRequest, "is not a name of a variable"),
        ("%pods ls -o __builtins__", errors.InvalidRequest, "is not a name of a variable"),
        ("%pods avail -o get_ipython", errors.InvalidRequest, "every notebook has of its own"),
        ("%pod_create -o _ --gpu L4_24GB", errors.InvalidRequest, "every notebook has of its own"),
        ("%pods exec p -o _i2 -- true", errors.InvalidRequest, "every notebook has of its own"),
        ("%pods show", errors.InvalidRequest, "Which pod?"),
        ("%pods show 'tra", errors.InvalidRequest, "is not closed"),
        ("%pods show trane", errors.NotFound, "Did you mean 'train'?"),
        ("%pods rm trane", errors.NotFound, "Did you mean 'train'?"),
        ("%pods wait train --timeout soon", errors.InvalidRequest, "90s, 10m or 2h"),
        ("%pods avail --max-price -1", errors.InvalidRequest, "not a price"),
        ("%pods avail --max-price nan", errors.InvalidRequest, "not a price"),
        ("%pods avail --max-price 2_5", errors.InvalidRequest, "not a price"),
        ("%pods avail --max-price ' 5'", errors.InvalidRequest, "not a price"),
        ("%pods avail --max-price ２", errors.InvalidRequest, "not a price"),
        ("%pods wait train --timeout 1_0s", errors.InvalidRequest, "90s, 10m or 2h"),
        ("%pods history --since ７d", errors.InvalidRequest, "Cannot parse time"),
        ("%pod_create --gpu A --max-price 2_5", errors.InvalidRequest, "--max-price must be a number"),
        ("%pods avail --count 0", errors.InvalidRequest, "not a whole number above 0"),
        ("%pods avail --gpu ''", errors.InvalidRequest, "--gpu: the value is empty"),
        ("%pods avail --gpu H100_08GB", errors.InvalidRequest, "did you mean 'H100_80GB'"),
        ("%pods connect --sandbox --live", errors.InvalidRequest, "use either"),
        ("%pods connect --live", errors.NotConfigured, "PRIME_API_KEY"),
        ("%pod_create", errors.InvalidRequest, "needs flags such as"),
        ("%%pod_create\ngpuu: A", errors.InvalidRequest, "did you mean 'gpu'?"),
        ("%%pod_create\ngpu: A\ncount: two", errors.InvalidRequest, "Line 3: count must be a whole number"),
        ("%%pod_create\nname: a", errors.InvalidRequest, "'gpu' is required"),
        (
            "%%pod_create\nname: &a\n  gpu: *a",
            errors.InvalidRequest,
            "Line 2 has a value that begins with '&'",
        ),
        ("%%pod_create\ngpu: A\nsecurity: secure", errors.InvalidRequest, "did you mean 'secure_cloud'?"),
        (
            "%%pod_create\ngpu: A\n  x: y",
            errors.InvalidRequest,
            "Line 3 is indented more than the line above it",
        ),
        ('%%pod_create\n{"pod": }', errors.InvalidRequest, "line 2, column 9"),
        ("%%pod_create --nw\ngpu: A", errors.InvalidRequest, "did you mean '--new'?"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    shell: Any, sandbox: SandboxControl, cell: str, kind: type[Exception], says: str
) -> None:
    sandbox.api.post("/api/v1/pods", json=TRAIN).raise_for_status()
    before = [pod["id"] for pod in sandbox.api.get("/api/v1/pods").json()["data"]]
    with pytest.raises(kind) as caught:
        shell.run(cell)
    assert says in str(caught.value)
    (line,) = shell.output.error.splitlines()
    assert kind.__name__ in line
    assert [pod["id"] for pod in sandbox.api.get("/api/v1/pods").json()["data"]] == before


TRAIN = {
    "pod": {
        "name": "train",
        "cloudId": "n3-H100x1",
        "gpuType": "H100_80GB",
        "socket": "PCIe",
        "gpuCount": 1,
    },
    "provider": {"type": "hyperstack"},
}


@pytest.mark.parametrize(
    ("key", "cell", "kind", "says"),
    [
        ("wrong", "%pods ls", errors.AuthenticationError, "does not accept this key"),
        ("sandbox-read", "%%pod_create\ngpu: L4_24GB", errors.PermissionDenied, "Read and Write"),
        ("sandbox-read", "%pods rm train", errors.PermissionDenied, "Instances -> Read and Write"),
    ],
)
def test_a_key_that_is_bad_or_may_only_read_is_one_line_and_changes_nothing(
    shell: Any,
    sandbox: SandboxControl,
    key: str,
    cell: str,
    kind: type[Exception],
    says: str,
) -> None:
    sandbox.api.post("/api/v1/pods", json=TRAIN).raise_for_status()
    connect(settings=Settings(sandbox.url, key))
    with pytest.raises(kind) as caught:
        shell.run(cell)
    assert says in str(caught.value)
    assert len(shell.output.error.splitlines()) == 1
    assert sandbox.api.get("/api/v1/pods").json()["total_count"] == 1


def test_no_network_is_one_line_and_the_connection_stays(
    shell: Any, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", f"http://127.0.0.1:{unused_port}")
    with pytest.raises(errors.ServiceUnavailable, match="Cannot reach"):
        shell.run("%pods connect --sandbox")
    assert len(shell.output.error.splitlines()) == 1
    assert shell.run("%pods ls").empty


@pytest.fixture
def unused_port() -> Any:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_part_of_a_listing_says_of_how_many(shell: Any, sandbox: SandboxControl) -> None:
    for name in "abc":
        shell.run(f"%%pod_create\nname: {name}\ngpu: L4_24GB")
        sandbox.advance(1)
    assert list(shell.run("%pods ls --limit 2 --offset 1")["name"]) == ["b", "c"]
    assert "2 of 3 pods" in shell.output.text
    assert list(shell.run("%pods ls --status DELETING")["name"]) == []
    assert len(shell.run("%pods history --limit 7 --sort-by createdAt --sort-order asc")) == 7
    assert "7 of 180 rows" in shell.output.text


def test_several_pods_are_waited_for_and_ended_together(shell: Any) -> None:
    for name in "ab":
        shell.run(f"%%pod_create\nname: {name}\ngpu: L4_24GB")
    assert list(shell.run("%pods wait a b --timeout 2m")["is_ready"]) == [True, True]
    assert list(shell.run("%pods rm a b")["outcome"]) == ["terminated", "terminated"]
    assert "2 pods" in shell.output.text


def test_loading_twice_is_loading_once_and_unloading_leaves_nothing(
    bare_shell: Any, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)

    def traces() -> Any:
        manager = bare_shell.magics_manager
        formatters = bare_shell.display_formatter.formatters
        return (
            {kind: set(names) for kind, names in manager.magics.items()},
            set(manager.registry),
            len(bare_shell.configurables),
            {mime: set(formatter.type_printers) for mime, formatter in formatters.items()},
            {mime: set(formatter.deferred_printers) for mime, formatter in formatters.items()},
        )

    # IPython itself brings the magics that load extensions when they are first asked for.
    bare_shell.run("%unload_ext nothing")
    before = traces()
    bare_shell.run("%load_ext primepods_magic")
    bare_shell.run("%unload_ext primepods_magic")
    assert traces() == before
    for _ in range(2):
        bare_shell.run("%load_ext primepods_magic")
        bare_shell.run("%load_ext primepods_magic")
        bare_shell.run("%reload_ext primepods_magic")
        bare_shell.run("%pods connect --sandbox")
        bare_shell.run("%pods ls")
        bare_shell.run(CREATE)
        bare_shell.run("%pods show train")
        bare_shell.run("%unload_ext primepods_magic")
        assert traces() == before
        with pytest.raises(Exception, match="pods"):
            bare_shell.run("get_ipython().run_line_magic('pods', 'ls')")


def test_the_connection_says_sandbox_by_where_requests_go(
    shell: Any, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIME_API_KEY", "sandbox")
    monkeypatch.setenv("PRIME_API_BASE_URL", sandbox.url)
    with pytest.raises(errors.NotConfigured, match="is a sandbox, not the live service"):
        shell.run("%pods connect --live")
    connection = connect()
    assert isinstance(connection, Connection)
    assert connection.label == "sandbox"


def test_a_mistake_in_a_cell_leaves_the_kernel_as_it_was(shell: Any) -> None:
    shell.run("x = 1")
    with pytest.raises(errors.NotFound):
        shell.run("x = 2\n%pods show nobody\nx = 3")
    assert shell.user_ns["x"] == 2


def test_no_html_of_ours_has_two_dollar_signs_in_one_run_of_text(shell: Any) -> None:
    shell.run(CREATE.replace("train", "$a$"))
    for command in ("%pods ls", "%pods show '$a$'", "%pods status", "%pods avail --gpu L4_24GB"):
        shell.run(command)
        runs = re.split(r"<[^>]*>", shell.output.html)
        assert shell.output.html
        assert not [run for run in runs if run.count("$") > 1]


def test_a_team_is_listed_by_its_name(shell: Any) -> None:
    shell.run("%pod_create --gpu L4_24GB --name ours --team team_id")
    shell.run("%pod_create --gpu L4_24GB --name own")
    assert list(shell.run("%pods ls --team 'analytical engines'")["name"]) == ["ours"]
    with pytest.raises(errors.NotFound, match="You are not in a team"):
        shell.run("%pods ls --team nobodys")


def test_a_pod_is_a_line_of_html_with_its_command(shell: Any) -> None:
    pod = shell.run("%pod_create --gpu L4_24GB --name '<b>x' --wait")
    assert f">{pod.ssh}</code>" in shell.output.html
    assert "&lt;b&gt;x" in shell.output.html
    assert "<b>x" not in shell.output.html
