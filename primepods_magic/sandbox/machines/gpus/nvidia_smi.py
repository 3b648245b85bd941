"""The `nvidia-smi` of a machine: a small program on its PATH, whose answers are computed here."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from primepods_magic.sandbox.machines.processes import ProcessUsage, measure_marked

from .forms import UsageError, format_answer, parse_words
from .usage import Gpu, Gpus

__all__ = ["NvidiaSmi"]

_STUB = Path(__file__).with_name("stub.py")
_SAMPLE_S = 0.1
_ABSENT = "#!/bin/sh\necho 'sh: 1: nvidia-smi: not found' >&2\nexit 127\n"
_LOST = (
    "Unable to determine the device handle for GPU0: 0000:19:00.0: GPU is lost.  "
    "Reboot the system to recover this GPU\n"
)
_LOST_CODE = 15


class NvidiaSmi:
    """The program, the socket that it asks, and what it is to report."""

    def __init__(self, gpus: Gpus, mark: str, programs: Path, socket: Path, python: str) -> None:
        self._gpus = gpus
        self._mark = mark
        self._program = programs / "nvidia-smi"
        self._socket = socket
        self._python = python
        self._mode = "ok"
        self._utilization_percent: int | None = None
        self._used_mb: int | None = None
        self._server: asyncio.AbstractServer | None = None
        self._asking: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Install the program and answer it."""
        self._install_program()
        if self._gpus.count:
            self._server = await asyncio.start_unix_server(self._answer_program, self._socket)

    def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.close()
        for writer in self._asking:
            writer.transport.abort()

    def change(self, settings: Mapping[str, Any]) -> None:
        """Apply the settings that concern the GPUs."""
        self._utilization_percent = settings.get("utilization", self._utilization_percent)
        self._used_mb = settings.get("memory_used_mb", self._used_mb)
        self._mode = settings.get("nvidia_smi", self._mode)
        self._install_program()

    def _install_program(self) -> None:
        """Write the program, or something in front of a real one where there must be none."""
        if self._gpus.count and self._mode != "missing":
            words = shlex.join([self._python, "-I", "-S", str(_STUB), str(self._socket)])
            text = f'#!/bin/sh\nexec {words} "$@"\n'
        elif shutil.which("nvidia-smi"):
            text = _ABSENT
        else:
            self._program.unlink(missing_ok=True)
            return
        self._program.write_text(text)
        self._program.chmod(0o755)

    async def _answer_program(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asking.add(writer)
        ended = None
        try:
            question = json.loads(await reader.readline())
            answering = asyncio.ensure_future(self._send_answers(question, writer))
            # It ends the loop of `-l` by going away.
            ended = asyncio.ensure_future(reader.read())
            await asyncio.wait({answering, ended}, return_when=asyncio.FIRST_COMPLETED)
            answering.cancel()
        except (OSError, ValueError):
            pass
        finally:
            if ended is not None:
                ended.cancel()
            self._asking.discard(writer)
            writer.close()

    async def _send_answers(self, question: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            if self._mode == "hang":
                await asyncio.Event().wait()
            if self._mode == "lost":
                await _send_answer(writer, _LOST, _LOST_CODE)
                return
            try:
                query = parse_words(question["words"])
            except UsageError as error:
                await _send_answer(writer, f"{error}\n", error.code)
                return
            # Each answer of a loop is about the time since the one before, of which a short burst is little.
            sample = self._take_sample()
            await asyncio.sleep(_SAMPLE_S)
            is_first = True
            while True:
                before, sample = sample, self._take_sample()
                text = format_answer(
                    query,
                    self._measure_gpus(question["pid"], before, sample),
                    datetime.now().astimezone(),
                    has_heading=is_first,
                    is_unknown=self._mode == "na",
                )
                await _send_answer(writer, text, 0 if query.every_s is None else None)
                if query.every_s is None:
                    return
                is_first = False
                await asyncio.sleep(query.every_s)

    def _take_sample(self) -> tuple[dict[int, ProcessUsage], float]:
        return measure_marked(self._mark), asyncio.get_running_loop().time()

    def _measure_gpus(
        self,
        asking_pid: int,
        before: tuple[dict[int, ProcessUsage], float],
        after: tuple[dict[int, ProcessUsage], float],
    ) -> list[Gpu]:
        # The one that asks computes nothing on a GPU.
        usages = {pid: usage for pid, usage in after[0].items() if pid != asking_pid}
        return self._gpus.measure(
            before[0],
            usages,
            after[1] - before[1],
            utilization_percent=self._utilization_percent,
            used_mb=self._used_mb,
        )


async def _send_answer(writer: asyncio.StreamWriter, text: str, code: int | None) -> None:
    writer.write(json.dumps({"text": text, "code": code}).encode() + b"\n")
    await writer.drain()
