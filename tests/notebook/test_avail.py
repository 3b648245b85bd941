"""The filters and orders of ``%pods avail``."""

from __future__ import annotations

from typing import Any

import pytest

from primepods_magic.api import errors
from primepods_magic.frames.listing import list_offers
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
        (
            "--disks --gpu L4_24GB",
            "--disks lists offers of disks, so it cannot go with --gpu. Nothing was done",
        ),
        ("--disks --spot --disk a", "cannot go with --spot and --disk. Nothing was done"),
        ("--disks corpus", "Unexpected argument 'corpus'. Did you mean: --disk corpus?"),
        ("--disks --sort price_hr", "cannot go with --sort. Nothing was done"),
        ("--disks --data-center NOWARY-1", "(did you mean 'NORWAY-1'?)"),
    ],
)
def test_refuses_a_wrong_filter(shell: Any, flags: str, says: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        shell.run(f"%pods avail {flags}")
    assert says in str(caught.value)


def test_lists_only_the_offers_that_can_attach_my_disk(shell: Any) -> None:
    (disk,) = shell.run("%pods disks create corpus --size 100 --provider hyperstack -y --wait").to_dict(
        "records"
    )
    place = (disk["provider"], disk["data_center"])
    fitting = shell.run("%pods avail --disk corpus")
    assert "where corpus can be attached" in shell.output.text
    assert set(zip(fitting["provider"], fitting["data_center"], strict=True)) == {place}
    assert shell.run(f"%pods avail --disk {disk['id']}").equals(fitting)
    assert list_offers(disks="corpus").equals(fitting)
    gpu = fitting["gpu"].iloc[0]
    assert set(shell.run(f"%pods avail --disk corpus --gpu {gpu}")["gpu"]) == {gpu}
    assert shell.run("%pods avail --disk corpus --country FI").empty
    # A machine that is listed takes the disk, and the only one that it serves then.
    cloud_id = fitting[fitting["stock"] != "Unavailable"]["cloud_id"].iloc[0]
    shell.run(f"%pod_create --cloud-id {cloud_id} --disks {disk['id']} --provider hyperstack --name a -y")
    shell.run("%pods avail --disk corpus")
    assert "The disk 'corpus' serves one pod and is attached to" in shell.output.stdout


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("corpsu", "There is no disk 'corpsu' (did you mean 'corpus'?). Nothing was done"),
        ("500", "For the size of a pod's own disk, use --min-disk"),
    ],
)
def test_says_that_there_is_no_such_disk(shell: Any, name: str, says: str) -> None:
    shell.run("%pods disks create corpus --size 100 -y")
    with pytest.raises(errors.NotFound) as caught:
        shell.run(f"%pods avail --disk {name}")
    assert says in str(caught.value)


def test_disks_are_the_table_of_the_other_command(shell: Any) -> None:
    assert shell.run("%pods avail --disks").equals(shell.run("%pods disks offers"))
    some = shell.run("%pods avail --disks --data-center norway-1,FIN-01")
    assert set(some["data_center"]) == {"NORWAY-1", "FIN-01"}
    assert shell.run("%pods disks offers --data-center NORWAY-1,FIN-01").equals(some)


def test_a_launch_takes_the_cheapest_of_several_data_centers(shell: Any) -> None:
    both = shell.run("%pods avail --gpu H100_80GB --count 1 --data-center NORWAY-1,CANADA-1")
    assert set(both["data_center"]) == {"NORWAY-1", "CANADA-1"}
    request = shell.run("%pod_create --gpu H100_80GB --data-center-id CANADA-1,NORWAY-1 --name a --dry-run")
    assert request["pod"]["dataCenterId"] == both["data_center"].iloc[0]


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
