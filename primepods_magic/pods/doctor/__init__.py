"""Checks of the setup: settings, network, key, permissions, this computer."""

from __future__ import annotations

from primepods_magic.api.errors import NotConfigured
from primepods_magic.api.settings import Settings, load_settings
from primepods_magic.api.validation.bounds import check_seconds
from primepods_magic.pods.connection.connection import Connection

from .finding import LOG_IN, Finding, Result, failed_check, run_check
from .local import (
    check_certificates,
    check_key_files,
    check_launch_notes,
    check_packages,
    check_proxy,
    check_settings,
)
from .service import check_service

__all__ = ["Finding", "Result", "diagnose"]

TIMEOUT_S = 5.0
MAX_TIMEOUT_S = 3600.0


def diagnose(connection: Connection | None = None, *, timeout_s: float = TIMEOUT_S) -> list[Finding]:
    """Check the setup; change nothing, and raise nothing.

    The service of `connection`, or else of the settings, is asked for at most `timeout_s` seconds, unless
    there is no key. Returns one or more findings for each check, in a fixed order.

    >>> [finding.check for finding in diagnose() if finding.result == "problem"]   # doctest: +SKIP
    []
    """
    timeout_s = min(check_seconds("timeout_s", timeout_s), MAX_TIMEOUT_S)
    findings = run_check("packages", check_packages)
    if connection is not None:
        findings.append(Finding("connection", "ok", repr(connection)))
    loaded = _load_settings() if connection is None or connection.is_sandbox else connection.settings
    if isinstance(loaded, Finding):
        findings.append(loaded)
        settings = None
    else:
        settings = loaded
        findings += run_check("settings", lambda: check_settings(loaded))
    findings += run_check("files", check_key_files)
    target = connection.settings if connection is not None else settings
    is_answered: bool | None = None
    if target is None or not target.api_key:
        asked = [Finding("service", "warning", "not asked: there is no API key", LOG_IN)]
    else:
        asked = run_check("service", lambda: check_service(target, timeout_s))
        is_answered = any(finding.check == "service" and finding.result == "ok" for finding in asked)
    # Only a proxy and certificates that a request has used are ok.
    findings += run_check("proxy", lambda: check_proxy(target, is_answered=is_answered))
    findings += run_check("certificates", lambda: check_certificates(target, is_answered=is_answered))
    findings += asked
    return findings + run_check("launch notes", check_launch_notes)


def _load_settings() -> Settings | Finding:
    try:
        return load_settings()
    except NotConfigured as error:
        return Finding("settings", "problem", str(error))
    except Exception as error:  # noqa: BLE001 - as in `run_check`
        return failed_check("settings", error)
