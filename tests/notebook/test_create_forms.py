"""`%pod_create` as a line, several pods from one cell, and settings that stand for what a cell leaves out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from traitlets import TraitError

from primepods_magic import Pod
from primepods_magic.api import errors
from primepods_magic.pods.connection.current import in_use
from tests.support.sandbox_control import SandboxControl
from tests.support.silent import silent_about_itself


def names(shell: Any) -> list[str]:
    return sorted(shell.run("%pods ls")["name"])


def test_flags_say_what_a_body_says(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hunter2")
    flags = (
        "--name train --gpu H100_80GB --count 8 --country US --max-price 30 --disk 200 "
        "--env HF_TOKEN=${HF_TOKEN} --env EPOCHS=3 --auto-restart"
    )
    body = (
        "name: train\ngpu: H100_80GB\ncount: 8\ncountry: US\nmax_price: 30\ndisk: 200\n"
        "env: {HF_TOKEN: '${HF_TOKEN}', EPOCHS: 3}\nauto_restart: true"
    )
    by_flags = shell.run(f"%pod_create {flags} --dry-run")
    assert "hunter2" not in shell.output.text
    assert "written out" not in shell.output.text
    assert by_flags == shell.run(f"%%pod_create --dry-run\n{body}")
    assert by_flags["pod"]["gpuCount"] == 8


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%pod_create --gpu A\ngpu: B", "Put --gpu into the body"),
        ("%pod_create --gpu L4_24GB --env TOKEN", "a variable must be KEY=VALUE"),
        ("%pod_create --gpu L4_24GB --env A=1 --env A=2", "sets a variable twice"),
        ("%pod_create --gpu L4_24GB --count two", "--count must be a whole number, not 'two'"),
        ("%pod_create --gpu L4_24GB --security secure", "did you mean 'secure_cloud'?"),
        ("%pod_create --gpu L4_24GB --pods 101", "from 1 to 100"),
        ("%pod_create --gpu L4_24GB --env A=${nobody}", "neither a notebook variable"),
        ("%pod_create --gpuu L4_24GB", "did you mean '--gpu'?"),
    ],
)
def test_wrong_flags_are_one_line_and_rent_nothing(shell: Any, cell: str, says: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        shell.run(cell)
    assert says in str(caught.value)
    assert len(shell.output.error.splitlines()) == 1
    assert names(shell) == []


class Broken(str):
    def __str__(self) -> str:
        raise RuntimeError("hunter2")


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (np.int64(2), 2),
        (np.float64(2.0), 2),
        (np.float32(2.0), 2),
        (np.str_("2"), 2),
        (np.array(2), 2),
        (np.array([2]), "is a ndarray, not text or a number"),
        (np.datetime64("2026-09-01"), "is a datetime64, not text or a number"),
        (10**5000, "it raises ValueError"),
        (Broken("2"), "it raises RuntimeError"),
    ],
    ids=lambda value: str(type(value)),
)
def test_a_scalar_of_numpy_stands_for_its_value(shell: Any, value: object, count: int | str) -> None:
    shell.user_ns["n"] = value
    cell = "%%pod_create --dry-run\ngpu: H100_80GB\ncount: ${n}"
    if isinstance(count, int):
        assert shell.run(cell)["pod"]["gpuCount"] == count
        return
    with pytest.raises(errors.InvalidRequest, match=count) as caught:
        shell.run(cell)
    assert "hunter2" not in str(caught.value)


def test_a_secret_in_a_flag_is_warned_of_and_not_repeated(shell: Any) -> None:
    shell.run("%pod_create --gpu L4_24GB --env HF_TOKEN=hunter2 --dry-run")
    assert "The value of 'HF_TOKEN' is in this cell" in shell.output.stdout
    assert "hunter2" not in shell.output.text


def test_a_cell_rents_several_pods_and_run_again_answers_with_them(shell: Any) -> None:
    cell = "%%pod_create --wait\nname: worker\ngpu: L4_24GB\npods: 3"
    pods = shell.run(cell)
    assert [(pod.name, pod.is_ready) for pod in pods] == [(f"worker-{n}", True) for n in (1, 2, 3)]
    assert all(isinstance(pod, Pod) for pod in pods)
    assert "In total: $2.07/h, $49.68/day" in shell.output.stdout
    assert [pod.id for pod in shell.run(cell)] == [pod.id for pod in pods]
    assert len(names(shell)) == 3


def test_what_several_cost_together_keeps_below_the_ceiling(shell: Any) -> None:
    shell.run("%config PodsMagics.max_burn_usd_hr = 1.5")
    with pytest.raises(errors.BudgetExceeded, match=r"3 pods cost \$2\.07/h together"):
        shell.run("%pod_create --gpu L4_24GB --name w --pods 3")
    assert names(shell) == []
    shell.run("%pod_create --gpu L4_24GB --name w --pods 2")
    assert names(shell) == ["w-1", "w-2"]


def test_where_one_is_not_to_be_had_none_is_rented(shell: Any) -> None:
    with pytest.raises(errors.OutOfStock, match="The nearest"):
        shell.run("%%pod_create\n- {name: a, gpu: L4_24GB}\n- {name: b, gpu: H100_80GB, country: AU}")
    assert names(shell) == []


def test_an_announcement_says_why_and_what_else_was_close(shell: Any) -> None:
    shell.run("%pod_create --gpu H100_80GB --dry-run")
    assert "the cheapest of 7 offers that fit; next: primecompute" in shell.output.stdout
    shell.run("%pod_create --cloud-id n3-H100x1 --provider hyperstack --dry-run")
    assert "cheapest of" not in shell.output.stdout


def test_settings_stand_for_what_a_cell_leaves_out(shell: Any) -> None:
    shell.run("%config PodsMagics.default_image = 'cuda_12_4_pytorch_2_6'")
    shell.run("%config PodsMagics.default_region = 'eu_north'")
    shell.run("%config PodsMagics.default_team = 'team_id'")
    request = shell.run("%pod_create --gpu H100_80GB --dry-run")
    assert request["pod"]["image"] == "cuda_12_4_pytorch_2_6"
    assert request["team"] == {"teamId": "team_id"}
    assert request["pod"]["dataCenterId"] == "FIN-01"
    placed = shell.run("%pod_create --gpu H100_80GB --country US --image ubuntu_22_cuda_12 --dry-run")
    assert placed["pod"]["country"] == "US"
    assert placed["pod"]["image"] == "ubuntu_22_cuda_12"


@pytest.fixture
def billed(shell: Any, running_sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The shell, connected to what says nowhere that it is a sandbox."""
    with silent_about_itself(running_sandbox.url) as url:
        monkeypatch.setenv("PRIME_API_KEY", running_sandbox.key)
        monkeypatch.setenv("PRIME_API_BASE_URL", url)
        shell.run("%pods connect --live")
        shell.run("%config PodsMagics.poll_interval_s = 0.2")
        yield shell


def test_consent_given_counts_under_a_ceiling_only(billed: Any) -> None:
    billed.run("%config PodsMagics.consent = 'given'")
    with pytest.raises(errors.LaunchRefused, match="No one can confirm"):
        billed.run("%pod_create --gpu L4_24GB --name train")
    billed.run("%config PodsMagics.max_price_usd_hr = 1")
    billed.run("%pod_create --gpu L4_24GB --name train")
    assert names(billed) == ["train"]
    with pytest.raises(errors.InvalidRequest, match="was not confirmed"):
        billed.run("%pods rm train")


@pytest.mark.parametrize("given", ["%config PodsMagics.consent = 'given'", "pass"])
def test_only_somebody_agrees_to_the_end_of_a_pod_that_is_replaced(billed: Any, given: str) -> None:
    pod = billed.run("%pod_create --gpu L4_24GB --name train -y")
    billed.run("%config PodsMagics.max_price_usd_hr = 5")
    billed.run(given)
    with pytest.raises(errors.LaunchRefused, match=r"is terminated\. Nothing was created.*pass -y"):
        billed.run("%pod_create --gpu H100_80GB --name train --replace --max-price 5")
    assert [row.id for row in in_use().client.list_all_pods()] == [pod.id]


def test_progress_is_lines_of_text_where_that_is_wanted(shell: Any) -> None:
    shell.run("%config PodsMagics.display = 'text'")
    shell.run("%pod_create --gpu L4_24GB --name train --wait")
    assert "train  provisioning" in shell.output.stdout
    assert shell.run("%config PodsMagics") is None
    for name in ("max_price_usd_hr", "consent", "poll_interval_s", "default_team", "display", "greet"):
        assert f"PodsMagics.{name}=" in shell.output.stdout


def test_pods_that_were_running_are_told_of_on_loading(billed: Any) -> None:
    billed.run("%pod_create --gpu L4_24GB --name train --max-price 1")
    billed.run("%pods ls")
    billed.run("%unload_ext primepods_magic")
    billed.run("%load_ext primepods_magic")
    assert billed.output.stdout == (
        "1 pod was running when last seen just now: $0.69/h. '%pods ls' shows it\n"
    )
    billed.run("%config PodsMagics.poll_interval_s = 0.2")
    billed.run("%pods rm train -y")
    billed.run("%unload_ext primepods_magic")
    billed.run("%load_ext primepods_magic")
    assert billed.output.stdout == ""


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "-1"])
@pytest.mark.parametrize("name", ["max_price_usd_hr", "max_burn_usd_hr", "settle_s", "poll_interval_s"])
def test_a_setting_that_bounds_nothing_is_refused(shell: Any, name: str, value: str) -> None:
    magics = shell.magics_manager.registry["PodsMagics"]
    before = getattr(magics, name)
    with contextlib.suppress(TraitError):
        shell.run(f"%config PodsMagics.{name} = {value}")
    assert getattr(magics, name) == before
