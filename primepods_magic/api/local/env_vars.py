"""Environment variables that are read, and their meanings."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["VARIABLES"]

VARIABLES: Mapping[str, str] = {
    "PRIME_API_KEY": "API key; default: the key in `~/.prime/config.json`",
    "PRIME_API_BASE_URL": "URL of the service; default: `PRIME_BASE_URL`, then the configuration, then the "
    "live service",
    "PRIME_BASE_URL": "the same, if `PRIME_API_BASE_URL` is not set",
    "PRIME_TEAM_ID": "team that is billed for launches that name none",
    "PRIME_CONTEXT": "saved context of the official `prime` CLI",
    "PRIME_SSH_KEY_PATH": "path of the private key that `%pods ssh --config` names in its `Host` blocks",
    "PRIMEPODS_GUARD_KEY": "API key for guards on pods (`%pods guard NAME --on pod`), made for that alone",
    "PRIMEPODS_SANDBOX_URL": "sandbox that `%pods connect --sandbox` uses instead of one inside the kernel",
    "PRIMEPODS_DEBUG": "if set, errors keep their full tracebacks",
    "SSL_CERT_FILE": "certificates to verify servers with, instead of the default ones: a PEM file",
    "SSL_CERT_DIR": "the same, as a folder with OpenSSL's hashed names; both can be set",
    "TERM": "`dumb` shows terminal progress as lines of text",
}
"""Meanings by name. Proxies come from ``HTTPS_PROXY``, else ``ALL_PROXY``, in upper or lower case, unless
``NO_PROXY`` excludes the service; none is used for this computer itself. ``REQUESTS_CA_BUNDLE`` and
``CURL_CA_BUNDLE`` add certificates to the default ones. ``XDG_STATE_HOME``, ``XDG_CACHE_HOME``,
``XDG_DATA_HOME`` and ``XDG_CONFIG_HOME`` move stored files, as in platformdirs. A spec can use any variable
as ``${NAME}``.
"""
