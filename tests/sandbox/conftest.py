"""A sandbox whose clock stands still, a process that runs one, and the official CLI on its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.sandbox import start
from tests.package.environments import interpreter

PROJECT = Path(__file__).resolve().parents[2]
PRIME_ENVIRONMENT = PROJECT / ".venv-prime"
PRIME_REQUIREMENT = "prime==0.18.0"


class Caller(httpx.Client):
    """An HTTP client of a sandbox that can also move its clock."""

    def __init__(self, url: str, key: str | None = "sandbox") -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        super().__init__(base_url=url, headers=headers, trust_env=False, verify=False, timeout=30)

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The body of a successful answer from below ``/api/v1``."""
        answer = self.request(method, f"/api/v1/{path}", **options)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def order(self, gpu: str = "n3-H100x1", **changes: Any) -> dict[str, Any]:
        """Buy a pod of an offer that is named by its cloudId; the changes go into the body's ``pod``."""
        offer = self.offer(gpu)
        pod = {
            "name": "a pod",
            "cloudId": offer["cloudId"],
            "gpuType": offer["gpuType"],
            "socket": offer["socket"],
            "gpuCount": offer["gpuCount"],
            "dataCenterId": offer["dataCenter"],
        }
        body = {"pod": {**pod, **changes}, "provider": {"type": offer["provider"]}}
        return self.call("POST", "pods", json=body)

    def offer(self, cloud_id: str) -> dict[str, Any]:
        """The first offer with this cloudId."""
        for path in ("gpus", "multi-node"):
            found = self.call("GET", f"availability/{path}", params={"cloud_id": cloud_id})["items"]
            if found:
                first: dict[str, Any] = found[0]
                return first
        raise LookupError(cloud_id)

    def status(self, *pod_ids: str) -> list[dict[str, Any]]:
        """The rows of ``/pods/status``."""
        rows: list[dict[str, Any]] = self.call("GET", "pods/status", params={"pod_ids": pod_ids})["data"]
        return rows

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock."""
        assert self.post("/sandbox/clock", json={"advance_s": seconds}).status_code == 200

    def happen(self, pod_id: str, event: str) -> httpx.Response:
        """Let something happen to a pod."""
        return self.post(f"/sandbox/pods/{pod_id}/events", json={"event": event})


@pytest.fixture
def caller() -> Iterator[Caller]:
    """A caller of a fresh sandbox in the specification's dialect, whose clock stands still."""
    with start(clock="stepped") as sandbox, Caller(sandbox.url) as client:
        yield client


@pytest.fixture
def published() -> Iterator[Caller]:
    """The same in the published documents' dialect."""
    with start(clock="stepped", dialect="published") as sandbox, Caller(sandbox.url) as client:
        yield client


@dataclass
class SandboxProcess:
    """``python -m primepods_magic.sandbox`` that has said where it listens."""

    process: subprocess.Popen[str]
    url: str

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal, and give the exit code and what else was printed."""
        self.process.send_signal(number)
        stdout, stderr = self.process.communicate(timeout=20)
        return self.process.returncode, stdout, stderr


Spawn = Callable[..., SandboxProcess]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts sandboxes as processes; those that still run at the end of the test are ended."""
    spawned: list[SandboxProcess] = []

    def run(*arguments: str) -> SandboxProcess:
        process = subprocess.Popen(
            [sys.executable, "-m", "primepods_magic.sandbox", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        sandbox = SandboxProcess(process, line.removeprefix("listening on ").strip())
        spawned.append(sandbox)
        assert line.startswith("listening on http://"), process.communicate(timeout=20)
        return sandbox

    yield run
    for sandbox in spawned:
        if sandbox.process.poll() is None:
            # One that is killed leaves its temporary database behind.
            sandbox.end(signal.SIGTERM)
        for stream in (sandbox.process.stdout, sandbox.process.stderr):
            if stream is not None:
                stream.close()


Prime = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def prime_program() -> Path:
    """The official CLI, installed once beside the project; skips where it cannot be had."""
    program = PRIME_ENVIRONMENT / "bin" / "prime"
    complete = PRIME_ENVIRONMENT / PRIME_REQUIREMENT
    if complete.exists():
        return program
    try:
        PRIME_ENVIRONMENT.mkdir(exist_ok=True)
        (PRIME_ENVIRONMENT / ".gitignore").write_text("*\n")
        for command in (
            [_python_for_prime(), "-m", "venv", str(PRIME_ENVIRONMENT)],
            [str(PRIME_ENVIRONMENT / "bin" / "pip"), "install", "--quiet", PRIME_REQUIREMENT],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except (LookupError, OSError, subprocess.SubprocessError) as error:
        reason = f"{PRIME_REQUIREMENT} cannot be installed: {error} {getattr(error, 'stderr', '') or ''}"
        if os.environ.get("REQUIRE_PRIME_CLI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # Written last: an installation that was interrupted is not taken for one.
    complete.touch()
    return program


def _python_for_prime() -> str:
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for version in sorted(("3.12", "3.11", "3.13"), key=lambda version: version != ours):
        found = interpreter(version)
        if found is not None:
            return found
    raise LookupError("it needs Python 3.11, 3.12 or 3.13")


@pytest.fixture
def prime(prime_program: Path, tmp_path: Path) -> Prime:
    """Runs the official CLI against a sandbox: ``prime(url, "pods", "list")``."""

    def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "NO_PROXY": "127.0.0.1",
            "COLUMNS": "250",
            "PRIME_DISABLE_VERSION_CHECK": "1",
            "PRIME_API_BASE_URL": url,
            "PRIME_API_KEY": "sandbox",
        }
        return subprocess.run(
            [str(prime_program), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    return run
