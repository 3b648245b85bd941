"""The certificates that servers are verified with: those that variables name, or those of this computer."""

from __future__ import annotations

import contextlib
import os
import ssl

import certifi

__all__ = ["ADDED_VARIABLES", "CERTIFICATE_VARIABLES", "can_add", "create_tls_context"]

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
"""What the first two name replaces all others. A file that cannot be used prevents a client."""

ADDED_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables of other programs: what they name is trusted beside the default, if it can be used."""

# Where distributions keep what an administrator has added; Python may have been built for another place.
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def create_tls_context() -> ssl.SSLContext:
    """Return the context for connections to servers.

    Raises OSError, of which ssl.SSLError is one, if a variable cannot be used.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or folder:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    for path in (_find_system_bundle(), *map(os.environ.get, ADDED_VARIABLES)):
        if path:
            with contextlib.suppress(OSError):
                _add_certificates(context, path)
    return context


def _find_system_bundle() -> str | None:
    """Return the file with this computer's certificates, or None if Python reads it by itself."""
    path = next(filter(os.path.isfile, _SYSTEM_BUNDLES), None)
    read = ssl.get_default_verify_paths().cafile
    return None if path and read and os.path.samefile(path, read) else path


def can_add(path: str) -> bool:
    """Return whether a file or folder of certificates can be used."""
    try:
        _add_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path)
    except OSError:
        return False
    return True


def _add_certificates(context: ssl.SSLContext, path: str) -> None:
    is_folder = os.path.isdir(path)
    context.load_verify_locations(cafile=None if is_folder else path, capath=path if is_folder else None)
