"""Where the key, the URL and the team come from.

The environment and the files of the official command line ``prime``, which are read and never
written. Precedence, key by key: environment, then context, then file, then default. As in ``prime``
0.18, a context is a whole: what it does not say of URL and team is the default, not the file's.
"""

from __future__ import annotations

import difflib
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
    stamp,
)
from primepods_magic.api.secrets.secret_text import Secret
from primepods_magic.api.validation.bounds import check_flags

from .errors import NotConfigured

__all__ = [
    "LIVE_URL",
    "SANDBOX_KEYS",
    "Settings",
    "is_loopback",
    "load_settings",
    "mask",
    "normalize_url",
    "settings_state",
]

SANDBOX_KEYS = frozenset({"sandbox", "sandbox-read", "sandbox-pods", "sandbox-teammate"})
"""Those of the built-in sandbox are documented, and no secrets: hiding them would hide words."""

LIVE_URL = "https://api.primeintellect.ai"
_API_PATH = "/api/v1"
_PRODUCTION = "production"
_VARIABLES = {
    "api_key": ("PRIME_API_KEY",),
    "base_url": ("PRIME_API_BASE_URL", "PRIME_BASE_URL"),
    "team_id": ("PRIME_TEAM_ID",),
}
_CONTEXT_VARIABLE = "PRIME_CONTEXT"
# As the official command line has it: true, or the text "true".
_SHARES = "share_resources_with_team"


@dataclass(frozen=True, init=False)
class Settings:
    """What a client needs to know.

    Parameters
    ----------
    base_url : str
        Origin of the service, without ``/api/v1``.
    api_key : str
        The bearer key; never part of ``repr``, ``vars`` or ``asdict``.
    team_id : str, optional
        The team that launches are billed to unless a spec names another.
    sources : mapping of str to str
        Where each value was found, in words.
    context : str, optional
        The saved context of the official command line that was asked for.
    notes : iterable of str
        What somebody should know about where they were found, such as a file that is broken.
    shares_with_team : bool
        Share pods that a team is billed for with that team, unless a spec says otherwise.

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
        _check(_origin(base_url), api_key)
        object.__setattr__(self, "base_url", _origin(base_url))
        object.__setattr__(self, "team_id", team_id)
        object.__setattr__(self, "_key", Secret(api_key))
        object.__setattr__(self, "sources", dict(sources or {}))
        object.__setattr__(self, "context", context)
        object.__setattr__(self, "notes", tuple(notes))
        object.__setattr__(self, "shares_with_team", shares_with_team)

    def __copy__(self) -> Settings:
        return self

    def __deepcopy__(self, memo: object) -> Settings:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("settings hold a key and are not pickled")

    @property
    def api_key(self) -> str:
        """The bearer key; empty where none was found."""
        return self._key.get_secret_value()

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


def normalize_url(base_url: str) -> str:
    """Return one spelling of an address for all of its spellings.

    >>> normalize_url("HTTPS://API.example.com:443/"), normalize_url("http://localhost:8000")
    ('https://api.example.com', 'http://127.0.0.1:8000')
    """
    url = httpx.URL(base_url)
    return str(url.copy_with(host="127.0.0.1" if url.host == "localhost" else url.host)).rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this computer."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(
    environ: Mapping[str, str] | None = None, home: Path | None = None, *, context: str | None = None
) -> Settings:
    """Find the settings as the official command line does.

    The environment's key goes to the URL that a context or the file names, and the file's key to the URL that
    the environment names: who sets a variable chooses so. A context gets the key of ``config.json`` only
    where both name the same service, or where it is ``production``.

    Parameters
    ----------
    environ : mapping, optional
        ``os.environ`` unless given. ``PRIME_API_KEY``, ``PRIME_API_BASE_URL`` (then
        ``PRIME_BASE_URL``), ``PRIME_TEAM_ID`` and ``PRIME_CONTEXT`` are read.
    home : Path, optional
        The home folder unless given. ``.prime/config.json`` and ``.prime/environments/`` are read.
    context : str, optional
        A saved context, instead of the one that ``PRIME_CONTEXT`` names.

    Returns
    -------
    Settings
        With an empty ``api_key`` where none was found.

    Raises
    ------
    NotConfigured
        There is no such context, a file that had to tell the key cannot be read, or the URL must not be
        given a key.

    Examples
    --------
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
    sources, notes = {}, [file.trouble] if file.trouble else []
    if name or context is not None:
        source = _CONTEXT_VARIABLE if context is None else "chosen in this session"
        sources["context"] = source
        saved = _of_context(folder, name, source, file, given, notes)
    else:
        saved = _of_file(file, notes)
    found = {**saved, **given}
    if "api_key" not in found and file.trouble:
        raise _unreadable(file.trouble)
    if context is not None and "api_key" in saved and "api_key" in given:
        notes.append(f"the key is PRIME_API_KEY's, which beats the one of the context '{name}'")
    sources |= {key: source for key, (_, source) in found.items()}
    try:
        return Settings(
            base_url=found.get("base_url", (LIVE_URL, ""))[0],
            api_key=found.get("api_key", ("", ""))[0],
            team_id=found["team_id"][0] if "team_id" in found else None,
            sources=sources,
            context=name or None,
            notes=notes,
            shares_with_team=str(file.content.get(_SHARES)).casefold() == "true",
        )
    except NotConfigured as error:
        which = "api_key" if "API key" in str(error) else "base_url"
        raise NotConfigured(f"{error} (from {sources.get(which)})") from None


def settings_state(
    environ: Mapping[str, str] | None = None, home: Path | None = None, *, context: str | None = None
) -> str:
    """Something that changes when the answer of `load_settings` may; cheap, for no file is read. Holds no
    key.

    Parameters
    ----------
    environ, home, context :
        As for `load_settings`.
    """
    environ = os.environ if environ is None else environ
    folder = prime_folder(home)
    variables = [*(name for names in _VARIABLES.values() for name in names), _CONTEXT_VARIABLE]
    said = [environ.get(variable, "") for variable in variables]
    name = said[-1].strip() if context is None else context
    stamps = (stamp(folder, CONFIG), stamp(folder, context_file(name)))
    return hashlib.sha256(repr((said, name, str(folder), stamps)).encode("utf-8", "replace")).hexdigest()


_Found = dict[str, tuple[str, str]]


def _of_file(file: PrimeFile, notes: list[str]) -> _Found:
    values = {key: _text(file, key, notes) for key in _VARIABLES}
    return {key: (value, file.label) for key, value in values.items() if value}


def _of_context(
    folder: Path | None, name: str, source: str, file: PrimeFile, given: _Found, notes: list[str]
) -> _Found:
    """What a context says, and its key where it takes that from ``config.json``."""
    key = _text(file, "api_key", notes)
    if name.casefold() == _PRODUCTION:
        own: _Found = {"base_url": (LIVE_URL, f"context {_PRODUCTION}")}
        return {**own, "api_key": (key, file.label)} if key else own
    saved = read_file(folder, context_file(name) or "")
    if context_file(name) is None or saved.is_missing:
        raise _unknown_context(folder, name, source)
    if saved.trouble:
        # Where requests go is not known, unless the environment says it.
        if not {"api_key", "base_url"} <= given.keys():
            raise _unreadable(saved.trouble)
        notes.append(saved.trouble)
    values = {key: _text(saved, key, notes) for key in _VARIABLES}
    values["base_url"] = values["base_url"] or LIVE_URL
    found = {key: (value, f"context {name}") for key, value in values.items() if value}
    same_service = _origin(values["base_url"]) == _origin(_text(file, "base_url", []) or LIVE_URL)
    if "api_key" not in saved.content and key and same_service:
        found["api_key"] = (key, file.label)
    return found


def _text(file: PrimeFile, key: str, notes: list[str]) -> str:
    value = file.content.get(key)
    if isinstance(value, str):
        return value.strip()
    if value is not None:
        notes.append(f"'{key}' in {file.label} is no text and was passed over")
    return ""


def _unreadable(trouble: str) -> NotConfigured:
    return NotConfigured(f"{trouble}; nothing was sent. Mend or remove it, or set PRIME_API_KEY")


def _unknown_context(folder: Path | None, name: str, source: str) -> NotConfigured:
    known = context_names(folder)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known)}"
    by = f" ({source})" if source == _CONTEXT_VARIABLE else ""
    return NotConfigured(f"'prime' has no context {name!r}{by}; {hint}. Nothing was sent")


def _check(base_url: str, api_key: str) -> None:
    try:
        parts = urlsplit(base_url)
        usable = parts.hostname and parts.scheme in ("http", "https") and parts.port != 0
        usable = usable and base_url.isprintable() and not set(" ?#").intersection(base_url)
    except ValueError:
        usable = False
    if not usable:
        raise NotConfigured("the URL of the service is not one that can be used (https://…)")
    if not is_host(parts.hostname or ""):
        raise NotConfigured(
            "the host in the URL of the service is not a name, which has 1 to 63 characters between dots. "
            "Nothing was sent"
        )
    if "@" in parts.netloc:
        raise NotConfigured("the URL of the service holds a user or a password; it must not")
    if not (api_key.isascii() and api_key.isprintable()):
        raise NotConfigured("the API key holds characters that no key has; nothing was sent")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise NotConfigured(
            f"{base_url} would carry the key over the network in the clear; nothing was sent. Use https://"
        )


def _origin(url: str) -> str:
    return url.strip().rstrip("/").removesuffix(_API_PATH).rstrip("/")
