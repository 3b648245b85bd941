"""A crowd: 32 clients of one sandbox; how many requests it answers a second, and how long each takes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time

import httpx

CLIENTS = 32
LASTS_S = 30.0

_BODY = {
    "pod": {"cloudId": "n3-CPUx1", "gpuType": "CPU_NODE", "socket": "PCIe", "gpuCount": 1},
    "provider": {"type": "hyperstack"},
}


def serve_clients(lasts_s: float = LASTS_S) -> str:
    """Let them all buy, look and end for so long, and tell what came of it.

    Parameters
    ----------
    lasts_s:
        For how many seconds.
    """
    command = [sys.executable, "-m", "primepods_magic.sandbox"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        url = sandbox.stdout.readline().removeprefix("listening on ").strip()
        try:
            taken = _crowd(url, lasts_s)
        finally:
            sandbox.terminate()
    by_kind = {kind: sorted(seconds) for kind, seconds in taken.items()}
    total = sum(map(len, by_kind.values()))
    lines = [
        f"  {kind:<8}  {len(seconds):7d} requests  median {statistics.median(seconds) * 1000:7.1f} ms"
        f"  p99 {seconds[len(seconds) * 99 // 100] * 1000:7.1f} ms"
        for kind, seconds in by_kind.items()
    ]
    head = f"serve_clients  ({CLIENTS} clients, {lasts_s:.0f} s): {total / lasts_s:.0f} requests a second"
    return "\n".join([head, *lines])


def _crowd(url: str, lasts_s: float) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {"create": [], "list": [], "status": [], "history": [], "delete": []}
    failed: list[Exception] = []
    headers = {"Authorization": "Bearer sandbox"}
    httpx.put(f"{url}/sandbox/wallet", json={"balance_usd": 1e9}, trust_env=False).raise_for_status()
    end = time.monotonic() + lasts_s

    def use() -> None:
        with httpx.Client(base_url=f"{url}/api/v1", headers=headers, trust_env=False, timeout=60) as client:

            def ask(kind: str, method: str, path: str, **options: object) -> httpx.Response:
                begin = time.perf_counter()
                answer = client.request(method, path, **options)  # type: ignore[arg-type]
                taken[kind].append(time.perf_counter() - begin)
                return answer.raise_for_status()

            try:
                while time.monotonic() < end:
                    pod_id = ask("create", "POST", "/pods", json=_BODY).json()["id"]
                    ask("list", "GET", "/pods?limit=20")
                    ask("status", "GET", f"/pods/status?pod_ids={pod_id}")
                    ask("history", "GET", "/pods/history?limit=20")
                    ask("delete", "DELETE", f"/pods/{pod_id}")
            except Exception as error:  # noqa: BLE001 - told to whoever started it
                failed.append(error)

    threads = [threading.Thread(target=use) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return taken
