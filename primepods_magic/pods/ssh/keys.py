"""The account's SSH keys: which there are, adding one from a file, and which one pods take."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from shlex import quote

from primepods_magic.api.account import SshKey
from primepods_magic.api.errors import InvalidRequest, NameInUse, NotFound
from primepods_magic.api.local.atomic_files import describe_error, read_plain_file
from primepods_magic.api.local.folders import expand_path, find_home
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection

__all__ = ["add_key", "fingerprint", "list_keys", "make_primary"]

_DEFAULT_FILES = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub")
_MAX_FILE_BYTES = 20_000
_PRIVATE = (b"PRIVATE KEY", b"PuTTY-User-Key-File")


def list_keys(connection: Connection) -> list[SshKey]:
    """The account's keys, the primary one first."""
    return sorted(connection.client.list_ssh_keys(), key=lambda key: not key.is_primary)


def add_key(connection: Connection, file: str | None = None, *, name: str | None = None) -> SshKey:
    """Let the owner of a public key log in to pods that are rented from now on.

    Parameters
    ----------
    connection : Connection
        Whose account.
    file : str, optional
        A file with one public key; else the first of the usual ones in ``~/.ssh``.
    name : str, optional
        What to call it; else the key's comment, or the name of the file.

    Returns
    -------
    SshKey
        The key as it is on the account; one that is there already is answered with, and not sent again.

    Raises
    ------
    InvalidRequest
        There is no such file, or it holds no public key. Nothing was sent.
    NameInUse
        The name is another key's.

    Examples
    --------
    >>> add_key(connection, "~/.ssh/id_ed25519.pub", name="laptop")          # doctest: +SKIP
    """
    path = expand_path(file) if file else _find_default_key()
    text = _read_public_key(path)
    there = connection.client.list_ssh_keys()
    for key in there:
        if (key.public_key or "").split()[:2] == text.split()[:2]:
            return key
    name = name or " ".join(text.split()[2:]) or path.stem
    if any(key.name == name for key in there):
        raise NameInUse(
            f"another key on the account is called '{sanitize(name)}'; nothing was added. --name gives it one"
        )
    return connection.client.add_ssh_key(name, text)


def make_primary(connection: Connection, word: str) -> SshKey:
    """Make a key the one that pods take where their spec names none.

    Parameters
    ----------
    connection : Connection
        Whose account.
    word : str
        The key's name or id.

    Raises
    ------
    NotFound
        There is no such key, or several have this name.
    """
    keys = connection.client.list_ssh_keys()
    found = [key for key in keys if key.id == word] or [key for key in keys if key.name == word]
    if len(found) != 1:
        ids = join_sanitized(key.id for key in found)
        names = [key.name for key in keys if key.name]
        why = (
            f"several keys are called '{sanitize(word)}' ({ids})"
            if found
            else f"there is no key '{sanitize(word)}'"
        )
        raise NotFound(f"{why}{'' if found else suggest(word, names)}; nothing was changed")
    connection.client.make_ssh_key_primary(str(found[0].id))
    return found[0]


def fingerprint(public_key: str | None) -> str | None:
    """What ``ssh-keygen -l`` calls a key, or ``None`` where it is none.

    >>> fingerprint("ssh-ed25519 AAAA")
    'SHA256:cJ6AyISHokEeHuTfufIqhhSS0gxHZRUMDHlKvXD4FHw'
    """
    parts = (public_key or "").split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (IndexError, binascii.Error, ValueError):
        return None
    return f"SHA256:{base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')}"


def _find_default_key() -> Path:
    home = find_home()
    if home is None:
        raise InvalidRequest(
            "the home folder is unknown: name the file with your public key. Nothing was sent"
        )
    for name in _DEFAULT_FILES:
        path = home / ".ssh" / name
        if os.path.isfile(path):
            return path
    raise InvalidRequest(
        f"there is no {', '.join(_DEFAULT_FILES)} in ~/.ssh; name a file, or make a key with "
        "'ssh-keygen -t ed25519'. Nothing was sent"
    )


def _read_public_key(path: Path) -> str:
    name = sanitize(path.name)
    try:
        raw = read_plain_file(path, max_bytes=_MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = describe_error(error) if isinstance(error, OSError) else "it is not a path"
        raise InvalidRequest(f"'{name}' cannot be read ({reason}). Nothing was sent") from None
    if any(mark in raw for mark in _PRIVATE):
        raise InvalidRequest(
            f"'{name}' is a private key, which never leaves this computer; the public one is "
            f"'{name}.pub'. Nothing was sent"
        )
    if b"BEGIN SSH2 PUBLIC KEY" in raw:
        raise InvalidRequest(
            f"'{name}' is a public key in another form; 'ssh-keygen -i -f {quote(str(path))}' prints it as "
            "OpenSSH has it. Nothing was sent"
        )
    lines = [line.strip() for line in raw.decode("utf-8-sig", "replace").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if len(keys) != 1 or fingerprint(keys[0]) is None:
        several = f" but {len(keys)}" if len(keys) > 1 and all(map(fingerprint, keys)) else ""
        raise InvalidRequest(f"'{name}' does not hold one public SSH key{several}. Nothing was sent")
    return keys[0]
