"""Files to and from a pod behind a real sshd, beside scp and rsync on the same link in the same run.

One large file and many small ones, each way: over loopback as it is, with 50 ms for each round trip, and with
cuts on the way, of which the trees, the bytes that crossed twice, and the memory of both sides are measured.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from unittest.mock import patch

from benchmarks.run_cells import _delaying_proxy
from primepods_magic import connect
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.agent.files.stream import BLOCK_BYTES
from primepods_magic.remote.files.streams import WINDOW_BLOCKS
from primepods_magic.remote.files.syncing import sync_folder
from primepods_magic.remote.files.transfers import get_files, put_files
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.links import close_links, open_link
from tests.support.agents import find_marked, make_mark, pod_with_agent
from tests.support.cutting_proxy import CUTS, CuttingProxy, cutting_proxy
from tests.support.memory import watch_memory
from tests.support.openssh import OpenSshServer
from tests.support.ssh_client import Login
from tests.support.waiting import eventually

LARGE_BYTES = int(os.environ.get("TRANSFER_LARGE_MB", "1000")) * 1_000_000
SMALL_FILES = int(os.environ.get("TRANSFER_SMALL_FILES", "20000"))
SCP_FILES = 150
"""The number of small files where each takes scp several round trips."""
DELAY_S = 0.025
"""Each way."""
ROUNDS, DELAYED_ROUNDS = 7, 2
"""With a delay, each takes the same time again; without one, the processors are what counts."""
CUT_COUNT = 5
_MAX_SMALL_BYTES = 4000
_FOLDER_FILES = 200


def transfer_files() -> str:
    """The report."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="transfer-files-")))
        server = stack.enter_context(pod_with_agent(folder, "Subsystem sftp internal-sftp"))
        bench = _Bench(folder, server)
        lines = [
            f"transfer_files: one file of {LARGE_BYTES / 1e6:.0f} MB, and {SMALL_FILES} files of up to "
            f"{_MAX_SMALL_BYTES} bytes"
        ]
        for delay_s in (0.0, DELAY_S):
            port = stack.enter_context(_delaying_proxy(server.port, delay_s)) if delay_s else server.port
            lines += bench.measure_large(port, delay_s)
            lines += bench.measure_small(port, delay_s)
        lines += bench.measure_sync()
        lines += bench.measure_cuts()
    return "\n".join(lines)


@dataclass
class _Timing:
    seconds: float
    size: float

    @property
    def rate(self) -> float:
        return self.size / self.seconds


class _Bench:
    def __init__(self, folder: Path, server: OpenSshServer) -> None:
        self.folder = folder
        self.server = server
        self.there = folder / "there"
        self.back = folder / "back"
        self.large = folder / "here/large.bin"
        self.small = folder / "here/small"
        self.few = folder / "here/few"
        _make_files(self.large, self.small, self.few)

    def measure_large(self, port: int, delay_s: float) -> list[str]:
        lines = []
        with self.open_pod(port) as link:
            contestants: dict[str, dict[str, Callable[[], object]]] = {
                "put": {
                    "scp": lambda: self.copy(port, str(self.large), f"{getuser()}@127.0.0.1:{self.there}/"),
                    "ours": lambda: put_files(link, [self.large], f"{self.there}/"),
                },
                "get": {
                    "scp": lambda: self.copy(
                        port, f"{getuser()}@127.0.0.1:{self.there}/large.bin", str(self.back)
                    ),
                    "ours": lambda: get_files(link, [f"{self.there}/large.bin"], f"{self.back}/"),
                },
            }
            for way, each in contestants.items():
                seconds = self.take_turns(each, way, DELAYED_ROUNDS if delay_s else ROUNDS)
                rates = {name: LARGE_BYTES / min(taken) for name, taken in seconds.items()}
                lines.append(
                    f"  {way} one file, round trip {2000 * delay_s:.0f} ms: ours {rates['ours'] / 1e6:.0f} "
                    f"MB/s, scp {rates['scp'] / 1e6:.0f} MB/s, ratio {rates['ours'] / rates['scp']:.2f}"
                )
        return lines

    def take_turns(
        self, contestants: dict[str, Callable[[], object]], way: str, rounds: int
    ) -> dict[str, list[float]]:
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(rounds):
            for name in contestants if number % 2 else reversed(contestants):
                self.empty(self.back if way == "get" else self.there)
                began_s = time.perf_counter()
                contestants[name]()
                seconds[name].append(time.perf_counter() - began_s)
        return seconds

    def measure_small(self, port: int, delay_s: float) -> list[str]:
        lines = []
        # As fast as it is here, scp takes all of them.
        few = self.few if delay_s else self.small
        with self.open_pod(port) as link:
            for way in ("put", "get"):
                self.empty(self.back)
                if way == "put":
                    self.empty(self.there)
                count = _count_files(few)
                source = f"{getuser()}@127.0.0.1:{self.there}/{few.name}"
                began_s = time.perf_counter()
                if way == "put":
                    self.copy(port, "-r", str(few), f"{getuser()}@127.0.0.1:{self.there}/")
                else:
                    self.copy(port, "-r", source, str(self.back))
                scp = _Timing(time.perf_counter() - began_s, count)
                if way == "put":
                    self.empty(self.there)
                self.empty(self.back)
                began_s = time.perf_counter()
                if way == "put":
                    put_files(link, [self.small], str(self.there))
                    if few != self.small:
                        shutil.copytree(few, self.there / few.name)
                else:
                    get_files(link, [f"{self.there}/small"], str(self.back))
                ours = _Timing(time.perf_counter() - began_s, SMALL_FILES)
                target = self.there if way == "put" else self.back
                same = "identical" if _hash_tree(target / "small") == _hash_tree(self.small) else "DIFFERENT"
                lines.append(
                    f"  {way} small files, round trip {2000 * delay_s:.0f} ms: ours {ours.rate:.0f} files/s "
                    f"({ours.seconds:.1f} s, {same}), scp -r {scp.rate:.0f} files/s (of {count}), ratio "
                    f"{ours.rate / scp.rate:.1f}"
                )
        return lines

    def measure_sync(self) -> list[str]:
        rsync = shutil.which("rsync")
        if rsync is None:
            return [
                "  sync of what is unchanged: rsync is not installed, so there is nothing to compare with"
            ]
        self.empty(self.there)
        words = self.login(self.server.port).words(None)[:-1]
        command = [
            rsync,
            "-a",
            "-e",
            " ".join(words),
            f"{self.small}/",
            f"{getuser()}@127.0.0.1:{self.there}/small/",
        ]
        seconds: dict[str, list[float]] = {"rsync": [], "ours": [], "with a new connection": []}
        with self.open_pod(self.server.port) as link:
            sync_folder(link, self.small, f"{self.there}/small")
            for _ in range(5):
                began_s = time.perf_counter()
                subprocess.run(command, check=True)
                seconds["rsync"].append(time.perf_counter() - began_s)
                began_s = time.perf_counter()
                result = sync_folder(link, self.small, f"{self.there}/small")
                seconds["ours"].append(time.perf_counter() - began_s)
                assert result.sent_bytes == 0
        for _ in range(3):
            began_s = time.perf_counter()
            with self.open_pod(self.server.port) as link:
                sync_folder(link, self.small, f"{self.there}/small")
                seconds["with a new connection"].append(time.perf_counter() - began_s)
        best = {name: min(taken) for name, taken in seconds.items()}
        return [
            f"  sync of {SMALL_FILES} unchanged files: "
            + ", ".join(f"{name} {s:.2f} s ({s / best['rsync']:.2f} ×)" for name, s in best.items())
        ]

    def measure_cuts(self) -> list[str]:
        lines = []
        with cutting_proxy(self.server.port) as proxy, self.open_pod(proxy.port) as link:
            large, small = self.there / "large.bin", self.there / "small"
            back = self.back / "large.bin", self.back / "small"
            runs: dict[str, tuple[Callable[[], object], Path, Path]] = {
                "put one file": (lambda: put_files(link, [self.large], f"{self.there}/"), self.large, large),
                "get one file": (lambda: get_files(link, [str(large)], self.back), self.large, back[0]),
                "put small files": (
                    lambda: put_files(link, [self.small], str(self.there)),
                    self.small,
                    small,
                ),
                "get small files": (lambda: get_files(link, [str(small)], self.back), self.small, back[1]),
            }
            for name, (transfer, source, target) in runs.items():
                plain_s, plain_bytes, _ = self.run_cut(proxy, link, transfer, name, 0)
                cut_s, cut_bytes, grown = self.run_cut(proxy, link, transfer, name, CUT_COUNT, plain_s)
                same = "identical" if _hash_tree(target) == _hash_tree(source) else "DIFFERENT"
                twice = max(0, cut_bytes - plain_bytes) / 1e6
                most = CUT_COUNT * WINDOW_BLOCKS * BLOCK_BYTES / 1e6
                lines.append(
                    f"  {name} with {CUT_COUNT} cuts: {same}, {cut_s:.1f} s instead of {plain_s:.1f} s, "
                    f"{twice:.1f} MB twice of at most {most:.0f} MB and logins, "
                    f"memory at most {grown['here']:.0f} MB more here and {grown['there']:.0f} MB more there"
                )
        return lines

    def run_cut(
        self,
        proxy: CuttingProxy,
        link: PodLink,
        transfer: Callable[[], object],
        name: str,
        cuts: int,
        plain_s: float = 0.0,
    ) -> tuple[float, int, dict[str, float]]:
        self.empty(self.back if name.startswith("get") else self.there, keep=name.endswith("small files"))
        chance = random.Random(1)

        def cut_now_and_then() -> None:
            for number in range(cuts):
                time.sleep(plain_s / (cuts + 1) * chance.uniform(0.6, 1.0))
                before = link.connects
                proxy.cut(CUTS[number % len(CUTS)])
                eventually(lambda before=before: link.connects > before, "is back", within=60)

        cutter = threading.Thread(target=cut_now_and_then, daemon=True)
        before_bytes = sum(proxy.passed_bytes.values())
        agent = find_marked(make_mark(self.folder), "serve")[0]
        with watch_memory({"here": os.getpid(), "there": agent}) as grown:
            began_s = time.perf_counter()
            cutter.start()
            transfer()
            seconds = time.perf_counter() - began_s
            cutter.join()
        return seconds, sum(proxy.passed_bytes.values()) - before_bytes, grown

    @contextmanager
    def open_pod(self, port: int) -> Iterator[PodLink]:
        """A connection that is open."""
        with (
            tempfile.TemporaryDirectory() as home,
            patch.dict(os.environ, HOME=home, PRIME_SSH_KEY_PATH=str(self.server.key)),
        ):
            connection: Connection = connect(sandbox=True)
            # The pod is not one of the sandbox's.
            connection.is_sandbox = False
            facts = {
                "id": "p1", "name": "train", "status": "ACTIVE", "createdAt": "2020-01-01T00:00:00Z",
                "sshConnection": f"{getuser()}@127.0.0.1 -p {port}",
            }  # fmt: skip
            try:
                link = open_link(connection, PodDetails.model_validate(facts))
                link.ask("jobs")
                yield link
            finally:
                close_links(connection)
                connection.close()

    def login(self, port: int) -> Login:
        known_hosts = self.server.key.with_name("known_hosts")
        return Login.make(f"{getuser()}@127.0.0.1", self.server.key, known_hosts, Port=port)

    def copy(self, port: int, *paths: str) -> None:
        subprocess.run(["scp", "-q", *self.login(port).options, *paths], check=True, stdin=subprocess.DEVNULL)

    def empty(self, folder: Path, *, keep: bool = False) -> None:
        """Remove what is in a folder; `keep` a large file, which takes a while to write."""
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif not keep:
                path.unlink()
        os.sync()


def _make_files(large: Path, small: Path, few: Path) -> None:
    chance = random.Random(0)
    large.parent.mkdir()
    with open(large, "wb") as file:
        for _ in range(LARGE_BYTES // 1_000_000):
            file.write(chance.randbytes(1_000_000))
    for folder, count in ((small, SMALL_FILES), (few, SCP_FILES)):
        for number in range(count):
            path = folder / f"{number // _FOLDER_FILES}/{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(chance.randbytes(chance.randrange(_MAX_SMALL_BYTES)))


def _count_files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def _hash_tree(path: Path) -> str:
    digest = hashlib.sha256()
    for each in [path] if path.is_file() else sorted(path.rglob("*")):
        digest.update(f"{each.relative_to(path)}\0{each.lstat().st_mode}\0".encode())
        if each.is_file():
            digest.update(hashlib.sha256(each.read_bytes()).digest())
    return digest.hexdigest()
