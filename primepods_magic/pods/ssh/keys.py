"""The account's SSH keys: listing, adding one from a file, choosing the primary one, removing one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote

from primepods_magic.api.account import SshKey
from primepods_magic.api.errors import InvalidRequest, NameInUse, NotFound
from primepods_magic.api.local.atomic_files import describe_error, read_plain_file
from primepods_magic.api.local.folders import expand_path, find_home
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection

from .own_keys import DEFAULT_FILES, make_account_key

__all__ = ["add_key", "add_new_key", "fingerprint", "list_keys", "make_primary", "remove_key"]

_DEFAULT_FILES = tuple(f"{name}.pub" for name in DEFAULT_FILES)
_MAX_FILE_BYTES = 20_000
_PRIVATE = (b"PRIVATE KEY", b"PuTTY-User-Key-File")


def list_keys(connection: Connection) -> list[SshKey]:
    """List the account's keys, the primary one first."""
    return sorted(connection.client.list_ssh_keys(), key=lambda key: not key.is_primary)


def add_key(connection: Connection, file: str | None = None, *, name: str | None = None) -> SshKey:
    """Add a public key, so that its owner can log in to pods rented from now on.

    `file` holds one public key; else the first default file in ``~/.ssh``. `name` defaults to the key's
    comment or the file's name. A key that is on the account already is returned and not sent again. Raises
    InvalidRequest if the file has no public key, NameInUse if another key has the name; nothing is sent then.

    >>> add_key(connection, "~/.ssh/id_ed25519.pub", name="laptop")          # doctest: +SKIP
    """
    path = expand_path(file) if file else _find_default_key()
    text = _read_public_key(path)
    existing = connection.client.list_ssh_keys()
    for key in existing:
        if (key.public_key or "").split()[:2] == text.split()[:2]:
            return key
    name = name or " ".join(text.split()[2:]) or path.stem
    if any(key.name == name for key in existing):
        raise NameInUse(
            f"Another key on the account is called '{sanitize(name)}'. Nothing was added. Choose another "
            "name with --name"
        )
    return connection.client.add_ssh_key(name, text)


def add_new_key(connection: Connection, *, name: str | None = None) -> tuple[SshKey, Path]:
    """Make a key pair without a passphrase in ``~/.ssh``, add its public key, and return its private path.

    Errors as `add_key`. A key of an earlier call is never overwritten.

    >>> add_new_key(connection)                                              # doctest: +SKIP
    """
    public = make_account_key()
    return add_key(connection, str(public), name=name), public.with_suffix("")


def make_primary(connection: Connection, word: str) -> SshKey:
    """Make the key with this name or id the default for pods; raise NotFound unless exactly one matches."""
    key = _find_key(connection.client.list_ssh_keys(), word)
    connection.client.make_ssh_key_primary(str(key.id))
    return key


def remove_key(connection: Connection, word: str, confirm: Callable[[str], bool]) -> SshKey:
    """Remove the key with this name or id from the account, once `confirm` has agreed to a question.

    Raises NotFound unless exactly one matches, InvalidRequest without consent; nothing is removed then.
    """
    keys = connection.client.list_ssh_keys()
    key = _find_key(keys, word)
    name = f"'{sanitize(key.name or key.id)}' ({sanitize(fingerprint(key.public_key) or key.id)})"
    question = f"Remove the SSH key {name}? Pods that you rent from now on do not let it in."
    if key.is_primary:
        question += " It is the primary key: launches that name no key need another one"
        others = join_sanitized(other.name or other.id for other in keys if other.id != key.id)
        question += f" ({others})." if others else ", and there is none."
    if not connection.is_sandbox and confirm(question) is not True:
        raise InvalidRequest(
            f"Removing {name} was not confirmed. Nothing was done. Pass -y to confirm in advance"
        )
    connection.client.delete_ssh_key(str(key.id))
    return key


def _find_key(keys: Sequence[SshKey], word: str) -> SshKey:
    matches = [key for key in keys if key.id == word] or [key for key in keys if key.name == word]
    if len(matches) != 1:
        ids = join_sanitized(key.id for key in matches)
        names = [key.name for key in keys if key.name]
        why = (
            f"Several keys are called '{sanitize(word)}' ({ids})"
            if matches
            else f"There is no key '{sanitize(word)}'"
        )
        raise NotFound(f"{why}{'' if matches else suggest(word, names)}. Nothing was changed")
    return matches[0]


def fingerprint(public_key: str | None) -> str | None:
    """Return a key's fingerprint as ``ssh-keygen -l`` prints it, or None if it is not a key.

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
            "The home folder is unknown. Name the file with your public key. Nothing was sent"
        )
    for name in _DEFAULT_FILES:
        path = home / ".ssh" / name
        if os.path.isfile(path):
            return path
    raise InvalidRequest(
        f"There is no {', '.join(_DEFAULT_FILES)} in ~/.ssh. Name a file, or create a key with "
        "'%pods keys add --new'. Nothing was sent"
    )


def _read_public_key(path: Path) -> str:
    name = sanitize(path.name)
    try:
        raw = read_plain_file(path, max_bytes=_MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = describe_error(error) if isinstance(error, OSError) else "it is not a path"
        raise InvalidRequest(f"Cannot read '{name}' ({reason}). Nothing was sent") from None
    if any(mark in raw for mark in _PRIVATE):
        raise InvalidRequest(
            f"'{name}' is a private key, which never leaves this computer. The public key is "
            f"'{name}.pub'. Nothing was sent"
        )
    if b"BEGIN SSH2 PUBLIC KEY" in raw:
        raise InvalidRequest(
            f"'{name}' is a public key in another format. Convert it with "
            f"'ssh-keygen -i -f {quote(str(path))}'. Nothing was sent"
        )
    lines = [line.strip() for line in raw.decode("utf-8-sig", "replace").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if len(keys) != 1 or fingerprint(keys[0]) is None:
        several = f" but {len(keys)}" if len(keys) > 1 and all(map(fingerprint, keys)) else ""
        raise InvalidRequest(f"'{name}' does not contain one public SSH key{several}. Nothing was sent")
    return keys[0]
