"""The environment variables that are looked at, and what each is for."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["VARIABLES"]

VARIABLES: Mapping[str, str] = {
    "PRIME_API_KEY": "the key; without it, that of `~/.prime/config.json`",
    "PRIME_API_BASE_URL": "where requests go; without it `PRIME_BASE_URL`, then the configuration, then the "
    "live service",
    "PRIME_BASE_URL": "the same, where `PRIME_API_BASE_URL` is not set",
    "PRIME_TEAM_ID": "the team that is billed for launches that name none",
    "PRIME_CONTEXT": "a saved context of the official command line",
    "PRIME_SSH_KEY_PATH": "the private key that `%pods ssh --config` names in its `Host` blocks",
    "PRIMEPODS_SANDBOX_URL": "the sandbox that `%pods connect --sandbox` uses, in place of one inside the "
    "kernel",
    "SSL_CERT_FILE": "certificates that servers are checked by, as httpx reads it",
    "SSL_CERT_DIR": "the same, as a folder",
    "TERM": "`dumb`: progress in a terminal is lines of text",
}
"""By name. Proxies are taken from the usual variables (``HTTPS_PROXY``, ``NO_PROXY`` …), as httpx reads them,
but never for this computer itself. ``XDG_STATE_HOME``, ``XDG_CACHE_HOME``, ``XDG_DATA_HOME`` and
``XDG_CONFIG_HOME`` move what is kept, as platformdirs reads them. Any variable can be taken into a spec by
``${NAME}``.
"""
