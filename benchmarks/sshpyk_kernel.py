"""A kernel of sshpyk, which reaches it by forwarded ports of an SSH connection, and loses output at a cut."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.openssh import openssh_server

REQUIREMENT = "sshpyk==1.25"
NAME = "sshpyk"


@contextmanager
def sshpyk_kernel(data_folder: Path) -> Iterator[str]:
    """Install sshpyk for a while, and yield the name of a kernel spec that starts one over a real sshd."""
    with (
        tempfile.TemporaryDirectory(prefix="sshpyk-", dir="/tmp") as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        folder = Path(name)
        site = folder / "site"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
        subprocess.run([*pip, REQUIREMENT], check=True)
        patch.syspath_prepend(str(site))
        python = folder / "python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        with openssh_server(folder / "server") as server:
            config = folder / "config"
            config.write_text(
                f"Host far\n HostName 127.0.0.1\n Port {server.port}\n User {getpass.getuser()}\n"
                f" IdentityFile {server.key}\n IdentitiesOnly yes\n UserKnownHostsFile {folder}/known\n"
                " StrictHostKeyChecking accept-new\n BatchMode yes\n LogLevel ERROR\n"
                f" ControlMaster auto\n ControlPath {folder}/%C\n ControlPersist 10m\n"
            )
            _write_spec(data_folder, python, config)
            (data_folder / "runtime").mkdir(exist_ok=True)
            yield NAME


def _write_spec(data_folder: Path, python: Path, config: Path) -> None:
    settings = {
        "ssh_host_alias": "far",
        "ssh_config": str(config),
        "remote_python": str(python),
        "remote_kernel_name": "python3",
        "launch_timeout": 60,
    }
    provisioner = {"provisioner_name": "sshpyk-provisioner", "config": settings}
    spec = {
        "argv": [str(python), "-m", "sshpyk.kernelapp"],
        "display_name": NAME,
        "language": "python",
        "interrupt_mode": "message",
        "metadata": {"kernel_provisioner": provisioner},
    }
    folder = data_folder / "kernels" / NAME
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
