"""`nvidia-smi` on a machine: the forms that tools parse, what drives its figures, and its faults."""

from __future__ import annotations

import re

import pytest

from primepods_magic.sandbox.machines.gpus.usage import Gpus
from primepods_magic.sandbox.machines.processes import ProcessUsage
from tests.support.waiting import eventually

from .conftest import Handle, StartMachine

QUERY = "nvidia-smi --format=csv,noheader,nounits --query-gpu="


def test_lists_the_gpus(machine: Handle) -> None:
    lines = machine.login.read("nvidia-smi -L").splitlines()
    assert len(set(lines)) == 2
    for index, line in enumerate(lines):
        assert re.fullmatch(rf"GPU {index}: NVIDIA H100 80GB HBM3 \(UUID: GPU(-[0-9a-f]+){{5}}\)", line)
    assert machine.login.read("nvidia-smi --list-gpus").splitlines() == lines


def test_answers_queries_as_csv(machine: Handle) -> None:
    read = machine.login.read
    fields = "--query-gpu=index,name,memory.total,utilization.gpu"
    assert read(f"nvidia-smi {fields} --format=csv").splitlines() == [
        "index, name, memory.total [MiB], utilization.gpu [%]",
        "0, NVIDIA H100 80GB HBM3, 81559 MiB, 0 %",
        "1, NVIDIA H100 80GB HBM3, 81559 MiB, 0 %",
    ]
    assert (
        read(f"nvidia-smi -i 1 {fields} --format=csv,noheader") == "1, NVIDIA H100 80GB HBM3, 81559 MiB, 0 %"
    )
    assert read(f"nvidia-smi --id=0 {fields} --format=csv,noheader,nounits").endswith(", 81559, 0")
    assert re.fullmatch(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3}\n?){2}", read(f"{QUERY}timestamp"))


def test_draws_the_table(machine: Handle) -> None:
    machine.change(utilization=97, memory_used_mb=71_680)
    lines = machine.login.read("nvidia-smi").splitlines()
    assert {len(line) for line in lines[1:] if line.strip()} == {91}
    assert (
        "| N/A   76C    P0            620W /  700W |   71680MiB /  81559MiB |     97%      Default |" in lines
    )
    assert (
        "|   1  NVIDIA H100 80GB HBM3          On  |   00000000:2A:00.0 Off |                    0 |" in lines
    )
    assert "|  No running processes found" in "\n".join(lines)


def test_refuses_what_it_does_not_know(machine: Handle) -> None:
    done = machine.login.run(f"{QUERY}index,nonsense")
    assert (done.returncode, 'Field "nonsense" is not a valid field to query' in done.stdout) == (2, True)
    assert machine.login.run("nvidia-smi --nonsense").returncode == 2
    assert machine.login.run("nvidia-smi --query-gpu=index").returncode == 2
    assert machine.login.run("nvidia-smi -lms x").returncode == 2


def test_repeats(machine: Handle) -> None:
    with machine.login.started(f"{QUERY}index -lms 20") as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(6)] == ["0\n", "1\n"] * 3


def test_counts_the_cpu_time_of_the_machines_processes(machine: Handle) -> None:
    spin = "CUDA_VISIBLE_DEVICES=1 sh -c 'echo $$; while :; do :; done'"
    with machine.login.started(spin) as process:
        assert process.stdout is not None
        pid = process.stdout.readline().strip()

        def is_busy() -> bool:
            idle, busy = map(int, machine.login.read(f"{QUERY}utilization.gpu").split())
            return idle == 0 and busy > 5

        eventually(is_busy, "the second GPU is busy")
        apps = "nvidia-smi --query-compute-apps=pid,used_memory --format=csv,noheader"
        eventually(lambda: re.fullmatch(rf"{pid}, 30\d MiB", machine.login.read(apps)), "it is listed")


def test_shares_gpus_as_processes_use_them() -> None:
    gpus = Gpus("GPU", 1000, 3, "pod")

    def usage(pid: int, cpu_s: float, devices: tuple[int, ...] | None) -> dict[int, ProcessUsage]:
        return {pid: ProcessUsage(pid, f"p{pid}", cpu_s, 500, devices)}

    before = {**usage(1, 1, None), **usage(2, 1, (1, 2)), **usage(3, 1, (2,)), **usage(4, 1, (2,))}
    after = {**usage(1, 1.5, None), **usage(2, 1.7, (1, 2)), **usage(3, 1.6, (2,)), **usage(4, 1.01, (2,))}
    measured = gpus.measure(before, {**after, **usage(9, 5, None)}, 1.0)
    assert [gpu.utilization_percent for gpu in measured] == [50, 70, 100]
    assert [gpu.used_mb for gpu in measured] == [800, 800, 1000]
    assert [[process.pid for process in gpu.processes] for gpu in measured] == [[1], [2], [2, 3]]


def test_reports_what_was_set_and_faults(machine: Handle) -> None:
    fields = "utilization.gpu,memory.used,memory.free,memory.total"
    ask = f"{QUERY}{fields} -i 0; timeout 0.7 nvidia-smi >/dev/null; echo $?"
    for settings, expected in (
        ({"utilization": 42, "memory_used_mb": 1559}, ["42, 1559, 80000, 81559", "0"]),
        ({"nvidia_smi": "na"}, ["[N/A], [N/A], [N/A], 81559", "0"]),
        ({"nvidia_smi": "missing"}, ["127"]),
        ({"nvidia_smi": "ok"}, ["42, 1559, 80000, 81559", "0"]),
    ):
        machine.change(**settings)
        assert machine.login.run(ask.replace("0.7", "20")).stdout.splitlines() == expected
    machine.change(nvidia_smi="lost")
    done = machine.login.run("nvidia-smi")
    assert (done.returncode, "GPU is lost" in done.stdout) == (15, True)
    machine.change(nvidia_smi="hang")
    assert machine.login.run("timeout 0.5 nvidia-smi").returncode == 124
    machine.change(nvidia_smi="ok", utilization=None, memory_used_mb=None)
    assert machine.login.read(f"{QUERY}utilization.gpu -i 0") == "0"


@pytest.mark.parametrize("has_real_one", [False, True])
def test_a_machine_without_gpus_has_none(start_machine: StartMachine, has_real_one: bool) -> None:
    machine = start_machine(gpu_count=0)
    done = machine.login.run("nvidia-smi")
    assert (done.returncode, done.stdout) == (127, "")
    assert "not found" in done.stderr
