"""A real JupyterLab on loopback, for a browser that is just as real."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nbformat

from tests.support.environment import clean_environment, guarded
from tests.support.kernels import KERNEL, notebook_of
from tests.support.waiting import eventually

TOKEN = "only-for-tests"

# Nothing is asked of the network, nothing moves about, and every cell is in the page, also off screen.
_SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "extensionmanager-extension/plugin": {"enabled": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
    "docmanager-extension/plugin": {"autosave": False},
    "completer-extension/inline-completer": {"showWidget": "never"},
}


@dataclass(frozen=True)
class JupyterLab:
    """Where the server is, and the folders it serves and is configured from."""

    url: str
    folder: Path
    _home: Path
    guard_log: Path
    server_log: Path

    @property
    def kernels_folder(self) -> Path:
        """Where its user's kernel specs are."""
        return self._home / "data" / "kernels"

    def set_theme(self, theme: str) -> None:
        self._set("apputils-extension/themes", {"theme": theme, "adaptive-theme": False})

    def _set(self, plugin: str, values: Mapping[str, Any]) -> None:
        package, name = plugin.split("/")
        file = self._home / "settings" / "@jupyterlab" / package / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))

    def add_notebook(
        self, name: str, cells: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> str:
        """Write a notebook whose kernel has its own environment; answers with its path on the server."""
        kernel = {**KERNEL, "name": f"for-{name}"}
        folder = self.kernels_folder / kernel["name"]
        folder.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        specification = {"argv": command, "env": dict(environment or {}), **KERNEL}
        (folder / "kernel.json").write_text(json.dumps(specification))
        notebook = notebook_of(cells)
        notebook.metadata.kernelspec = nbformat.from_dict(kernel)
        path = f"{name}.ipynb"
        nbformat.write(notebook, self.folder / path)
        return path

    def shut_down_kernels(self) -> None:
        with httpx.Client(base_url=self.url, params={"token": TOKEN}, trust_env=False, timeout=30) as api:
            for session in api.get("/api/sessions").raise_for_status().json():
                api.delete(f"/api/sessions/{session['id']}").raise_for_status()


def _address(runtime: Path) -> str | None:
    """Where the server says it listens, once it answers there."""
    for file in runtime.glob("jpserver-*.json"):
        # JupyterLab opens the file before it writes to it.
        if not (text := file.read_text()):
            continue
        url = str(json.loads(text)["url"]).rstrip("/")
        try:
            if httpx.get(f"{url}/api/status", params={"token": TOKEN}, trust_env=False).is_success:
                return url
        except httpx.TransportError:
            return None
    return None


@contextmanager
def jupyterlab_server(base: Path) -> Iterator[JupyterLab]:
    """A server with an empty home of its own, up and answering."""
    home, folder, log = base / "home", base / "notebooks", base / "server.log"
    folder.mkdir(parents=True)
    environment = guarded(
        clean_environment(
            home,
            JUPYTER_CONFIG_DIR=str(home / "config"),
            JUPYTER_DATA_DIR=str(home / "data"),
            JUPYTER_RUNTIME_DIR=str(home / "runtime"),
            JUPYTERLAB_SETTINGS_DIR=str(home / "settings"),
            JUPYTERLAB_WORKSPACES_DIR=str(home / "workspaces"),
            TZ="UTC",
        ),
        base / "attempts.log",
    )
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": "0",
        "IdentityProvider.token": TOKEN,
        "ServerApp.root_dir": str(folder),
        "ServerApp.open_browser": "False",
        "ServerApp.allow_root": "True",
        "LabApp.extension_manager": "readonly",
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        # For the commands that a test runs without the menu.
        "LabApp.expose_app_in_browser": "True",
    }
    home.mkdir()
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:

        def up() -> str | None:
            assert process.poll() is None, f"JupyterLab ended at once:\n{log.read_text()}"
            return _address(home / "runtime")

        url = eventually(up, "JupyterLab answers", within=60, every=0.1)
        assert url is not None
        lab = JupyterLab(url, folder, home, base / "attempts.log", log)
        for plugin, values in _SETTINGS.items():
            lab._set(plugin, values)
        yield lab
        lab.shut_down_kernels()
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
