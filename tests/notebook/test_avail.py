"""The filters and orders of ``%pods avail``."""

from __future__ import annotations

from typing import Any

import pytest

from primepods_magic.api import errors
from primepods_magic.notebook.completion import completions_at


def test_filters_by_what_a_machine_has(shell: Any) -> None:
    offers = shell.run("%pods avail --min-vram 48GB --min-memory 128 --min-vcpus 16 --sort usd_gb_vram")
    assert "cheapest per GB of GPU memory first" in shell.output.text
    assert (offers[["gpu_memory_gb", "memory_gb", "vcpus"]] >= [48, 128, 16]).all(axis=None)
    assert offers["gpu"].nunique() > 2
    there = shell.run("%pods avail --data-center us-east-1 --image ubuntu_22_cuda_12 --sort start")
    assert set(there["data_center"]) == {"us-east-1"}
    in_stock = there[there["stock"] != "Unavailable"]["provisioning_min"]
    assert list(in_stock) == sorted(in_stock)


def test_several_values_are_commas_flags_or_one_variable(shell: Any) -> None:
    both = shell.run("%pods avail --gpu H100_80GB,A100_80GB --provider runpod,hyperstack")
    assert set(both["gpu"]) == {"H100_80GB", "A100_80GB"}
    assert set(both["provider"]) == {"runpod", "hyperstack"}
    shell.user_ns["wanted"] = "H100_80GB,A100_80GB"
    assert shell.run("%pods avail --gpu $wanted --provider runpod --provider hyperstack").equals(both)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--min-vram lots", "--min-vram must be a whole number of GB, such as 500, not 'lots'"),
        ("--min-memory 0", "--min-memory must be above 0, not '0'"),
        ("--sort provider", "invalid choice: 'provider' (choose from 'price_hr'"),
        ("--vram 24", "there is no --vram (did you mean '--min-vram 24'?)"),
        ("--data-center a --data-center-id b", "are the same flag. Nothing was done"),
    ],
)
def test_refuses_a_wrong_filter(shell: Any, flags: str, says: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        shell.run(f"%pods avail {flags}")
    assert says in str(caught.value)


def test_completes_an_order() -> None:
    line = "%pods avail --sort p"
    assert completions_at([line], 0, line)[1] == ["price_hr", "price_gpu_hr"]


def test_a_cell_takes_a_gpu_by_its_memory(shell: Any) -> None:
    request = shell.run("%pod_create --min-vram 80 --name a --dry-run")
    assert request["pod"]["gpuType"] == shell.run("%pods avail --min-vram 80 --count 1")["gpu"].iloc[0]
    assert not {"minVramGb", "min_vram"} & request["pod"].keys()
    assert shell.run("%%pod_create\nname: a\nmin_vram: 80\nmin_memory: 64").name == "a"
    assert shell.run("%%pod_create\nname: a\nmin_vram: 80\nmin_memory: 64").is_new is False
    assert "Not compared with this cell: min_memory_gb" in shell.output.stdout
