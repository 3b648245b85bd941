"""Checks without requests: packages, settings, files, proxies, certificates."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from primepods_magic._version import __version__
from primepods_magic.api.errors import NotConfigured
from primepods_magic.api.http.route.certificates import ADDED_VARIABLES, CERTIFICATE_VARIABLES, can_add
from primepods_magic.api.http.route.no_proxy import find_exclusion, find_unread_entries
from primepods_magic.api.http.route.proxies import PROXY_VARIABLES, describe_proxy
from primepods_magic.api.local.atomic_files import describe_error
from primepods_magic.api.local.folders import find_folder, shorten_path
from primepods_magic.api.local.prime_config import (
    CONFIG,
    context_file,
    context_names,
    prime_folder,
    read_file,
)
from primepods_magic.api.settings import LIVE_URL, Settings, mask
from primepods_magic.api.text.sanitize import join_first, sanitize
from primepods_magic.api.validation.size_limits import shorten_word
from primepods_magic.pods.connection.open_client import open_client, set_variables
from primepods_magic.pods.launching.journal.journal import launch_path
from primepods_magic.pods.launching.journal.name_lock import can_lock

from .finding import LOG_IN, Finding, Result

__all__ = [
    "check_certificates",
    "check_key_files",
    "check_launch_notes",
    "check_packages",
    "check_proxy",
    "check_settings",
]

_PACKAGES = ("ipython", "httpx", "pydantic", "pandas")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_MAX_ENTRIES = 3
_DEFAULT = "the default ones"


def check_packages() -> Iterator[Finding]:
    """Report the versions of Python and of required packages."""
    yield Finding("python", "ok", f"Python {platform.python_version()}, primepods_magic {__version__}")
    installed, missing = [], []
    for name in _PACKAGES:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding("packages", "problem", f"not installed: {', '.join(missing)}", "pip install them")
    yield Finding("packages", "ok", ", ".join(installed))


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Report key, URL, team and context, with their sources."""
    sources = settings.sources
    # `connect(settings=…)` has no sources.
    url_from = sources.get("base_url", "the default" if sources or settings.base_url == LIVE_URL else "here")
    if settings.api_key:
        yield _check_key(settings)
    else:
        yield Finding("key", "warning", "not set: interactive sessions use the sandbox, scripts fail", LOG_IN)
    yield Finding("url", "ok", f"{settings.base_url} from {url_from}")
    if settings.team_id:
        yield Finding("team", "ok", f"{sanitize(settings.team_id)} from {sources.get('team_id', 'here')}")
    else:
        yield Finding("team", "ok", "none: launches are billed to you")
    yield Finding("context", "ok", _describe_context(settings))
    for note in settings.notes:
        yield Finding("settings", "warning", note, "correct or remove the file" if "~/" in note else "")


def _check_key(settings: Settings) -> Finding:
    key_from, url_from = settings.sources.get("api_key", "here"), settings.sources.get("base_url", "here")
    detail = f"{mask(settings.api_key)} from {key_from}"
    variables = {"PRIME_API_KEY", "PRIME_API_BASE_URL", "PRIME_BASE_URL"}
    if settings.base_url == LIVE_URL or key_from == url_from or {key_from, url_from} <= variables:
        return Finding("key", "ok", detail)
    return Finding(
        "key",
        "warning",
        f"{detail} is sent to the URL from {url_from}",
        "make sure that they belong together",
    )


def _describe_context(settings: Settings) -> str:
    if settings.context:
        return f"{sanitize(settings.context)} ({settings.sources.get('context')})"
    # `prime config use` copies the context's values into the file and stores its name as a label.
    label = read_file(prime_folder(), CONFIG).content.get("current_environment")
    return (
        f"{sanitize(label)} (copied into ~/.prime/{CONFIG})" if isinstance(label, str) and label else "none"
    )


def check_key_files() -> Iterator[Finding]:
    """Report key files that other users of this computer can read."""
    folder = prime_folder()
    names = [CONFIG, *filter(None, map(context_file, context_names(folder)))]
    files = [read_file(folder, name) for name in names]
    labels = [file.label for file in files if file.is_open_to_others and file.may_hold_key]
    if labels:
        yield Finding(
            "files",
            "warning",
            f"other users of this computer can read your key in {', '.join(labels)}",
            f"chmod 600 {' '.join(labels)}",
        )


def check_proxy(target: Settings | None, *, is_answered: bool | None = None) -> Iterator[Finding]:
    """Report the proxy in use, without the password in its URL.

    ``is_answered`` is whether the service has answered, None if it was not asked.
    """
    settings = target or Settings()
    proxies = ", ".join(f"{name} is {describe_proxy(os.environ[name])}" for name in set_variables(_PROXIES))
    yield from _check_exclusions()
    try:
        client = open_client(settings)
    except NotConfigured as error:
        blamed = [name for name in set_variables(PROXY_VARIABLES) if name in str(error)]
        if blamed:
            yield _report_unusable("proxy", error)
        else:
            yield Finding("proxy", "warning", f"{proxies or 'none'}; nothing can be sent")
        return
    proxy = client.session.proxy
    client.close()
    if proxy is None:
        unused = f"{proxies}; not used for {_describe_unproxied(settings)}"
        yield Finding("proxy", "ok", unused if proxies else "none")
        return
    which = f"{proxy.variable} is {proxy.place}"
    if is_answered:
        yield Finding("proxy", "ok", f"{which}; the service answers through it")
    elif is_answered is None:
        yield Finding("proxy", "warning", f"{which}; not tried: there is no API key")
    else:
        yield Finding(
            "proxy",
            "warning",
            f"{which}; the service was not reached through it",
            f"check {proxy.variable}",
        )


def _report_unusable(check: str, error: NotConfigured) -> Finding:
    """Report a variable that prevents all requests."""
    _, _, detail = str(error).partition(" from here: ")
    problem, _, what_to_do = detail.partition(". ")
    return Finding(
        check, "problem", f"nothing can be sent: {problem}", what_to_do[:1].lower() + what_to_do[1:]
    )


def _check_exclusions() -> Iterator[Finding]:
    """Report entries of NO_PROXY that exclude nothing."""
    unread = find_unread_entries(getproxies().get("no", ""))
    if unread:
        names = " and ".join(set_variables(["NO_PROXY"]))
        which = join_first([f"'{shorten_word(entry)}'" for entry in unread], _MAX_ENTRIES)
        detail = f"cannot parse {which} in {names or 'the exceptions of this computer'}: ignored"
        todo = "write names, addresses or networks, such as .example.com or 10.0.0.0/8"
        yield Finding("no proxy", "warning", detail, todo)


def _describe_unproxied(settings: Settings) -> str:
    """Return the host of a service that no proxy is used for, and the entry of NO_PROXY that says so."""
    host = sanitize(urlsplit(settings.base_url).hostname)
    entry = find_exclusion(httpx.URL(settings.base_url), getproxies().get("no", ""))
    if entry is None or settings.is_loopback:
        return host
    return f"{host}, which '{shorten_word(entry)}' in NO_PROXY excludes"


def check_certificates(
    target: Settings | None = None, *, is_answered: bool | None = None
) -> Iterator[Finding]:
    """Report the certificates that servers are verified with; `is_answered` as in `check_proxy`."""
    settings = target or Settings()
    names = set_variables(CERTIFICATE_VARIABLES)
    try:
        open_client(settings).close()
    except NotConfigured as error:
        if any(name in str(error) for name in names):
            yield _report_unusable("certificates", error)
            return
    folder = os.environ.get("SSL_CERT_DIR")
    is_there = any(map(os.path.isdir, (folder or "").split(os.pathsep)))
    if folder and "SSL_CERT_FILE" not in names and not is_there:
        # OpenSSL ignores this silently.
        todo = "correct or unset SSL_CERT_DIR"
        yield Finding("certificates", "problem", "the folder in SSL_CERT_DIR does not exist", todo)
        return
    source = next((f"from {name}" for name in CERTIFICATE_VARIABLES[:2] if name in names), _DEFAULT)
    others = [name for name in ADDED_VARIABLES if os.environ.get(name)] if source == _DEFAULT else []
    unusable = [name for name in others if not can_add(os.environ[name])]
    source = " and ".join([source, *(name for name in others if name not in unusable)])
    if settings.is_loopback:
        yield Finding("certificates", "ok", f"{source}; not used for this computer")
    elif unusable:
        which = " and ".join(unusable)
        detail = f"{source}: what {which} {'name' if len(unusable) > 1 else 'names'} cannot be used"
        yield Finding("certificates", "warning", detail, f"correct or unset {which}")
    elif is_answered:
        yield Finding("certificates", "ok", source)
    elif is_answered is None:
        result: Result = "ok" if source == _DEFAULT else "warning"
        yield Finding(
            "certificates", result, source if result == "ok" else f"{source}; not tried: there is no API key"
        )
    else:
        yield Finding("certificates", "warning", f"{source}; the service was not reached with them")


def check_launch_notes() -> Iterator[Finding]:
    """Report whether the folder of launch records can be written and locked."""
    folder = launch_path("", "", "").parent
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    try:
        # Permissions do not show a full disk, a quota or a read-only mount.
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(b"a note")
            probe.flush()
            os.fsync(probe.fileno())
            is_locked = can_lock(probe)
    except OSError as error:
        yield Finding(
            "launch notes",
            "warning",
            "cannot be written: a launch cannot be resumed if the kernel ends during it "
            f"({describe_error(error)})",
            f"make {shorten_path(folder)} writable"
            if find_folder("state")
            else "set HOME to your own folder",
        )
        return
    if is_locked:
        yield Finding("launch notes", "ok", "can be written")
    else:
        yield Finding(
            "launch notes",
            "warning",
            f"files in {shorten_path(folder)} cannot be locked: two kernels that launch one name at once "
            "may rent two pods",
            "set XDG_STATE_HOME to a folder on a local disk",
        )
