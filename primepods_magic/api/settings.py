"""Settings from the environment and the files of the official command line ``prime``, which are only read.

Precedence for each value: environment, context, file, default. As in ``prime`` 0.18, a context is complete:
if it names no URL or team, the default applies, not the file's.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import httpx

from primepods_magic.api.http.network import is_host
from primepods_magic.api.local.prime_config import (
    CONFIG,
    PrimeFile,
    context_file,
    context_names,
    prime_folder,
    read_file,
    stamp_file,
)
from primepods_magic.api.secrets.secret_text import Secret
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.api.validation.bounds import check_flags
from primepods_magic.api.validation.suggest import suggest

from .errors import NotConfigured

__all__ = [
    "LIVE_URL",
    "Settings",
    "is_loopback",
    "load_settings",
    "mask",
    "normalize_url",
    "settings_state",
]

# Documented keys of the built-in sandbox; they are not secret, and hiding them would hide ordinary words.
_SANDBOX_KEYS = frozenset({"sandbox", "sandbox-read", "sandbox-pods", "sandbox-teammate"})

LIVE_URL = "https://api.primeintellect.ai"
_API_PATH = "/api/v1"
_PRODUCTION = "production"
_VARIABLES = {
    "api_key": ("PRIME_API_KEY",),
    "base_url": ("PRIME_API_BASE_URL", "PRIME_BASE_URL"),
    "team_id": ("PRIME_TEAM_ID",),
}
_CONTEXT_VARIABLE = "PRIME_CONTEXT"
# In the official CLI's file: true, or the text "true".
_SHARES = "share_resources_with_team"


@shorten_tracebacks
@dataclass(frozen=True, init=False, repr=False)
class Settings(ShortRepr):
    """Connection settings of a client.

    Parameters
    ----------
    base_url : str
        Origin of the service, without ``/api/v1``.
    api_key : str
        The bearer key; never part of ``repr``, ``vars`` or ``asdict``.
    team_id : str, optional
        The team that is billed for launches whose spec names none.
    sources : mapping of str to str
        The source of each value, in words.
    context : str, optional
        The requested saved context of the official command line.
    notes : iterable of str
        Remarks for the user about the sources, such as a broken file.
    shares_with_team : bool
        Share pods with the team that is billed for them, unless a spec says otherwise.

    Raises
    ------
    NotConfigured
        The URL is not one that a key may be sent to: https, or http on this computer.

    Examples
    --------
    >>> Settings("http://127.0.0.1:8000", "sandbox").is_loopback
    True
    """

    base_url: str
    team_id: str | None
    _key: Secret = field(repr=False)
    sources: Mapping[str, str] = field(repr=False, compare=False)
    context: str | None = field(repr=False, compare=False)
    notes: tuple[str, ...] = field(repr=False, compare=False)
    shares_with_team: bool = field(repr=False)

    def __init__(
        self,
        base_url: str = LIVE_URL,
        api_key: str = "",
        team_id: str | None = None,
        sources: Mapping[str, str] | None = None,
        context: str | None = None,
        notes: Iterable[str] = (),
        shares_with_team: bool = False,
    ) -> None:
        check_flags(shares_with_team=shares_with_team)
        base_url = _find_origin(base_url)
        _check_settings(base_url, api_key)
        # Frozen attributes cannot be assigned.
        vars(self).update(base_url=base_url, team_id=team_id, _key=Secret(api_key), context=context)
        vars(self).update(sources=dict(sources or {}), notes=tuple(notes), shares_with_team=shares_with_team)

    def __copy__(self) -> Settings:
        return self

    def __deepcopy__(self, memo: object) -> Settings:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("settings hold a key and are not pickled")

    @property
    def api_key(self) -> str:
        """The bearer key; empty if none was found."""
        return self._key.get_secret_value()

    @property
    def real_key(self) -> str:
        """The key, or an empty text if it is one that the sandbox documents."""
        return "" if self.api_key in _SANDBOX_KEYS else self.api_key

    @property
    def is_loopback(self) -> bool:
        """Return whether the service runs on this computer."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def mask(key: str) -> str:
    """Mask a key for display.

    >>> mask("pit_0123456789abcdef0123456789abcdef")
    '…cdef'
    """
    return f"…{key[-4:]}" if len(key) >= 32 else "…"


def normalize_url(base_url: str) -> str:
    """Return the canonical spelling of a URL.

    >>> normalize_url("HTTPS://API.example.com:443/"), normalize_url("http://localhost:8000")
    ('https://api.example.com', 'http://127.0.0.1:8000')
    """
    url = httpx.URL(base_url)
    return str(url.copy_with(host="127.0.0.1" if url.host == "localhost" else url.host)).rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this computer."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(
    environ: Mapping[str, str] | None = None, home: Path | None = None, *, context: str | None = None
) -> Settings:
    """Load the settings as the official command line does; ``api_key`` is empty if there is none.

    The environment's key is sent to the URL of a context or of the file, and the file's key to the URL of the
    environment: setting the variable is the user's choice. A context gets the key of ``config.json`` only if
    both name the same service, or if it is ``production``.

    >>> load_settings({"PRIME_API_KEY": "key"}, Path("/nowhere")).sources["api_key"]
    'PRIME_API_KEY'
    """
    environ = os.environ if environ is None else environ
    folder = prime_folder(home)
    given = {
        key: (environ[variable].strip(), variable)
        for key, variables in _VARIABLES.items()
        for variable in reversed(variables)
        if environ.get(variable, "").strip()
    }
    file = read_file(folder, CONFIG)
    name = environ.get(_CONTEXT_VARIABLE, "").strip() if context is None else context.strip()
    sources, notes = {}, [file.error] if file.error else []
    if name or context is not None:
        source = _CONTEXT_VARIABLE if context is None else "chosen in this session"
        sources["context"] = source
        saved = _read_context(folder, name, source, file, given, notes)
    else:
        saved = _read_config(file, notes)
    values = {**saved, **given}
    if "api_key" not in values and file.error:
        raise _unreadable_file(file.error)
    if context is not None and "api_key" in saved and "api_key" in given:
        notes.append(f"PRIME_API_KEY is used instead of the key of the context '{name}'")
    sources |= {key: source for key, (_, source) in values.items()}
    try:
        return Settings(
            base_url=values.get("base_url", (LIVE_URL, ""))[0],
            api_key=values.get("api_key", ("", ""))[0],
            team_id=values["team_id"][0] if "team_id" in values else None,
            sources=sources,
            context=name or None,
            notes=notes,
            shares_with_team=str(file.content.get(_SHARES)).casefold() == "true",
        )
    except NotConfigured as error:
        which = "api_key" if "API key" in str(error) else "base_url"
        raise NotConfigured(f"{sources.get(which)}: {error}") from None


def settings_state(
    environ: Mapping[str, str] | None = None, home: Path | None = None, *, context: str | None = None
) -> str:
    """Return a digest that changes when `load_settings` may return something else; no file is read."""
    environ = os.environ if environ is None else environ
    folder = prime_folder(home)
    variables = [*(name for names in _VARIABLES.values() for name in names), _CONTEXT_VARIABLE]
    set_values = [environ.get(variable, "") for variable in variables]
    name = set_values[-1].strip() if context is None else context
    stamps = (stamp_file(folder, CONFIG), stamp_file(folder, context_file(name)))
    return hashlib.sha256(
        repr((set_values, name, str(folder), stamps)).encode("utf-8", "replace")
    ).hexdigest()


_Sourced = dict[str, tuple[str, str]]
"""Values with their sources, by setting."""


def _read_config(file: PrimeFile, notes: list[str]) -> _Sourced:
    values = {key: _read_text(file, key, notes) for key in _VARIABLES}
    return {key: (value, file.label) for key, value in values.items() if value}


def _read_context(
    folder: Path | None, name: str, source: str, file: PrimeFile, given: _Sourced, notes: list[str]
) -> _Sourced:
    """Return a context's values, with the key of ``config.json`` if it may use that."""
    key = _read_text(file, "api_key", notes)
    if name.casefold() == _PRODUCTION:
        own: _Sourced = {"base_url": (LIVE_URL, f"context {_PRODUCTION}")}
        return {**own, "api_key": (key, file.label)} if key else own
    saved = read_file(folder, context_file(name) or "")
    if context_file(name) is None or saved.is_missing:
        raise _unknown_context(folder, name, source)
    if saved.error:
        # The URL is unknown, unless the environment names it.
        if not {"api_key", "base_url"} <= given.keys():
            raise _unreadable_file(saved.error)
        notes.append(saved.error)
    values = {key: _read_text(saved, key, notes) for key in _VARIABLES}
    values["base_url"] = values["base_url"] or LIVE_URL
    found = {key: (value, f"context {name}") for key, value in values.items() if value}
    same_service = _find_origin(values["base_url"]) == _find_origin(
        _read_text(file, "base_url", []) or LIVE_URL
    )
    if "api_key" not in saved.content and key and same_service:
        found["api_key"] = (key, file.label)
    return found


def _read_text(file: PrimeFile, key: str, notes: list[str]) -> str:
    value = file.content.get(key)
    if isinstance(value, str):
        return value.strip()
    if value is not None:
        notes.append(f"'{key}' in {file.label} is not text and was ignored")
    return ""


def _unreadable_file(reason: str) -> NotConfigured:
    return NotConfigured(f"{reason}. Nothing was sent. Fix or remove it, or set PRIME_API_KEY")


def _unknown_context(folder: Path | None, name: str, source: str) -> NotConfigured:
    known = context_names(folder)
    hint = suggest(name, known) or f" (there are: {', '.join(known)})"
    origin = f" (from {source})" if source == _CONTEXT_VARIABLE else ""
    return NotConfigured(f"'prime' has no context {name!r}{origin}{hint}. Nothing was sent")


def _check_settings(base_url: str, api_key: str) -> None:
    try:
        parts = urlsplit(base_url)
        is_usable = parts.hostname and parts.scheme in ("http", "https") and parts.port != 0
        is_usable = is_usable and base_url.isprintable() and not set(" ?#").intersection(base_url)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise NotConfigured(
            "The URL of the service is not valid. Nothing was sent. Use one like https://api.example.com"
        )
    if not is_host(parts.hostname or ""):
        raise NotConfigured(
            "The host in the URL of the service is not a valid name: it needs 1 to 63 characters between "
            "dots. Nothing was sent"
        )
    if "@" in parts.netloc:
        raise NotConfigured("The URL of the service must not hold a user or a password. Nothing was sent")
    if not (api_key.isascii() and api_key.isprintable()):
        raise NotConfigured("The API key holds invalid characters. Nothing was sent")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise NotConfigured(f"{base_url} would send the key unencrypted. Nothing was sent. Use https://")


def _find_origin(url: str) -> str:
    return url.strip().rstrip("/").removesuffix(_API_PATH).rstrip("/")
