"""Files that may hold secrets, by their names and by what they begin with."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable

from primepods_magic.remote.agent.files.listing import Entry
from primepods_magic.remote.agent.files.pack import open_file
from primepods_magic.remote.agent.files.root import FileProblem, Root

from .secret_checks import find_key

__all__ = ["find_secret_files", "sounds_secret_file"]

_FOLDERS = frozenset((".ssh", ".aws", ".kube", ".gnupg"))
# What editors and people add to a name that they keep a copy of.
_COPY = re.compile(r"(?:~|\.(?:bak|backup|old|orig|save|swp|copy|\d+))+$")
_NAMES = re.compile(
    r"\.env(?:rc)?(?:[._-].*)?|.*\.env(?:\.(?:local|(?:prod|dev|test|stag)[a-z]*))?|[._]netrc|\.pypirc|\.npmrc"
    r"|\.yarnrc\.yml|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.dockercfg|\.dockerconfigjson|\.renviron"
    r"|\.s3cfg|\.boto|\.vault[-_](?:pass|token).*|rclone\.conf|kaggle\.json|kubeconfig"
    r"|\.?token(?:\.(?:txt|json|pickle))?|id_(?:rsa|dsa|ecdsa|ed25519)(?:[._-].*)?"
    r"|.*\.(?:pem|p12|pfx|key|ppk|jks|keystore|kdbx|ovpn|tfstate|tfvars)"
)
_WORDS = re.compile(
    r"(?:secrets?|credentials?|passwords?|passwd|service[-_. ]?account"
    r"|(?:api|access|auth|private|hf)[-_. ]?(?:keys?|tokens?))(?:[^a-z]|$)"
)
_SETTINGS = frozenset(
    ("", ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".txt", ".xml", ".properties")
)
_NO_SECRET = re.compile(r"(?:^|[._-])(?:example|sample|template|dist)(?:[._-]|$)|\.pub$|^cacert\.pem$")
_READ_BYTES = 64 << 10
_MAX_READ_BYTES = 20 << 20


def sounds_secret_file(path: str) -> bool:
    """Return whether a file with this path below a project usually holds secrets.

    >>> [sounds_secret_file(path) for path in ("prod.env", ".env.example", "Credentials.json", "secrets.py")]
    [True, False, True, False]
    """
    *folders, name = path.casefold().split("/")
    name = _COPY.sub("", name)
    if _NO_SECRET.search(name):
        return False
    has_word = posixpath.splitext(name)[1] in _SETTINGS and _WORDS.search(name)
    return bool(has_word or _NAMES.fullmatch(name)) or not _FOLDERS.isdisjoint(folders)


def find_secret_files(folder: str, entries: Iterable[Entry]) -> list[str]:
    """Return which files of a local folder may hold secrets; of those that begin with a key, its form, too.

    At most 20 MB are read in all.
    """
    found: list[str] = []
    left = _MAX_READ_BYTES
    with Root(folder) as root:
        for entry in entries:
            if entry.kind != "file":
                continue
            if sounds_secret_file(entry.path):
                found.append(entry.path)
            elif left > 0:
                data = _read_beginning(root, entry.path)
                left -= len(data)
                key = find_key(data.decode("latin-1"))
                found += [f"{entry.path} ('{key.strip()}…')"] if key else []
    return found


def _read_beginning(root: Root, path: str) -> bytes:
    try:
        fd = open_file(root, path)
    except (OSError, FileProblem):
        # It is not sent either.
        return b""
    try:
        return os.read(fd, _READ_BYTES)
    except OSError:
        return b""
    finally:
        os.close(fd)
