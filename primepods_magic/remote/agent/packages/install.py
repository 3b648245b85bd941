"""Install packages into the Python that runs this, and leave every package that is there as it is."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from typing import NoReturn

from ..folders import root_folder
from ..kernel.setup import find_uv
from .names import is_name, is_protected, is_version
from .versions import list_installed

__all__ = ["install_packages"]

# No version of these is installed, not even because another package needs it.
_ABSENT = ("torch", "torchvision", "torchaudio", "triton", "jax", "jaxlib", "tensorflow")
_NO_INSTALLER = 3
_INTERRUPTED = 130


def install_packages(login_umask: int) -> NoReturn:
    """Install the packages and versions in the JSON object on stdin; exit with the installer's code.

    Names and versions reach the installer in files, so none of them is an option.
    """
    wanted: dict[str, str] = json.load(sys.stdin)
    for name, version in wanted.items():
        if not is_name(name) or not is_version(version) or is_protected(name):
            raise SystemExit(f"{name!r} {version!r} is not a package that is installed here")
    installed = list_installed()
    os.makedirs(root_folder(), mode=0o700, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="install-", dir=root_folder()) as folder:
            files = {
                "requirements": [f"{name}=={version}" for name, version in wanted.items()],
                "constraints": _pin_versions(installed),
                # In an environment that shares the image's packages, uv does not see these.
                "overrides": [f"{name} ; python_version < '0'" for name in installed if is_protected(name)],
            }
            for name, lines in files.items():
                with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                    file.writelines(f"{line}\n" for line in lines)
            command = _make_command(folder)
            # Other users may read what is installed.
            os.umask(login_umask)
            code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode  # noqa: S603
    except KeyboardInterrupt:
        code = _INTERRUPTED
    raise SystemExit(code)


def _pin_versions(installed: dict[str, str]) -> list[str]:
    """Return constraints by which nothing that is installed changes."""
    pins = []
    for name, version in installed.items():
        if is_version(version):
            pins.append(f"{name}=={version}")
        elif is_protected(name):
            raise SystemExit(
                f"{name} has the version {version!r}, which cannot be kept. Nothing was installed"
            )
    return [*pins, *(f"{name}<0" for name in _ABSENT if name not in installed)]


def _make_command(folder: str) -> list[str]:
    requirements, constraints = (os.path.join(folder, name) for name in ("requirements", "constraints"))
    uv = find_uv()
    has_pip = importlib.util.find_spec("pip") is not None
    is_shared = _shares_packages()
    if uv and not (has_pip and is_shared):
        overrides = ["--override", os.path.join(folder, "overrides")] if is_shared else []
        command = [uv, "pip", "install", "--python", sys.executable, *overrides]
    elif has_pip:
        command = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        command += ["--progress-bar", "off"]
    else:
        print(
            "pip and uv are missing. Run: apt-get update && apt-get install -y python3-pip", file=sys.stderr
        )
        raise SystemExit(_NO_INSTALLER)
    return [*command, "--requirement", requirements, "--constraint", constraints]


def _shares_packages() -> bool:
    """Return whether this is an environment that also has the packages of the image."""
    try:
        with open(os.path.join(sys.prefix, "pyvenv.cfg"), encoding="utf-8") as file:
            settings = [line.lower().replace(" ", "").strip() for line in file]
    except OSError:
        return False
    return "include-system-site-packages=true" in settings
