"""Checks without requests: packages, settings, files, proxies, certificates."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from primepods_magic._version import __version__
from primepods_magic.api.client import Client
from primepods_magic.api.errors import NotConfigured
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
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.open_client import (
    CERTIFICATE_VARIABLES,
    PROXY_VARIABLES,
    find_blame,
    open_client,
    set_variables,
)
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
# Variables with certificates for other programs.
_OTHER_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


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
    proxies = ", ".join(f"{name.upper()} is {_describe_proxy(name)}" for name in set_variables(_PROXIES))
    try:
        client = open_client(settings)
    except NotConfigured as error:
        blamed = [name for name in set_variables(PROXY_VARIABLES) if name in str(error)]
        if blamed:
            yield _report_unusable("proxy", error)
        else:
            yield Finding("proxy", "warning", f"{proxies or 'none'}; nothing can be sent")
        return
    route = client.session.proxy
    client.close()
    host = sanitize(urlsplit(settings.base_url).hostname)
    if route is None:
        yield Finding("proxy", "ok", f"{proxies}; not used for {host}" if proxies else "none")
        return
    # The variable at fault is the one without which the route changes.
    names = find_blame(lambda: Client(settings), lambda other: other.session.proxy != route)
    which = (
        f"{' and '.join(name.upper() for name in names) or 'the proxy of this computer'} is {sanitize(route)}"
    )
    if is_answered:
        yield Finding("proxy", "ok", f"{which}; the service answers through it")
    elif is_answered is None:
        yield Finding("proxy", "warning", f"{which}; not tried: there is no API key")
    else:
        yield Finding(
            "proxy", "warning", f"{which}; the service was not reached through it", f"check {which}"
        )


def _report_unusable(check: str, error: NotConfigured) -> Finding:
    """Report a variable that prevents all requests."""
    _, _, detail = str(error).partition(" from here: ")
    problem, _, what_to_do = detail.partition(". ")
    return Finding(
        check, "problem", f"nothing can be sent: {problem}", what_to_do[:1].lower() + what_to_do[1:]
    )


def _describe_proxy(name: str) -> str:
    """Return a proxy's host and port, without the user and password in front of them."""
    url = os.environ[name]
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "not a URL"
    return f"{sanitize(parts.hostname)}{port}" if parts.hostname else "not a URL"


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
    source = next((f"from {name}" for name in CERTIFICATE_VARIABLES[:2] if name in names), "the default ones")
    others = [name for name in _OTHER_BUNDLES if os.environ.get(name)]
    if settings.is_loopback:
        yield Finding("certificates", "ok", f"{source}; not used for this computer")
    elif others and source == "the default ones":
        which = " and ".join(others)
        detail = f"{source}: {which} {'are' if len(others) > 1 else 'is'} set, but not used here"
        yield Finding("certificates", "warning", detail, "set SSL_CERT_FILE to the same file if it is needed")
    elif is_answered:
        yield Finding("certificates", "ok", source)
    elif is_answered is None:
        result: Result = "ok" if source == "the default ones" else "warning"
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
