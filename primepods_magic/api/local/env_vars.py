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
    "SSL_CERT_FILE": "certificates to verify servers with, as in httpx",
    "SSL_CERT_DIR": "the same, as a folder",
    "TERM": "`dumb` shows terminal progress as lines of text",
}
"""Meanings by name. Proxies come from the usual variables (``HTTPS_PROXY``, ``NO_PROXY`` …), as in httpx, but
are not used for this computer itself. ``XDG_STATE_HOME``, ``XDG_CACHE_HOME``, ``XDG_DATA_HOME`` and
``XDG_CONFIG_HOME`` move stored files, as in platformdirs. A spec can use any variable as ``${NAME}``.
"""
