"""Environments of their own for the package, made anew by pip, and Pythons to make them with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .building import ROOT

MADE = ROOT / ".venv-package"
# Every Python that the package says it is for, the oldest first; and the extras that change what it can do.
PYTHONS = tuple(
    re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    )
)
EXTRAS = ("plot", "parquet", "excel", "machines", "kernel")
SMOKE = Path(__file__).with_name("smoke.py")
_TAKES_AT_MOST_S = 1200


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def pip(self, *arguments: str | Path) -> str:
        """What pip said; a failure is a `subprocess.CalledProcessError`."""
        command = [self.python, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
        return _run(command).stdout

    def versions(self) -> dict[str, str]:
        """What is installed, by canonical names."""
        rows = json.loads(self.pip("list", "--format", "json"))
        return {canonicalize_name(row["name"]): row["version"] for row in rows}

    def smoke(self, scratch: Path, *options: str, warnings: Sequence[str] = ("error",)) -> str:
        """The line that a person's first steps end in, in an empty folder and with an empty home."""
        home, folder = scratch / "home", scratch / "folder"
        home.mkdir()
        folder.mkdir()
        flags = [part for warning in warnings for part in ("-W", warning)]
        done = subprocess.run(
            [self.python, *flags, str(SMOKE), *options],
            cwd=folder,
            env={**os.environ, "HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout


def network_variables() -> dict[str, str]:
    """What pip and uv need to find an index, and nothing of a test, which may not."""
    names = ("PIP_", "UV_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy")
    return {name: value for name, value in os.environ.items() if name.startswith(names)}


def made(folder: Path, python: str, *, with_pip: bool = True) -> Environment:
    """An empty environment there; what was there goes."""
    _run([python, "-m", "venv", "--clear", *([] if with_pip else ["--without-pip"]), str(folder)])
    return Environment(folder)


def beside_the_project(name: str, python: str) -> Environment:
    """An empty environment that stays, for whoever wants to look into it; `make clean` removes it."""
    MADE.mkdir(exist_ok=True)
    (MADE / ".gitignore").write_text("*\n")
    return made(MADE / name, python)


@lru_cache
def interpreter(version: str) -> str | None:
    """A Python of that version, such as 3.12, which really runs; None where there is none."""
    return next((found for found in _candidates(version) if _is(found, version)), None)


def _candidates(version: str) -> Iterator[str]:
    yield sys.executable
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    # pyenv puts a stand-in on the path that runs only where the version is switched on.
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, root.glob(f"versions/{version}.*/bin/python"))


def _is(python: str, version: str) -> bool:
    ask = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        return _run([python, "-c", ask]).stdout.strip() == version
    except (OSError, subprocess.SubprocessError):
        return False


def requirements_of(metadata: Message, *extras: str) -> list[str]:
    """What the package needs, and what it needs for these extras besides."""
    told = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    needed = [
        one
        for one in told
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)
    ]
    return [f"{one.name}{one.specifier}" for one in needed]


def lowest(requirements: Iterable[str]) -> dict[str, str]:
    """The oldest version that each of them allows.

    Raises
    ------
    ValueError
        When one of them says no oldest version, or anything else besides.
    """
    found: dict[str, str] = {}
    for requirement in map(Requirement, requirements):
        bounds = list(requirement.specifier)
        if len(bounds) != 1 or bounds[0].operator != ">=":
            raise ValueError(f"{requirement} does not say its oldest version and nothing else")
        found[canonicalize_name(requirement.name)] = bounds[0].version
    return found


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # Not in the checkout: Python would look for packages there.
    return subprocess.run(
        command, cwd="/", check=True, capture_output=True, text=True, timeout=_TAKES_AT_MOST_S
    )
