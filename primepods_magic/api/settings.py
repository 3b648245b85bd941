"""Where the key, the URL and the team come from.

The environment and the files of the official command line ``prime``, which are read and never
written. Precedence, key by key: environment, then context, then file, then default.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import NotConfigured

__all__ = ["LIVE_URL", "Settings", "is_loopback", "load_settings", "mask"]

LIVE_URL = "https://api.primeintellect.ai"
_API_PATH = "/api/v1"


@dataclass(frozen=True)
class Settings:
    """What a client needs to know.

    Parameters
    ----------
    base_url : str
        Origin of the service, without ``/api/v1``.
    api_key : str
        The bearer key; never part of ``repr``.
    team_id : str, optional
        The team that launches are billed to unless a spec names another.
    sources : mapping of str to str
        Where each value was found, in words.

    Raises
    ------
    NotConfigured
        The URL is not one that a key may be sent to: https, or http on this computer.

    Examples
    --------
    >>> Settings("http://127.0.0.1:8000", "sandbox").is_loopback
    True
    """

    base_url: str = LIVE_URL
    api_key: str = field(default="", repr=False)
    team_id: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _origin(self.base_url))
        try:
            parts = urlsplit(self.base_url)
            usable = parts.hostname and parts.scheme in ("http", "https") and parts.port != 0
            usable = usable and self.base_url.isprintable() and " " not in self.base_url
        except ValueError:
            usable = False
        if not usable:
            raise NotConfigured("the URL of the service is not one that can be used (https://…)")
        if "@" in parts.netloc:
            raise NotConfigured("the URL of the service holds a user or a password; it must not")
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise NotConfigured("the API key holds characters that no key has; nothing was sent")
        if parts.scheme == "http" and not self.is_loopback:
            raise NotConfigured(
                f"{self.base_url} would carry the key over the network in the clear; nothing was sent. "
                "Use https://"
            )

    def __getstate__(self) -> None:
        raise TypeError("settings hold a key and are not pickled")

    @property
    def is_loopback(self) -> bool:
        """The service is on this computer."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def mask(key: str) -> str:
    """A key as it may be shown.

    >>> mask("pit_0123456789abcdef0123456789abcdef")
    '…cdef'
    """
    return f"…{key[-4:]}" if len(key) >= 32 else "…"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this computer."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(environ: Mapping[str, str] | None = None, home: Path | None = None) -> Settings:
    """Find the settings as the official command line does.

    Parameters
    ----------
    environ : mapping, optional
        ``os.environ`` unless given. ``PRIME_API_KEY``, ``PRIME_API_BASE_URL`` (then
        ``PRIME_BASE_URL``), ``PRIME_TEAM_ID`` and ``PRIME_CONTEXT`` are read.
    home : Path, optional
        The home folder unless given. ``.prime/config.json`` and ``.prime/environments/`` are read.

    Returns
    -------
    Settings
        With an empty ``api_key`` where none was found.

    Raises
    ------
    NotConfigured
        A file cannot be read, the named context does not exist, or the URL must not be given a key.
    """
    environ = os.environ if environ is None else environ
    folder = (home or Path.home()) / ".prime"
    file = _read(folder / "config.json")
    context_name = environ.get("PRIME_CONTEXT", "").strip()
    context = _context(folder, context_name, file)
    file_may_say = set(_VARIABLES)
    if context_name == "production":
        file_may_say = {"api_key"}
    elif context.get("base_url"):
        # Another account's key must not be sent to this context's own URL.
        file_may_say -= {"api_key"}

    found: dict[str, tuple[str, str]] = {}
    for key, variables in _VARIABLES.items():
        candidates: list[tuple[object, str]] = [(environ.get(name, ""), name) for name in variables]
        candidates.append((context.get(key), f"context {context_name}"))
        if key in file_may_say:
            candidates.append((file.get(key), "~/.prime/config.json"))
        for value, source in candidates:
            if isinstance(value, str) and value.strip():
                found[key] = (value.strip(), source)
                break
    return Settings(
        base_url=found.get("base_url", (LIVE_URL, ""))[0],
        api_key=found.get("api_key", ("", ""))[0],
        team_id=found["team_id"][0] if "team_id" in found else None,
        sources={key: source for key, (_, source) in found.items()},
    )


_VARIABLES = {
    "api_key": ("PRIME_API_KEY",),
    "base_url": ("PRIME_API_BASE_URL", "PRIME_BASE_URL"),
    "team_id": ("PRIME_TEAM_ID",),
}


def _context(folder: Path, name: str, file: Mapping[str, Any]) -> Mapping[str, Any]:
    if not name:
        return {}
    if name == "production":
        return {"base_url": LIVE_URL}
    path = folder / "environments" / f"{name}.json"
    if Path(name).name != name or not path.is_file():
        raise NotConfigured(f"PRIME_CONTEXT names {name!r}, which is not among ~/.prime/environments/")
    return _read(path)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise NotConfigured(f"{path} cannot be read ({type(error).__name__}); mend or remove it") from None
    return content if isinstance(content, dict) else {}


def _origin(url: str) -> str:
    return url.strip().rstrip("/").removesuffix(_API_PATH).rstrip("/")
