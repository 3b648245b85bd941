"""Checks by requests: the service's response, the key, and its permissions."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as TimedOut
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from primepods_magic.api.account import SshKey
from primepods_magic.api.client import Client
from primepods_magic.api.errors import (
    AuthenticationError,
    NotConfigured,
    NotFound,
    PermissionDenied,
    PodsError,
    RequestRefused,
)
from primepods_magic.api.http.error_mapping import NOTHING_DONE
from primepods_magic.api.local.atomic_files import read_plain_file
from primepods_magic.api.local.folders import find_home
from primepods_magic.api.settings import Settings
from primepods_magic.api.validation.size_limits import shorten_word
from primepods_magic.pods.connection.open_client import find_blame, open_client
from primepods_magic.pods.connection.sandbox_detection import about_sandbox
from primepods_magic.pods.ssh.keys import fingerprint
from primepods_magic.pods.support.background import run_in_background

from .finding import LOG_IN, Finding, Result, failed_check

__all__ = ["check_service"]

MAX_SKEW_S = 120.0
_MAX_NAMES = 5
_MIN_TIMEOUT_S = 0.1


def check_service(settings: Settings, timeout_s: float) -> Iterator[Finding]:
    """Report the service's responses within ``timeout_s`` seconds."""
    try:
        # Allow a request more time than all of them together, so that only the total can time out.
        client = open_client(settings, read_timeout_s=max(2 * timeout_s, _MIN_TIMEOUT_S))
    except NotConfigured as error:
        yield Finding("service", "problem", str(error), "see proxy and certificates above")
        return
    findings: list[Finding] = []

    def ask() -> None:
        for finding in _check_answers(client):
            findings.append(finding)

    work = run_in_background(client, ask)
    try:
        work.result(timeout_s)
        yield from _add_blame(findings, settings, timeout_s)
    except TimedOut:
        seen = list(findings)
        yield from seen
        detail = f"no {'full ' if seen else ''}answer within {timeout_s:g} s"
        silent = Finding("service", "problem", detail, "check network, VPN and proxy; try again")
        yield from [silent] if seen else _add_blame([silent], settings, timeout_s)
    except Exception as error:  # noqa: BLE001 - as in `guarded`
        yield from findings
        yield failed_check("service", error)
    finally:
        client.close()


def _add_blame(findings: list[Finding], settings: Settings, timeout_s: float) -> Iterator[Finding]:
    """Name the variable whose removal makes an unreachable service answer."""
    is_unreached = len(findings) == 1 and (findings[0].check, findings[0].result) == ("service", "problem")
    if not is_unreached or settings.is_loopback:
        yield from findings
        return
    search = run_in_background(
        settings, lambda: find_blame(lambda: _open_short_client(settings, timeout_s), _is_answered)
    )
    try:
        names = " and ".join(search.result(timeout_s))
    except TimedOut:
        names = ""
    advice = f"correct or unset {names}: the service answers without it" if names else findings[0].what_to_do
    yield replace(findings[0], what_to_do=advice)


def _open_short_client(settings: Settings, timeout_s: float) -> Client:
    return Client(settings, read_timeout_s=max(timeout_s, _MIN_TIMEOUT_S))


def _is_answered(client: Client) -> bool:
    try:
        client.session.request("GET", "/api/v1/user/whoami", budget_s=0)
    except PodsError as error:
        return error.status_code is not None
    return True


def _check_answers(client: Client) -> Iterator[Finding]:
    """Report what the service's responses show."""
    asked_at = time.monotonic()
    me: dict[str, Any] = {}
    refusal: PodsError | None = None
    try:
        answer = client.session.request("GET", "/api/v1/user/whoami", budget_s=0)
        data = answer.get("data") if isinstance(answer, dict) else None
        me = data if isinstance(data, dict) else {}
    except RequestRefused as error:
        refusal = error
    except PodsError as error:
        detail, nothing, advice = str(error).partition(f". {NOTHING_DONE}. ")
        todo = advice if nothing else "check the URL, network, VPN and proxy"
        yield Finding("service", "problem", f"{detail}{nothing.removesuffix('. ')}", todo)
        return
    answered_in_ms = (time.monotonic() - asked_at) * 1000
    yield Finding("service", "ok", f"{client.settings.base_url} answered in {answered_in_ms:.0f} ms")
    sandbox = about_sandbox(client) if client.settings.is_loopback else None
    if sandbox is None:
        yield from _check_clock(client)
    # The API does not document which of these statuses means a missing permission.
    if isinstance(refusal, (AuthenticationError, PermissionDenied, NotFound)):
        refusal = _find_refusal(client)
    if refusal is not None:
        is_bad_key = isinstance(refusal, AuthenticationError)
        yield Finding("key accepted", "problem", str(refusal), LOG_IN if is_bad_key else "")
        return
    yield _describe_owner(me)
    yield from _check_permissions(me.get("scope"))
    yield from _check_ssh_keys(client, is_sandbox=sandbox is not None)


def _find_refusal(client: Client) -> PodsError | None:
    """Return the error of listing pods with a key that may not read its user, if any."""
    try:
        client.session.request("GET", "/api/v1/pods/", params={"limit": 1}, budget_s=0)
    except PodsError as error:
        return error
    return None


def _describe_owner(me: dict[str, Any]) -> Finding:
    if isinstance(me.get("id"), str):
        return Finding("key accepted", "ok", f"it belongs to {shorten_word(me.get('name') or me['id'])}")
    return Finding(
        "key accepted",
        "warning",
        "it cannot read its user, so your pods cannot be told apart from your team's",
        "use a key that can read its user",
    )


def _check_permissions(scope: object) -> Iterator[Finding]:
    """Report what the key may do, if the service states it."""
    known = (
        {_normalize_scope_name(name): may for name, may in scope.items()} if isinstance(scope, dict) else {}
    )
    wanted: tuple[tuple[str, str, Result, str], ...] = (
        ("Instances", "read", "problem", "pods cannot be listed"),
        ("Instances", "write", "warning", "pods cannot be rented or terminated"),
        ("Availability", "read", "warning", "offers cannot be listed, so nothing can be rented"),
        ("SSH Keys", "read", "warning", "the account's SSH keys cannot be listed"),
        ("SSH Keys", "write", "warning", "SSH keys cannot be added or made primary"),
        ("Billing", "read", "warning", "the wallet cannot be read"),
    )
    is_silent = True
    for name, verb, result, consequence in wanted:
        may = known.get(_normalize_scope_name(name))
        if not isinstance(may, dict) or not isinstance(may.get(verb), bool):
            continue
        is_silent = False
        label = f"{name} -> {'Read' if verb == 'read' else 'Read and Write'}"
        if may[verb]:
            yield Finding("permission", "ok", label)
        else:
            yield Finding(
                "permission", result, f"{label} is missing: {consequence}", "create a key that has it"
            )
    if is_silent:
        yield Finding("permission", "ok", "the service does not state what this key may do")


def _normalize_scope_name(name: object) -> str:
    """Normalize a permission's spelling: "SSH Keys", "ssh_keys", "sshKeys"."""
    return "".join(char for char in str(name).casefold() if char.isalnum())


def _check_clock(client: Client) -> Iterator[Finding]:
    seen = client.session.service_time
    if seen is None:
        return
    skew_s = (datetime.now(timezone.utc) - seen[0]).total_seconds() - (time.monotonic() - seen[1])
    if abs(skew_s) <= MAX_SKEW_S:
        yield Finding("clock", "ok", "agrees with the service's clock")
    else:
        way = "ahead of" if skew_s > 0 else "behind"
        yield Finding(
            "clock",
            "warning",
            f"{abs(skew_s) / 60:.0f} min {way} the service's clock",
            "set this computer's clock",
        )


def _check_ssh_keys(client: Client, *, is_sandbox: bool) -> Iterator[Finding]:
    try:
        keys = client.list_ssh_keys()
    except PodsError as error:
        yield Finding("ssh keys", "warning", f"cannot be listed: {error}")
        return
    if keys and is_sandbox:
        yield Finding("ssh keys", "ok", f"{len(keys)} on the account")
    elif keys:
        yield _check_local_keys(keys)
    else:
        yield Finding(
            "ssh keys",
            "warning",
            "none on the account: no one can log in to a pod by ssh",
            "%pods keys add",
        )


def _check_local_keys(keys: list[SshKey]) -> Finding:
    """Report whether one of the account's keys is on this computer."""
    home, known = find_home(), set()
    paths: list[Path] = []
    with contextlib.suppress(OSError):
        paths = list((home / ".ssh").glob("*.pub")) if home else []
    for path in paths:
        with contextlib.suppress(OSError):
            known.add(fingerprint(read_plain_file(path, max_bytes=20_000).decode("utf-8", "replace")))
    here = [shorten_word(key.name) for key in keys if fingerprint(key.public_key) in known - {None}]
    if here:
        return Finding(
            "ssh keys",
            "ok",
            f"{len(keys)} on the account, and {', '.join(here[:_MAX_NAMES])} in ~/.ssh here",
        )
    return Finding(
        "ssh keys",
        "warning",
        f"{len(keys)} on the account, but none is in ~/.ssh here",
        "%pods keys add, if you log in from here without an agent",
    )
