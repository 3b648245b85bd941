"""The test fire: whether this key, from here, can read a pod and terminate it."""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timezone

from primepods_magic.api.errors import NotFound, PodsError
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["find_obstacle", "measure_skew_s"]

_MAX_SKEW_S = 600.0
_BUDGET_S = 20.0
_HEX = "0123456789abcdef"


def find_obstacle(connection: BaseConnection, pod_id: str | None = None) -> str:
    """Return why a guard could not end this pod, or any pod; empty if it could.

    Reads the pod, then asks to terminate one that does not exist: 404 proves the permission, and changes
    nothing. The clocks must agree, except with a sandbox, whose clock may run faster.
    """
    client = connection.client
    try:
        if pod_id is None:
            client.list_all_pods(budget_s=_BUDGET_S)
        else:
            found = client.get_pod(pod_id, budget_s=_BUDGET_S)
            if found.id != pod_id:
                shown = sanitize(found.id) or "no pod"
                return f"the service shows {shown} instead of {sanitize(pod_id)}"
            if not found.is_live or found.created_at is None:
                return f"the service does not show the pod as live ({sanitize(found.status)})"
    except PodsError as error:
        return f"the pod cannot be read: {error}" if pod_id else f"pods cannot be listed: {error}"
    try:
        client.delete_pod(_make_random_id(pod_id), budget_s=_BUDGET_S)
    except NotFound:
        pass
    except PodsError as error:
        return f"a termination would fail: {error}"
    else:
        return "the service confirms the termination of a pod that does not exist"
    if connection.is_sandbox:
        return ""
    skew_s = measure_skew_s(connection)
    if skew_s is None:
        return "the service's responses have no date"
    if abs(skew_s) > _MAX_SKEW_S:
        return (
            f"the clocks of this computer and the service differ by {abs(skew_s) / 60:,.0f} min. "
            "Set this computer's clock"
        )
    return ""


def measure_skew_s(connection: BaseConnection) -> float | None:
    """Return how far the service's clock is ahead of this computer's, or None before any response."""
    seen = connection.client.session.service_time
    if seen is None:
        return None
    moment, received_at_s = seen
    now = datetime.now(timezone.utc)
    return (moment - now).total_seconds() + (time.monotonic() - received_at_s)


def _make_random_id(pod_id: str | None) -> str:
    """Return an id that no pod has, in the form of this one: some services check the form first."""
    if pod_id is None or sum(letter in _HEX for letter in pod_id) < len(secrets.token_hex(8)):
        return secrets.token_hex(16)
    return "".join(secrets.choice(_HEX) if letter in _HEX else letter for letter in pod_id)
