"""Host keys, derived from a stored secret so that a machine keeps its key when the sandbox restarts."""

from __future__ import annotations

import hashlib

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

__all__ = ["derive_host_key"]


def derive_host_key(secret: str, *about: str) -> asyncssh.SSHKey:
    """Return the Ed25519 key that depends only on the arguments."""
    seed = hashlib.blake2b("\0".join(about).encode(), key=secret.encode(), digest_size=32).digest()
    private = Ed25519PrivateKey.from_private_bytes(seed)
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return asyncssh.import_private_key(text)
