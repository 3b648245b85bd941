"""SSH keys that we make: one for each sandbox whose pods are machines, and one for the account on request."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from primepods_magic.api.client import Client
from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.local.atomic_files import describe_error, read_plain_file
from primepods_magic.api.local.folders import find_folder, find_home, make_folder, shorten_path

__all__ = [
    "DEFAULT_FILES",
    "find_account_key",
    "find_sandbox_key",
    "make_account_key",
    "prepare_sandbox_key",
]

DEFAULT_FILES = ("id_ed25519", "id_ecdsa", "id_rsa")
"""The keys that ssh tries by itself, those that are tried first."""

_ACCOUNT_KEY = "id_ed25519_primepods"
_SANDBOX_KEY = "id_ed25519"
_SANDBOX_NAME = "this computer"
_INSTANCE = re.compile(r"[0-9a-f]{1,64}", re.ASCII)
_KEY_TYPES = ("ssh-", "ecdsa-")
_TIMEOUT_S = 20.0
_MAX_FILE_BYTES = 20_000


def find_sandbox_key(instance: str | None) -> Path | None:
    """Return the private key for a sandbox's pods, or None if none has been made."""
    folder = _find_sandbox_folder(instance)
    if folder is None or not os.path.isfile(folder / _SANDBOX_KEY):
        return None
    return folder / _SANDBOX_KEY


def prepare_sandbox_key(client: Client, instance: str | None) -> None:
    """Let this computer's user log in to a sandbox's pods: make a key of its own, once, and register it.

    The keys that ssh tries by default are registered too, so that a plain ``ssh`` command works.
    Nothing fails if that is impossible: the pods can still be rented.
    """
    folder = _find_sandbox_folder(instance)
    if folder is None:
        return
    with suppress(OSError, PodsError, subprocess.SubprocessError):
        if not os.path.isfile(folder / _SANDBOX_KEY):
            make_folder(folder.parent)
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                _generate_key(Path(scratch, "key", _SANDBOX_KEY), _SANDBOX_NAME)
                # Another kernel may have made one meanwhile.
                with suppress(OSError):
                    os.rename(Path(scratch, "key"), folder)
        known = [(key.public_key or "").split()[:2] for key in client.list_ssh_keys()]
        for name, path in {_SANDBOX_NAME: folder / _SANDBOX_KEY, **_find_default_keys()}.items():
            with suppress(OSError, ValueError):
                public = read_plain_file(Path(f"{path}.pub"), max_bytes=_MAX_FILE_BYTES).decode("ascii")
                if public.startswith(_KEY_TYPES) and public.split()[:2] not in known:
                    client.add_ssh_key(name, public.strip())


def _find_default_keys() -> dict[str, Path]:
    """Return the keys that ssh tries by default, by their names in a sandbox."""
    home = find_home()
    return {} if home is None else {f"~/.ssh/{name}": home / ".ssh" / name for name in DEFAULT_FILES}


def find_account_key() -> Path | None:
    """Return the private key that `make_account_key` has made, or None."""
    home = find_home()
    path = None if home is None else home / ".ssh" / _ACCOUNT_KEY
    return path if path is not None and os.path.isfile(path) else None


def make_account_key() -> Path:
    """Make a key pair without a passphrase in ``~/.ssh``, and return the path of the public key.

    Raises InvalidRequest if there is one already, or it cannot be made; nothing is overwritten.
    """
    home = find_home()
    if home is None:
        raise InvalidRequest("The home folder is unknown, so no key can be made. Nothing was sent")
    path = home / ".ssh" / _ACCOUNT_KEY
    public = path.with_name(f"{path.name}.pub")
    if os.path.lexists(path) or os.path.lexists(public):
        shown = shorten_path(public)
        raise InvalidRequest(
            f"{shown.removesuffix('.pub')} exists already, and nothing was overwritten or sent. "
            f"'%pods keys add {shown}' adds it to the account"
        )
    if shutil.which("ssh-keygen") is None:
        raise InvalidRequest("There is no ssh-keygen here, so no key can be made. Nothing was sent")
    try:
        _generate_key(path, f"primepods@{platform.node() or 'this-computer'}")
    except (OSError, subprocess.SubprocessError) as error:
        reason = describe_error(error) if isinstance(error, OSError) else "ssh-keygen failed"
        raise InvalidRequest(f"Cannot make {shorten_path(path)} ({reason}). Nothing was sent") from None
    return public


def _find_sandbox_folder(instance: str | None) -> Path | None:
    folder = find_folder("state")
    if folder is None or instance is None or not _INSTANCE.fullmatch(instance):
        return None
    return folder / "sandbox_keys" / instance


def _generate_key(path: Path, comment: str) -> None:
    """Run ssh-keygen, which asks before it overwrites and gets no answer."""
    make_folder(path.parent)
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(  # noqa: S603 - a fixed command
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_TIMEOUT_S,
        check=True,
        start_new_session=True,
    )
