"""Tiny packages: as a wheel that can be installed, and as one that is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile


def _describe_package(name: str, version: str, requires: Sequence[str]) -> dict[str, str]:
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {each}" for each in requires]
    files = {
        f"{module}/__init__.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    return {**files, f"{info}/RECORD": record}


def write_wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    """Write a wheel into a folder for ``PIP_FIND_LINKS``."""
    folder.mkdir(exist_ok=True)
    with ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in _describe_package(name, version, requires).items():
            wheel.writestr(path, text)


def put_package(folder: Path, name: str, version: str, *, files: Sequence[str] = ()) -> None:
    """Put a package into a folder as an installer would; `files` are its modules if not one of its name."""
    package = _describe_package(name, version, ())
    if files:
        info = next(path for path in package if path.endswith("/RECORD")).partition("/")[0]
        package = {path: text for path, text in package.items() if path.startswith(info)}
        package.update(dict.fromkeys(files, ""))
        package[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in package)
    for path, text in package.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
