"""`python -m benchmarks [--rounds N] [NAME …]`: timings, for people to read; nothing is asserted."""

from __future__ import annotations

import argparse

from benchmarks.allocate import allocate
from benchmarks.complete import complete
from benchmarks.harness import Benchmark, report, run
from benchmarks.list_magic import list_magic
from benchmarks.list_pods import list_pods
from benchmarks.load_extension import load_extension
from benchmarks.log_in import log_in
from benchmarks.open_launcher import open_launcher
from benchmarks.open_sandbox import open_sandbox
from benchmarks.read_history import read_history
from benchmarks.render_tables import render_tables
from benchmarks.run_cells import run_cells
from benchmarks.serve_clients import serve_clients
from benchmarks.serve_pages import serve_pages
from benchmarks.start_pod_kernel import start_pod_kernel
from benchmarks.transfer_files import transfer_files
from benchmarks.watch_pods import watch_pods

BENCHMARKS: dict[str, tuple[Benchmark, int]] = {
    "load_extension": (load_extension, 15),
    "list_pods": (list_pods, 60),
    "list_magic": (list_magic, 40),
    "serve_pages": (serve_pages, 60),
    "open_sandbox": (open_sandbox, 15),
}
# They have reports of their own.
REPORTS = {
    "allocate": allocate,
    "complete": complete,
    "log_in": log_in,
    "open_launcher": open_launcher,
    "read_history": read_history,
    "render_tables": render_tables,
    "run_cells": run_cells,
    "serve_clients": serve_clients,
    "start_pod_kernel": start_pod_kernel,
    "transfer_files": transfer_files,
    "watch_pods": watch_pods,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=" or ".join([*BENCHMARKS, *REPORTS]))
    parser.add_argument("--rounds", type=int, help="how often each contestant runs")
    given = parser.parse_args()
    for name in given.name or [*BENCHMARKS, *REPORTS]:
        if name in REPORTS:
            print(REPORTS[name](), flush=True)
            continue
        benchmark, rounds = BENCHMARKS[name]
        print(report(name, run(benchmark, given.rounds or rounds)), flush=True)


if __name__ == "__main__":
    main()
