"""Kernel specs: what puts a session of a pod into the kernel picker of Jupyter."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from primepods_magic.api.errors import InvalidRequest, NotConfigured
from primepods_magic.api.local.atomic_files import describe_error, read_plain_file, write_atomically
from primepods_magic.api.local.folders import shorten_path
from primepods_magic.api.models import PodDetails
from primepods_magic.api.settings import LIVE_URL
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import SANDBOX_URL_VARIABLE
from primepods_magic.remote.limits.figures import find_rate_usd_hr
from primepods_magic.remote.limits.names import check_session
from primepods_magic.remote.ssh.routes import find_route

from .logo import LOGO

__all__ = ["KernelSpec", "list_kernel_specs", "remove_kernel_spec", "write_kernel_spec"]

ROUTE_FILE = "route.json"
"""How ssh reaches the pod, so that the relay need not ask the service first."""
STAND_IN_FILE = "stand_in.py"
"""What runs if our Python is gone."""
_FILES = ("kernel.json", ROUTE_FILE, STAND_IN_FILE, "logo-svg.svg")
_CHOICE = 'other=$1; shift; [ -x "$0" ] && exec "$0" "$@"; exec python3 "$other" "$0" "$@"'
RELAY_MODULE = "primepods_magic.notebook.relay"
_PREFIX = "pod-"
_MAX_NAME_CHARS = 60
_MAX_BYTES = 1 << 16
# Ids become words of a command.
_POD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")


@dataclass(frozen=True, repr=False)
class KernelSpec(ShortRepr):
    """A kernel of Jupyter that runs on a pod.

    Attributes
    ----------
    name : str
        For ``jupyter console --kernel`` and papermill; a new pod of the same name has the same one.
    display_name : str
        As the kernel picker shows it.
    pod, pod_id, session : str
    folder : Path
        Its folder, in Jupyter's data directory.
    place : str
        The service that the pod belongs to.
    options : tuple of str
        Further words for the relay.
    """

    name: str
    display_name: str
    pod: str
    pod_id: str
    session: str
    folder: Path
    place: str
    options: tuple[str, ...] = ()


def write_kernel_spec(
    connection: Connection, pod: PodDetails, session: str = "main", *, options: Sequence[str] = ()
) -> KernelSpec:
    """Write the kernel spec of a session of a pod, and return it; one that is as it should be is kept.

    `options` are further words for the relay. Raises InvalidRequest if the pod does not run or the spec
    cannot be written, SshFailed without an ssh client, NotConfigured without ipykernel.
    """
    check_session(session)
    _check_ipykernel()
    if not _POD_ID.match(pod.id or ""):
        raise InvalidRequest(
            f"'{sanitize(pod.name)}' has an id that cannot be used here. Nothing was written"
        )
    spec = _describe_spec(connection, pod, session, tuple(options))
    text = json.dumps(_make_contents(connection, spec), indent=1, ensure_ascii=False) + "\n"
    route = find_route(connection, pod)
    contents = {
        "logo-svg.svg": LOGO,
        STAND_IN_FILE: files(__package__).joinpath(STAND_IN_FILE).read_text(encoding="utf-8"),
        ROUTE_FILE: json.dumps({"words": route.words, "name": route.name, "cli_name": route.cli_name}),
        "kernel.json": text,
    }
    path = spec.folder
    try:
        spec.folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            path = spec.folder / name
            if not path.exists() or read_plain_file(path) != content.encode():
                write_atomically(path, content)
    except OSError as error:
        raise InvalidRequest(
            f"Cannot write {shorten_path(path)} ({describe_error(error)}). The kernel was not added"
        ) from None
    return spec


def _check_ipykernel() -> None:
    from importlib.util import find_spec

    if find_spec("ipykernel") is None or find_spec("jupyter_client") is None:
        raise NotConfigured(
            "A pod's kernel needs ipykernel in this environment. Install it: pip install "
            "'primepods_magic[kernel]'. Nothing was written"
        )


def _describe_spec(
    connection: Connection, pod: PodDetails, session: str, options: tuple[str, ...]
) -> KernelSpec:
    name = _make_name(pod.name or pod.id or "", session)
    folder = _find_folder() / name
    taken = _read_spec(folder)
    is_free = not folder.exists() if taken is None else _may_replace(connection, taken, pod, session)
    if not is_free:
        digest = sha256(f"{connection.place}\n{pod.id}\n{session}".encode()).hexdigest()[:6]
        folder = folder.with_name(f"{name}-{digest}")
    return KernelSpec(
        name=folder.name,
        display_name=_format_name(connection, pod, session),
        pod=pod.name or "",
        pod_id=pod.id or "",
        session=session,
        folder=folder,
        place=connection.place,
        options=options,
    )


def _may_replace(connection: Connection, taken: KernelSpec, pod: PodDetails, session: str) -> bool:
    """Return whether a spec is that of the same pod, or of an earlier one of its name that is gone."""
    if (taken.pod, taken.session, taken.place) != (pod.name, session, connection.place):
        return False
    live = {other.id for other in connection.completion_cache.list_running()}
    return taken.pod_id == pod.id or taken.pod_id not in live


def _make_name(pod_name: str, session: str) -> str:
    """Return a name that Jupyter allows.

    >>> _make_name("My pod", "main"), _make_name("train", "eval")
    ('pod-my-pod', 'pod-train-eval')
    """
    parts = [pod_name, *([] if session == "main" else [session])]
    words = re.sub(r"[^a-z0-9._-]+", "-", "-".join(parts).casefold()).strip("-.")
    return f"{_PREFIX}{words[:_MAX_NAME_CHARS] or 'unnamed'}"


def _format_name(connection: Connection, pod: PodDetails, session: str) -> str:
    name = shorten(sanitize(pod.name or pod.id or ""), 40)
    gpu = shorten(sanitize(pod.gpu_name or ""), 30)
    count = pod.total_gpus if gpu else None
    rate = find_rate_usd_hr(pod)
    parts = [
        name if session == "main" else f"{name}/{session}",
        f"{count} × {gpu}" if count else gpu,
        "" if rate is None else format_usd_hr(rate),
        "sandbox" if connection.is_sandbox else "",
    ]
    return " · ".join(filter(None, parts))


def _make_contents(connection: Connection, spec: KernelSpec) -> dict[str, Any]:
    route, stand_in = str(spec.folder / ROUTE_FILE), str(spec.folder / STAND_IN_FILE)
    words = ["--pod", spec.pod_id, "--session", spec.session, "--route", route, *spec.options]
    return {
        "argv": [
            *("/bin/sh", "-c", _CHOICE, sys.executable, stand_in),
            *("-m", RELAY_MODULE, "-f", "{connection_file}", *words),
        ],
        "display_name": spec.display_name,
        "language": "python",
        "interrupt_mode": "message",
        "env": _list_variables(connection),
        "metadata": {
            "debugger": False,
            "primepods": {
                "pod": spec.pod,
                "pod_id": spec.pod_id,
                "session": spec.session,
                "place": spec.place,
                "options": spec.options,
                "folder": spec.name,
            },
        },
    }


def _list_variables(connection: Connection) -> dict[str, str]:
    """Return the variables that lead to the same service and team; the key is not among them."""
    settings = connection.settings
    if connection.is_sandbox:
        return {SANDBOX_URL_VARIABLE: settings.base_url}
    variables = {"PRIME_CONTEXT": settings.context, "PRIME_TEAM_ID": settings.team_id}
    if settings.base_url != LIVE_URL:
        variables["PRIME_API_BASE_URL"] = settings.base_url
    return {name: value for name, value in variables.items() if value}


def _find_folder() -> Path:
    """Return Jupyter's folder for kernels; raise InvalidRequest if there is no home for it."""
    from jupyter_core.paths import jupyter_data_dir

    try:
        return Path(jupyter_data_dir(), "kernels")
    except RuntimeError:
        raise InvalidRequest(
            "Jupyter keeps kernels in the home folder, which is unknown. Nothing was written. Set HOME"
        ) from None


def list_kernel_specs(connection: Connection | None = None) -> list[KernelSpec]:
    """Return the kernel specs of pods, of all services or of one."""
    from importlib.util import find_spec

    if find_spec("jupyter_core") is None:
        return []
    specs = sorted(_iterate_specs(), key=lambda spec: spec.name)
    return [spec for spec in specs if connection is None or spec.place == connection.place]


def _iterate_specs() -> Iterator[KernelSpec]:
    try:
        folder = _find_folder()
        names = os.listdir(folder)
    except (OSError, InvalidRequest):
        return
    for name in names:
        spec = _read_spec(folder / name) if name.startswith(_PREFIX) else None
        if spec:
            yield spec


def _read_spec(folder: Path) -> KernelSpec | None:
    """Return the spec in a folder, or None if it is not one of ours."""
    try:
        contents = json.loads(read_plain_file(folder / "kernel.json", max_bytes=_MAX_BYTES))
        facts = contents["metadata"]["primepods"]
        texts = {key: facts[key] for key in ("pod", "pod_id", "session", "place")}
        texts["display_name"] = contents["display_name"]
        options = tuple(map(str, facts.get("options", ())))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    # A copy that a person has made is theirs.
    if not all(isinstance(text, str) for text in texts.values()) or facts.get("folder") != folder.name:
        return None
    return KernelSpec(name=folder.name, folder=folder, options=options, **texts)


def remove_kernel_spec(spec: KernelSpec) -> None:
    """Remove a kernel from the picker; a notebook that runs on it keeps running.

    Raises InvalidRequest if it cannot be removed.
    """
    try:
        for name in _FILES:
            (spec.folder / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            spec.folder.rmdir()
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            # What a person has put there stays.
            return
        raise InvalidRequest(
            f"Cannot remove {shorten_path(spec.folder)} ({describe_error(error)}). Remove it by hand"
        ) from None
