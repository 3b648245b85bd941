"""Kernel specs of pods: what Jupyter reads, and what becomes of those whose pods are gone."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from primepods_magic import connect, launch
from primepods_magic.api.errors import InvalidRequest, NotConfigured
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection import completion_cache
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import disconnect
from primepods_magic.remote.kernels import keeping
from primepods_magic.remote.kernels.keeping import keep_kernel_specs
from primepods_magic.remote.kernels.specs import list_kernel_specs, remove_kernel_spec, write_kernel_spec
from tests.pods.conftest import connection as connection
from tests.remote.conftest import describe_pod
from tests.support.sandbox_control import SandboxControl, controlled
from tests.support.waiting import eventually


def describe(name: str, pod_id: str = "p1", **facts: object) -> PodDetails:
    return describe_pod("root@127.0.0.1 -p 22", name=name, id=pod_id, **facts)


def test_jupyter_reads_what_is_written(connection: Connection, home: Path) -> None:
    pod = describe("train", gpuName="H100_80GB", gpuCount=8, priceHr=19.2)
    spec = write_kernel_spec(connection, pod, "eval", options=["--costs", "never"])
    found = KernelSpecManager().get_kernel_spec("pod-train-eval")
    assert found.display_name.startswith("train/eval · 8 × H100_80GB · $19.20/h")
    assert found.argv[3:7] == [
        sys.executable, str(spec.folder / "stand_in.py"), "-m", "primepods_magic.notebook.relay",
    ]  # fmt: skip
    assert found.argv[-6:] == [
        "--session", "eval", "--route", str(spec.folder / "route.json"), "--costs", "never",
    ]  # fmt: skip
    assert (found.language, found.interrupt_mode) == ("python", "message")
    assert (spec.folder / "logo-svg.svg").read_text().startswith("<svg")
    assert list_kernel_specs(connection) == [spec]
    remove_kernel_spec(spec)
    remove_kernel_spec(spec)
    assert list_kernel_specs() == []
    assert "pod-train-eval" not in KernelSpecManager().find_kernel_specs()


def test_no_key_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sandbox-read"
    with controlled(clock="stepped", history=0) as sandbox:
        monkeypatch.setenv("PRIME_API_KEY", key)
        monkeypatch.setenv("PRIME_API_BASE_URL", sandbox.url)
        spec = write_kernel_spec(connect(), describe("train"))
        disconnect()
    for file in spec.folder.iterdir():
        assert key not in file.read_text()
        assert file.stat().st_mode & 0o077 == 0
    assert json.loads((spec.folder / "kernel.json").read_text())["env"] == {
        "PRIMEPODS_SANDBOX_URL": sandbox.url
    }


def test_a_new_pod_of_the_same_name_takes_over(connection: Connection, home: Path) -> None:
    before = write_kernel_spec(connection, describe("train", "p1"))
    after = write_kernel_spec(connection, describe("train", "p2"))
    assert (before.name, before.folder) == (after.name, after.folder)
    assert [spec.pod_id for spec in list_kernel_specs()] == ["p2"]


def test_names_that_look_the_same_to_jupyter_stay_apart(connection: Connection, home: Path) -> None:
    specs = [
        write_kernel_spec(connection, describe("My Pod", "p1")),
        write_kernel_spec(connection, describe("my-pod", "p2")),
        write_kernel_spec(connection, describe("train", "p3"), "x"),
        write_kernel_spec(connection, describe("train-x", "p4")),
    ]
    assert len({spec.name for spec in specs}) == 4
    assert len(KernelSpecManager().find_kernel_specs()) >= 4
    assert {spec.pod for spec in list_kernel_specs()} == {"My Pod", "my-pod", "train", "train-x"}


def test_two_live_pods_of_one_name_have_a_kernel_each(connection: Connection, home: Path) -> None:
    pods = [describe("train", "p1"), describe("train", "p2")]
    connection.completion_cache.update_pods(pods)
    specs = [write_kernel_spec(connection, pod) for pod in pods]
    assert [write_kernel_spec(connection, pod) for pod in pods] == specs
    assert {spec.pod_id: spec.name for spec in list_kernel_specs()} == {
        spec.pod_id: spec.name for spec in specs
    }
    assert len({spec.folder for spec in specs}) == 2


def test_what_a_person_has_made_stays(connection: Connection, home: Path) -> None:
    spec = write_kernel_spec(connection, describe("train"))
    copy = shutil.copytree(spec.folder, spec.folder.with_name("pod-train-mine"))
    (spec.folder / "notes.txt").write_text("mine")
    assert list_kernel_specs() == [spec]
    remove_kernel_spec(spec)
    assert (copy / "kernel.json").exists()
    assert [file.name for file in spec.folder.iterdir()] == ["notes.txt"]
    assert list_kernel_specs() == []


def test_one_spec_that_cannot_be_changed_does_not_keep_the_others(
    connection: Connection, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [write_kernel_spec(connection, describe(name, name)) for name in ("a", "b", "c")]
    (specs[0].folder / "logo-svg.svg").unlink()
    (specs[0].folder / "logo-svg.svg").mkdir()
    connection.completion_cache.forget_pods([spec.pod_id for spec in specs])
    keep_kernel_specs(connection, adds=False)
    assert not any(spec.folder.exists() for spec in specs[1:])


def test_a_kernel_of_another_program_is_left_alone(connection: Connection, home: Path) -> None:
    folder = write_kernel_spec(connection, describe("train")).folder
    other = json.dumps({"argv": ["python"], "display_name": "mine", "language": "python"})
    (folder / "kernel.json").write_text(other)
    spec = write_kernel_spec(connection, describe("train"))
    assert spec.folder != folder
    assert (folder / "kernel.json").read_text() == other
    assert list_kernel_specs() == [spec]


@pytest.mark.parametrize(
    "name", ["../../evil", "a/b", "\x1b[31mred", "{connection_file}", "-zz", "…", "a" * 500]
)
def test_odd_names_stay_within_the_folder(connection: Connection, home: Path, name: str) -> None:
    spec = write_kernel_spec(connection, describe(name))
    assert spec.folder.parent == Path(KernelSpecManager().user_kernel_dir)
    contents = json.loads((spec.folder / "kernel.json").read_text())
    assert contents["argv"].count("{connection_file}") == 1
    ours = {"{connection_file}", *(str(spec.folder / file) for file in ("route.json", "stand_in.py"))}
    assert not any(name in word for word in contents["argv"] if word not in ours)
    assert contents["display_name"].isprintable()
    assert KernelSpecManager().get_kernel_spec(spec.name)


@pytest.mark.parametrize("pod_id", ["", "-y", "a b", "{connection_file}", "x;rm", "é"])
def test_an_odd_id_is_refused(connection: Connection, home: Path, pod_id: str) -> None:
    with pytest.raises(InvalidRequest, match="Nothing was written"):
        write_kernel_spec(connection, describe("train", pod_id))
    assert list_kernel_specs() == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metadata": {"primepods": 7}}', "[" * 5000, "\0"])
def test_what_cannot_be_read_is_no_spec(connection: Connection, home: Path, text: str) -> None:
    spec = write_kernel_spec(connection, describe("train"))
    (spec.folder / "kernel.json").write_text(text)
    assert list_kernel_specs() == []


def test_without_ipykernel_nothing_is_written(
    connection: Connection, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ipykernel" else name)
    with pytest.raises(NotConfigured, match=r"needs ipykernel .* Nothing was written"):
        write_kernel_spec(connection, describe("train"))


def test_specs_follow_the_pods(machines: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_CHECK_INTERVAL_S", 0.0)
    # A list may leave out a pod by mistake for a minute.
    monkeypatch.setattr(completion_cache, "_BELIEVED_S", 0.0)
    connection = connect(sandbox=True)
    started = launch(gpu="L4_24GB", name="train", tell=lambda _: None)
    keep_kernel_specs(connection, adds=True)
    assert list_kernel_specs() == [], "it is not ready"
    machines.advance(120)
    connection.client.list_all_pods()
    keep_kernel_specs(connection, adds=False)
    assert list_kernel_specs() == []
    keep_kernel_specs(connection, adds=True)
    assert [spec.pod for spec in list_kernel_specs()] == ["train"]
    machines.api.delete(f"/api/v1/pods/{started.id}").raise_for_status()
    machines.advance(600)

    def is_removed() -> bool:
        connection.client.list_all_pods()
        keep_kernel_specs(connection, adds=True)
        return list_kernel_specs() == []

    eventually(is_removed, "the spec is removed")
