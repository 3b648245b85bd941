"""The wheel and the sdist that this checkout makes, what is in them, and what should be."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "primepods_magic"

# What git would not keep where there is no git to ask: in an unpacked sdist.
_NEVER_KEPT = {"__pycache__", ".ipynb_checkpoints", "screenshots"}


@dataclass(frozen=True)
class Built:
    """The two files that are made from the checkout, and the wheel that is made from its sdist."""

    wheel: Path
    sdist: Path
    wheel_of_the_sdist: Path


def build(into: Path, python: str = sys.executable) -> Built:
    """Both, by the backend that `python` has: nothing is fetched."""
    from_sdist, from_tree = into / "from sdist", into / "from tree"
    for options in ([from_sdist], [from_tree, "--wheel"]):
        subprocess.run(
            [python, "-m", "build", "--no-isolation", ROOT, "--outdir", *options],
            # `build` is also the name of a folder that may lie in the checkout.
            cwd=into,
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
    return Built(_only(from_tree, "*.whl"), _only(from_sdist, "*.tar.gz"), _only(from_sdist, "*.whl"))


def files_of_wheel(wheel: Path) -> set[str]:
    """Everything in it."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def files_of_sdist(sdist: Path) -> set[str]:
    """Everything in it, without the folder that holds it all."""
    with tarfile.open(sdist) as archive:
        names = [member.name for member in archive.getmembers() if not member.isdir()]
    return {name.partition("/")[2] for name in names}


def metadata_of(wheel: Path) -> Message:
    """What an index would show, and what pip goes by."""
    (place,) = [name for name in files_of_wheel(wheel) if name.endswith(".dist-info/METADATA")]
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(place).decode("utf-8"))


def description_of(metadata: Message) -> str:
    """The long description."""
    text = metadata.get_payload()
    assert isinstance(text, str)
    return text


def files_of_checkout(*places: str) -> set[str]:
    """The files below these places that git keeps, or would if they were added."""
    if not (ROOT / ".git").exists():
        return {file for place in places for file in _kept_below(ROOT / place)}
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *places],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}


def _kept_below(place: Path) -> set[str]:
    if place.is_file():
        return {place.relative_to(ROOT).as_posix()}
    found = set()
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name not in _NEVER_KEPT]
        found |= {(Path(folder) / name).relative_to(ROOT).as_posix() for name in files}
    return found


def _only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found
