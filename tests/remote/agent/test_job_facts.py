"""What an agent writes about a job is whole on disk at any moment, and has its code only until it begins."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from primepods_magic.remote.agent.job import Job


@pytest.mark.parametrize("code", ["fit(secret=1)", "fit(secret=1)\n" * 1000])
def test_facts_are_on_disk_and_the_code_is_gone(tmp_path: Path, code: str) -> None:
    async def run() -> None:
        job = Job.make(str(tmp_path), "main", {"id": "k3f9xq", "msg_id": "m", "code": code})
        assert Job.load(str(tmp_path)).facts["request"] == {"code": code}
        del job.facts["request"]
        job.start(kernel=1)
        job.end("ok")

    asyncio.run(run())
    file = tmp_path / "job.json"
    assert b"secret" not in file.read_bytes()
    assert json.loads(file.read_bytes())["state"] == "ok"
    assert Job.load(str(tmp_path)).is_done
