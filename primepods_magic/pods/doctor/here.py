"""Checks that ask nobody: packages, settings, files, proxies, certificates."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from primepods_magic import __version__
from primepods_magic.api.files import describe_error
from primepods_magic.api.folders import find_folder, shorten_path
from primepods_magic.api.prime_files import CONFIG, context_file, context_names, prime_folder, read_file
from primepods_magic.api.settings import LIVE_URL, Settings, mask
from primepods_magic.api.text import clean
from primepods_magic.pods.intents import launch_path

from .finding import LOG_IN, Finding

__all__ = ["certificates", "launch_notes", "open_files", "packages", "proxy", "settings_found"]

_PACKAGES = ("ipython", "httpx", "pydantic", "pandas")
_PROXIES = ("https", "http", "all")


def packages() -> Iterator[Finding]:
    """Python and what this stands on."""
    yield Finding("python", "ok", f"Python {platform.python_version()}, primepods_magic {__version__}")
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding("packages", "problem", f"not installed: {', '.join(missing)}", "pip install them")
    yield Finding("packages", "ok", ", ".join(found))


def settings_found(settings: Settings) -> Iterator[Finding]:
    """Key, URL, team and context, each with where it is from."""
    sources = settings.sources
    # Nothing is said of what `connect(settings=…)` was given.
    url_from = sources.get("base_url", "the default" if sources or settings.base_url == LIVE_URL else "here")
    if settings.api_key:
        yield _key(settings)
    else:
        yield Finding(
            "key", "warning", "there is none: a person gets the sandbox, a pipeline an error", LOG_IN
        )
    yield Finding("url", "ok", f"{settings.base_url} from {url_from}")
    if settings.team_id:
        yield Finding("team", "ok", f"{clean(settings.team_id)} from {sources.get('team_id', 'here')}")
    else:
        yield Finding("team", "ok", "none: launches are billed to you")
    yield Finding("context", "ok", _context(settings))
    for note in settings.notes:
        yield Finding("settings", "warning", note, "mend or remove the file" if "~/" in note else "")


def _key(settings: Settings) -> Finding:
    key_from, url_from = settings.sources.get("api_key", "here"), settings.sources.get("base_url", "here")
    detail = f"{mask(settings.api_key)} from {key_from}"
    variables = {"PRIME_API_KEY", "PRIME_API_BASE_URL", "PRIME_BASE_URL"}
    if settings.base_url == LIVE_URL or key_from == url_from or {key_from, url_from} <= variables:
        return Finding("key", "ok", detail)
    return Finding(
        "key", "warning", f"{detail} goes to the URL from {url_from}", "make sure that they belong together"
    )


def _context(settings: Settings) -> str:
    if settings.context:
        return f"{clean(settings.context)} ({settings.sources.get('context')})"
    # `prime config use` copies what the context says into the file, and leaves its name there as a label.
    label = read_file(prime_folder(), CONFIG).content.get("current_environment")
    return f"{clean(label)} (copied into ~/.prime/{CONFIG})" if isinstance(label, str) and label else "none"


def open_files() -> Iterator[Finding]:
    """Keys that other users of this computer can read."""
    folder = prime_folder()
    names = [CONFIG, *filter(None, map(context_file, context_names(folder)))]
    files = [read_file(folder, name) for name in names]
    told = [file.label for file in files if file.is_open_to_others and file.may_hold_key]
    if told:
        yield Finding(
            "files",
            "warning",
            f"other users of this computer can read your key in {', '.join(told)}",
            f"chmod 600 {' '.join(told)}",
        )


def proxy(target: Settings | None) -> Iterator[Finding]:
    """Proxies that are set, without the passwords in their URLs."""
    used = {scheme: url for scheme, url in getproxies().items() if scheme in _PROXIES}
    if not used:
        yield Finding("proxy", "ok", "none")
        return
    said = ", ".join(f"{scheme.upper()}_PROXY is {_proxy_place(url)}" for scheme, url in used.items())
    host = urlsplit(target.base_url).hostname or "" if target else ""
    if target and (target.is_loopback or proxy_bypass(host)):
        yield Finding("proxy", "ok", f"{said}; not used for {host}")
    else:
        yield Finding("proxy", "ok", said)


def _proxy_place(url: str) -> str:
    """Host and port of a proxy; a user and a password stand before them."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "not a URL"
    return f"{clean(parts.hostname)}{port}" if parts.hostname else "not a URL"


def certificates() -> Iterator[Finding]:
    """The certificates that servers are checked by."""
    # As httpx looks for them.
    for variable, exists in (("SSL_CERT_FILE", os.path.isfile), ("SSL_CERT_DIR", os.path.isdir)):
        place = os.environ.get(variable)
        if place and not exists(place):
            yield Finding(
                "certificates",
                "problem",
                f"{variable} names nothing that exists",
                f"correct or unset {variable}",
            )
            return
        if place:
            yield Finding("certificates", "ok", f"from {variable}")
            return
    yield Finding("certificates", "ok", "the usual ones")


def launch_notes() -> Iterator[Finding]:
    """The folder for notes of launches that are under way."""
    folder = launch_path("", "", "").parent
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    try:
        # Permissions do not tell of a full disk, a quota or a read-only mount.
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(b"a note")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        yield Finding(
            "launch notes",
            "warning",
            "cannot be written: a launch that the end of the kernel cuts off is not found again "
            f"({describe_error(error)})",
            f"make {shorten_path(folder)} writable"
            if find_folder("state")
            else "set HOME to a folder of yours",
        )
    else:
        yield Finding("launch notes", "ok", "can be written")
